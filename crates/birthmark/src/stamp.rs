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

use std::collections::BTreeSet;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use birthmark_capture::git;
use birthmark_capture::redact::Redactor;
use birthmark_core::birthmark::{self, Scope};
use birthmark_core::event::{ArtifactSealed, OpenedBy, Outcome};
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::session::Status;
use birthmark_core::{Fields, SessionId, Timestamp};
use birthmark_store::digest::{self, FileState};
use birthmark_store::format::{self, ArtifactFormat, FormatError, Input, OnExisting, Places};
use birthmark_store::{Durability, Layout, atomic};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::looks::CodeSeen;
use crate::project::Project;
use crate::session::{self, Begin, RunEnd, Session};
use crate::{add, dataset, sessions};

pub mod given;
mod marks;
mod unstamp;

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
    check_file(file, &options)?;
    let birth = marks::birth_of(project, file)?;
    refuse_recorded(project, file, &options, birth.as_ref())?;
    let joined = join_open(project, &options)?;
    let result = stamp_known(project, file, &options, birth, joined.as_ref());
    if let Some(session) = &joined {
        let outcome = if result.is_ok() { Outcome::Completed } else { Outcome::Failed };
        session.end(RunEnd::plain(outcome))?;
        if let Ok(stamped) = &result {
            // After the end, or the end would see a change in what counts as untracked.
            let path = recorded_path(&options, stamped);
            crate::generated::note(&project.layout, &project.stored_path(path));
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
    let birthmark = compose(project, file, options, birth.as_ref(), joined)?;
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
        Target::Sidecar => write_sidecar(file, options, &mut stamped)?,
        Target::InPlace => write_within(file, file, options, &mut stamped)?,
        Target::Out(out) => write_within(file, out, options, &mut stamped)?,
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

fn check_file(file: &Path, options: &StampOptions) -> Result<()> {
    let name = file.display();
    if file.as_os_str().as_encoded_bytes().ends_with(SIDECAR_SUFFIX.as_bytes()) {
        return Err(Error::usage("sidecar", format!("`{name}` is a sidecar, not an artifact"))
            .with_hint("name the file that it belongs to"));
    }
    if !file.exists() {
        return Err(Error::usage("no-file", format!("cannot stamp `{name}`: it is not there")));
    }
    if options.target == Target::Sidecar {
        return Ok(());
    }
    if file.is_dir() || format::format_of(file).is_none() {
        return Err(Error::usage("no-format", format!("`{name}` cannot carry a birthmark within"))
            .with_hint("leave out --in-place and --out: the birthmark then goes into a sidecar"));
    }
    match &options.target {
        Target::Out(out) if birthmark_store::records::same_file(out, file) => {
            Err(Error::usage("same-file", format!("`{}` is the file itself", out.display()))
                .with_hint("say --in-place to stamp the file itself"))
        }
        Target::Out(out) if out.exists() && !options.force => Err(exists(out)),
        _ => Ok(()),
    }
}

fn exists(out: &Path) -> Error {
    Error::usage("file-exists", format!("`{}` is there already", out.display()))
        .with_hint("say --force to overwrite it")
}

/// Stamping in place what a session vouches for would make it fail its check.
fn refuse_recorded(
    project: &Project,
    file: &Path,
    options: &StampOptions,
    birth: Option<&marks::Birth>,
) -> Result<()> {
    let Some(birth) = birth.filter(|_| options.target == Target::InPlace && !options.force) else {
        return Ok(());
    };
    if project.stored_path(file) != birth.file {
        return Ok(());
    }
    Err(Error::usage(
        "recorded",
        format!(
            "session {} recorded the bytes of `{}`: stamped in place they are others",
            birth.session.short(),
            file.display()
        ),
    )
    .with_hint("leave out --in-place to write a sidecar, or say --force"))
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
    matches!(loaded.status(session::now()), Status::Open | Status::Running).then_some(id)
}

/// The whole birthmark of a file that is there already.
fn compose(
    project: &Project,
    file: &Path,
    options: &StampOptions,
    birth: Option<&marks::Birth>,
    joined: Option<&Session>,
) -> Result<Fields> {
    let mut asserted = options.given.clone();
    asserted.insert("artifact_type".to_owned(), Value::from(options.artifact_type.clone()));
    let (mut base, declared) = if let Some(birth) = birth {
        let declared = differing(&birth.birthmark, &asserted);
        (birth.birthmark.clone(), declared)
    } else {
        let mut base = match joined {
            Some(session) => session.birthmark(&options.artifact_type, &Fields::new()),
            None => code_fields(project),
        };
        // No script is known to have made it.
        base.retain(|name, _| !name.starts_with("script_"));
        base.insert("timestamp".to_owned(), Value::from(modified(file)?.to_string()));
        let declared = base.iter().chain(&asserted).filter(|(name, value)| is_claim(name, value));
        let declared = declared.map(|(name, _)| name.clone()).collect();
        (base, declared)
    };
    base.remove("declared");
    asserted.insert("stamped_at".to_owned(), Value::from(session::now().to_string()));
    asserted.insert("declared".to_owned(), json!(declared));
    Ok(birthmark::compose([&base, &asserted], Scope::Whole))
}

/// What was declared at the birth, and what is asserted now and was not known then.
fn differing(known: &Fields, asserted: &Fields) -> BTreeSet<String> {
    let before = known.get("declared").and_then(Value::as_array).into_iter().flatten();
    let before = before.filter_map(|name| name.as_str().map(str::to_owned));
    let now = asserted.iter().filter(|(name, value)| known.get(*name) != Some(value));
    before.chain(now.map(|(name, _)| name.clone())).collect()
}

/// Whether a field claims something of the moment at which the file was made.
fn is_claim(name: &str, value: &Value) -> bool {
    let context = ["session_id", "run_id", "birthmark", "unknown", "declared", "stamped_at"];
    !value.is_null() && !context.contains(&name)
}

fn code_fields(project: &Project) -> Fields {
    let state = git::capture_status(project.root(), &session::status_options(project));
    CodeSeen::new(state, None).fields
}

/// The file's own time, in microseconds.
fn modified(file: &Path) -> Result<Timestamp> {
    use atomic::PathContext;
    let time = file.metadata().and_then(|metadata| metadata.modified()).at("read", file)?;
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Ok(Timestamp::from_micros(micros))
}

fn write_sidecar(file: &Path, options: &StampOptions, stamped: &mut Stamped) -> Result<()> {
    let place = Layout::sidecar(file);
    stamped.wrote.clone_from(&place);
    if place.exists() {
        match options.on_existing {
            OnExisting::Keep => {
                stamped.kept = true;
                return Ok(());
            }
            OnExisting::Replace => {}
            OnExisting::Error | OnExisting::Merge => {
                return Err(Error::usage(
                    "already-stamped",
                    format!("`{}` is there already", place.display()),
                )
                .with_hint("say --on-existing replace, or keep"));
            }
        }
    }
    let sidecar = add::describe(file, spelled(&stamped.birthmark)?)?;
    Ok(atomic::replace(&place, &sidecar.render(), Durability::Power)?)
}

fn spelled(birthmark: &Fields) -> Result<Vec<u8>> {
    serde_json::to_vec(birthmark).map_err(|source| {
        Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
    })
}

fn write_within(
    file: &Path,
    out: &Path,
    options: &StampOptions,
    stamped: &mut Stamped,
) -> Result<()> {
    let Some(format) = format::format_of(file) else {
        return Err(Error::usage("no-format", format!("`{}` has no format", file.display())));
    };
    let is_records = file.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("json"));
    let scope = if is_records { Scope::Record } else { Scope::Whole };
    let mark = birthmark::compose([&stamped.birthmark], scope);
    let marks = marks::Marks::new(&mark, options.on_existing)?;
    let written = rewrite(format, file, out, |format, input, output| {
        format.stamp(input, output, &marks, options.on_existing)
    })?;
    stamped.places = written.places;
    stamped.wrote = out.to_owned();
    Ok(())
}

/// Reads `file` through `pass` into `out`: all of it or nothing.
fn rewrite<T>(
    format: &dyn ArtifactFormat,
    file: &Path,
    out: &Path,
    pass: impl FnOnce(&dyn ArtifactFormat, Input<'_>, &mut dyn Write) -> Result<T, FormatError>,
) -> Result<T> {
    let (source, before) = digest::open_still(file)?;
    let mut answer = None;
    let written = atomic::replace_with(out, Durability::Power, |target| {
        let mut output = BufWriter::with_capacity(1 << 20, target);
        let mut bytes = BufReader::with_capacity(1 << 20, source);
        let passed = pass(format, Input { name: file, bytes: &mut bytes }, &mut output);
        let failed = passed.is_err();
        answer = Some(passed);
        if failed {
            return Err(std::io::Error::other("it could not be read through"));
        }
        output.flush()?;
        still_as(file, &before)
    });
    match (answer, written) {
        (Some(Err(error)), _) => Err(error.into()),
        (Some(Ok(done)), Ok(())) => Ok(done),
        (_, Err(error)) => Err(error.into()),
        (None, Ok(())) => Err(Error::new(Kind::Io, "io", format!("cannot read `{}`", file.display()))),
    }
}

fn still_as(file: &Path, before: &FileState) -> std::io::Result<()> {
    match digest::open_still(file) {
        Ok((_, after)) if after == *before => Ok(()),
        _ => Err(std::io::Error::other("it changed while it was read")),
    }
}

/// Tells the joined session of what was stamped.
fn record(session: &Session, options: &StampOptions, stamped: &Stamped) -> Result<()> {
    let path = recorded_path(options, stamped);
    let described = add::describe(path, Vec::new())?;
    let mut notes = Fields::new();
    notes.insert("stamped".to_owned(), Value::from(true));
    session.record(ArtifactSealed {
        file: session.project().stored_path(path),
        file_bytes: add::file_bytes(path),
        artifact_type: options.artifact_type.clone(),
        format: if path.is_dir() { "folder" } else { "file" }.to_owned(),
        timestamp: session::now(),
        size: described.size,
        records: described.records,
        digest: Some(described.digest.to_string()),
        content_digest: Some(described.content_digest.unwrap_or(described.digest).to_string()),
        birthmark: stamped.birthmark.clone(),
        notes,
    })
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        let hint = error.hint();
        let (kind, code) = match &error {
            FormatError::NotJson { .. } => (Kind::Usage, "not-json"),
            FormatError::Record { .. } => (Kind::Usage, "record"),
            FormatError::TooLong { .. } => (Kind::Usage, "too-long"),
            _ => (Kind::Io, "io"),
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let mut message = error.to_string();
        if let Some(cause) = cause.filter(|cause| kind == Kind::Io && !message.contains(cause)) {
            message = format!("{message}: {cause}");
        }
        let error = Self::new(kind, code, message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<digest::FileError> for Error {
    fn from(error: digest::FileError) -> Self {
        let hint = error.hint();
        let mut message = error.to_string();
        if let digest::FileError::Path(path) = &error {
            message = format!("{message}: {}", path.source);
        }
        let error = Self::new(Kind::Io, "io", message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
