//! The working tree as a real commit, made beside `HEAD` without touching anything.
//!
//! * Built from the look that status has taken: `HEAD`'s tree with the touched paths edited.
//!   No index is written, no filter runs, and files are stored as they lie.
//! * `HEAD`, index, branches, stash, work tree and logs stay as they are to the byte; there
//!   are new objects, and one new reference.
//! * Ignored files are out, and Birthmark's own. Files over the limits, and files that hold
//!   a known secret, are out by name; then the snapshot is not exact.
//! * The same tree on the same commit gives the same commit id.
//! * Repositories within (submodules, nested ones) are snapshots of their own, which the tree
//!   names by commit; where that cannot be, it is said by name.
//! * A repository of somebody else, and one that cannot be written, is not written to: the
//!   objects go to a bare repository that the caller makes.
//!
//! Limits: a file is held in memory while it is stored. Files that a sparse checkout leaves
//! out are as in `HEAD`.

mod convert;
mod converted;
mod files;
mod level;
mod message;
mod nested;
mod pack;
mod pin;
mod secrets;
mod tree;
pub(super) mod write;

use std::path::{Path, PathBuf};
use std::time::Instant;

use birthmark_core::code::CodeState;
use birthmark_core::snapshot::{COMMITS, LeftOut, NestedCommit, REFERENCES};
use gix::ObjectId;
use gix::bstr::BString;

use super::database::Database;
use super::open::Repository;
use super::seen::{Look, Own};
use super::text::display_path;
use super::{StatusOptions, status};

/// What a look at the work tree found, for a snapshot to be made from.
#[derive(Debug)]
pub struct Changes {
    anchor: PathBuf,
    own: Own,
    look: Look,
}

/// All that [`super::capture_status`] tells, and what a snapshot is made from. `Err` says why
/// none can be.
pub fn capture_status_and_changes(
    anchor: &Path,
    options: &StatusOptions,
) -> (CodeState, Result<Changes, String>) {
    let (state, look) = status::capture_with_changes(anchor, options);
    let changes = look.map(|look| Changes {
        anchor: anchor.to_owned(),
        own: Own::new(options),
        look,
    });
    (state, changes)
}

/// A repository whose objects cannot go into itself.
#[derive(Debug, Clone)]
pub struct Lender {
    /// Top level of its work tree.
    pub root: PathBuf,
    /// Its objects, which a bare repository can borrow.
    pub objects: PathBuf,
    /// `sha1` or `sha256`.
    pub object_format: String,
}

/// Makes a bare repository that borrows the objects of another one; gives its folder.
pub type MakeBare<'a> = dyn Fn(&Lender) -> Result<PathBuf, String> + 'a;

/// What a snapshot may take.
pub struct SnapshotOptions<'a> {
    /// Files of more bytes are left out.
    pub max_file: u64,
    /// Files beyond this many bytes in all are left out.
    pub max_total: u64,
    /// When to give up.
    pub deadline: Instant,
    /// When the run began, in microseconds since 1970: what was written later is listed.
    pub began: Option<i64>,
    /// Where objects go that cannot go into their repository.
    pub make_bare: &'a MakeBare<'a>,
}

/// A file that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Omitted {
    pub(super) path: BString,
    pub(super) size: Option<u64>,
    pub(super) reason: String,
}

/// One repository and the commit that holds what ran.
#[derive(Debug)]
pub struct Part {
    /// Where it lies below the first one; empty for that one itself.
    pub path: String,
    /// Top level of its work tree.
    pub root: PathBuf,
    /// Its remote, without credentials.
    pub remote: Option<String>,
    /// The commit: a snapshot, or `HEAD` of a clean tree.
    pub commit: String,
    /// What is told of a snapshot; `None` for a clean tree.
    pub taken: Option<Taken>,
    /// Whether the objects are in a bare repository of the caller's.
    pub in_store: bool,
    /// Where the objects are.
    target: Repository,
    id: ObjectId,
    written: write::Written,
}

/// What is told of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Its tree.
    pub tree: String,
    /// The commit below it.
    pub parent: Option<String>,
    /// Files that it does not hold.
    pub left_out: Vec<LeftOut>,
    /// What else keeps it from being exact.
    pub inexact: Vec<String>,
    /// Files that a plain checkout would change.
    pub raw: Vec<String>,
    /// Files written after the run began.
    pub changed_after: Vec<String>,
    /// Repositories within.
    pub nested: Vec<NestedCommit>,
    /// Files that are not as in the parent.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Taken {
    /// Whether it gives back every file as it was.
    pub fn is_exact(&self) -> bool {
        self.left_out.is_empty() && self.inexact.is_empty()
    }
}

/// Makes the commits: that of the repository round the anchor first, then those within.
/// Objects are written, but neither synced nor named by a reference yet: see
/// [`Part::settle`].
pub fn take(changes: &Changes, options: &SnapshotOptions<'_>) -> Result<Vec<Part>, String> {
    let repository = match Repository::discover(&changes.anchor) {
        birthmark_core::Finding::Found(repository) => repository,
        other => {
            let reason = other.reason().unwrap_or(super::open::NOT_A_REPOSITORY);
            return Err(reason.to_owned());
        }
    };
    let budget = level::Budget::new(options);
    let mut parts = Vec::new();
    let level = level::Level {
        path: String::new(),
        depth: 0,
        own: &changes.own,
        budget: &budget,
        options,
    };
    level.take(repository, &changes.look, &mut parts)?;
    parts.reverse();
    Ok(parts)
}

impl Part {
    /// Syncs the objects, then makes the reference that keeps them; gives its name. A clean
    /// commit needs none.
    pub fn settle(&mut self, run: &str) -> Result<Option<String>, String> {
        if self.taken.is_none() {
            return Ok(None);
        }
        let name = format!("{REFERENCES}{run}");
        std::mem::take(&mut self.written).settle(&self.target, &name, self.id)?;
        Ok(Some(name))
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.target
    }

    /// The folder of the repository that has the objects.
    pub fn git_dir(&self) -> &Path {
        self.target.git.git_dir()
    }
}

/// Puts the objects that came from bundles into the repository round `anchor`, and makes the
/// reference `name` for `commit` there. Only the user's own repository is written to.
pub fn bring_into(
    anchor: &Path,
    database: &Database,
    commit: &str,
    name: &str,
) -> Result<(), String> {
    let repository = match Repository::discover(anchor) {
        birthmark_core::Finding::Found(repository) => repository,
        other => return Err(other.reason().unwrap_or("there is none").to_owned()),
    };
    if !repository.trusted {
        return Err("the repository belongs to somebody else".to_owned());
    }
    let mut writer = write::Writer::new(&repository.git, &repository.git);
    for packed in database.packed().values() {
        writer.put(packed.kind, &packed.bytes)?;
    }
    let id = database.parse(commit)?;
    writer.finish()?.settle(&repository, name, id)
}

/// Birthmark's references in the repository round `anchor`, and their commits: those of
/// snapshots, then those of commits that runs stood on.
pub fn references(anchor: &Path) -> Result<Vec<(String, String)>, String> {
    let repository = match Repository::discover(anchor) {
        birthmark_core::Finding::Found(repository) => repository,
        other => return Err(other.reason().unwrap_or("there is none").to_owned()),
    };
    let mut found = write::references(&repository, REFERENCES)?;
    found.extend(write::references(&repository, COMMITS)?);
    Ok(found)
}

/// Takes one of them away, if it still names `commit`.
pub fn delete_reference(anchor: &Path, name: &str, commit: &str) -> Result<(), String> {
    let repository = match Repository::discover(anchor) {
        birthmark_core::Finding::Found(repository) => repository,
        other => return Err(other.reason().unwrap_or("there is none").to_owned()),
    };
    if !repository.trusted {
        return Err("the repository belongs to somebody else".to_owned());
    }
    let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| format!("{commit} is no id"))?;
    write::delete_reference(&repository, name, id)
}

/// Whether every part of a path is a plain name, and none is git's own folder.
pub(super) fn is_plain_path(path: &gix::bstr::BStr) -> bool {
    files::is_plain(path)
}

fn left_out(omitted: Vec<Omitted>) -> Vec<LeftOut> {
    let named = omitted.into_iter().map(|file| LeftOut {
        path: display_path(&file.path),
        size: file.size,
        digest: None,
        reason: file.reason,
    });
    named.collect()
}
