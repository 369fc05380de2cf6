//! Birthmarks for what other tools wrote: a sidecar beside each log, the log untouched.
//!
//! Everything in such a birthmark was said by the tool and observed by nobody here, so all of
//! it is `declared`; `sources` says where in the log each field stood.
//!
//! # Invariants
//!
//! * The log is only read. A sidecar that is there already is kept unless told otherwise.
//! * A commit that is written short is resolved in the clone round the log; where that cannot
//!   be, `git_commit` is null with the reason, and `git_commit_short` has what was written.
//! * Secrets of known shape are redacted before anything is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git::Objects;
use birthmark_capture::redact::Redactor;
use birthmark_core::birthmark::{self, Scope, note_unknown};
use birthmark_core::evaluation::{Evaluation, Tool};
use birthmark_core::{Fields, Finding, Timestamp};
use birthmark_store::beside::Beside;
use birthmark_store::{Durability, Layout, atomic};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::meant;
use crate::policy::{self, Unmet};
use crate::project::Project;
use crate::{add, evaluation, session};

/// What came of one file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The log.
    pub file: PathBuf,
    /// The sidecar.
    pub sidecar: PathBuf,
    /// Who wrote the log.
    pub tool: Tool,
    /// The birthmark.
    pub birthmark: Fields,
    /// What was survived in reading the log.
    pub problems: Vec<String>,
    /// Nothing was written, since a sidecar is there.
    pub kept: bool,
    /// Rules of the project that the birthmark does not meet.
    pub unmet: Unmet,
}

impl Imported {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file.to_string_lossy(),
            "wrote": self.sidecar.to_string_lossy(),
            "written_by": self.tool.word(),
            "kept": self.kept,
            "problems": self.problems,
            "breaks": self.unmet.breaks,
            "cannot_tell": self.unmet.cannot_tell,
            "metadata": self.birthmark,
        })
    }
}

/// Writes the sidecar of one log. With `replace` one that is there is written anew.
pub fn import(file: &Path, replace: bool) -> Result<Imported> {
    let found = evaluation::read(file).or_else(|error| {
        let project = Project::find(atomic::folder_of(file))?;
        meant::or_hint(&project, file, Err(error))
    })?;
    let Some(found) = found else {
        return Err(no_report(file, "no log of a tool that is known here"));
    };
    if found.tool == Tool::Plain && !found.has_the_form() {
        return Err(no_report(
            file,
            "JSON, and no report: it has neither `summary` nor `results`",
        ));
    }
    if found.tool == Tool::Birthmark {
        let message = format!("`{}` carries its own birthmark", file.display());
        return Err(Error::usage("already-stamped", message).with_hint("birthmark show FILE"));
    }
    let sidecar = Layout::sidecar(file);
    let mut imported = Imported {
        file: file.to_owned(),
        birthmark: compose(file, &found),
        tool: found.tool,
        problems: found.problems.clone(),
        kept: sidecar.exists() && !replace,
        sidecar,
        unmet: Unmet::default(),
    };
    redact(&mut imported.birthmark);
    let project = Project::find(atomic::folder_of(file))?;
    if !imported.kept {
        imported.unmet = unmet(&project, file, &imported.birthmark)?;
        let text = serde_json::to_vec(&imported.birthmark).map_err(|source| {
            Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
        })?;
        let beside = Beside::of(file)?;
        let described = add::describe(file, text, &crate::digests::digester())?;
        beside.replace(&imported.sidecar, &described.render(), Durability::Power)?;
    }
    crate::generated::note_stamped(&project, &[(file.to_owned(), None)]);
    Ok(imported)
}

fn no_report(file: &Path, what: &str) -> Error {
    let name = crate::text::neutral(&file.to_string_lossy()).into_owned();
    Error::usage("no-report", format!("`{name}` is {what}")).with_hint(
        "known are lm-evaluation-harness, Inspect, trainer_state.json, and JSON with `summary`; \
         for any other file: birthmark stamp --type TYPE FILE",
    )
}

/// The rules that hold where the log lies.
fn unmet(project: &Project, file: &Path, birthmark: &Fields) -> Result<Unmet> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let name = project.stored_path(&file);
    policy::unmet(&project.config.policy, &name, birthmark, false)
}

fn redact(fields: &mut Fields) {
    let mut value = Value::Object(std::mem::take(fields));
    Redactor::default().json(&mut value);
    if let Value::Object(clean) = value {
        *fields = clean;
    }
}

fn compose(file: &Path, found: &Evaluation) -> Fields {
    let mut fields = found.birthmark.clone().unwrap_or_default();
    fields
        .entry("artifact_type")
        .or_insert_with(|| Value::from("evaluation"));
    commit(file, &mut fields);
    time(file, &mut fields);
    if !found.environment.is_empty() {
        fields.insert(
            "environment".to_owned(),
            Value::Object(found.environment.clone()),
        );
    }
    if !found.problems.is_empty() {
        fields.insert("problems".to_owned(), json!(found.problems));
    }
    fields.insert("imported_from".to_owned(), Value::from(found.tool.word()));
    fields.insert("sources".to_owned(), json!(found.sources));
    let about = [
        "unknown",
        "declared",
        "sources",
        "imported_from",
        "problems",
        "birthmark",
    ];
    let declared: BTreeSet<&String> = fields
        .iter()
        .filter(|(name, value)| !value.is_null() && !about.contains(&name.as_str()))
        .map(|(name, _)| name)
        .collect();
    let declared = json!(declared);
    fields.insert("declared".to_owned(), declared);
    fields.insert(
        "stamped_at".to_owned(),
        Value::from(session::now().to_string()),
    );
    birthmark::compose([&fields], Scope::Whole)
}

/// Resolves a commit that is written short.
fn commit(file: &Path, fields: &mut Fields) {
    let known = fields
        .get("git_commit")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let Some(short) = known else {
        fields.insert("git_commit".to_owned(), Value::Null);
        note_unknown(fields, "git_commit", "the log names none");
        return;
    };
    if matches!(short.len(), 40 | 64) {
        return;
    }
    let folder = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let found = match Objects::open(atomic::folder_of(&folder)) {
        Finding::Found(objects) => objects.resolve_short(&short),
        Finding::Absent => Finding::unknown("there is no git repository here"),
        Finding::Unknown(reason) => Finding::Unknown(reason),
    };
    fields.insert("git_commit_short".to_owned(), Value::from(short.as_str()));
    let why = match found {
        Finding::Found(full) => {
            fields.insert("git_commit".to_owned(), Value::from(full));
            return;
        }
        Finding::Absent => "no commit here begins so".to_owned(),
        Finding::Unknown(reason) => reason,
    };
    fields.insert("git_commit".to_owned(), Value::Null);
    note_unknown(
        fields,
        "git_commit",
        &format!("written short, as {short}: {why}"),
    );
}

/// The time as ours are written; a time without a zone is kept beside, and the file's own stands.
fn time(file: &Path, fields: &mut Fields) {
    let written = fields
        .get("timestamp")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let parsed = written
        .as_deref()
        .and_then(|text| text.parse::<Timestamp>().ok());
    if let Some(time) = parsed {
        fields.insert("timestamp".to_owned(), Value::from(time.to_string()));
        return;
    }
    if let Some(written) = written {
        fields.insert("timestamp_as_written".to_owned(), Value::from(written));
    }
    let modified = file.metadata().and_then(|found| found.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    if let Some(since) = since {
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let time = Timestamp::from_micros(micros).to_string();
        fields.insert("timestamp".to_owned(), Value::from(time));
    }
}
