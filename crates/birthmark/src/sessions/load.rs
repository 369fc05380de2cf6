//! Reading one session: its journals, their fold, and what its manifest is.
//!
//! # Invariants
//!
//! * The journals are folded once, and once more only where the manifest is an older fold.
//! * Whether a finished session lost its manifest is looked up once for many sessions
//!   ([`Orphans`]).

use std::path::Path;
use std::sync::OnceLock;

use birthmark_core::event::Event;
use birthmark_core::json;
use birthmark_core::session::{self, Journal, Session};
use birthmark_core::{Fields, SessionId, WriterId};
use birthmark_store::layout::Layout;
use birthmark_store::{atomic, journal};
use serde_json::Value;

use super::{JournalState, Loaded, MANIFEST_LIMIT, ManifestState, Problem, manifest, rest};
use super::{ids, unknown_session};
use crate::error::Result;
use crate::project::Project;

/// Reads a session: its journals, their fold, and what its manifest is.
pub fn load(project: &Project, id: &SessionId) -> Result<Loaded> {
    load_among(project, id, &Orphans::default())
}

/// The same, where many are read one after the other.
pub(crate) fn load_among(project: &Project, id: &SessionId, orphans: &Orphans) -> Result<Loaded> {
    let layout = &project.layout;
    let manifest_path = layout.manifest(id);
    // Before the journals: those only grow, and so reach as far as a manifest that was there.
    let read = read_manifest(&manifest_path);
    let mut journals = read_journals(layout, id)?;
    let has_journals = !journals.states.is_empty();
    if !has_journals && !journals.is_folder && !manifest_path.exists() {
        return Err(unknown_session(id.as_str(), &ids(project)?));
    }
    let heads = read
        .as_ref()
        .ok()
        .and_then(|found| session::manifest_heads(&found.as_ref()?.0));
    if journals.is_folder
        && let Some(heads) = &heads
    {
        let missing = manifest::missing_lines(heads, &journals.lines, &journals.states);
        journals.problems.extend(missing);
    }
    let folded = session::fold(&journals.lines);
    let mut manifest_rewritten = false;
    let (fields, state) = match read {
        Ok(None) => (None, ManifestState::Missing),
        Err((fields, state)) => (fields, state),
        Ok(Some((fields, bytes))) => {
            let (state, rewritten) = judge(
                project,
                id,
                (&fields, &bytes),
                (&journals, &folded),
                orphans,
            )?;
            manifest_rewritten = rewritten;
            (Some(fields), state)
        }
    };
    let session = match &fields {
        Some(fields) if !has_journals => manifest::session_of(fields, id),
        Some(fields) if state == ManifestState::Unfounded => {
            let mut session = folded;
            rest::take_rest(&mut session, manifest::session_of(fields, id));
            session
        }
        _ => folded,
    };
    Ok(Loaded {
        id: id.clone(),
        session,
        has_journals,
        journals: journals.states,
        problems: journals.problems,
        manifest: state,
        manifest_rewritten,
        manifest_path,
        fields,
        lines: journals.lines,
    })
}

/// What a session tells, before anything is held against anything.
pub(crate) enum Told {
    /// By its journals.
    Journals(Vec<Journal>),
    /// By its manifest, since there is no journal.
    Manifest(Box<Session>),
    /// By journals of which one is damaged.
    Damaged(Vec<Journal>),
}

/// What a session tells; its manifest is asked only where there are no journals.
pub(crate) fn told(project: &Project, id: &SessionId) -> Result<Told> {
    let journals = read_journals(&project.layout, id)?;
    if !journals.problems.is_empty() {
        return Ok(Told::Damaged(journals.lines));
    }
    if !journals.states.is_empty() {
        return Ok(Told::Journals(journals.lines));
    }
    let read = read_manifest(&project.layout.manifest(id));
    Ok(Told::Manifest(Box::new(match read {
        Ok(Some((fields, _))) | Err((Some(fields), _)) => manifest::session_of(&fields, id),
        _ => Session::default(),
    })))
}

/// The fold of a session alone, for questions over many; of one with a damaged journal with what
/// its manifest tells beyond.
pub(crate) fn fold_of(project: &Project, id: &SessionId) -> Result<Session> {
    Ok(match told(project, id)? {
        Told::Damaged(_) => load(project, id)?.session,
        Told::Journals(lines) => session::fold(&lines),
        Told::Manifest(session) => *session,
    })
}

/// Whether a later version folded the manifest that is there: looked at closely only where one
/// of the journals, by its first event, is a later version's.
pub(crate) fn is_of_later_version<'a>(
    project: &Project,
    id: &SessionId,
    mut first_events: impl Iterator<Item = &'a Event>,
) -> bool {
    first_events.any(manifest::is_by_later)
        && load(project, id).is_ok_and(|loaded| loaded.manifest == ManifestState::Later)
}

/// What a manifest is, and whether another program wrote it anew in other bytes.
fn judge(
    project: &Project,
    id: &SessionId,
    (fields, bytes): (&Fields, &[u8]),
    (journals, folded): (&Journals, &Session),
    orphans: &Orphans,
) -> Result<(ManifestState, bool)> {
    let told = fields.get("session_id").and_then(Value::as_str);
    if told != Some(id.as_str()) {
        let told = crate::text::short(told.unwrap_or("nothing"), 60);
        let text = format!("session_id: {told}, not {id} as its file name says");
        return Ok((edited(text), false));
    }
    if journals.is_folder {
        let short = !journals.problems.is_empty();
        return Ok(manifest::judge_bound(
            (fields, bytes),
            &journals.lines,
            folded,
            short,
        ));
    }
    let ours = manifest::names_our_format(fields);
    if ours && session::manifest_heads(fields).is_none() {
        return Ok((edited("heads: they are missing".to_owned()), false));
    }
    let state = match orphans.first(&project.layout)? {
        Some(orphan) => edited(format!(
            "session_id: no journal is called so, and those of session {orphan} lack their manifest"
        )),
        None => ManifestState::NotBound { foreign: !ours },
    };
    Ok((state, false))
}

fn edited(what: String) -> ManifestState {
    ManifestState::Edited { what: vec![what] }
}

/// A finished session with journals and no manifest, looked for once.
#[derive(Debug, Default)]
pub(crate) struct Orphans(OnceLock<Option<SessionId>>);

impl Orphans {
    fn first(&self, layout: &Layout) -> Result<Option<SessionId>> {
        if let Some(known) = self.0.get() {
            return Ok(known.clone());
        }
        let found = orphan(layout)?;
        Ok(self.0.get_or_init(|| found).clone())
    }
}

fn orphan(layout: &Layout) -> Result<Option<SessionId>> {
    for id in journal::list_sessions(layout)? {
        if layout.manifest(&id).symlink_metadata().is_ok() {
            continue;
        }
        let journals = read_journals(layout, &id)?;
        if has_ended(&journals.lines) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn has_ended(journals: &[Journal]) -> bool {
    let mut lines = journals.iter().flat_map(|journal| &journal.lines);
    lines.any(|line| matches!(line.event, Event::SessionEnded(_)))
}

/// The manifest and its bytes, nothing where there is none, or what is wrong with it.
type ManifestRead = std::result::Result<Option<(Fields, Vec<u8>)>, (Option<Fields>, ManifestState)>;

fn read_manifest(path: &Path) -> ManifestRead {
    let unreadable = |why: String| (None, ManifestState::Unreadable { why });
    let bytes = match atomic::read_limited(path, MANIFEST_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(unreadable(error.source.to_string())),
    };
    let fields: Fields =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    match json::check_envelope(&bytes) {
        Ok(()) => Ok(Some((fields, bytes))),
        Err(error) if matches!(error.kind, json::ScanErrorKind::DuplicateKey(_)) => Err((
            Some(fields),
            ManifestState::Edited {
                what: vec![error.to_string()],
            },
        )),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

struct Journals {
    lines: Vec<Journal>,
    states: Vec<JournalState>,
    problems: Vec<Problem>,
    is_folder: bool,
}

fn read_journals(layout: &Layout, id: &SessionId) -> Result<Journals> {
    let mut found = Journals {
        lines: Vec::new(),
        states: Vec::new(),
        problems: Vec::new(),
        is_folder: false,
    };
    let read = match journal::read_session(layout, id) {
        Ok(read) => read,
        Err(error) if error.is_not_found() => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    found.is_folder = true;
    for journal in read {
        match journal {
            Ok(contents) => found.note(layout, id, contents),
            Err(error) => {
                let file = name_of(&error.path);
                let text = format!("journal {file} cannot be read: {}", error.source);
                let stem = error
                    .path
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned());
                found.states.push(JournalState {
                    writer: WriterId::from_text(stem.unwrap_or_default()),
                    path: error.path,
                    lines: 0,
                    torn_bytes: 0,
                    damage: None,
                });
                found.problems.push(Problem {
                    code: "journal-unreadable",
                    file,
                    line: None,
                    text,
                });
            }
        }
    }
    Ok(found)
}

fn name_of(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    crate::text::neutral(&name).into_owned()
}

impl Journals {
    fn note(&mut self, layout: &Layout, id: &SessionId, contents: journal::JournalContents) {
        let journal = contents.journal;
        let file = format!("{}.jsonl", crate::text::neutral(journal.writer.as_str()));
        if let Some(damage) = &contents.damage {
            let text = format!("journal {file}, line {}: {}", damage.line, damage.reason);
            let line = Some(damage.line);
            let code = "journal-damaged";
            self.problems.push(Problem {
                code,
                file: file.clone(),
                line,
                text,
            });
        }
        let wrong = match journal.lines.first().map(|line| &line.event) {
            None => None,
            Some(Event::WriterOpened(opened)) if opened.session_id == *id => None,
            Some(Event::WriterOpened(opened)) => {
                let other = crate::text::short(opened.session_id.as_str(), 60);
                Some(format!("journal {file} is of session {other}"))
            }
            Some(_) => Some(format!("journal {file} does not begin with its writer")),
        };
        if let Some(text) = wrong {
            self.problems.push(Problem {
                code: "journal-foreign",
                file,
                line: Some(1),
                text,
            });
        }
        self.states.push(JournalState {
            path: layout.journal(id, &journal.writer),
            writer: journal.writer.clone(),
            lines: journal.lines.len() as u64,
            torn_bytes: contents.torn_bytes,
            damage: contents.damage,
        });
        self.lines.push(journal);
    }
}
