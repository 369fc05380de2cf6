//! Which sessions there are, and what each came to.
//!
//! A session is folded from its journals each time it is asked for; the manifest
//! beside them is held against that fold. Where the journals are not there (the
//! manifest was copied alone, or another helper wrote it) the session is what the
//! manifest tells, and is called *not bound*.
//!
//! # Invariants
//!
//! * Nothing here writes: no manifest is renewed, no torn line cut.
//! * A stale manifest (an older fold) is never called edited.
//! * What cannot be read is named; it hides no other session.
//!
//! # Limitations
//!
//! * Whoever rewrites journals and manifest together is not noticed: nothing is signed.

mod load;
mod manifest;
mod name;
mod rest;
mod search;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::event::ProcessIdentity;
use birthmark_core::session::{Journal, Session, Status};
use birthmark_core::{Fields, SessionId, Timestamp, WriterId};
use birthmark_store::PathError;
use birthmark_store::journal::{self, Damage};
use birthmark_store::layout::Layout;
use serde_json::Value;

use crate::error::Result;
use crate::project::Project;
use crate::wrote;

pub use load::load;
pub(crate) use load::{Orphans, Told, fold_of, is_of_later_version, load_among, told};
pub(crate) use manifest::differences;
pub use name::resolve;
use name::unknown_session;
pub(crate) use search::{Wanted, in_parts, speaks_of, told_of};
pub use summary::Summary;

/// A manifest larger than this is not read.
const MANIFEST_LIMIT: u64 = 1 << 30;

/// What a manifest is, held against the journals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestState {
    /// The fold of all that the journals say.
    Current,
    /// An older fold, right as far as it goes.
    Stale,
    /// Not what the journals say up to its heads.
    Edited {
        /// Each difference by its JSON path.
        what: Vec<String>,
    },
    /// A later version folded it, and says more than this one knows.
    Later,
    /// Its journals no longer reach as far as its heads: one is gone, cut or damaged
    /// (see [`Loaded::problems`]), so that it cannot be held against them.
    Unfounded,
    /// No journal here speaks of it.
    NotBound {
        /// It does not name our format: another helper made it.
        foreign: bool,
    },
    /// There is no manifest.
    Missing,
    /// There is one, but it cannot be read.
    Unreadable {
        /// Why not.
        why: String,
    },
}

impl ManifestState {
    /// The word for JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Edited { .. } => "edited",
            Self::Later => "of a later version",
            Self::Unfounded => "unfounded",
            Self::NotBound { .. } => "not bound",
            Self::Missing => "missing",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// One journal of a session, as it was found.
#[derive(Debug, Clone)]
pub struct JournalState {
    /// Whose it is.
    pub writer: WriterId,
    /// The file.
    pub path: PathBuf,
    /// Whole and right lines.
    pub lines: u64,
    /// Bytes of a torn last line.
    pub torn_bytes: u64,
    /// The first line that is wrong.
    pub damage: Option<Damage>,
}

/// Something that is wrong with the journals of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable name: `journal-deleted`, `journal-cut`, `journal-damaged`,
    /// `journal-unreadable`, `journal-foreign`.
    pub code: &'static str,
    /// The journal's file name.
    pub file: String,
    /// The line, from 1, where one can be named.
    pub line: Option<u64>,
    /// The whole sentence.
    pub text: String,
}

/// A session with all that was found of it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its id: the name of its folder, and of its manifest.
    pub id: SessionId,
    /// The fold of its journals, or what the manifest tells where there are none.
    pub session: Session,
    /// Whether any journal was read.
    pub has_journals: bool,
    /// Its journals.
    pub journals: Vec<JournalState>,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// What its manifest is.
    pub manifest: ManifestState,
    /// Whether the manifest says what the journals say in other bytes than ours: another
    /// program wrote it anew.
    pub manifest_rewritten: bool,
    /// Where the manifest is or should be.
    pub manifest_path: PathBuf,
    /// The manifest as it stands, if it is a JSON object.
    pub fields: Option<Fields>,
    pub(crate) lines: Vec<Journal>,
}

impl Loaded {
    /// Running, completed, interrupted …: derived, never stored.
    pub fn status(&self, now: Timestamp) -> Status {
        self.session.status(now, is_alive)
    }

    /// Whether the manifest alone speaks for the session.
    pub fn is_bound(&self) -> bool {
        self.has_journals
    }

    /// Bytes of torn last lines, over all journals.
    pub fn torn_bytes(&self) -> u64 {
        self.journals.iter().map(|journal| journal.torn_bytes).sum()
    }

    /// The start as it was written; the origin's helper writes times without an offset.
    pub fn start_text(&self) -> Option<String> {
        let start = self.session.start.map(|start| start.to_string());
        start.or_else(|| {
            self.fields
                .as_ref()?
                .get("session_start")?
                .as_str()
                .map(str::to_owned)
        })
    }

    /// The host it ran on, where that is known.
    pub fn host(&self) -> Option<&str> {
        let opener = self
            .session
            .opener
            .as_ref()
            .map(|opener| opener.host.as_str());
        let run = || {
            self.session
                .runs
                .first()
                .map(|run| run.process.host.as_str())
        };
        let told = || {
            self.session
                .environment
                .get("hostname")
                .and_then(Value::as_str)
        };
        opener
            .or_else(run)
            .or_else(told)
            .filter(|host| !host.is_empty())
    }
}

fn is_alive(process: &ProcessIdentity) -> Option<bool> {
    birthmark_capture::host::is_alive(process).found().copied()
}

/// The project that `path` belongs to. Where its own store is not there, a store
/// that was merely copied is looked for in the folders above: next to it stand the
/// artifacts, wherever they were before.
pub fn project_of(path: &Path) -> Result<Project> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = if path.is_dir() {
        path.as_path()
    } else {
        path.parent().unwrap_or(&path)
    };
    let project = Project::find(folder)?;
    if folder.starts_with(project.layout.artifacts()) && has_sessions(&project.layout) {
        return Ok(project);
    }
    let copied = folder.ancestors().find(|up| {
        let layout = Layout::new(*up, *up);
        has_sessions(&layout)
    });
    match copied {
        Some(artifacts) if artifacts != project.layout.artifacts() => {
            let root = artifacts.parent().unwrap_or(artifacts);
            Ok(Project {
                layout: Layout::new(root, artifacts),
                config: project.config,
            })
        }
        _ => Ok(project),
    }
}

/// The project whose sessions tell of what lies at `path`: the one that it lies in, unless that
/// tells nothing of it and the one that one stands in wrote it, as to a disk beside.
pub fn project_telling_of(path: &Path) -> Result<Project> {
    let near = project_of(path)?;
    let Ok(here) = Project::here() else {
        return Ok(near);
    };
    let is_outside = Path::new(&here.stored_path(path)).is_absolute();
    let told = is_outside && has_sessions(&here.layout) && wrote::is_told(&here, path);
    if told && !wrote::is_told(&near, path) {
        return Ok(here);
    }
    Ok(near)
}

pub(crate) fn has_sessions(layout: &Layout) -> bool {
    layout.exists() || !manifests(layout).unwrap_or_default().is_empty()
}

/// Where an artifact lies: at its stored path from the root or, where the artifacts
/// folder was copied under another name, at the end of that path within the folder.
pub fn locate(project: &Project, stored: &str, file_bytes: Option<&str>) -> PathBuf {
    let place = place_of(project, stored, file_bytes);
    if fs::symlink_metadata(&place).is_ok() || Path::new(stored).is_absolute() {
        return place;
    }
    let artifacts = project.layout.artifacts();
    if place.starts_with(artifacts) {
        return place;
    }
    let mut rest = stored;
    while let Some((_, tail)) = rest.split_once('/') {
        let moved = artifacts.join(tail);
        if fs::symlink_metadata(&moved).is_ok() {
            return moved;
        }
        rest = tail;
    }
    place
}

fn place_of(project: &Project, stored: &str, file_bytes: Option<&str>) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let bytes = file_bytes.and_then(birthmark_core::base64::decode);
    match bytes {
        Some(bytes) => project.root().join(std::ffi::OsStr::from_bytes(&bytes)),
        None => project.resolve(stored),
    }
}

/// The ids that have a manifest.
fn manifests(layout: &Layout) -> Result<Vec<SessionId>, PathError> {
    use birthmark_store::atomic::PathContext;
    let folder = layout.artifacts();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at("read", folder),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths
        .filter_map(|path| Layout::session_of_manifest(&path))
        .collect())
}

/// The ids of all sessions, newest first: those with journals and those with a manifest.
pub fn ids(project: &Project) -> Result<Vec<SessionId>> {
    let mut ids = journal::list_sessions(&project.layout)?;
    ids.extend(manifests(&project.layout)?);
    ids.sort_by(|a, b| b.cmp(a));
    ids.dedup();
    Ok(ids)
}

/// All sessions, newest first.
pub fn list(project: &Project, now: Timestamp) -> Result<Vec<Summary>> {
    newest(project, usize::MAX, now)
}

/// At most so many sessions, newest first. Ids of one second do not tell which was first;
/// their starts do.
pub fn newest(project: &Project, limit: usize, now: Timestamp) -> Result<Vec<Summary>> {
    let second = |id: &SessionId| id.as_str().get(..15).map(str::to_owned);
    let ids = ids(project)?;
    let edge = ids.get(limit.saturating_sub(1)).and_then(second);
    let near = |(place, id): &(usize, &SessionId)| {
        *place < limit || (edge.is_some() && second(id) == edge)
    };
    let mut newest = ids
        .iter()
        .enumerate()
        .filter(near)
        .map(|(_, id)| Ok(Summary::of(&load(project, id)?, now)))
        .collect::<Result<Vec<Summary>>>()?;
    newest.sort_by_key(|one| std::cmp::Reverse((second(&one.id), one.start)));
    newest.truncate(limit);
    Ok(newest)
}
