//! The state of the code at one moment: what git could give back, and what it could not.
//!
//! * A [`CodeState`] is plain data: `birthmark-capture` fills it, the hall stores it.
//! * Every fact that can fail to be known is a [`Finding`]: a status that was not
//!   answered in time is *unknown*, never "clean".
//! * Paths are relative to the top level, with `/`, and already fit to be shown:
//!   control characters and bytes that are not UTF-8 are escaped.
//!
//! Limits: `pushed` knows what the last fetch or push left in `refs/remotes`; it
//! asks no server.

use crate::Finding;

/// How many changed files are named; the counts cover all of them.
pub const MOST_CHANGED_FILES: usize = 1000;

/// How many files a sentence about dirtiness names.
const NAMED_IN_SENTENCE: usize = 3;

/// What happened to one file since the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Tracked, and the file in the work tree is not what the index holds.
    Edited,
    /// The index holds something else than the commit, and the work tree agrees with the index.
    Staged,
    /// Not in the commit: untracked, or added to the index.
    New,
    /// In the commit or the index, and gone from the work tree or the index.
    Deleted,
    /// A merge left it in conflict.
    Conflicted,
    /// The same bytes with another mode (executable bit).
    ModeChanged,
    /// A file became a symlink, or the other way round.
    TypeChanged,
    /// A submodule is at another commit than recorded, or is itself dirty.
    Submodule,
}

impl ChangeKind {
    /// The word that stands behind a count: "2 edited", "1 new file".
    fn phrase(self, count: usize) -> String {
        let files = if count == 1 { "file" } else { "files" };
        match self {
            Self::Edited => format!("{count} edited"),
            Self::Staged => format!("{count} staged"),
            Self::New => format!("{count} new {files}"),
            Self::Deleted => format!("{count} deleted"),
            Self::Conflicted => format!("{count} in conflict"),
            Self::ModeChanged => format!("{count} with another mode"),
            Self::TypeChanged => format!("{count} with another type"),
            Self::Submodule if count == 1 => "1 submodule".to_owned(),
            Self::Submodule => format!("{count} submodules"),
        }
    }

    /// The word as stored: lower case, stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Staged => "staged",
            Self::New => "new",
            Self::Deleted => "deleted",
            Self::Conflicted => "conflicted",
            Self::ModeChanged => "mode_changed",
            Self::TypeChanged => "type_changed",
            Self::Submodule => "submodule",
        }
    }
}

/// One file that is not what the commit holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangedFile {
    /// Relative to the top level, with `/`, escaped where it could not be shown.
    pub path: String,
    /// What happened to it; the work tree's word where both index and work tree changed.
    pub kind: ChangeKind,
    /// What the file looked like when it was seen (size and modification time, or the
    /// id in the index), so that two captures can tell a file that was edited again.
    /// Opaque: compare it, do not read it.
    pub mark: String,
}

/// One submodule as it lies in the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmoduleState {
    /// Relative to the top level.
    pub path: String,
    /// The commit that is checked out; unknown where the submodule is not there.
    pub commit: Finding<String>,
    /// Whether the submodule itself is dirty, untracked files included.
    pub dirty: Finding<bool>,
}

/// The commit as the safety net, and all that it would not catch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and none excludes another"
)]
pub struct CodeState {
    /// Top level of the work tree, absolute; `None` outside a repository and in a bare one.
    pub root: Option<String>,
    /// The commit that `HEAD` names: 40 or 64 hex digits.
    pub commit: Finding<String>,
    /// The branch, without `refs/heads/`. Absent on a detached `HEAD`.
    pub branch: Finding<String>,
    /// Whether anything but ignored files and Birthmark's own differs from the
    /// commit. Absent in a bare repository, where the question has no meaning.
    pub dirty: Finding<bool>,
    /// Files whose state in the index differs from the commit.
    pub staged: u64,
    /// Files whose state in the work tree differs from the index.
    pub unstaged: u64,
    /// Files that are neither tracked nor ignored, nor Birthmark's own.
    pub untracked: u64,
    /// Untracked files that do not make the tree dirty: artifacts and sidecars. `None` where
    /// they were not counted.
    pub untracked_artifacts: Option<u64>,
    /// False if the time limit cut the counts short: then they are lower bounds.
    pub counts_complete: bool,
    /// Changed files that git was told not to look at (assume-unchanged, skip-worktree,
    /// a submodule with `ignore`): a change that `git status` hides.
    pub hidden: Vec<String>,
    /// The changed files, sorted by path, at most [`MOST_CHANGED_FILES`].
    pub changed_files: Vec<ChangedFile>,
    /// How many changed files there are in all.
    pub changed_total: u64,
    /// Where the code comes from, without any user information. Absent: no remote.
    pub remote: Finding<String>,
    /// Whether a remote-tracking branch holds the commit, as of the last fetch or
    /// push. Absent if there is neither a remote nor a remote-tracking branch.
    pub pushed: Finding<bool>,
    /// The submodules that are named in the index, sorted by path.
    pub submodules: Vec<SubmoduleState>,
    /// The history is cut off (`git clone --depth`).
    pub shallow: bool,
    /// Objects may be missing until they are fetched (`git clone --filter`).
    pub partial: bool,
    /// The work tree was made by `git worktree add`.
    pub linked_worktree: bool,
    /// There is no work tree.
    pub bare: bool,
    /// What git is in the middle of: merge, rebase, bisect, cherry-pick, revert or am.
    pub operation: Option<String>,
    /// `sha1` or `sha256`; `None` outside a repository.
    pub object_format: Option<String>,
    /// Whether the repository belongs to this user or is named in their `safe.directory`.
    pub trusted: bool,
    /// Names of variables like `GIT_DIR` that were set, and not obeyed.
    pub git_environment: Vec<String>,
}

impl CodeState {
    /// A state of which nothing is known, for this reason.
    pub fn unknown(reason: &str) -> Self {
        Self {
            root: None,
            commit: Finding::unknown(reason),
            branch: Finding::unknown(reason),
            dirty: Finding::unknown(reason),
            staged: 0,
            unstaged: 0,
            untracked: 0,
            untracked_artifacts: None,
            counts_complete: false,
            hidden: Vec::new(),
            changed_files: Vec::new(),
            changed_total: 0,
            remote: Finding::unknown(reason),
            pushed: Finding::unknown(reason),
            submodules: Vec::new(),
            shallow: false,
            partial: false,
            linked_worktree: false,
            bare: false,
            operation: None,
            object_format: None,
            trusted: false,
            git_environment: Vec::new(),
        }
    }

    /// Dirtiness in one line: `clean`, `2 edited, 1 new file (train.py, data.py, +1)`,
    /// `unknown: status did not answer in 2 s`, or `no work tree`.
    pub fn dirty_summary(&self) -> String {
        match &self.dirty {
            Finding::Found(false) => "clean".to_owned(),
            Finding::Found(true) => self.change_summary(),
            Finding::Absent => "no work tree".to_owned(),
            Finding::Unknown(reason) => format!("unknown: {reason}"),
        }
    }

    /// The counts by kind, and at most three of the files.
    fn change_summary(&self) -> String {
        let mut kinds: Vec<(ChangeKind, usize)> = Vec::new();
        for file in &self.changed_files {
            match kinds.iter_mut().find(|(kind, _)| *kind == file.kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((file.kind, 1)),
            }
        }
        if kinds.is_empty() {
            return "changed".to_owned();
        }
        kinds.sort_unstable();
        let total = usize::try_from(self.changed_total).unwrap_or(usize::MAX);
        let counts = if total > self.changed_files.len() {
            format!("{total} changed files")
        } else {
            let phrases: Vec<_> = kinds.iter().map(|(kind, n)| kind.phrase(*n)).collect();
            phrases.join(", ")
        };
        let at_least = if self.counts_complete {
            ""
        } else {
            "at least "
        };
        format!("{at_least}{counts} ({})", self.names(total))
    }

    /// At most three files, tracked ones first, and how many more there are.
    fn names(&self, total: usize) -> String {
        let mut files: Vec<_> = self.changed_files.iter().collect();
        files.sort_by_key(|file| file.kind == ChangeKind::New);
        let mut names: Vec<_> = files
            .iter()
            .take(NAMED_IN_SENTENCE)
            .map(|file| file.path.clone())
            .collect();
        // "(a, b, +1)" says no less than "(a, b, c)" but never runs over the line.
        if total > names.len() {
            names.truncate(NAMED_IN_SENTENCE - 1);
            names.push(format!("+{}", total.saturating_sub(names.len())));
        }
        names.join(", ")
    }

    /// What moved between this state and a later one of the same repository.
    pub fn drift_to(&self, later: &Self) -> Drift {
        let head_moved = match (&self.commit, &later.commit) {
            (Finding::Found(before), Finding::Found(after)) => before != after,
            (Finding::Found(_), _) | (_, Finding::Found(_)) => true,
            _ => false,
        };
        let branch_changed = self.branch.found() != later.branch.found();
        let (files, files_known) = match (&self.dirty, &later.dirty) {
            (Finding::Found(_), Finding::Found(_)) if !head_moved => (
                changed_between(self, later),
                self.counts_complete && later.counts_complete,
            ),
            _ => (Vec::new(), false),
        };
        Drift {
            head_moved,
            branch_changed,
            files,
            files_known,
        }
    }
}

/// Paths whose state is not the same in both, sorted.
fn changed_between(before: &CodeState, after: &CodeState) -> Vec<String> {
    let only_in = |a: &CodeState, b: &CodeState| -> Vec<String> {
        let known: std::collections::HashSet<&ChangedFile> = b.changed_files.iter().collect();
        let missing = a.changed_files.iter().filter(|file| !known.contains(file));
        missing.map(|file| file.path.clone()).collect()
    };
    let mut paths = only_in(before, after);
    // Of so many that not all are listed, one that is listed later only is perhaps no other.
    if before.changed_total <= before.changed_files.len() as u64 {
        paths.extend(only_in(after, before));
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// What moved between two captures of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// `HEAD` names another commit.
    pub head_moved: bool,
    /// Another branch is checked out.
    pub branch_changed: bool,
    /// Files that were edited, made, removed or put back meanwhile.
    pub files: Vec<String>,
    /// False where the files could not be compared (a status was unknown or cut
    /// short, or `HEAD` moved): then an empty list proves nothing.
    pub files_known: bool,
}

impl Drift {
    /// Whether anything is known to have moved.
    pub fn any(&self) -> bool {
        self.head_moved || self.branch_changed || !self.files.is_empty()
    }
}

/// One file against the commit, for the digest of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// The id that git would give to the file's bytes, line ends and filters applied.
    pub blob_id: Finding<String>,
    /// Whether the commit would give back something else. A file that is not in the
    /// commit differs.
    pub differs_from_commit: Finding<bool>,
    /// Whether the index knows the file.
    pub tracked: bool,
}

/// What kind of object an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// The content of a file.
    Blob,
    /// An annotated tag.
    Tag,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirty(files: &[(&str, ChangeKind)]) -> CodeState {
        let mut state = CodeState::unknown("test");
        state.dirty = Finding::Found(!files.is_empty());
        state.commit = Finding::Found("a".repeat(40));
        state.counts_complete = true;
        state.changed_total = files.len() as u64;
        state.changed_files = files
            .iter()
            .map(|(path, kind)| ChangedFile {
                path: (*path).to_owned(),
                kind: *kind,
                mark: String::new(),
            })
            .collect();
        state
    }

    #[test]
    fn three_files_are_named_and_four_end_in_a_count() {
        let three = dirty(&[
            ("data.py", ChangeKind::Edited),
            ("new.py", ChangeKind::New),
            ("train.py", ChangeKind::Edited),
        ]);
        assert_eq!(
            three.dirty_summary(),
            "2 edited, 1 new file (data.py, train.py, new.py)"
        );
        let mut files = vec![("a", ChangeKind::Edited); 4];
        files.push(("z", ChangeKind::New));
        assert_eq!(
            dirty(&files).dirty_summary(),
            "4 edited, 1 new file (a, a, +3)"
        );
    }

    #[test]
    fn unknown_is_never_called_clean() {
        let state = CodeState::unknown("status did not answer in 2 s");
        assert_eq!(
            state.dirty_summary(),
            "unknown: status did not answer in 2 s"
        );
        assert_eq!(dirty(&[]).dirty_summary(), "clean");
    }

    #[test]
    fn a_count_that_was_cut_short_says_at_least() {
        let mut state = dirty(&[("a", ChangeKind::Edited)]);
        state.counts_complete = false;
        assert_eq!(state.dirty_summary(), "at least 1 edited (a)");
    }

    #[test]
    fn drift_names_the_file_that_was_edited_again() {
        let before = dirty(&[("a", ChangeKind::Edited), ("b", ChangeKind::New)]);
        let mut after = before.clone();
        assert!(!before.drift_to(&after).any());
        after.changed_files[0].mark = "12:34".to_owned();
        let drift = before.drift_to(&after);
        assert_eq!(drift.files, ["a"]);
        assert!(drift.files_known && !drift.head_moved);
    }

    #[test]
    fn drift_with_an_unknown_status_does_not_claim_that_nothing_moved() {
        let before = dirty(&[]);
        let after = CodeState {
            dirty: Finding::unknown("late"),
            ..before.clone()
        };
        let drift = before.drift_to(&after);
        assert!(!drift.any() && !drift.files_known);
    }

    #[test]
    fn a_moved_head_is_drift() {
        let before = dirty(&[]);
        let after = CodeState {
            commit: Finding::Found("b".repeat(40)),
            ..before.clone()
        };
        assert!(before.drift_to(&after).head_moved);
    }
}
