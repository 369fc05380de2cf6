//! One line of a list of sessions.

use std::collections::BTreeSet;

use birthmark_core::plan::PlanOutcome;
use birthmark_core::session::{CodeSeen, Status, commit_of, dirty_of};
use birthmark_core::{SessionId, Timestamp};
use serde_json::{Value, json};

use super::{Loaded, ManifestState};
use crate::list::codes_json;

/// One line of a list of sessions.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The session.
    pub id: SessionId,
    /// When it began, where a moment is known.
    pub start: Option<Timestamp>,
    /// Its status.
    pub status: Status,
    /// Runs.
    pub runs: usize,
    /// Artifacts that were not removed.
    pub artifacts: usize,
    /// Records in them.
    pub records: u64,
    /// Plans.
    pub planned: usize,
    /// Plans that were made in full.
    pub made: usize,
    /// The codes that ran, each once.
    pub codes: Vec<CodeSeen>,
    /// What changed in it while it ran, each once.
    pub drift: BTreeSet<String>,
    /// The host.
    pub host: Option<String>,
    /// When something was last heard of it.
    pub last_heard: Option<Timestamp>,
    /// What its manifest is.
    pub manifest: ManifestState,
    /// Whether a journal is damaged, cut or gone.
    pub damaged: bool,
}

impl Summary {
    /// The summary of a loaded session.
    pub fn of(loaded: &Loaded, now: Timestamp) -> Self {
        let session = &loaded.session;
        let there = || {
            session
                .artifacts
                .iter()
                .filter(|artifact| artifact.removed.is_none())
        };
        let (plans, _) = session.judge_plan();
        Self {
            id: loaded.id.clone(),
            start: session.start,
            status: loaded.status(now),
            runs: session.runs.len(),
            artifacts: there().count(),
            records: there().filter_map(|artifact| artifact.records).sum(),
            planned: plans.len(),
            made: plans
                .iter()
                .filter(|plan| plan.outcome == PlanOutcome::Made)
                .count(),
            codes: session.codes().into_iter().map(CodeSeen::of).collect(),
            drift: session
                .runs
                .iter()
                .flat_map(|run| run.drift.clone())
                .collect(),
            host: loaded.host().map(str::to_owned),
            last_heard: session.last_heard,
            manifest: loaded.manifest.clone(),
            damaged: !loaded.problems.is_empty(),
        }
    }

    /// The summary as JSON.
    pub fn to_json(&self) -> Value {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        json!({
            "session_id": self.id.as_str(),
            "session_start": time(self.start),
            "status": self.status.word(),
            "runs": self.runs,
            "artifacts": self.artifacts,
            "records": self.records,
            "planned": self.planned,
            "made": self.made,
            "git_commit": commit_of(&self.codes),
            "git_dirty": dirty_of(&self.codes),
            "codes": codes_json(&self.codes),
            "drift": self.drift,
            "host": self.host,
            "last_heard": time(self.last_heard),
            "manifest": self.manifest.word(),
            "damaged": self.damaged,
        })
    }
}
