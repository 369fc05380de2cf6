//! The manifest: a session written down for people and jq.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Artifact, ArtifactState, Head, Run, Session};
use crate::birthmark::Fields;
use crate::id::WriterId;
use crate::schema::MANIFEST_FORMAT;

/// The manifest of a session: the origin's keys first, then what the house adds.
pub fn manifest(session: &Session) -> Fields {
    let mut manifest = Fields::new();
    let text = |value: Option<String>| value.map_or(Value::Null, Value::from);
    let mut put = |name: &str, value: Value| {
        manifest.insert(name.to_owned(), value);
    };
    put(
        "session_id",
        text(session.id.as_ref().map(ToString::to_string)),
    );
    put(
        "session_start",
        text(session.start.map(|time| time.to_string())),
    );
    for name in ["git_commit", "git_branch", "git_dirty"] {
        put(name, session.code.get(name).cloned().unwrap_or(Value::Null));
    }
    put("environment", Value::Object(session.environment.clone()));
    put("planned_artifacts", Value::from(session.planned.clone()));
    put(
        "artifacts_generated",
        session.artifacts.iter().map(artifact_entry).collect(),
    );
    for (name, value) in &session.code {
        if !["git_commit", "git_branch", "git_dirty"].contains(&name.as_str()) {
            put(name, value.clone());
        }
    }
    put("code", Value::Object(session.code_details.clone()));
    put("given", Value::Object(session.given.clone()));
    put("runs", session.runs.iter().map(run_entry).collect());
    put(
        "used",
        session.used.iter().cloned().map(Value::Object).collect(),
    );
    put(
        "session_end",
        text(session.end.map(|(time, _)| time.to_string())),
    );
    put(
        "outcome",
        serde_json::to_value(session.end.map(|(_, how)| how)).unwrap_or(Value::Null),
    );
    put("session_uuid", text(session.uuid.clone()));
    put("birthmark", Value::from(MANIFEST_FORMAT));
    put(
        "heads",
        serde_json::to_value(&session.heads).unwrap_or(Value::Null),
    );
    manifest
}

fn artifact_entry(artifact: &Artifact) -> Value {
    let mut entry = Fields::new();
    entry.insert("file".to_owned(), Value::from(artifact.file.clone()));
    entry.insert("type".to_owned(), Value::from(artifact.artifact_type()));
    entry.insert(
        "timestamp".to_owned(),
        Value::from(artifact.time.to_string()),
    );
    let state = match (&artifact.removed, &artifact.state) {
        (Some(_), _) => "removed",
        (None, ArtifactState::Sealed(_)) => "sealed",
        (None, ArtifactState::Open(_)) => "open",
    };
    entry.insert("state".to_owned(), Value::from(state));
    entry.insert("size".to_owned(), Value::from(artifact.size));
    if let Some(records) = artifact.records {
        entry.insert("records".to_owned(), Value::from(records));
    }
    entry.insert("digest".to_owned(), Value::from(artifact.digest.clone()));
    if let Some(sealed) = artifact.sealed() {
        entry.insert(
            "content_digest".to_owned(),
            Value::from(sealed.content_digest.clone()),
        );
        if let Some(by) = sealed.notes.get("observed_by") {
            entry.insert("observed_by".to_owned(), by.clone());
        }
        if let Some(inputs) = sealed.birthmark.get("inputs") {
            entry.insert("inputs".to_owned(), inputs.clone());
        }
    }
    if let Some(bytes) = artifact.file_bytes() {
        entry.insert("file_bytes".to_owned(), Value::from(bytes));
    }
    entry.insert(
        "run_id".to_owned(),
        Value::from(artifact.run.as_ref().map(ToString::to_string)),
    );
    Value::Object(entry)
}

fn run_entry(run: &Run) -> Value {
    let mut entry = Fields::new();
    let mut put = |name: &str, value: Value| {
        entry.insert(name.to_owned(), value);
    };
    put("run_id", Value::from(run.id.as_str()));
    put("script_name", Value::from(run.script_name.clone()));
    put("argv", Value::from(run.argv.clone()));
    put("host", Value::from(run.process.host.clone()));
    put("rank", Value::from(run.rank));
    put("start", Value::from(run.start.to_string()));
    if !run.given.is_empty() {
        put("given", Value::Object(run.given.clone()));
    }
    if let Some((time, ended)) = &run.end {
        put("end", Value::from(time.to_string()));
        if let Ok(Value::Object(how)) = serde_json::to_value(ended) {
            how.into_iter().for_each(|(name, value)| put(&name, value));
        }
    }
    if !run.drift.is_empty() {
        put("drift", Value::from(run.drift.clone()));
        if run.drift_commit.is_some() {
            put("drift_commit", Value::from(run.drift_commit.clone()));
        }
    }
    if !run.beside.is_empty() {
        put("drift_beside", Value::from(run.beside.clone()));
    }
    if let Ok(logs @ Value::Array(_)) = serde_json::to_value(&run.logs)
        && !run.logs.is_empty()
    {
        put("logs", logs);
    }
    if let Some(Ok(lineage)) = run.observed.lineage.as_ref().map(serde_json::to_value) {
        put("lineage", lineage);
    }
    if let Ok(modules) = serde_json::to_value(&run.observed.modules)
        && !run.observed.modules.is_empty()
    {
        put("modules", modules);
    }
    if !run.observed.seeds.is_empty() {
        put("seeds", Value::Object(run.observed.seeds.clone()));
    }
    Value::Object(entry)
}

/// The heads that a manifest names. `None` when it names none: it was not folded
/// from journals, or it is damaged.
pub fn manifest_heads(manifest: &Fields) -> Option<BTreeMap<WriterId, Head>> {
    serde_json::from_value(manifest.get("heads")?.clone()).ok()
}
