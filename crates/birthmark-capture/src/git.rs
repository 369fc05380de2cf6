//! What git knows of the code: commit, branch, dirt, remote, history.
//!
//! * Anchored at a path (the script's folder), never at the current folder or at
//!   `GIT_DIR` and its kin: those are noted and not obeyed.
//! * Read in process. The git program is asked only where the in-process reader
//!   cannot read references (reftable), and only in the user's own repository.
//! * Nothing is written: no index refresh, no lock, no lazy fetch.
//! * Nothing of an untrusted repository is executed: no filter, fsmonitor or hook.
//!   In the user's own repository clean filters run, since `git-lfs` needs them.
//! * Dirty agrees with `git status --porcelain`, apart from what Birthmark itself
//!   left there (see [`StatusOptions`]), and from `status.showUntrackedFiles=no`,
//!   which is about display: an untracked file is dirt.
//!
//! Limits: system-wide attributes of the git installation are not read. A filter that
//! hangs keeps its thread after the time limit. Replacement and graft refs are obeyed
//! as git does by default.

mod ask;
mod between;
pub mod bundle;
mod code;
mod database;
mod file;
mod head;
mod history;
mod index;
mod index_of;
mod lines;
mod listed;
mod objects;
mod open;
mod quick;
mod seen;
pub mod snapshot;
mod staged;
mod status;
mod stored;
mod submodule;
mod text;
mod unconverted;
mod visit;
mod walk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_core::Finding;
use birthmark_core::code::{CodeState, FileState};
use birthmark_core::snapshot::CACHES;

pub use between::{CommitBetween, Difference};
pub use database::{BundleHead, Database};
pub use index_of::index_of;
pub use lines::unified_diff;
pub use listed::{Left, Listed};
pub use objects::Objects;
pub use open::Repository;
pub use stored::{ReadFailure, StoredKind, StoredPlace};
pub use text::{display_path, without_credentials};

use crate::probe::with_time_limit;

/// How long commit and branch may take; they need under a millisecond unless the
/// repository is built to hang.
const HEAD_LIMIT: Duration = Duration::from_secs(2);

/// What a status look may take, and what is Birthmark's own.
#[derive(Debug, Clone)]
pub struct StatusOptions {
    /// Wall time for the whole look. What was seen by then is kept; default 2 s.
    pub time_limit: Duration,
    /// Folders whose untracked files are artifacts, and no dirt.
    pub artifacts: Vec<PathBuf>,
    /// Whether the files in those folders are counted, which takes a walk through them. How
    /// dirty the tree is can be told without.
    pub count_artifacts: bool,
    /// Untracked files and folders that are artifacts (a journal names them as generated), but
    /// for what is no longer as it was left, and for what is code by its name or first bytes,
    /// which counts whoever made it.
    pub generated: Listed,
    /// The file that runs: no artifact, whatever it is called and whoever lists it.
    pub script: Option<PathBuf>,
    /// Whether untracked files are looked for, which takes a walk through all folders.
    pub untracked: bool,
    /// Names of untracked folders and files that are neither dirt nor code: caches of tools.
    pub caches: Vec<String>,
    /// Files that what runs writes its output to, as a shell was told: no dirt where git does not
    /// track them.
    pub outputs: Vec<PathBuf>,
    /// The folder that those of `generated` that are not absolute are in.
    pub generated_in: PathBuf,
}

impl Default for StatusOptions {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(2),
            artifacts: Vec::new(),
            count_artifacts: true,
            generated: Listed::default(),
            script: None,
            untracked: true,
            caches: CACHES.map(str::to_owned).to_vec(),
            outputs: Vec::new(),
            generated_in: PathBuf::new(),
        }
    }
}

/// Commit, branch and remote of the repository round `anchor`, in about a millisecond.
///
/// `dirty` is `Unknown("not looked at yet")`, and so is `pushed` unless it can be told
/// from the branch's own remote-tracking branch.
pub fn capture_head(anchor: &Path) -> CodeState {
    let anchor = anchor.to_owned();
    let look = with_time_limit("git", HEAD_LIMIT, move || {
        match Repository::discover(&anchor) {
            Finding::Found(repository) => head::describe(&repository),
            Finding::Unknown(reason) => outside(&reason),
            Finding::Absent => outside(open::NOT_A_REPOSITORY),
        }
    });
    settled(look)
}

/// All that [`capture_head`] knows, and the state of the work tree.
///
/// Never takes longer than `options.time_limit` (and some milliseconds): when the
/// time is up, a change that was already seen still makes the tree dirty, and
/// otherwise `dirty` is `Unknown("status did not answer in 2 s")`.
pub fn capture_status(anchor: &Path, options: &StatusOptions) -> CodeState {
    status::capture(anchor, options)
}

/// What became of the code since `before`, for [`CodeState::drift_to`]: commit, branch, each
/// tracked file, and those untracked files that `before` names. No folder is walked, so files
/// that came meanwhile are not in it, and its counts are of tracked files alone.
pub fn capture_later(anchor: &Path, before: &CodeState, options: &StatusOptions) -> CodeState {
    status::capture_later(anchor, before, options)
}

/// The top level of the repository at `anchor`, and the ids of the blobs that `git add` would
/// make of these files, in their order. Absent where there is no work tree.
pub fn blob_ids(
    anchor: &Path,
    paths: &[PathBuf],
    limit: Duration,
) -> Finding<(PathBuf, Vec<Finding<String>>)> {
    let (anchor, paths) = (anchor.to_owned(), paths.to_vec());
    match with_time_limit("git", limit, move || file::blobs(&anchor, &paths)) {
        Finding::Found(found) => found,
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    }
}

/// How the file at `path` stands to the commit of its own repository: `anchor` is
/// where the repository is looked for, `path` the file (relative paths: from `anchor`).
pub fn file_state(anchor: &Path, path: &Path) -> FileState {
    let (anchor, path) = (anchor.to_owned(), path.to_owned());
    match with_time_limit("git", HEAD_LIMIT, move || file::state(&anchor, &path)) {
        Finding::Found(state) => state,
        Finding::Absent => file::unknown(open::NOT_A_REPOSITORY),
        Finding::Unknown(reason) => file::unknown(&reason),
    }
}

/// The last commit that changed the file or folder at `path`, as `git log -1 -- path`
/// names it.
///
/// Unknown where `path` is not tracked, is not what the commit holds, or where the
/// history is cut off before the answer.
pub fn last_commit_touching(path: &Path, time_limit: Duration) -> Finding<String> {
    let path = path.to_owned();
    let deadline = std::time::Instant::now() + time_limit;
    match with_time_limit("git history", time_limit, move || {
        history::last_commit_touching(&path, deadline)
    }) {
        Finding::Found(answer) => answer,
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    }
}

/// The state of code that lies in no repository, or in one that cannot be read.
fn outside(reason: &str) -> CodeState {
    let mut state = CodeState::unknown(reason);
    state.git_environment = open::git_environment();
    state
}

/// A look that was late or broke becomes a state that says so.
fn settled(look: Finding<CodeState>) -> CodeState {
    match look {
        Finding::Found(state) => state,
        Finding::Absent => outside(open::NOT_A_REPOSITORY),
        Finding::Unknown(reason) => outside(&reason),
    }
}
