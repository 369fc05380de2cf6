//! What is shown of things whose birthmark stands once, and of sessions.

use std::path::Path;

use birthmark_core::json::{self, Where};
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::atomic;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use super::facts::{Recorded, SessionFacts};
use super::{Shown, What, columns, finish, gather, note, open, session_id};
use crate::error::{Error, Kind, Result};
use crate::lines::MarkKind;
use crate::project::Project;
use crate::sessions;

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
    let no_file = || {
        Error::usage(
            "no-file",
            format!("no file or session `{}`", crate::text::neutral(&name)),
        )
        .with_hint("`birthmark session list` names the sessions")
    };
    if line.is_some() || name.contains('/') {
        return Err(no_file());
    }
    match sessions::resolve(project, &name) {
        Ok(id) => show_session(project, &id, now),
        Err(error) if error.code() == "session-unknown" && looks_like_a_file(path) => {
            Err(no_file())
        }
        Err(error) => Err(error),
    }
}

fn looks_like_a_file(path: &Path) -> bool {
    path.extension().is_some()
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

/// A file that carries nothing: perhaps a journal tells of it all the same.
pub(super) fn unstamped(project: &Project, path: &Path, _now: Timestamp) -> Shown {
    let mut shown = Shown::new(What::Unstamped, project.stored_path(path));
    shown.size = path
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len());
    note(
        &mut shown,
        "birthmark",
        "the file carries none and no sidecar stands beside it",
    );
    shown
}

/// What a record or report carries.
pub(super) fn carried(
    project: &Project,
    path: &Path,
    what: What,
    record: &[u8],
    place: Where,
) -> Shown {
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

pub(super) fn show_report(project: &Project, path: &Path, now: Timestamp) -> Result<Option<Shown>> {
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

pub(super) fn show_folder(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
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

pub(super) fn show_sidecar(
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
