//! Who, when, which code, which model: what is known of a file.
//!
//! The answer is data ([`Shown`]), joined from three places: what the file carries, what
//! its session recorded of it, and the session's own facts. [`render()`] makes it into
//! lines for people; [`Shown::to_json`] keeps the stored field names.
//!
//! # Invariants
//!
//! * Nothing is guessed: what is not known is listed under `unknown`, with its reason,
//!   and so is what was declared instead of observed.
//! * Nothing is written, and memory does not grow with the number of records.
//!
//! # Limitations
//!
//! * Whether the bytes are still what was recorded is looked at of small files alone; of all
//!   others, and of what else was recorded, `verify` asks whether it holds.

mod changed;
mod columns;
mod environment;
mod facts;
mod file;
mod now;
mod part;
mod records;
pub mod render;
mod session;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use birthmark_core::birthmark::{Fields, PROVENANCE_KEYS, REQUIRED};
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::session::{Artifact, Run, put_late_snapshot};
use birthmark_core::{Finding, SessionId, Timestamp};
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use crate::code_beside::{self, CodeBeside};
use crate::error::Result;
use crate::project::Project;
use crate::snapshot::Lives;
use crate::wrote::{self, Holds, Wrote};

use file::{show_file, show_folder, show_record, show_sidecar};
use session::{beside_manifest, show_session, show_session_named};

pub use changed::ChangedInput;
pub use columns::Varying;
pub use environment::render_environment;
pub use facts::{Recorded, SessionFacts};
pub use now::Now;
pub use part::Part;
pub use render::render;

/// Why no digest is known of a file that its birthmark's session did not make.
const NOT_LISTED: &str = "the session does not list this file";

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A JSONL file.
    Records,
    /// One record of it.
    Record,
    /// A JSON report.
    Report,
    /// A file with a sidecar.
    File,
    /// A folder with a sidecar.
    Folder,
    /// A session, by its id or its manifest.
    Session,
    /// A file or folder without a birthmark, of which a journal tells who made it.
    Observed,
    /// A file without a birthmark.
    Unstamped,
}

impl What {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Record => "record",
            Self::Report => "report",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Session => "session",
            Self::Observed => "observed",
            Self::Unstamped => "unstamped",
        }
    }
}

/// The fields that say together which code ran.
const WHICH_CODE: [&str; 3] = ["git_commit", "git_dirty", "git_snapshot"];

/// All that is known of a file, a record or a session.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it is.
    pub what: What,
    /// The path from the project's root; for a session, its id.
    pub name: String,
    /// The line, for one record.
    pub line: Option<u64>,
    /// Bytes of the file as it lies.
    pub size: Option<u64>,
    /// Records in it.
    pub records: Option<u64>,
    /// Records without a birthmark.
    pub unstamped: u64,
    /// Lines that are no records, and the first of them with what is wrong.
    pub bad_lines: (u64, Option<(u64, String)>),
    /// Where the birthmark stands: `metadata`, `birthmark`, `sidecar` …
    pub place: Option<&'static str>,
    /// Whether it names no format of ours: another helper made it.
    pub foreign: bool,
    /// The birthmark: of a JSONL file, the fields that all its records share.
    pub birthmark: Fields,
    /// The older birthmark of a record that a later run wrote again: where it was born.
    pub older: Option<Fields>,
    /// The fields that differ from record to record.
    pub varies: Vec<Varying>,
    /// What the journal recorded of the file.
    pub recorded: Option<Recorded>,
    /// The session's facts.
    pub session: Option<SessionFacts>,
    /// The repositories beside the script's own whose code its runs loaded.
    pub(crate) beside: Vec<CodeBeside>,
    /// For a session: its summary and what it made.
    pub summary: Option<Value>,
    /// What is not known, with the reasons.
    pub unknown: Fields,
    /// What somebody declared, not observed.
    pub declared: Vec<String>,
    /// Where the code that made it lives now; `None` where it is not one commit.
    pub lives: Option<Lives>,
    /// How it lies now, where the digest of its bytes was recorded.
    pub now: Option<Now>,
    /// Inputs that something unrecorded had changed before they were read.
    pub inputs_changed: Vec<ChangedInput>,
    /// The name as it is typed where one stands.
    pub typed: String,
    /// Who wrote the file, where that was another run than its birthmark names.
    pub wrote: Option<Wrote>,
    /// Sessions that went on with it from the same records as the last, and how many records of
    /// theirs are not in it.
    pub forked: Vec<(SessionId, u64)>,
    /// The file that was asked for, where its folder is what is shown.
    pub part: Option<Part>,
    /// What sessions recorded in the folder that is shown, where none recorded it as one.
    pub(crate) holds: Option<Holds>,
    /// The sidecar of these bytes that stands where the file was called otherwise.
    pub(crate) left_sidecar: Option<PathBuf>,
}

impl Shown {
    fn new(what: What, name: String) -> Self {
        Self {
            what,
            typed: name.clone(),
            name,
            line: None,
            size: None,
            records: None,
            unstamped: 0,
            bad_lines: (0, None),
            place: None,
            foreign: false,
            birthmark: Fields::new(),
            older: None,
            varies: Vec::new(),
            recorded: None,
            session: None,
            beside: Vec::new(),
            summary: None,
            unknown: Fields::new(),
            declared: Vec::new(),
            lives: None,
            now: None,
            inputs_changed: Vec::new(),
            wrote: None,
            forked: Vec::new(),
            part: None,
            holds: None,
            left_sidecar: None,
        }
    }

    /// A field: as the file has it, else as the run that made it saw it, as the journal recorded
    /// the file, or as the session began. What they tell of the code belongs together: it is
    /// taken from nobody who saw other code.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let own = self.birthmark.get(name);
        own.or_else(|| {
            let fits = |other: &&Fields| !name.starts_with("git_") || self.saw_the_same_code(other);
            let run = self.own_run().map(|run| &run.code);
            let recorded = self.recorded.as_ref().map(|one| &one.birthmark);
            let session = self.session.as_ref().map(|session| &session.code);
            let mut others = run.into_iter().chain(recorded).chain(session).filter(fits);
            others.find_map(|other| other.get(name))
        })
    }

    /// The run that made it, where its session is here.
    pub(crate) fn own_run(&self) -> Option<&Run> {
        let id = self.birthmark.get("run_id")?.as_str()?;
        let mut runs = self.session.iter().flat_map(|session| &session.ran);
        runs.find(|run| run.id.as_str() == id)
    }

    /// Looks up the code of other repositories that its own run loaded, else any.
    fn find_code_beside(&mut self, project: &Project) {
        let Some(session) = &self.session else {
            return;
        };
        let runs: Vec<&Run> = match self.own_run() {
            Some(own) => vec![own],
            None => session.ran.iter().collect(),
        };
        let mut found = code_beside::of_runs(project, &runs, &session.environment);
        found.retain(|one| !one.files.is_empty());
        self.beside = found;
    }

    /// Whether the code of somebody else is that of the birthmark, as far as it tells.
    fn saw_the_same_code(&self, other: &Fields) -> bool {
        let agrees = |name: &str| match self.birthmark.get(name) {
            Some(own) => other.get(name) == Some(own),
            None => self.is_one(name),
        };
        WHICH_CODE.into_iter().all(agrees)
    }

    /// Whether no record has another value of it than the others.
    pub(crate) fn is_one(&self, name: &str) -> bool {
        self.varies.iter().all(|varying| varying.name != name)
    }

    /// The one commit that holds the code: the snapshot, where the tree was dirty and one was
    /// taken. Nothing where records differ in it.
    pub fn commit(&self) -> Option<&str> {
        if self.has_several_codes() {
            return None;
        }
        let text = |name: &str| self.get(name).and_then(Value::as_str);
        let commit = text("git_snapshot").or_else(|| text("git_commit"));
        commit.filter(|_| WHICH_CODE.into_iter().all(|name| self.is_one(name)))
    }

    /// Whether it is a session in which several codes ran.
    pub(crate) fn has_several_codes(&self) -> bool {
        let session = self.session.as_ref().filter(|_| self.what == What::Session);
        session.is_some_and(|session| session.codes.len() > 1)
    }

    /// Everything as JSON, with the stored field names. `as_of` says what `git_pushed` means.
    pub fn to_json(&self) -> Value {
        let varies: Fields = self
            .varies
            .iter()
            .map(|v| (v.name.clone(), varying(v)))
            .collect();
        let (bad, first_bad) = &self.bad_lines;
        let first_bad = first_bad
            .as_ref()
            .map(|(line, why)| json!({ "line": line, "reason": why }));
        json!({
            "kind": self.what.word(),
            "file": self.name,
            "line": self.line,
            "size": self.size,
            "records": self.records,
            "unstamped_records": self.unstamped,
            "bad_lines": bad,
            "first_bad_line": first_bad,
            "place": self.place,
            "foreign": self.foreign,
            "metadata": self.birthmark,
            "born": self.older,
            "varies": varies,
            "recorded": self.recorded.as_ref().map(Recorded::to_json),
            "now": self.now.map(Now::word),
            "forked": self.forked.iter().map(|(id, lost)| json!({"session_id": id.as_str(), "records_lost": lost})).collect::<Vec<_>>(),
            "inputs_changed": self.inputs_changed.iter().map(ChangedInput::to_json).collect::<Vec<_>>(),
            "part": self.part.as_ref().map(Part::to_json),
            "holds": self.holds.as_ref().map(Holds::to_json),
            "written_by": self.wrote.as_ref().map(Wrote::to_json),
            "recorded_metadata": self.recorded.as_ref().map(|recorded| &recorded.birthmark),
            "session": self.session.as_ref().map(SessionFacts::to_json),
            "code_beside": self.beside.iter().map(CodeBeside::to_json).collect::<Vec<_>>(),
            "summary": self.summary,
            "git_pushed_as_of": self.get("git_pushed").map(|_| "the last fetch or push"),
            "code_lives": self.lives.as_ref().map(Lives::to_json),
            "unknown": self.unknown,
            "declared": self.declared,
        })
    }
}

fn varying(varying: &Varying) -> Value {
    let values: Vec<Value> = varying
        .values
        .iter()
        .map(|(value, records)| json!({ "value": value, "records": records }))
        .collect();
    json!({
        "min": varying.min,
        "max": varying.max,
        "distinct": varying.distinct,
        "values": values,
        "records": varying.records,
    })
}

/// Reads `FILE:LINE` as a file and a line. A file that is really called so is meant as a whole.
pub fn parse_target(text: &str) -> (PathBuf, Option<u64>) {
    let whole = PathBuf::from(text);
    if !whole.exists()
        && let Some((file, line)) = text.rsplit_once(':')
        && let Ok(line) = line.parse()
    {
        return (PathBuf::from(file), Some(line));
    }
    (whole, None)
}

/// Shows a file, a folder, a sidecar, a manifest, a session by its name, or one record.
pub fn show(project: &Project, path: &Path, line: Option<u64>, now: Timestamp) -> Result<Shown> {
    let mut shown = look(project, path, line, now)?;
    // A link of which nothing is told stands for what it leads to.
    if shown.what == What::Unstamped
        && path.is_symlink()
        && let Ok(leads_to) = path.canonicalize()
    {
        return show(project, &leads_to, line, now);
    }
    // A file that carries nothing may be part of a folder that is one artifact.
    if shown.what == What::Unstamped
        && line.is_none()
        && let Some(folder) = wrote::folder_of(project, path)
    {
        let mut whole = show(project, &folder, None, now)?;
        whole.part = Some(part::look(&folder, path, whole.now));
        return Ok(whole);
    }
    look_who_wrote(project, &mut shown, &subject(path));
    if let Finding::Found(folder) = birthmark_capture::process::working_folder()
        && shown.what != What::Session
    {
        shown.typed = crate::talk::to_type(project.root(), &shown.name, &folder);
    }
    let commit = shown.commit();
    shown.lives = commit.map(|commit| crate::snapshot::lives(project, commit));
    shown.now = now::look(&shown, &subject(path));
    if shown.now == Some(Now::AsRecorded)
        && !shown.is_one("session_id")
        && let Some(digest) = shown
            .recorded
            .as_ref()
            .and_then(|one| one.digest.as_deref())
    {
        shown.forked = wrote::forked(project, &shown.name, digest);
    }
    shown.inputs_changed = changed::look(project, &shown);
    Ok(shown)
}

/// Where what a file carries was born elsewhere: who wrote it, and what that recorded of it.
fn look_who_wrote(project: &Project, shown: &mut Shown, path: &Path) {
    let carries = shown.birthmark.contains_key("session_id")
        || shown.varies.iter().any(|one| one.name == "session_id");
    if matches!(shown.what, What::Session | What::Observed | What::Unstamped) || !carries {
        return;
    }
    let lies = now::digest_of(path);
    let own = shown.recorded.as_ref().filter(|own| !own.observed);
    let own = own.filter(|own| own.file == shown.name);
    // Whose bytes they still are is who wrote them, or who is at it.
    if own.is_some_and(|own| own.state == "open" || (lies.is_some() && own.digest == lies)) {
        return;
    }
    let Some(wrote) = wrote::at(project, &shown.name, lies.as_deref()) else {
        return;
    };
    let is_of_another = wrote::is_of_another(&wrote.artifact, &wrote.session, &shown.birthmark);
    if is_of_another || wrote.artifact.file != shown.name {
        take_recorded(shown, &wrote.artifact);
    }
    if is_of_another {
        if let Some(recorded) = &mut shown.recorded {
            recorded.birthmark = Fields::new();
        }
        shown.wrote = Some(wrote);
    }
}

/// Goes by what was recorded of the bytes, here or under another name.
fn take_recorded(shown: &mut Shown, artifact: &Artifact) {
    shown.recorded = Some(Recorded::of(artifact));
    if shown.unknown.get("digest").and_then(Value::as_str) == Some(NOT_LISTED) {
        shown.unknown.remove("digest");
    }
}

/// The file or folder that is shown, where its sidecar was named.
fn subject(path: &Path) -> PathBuf {
    let text = path.as_os_str().to_string_lossy();
    let subject = text.strip_suffix(SIDECAR_SUFFIX);
    subject.map_or_else(|| path.to_owned(), PathBuf::from)
}

fn look(project: &Project, path: &Path, line: Option<u64>, now: Timestamp) -> Result<Shown> {
    // A link to nothing is as gone as what it led to.
    if path
        .metadata()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        return show_session_named(project, path, line, now);
    }
    if let Some(id) = Layout::session_of_manifest(path) {
        let home = beside_manifest(project, path);
        return show_session(&home, &id, now);
    }
    let text = path.as_os_str().to_string_lossy();
    if let Some(subject) = text.strip_suffix(SIDECAR_SUFFIX) {
        return show_sidecar(project, Path::new(subject), path, now);
    }
    if let Some(line) = line {
        return show_record(project, path, line, now);
    }
    if path.is_dir() {
        return show_folder(project, path, now);
    }
    show_file(project, path, now)
}

/// Joins the session's facts and gathers what is unknown and declared.
fn finish(project: &Project, shown: &mut Shown, id: Option<&str>, now: Timestamp) {
    let (session, recorded) = facts::join(project, id, &shown.name, now);
    shown.recorded = recorded;
    match session {
        Ok(session) => {
            put_late_snapshot(&session.snapshots, &mut shown.birthmark);
            shown.session = Some(session);
            shown.find_code_beside(project);
        }
        Err(reason) if shown.what != What::Unstamped => note(shown, "session", &reason),
        Err(_) => {}
    }
    if shown.session.is_some() && shown.recorded.is_none() {
        note(shown, "digest", NOT_LISTED);
    }
    let own = shown.birthmark.clone();
    gather(shown, &own);
    if let Some(recorded) = shown
        .recorded
        .as_ref()
        .map(|recorded| recorded.birthmark.clone())
    {
        gather(shown, &recorded);
    }
    if shown.what == What::Unstamped {
        return;
    }
    for name in REQUIRED.iter().chain(if shown.foreign {
        &[]
    } else {
        &PROVENANCE_KEYS[..]
    }) {
        let varies = shown.varies.iter().any(|varying| varying.name == *name);
        match shown.get(name) {
            Some(Value::Null) if !varies => note(shown, name, "it is null without a reason"),
            None if !varies => note(shown, name, "it is not there"),
            _ => {}
        }
    }
}

/// Takes over the reasons in `unknown` and the names in `declared`.
fn gather(shown: &mut Shown, fields: &Fields) {
    if let Some(Value::Object(reasons)) = fields.get("unknown") {
        for (name, reason) in reasons {
            if !shown.unknown.contains_key(name) {
                shown.unknown.insert(name.clone(), reason.clone());
            }
        }
    }
    if let Some(Value::Array(names)) = fields.get("declared") {
        for name in names.iter().filter_map(Value::as_str) {
            if !shown.declared.iter().any(|known| known == name) {
                shown.declared.push(name.to_owned());
            }
        }
    }
}

fn note(shown: &mut Shown, name: &str, reason: &str) {
    if !shown.unknown.contains_key(name) {
        shown.unknown.insert(name.to_owned(), Value::from(reason));
    }
}
