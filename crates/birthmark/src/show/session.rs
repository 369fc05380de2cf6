//! A session, by its name or by its manifest.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::session::{Run, Session, Status};
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use super::{Recorded, SessionFacts, Shown, What, gather, note};
use crate::error::{Error, Result};
use crate::meant;
use crate::project::Project;
use crate::report::count_items;
use crate::{sessions, wrote};

/// The project that a manifest at `path` belongs to: where it was copied, that is its folder.
pub(super) fn beside_manifest(project: &Project, path: &Path) -> Project {
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

pub(super) fn show_session_named(
    project: &Project,
    path: &Path,
    line: Option<u64>,
    now: Timestamp,
) -> Result<Shown> {
    let name = path.to_string_lossy();
    let no_file = |hint: Option<&str>| {
        let was_here = "it was recorded, and is no longer here: `birthmark trace` tells of it, `birthmark find --gone` lists such files";
        match wrote::at(project, &project.stored_path(path), None) {
            Some(_) => {
                let name = crate::text::neutral(&name).into_owned();
                Error::usage("no-file", format!("no file or session `{name}`")).with_hint(was_here)
            }
            None => meant::no_file_or_session(project, path, line, hint),
        }
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

/// Artifacts that are not there, and that the session itself did not remove.
fn gone(project: &Project, session: &Session) -> Vec<String> {
    let made = session.made().map(|artifact| &artifact.file);
    let is_gone = |file: &&String| project.resolve(file).symlink_metadata().is_err();
    made.filter(is_gone).cloned().collect()
}

pub(super) fn show_session(project: &Project, id: &SessionId, now: Timestamp) -> Result<Shown> {
    let loaded = sessions::load(project, id)?;
    let mut shown = Shown::new(What::Session, id.to_string());
    let mut summary = sessions::Summary::of(&loaded, now).to_json();
    let (plans, unplanned) = loaded.session.judge_plan();
    let plans: Vec<Value> = plans
        .iter()
        .map(|plan| json!({ "plan": plan.text, "outcome": plan.outcome, "files": plan.files }))
        .collect();
    let removed_by = wrote::removed_by(project, &gone(project, &loaded.session));
    let artifacts = loaded.session.artifacts.iter().map(|artifact| {
        let mut entry = Recorded::of(artifact).to_json();
        entry["type"] = Value::from(artifact.artifact_type());
        // A training that goes on rotates away what the one before it made.
        if let Some(by) = removed_by.get(&artifact.file) {
            entry["removed_by"] = Value::from(by.as_str());
        }
        // What was there when the first run of the session went on with it.
        if let Some(first) = artifact.gone_on.first() {
            entry["records_before"] = Value::from(first.had.records);
        }
        entry
    });
    summary["planned_artifacts"] = Value::from(plans);
    summary["given"] = Value::Object(loaded.session.given.clone());
    summary["unplanned"] = Value::from(unplanned);
    summary["artifacts_generated"] = artifacts.collect();
    let removed = loaded.session.removals.iter();
    let removed: BTreeSet<&str> = removed.map(|one| one.file.as_str()).collect();
    summary["removed"] = json!(removed);
    let is_over = !matches!(loaded.status(now), Status::Running | Status::Open);
    summary["reports_left"] = left(project, &loaded.session, is_over);
    summary["torn_bytes"] = Value::from(loaded.torn_bytes());
    summary["skipped_events"] = json!(loaded.session.skipped);
    shown.summary = Some(summary);
    shown.foreign = matches!(
        loaded.manifest,
        sessions::ManifestState::NotBound { foreign: true }
    );
    shown.birthmark.clone_from(&loaded.session.given);
    let mut facts = SessionFacts::of(&loaded, now);
    // What ran, and not what lay there when the session was opened from the shell.
    if let Some(first) = facts.codes.first() {
        facts.code.clone_from(first);
    }
    gather(&mut shown, &facts.code);
    if !loaded.is_bound() {
        note(
            &mut shown,
            "journals",
            "they are not here; this is what the manifest alone says",
        );
    }
    let died = |run: &Run| run.end.is_none() && run.observed.lineage.is_none();
    if facts.status == Status::Interrupted && facts.ran.iter().any(died) {
        let why = "what watched a run of it died without a word: what that run read, and what it \
                   made without a writer of ours, is not told";
        note(&mut shown, "lineage", why);
    }
    let mut ends = facts.ran.iter().filter_map(|run| run.end.as_ref());
    if let Some(why) = ends.find_map(|(_, end)| end.unrecorded.as_ref()) {
        let why = format!("not all that was done could be recorded: {why}");
        note(&mut shown, "artifacts", &why);
        if facts.ran.iter().any(|run| run.observed.lineage.is_none()) {
            note(&mut shown, "lineage", "what was read could not be recorded");
        }
    }
    shown.session = Some(facts);
    shown.find_code_beside(project);
    Ok(shown)
}

/// The reports whose items still wait where the session left them. What it had begun counts where
/// it is over: of a run that was killed nothing else tells.
fn left(project: &Project, session: &Session, is_over: bool) -> Value {
    let told = session.left.iter().map(|left| (&left.file, &left.part));
    let begun = session.begun.iter().filter(|_| is_over);
    let all = told.chain(begun.map(|begun| (&begun.file, &begun.part)));
    let waiting = all.filter_map(|(file, part)| {
        let items = count_items(&sessions::locate(project, part, None)).ok()?;
        Some(json!({"file": file, "part": part, "items": items}))
    });
    waiting.collect()
}
