//! What the store knows of a file beyond what the file says: its session, its machine,
//! what was recorded of it.

use birthmark_core::birthmark::Fields;
use birthmark_core::event::LogKept;
use birthmark_core::session::{Artifact, CodeSeen, Observed, Run, Snapshot, Status};
use birthmark_core::{RunId, SessionId, Timestamp};
use serde_json::{Value, json};

use crate::list::codes_json;
use crate::project::Project;
use crate::sessions::{self, Loaded};

/// The facts of a session that stand once for all its artifacts.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The session.
    pub id: SessionId,
    /// Its status.
    pub status: Status,
    /// When it began, as it was written.
    pub start: Option<String>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// When something was last heard of it.
    pub last_heard: Option<Timestamp>,
    /// The host.
    pub host: Option<String>,
    /// The environment, the origin's seven keys first.
    pub environment: Fields,
    /// The code fields as first seen: `git_*`, `unknown`, `declared`.
    pub code: Fields,
    /// The codes that ran, each once, in their order.
    pub codes: Vec<Fields>,
    /// What stands behind them: counts, changed files.
    pub code_details: Fields,
    /// The snapshots of its runs.
    pub snapshots: Vec<Snapshot>,
    /// Scripts of its runs, each once.
    pub scripts: Vec<String>,
    /// Runs, and how many did not complete.
    pub runs: (usize, usize),
    /// What it read.
    pub used: Vec<Fields>,
    /// What changed in the code while it ran.
    pub drift: Vec<String>,
    /// What its commands used, for each that tells.
    pub usage: Vec<Fields>,
    /// What its commands said, as far as it was kept.
    pub logs: Vec<LogKept>,
    /// Its runs, with what was seen of each.
    pub ran: Vec<Run>,
    /// The files that its runs made, each with the run that is known of it.
    pub made: Vec<(Option<RunId>, String)>,
    /// The word for its manifest.
    pub manifest: &'static str,
    /// What is wrong with journals or manifest.
    pub problems: Vec<String>,
}

/// What was recorded of one artifact.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Path as stored.
    pub file: String,
    /// `sealed`, `open` or `removed`.
    pub state: &'static str,
    /// Whether no writer of ours made it: a run was seen to.
    pub observed: bool,
    /// When it was last told of.
    pub time: Timestamp,
    /// Bytes.
    pub size: u64,
    /// Records.
    pub records: Option<u64>,
    /// Digest of the bytes.
    pub digest: Option<String>,
    /// Digest of the bytes without birthmarks.
    pub content_digest: Option<String>,
    /// The whole birthmark.
    pub birthmark: Fields,
    /// Facts of the writing: NaN counts, cut tails, that it was stopped.
    pub notes: Fields,
}

impl SessionFacts {
    /// The facts of a loaded session.
    pub fn of(loaded: &Loaded, now: Timestamp) -> Self {
        let session = &loaded.session;
        let mut scripts: Vec<String> = Vec::new();
        for script in session
            .runs
            .iter()
            .filter_map(|run| run.script_name.clone())
        {
            if !scripts.contains(&script) {
                scripts.push(script);
            }
        }
        let not_completed = session
            .runs
            .iter()
            .filter(|run| {
                use birthmark_core::event::Outcome::Completed;
                run.end
                    .as_ref()
                    .is_none_or(|(_, ended)| ended.outcome != Completed)
            })
            .count();
        let mut problems: Vec<String> = loaded
            .problems
            .iter()
            .map(|problem| problem.text.clone())
            .collect();
        if let sessions::ManifestState::Edited { what } = &loaded.manifest {
            problems.push(format!("manifest edited: {}", what.join("; ")));
        }
        Self {
            id: loaded.id.clone(),
            status: loaded.status(now),
            start: loaded.start_text(),
            end: session.end.map(|(time, _)| time),
            last_heard: session.last_heard,
            host: loaded.host().map(str::to_owned),
            environment: session.environment.clone(),
            code: session.code.clone(),
            codes: session.codes().into_iter().cloned().collect(),
            code_details: session.code_details.clone(),
            snapshots: loaded.session.snapshots.clone(),
            scripts,
            runs: (session.runs.len(), not_completed),
            used: session.used.clone(),
            drift: session
                .runs
                .iter()
                .flat_map(|run| run.drift.clone())
                .collect(),
            usage: session
                .runs
                .iter()
                .filter_map(|run| Some(run.end.as_ref()?.1.usage.clone()))
                .filter(|usage| !usage.is_empty())
                .collect(),
            logs: session
                .runs
                .iter()
                .flat_map(|run| run.logs.clone())
                .collect(),
            ran: session.runs.clone(),
            made: session
                .artifacts
                .iter()
                .map(|artifact| (artifact.run.clone(), artifact.file.clone()))
                .collect(),
            manifest: loaded.manifest.word(),
            problems,
        }
    }

    /// What was seen of its runs without a call, of those of which anything was.
    pub fn observed(&self) -> impl Iterator<Item = &Observed> {
        let seen = self.ran.iter().map(|run| &run.observed);
        seen.filter(|observed| **observed != Observed::default())
    }

    /// Which codes ran.
    pub(crate) fn seen_codes(&self) -> Vec<CodeSeen> {
        self.codes.iter().map(CodeSeen::of).collect()
    }

    /// The code of a run: its own, else that of the run that started it.
    pub(crate) fn code_of(&self, run: &Run) -> CodeSeen {
        let parent = || {
            let id = run.parent.as_ref()?;
            self.ran.iter().find(|other| other.id == *id)
        };
        let own = std::iter::once(run).chain(parent());
        let mut seen = own.map(|run| &run.code).filter(|code| !code.is_empty());
        CodeSeen::of(seen.next().unwrap_or(&self.code))
    }

    /// The facts as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "session_id": self.id.as_str(),
            "status": self.status.word(),
            "session_start": self.start,
            "session_end": self.end.map(|time| time.to_string()),
            "last_heard": self.last_heard.map(|time| time.to_string()),
            "host": self.host,
            "environment": self.environment,
            "code": self.code,
            "codes": codes_json(&self.seen_codes()),
            "code_details": self.code_details,
            "scripts": self.scripts,
            "runs": self.runs.0,
            "runs_not_completed": self.runs.1,
            "used": self.used,
            "drift": self.drift,
            "usage": self.usage,
            "logs": self.logs,
            "lineage": self.observed().map(|one| &one.lineage).collect::<Vec<_>>(),
            "modules": self.observed().flat_map(|one| &one.modules).collect::<Vec<_>>(),
            "seeds": self.observed().map(|one| &one.seeds).collect::<Vec<_>>(),
            "manifest": self.manifest,
            "problems": self.problems,
        })
    }
}

impl Recorded {
    /// What was recorded of an artifact.
    pub fn of(artifact: &Artifact) -> Self {
        let sealed = artifact.sealed();
        Self {
            file: artifact.file.clone(),
            state: match (&artifact.removed, sealed) {
                (Some(_), _) => "removed",
                (None, Some(_)) => "sealed",
                (None, None) => "open",
            },
            observed: sealed.is_some_and(|sealed| sealed.format == crate::lineage::OBSERVED),
            time: artifact.time,
            size: artifact.size,
            records: artifact.records,
            digest: artifact.digest.clone(),
            content_digest: sealed.and_then(|sealed| sealed.content_digest.clone()),
            birthmark: artifact.birthmark().clone(),
            notes: sealed
                .map(|sealed| sealed.notes.clone())
                .unwrap_or_default(),
        }
    }

    /// What was recorded, as JSON; the birthmark stands elsewhere.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "state": self.state,
            "timestamp": self.time.to_string(),
            "size": self.size,
            "records": self.records,
            "digest": self.digest,
            "content_digest": self.content_digest,
            "notes": self.notes,
        })
    }
}

/// Looks up the session of a birthmark, and what it recorded of the file. The error is
/// the reason why nothing is known.
pub(super) fn join(
    project: &Project,
    id: Option<&str>,
    stored: &str,
    now: Timestamp,
) -> (Result<SessionFacts, String>, Option<Recorded>) {
    let Some(id) = id else {
        return (Err("not bound to a session".to_owned()), None);
    };
    if !SessionId::is_well_formed(id) {
        return (Err("its session_id is no session's name".to_owned()), None);
    }
    match sessions::load(project, &SessionId::from_text(id)) {
        Ok(loaded) => {
            let name = stored.rsplit('/').next().unwrap_or(stored);
            let artifacts = &loaded.session.artifacts;
            let exact = artifacts.iter().find(|artifact| artifact.file == stored);
            let artifact = exact.or_else(|| {
                // A store that was copied under another name keeps the ends of its paths.
                let mut same = artifacts
                    .iter()
                    .filter(|artifact| artifact.file.rsplit('/').next() == Some(name));
                same.next().filter(|_| same.next().is_none())
            });
            (
                Ok(SessionFacts::of(&loaded, now)),
                artifact.map(Recorded::of),
            )
        }
        Err(error) if error.code() == "session-unknown" => (
            Err(format!(
                "session {} is not here",
                crate::text::short(id, 60)
            )),
            None,
        ),
        Err(error) => (Err(error.whole()), None),
    }
}
