//! What lies between two commits: the commits that lead from one to the other, the files
//! that differ, and what a commit holds at a path.
//!
//! Read in process: trees are compared by their ids, no filter and no external diff runs.
//! A history that is cut off gives the files all the same, and no count of commits.

use gix::ObjectId;
use gix::bstr::ByteSlice as _;

use birthmark_core::Finding;

use super::objects::Objects;

/// Commits beyond this number are counted, not listed.
const LISTED: usize = 50;
/// Commits beyond this number are not counted.
const COUNTED: u64 = 100_000;
/// Branches that are asked for a file.
const BRANCHES: usize = 200;
/// Files beyond this number are not listed.
const FILES: usize = 100_000;

/// One commit between two others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitBetween {
    /// Its id.
    pub id: String,
    /// The first line of its message.
    pub title: String,
    /// Whether it leads to the new one; otherwise to the old.
    pub to_new: bool,
}

/// What lies between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Commits that lead to one and not to the other, at most some of them.
    pub commits: Vec<CommitBetween>,
    /// How many there are; unknown where the history is cut off.
    pub count: Finding<u64>,
    /// The paths that differ, from the top level; not UTF-8 is replaced.
    pub files: Vec<String>,
}

impl Objects {
    /// What lies between two commits. Absent: one of them is not in this clone.
    pub fn between(&self, old: &str, new: &str) -> Finding<Difference> {
        let (old, new) = match (self.commit(old), self.commit(new)) {
            (Finding::Found(old), Finding::Found(new)) => (old, new),
            (Finding::Unknown(reason), _) | (_, Finding::Unknown(reason)) => {
                return Finding::Unknown(reason);
            }
            _ => return Finding::Absent,
        };
        let files = match self.files_between(old, new) {
            Ok(files) => files,
            Err(reason) => return Finding::Unknown(reason),
        };
        let mut commits = Vec::new();
        let count = self
            .commits_between(old, new, true, &mut commits)
            .and_then(|ahead| {
                let behind = self.commits_between(new, old, false, &mut commits)?;
                Ok(ahead + behind)
            });
        Finding::Found(Difference {
            commits,
            count: count.map_or_else(Finding::Unknown, Finding::Found),
            files,
        })
    }

    /// What a commit holds at a path from the top level, up to `limit` bytes.
    pub fn read_at(&self, commit: &str, path: &str, limit: usize) -> Option<Vec<u8>> {
        let commit = *self.commit(commit).found()?;
        let git = self.git();
        let tree = git.find_commit(commit).ok()?.tree().ok()?;
        let entry = tree.lookup_entry_by_path(path).ok()??;
        if !entry.mode().is_blob() {
            return None;
        }
        let header = git.find_header(entry.object_id()).ok()?;
        if header.size() > limit as u64 {
            return None;
        }
        Some(entry.object().ok()?.detach().data)
    }

    /// The last commit of a branch, a local or a remote-tracking one, that holds at a path from the
    /// top level what `is_it` takes, of up to `limit` bytes. Not every branch of very many is asked.
    pub fn branch_with(
        &self,
        path: &str,
        limit: usize,
        is_it: impl Fn(&[u8]) -> bool,
    ) -> Option<String> {
        let tips = self.tips(&["refs/heads/", "refs/remotes/"]);
        let mut commits = tips.iter().take(BRANCHES).map(ToString::to_string);
        commits.find(|commit| {
            let held = self.read_at(commit, path, limit);
            held.is_some_and(|bytes| is_it(&bytes))
        })
    }

    /// The id of the blob that a commit holds at a path, in hex.
    pub fn blob_at(&self, commit: &str, path: &str) -> Option<String> {
        let commit = *self.commit(commit).found()?;
        let tree = self.git().find_commit(commit).ok()?.tree().ok()?;
        let entry = tree.lookup_entry_by_path(path).ok()??;
        Some(entry.object_id().to_string())
    }

    /// The paths of all files that a commit holds.
    pub fn files_at(&self, commit: &str) -> Vec<String> {
        let Some(commit) = self.commit(commit).found().copied() else {
            return Vec::new();
        };
        let tree = self
            .git()
            .find_commit(commit)
            .and_then(|commit| commit.tree());
        let Ok(tree) = tree else { return Vec::new() };
        let Ok(entries) = tree.traverse().breadthfirst.files() else {
            return Vec::new();
        };
        entries
            .into_iter()
            .filter(|entry| entry.mode.is_blob())
            .map(|entry| entry.filepath.to_str_lossy().into_owned())
            .collect()
    }

    /// The one commit whose id begins so. Absent: none here does.
    pub fn resolve_short(&self, prefix: &str) -> Finding<String> {
        let is_hex = prefix
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || prefix.len() < 4 {
            return Finding::unknown("not the beginning of an object id");
        }
        let spec = format!("{prefix}^{{commit}}");
        match self.git().rev_parse_single(spec.as_str()) {
            // A branch may be called like an id.
            Ok(id) if id.to_string().starts_with(prefix) => Finding::Found(id.to_string()),
            Ok(_) => Finding::unknown("a branch or tag has that name"),
            Err(error) if error.to_string().contains("ambiguous") => {
                Finding::unknown("several commits begin so")
            }
            Err(_) => Finding::Absent,
        }
    }

    fn commit(&self, hex: &str) -> Finding<ObjectId> {
        let id = match self.parse(hex) {
            Finding::Found(id) => id,
            Finding::Absent => return Finding::Absent,
            Finding::Unknown(reason) => return Finding::Unknown(reason),
        };
        if self.git().find_commit(id).is_ok() {
            Finding::Found(id)
        } else {
            Finding::Absent
        }
    }

    fn files_between(&self, old: ObjectId, new: ObjectId) -> Result<Vec<String>, String> {
        let git = self.git();
        let cannot = |_| "the commits' trees cannot be read".to_owned();
        let tree = |id| git.find_commit(id).and_then(|commit| commit.tree());
        let (old, new) = (tree(old).map_err(cannot)?, tree(new).map_err(cannot)?);
        let changes = git
            .diff_tree_to_tree(Some(&old), Some(&new), gix::diff::Options::default())
            .map_err(|_| "the commits' trees cannot be read".to_owned())?;
        let mut files: Vec<String> = changes
            .iter()
            .filter(|change| !change.entry_mode().is_tree())
            .map(|change| change.location().to_str_lossy().into_owned())
            .take(FILES)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Counts the commits that lead to `tip` and not to `hidden`, and lists some.
    fn commits_between(
        &self,
        hidden: ObjectId,
        tip: ObjectId,
        to_new: bool,
        into: &mut Vec<CommitBetween>,
    ) -> Result<u64, String> {
        let git = self.git();
        let cut = || "the history is cut off or incomplete".to_owned();
        if git.is_shallow().unwrap_or(true) {
            return Err(cut());
        }
        let walk = git.rev_walk([tip]).with_hidden([hidden]).all();
        let mut count = 0;
        for found in walk.map_err(|_| cut())? {
            let found = found.map_err(|_| cut())?;
            count += 1;
            if count > COUNTED {
                return Err("there are too many to count".to_owned());
            }
            if into.len() < LISTED {
                let title = found.object().ok().and_then(|commit| {
                    let message = commit.message_raw().ok()?.to_str_lossy().into_owned();
                    message.lines().next().map(str::to_owned)
                });
                into.push(CommitBetween {
                    id: found.id.to_string(),
                    title: title.unwrap_or_default(),
                    to_new,
                });
            }
        }
        Ok(count)
    }
}
