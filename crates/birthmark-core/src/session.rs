//! `Session`: what follows from the events of its journals, and the manifest.
//!
//! A session is never stored: it is *folded* from the journals of its writers,
//! and can be folded again at any time. The manifest is the fold written down
//! for people and jq, with the head (`seq`, `sum`) of every journal it was
//! folded from, so that a reader can tell *stale* (an older fold) from *edited*.

mod artifact;
mod codes;
mod drift;
mod manifest;
mod run;
mod status;
mod watched;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::birthmark::Fields;
use crate::environment;
use crate::event::{
    CodeKept, Event, Line, OpenedBy, Outcome, ProcessIdentity, ReportBegun, ReportLeft,
    SessionStarted, SnapshotTaken, WriterOpened,
};
use crate::id::{RunId, SessionId, WriterId};
use crate::plan::{self, Made, Plan, PlanReport};
use crate::timestamp::Timestamp;

pub use artifact::{Artifact, ArtifactState, GoneOn, Had, Removal};
pub use codes::{CodeSeen, commit_of, dirty_of, in_a_cell, put_late_snapshot, snapshot_of};
pub use manifest::{manifest, manifest_heads};
pub use run::{Observed, Run};
pub use status::Status;
pub use watched::Watchers;

/// One journal as it was read.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Whose it is.
    pub writer: WriterId,
    /// Its whole lines in order.
    pub lines: Vec<Line>,
}

/// The last line of a journal that a fold has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its digest.
    pub sum: String,
}

/// A snapshot that a run took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The run.
    pub run: Option<RunId>,
    /// When.
    pub time: Timestamp,
    /// What is told of it.
    pub taken: SnapshotTaken,
}

/// A session, folded from its journals.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Its id; `None` when no event told it.
    pub id: Option<SessionId>,
    /// Its `UUIDv7`.
    pub uuid: Option<String>,
    /// When it began.
    pub start: Option<Timestamp>,
    /// Who opened it.
    pub opened_by: Option<OpenedBy>,
    /// The process that opened it.
    pub opener: Option<ProcessIdentity>,
    /// Plans, word for word, each once.
    pub planned: Vec<String>,
    /// Fields given to the session.
    pub given: Fields,
    /// The code fields, as first seen.
    pub code: Fields,
    /// What stands behind them: counts, changed files.
    pub code_details: Fields,
    /// The snapshots of its runs, in order.
    pub snapshots: Vec<Snapshot>,
    /// Commits that were written to the store.
    pub kept: Vec<CodeKept>,
    /// The environment, as first seen.
    pub environment: Fields,
    /// Its runs, in order of their start.
    pub runs: Vec<Run>,
    /// Its artifacts, in order of their first event.
    pub artifacts: Vec<Artifact>,
    /// Finished artifacts that a later write of the same session replaced.
    pub replaced: Vec<Artifact>,
    /// What its runs removed, also of what other sessions made.
    pub removals: Vec<Removal>,
    /// What it read.
    pub used: Vec<Fields>,
    /// How it ended, and when.
    pub end: Option<(Timestamp, Outcome)>,
    /// The newest event's time.
    pub last_heard: Option<Timestamp>,
    /// Kinds of events that this version does not know, with their counts.
    pub skipped: BTreeMap<String, u64>,
    /// Reports that were left before they were put together.
    pub left: Vec<ReportLeft>,
    /// Reports that were begun item by item, and of which no end is told.
    pub begun: Vec<ReportBegun>,
    /// The last line seen of each journal.
    pub heads: BTreeMap<WriterId, Head>,
    /// Where things stand in the lists above, while they are folded.
    pub places: Places,
}

/// Thousands of runs may take part in a session: none of them is looked for among all others.
#[derive(Debug, Clone, Default)]
pub struct Places {
    runs: BTreeMap<RunId, usize>,
    artifacts: BTreeMap<String, usize>,
    /// By the file, and those that name none.
    used: BTreeMap<Option<String>, Vec<usize>>,
}

/// Folds journals into the session they tell of. Events of one writer keep their
/// order; those of several are merged by time, since no other clock is common.
pub fn fold<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Session {
    let mut lines: Vec<(&Journal, &Line)> = journals
        .into_iter()
        .flat_map(|journal| journal.lines.iter().map(move |line| (journal, line)))
        .collect();
    // A stable sort by time alone could reorder one writer's lines when its clock
    // was set back: its lines therefore carry the latest time seen so far.
    let mut latest: BTreeMap<&WriterId, Timestamp> = BTreeMap::new();
    let mut keyed: Vec<_> = lines
        .drain(..)
        .map(|(journal, line)| {
            let time = latest.entry(&journal.writer).or_insert(line.time);
            *time = (*time).max(line.time);
            (*time, &journal.writer, line)
        })
        .collect();
    keyed.sort_by(|a, b| (a.0, a.1, a.2.seq).cmp(&(b.0, b.1, b.2.seq)));

    let mut session = Session::default();
    let mut runs: BTreeMap<&WriterId, RunId> = BTreeMap::new();
    for (_, writer, line) in keyed {
        if let Event::WriterOpened(opened) = &line.event
            && let Some(run) = &opened.run_id
        {
            runs.insert(writer, run.clone());
        }
        session.apply(writer, line, runs.get(writer));
    }
    session.places = Places::default();
    drift::settle(&mut session.runs);
    session
}

impl Session {
    /// A session of which nothing is told but its beginning.
    pub fn begun(opened: &WriterOpened, started: &SessionStarted) -> Self {
        Self {
            id: Some(opened.session_id.clone()),
            uuid: opened.session_uuid.clone(),
            start: Some(started.session_start),
            opened_by: Some(started.opened_by),
            opener: Some(opened.process.clone()),
            planned: started.planned_artifacts.clone(),
            given: started.given.clone(),
            ..Self::default()
        }
    }
}

/// Folds only up to the given heads: what a manifest with these heads must say.
pub fn fold_up_to(journals: &[Journal], heads: &BTreeMap<WriterId, Head>) -> Session {
    let cut: Vec<Journal> = journals
        .iter()
        .filter_map(|journal| {
            let head = heads.get(&journal.writer)?;
            let lines = journal
                .lines
                .iter()
                .filter(|line| line.seq <= head.seq)
                .cloned()
                .collect();
            Some(Journal {
                writer: journal.writer.clone(),
                lines,
            })
        })
        .collect();
    fold(&cut)
}

impl Session {
    fn apply(&mut self, writer: &WriterId, line: &Line, run: Option<&RunId>) {
        self.heads.insert(
            writer.clone(),
            Head {
                seq: line.seq,
                sum: line.sum.clone(),
            },
        );
        self.last_heard = self.last_heard.max(Some(line.time));
        if let Some(run) = self.run_mut(run) {
            run.last_heard = run.last_heard.max(line.time);
        }
        match &line.event {
            Event::WriterOpened(opened) => {
                self.id.get_or_insert_with(|| opened.session_id.clone());
                if self.uuid.is_none() {
                    self.uuid.clone_from(&opened.session_uuid);
                }
                self.opener.get_or_insert_with(|| opened.process.clone());
                if let Some(id) = &opened.run_id {
                    self.begin_run(id, opened, line.time);
                }
            }
            Event::SessionStarted(started) => {
                self.start = Some(started.session_start);
                self.opened_by = Some(started.opened_by);
                self.given.clone_from(&started.given);
                self.plan(&started.planned_artifacts);
            }
            Event::Planned(planned) => self.plan(&planned.planned_artifacts),
            Event::SnapshotTaken(taken) => self.put_snapshot(taken, line.time, run),
            Event::CodeKept(kept) => self.kept.push(kept.clone()),
            Event::CodeObserved(code) => {
                if self.code.is_empty() {
                    self.code.clone_from(&code.fields);
                    self.code_details.clone_from(&code.details);
                }
                if let Some(run) = self.run_mut(run).filter(|run| run.code.is_empty()) {
                    run.code.clone_from(&code.fields);
                }
            }
            Event::EnvironmentObserved(seen) => {
                environment::take_in(&mut self.environment, &seen.environment);
                if let Some(run) = self.run_mut(run) {
                    environment::take_in(&mut run.environment, &seen.environment);
                }
            }
            Event::RunStarted(_)
            | Event::Drift(_)
            | Event::LogKept(_)
            | Event::LineageObserved(_)
            | Event::ModulesObserved(_)
            | Event::SeedsObserved(_)
            | Event::RunEnded(_) => {
                if let Some(run) = self.run_mut(run) {
                    run.hear(line);
                }
            }
            Event::SessionEnded(ended) => self.end = Some((line.time, ended.outcome)),
            Event::Other { kind, .. } => *self.skipped.entry(kind.clone()).or_default() += 1,
            artifact => self.apply_artifact(line, artifact, run),
        }
    }

    fn put_snapshot(&mut self, taken: &SnapshotTaken, time: Timestamp, run: Option<&RunId>) {
        let snapshot = Snapshot {
            run: run.cloned(),
            time,
            taken: taken.clone(),
        };
        self.put_late_snapshot(&snapshot);
        self.snapshots.push(snapshot);
    }

    fn apply_artifact(&mut self, line: &Line, event: &Event, run: Option<&RunId>) {
        match event {
            Event::ArtifactOpened(opened) => {
                let gone_on = self.gone_on(opened, run);
                self.put_artifact(Artifact {
                    file: opened.file.clone(),
                    gone_on,
                    run: run.cloned(),
                    state: ArtifactState::Open(opened.clone()),
                    time: line.time,
                    size: opened.continued_bytes,
                    records: (opened.format == "jsonl").then_some(opened.continued_records),
                    digest: None,
                    removed: None,
                    continued: Had::of(opened),
                });
            }
            Event::ArtifactProgress(progress) => {
                if let Some(artifact) = self.artifact_mut(&progress.file) {
                    artifact.time = line.time;
                    artifact.size = progress.size;
                    artifact.records = artifact.records.map(|_| progress.records);
                    artifact.digest = Some(progress.digest.clone());
                }
            }
            Event::ArtifactSealed(sealed) => {
                self.forget_report(&sealed.file);
                let is_same =
                    |known: &&mut Artifact| known.run.as_ref() == run && known.sealed().is_none();
                let opened = self.artifact_mut(&sealed.file).filter(is_same);
                let (continued, gone_on) = opened.map_or_else(Default::default, |known| {
                    (known.continued.clone(), known.gone_on.clone())
                });
                self.put_artifact(Artifact {
                    file: sealed.file.clone(),
                    run: run.cloned(),
                    state: ArtifactState::Sealed(sealed.clone()),
                    time: sealed.timestamp,
                    size: sealed.size,
                    records: sealed.records,
                    digest: sealed.digest.clone(),
                    removed: None,
                    continued,
                    gone_on,
                });
            }
            Event::ArtifactUsed(used) => {
                if let Some(run) = self.run_mut(run)
                    && !run.used.contains(&used.input)
                {
                    run.used.push(used.input.clone());
                }
                self.put_used(&used.input);
            }
            Event::ReportBegun(begun) => {
                self.forget_report(&begun.file);
                self.begun.push(begun.clone());
            }
            Event::ReportLeft(left) => {
                self.forget_report(&left.file);
                self.left.push(left.clone());
            }
            Event::ArtifactRemoved(removed) => {
                self.removals.push(Removal {
                    file: removed.file.clone(),
                    run: run.cloned(),
                    time: line.time,
                });
                if let Some(artifact) = self.artifact_mut(&removed.file) {
                    artifact.removed = Some(removed.reason.clone());
                }
            }
            _ => {}
        }
    }

    /// What becomes of a report is told anew.
    fn forget_report(&mut self, file: &str) {
        self.left.retain(|known| known.file != file);
        self.begun.retain(|known| known.file != file);
    }

    /// Whether the items of a report that was not put together stand in this part.
    pub fn has_part(&self, part: &str) -> bool {
        let left = self.left.iter().map(|one| &one.part);
        left.chain(self.begun.iter().map(|one| &one.part))
            .any(|known| known == part)
    }

    /// What a file had when runs of this session first went on with it.
    fn gone_on(
        &mut self,
        opened: &crate::event::ArtifactOpened,
        run: Option<&RunId>,
    ) -> Vec<GoneOn> {
        if opened.continued_bytes == 0 {
            return Vec::new();
        }
        let known = self.artifact_mut(&opened.file);
        // Of a file that the session began itself the first part is its own.
        let mut gone_on = known.map_or_else(Vec::new, |known| {
            let first = GoneOn {
                run: known.run.clone(),
                had: Had::default(),
            };
            if known.gone_on.is_empty() {
                vec![first]
            } else {
                known.gone_on.clone()
            }
        });
        if !gone_on.iter().any(|one| one.run.as_ref() == run) {
            gone_on.push(GoneOn {
                run: run.cloned(),
                had: Had::of(opened),
            });
        }
        gone_on
    }

    fn begin_run(&mut self, id: &RunId, opened: &WriterOpened, start: Timestamp) {
        let mut run = Run::new(id.clone(), opened.process.clone(), start);
        run.parent.clone_from(&opened.parent_run);
        run.clock = opened.clock(start);
        // The first of two of one name, which no writer of ours makes.
        let place = self.runs.len();
        self.places.runs.entry(id.clone()).or_insert(place);
        self.runs.push(run);
    }

    fn plan(&mut self, texts: &[String]) {
        for text in texts {
            if !self.planned.contains(text) {
                self.planned.push(text.clone());
            }
        }
    }

    fn put_used(&mut self, input: &Fields) {
        let file = input.get("file").and_then(serde_json::Value::as_str);
        let places = self.places.used.entry(file.map(str::to_owned));
        let places = places.or_default();
        if !places
            .iter()
            .any(|place| self.used.get(*place) == Some(input))
        {
            places.push(self.used.len());
            self.used.push(input.clone());
        }
    }

    fn run_mut(&mut self, id: Option<&RunId>) -> Option<&mut Run> {
        self.runs.get_mut(*self.places.runs.get(id?)?)
    }

    fn artifact_mut(&mut self, file: &str) -> Option<&mut Artifact> {
        self.artifacts.get_mut(*self.places.artifacts.get(file)?)
    }

    fn put_artifact(&mut self, artifact: Artifact) {
        if let Some(known) = self.artifact_mut(&artifact.file) {
            let before = std::mem::replace(known, artifact);
            if before.sealed().is_some() {
                self.replaced.push(before);
            }
        } else {
            let place = self.artifacts.len();
            self.places.artifacts.insert(artifact.file.clone(), place);
            self.artifacts.push(artifact);
        }
    }

    /// The first snapshot of the script's own repository, where one was taken.
    pub fn own_snapshot(&self) -> Option<&Snapshot> {
        let mut taken = self.snapshots.iter();
        taken.find(|one| one.taken.path.is_empty())
    }

    /// Artifacts that are finished and not removed.
    pub fn made(&self) -> impl Iterator<Item = &Artifact> {
        self.artifacts
            .iter()
            .filter(|artifact| artifact.sealed().is_some() && artifact.removed.is_none())
    }

    /// What became of each plan, and the files that none asked for.
    pub fn judge_plan(&self) -> (Vec<PlanReport>, Vec<String>) {
        let plans: Vec<Plan> = self.planned.iter().map(|text| Plan::parse(text)).collect();
        let made: Vec<Made<'_>> = self
            .artifacts
            .iter()
            .filter(|artifact| artifact.removed.is_none())
            .map(|artifact| Made {
                file: &artifact.file,
                records: artifact.records,
            })
            .collect();
        plan::judge(&plans, &made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SessionEnded;

    fn process() -> ProcessIdentity {
        ProcessIdentity {
            host: "pod".to_owned(),
            boot_id: Some("b".to_owned()),
            pid: 1,
            pid_start: Some(2),
            pid_namespace: None,
        }
    }

    fn journal(events: Vec<Event>) -> Journal {
        let lines = events
            .into_iter()
            .enumerate()
            .map(|(place, event)| Line {
                seq: place as u64,
                prev: None,
                time: Timestamp::from_micros(i64::try_from(place).unwrap()),
                event,
                sum: format!("s{place}"),
            })
            .collect();
        Journal {
            writer: WriterId::from_text("w"),
            lines,
        }
    }

    fn opened() -> Event {
        Event::from(WriterOpened {
            format: crate::schema::JOURNAL_FORMAT.to_owned(),
            program: "0".to_owned(),
            session_id: SessionId::from_text("20261122_120000_k3f9"),
            session_uuid: Some("u".to_owned()),
            run_id: Some(RunId::from_text("r")),
            process: process(),
            parent_run: None,
            since_boot_us: None,
        })
    }

    fn started(opened_by: OpenedBy) -> Event {
        Event::from(SessionStarted {
            session_start: Timestamp::default(),
            opened_by,
            planned_artifacts: vec!["a.jsonl (2 examples)".to_owned()],
            given: Fields::new(),
        })
    }

    #[test]
    fn manifest_has_the_origins_keys_first_and_the_heads() {
        let session = fold(&[journal(vec![opened(), started(OpenedBy::Script)])]);
        let manifest = manifest(&session);
        let keys: Vec<&str> = manifest.keys().map(String::as_str).take(8).collect();
        assert_eq!(
            keys,
            [
                "session_id",
                "session_start",
                "git_commit",
                "git_branch",
                "git_dirty",
                "environment",
                "planned_artifacts",
                "artifacts_generated"
            ]
        );
        let heads = manifest_heads(&manifest).unwrap();
        assert_eq!(
            heads[&WriterId::from_text("w")],
            Head {
                seq: 1,
                sum: "s1".to_owned()
            }
        );
    }

    #[test]
    fn fold_up_to_older_heads_is_the_older_fold() {
        let older = journal(vec![opened(), started(OpenedBy::Script)]);
        let mut newer = older.clone();
        newer.lines.extend(
            journal(vec![
                opened(),
                opened(),
                Event::from(SessionEnded {
                    outcome: Outcome::Completed,
                }),
            ])
            .lines
            .split_off(2),
        );
        let heads = fold(std::slice::from_ref(&older)).heads;
        let again = fold_up_to(std::slice::from_ref(&newer), &heads);
        assert_eq!(manifest(&again), manifest(&fold(&[older])));
        assert_ne!(manifest(&fold(&[newer])), manifest(&again));
    }

    #[test]
    fn status_follows_from_events_and_from_who_is_alive() {
        let now = Timestamp::from_micros(1_000_000);
        let script = fold(&[journal(vec![opened(), started(OpenedBy::Script)])]);
        assert_eq!(script.status(now, |_| Some(true)), Status::Running);
        assert_eq!(script.status(now, |_| Some(false)), Status::Interrupted);
        assert_eq!(script.status(now, |_| None), Status::LastHeard);
        let ended = Event::from(SessionEnded {
            outcome: Outcome::Completed,
        });
        let others = fold(&[journal(vec![opened(), started(OpenedBy::Script), ended])]);
        assert_eq!(others.status(now, |_| Some(true)), Status::Running);
        assert_eq!(others.status(now, |_| None), Status::Completed);
        let shell = fold(&[journal(vec![opened(), started(OpenedBy::Shell)])]);
        assert_eq!(shell.status(now, |_| Some(false)), Status::Open);
        let later = Timestamp::from_micros(90_000 * 1_000_000);
        assert_eq!(shell.status(later, |_| Some(false)), Status::Interrupted);
    }
}
