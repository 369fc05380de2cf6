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
//! * `show` says what was recorded. Whether it still holds is what `verify` asks.

mod columns;
mod environment;
mod facts;
mod records;
pub mod render;

use std::path::{Path, PathBuf};

use birthmark_core::birthmark::{Fields, PROVENANCE_KEYS, REQUIRED};
use birthmark_core::json::{self, Where};
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::atomic;
use birthmark_store::digest::{FileError, open_still};
use birthmark_store::format::codec::Codec;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{FileKind, Input};
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::lines::MarkKind;
use crate::project::Project;
use crate::sessions;
use crate::snapshot::Lives;

pub use columns::Varying;
pub use environment::render_environment;
pub use facts::{Recorded, SessionFacts};
pub use render::render;

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
    /// The fields that differ from record to record.
    pub varies: Vec<Varying>,
    /// What the journal recorded of the file.
    pub recorded: Option<Recorded>,
    /// The session's facts.
    pub session: Option<SessionFacts>,
    /// For a session: its summary and what it made.
    pub summary: Option<Value>,
    /// What is not known, with the reasons.
    pub unknown: Fields,
    /// What somebody declared, not observed.
    pub declared: Vec<String>,
    /// Where the code that made it lives now; `None` where it is not one commit.
    pub lives: Option<Lives>,
}

impl Shown {
    fn new(what: What, name: String) -> Self {
        Self {
            what,
            name,
            line: None,
            size: None,
            records: None,
            unstamped: 0,
            bad_lines: (0, None),
            place: None,
            foreign: false,
            birthmark: Fields::new(),
            varies: Vec::new(),
            recorded: None,
            session: None,
            summary: None,
            unknown: Fields::new(),
            declared: Vec::new(),
            lives: None,
        }
    }

    /// A field: as the file has it, else as the journal recorded it, else as the session saw it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let recorded = self
            .recorded
            .as_ref()
            .and_then(|recorded| recorded.birthmark.get(name));
        let session = || {
            self.session
                .as_ref()
                .and_then(|session| session.code.get(name))
        };
        self.birthmark.get(name).or(recorded).or_else(session)
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
            "varies": varies,
            "recorded": self.recorded.as_ref().map(Recorded::to_json),
            "recorded_metadata": self.recorded.as_ref().map(|recorded| &recorded.birthmark),
            "session": self.session.as_ref().map(SessionFacts::to_json),
            "summary": self.summary,
            "git_pushed_as_of": self.get("git_pushed").map(|_| "the last fetch or push"),
            "code_lives": self.lives.map(Lives::to_json),
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
    let text = |name: &str| shown.get(name).and_then(Value::as_str);
    let commit = text("git_snapshot").or_else(|| text("git_commit"));
    shown.lives = commit.map(|commit| crate::snapshot::lives(project, commit));
    Ok(shown)
}

fn look(project: &Project, path: &Path, line: Option<u64>, now: Timestamp) -> Result<Shown> {
    if path.symlink_metadata().is_err() {
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

/// The project that a manifest at `path` belongs to: where it was copied, that is its folder.
fn beside_manifest(project: &Project, path: &Path) -> Project {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(&path);
    if folder == project.layout.artifacts() {
        return project.clone();
    }
    let root = folder.parent().unwrap_or(folder);
    Project {
        layout: Layout::new(root, folder),
        config: project.config.clone(),
    }
}

fn show_session_named(
    project: &Project,
    path: &Path,
    line: Option<u64>,
    now: Timestamp,
) -> Result<Shown> {
    let name = path.to_string_lossy();
    let no_file = |hint: Option<&str>| {
        Error::usage(
            "no-file",
            format!("no file or session `{}`", crate::text::neutral(&name)),
        )
        .with_hint(hint.unwrap_or("`birthmark session list` names the sessions"))
    };
    if line.is_some() || name.contains('/') {
        return Err(no_file(None));
    }
    match sessions::resolve(project, &name) {
        Ok(id) => show_session(project, &id, now),
        Err(error) if error.code() == "session-unknown" => {
            let hint = error.hint().filter(|_| !looks_like_a_file(path));
            Err(no_file(hint))
        }
        Err(error) => Err(error),
    }
}

fn looks_like_a_file(path: &Path) -> bool {
    path.extension().is_some()
}

fn show_session(project: &Project, id: &SessionId, now: Timestamp) -> Result<Shown> {
    let loaded = sessions::load(project, id)?;
    let mut shown = Shown::new(What::Session, id.to_string());
    let mut summary = sessions::Summary::of(&loaded, now).to_json();
    let (plans, unplanned) = loaded.session.judge_plan();
    let plans: Vec<Value> = plans
        .iter()
        .map(|plan| json!({ "plan": plan.text, "outcome": plan.outcome, "files": plan.files }))
        .collect();
    let artifacts = loaded.session.artifacts.iter().map(|artifact| {
        let mut entry = Recorded::of(artifact).to_json();
        entry["type"] = Value::from(artifact.artifact_type());
        entry
    });
    summary["planned_artifacts"] = Value::from(plans);
    summary["unplanned"] = Value::from(unplanned);
    summary["artifacts_generated"] = artifacts.collect();
    summary["torn_bytes"] = Value::from(loaded.torn_bytes());
    summary["skipped_events"] = json!(loaded.session.skipped);
    shown.summary = Some(summary);
    shown.foreign = matches!(
        loaded.manifest,
        sessions::ManifestState::NotBound { foreign: true }
    );
    shown.birthmark.clone_from(&loaded.session.given);
    let facts = SessionFacts::of(&loaded, now);
    gather(&mut shown, &facts.code);
    if !loaded.is_bound() {
        note(
            &mut shown,
            "journals",
            "they are not here; this is what the manifest alone says",
        );
    }
    shown.session = Some(facts);
    Ok(shown)
}

fn open(path: &Path) -> Result<(std::fs::File, u64)> {
    // A link is followed here: showing what it leads to does no harm.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (file, state) = open_still(&real).map_err(cannot_read)?;
    Ok((file, state.size))
}

fn cannot_read(error: FileError) -> Error {
    let hint = error.hint();
    let shown = Error::new(Kind::Io, "io", "cannot show it").with_source(error);
    match hint {
        Some(hint) => shown.with_hint(hint),
        None => shown,
    }
}

/// The text of a file of records, unpacked, and the size of the file as it lies.
fn open_text(path: &Path) -> Result<(Box<dyn std::io::Read>, u64)> {
    let (file, size) = open(path)?;
    let text = Codec::of(path).unpack(Box::new(file));
    Ok((text.map_err(|source| unread(path, &source))?, size))
}

fn unread(path: &Path, source: &std::io::Error) -> Error {
    let text = format!("cannot read `{}`: {source}", path.display());
    Error::new(Kind::Io, "io", text)
}

fn show_file(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let sidecar = Layout::sidecar(path);
    let kind = FileKind::of(path);
    let within = if kind.is_some_and(FileKind::has_records) {
        show_records(project, path, now).map(Some)
    } else if let Some(kind) = kind.filter(|kind| kind.has_key()) {
        show_within(project, path, kind, now)
    } else {
        show_report(project, path, now)
    };
    // A file that carries nothing, or cannot be read, may have its birthmark beside it.
    let carries = matches!(&within, Ok(Some(shown)) if shown.what != What::Unstamped);
    if sidecar.is_file() && !carries {
        return show_sidecar(project, path, &sidecar, now);
    }
    if let Some(shown) = within? {
        return Ok(shown);
    }
    if let Some(shown) = show_log(project, path) {
        return Ok(shown);
    }
    Ok(unstamped(project, path, now))
}

/// The log of another tool, by our names: all of it is declared.
fn show_log(project: &Project, path: &Path) -> Option<Shown> {
    use birthmark_core::evaluation::Tool;
    if !crate::evaluation::is_report(path).ok()? {
        return None;
    }
    let found = crate::evaluation::read(path).ok()??;
    if matches!(found.tool, Tool::Birthmark | Tool::Plain) {
        return None;
    }
    let mut shown = Shown::new(What::Report, project.stored_path(path));
    shown.size = path.metadata().ok().map(|found| found.len());
    shown.place = Some(found.tool.word());
    shown.foreign = true;
    shown.birthmark = found.birthmark.unwrap_or_default();
    shown.declared = shown.birthmark.keys().cloned().collect();
    shown.declared.retain(|name| name != "unknown");
    let own = shown.birthmark.clone();
    gather(&mut shown, &own);
    for problem in found.problems.iter().chain(&found.notes) {
        note(&mut shown, "log", problem);
    }
    Some(shown)
}

/// A file that carries nothing: perhaps a journal tells of it all the same.
fn unstamped(project: &Project, path: &Path, now: Timestamp) -> Shown {
    let mut shown = Shown::new(What::Unstamped, project.stored_path(path));
    shown.size = path
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len());
    if observed(project, &mut shown, now) {
        return shown;
    }
    note(
        &mut shown,
        "birthmark",
        "the file carries none and no sidecar stands beside it",
    );
    shown
}

/// Fills in what the newest session that saw this file being made tells of it, if one did.
fn observed(project: &Project, shown: &mut Shown, now: Timestamp) -> bool {
    let Some(id) = facts::who_saw(project, &shown.name) else {
        return false;
    };
    shown.what = What::Observed;
    shown.place = Some("journal");
    finish(project, shown, Some(id.as_str()), now);
    shown.size = shown.size.or(shown.recorded.as_ref().map(|one| one.size));
    true
}

fn show_records(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let (mut text, size) = open_text(path)?;
    let found = records::read_all(&mut *text).map_err(|source| unread(path, &source))?;
    let stamped = found.records > found.unstamped;
    let what = if stamped {
        What::Records
    } else {
        What::Unstamped
    };
    let mut shown = Shown::new(what, project.stored_path(path));
    shown.size = Some(size);
    shown.records = Some(found.records);
    shown.unstamped = found.unstamped;
    shown.bad_lines = (found.bad_lines, found.first_bad);
    shown.place = found.kind.map(MarkKind::word);
    shown.foreign = found.foreign > 0;
    shown.birthmark = found.same;
    shown.varies = found.varies;
    if !stamped && observed(project, &mut shown, now) {
        return Ok(shown);
    }
    if !stamped {
        note(&mut shown, "birthmark", "no record carries one");
    }
    if found.truncated {
        note(
            &mut shown,
            "fields",
            "the records have more fields than are looked at",
        );
    }
    let id = newest_session(&shown);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(shown)
}

/// The session of all records, or the newest of several.
fn newest_session(shown: &Shown) -> Option<String> {
    if let Some(id) = shown.birthmark.get("session_id") {
        return id.as_str().map(str::to_owned);
    }
    let varying = shown
        .varies
        .iter()
        .find(|varying| varying.name == "session_id")?;
    let max = varying.max.as_ref().and_then(Value::as_str);
    max.map(str::to_owned)
}

fn show_record(project: &Project, path: &Path, line: u64, now: Timestamp) -> Result<Shown> {
    let (mut text, size) = open_text(path)?;
    let one = records::read_one(&mut *text, line).map_err(|source| unread(path, &source))?;
    let Some(record) = one.record.filter(|_| !one.too_long && line > 0) else {
        let message = format!("`{}` has no line {line} that can be shown", path.display());
        return Err(Error::usage("no-line", message)
            .with_hint(format!("it has {}", crate::text::count(one.last, "line"))));
    };
    let place = json::find_birthmark(&record).map_err(|error| {
        let message = format!("line {line} of `{}` is no record: {error}", path.display());
        Error::new(Kind::Damaged, "record", message)
    })?;
    let mut shown = carried(project, path, What::Record, &record, place);
    shown.line = Some(line);
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(shown)
}

fn session_id(birthmark: &Fields) -> Option<String> {
    birthmark
        .get("session_id")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// What a record or report carries.
fn carried(project: &Project, path: &Path, what: What, record: &[u8], place: Where) -> Shown {
    let mut shown = Shown::new(what, project.stored_path(path));
    let Some(value) = place.value(record) else {
        shown.what = What::Unstamped;
        note(&mut shown, "birthmark", "it carries none");
        return shown;
    };
    shown.foreign = !place.is_ours();
    let (kind, users) = match place {
        Where::Beside(_) => (MarkKind::Beside, 0),
        Where::Foreign(_) => (MarkKind::Foreign, 0),
        Where::Unclear(_) => (MarkKind::Unclear, 0),
        Where::Merged { .. } => {
            let users = json::get(value, &["merged"])
                .and_then(json::as_u64)
                .unwrap_or(0);
            (MarkKind::Merged, usize::try_from(users).unwrap_or(0))
        }
        _ => (MarkKind::Metadata, 0),
    };
    shown.place = Some(kind.word());
    for (key, value) in json::members(value).skip(users) {
        let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
        if kind != MarkKind::Merged || name != "merged" {
            shown.birthmark.insert(name, columns::parse(value));
        }
    }
    shown
}

/// A file with a key for its birthmark; none where the key is not there.
fn show_within(
    project: &Project,
    path: &Path,
    kind: FileKind,
    now: Timestamp,
) -> Result<Option<Shown>> {
    let (mut file, size) = open(path)?;
    let mut shown = None;
    let input = Input {
        name: path,
        bytes: &mut file,
    };
    kind.format().read(input, &mut |mark| {
        if let Ok(mark) = mark
            && mark.value().is_some()
        {
            shown = Some(carried(project, path, What::File, mark.record, mark.place));
        }
        false
    })?;
    let Some(mut shown) = shown else {
        return Ok(None);
    };
    shown.place = Some(kind.word());
    shown.birthmark.remove("joins");
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(Some(shown))
}

fn show_report(project: &Project, path: &Path, now: Timestamp) -> Result<Option<Shown>> {
    let head = birthmark_store::records::peek(path, 4_096)?;
    if json::without_bom(&head).trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    let (_, size) = open(path)?;
    let Ok(bytes) = atomic::read_limited(path, REPORT_LIMIT as u64) else {
        return Ok(None);
    };
    let record = json::without_bom(&bytes);
    let Ok(place) = json::find_birthmark(record) else {
        return Ok(None);
    };
    if place == Where::Absent {
        return Ok(None);
    }
    let mut shown = carried(project, path, What::Report, record, place);
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(Some(shown))
}

fn show_folder(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let sidecar = Layout::sidecar(path);
    if sidecar.is_file() {
        return show_sidecar(project, path, &sidecar, now);
    }
    if path.join(birthmark_store::layout::STORE_NAME).is_dir() {
        return Err(Error::usage(
            "folder",
            format!("`{}` is an artifacts folder", path.display()),
        )
        .with_hint("`birthmark session list` names its sessions; show one, or a file"));
    }
    Ok(unstamped(project, path, now))
}

fn show_sidecar(
    project: &Project,
    subject: &Path,
    sidecar: &Path,
    now: Timestamp,
) -> Result<Shown> {
    let said = Sidecar::read(sidecar).map_err(|error| {
        let hint = error.hint();
        let shown = Error::new(Kind::Damaged, "sidecar", "cannot show it").with_source(error);
        match hint {
            Some(hint) => shown.with_hint(hint),
            None => shown,
        }
    })?;
    use birthmark_store::format::sidecar::SidecarKind;
    let what = if said.kind == SidecarKind::Folder {
        What::Folder
    } else {
        What::File
    };
    let mut shown = Shown::new(what, project.stored_path(subject));
    shown.place = Some("sidecar");
    shown.size = Some(said.size);
    shown.records = said.records;
    if let Value::Object(fields) = columns::parse(&said.birthmark) {
        shown.birthmark = fields;
    }
    shown.foreign = !json::is_birthmark(&said.birthmark);
    if subject.symlink_metadata().is_err() {
        note(&mut shown, "file", "the sidecar stands here without it");
    }
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    if shown.recorded.is_none() {
        shown
            .birthmark
            .insert("digest".to_owned(), Value::from(said.digest.to_string()));
    }
    Ok(shown)
}

/// Joins the session's facts and gathers what is unknown and declared.
fn finish(project: &Project, shown: &mut Shown, id: Option<&str>, now: Timestamp) {
    let (session, recorded) = facts::join(project, id, &shown.name, now);
    shown.recorded = recorded;
    match session {
        Ok(session) => shown.session = Some(session),
        Err(reason) if shown.what != What::Unstamped => note(shown, "session", &reason),
        Err(_) => {}
    }
    if shown.session.is_some() && shown.recorded.is_none() {
        note(shown, "digest", "the session does not list this file");
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
