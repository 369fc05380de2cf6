//! What a file's own birthmark tells where no store here does.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::event::{ArtifactSealed, ProcessIdentity};
use birthmark_core::lineage::{ArtifactNode, Lineage, Place};
use birthmark_core::session::{Artifact, ArtifactState, Had, Run, Session};
use birthmark_core::{Finding, RunId, SessionId, Timestamp};
use serde_json::Value;

use super::Told;
use super::sources::Sources;
use crate::project::Project;
use crate::{dataset, show};

/// Why a run is all that a birthmark tells.
const NOT_HERE: &str = "its session is not here";

/// A birthmark that was found in a file, and what the file is.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) store: usize,
    pub(super) file: String,
    pub(super) size: Option<u64>,
    pub(super) records: Option<u64>,
    pub(super) digest: Option<String>,
    pub(super) content: Option<String>,
    pub(super) birthmark: Fields,
    /// Sessions that its records name, each with the run where all of them name one.
    pub(super) sessions: Vec<(String, Option<String>)>,
}

impl Carried {
    /// What `path` carries. `None` where it has no digest.
    pub(super) fn of(
        project: &Project,
        path: &Path,
        store: usize,
        birthmark: Fields,
    ) -> Option<Self> {
        let (digest, content) = digests(path);
        digest.as_ref()?;
        let session = birthmark.get("session_id")?.as_str()?.to_owned();
        let run = birthmark.get("run_id").and_then(Value::as_str);
        Some(Self {
            store,
            file: project.stored_path(path),
            size: path.metadata().ok().map(|found| found.len()),
            records: None,
            digest,
            content,
            sessions: vec![(session, run.map(str::to_owned))],
            birthmark,
        })
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.digest.iter().chain(&self.content).map(String::as_str)
    }
}

pub(super) fn digests(path: &Path) -> (Option<String>, Option<String>) {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match dataset::digests(&real) {
        (Finding::Found(digest), content) => (Some(digest), content),
        _ => (None, None),
    }
}

/// The birthmark of a shown file, with every session that its records name.
pub(super) fn carried(
    shown: &show::Shown,
    digests: &(Option<String>, Option<String>),
) -> Option<Carried> {
    let varying = |name: &str| shown.varies.iter().find(|varying| varying.name == name);
    let run = shown.birthmark.get("run_id").and_then(Value::as_str);
    let sessions = match shown.birthmark.get("session_id").and_then(Value::as_str) {
        Some(id) => vec![(id.to_owned(), run.map(str::to_owned))],
        None => varying("session_id")?
            .values
            .iter()
            .filter_map(|(id, _)| Some((id.as_str()?.to_owned(), None)))
            .collect(),
    };
    let mut birthmark = shown.birthmark.clone();
    if let Some(newest) = varying("timestamp").and_then(|times| times.max.clone()) {
        birthmark.insert("timestamp".to_owned(), newest);
    }
    Some(Carried {
        store: 0,
        file: shown.name.clone(),
        size: shown.size,
        records: shown.records,
        digest: digests.0.clone(),
        content: digests.1.clone(),
        birthmark,
        sessions,
    })
}

/// What is to be minded of a file that was stamped or imported, and of which no session tells.
pub(super) const ONLY_STAMPED: &str = "no session here made or read it, and its birthmark names \
     none; `birthmark show` tells what it says";

/// A node for a file of which no session tells, and that carries a birthmark.
pub(super) fn only_stamped(
    path: &Path,
    name: &str,
    digests: &(Option<String>, Option<String>),
    lineage: &mut Lineage,
) -> usize {
    let (digest, content) = digests.clone();
    let size = path.metadata().ok().map(|found| found.len());
    lineage.add_artifact(ArtifactNode {
        digests: digest.iter().chain(&content).cloned().collect(),
        content_digests: content.into_iter().collect(),
        places: vec![Place {
            store: 0,
            file: name.to_owned(),
            file_bytes: None,
            is_path: true,
            made: false,
            time: Timestamp::default(),
            digest,
            size,
            read_list: None,
        }],
        size,
        ..ArtifactNode::default()
    })
}

/// The sessions of a birthmark that no store here tells of, as far as it tells of them.
pub(super) fn not_here(carried: &Carried, sources: &Sources<'_>) -> Vec<Told> {
    let missing = carried
        .sessions
        .iter()
        .filter(|(id, _)| SessionId::is_well_formed(id))
        .filter(|(id, _)| !sources.has(id));
    missing
        .map(|(id, run)| Told {
            store: carried.store,
            id: SessionId::from_text(id.clone()),
            session: session_of(carried, run.as_deref()),
            unknown: Some(NOT_HERE),
        })
        .collect()
}

fn session_of(carried: &Carried, run: Option<&str>) -> Session {
    let mark = &carried.birthmark;
    let text = |name: &str| mark.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = text("timestamp").and_then(|time| time.parse::<Timestamp>().ok());
    let time = time.unwrap_or_default();
    let is_code = |name: &str| name.starts_with("git_") || name.starts_with("script_");
    let code: Fields = mark
        .iter()
        .filter(|(name, _)| is_code(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let run = run.map(|id| Run {
        id: RunId::from_text(id),
        process: nobody(),
        script_name: text("script_name"),
        argv: Vec::new(),
        rank: 0,
        world_size: 1,
        parent: None,
        facts: Fields::new(),
        given: Fields::new(),
        code: code.clone(),
        environment: Fields::new(),
        used: Vec::new(),
        start: time,
        clock: None,
        last_heard: time,
        end: None,
        drift: Vec::new(),
        beside: Vec::new(),
        drift_commit: None,
        logs: Vec::new(),
        observed: birthmark_core::session::Observed::default(),
    });
    let artifact = Artifact {
        file: carried.file.clone(),
        run: run.as_ref().map(|run| run.id.clone()),
        state: ArtifactState::Sealed(ArtifactSealed {
            file: carried.file.clone(),
            file_bytes: None,
            artifact_type: text("artifact_type").unwrap_or_default(),
            format: String::new(),
            timestamp: time,
            size: carried.size.unwrap_or(0),
            records: carried.records,
            digest: carried.digest.clone(),
            content_digest: carried.content.clone(),
            birthmark: mark.clone(),
            notes: Fields::new(),
        }),
        time,
        size: carried.size.unwrap_or(0),
        records: carried.records,
        digest: carried.digest.clone(),
        removed: None,
        continued: Had::default(),
        gone_on: Vec::new(),
    };
    Session {
        code,
        start: Some(time),
        runs: run.into_iter().collect(),
        artifacts: vec![artifact],
        ..Session::default()
    }
}

fn nobody() -> ProcessIdentity {
    ProcessIdentity {
        host: String::new(),
        boot_id: None,
        pid: 0,
        pid_start: None,
        pid_namespace: None,
    }
}
