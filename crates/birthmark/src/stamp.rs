//! Stamping a file that is there already, and unstamping it.
//!
//! A file stamped after its birth was not watched being made. So what stands in its
//! birthmark was asserted by whoever stamps it, and `declared` says which fields: its
//! `timestamp` is the file's own time, and `stamped_at` is when it was stamped. Only
//! where a journal of this project holds the file's digest is the birth known; then its
//! birthmark is taken from there.
//!
//! # Invariants
//!
//! * A bad line stops everything, is named by line and byte, and nothing was changed.
//! * A file that changes while it is stamped is left as it is.
//! * [`unstamp`] gives the original bytes, or refuses and says why.
//!
//! # Limits
//!
//! * A file replaced in place keeps its mode, access list and attributes, and where root stamps
//!   it its owner. It is a new file: one with several names is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use birthmark_capture::redact::Redactor;
use birthmark_core::birthmark;
use birthmark_core::digest::Digest;
use birthmark_core::event::{ArtifactSealed, OpenedBy, Outcome};
use birthmark_core::session::Status;
use birthmark_core::{Fields, SessionId};
use birthmark_store::atomic;
use birthmark_store::format::sidecar::{Sidecar, SidecarKind};
use birthmark_store::format::{FileKind, OnExisting, Places};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::policy::{self, Unmet};
use crate::project::Project;
use crate::session::{self, Begin, RunEnd, Session};
use crate::{add, dataset, sessions};

mod births;
mod compose;
mod failed;
pub mod given;
pub mod many;
mod marks;
mod proof;
mod quarantine;
mod refuse;
pub mod stream;
#[cfg(test)]
mod tests;
mod unstamp;
mod write;
mod yaml;

pub(crate) use marks::Marks;
pub use unstamp::{UnstampOptions, Unstamped, unstamp};
pub(crate) use write::rewrite;

/// Where the birthmark goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Beside the file, into `<file>.birthmark.json`.
    Sidecar,
    /// Into the file.
    InPlace,
    /// Into a copy of the file.
    Out(PathBuf),
}

/// How to stamp.
#[derive(Debug, Clone)]
pub struct StampOptions {
    /// The artifact's type.
    pub artifact_type: String,
    /// Fields asserted by whoever stamps.
    pub given: Fields,
    /// Where the birthmark goes.
    pub target: Target,
    /// What to do with a record or sidecar that has one.
    pub on_existing: OnExisting,
    /// Overwrite an `--out` file that is there; stamp in place what a session recorded, or what
    /// has several names.
    pub force: bool,
    /// Where lines go that are no records; without it they stop everything.
    pub quarantine: Option<PathBuf>,
    /// Raised by the bytes that were read, while they are read.
    pub progress: Option<Arc<AtomicU64>>,
    /// SHA-256 into the sidecar too, for tools that know no BLAKE3.
    pub sha256: bool,
    /// The longest line that is taken, in bytes; 64 MiB where nothing is said.
    pub longest_line: Option<usize>,
    /// Command line of the stamping, for the session that is joined.
    pub argv: Vec<String>,
}

impl StampOptions {
    /// A sidecar for an artifact of this type, and an error where there is one.
    pub fn new(artifact_type: &str) -> Self {
        Self {
            artifact_type: artifact_type.to_owned(),
            given: Fields::new(),
            target: Target::Sidecar,
            on_existing: OnExisting::Error,
            force: false,
            quarantine: None,
            progress: None,
            sha256: false,
            longest_line: None,
            argv: Vec::new(),
        }
    }
}

/// What was stamped.
#[derive(Debug, Clone)]
pub struct Stamped {
    /// The file or folder.
    pub file: PathBuf,
    /// What was written: the file, the copy, or the sidecar.
    pub wrote: PathBuf,
    /// Records, by where their birthmarks went; all zero for a sidecar.
    pub places: Places,
    /// The whole birthmark.
    pub birthmark: Fields,
    /// The session that made the file, as a journal shows by its digest.
    pub made_in: Option<SessionId>,
    /// The open session that was joined.
    pub joined: Option<SessionId>,
    /// Nothing was written, since a birthmark is there and was to be kept.
    pub kept: bool,
    /// What was written into a file: its bytes and digests.
    pub written: Option<Written>,
    /// The sidecar of what lay there before, which was taken away.
    pub removed: Option<PathBuf>,
    /// Lines that are no records, and where they went.
    pub aside: Option<SetAside>,
    /// Rules of the project that the birthmark does not meet.
    pub unmet: Unmet,
}

/// A file that was written with its birthmark, digested as it was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// Of its bytes without birthmarks; none where what stood there before is gone.
    pub content_digest: Option<Digest>,
}

/// Lines that are no records: they stand in a file of their own.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// The file.
    pub file: PathBuf,
    /// How many there are.
    pub lines: u64,
    /// Of the first ones the number, the byte, and what is wrong.
    pub first: Vec<(u64, u64, String)>,
}

impl SetAside {
    fn to_json(&self) -> Value {
        let line = |(line, byte, why): &(u64, u64, String)| json!({"line": line, "byte": byte, "why": why});
        json!({
            "file": self.file.to_string_lossy(),
            "lines": self.lines,
            "first": self.first.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

impl Stamped {
    fn of(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            wrote: PathBuf::new(),
            places: Places::default(),
            birthmark: Fields::new(),
            made_in: None,
            joined: None,
            kept: false,
            written: None,
            removed: None,
            aside: None,
            unmet: Unmet::default(),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file.to_string_lossy(),
            "wrote": self.wrote.to_string_lossy(),
            "kept": self.kept,
            "records": self.places.records(),
            "places": {
                "metadata": self.places.metadata,
                "merged": self.places.merged,
                "beside": self.places.beside,
                "replaced": self.places.replaced,
                "kept": self.places.kept,
            },
            "size": self.written.map(|written| written.size),
            "digest": self.written.map(|written| written.digest.to_string()),
            "content_digest": self
                .written
                .and_then(|written| written.content_digest)
                .map(|digest| digest.to_string()),
            "removed": self.removed.as_ref().map(|path| path.to_string_lossy()),
            "set_aside": self.aside.as_ref().map(SetAside::to_json),
            "breaks": self.unmet.breaks,
            "cannot_tell": self.unmet.cannot_tell,
            "made_in": self.made_in.as_ref().map(SessionId::as_str),
            "joined": self.joined.as_ref().map(SessionId::as_str),
            "metadata": self.birthmark,
        })
    }
}

/// Stamps a file or folder.
pub fn stamp(project: &Project, file: &Path, options: &StampOptions) -> Result<Stamped> {
    let files = [file.to_owned()];
    let mut done = None;
    many::stamp_all(project, &files, options, &mut |_, result| {
        done = Some(result);
    })?;
    done.unwrap_or_else(|| {
        Err(Error::new(
            crate::error::Kind::Io,
            "io",
            "nothing was stamped",
        ))
    })
}

/// What was given, checked, without secrets, and filled in from the files it names.
fn prepared(project: &Project, options: &StampOptions) -> Result<StampOptions> {
    let mut options = options.clone();
    birthmark::check_all(&options.given)?;
    redact(&mut options.given);
    let folder = std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("."));
    dataset::fill(project, &mut options.given, &folder)?;
    Ok(options)
}

/// What the joined session vouches for: the file with its birthmark.
fn recorded_path<'a>(options: &StampOptions, stamped: &'a Stamped) -> &'a Path {
    match &options.target {
        Target::Sidecar => &stamped.file,
        Target::InPlace | Target::Out(_) => &stamped.wrote,
    }
}

/// The birthmark of a file, and the rules of the project that it does not meet.
fn judged(
    file: &Path,
    options: &StampOptions,
    birth: Option<&births::Birth>,
    joined: Option<&Session>,
    code: &compose::Code<'_>,
) -> Result<(Fields, Unmet)> {
    let time = compose::modified(file)?;
    let mut told = crate::weights::facts(code.project(), file);
    told.extend(options.given.clone());
    let options = &StampOptions {
        given: told,
        ..options.clone()
    };
    let birthmark = compose::compose(code, time, options, birth, joined);
    let name = code.project().stored_path(file);
    let rules = &code.project().config.policy;
    let unmet = policy::unmet(rules, &name, &birthmark, false)?;
    Ok((birthmark, unmet))
}

fn stamp_known(
    file: &Path,
    options: &StampOptions,
    birth: Option<births::Birth>,
    joined: Option<&Session>,
    code: &compose::Code<'_>,
) -> Result<Stamped> {
    let (birthmark, unmet) = judged(file, options, birth.as_ref(), joined, code)?;
    let mut stamped = Stamped {
        birthmark,
        unmet,
        made_in: birth.map(|birth| birth.session),
        joined: joined.map(|session| session.id().clone()),
        ..Stamped::of(file)
    };
    match &options.target {
        Target::Sidecar => write::sidecar(file, options, &mut stamped)?,
        Target::InPlace => write::within(file, file, options, &mut stamped)?,
        Target::Out(out) => write::within(file, out, options, &mut stamped)?,
    }
    if let Some(session) = joined.filter(|_| !stamped.kept) {
        record(session, options, &stamped)?;
    }
    Ok(stamped)
}

/// Secrets in what was given never reach the disk.
fn redact(given: &mut Fields) {
    let mut value = Value::Object(std::mem::take(given));
    Redactor::default().json(&mut value);
    if let Value::Object(fields) = value {
        *given = fields;
    }
}

/// Joins the session that is open here, and opens none.
fn join_open(project: &Project, options: &StampOptions) -> Result<Option<Session>> {
    let named = birthmark_capture::process::variable("BIRTHMARK_SESSION");
    if named.is_none_or(|name| name.is_empty()) && open_here(project).is_none() {
        return Ok(None);
    }
    let mut begin = Begin::at(project.root(), OpenedBy::Script);
    begin.argv.clone_from(&options.argv);
    let session = session::begin(begin)?;
    if session.is_joined() {
        return Ok(Some(session));
    }
    // It ended between the look and the joining: an empty session of one run remains.
    session.end(RunEnd::plain(Outcome::Completed))?;
    Ok(None)
}

/// The session that `birthmark session start` opened here, while it is open.
pub fn open_here(project: &Project) -> Option<SessionId> {
    let text = atomic::read_limited(&project.layout.open_session(), 1 << 10).ok()?;
    let name = String::from_utf8(text).ok()?.trim().to_owned();
    let id = SessionId::is_well_formed(&name).then(|| SessionId::from_text(name))?;
    let loaded = sessions::load(project, &id).ok()?;
    matches!(
        loaded.status(session::now()),
        Status::Open | Status::Running
    )
    .then_some(id)
}

/// How the artifact carries its birthmark, in the words of the journal.
fn stored_format(path: &Path, options: &StampOptions) -> &'static str {
    match (&options.target, FileKind::of(path)) {
        (Target::Sidecar, _) if path.is_dir() => "folder",
        (Target::Sidecar, _) | (_, None) => "file",
        (_, Some(kind)) => kind.word(),
    }
}

/// The kind of a file that carries birthmarks within, or the refusal.
pub(crate) fn kind_of(file: &Path) -> Result<FileKind> {
    FileKind::of(file).ok_or_else(|| {
        let name = file.display();
        Error::usage(
            "no-format",
            format!("`{name}` cannot carry a birthmark within"),
        )
        .with_hint("leave out --in-place and --out: the birthmark then goes into a sidecar")
    })
}

/// What is known of a file of records that was just written, without reading it again.
fn known(path: &Path, stamped: &Stamped) -> Option<Sidecar> {
    FileKind::of(path).filter(|kind| kind.has_records())?;
    let written = stamped.written?;
    Some(Sidecar {
        file: PathBuf::new(),
        kind: SidecarKind::File,
        digest: written.digest,
        content_digest: Some(written.content_digest?),
        size: written.size,
        records: Some(stamped.places.records()),
        sha256: None,
        members: Vec::new(),
        birthmark: Vec::new(),
        others: Vec::new(),
    })
}

/// Tells the joined session of what was stamped.
fn record(session: &Session, options: &StampOptions, stamped: &Stamped) -> Result<()> {
    let path = recorded_path(options, stamped);
    let described = match known(path, stamped) {
        Some(described) => described,
        None => add::describe(path, Vec::new(), &crate::digests::digester())?,
    };
    let mut notes = Fields::new();
    notes.insert("stamped".to_owned(), Value::from(true));
    let (file, file_bytes) = session.project().stored_name(path);
    session.record(ArtifactSealed {
        file,
        file_bytes,
        artifact_type: options.artifact_type.clone(),
        format: stored_format(path, options).to_owned(),
        timestamp: session::now(),
        size: described.size,
        records: described.records,
        digest: Some(described.digest.to_string()),
        content_digest: Some(
            described
                .content_digest
                .unwrap_or(described.digest)
                .to_string(),
        ),
        birthmark: stamped.birthmark.clone(),
        notes,
    })
}
