//! Keeping the commits that runs stood on: a rebase and a force push take a commit off every
//! branch, and `git gc` then throws it away, and with it what builds on it.
//!
//! * One reference a commit, `refs/birthmark/commits/<commit>`, however many runs stood on it.
//! * No log, no index, no branch: `git status`, `git branch` and `git push --all` do not see it.
//! * A repository that is not written to gets none: the store has the whole of its history.

use std::time::Instant;

use birthmark_core::Finding;
use birthmark_core::snapshot::COMMITS;
use gix::ObjectId;

use super::Part;
use super::write::{name_commit, references};
use crate::git::history::{Reach, tips};

impl Part {
    /// The commit of the user's that the tree stands on: the parent of a snapshot, else the
    /// commit itself; `None` on a branch without one.
    pub fn stands_on(&self) -> Option<&str> {
        match &self.taken {
            Some(taken) => taken.parent.as_deref(),
            None => Some(&self.commit),
        }
    }

    /// Makes the reference that keeps that commit, where there is none yet.
    pub fn pin(&self) -> Result<(), String> {
        let Some(commit) = self.stands_on().filter(|_| !self.in_store) else {
            return Ok(());
        };
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| format!("{commit} is no id"))?;
        let name = format!("{COMMITS}{commit}");
        let git = &self.repository().git;
        let is_there = !self.repository().reftable
            && git
                .try_find_reference(&*name)
                .is_ok_and(|found| found.is_some_and(|one| one.id().detach() == id));
        if is_there {
            return Ok(());
        }
        name_commit(self.repository(), &name, id)
    }

    /// The commits that are kept so and are on no remote-tracking branch, as far as that is
    /// told by `deadline`.
    pub fn pinned_off_remotes(&self, deadline: Instant) -> Vec<String> {
        let repository = self.repository();
        let remotes = tips(repository, &["refs/remotes/"]);
        let (Some(remotes), false) = (remotes.found(), self.in_store) else {
            return Vec::new();
        };
        let mut reach = Reach::from_tips(&repository.git, remotes.iter().copied());
        let pinned = references(repository, COMMITS).unwrap_or_default();
        let mut is_off = |hex: &str| {
            let id = ObjectId::from_hex(hex.as_bytes());
            id.is_ok_and(|id| {
                reach.contains(&repository.git, id, deadline) == Finding::Found(false)
            })
        };
        let commits = pinned.into_iter().map(|(_, commit)| commit);
        commits.filter(|commit| is_off(commit)).collect()
    }
}
