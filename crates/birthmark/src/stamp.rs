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
//! * A file replaced in place belongs to whoever stamps it; its mode is kept.

use std::path::{Path, PathBuf};

use birthmark_capture::redact::Redactor;
use birthmark_core::birthmark;
use birthmark_core::event::{ArtifactSealed, OpenedBy, Outcome};
use birthmark_core::session::Status;
use birthmark_core::{Fields, SessionId};
use birthmark_store::atomic;
use birthmark_store::format::{FileKind, OnExisting, Places};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::session::{self, Begin, RunEnd, Session};
use crate::{add, dataset, sessions};

mod compose;
mod failed;
pub mod given;
mod marks;
mod refuse;
#[cfg(test)]
mod tests;
mod unstamp;
mod write;

pub use unstamp::{Unstamped, unstamp};

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
    /// Overwrite an `--out` file that is there; stamp in place what a session recorded.
    pub force: bool,
    /// Command line of the stamping, for the session that is joined.
    pub argv: Vec<String>,
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
}

impl Stamped {
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
            "made_in": self.made_in.as_ref().map(SessionId::as_str),
            "joined": self.joined.as_ref().map(SessionId::as_str),
            "metadata": self.birthmark,
        })
    }
}

/// Stamps a file or folder.
pub fn stamp(project: &Project, file: &Path, options: &StampOptions) -> Result<Stamped> {
    let mut options = options.clone();
    birthmark::check_all(&options.given)?;
    redact(&mut options.given);
    let folder = std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("."));
    dataset::fill(project, &mut options.given, &folder)?;
    refuse::unfit(file, &options)?;
    let birth = marks::birth_of(project, file)?;
    refuse::recorded(project, file, &options, birth.as_ref())?;
    let joined = join_open(project, &options)?;
    let result = stamp_known(project, file, &options, birth, joined.as_ref());
    if let Some(session) = &joined {
        let outcome = if result.is_ok() {
            Outcome::Completed
        } else {
            Outcome::Failed
        };
        session.end(RunEnd::plain(outcome))?;
        if let Ok(stamped) = &result {
            // After the end, or the end would see a change in what counts as untracked.
            let path = recorded_path(&options, stamped);
            crate::generated::note(&project.layout, path);
        }
    }
    result
}

/// What the joined session vouches for: the file with its birthmark.
fn recorded_path<'a>(options: &StampOptions, stamped: &'a Stamped) -> &'a Path {
    match &options.target {
        Target::Sidecar => &stamped.file,
        Target::InPlace | Target::Out(_) => &stamped.wrote,
    }
}

fn stamp_known(
    project: &Project,
    file: &Path,
    options: &StampOptions,
    birth: Option<marks::Birth>,
    joined: Option<&Session>,
) -> Result<Stamped> {
    let birthmark = compose::compose(project, file, options, birth.as_ref(), joined)?;
    let mut stamped = Stamped {
        file: file.to_owned(),
        wrote: PathBuf::new(),
        places: Places::default(),
        birthmark,
        made_in: birth.map(|birth| birth.session),
        joined: joined.map(|session| session.id().clone()),
        kept: false,
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
fn kind_of(file: &Path) -> Result<FileKind> {
    FileKind::of(file).ok_or_else(|| {
        let name = file.display();
        Error::usage(
            "no-format",
            format!("`{name}` cannot carry a birthmark within"),
        )
        .with_hint("leave out --in-place and --out: the birthmark then goes into a sidecar")
    })
}

/// Tells the joined session of what was stamped.
fn record(session: &Session, options: &StampOptions, stamped: &Stamped) -> Result<()> {
    let path = recorded_path(options, stamped);
    let described = add::describe(path, Vec::new())?;
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
