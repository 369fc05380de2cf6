//! Git bundles, written and read in process: a commit and what it needs, in one file.
//!
//! * A bundle is one that `git fetch` and `git clone` take: version 2, or 3 where ids are
//!   SHA-256. Its objects are whole, without deltas, so that reading it back needs nothing.
//! * It holds the commits that are on no remote. The commits below them, which whoever reads
//!   it must have, are its prerequisites.
//! * Where the history is too large, or cut off, the files of the commit alone are kept:
//!   then its prerequisites are its parents, and git wants them, but reading the files back
//!   does not.
//! * What is large and lies in the bundle of another commit is not in it again: that commit is a
//!   prerequisite, too.
//!
//! Limits: a bundle is held in memory. Bundles with deltas, as git writes them, are not read.

mod collect;
pub(super) mod pack;
mod read;

use std::time::{Duration, Instant};

use birthmark_core::Finding;
use gix::ObjectId;

use super::database::Database;
use super::history::{Reach, tips};
use super::open::Repository;
use super::snapshot::Part;
use collect::{Boundary, Collection};

pub use read::{Packed, Unpacked, unpack};

pub use birthmark_core::snapshot::COMMITS;

/// What a bundle may take.
pub struct BundleOptions<'a> {
    /// Bytes of the whole file.
    pub limit: u64,
    /// How long it may take.
    pub time: Duration,
    /// Whether a commit, and all below it, is kept elsewhere already.
    pub is_kept: &'a dyn Fn(&str) -> bool,
    /// A commit that is kept elsewhere, with all of its files, and has this file or folder: an
    /// id for an id. Where one is given, the bundle leaves the object to it.
    pub holder: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a person has stopped it.
    pub is_stopped: &'a dyn Fn() -> bool,
}

impl<'a> BundleOptions<'a> {
    fn end(&self) -> End<'a> {
        End {
            deadline: Instant::now() + self.time,
            is_stopped: self.is_stopped,
        }
    }

    /// The question of [`BundleOptions::holder`], by ids as they are here.
    fn holder(&self) -> impl Fn(ObjectId) -> Option<ObjectId> {
        |id| {
            let commit = (self.holder)(&id.to_string())?;
            ObjectId::from_hex(commit.as_bytes()).ok()
        }
    }
}

/// When the work is given up.
#[derive(Clone, Copy)]
struct End<'a> {
    deadline: Instant,
    is_stopped: &'a dyn Fn() -> bool,
}

impl End<'_> {
    /// Says why it is given up, where it is: `late`, or that it was stopped.
    fn check(self, late: &str) -> Result<(), String> {
        if (self.is_stopped)() {
            return Err("it was interrupted".to_owned());
        }
        if Instant::now() >= self.deadline {
            return Err(late.to_owned());
        }
        Ok(())
    }
}

/// A bundle, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The file.
    pub bytes: Vec<u8>,
    /// Commits that whoever reads it must have.
    pub prerequisites: Vec<String>,
    /// Those of them to which files or folders were left that this commit has.
    pub shares: Vec<String>,
    /// Its large files and folders, the outermost first: what later bundles can leave to it.
    pub large: Vec<String>,
    /// Why the history is not in it, if it is not: then only the files of the commit are.
    pub without_history: Option<String>,
}

/// A name and the commit that it stands for, for the head of a bundle.
pub type Named = (String, String);

impl Part {
    /// Bundles one of this repository's commits with what lies below it; `None` where a
    /// remote has it. `Err` says why it cannot be: then its files still can.
    pub fn bundle(
        &self,
        commit: &str,
        options: &BundleOptions<'_>,
    ) -> Result<Option<Bundle>, String> {
        let repository = self.repository();
        let database = Database::of(&repository.git);
        let commit_id = database.parse(commit)?;
        let boundary = match remote_tips(repository)? {
            tips if tips.is_empty() => None,
            tips => Some(Reach::from_tips(&repository.git, tips)),
        };
        let mut kept = Kept {
            git: &repository.git,
            boundary,
            deadline: options.end().deadline,
            options,
        };
        let cut = repository.git.shallow_commits().ok().flatten();
        let cut: Vec<ObjectId> = cut
            .map(|cut| cut.iter().copied().collect())
            .unwrap_or_default();
        let end = options.end();
        let holder = options.holder();
        let mut collection = Collection::new(&database, cut, end, &holder);
        let prerequisites = collection.history(commit_id, &mut kept)?;
        if prerequisites.contains(&commit_id) {
            return Ok(None);
        }
        bundle_of(&database, &collection, commit, prerequisites, options.limit).map(Some)
    }

    /// Bundles the files of a commit, and nothing below it, for this reason.
    pub fn bundle_files(
        &self,
        commit: &str,
        reason: &str,
        options: &BundleOptions<'_>,
    ) -> Result<Bundle, String> {
        let database = Database::of(&self.repository().git);
        let holder = options.holder();
        let mut collection = Collection::new(&database, Vec::new(), options.end(), &holder);
        let parents = collection.alone(database.parse(commit)?)?;
        let bundle = bundle_of(&database, &collection, commit, parents, options.limit)?;
        Ok(Bundle {
            without_history: Some(reason.to_owned()),
            ..bundle
        })
    }

    /// How much the packs of the repository take: a history is not smaller in a bundle.
    pub fn packed_bytes(&self) -> u64 {
        let folder = self
            .repository()
            .git
            .objects
            .store_ref()
            .path()
            .join("pack");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
        sizes.sum()
    }

    /// Whether anything is known of what a remote has.
    pub fn knows_a_remote(&self) -> bool {
        remote_tips(self.repository()).is_ok_and(|tips| !tips.is_empty())
    }
}

/// Bundles commits of several databases with all of their history: what needs nothing else.
pub fn bundle_whole(
    commits: &[(&Database, Vec<Named>)],
    options: &BundleOptions<'_>,
) -> Result<Bundle, String> {
    let end = options.end();
    let mut collections = Vec::new();
    let mut names = Vec::new();
    for (database, named) in commits {
        let mut collection = Collection::new(database, Vec::new(), end, &|_| None);
        for (name, commit) in named {
            collection.history(database.parse(commit)?, &mut Everything)?;
            names.push((name.clone(), commit.clone()));
        }
        collections.push((*database, collection));
    }
    let sources: Vec<(&Database, &[ObjectId])> = collections
        .iter()
        .map(|(database, collection)| (*database, collection.objects()))
        .collect();
    Ok(Bundle {
        bytes: spell(&sources, &[], &names, options.limit, end)?,
        prerequisites: Vec::new(),
        shares: Vec::new(),
        large: Vec::new(),
        without_history: None,
    })
}

/// The bundle of one commit, of what was collected for it.
fn bundle_of(
    database: &Database,
    collection: &Collection<'_>,
    commit: &str,
    mut prerequisites: Vec<ObjectId>,
    limit: u64,
) -> Result<Bundle, String> {
    let shares: Vec<ObjectId> = collection.holders().collect();
    prerequisites.extend(&shares);
    prerequisites.sort_unstable();
    prerequisites.dedup();
    let names = [(format!("{COMMITS}{commit}"), commit.to_owned())];
    let sources = [(database, collection.objects())];
    Ok(Bundle {
        bytes: spell(&sources, &prerequisites, &names, limit, collection.end())?,
        prerequisites: hex(&prerequisites),
        shares: hex(&shares),
        large: collection
            .large()
            .iter()
            .rev()
            .map(ToString::to_string)
            .collect(),
        without_history: None,
    })
}

fn hex(ids: &[ObjectId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// No boundary at all.
struct Everything;

impl Boundary for Everything {
    fn holds(&mut self, _: ObjectId) -> Result<bool, String> {
        Ok(false)
    }
}

/// What the walk over history need not go beyond.
struct Kept<'a> {
    git: &'a gix::Repository,
    boundary: Option<Reach>,
    deadline: Instant,
    options: &'a BundleOptions<'a>,
}

impl Boundary for Kept<'_> {
    fn holds(&mut self, id: ObjectId) -> Result<bool, String> {
        if (self.options.is_kept)(&id.to_string()) {
            return Ok(true);
        }
        let Some(reach) = &mut self.boundary else {
            return Ok(false);
        };
        match reach.contains(self.git, id, self.deadline) {
            Finding::Found(found) => Ok(found),
            Finding::Absent => Ok(false),
            Finding::Unknown(reason) => Err(reason),
        }
    }
}

/// What is known of the remotes' branches.
fn remote_tips(repository: &Repository) -> Result<Vec<ObjectId>, String> {
    match tips(repository, &["refs/remotes/"]) {
        Finding::Found(tips) => Ok(tips),
        Finding::Absent => Ok(Vec::new()),
        Finding::Unknown(reason) => Err(reason),
    }
}

/// The bytes of the file.
fn spell(
    sources: &[(&Database, &[ObjectId])],
    prerequisites: &[ObjectId],
    names: &[Named],
    limit: u64,
    end: End<'_>,
) -> Result<Vec<u8>, String> {
    let format = sources.first().map(|(database, _)| database.hash_kind());
    let mut bytes = match format {
        None | Some(gix::hash::Kind::Sha1) => b"# v2 git bundle\n".to_vec(),
        Some(format) => format!("# v3 git bundle\n@object-format={format}\n").into_bytes(),
    };
    for id in prerequisites {
        bytes.extend(format!("-{id} \n").bytes());
    }
    for (name, id) in names {
        bytes.extend(format!("{id} {name}\n").bytes());
    }
    bytes.push(b'\n');
    pack::write(sources, limit, end, &mut bytes)?;
    Ok(bytes)
}
