//! Where an artifact came from, and what came of it.
//!
//! The sessions of this project's store, and of other stores that were named, are folded
//! into one lineage ([`birthmark_core::lineage`]), as far as they have to do with the answer
//! (`sources`). The artifact is found in it by what it is, its digest or content digest, so that
//! a renamed, copied or unstamped file still belongs; only then by its name, and that is said.
//!
//! ```text
//! stores ──strings──> sessions that speak of it ──fold, Builder──> lineage ──walk──> tree, JSON …
//!                                ^       target ──digest──> node ──┘  │
//!                                └─── digests and paths of what is reached
//! ```
//!
//! # Invariants
//!
//! * Nothing is written.
//! * A file whose bytes are not those recorded is marked with `!`, wherever it stands.
//! * So is what a run read that was not what the run before had left at that path.
//! * What a birthmark names and no store here tells of stays a node: *session not here*.
//!
//! # Limitations
//!
//! * Of files beside the one asked for, those over [`Options::read_limit`] are held against
//!   their recorded size alone.

mod carried;
mod changed;
mod disk;
pub mod draw;
mod json;
mod named;
pub mod render;
mod seen_as;
mod sources;
mod stores;
mod strings;
mod target;
#[cfg(test)]
mod tests;
mod tree;
mod wanted;
mod wants;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use birthmark_core::lineage::{Builder, LINKED, Lineage, NodeId, Place, RENAMED, Source};
use birthmark_core::session::Session;
use birthmark_core::{SessionId, Timestamp};

use crate::error::Result;
use crate::project::Project;
use crate::reproduce::{Kept, kept_in};

use seen_as::SeenAs;
use sources::Sources;
use wants::First;

pub(crate) use changed::{changed_at, changed_since, mind};
pub use disk::OnDisk;
pub use render::render;
pub use target::{FoundBy, Target};
pub use tree::Branch;

/// Files over this are not read to be held against their digest, unless they are asked for.
const READ_LIMIT: u64 = 64 << 20;
/// How often files are looked into whose sessions are not here, each time one step further.
const MOST_STEPS: usize = 16;
/// How often it is looked who else speaks of what is reached by now; then all sessions are read.
const MOST_ROUNDS: usize = 12;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Other stores: artifacts folders or projects.
    pub stores: Vec<PathBuf>,
    /// Where it came from.
    pub up: bool,
    /// What came of it.
    pub down: bool,
    /// Files up to this size are held against their digest.
    pub read_limit: u64,
    /// Now.
    pub now: Timestamp,
}

impl Options {
    /// Both ways, in this project's store and those of its settings.
    pub fn at(now: Timestamp) -> Self {
        Self {
            stores: Vec::new(),
            up: true,
            down: true,
            read_limit: READ_LIMIT,
            now,
        }
    }
}

/// A session that takes part.
struct Told {
    store: usize,
    id: SessionId,
    session: Session,
    /// Why no more is known: only a birthmark names it.
    unknown: Option<&'static str>,
}

/// The answer.
pub struct Traced {
    /// What was asked for, and how it was found.
    pub target: Target,
    /// The whole graph; [`Traced::up`] and [`Traced::down`] say what of it counts.
    pub lineage: Lineage,
    /// The projects whose sessions it is made from.
    pub stores: Vec<Project>,
    /// What is reached upwards, the roots included; empty where it was not asked.
    pub up: BTreeSet<NodeId>,
    /// What is reached downwards.
    pub down: BTreeSet<NodeId>,
    /// The artifacts that are reached, as they lie now.
    pub on_disk: BTreeMap<usize, OnDisk>,
    /// When it was made again, and how that came out.
    pub reproductions: Vec<Kept>,
    /// What could not be read.
    pub problems: Vec<String>,
    /// Under which names files were read, and which were only added.
    seen_as: SeenAs,
}

/// Traces a file, a folder, a record (`FILE:LINE`), a digest, a session or a run.
pub fn trace(artifact: &Path, options: &Options) -> Result<Traced> {
    let (projects, named) = stores::find(artifact, &options.stores)?;
    let wanted = wanted::look(artifact, &projects, &named)?;
    let asked = Asked {
        wanted,
        projects: &projects,
        options,
    };
    asked.ask()
}

/// What is asked, and of whom.
struct Asked<'a> {
    wanted: wanted::Wanted,
    projects: &'a [Project],
    options: &'a Options,
}

impl Asked<'_> {
    /// The answer, found by bytes where it can be.
    fn ask(&self) -> Result<Traced> {
        let first = First::of(&self.wanted, self.projects);
        let answer = self.answer(Sources::open(self.projects, &first));
        let is_by_bytes = |traced: &Traced| {
            let found_by = traced.target.found_by;
            !matches!(found_by, FoundBy::Path | FoundBy::Birthmark)
        };
        if self.wanted.path.is_none() || answer.as_ref().is_ok_and(is_by_bytes) {
            return answer;
        }
        // Its bytes are in no journal, and it may have been recorded under a name that leads to it.
        let first = First::with_links(&self.wanted, self.projects);
        self.answer(Sources::open(self.projects, &first))
    }

    /// The answer, from all sessions that have to do with it.
    fn answer(&self, mut sources: Sources<'_>) -> Result<Traced> {
        if let Some(carried) = &self.wanted.carried {
            sources.add(carried::not_here(carried, &sources));
        }
        let mut looked = BTreeSet::new();
        let mut lying = disk::Lying::new();
        let (mut rounds, mut steps) = (0, 0);
        loop {
            let mut traced = self.reached(&sources.told)?;
            rounds += 1;
            let is_more = if rounds < MOST_ROUNDS {
                sources.take(&wants::of_reached(&traced))
            } else {
                sources.take_all()
            };
            if is_more {
                continue;
            }
            let mut more = Vec::new();
            if steps < MOST_STEPS {
                steps += 1;
                for carried in stores::beyond(&traced, &mut looked) {
                    more.extend(carried::not_here(&carried, &sources));
                }
            }
            if !more.is_empty() {
                sources.add(more);
                continue;
            }
            traced.on_disk = disk::look(
                &traced.lineage,
                self.projects,
                traced.nodes().into_iter(),
                self.options.read_limit,
                &mut lying,
            );
            // Another recorded artifact may lie where something reached lay.
            if sources.take(&lying.values().flatten().cloned().collect()) {
                continue;
            }
            let reached = traced.up.union(&traced.down);
            traced.seen_as = SeenAs::of(&sources.told, &traced.lineage, reached);
            traced.reproductions = reproductions(&traced.target, &traced.lineage, self.projects);
            traced.problems = sources.problems;
            return Ok(traced);
        }
    }

    /// The target, and what is reached from it in the lineage of these sessions.
    fn reached(&self, told: &[Told]) -> Result<Traced> {
        let mut lineage = build(told);
        let target = target::find(&self.wanted, &mut lineage, self.projects, told)?;
        let up = self.options.up.then(|| target.up(&lineage));
        let down = (self.options.down).then(|| target.down(&lineage));
        Ok(Traced {
            target,
            up: up.unwrap_or_default(),
            down: down.unwrap_or_default(),
            lineage,
            stores: self.projects.to_vec(),
            on_disk: BTreeMap::new(),
            reproductions: Vec::new(),
            problems: Vec::new(),
            seen_as: SeenAs::default(),
        })
    }
}

/// What the stores tell of its being made again.
fn reproductions(target: &Target, lineage: &Lineage, projects: &[Project]) -> Vec<Kept> {
    let Some(artifact) = target.artifact else {
        return Vec::new();
    };
    let of_runs = target.line.is_some() && !target.runs.is_empty();
    // What it was before it was given another name counts too.
    let named = lineage.back_along(artifact, &[RENAMED, LINKED]);
    let named = || named.iter().map(|node| &lineage.artifacts[*node]);
    let is_its = |kept: &Kept| {
        if of_runs {
            // Of a record it is its run that was done again, whatever came to the file later.
            let run = lineage.run_of(&kept.session_id, &kept.run_id);
            return run.is_some_and(|run| target.runs.contains(&run));
        }
        let digest = kept.digest.as_ref();
        let is_of_path = |place: &Place| place.made && place.file == kept.file;
        digest.is_some_and(|own| {
            named().any(|artifact| {
                artifact.digests.contains(own) && artifact.places.iter().any(is_of_path)
            })
        })
    };
    let all = projects.iter().flat_map(|project| kept_in(&project.layout));
    all.filter(is_its).collect()
}

fn build(told: &[Told]) -> Lineage {
    let mut builder = Builder::new();
    for one in told {
        builder.add(Source {
            store: one.store,
            id: &one.id,
            session: &one.session,
            unknown: one.unknown,
        });
    }
    builder.finish()
}

impl Traced {
    /// Where it came from, as a tree; none where it was not asked.
    pub fn up_tree(&self) -> Vec<Branch> {
        if self.up.is_empty() {
            return Vec::new();
        }
        tree::up(&self.lineage, &self.target, &self.seen_as)
    }

    /// What came of it, as a tree.
    pub fn down_tree(&self) -> Vec<Branch> {
        if self.down.is_empty() {
            return Vec::new();
        }
        tree::down(&self.lineage, &self.target, &self.seen_as)
    }

    /// Every node that takes part, in the order of the graph.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let reached = self.up.union(&self.down).copied();
        reached.chain(self.target.roots()).collect()
    }
}
