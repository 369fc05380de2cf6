//! A run: one process of a session, and what was seen of it.

use crate::birthmark::Fields;
use crate::event::{
    Event, Line, LineageObserved, LogKept, Module, ModulesObserved, ProcessIdentity, RunEnded,
};
use crate::id::RunId;
use crate::order::Clock;
use crate::timestamp::Timestamp;

/// One run of a session.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The process that runs it.
    pub process: ProcessIdentity,
    /// Script's file name, if it is one.
    pub script_name: Option<String>,
    /// Command line, redacted.
    pub argv: Vec<String>,
    /// Rank in its launch.
    pub rank: u32,
    /// How many processes its launch has.
    pub world_size: u32,
    /// The run that started this one, if one did.
    pub parent: Option<RunId>,
    /// What its process told: working folder, user.
    pub facts: Fields,
    /// What it was given, where it joined: see [`Session::given_of`](super::Session::given_of).
    pub given: Fields,
    /// The code as this run first saw it; empty for other ranks.
    pub code: Fields,
    /// The environment as this run first saw it; empty for other ranks.
    pub environment: Fields,
    /// What this run read.
    pub used: Vec<Fields>,
    /// When it began.
    pub start: Timestamp,
    /// The clock that tells its times, held against the boot of its machine.
    pub clock: Option<Clock>,
    /// When something was last heard of it.
    pub last_heard: Timestamp,
    /// How it ended, and when; `None` while it has not.
    pub end: Option<(Timestamp, RunEnded)>,
    /// What of its code changed under it, as far as that may have been what ran.
    pub drift: Vec<String>,
    /// What else changed in its repository: it is known that nothing of that ran.
    pub beside: Vec<String>,
    /// The commit that holds the tree as it was after that, when the run ended.
    pub drift_commit: Option<String>,
    /// What its command said, as far as it was kept.
    pub logs: Vec<LogKept>,
    /// What was seen of it beside what was told.
    pub observed: Observed,
}

/// What was seen of a run without a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// How much was seen of reading and writing.
    pub lineage: Option<LineageObserved>,
    /// Code of repositories that was loaded.
    pub modules: Vec<ModulesObserved>,
    /// Seeds that were set.
    pub seeds: Fields,
}

impl Run {
    /// Files that it loaded and that neither its commit nor its snapshot holds.
    pub fn unkept(&self) -> impl Iterator<Item = &str> {
        let unkept = self.loaded().filter(|one| one.unkept);
        let unkept = unkept.map(|one| one.file.as_str());
        unkept.chain(self.loose())
    }

    /// Files that it loaded from neither a package nor a repository.
    pub fn loose(&self) -> impl Iterator<Item = &str> {
        let lineage = self.observed.lineage.iter();
        let loose = lineage.flat_map(|lineage| &lineage.loose_code);
        loose.filter_map(|one| one.get("file")?.as_str())
    }

    /// Files of repositories that it loaded.
    pub fn loaded(&self) -> impl Iterator<Item = &Module> {
        self.observed.modules.iter().flat_map(|one| &one.files)
    }

    /// Whether a script or a command ran, and not only `session start` or `session end`.
    pub fn ran_something(&self) -> bool {
        self.script_name.is_some() || !self.argv.is_empty()
    }

    /// What changed under it, in words: with where it is as it was in the end.
    pub fn drift_told(&self) -> Vec<String> {
        let kept = self.drift_commit.as_deref().and_then(|one| one.get(..7));
        let told = self.drift.iter().map(|change| match kept {
            Some(kept) => {
                format!("{change} while it ran: as it was in the end it is in {kept}")
            }
            None => format!("{change} while it ran"),
        });
        told.collect()
    }

    /// What else changed in its repository while it ran, in words.
    pub fn beside_told(&self) -> Vec<String> {
        let told = self.beside.iter();
        told.map(|change| format!("{change} while it ran; what ran is what it began with"))
            .collect()
    }

    /// A run that has just begun, of which nothing else is known.
    pub fn new(id: RunId, process: ProcessIdentity, start: Timestamp) -> Self {
        Self {
            id,
            process,
            script_name: None,
            argv: Vec::new(),
            rank: 0,
            world_size: 1,
            parent: None,
            facts: Fields::new(),
            given: Fields::new(),
            code: Fields::new(),
            environment: Fields::new(),
            used: Vec::new(),
            start,
            clock: None,
            last_heard: start,
            end: None,
            drift: Vec::new(),
            beside: Vec::new(),
            drift_commit: None,
            logs: Vec::new(),
            observed: Observed::default(),
        }
    }

    /// Takes up an event that tells of this run alone.
    pub(super) fn hear(&mut self, line: &Line) {
        match &line.event {
            Event::RunStarted(started) => {
                self.script_name.clone_from(&started.script_name);
                self.argv.clone_from(&started.argv);
                self.rank = started.rank;
                self.world_size = started.world_size;
                self.facts.clone_from(&started.process);
                self.given.clone_from(&started.given);
            }
            Event::Drift(drift) => {
                self.drift.extend(drift.changes.iter().cloned());
                self.drift_commit = drift.commit().map(str::to_owned);
            }
            Event::LogKept(log) => self.logs.push(log.clone()),
            Event::LineageObserved(seen) => self.observed.lineage = Some(seen.clone()),
            Event::ModulesObserved(seen) => self.observed.modules.push(seen.clone()),
            Event::SeedsObserved(seen) => self.observed.seeds.extend(seen.seeds.clone()),
            Event::RunEnded(ended) => self.end = Some((line.time, ended.clone())),
            _ => {}
        }
    }
}
