//! Events of the code: what was seen of it, the commits that hold it, the modules that were loaded.

use serde::{Deserialize, Serialize};

use crate::birthmark::Fields;
use crate::snapshot::{LeftOut, NestedCommit, commit_that_holds, lacks};

/// What was seen of the code; every `git_*` field and what stands behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeObserved {
    /// Fields of a birthmark: `git_commit`, `git_branch`, …, `unknown`, `declared`.
    pub fields: Fields,
    /// Counts, changed files, submodules and such.
    pub details: Fields,
}

/// A commit was made that holds a whole working tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTaken {
    /// The snapshot.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// `HEAD` as it was; null on a branch without a commit.
    pub parent: Option<String>,
    /// The reference that keeps it; null where none could be made.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Which repository: empty for the script's own, else where it lies below that one, or
    /// its whole path where it lies elsewhere.
    pub path: String,
    /// Top level of that repository.
    pub root: String,
    /// Its remote, without credentials.
    pub remote: Option<String>,
    /// `repository`, or `store` where the objects could not go into the repository.
    pub kept_in: String,
    /// Whether it gives back every file as it was.
    pub exact: bool,
    /// Why it does not, in phrases.
    pub inexact: Vec<String>,
    /// Files that it does not hold.
    pub left_out: Vec<LeftOut>,
    /// Files that a plain checkout would change; `birthmark snapshot restore` does not.
    pub raw: Vec<String>,
    /// Files that were written after the run began.
    pub changed_after: Vec<String>,
    /// Repositories within.
    pub nested: Vec<NestedCommit>,
    /// Files that are not as in `parent`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl SnapshotTaken {
    /// Why it does not give back every file as it was, in a phrase; none where it does.
    pub fn lacks(&self) -> Option<String> {
        lacks(&self.left_out, &self.inexact)
    }
}

/// A commit was written to the store, since no remote has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeKept {
    /// The commit.
    pub commit: String,
    /// Which repository, as in `snapshot_taken`.
    pub path: String,
    /// Its remote, without credentials.
    pub remote: Option<String>,
    /// Digest of the bundle in `objects/`; null where none could be made.
    pub bundle: Option<String>,
    /// Commits that whoever reads the bundle must have.
    pub prerequisites: Vec<String>,
    /// Why there is no bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// The code is not what it was when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// One line a change: `HEAD moved from … to …`, `train.py was edited`.
    pub changes: Vec<String>,
    /// The code as seen at the end.
    pub fields: Fields,
}

impl Drift {
    /// The commit that holds the tree as it was seen at the end: its snapshot, or that of a clean
    /// tree.
    pub fn commit(&self) -> Option<&str> {
        commit_that_holds(&self.fields)
    }
}

/// One module that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its path below the root, with `/`.
    pub file: String,
    /// The id of the blob that git makes of it; null where it cannot be told.
    pub blob: Option<String>,
    /// Whether it changed after the run began, and other bytes than those of `blob` may have been
    /// loaded. False where it was seen that it was loaded before, or lies as it was loaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    /// Whether neither the commit nor the snapshot of the run holds what was loaded, as where git
    /// ignores the file, or it was edited before it was loaded. Not told in older journals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unkept: bool,
    /// Whether the run wrote it itself: it makes it again. Not told in older journals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
}

/// Code of a repository that a run really loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModulesObserved {
    /// The repository: `.` for the project's own root, else as paths are stored.
    pub root: String,
    /// How it was seen.
    pub observed_by: String,
    /// The modules, by path.
    pub files: Vec<Module>,
    /// What stood in the repository when the run ended, where it is none that was looked at when
    /// the run began: as the entries of `editable_code`.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub code: Fields,
}
