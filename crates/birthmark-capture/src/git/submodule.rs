//! Submodules: at which commit they are, and whether they are dirty themselves.
//!
//! A submodule that is not checked out is clean, as git has it. One that its settings
//! say to ignore does not make the tree dirty, but a change in it is named as hidden.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use birthmark_core::Finding;
use birthmark_core::code::SubmoduleState;
use gix::bstr::{BStr, BString};
use gix::sec::Trust;
use gix::status::plumbing::index_as_worktree::traits::SubmoduleStatus;
use gix::submodule::config::Ignore;

use super::head;
use super::open::Repository;
use super::seen::{Look, Own, Seen, Stop};
use super::status::look;
use super::text::display_path;

/// Submodules in submodules are followed this deep.
const DEEPEST: u32 = 8;

/// Looks at one submodule after the other, for the status of the tree above.
#[derive(Clone)]
pub(super) struct Submodules {
    root: PathBuf,
    trust: Trust,
    depth: u32,
    ignored: Arc<HashMap<BString, Ignore>>,
    stop: Stop,
    seen: Arc<Mutex<Seen>>,
}

impl Submodules {
    /// Prepares to look below the work tree of `repository`.
    pub(super) fn new(
        repository: &Repository,
        depth: u32,
        stop: &Stop,
        seen: &Arc<Mutex<Seen>>,
    ) -> Self {
        let trust = if repository.trusted {
            Trust::Full
        } else {
            Trust::Reduced
        };
        Self {
            root: repository.root().map(PathBuf::from).unwrap_or_default(),
            trust,
            depth,
            ignored: Arc::new(ignore_settings(&repository.git)),
            stop: stop.clone(),
            seen: Arc::clone(seen),
        }
    }

    /// The state of the submodule, and whether only untracked files make it dirty.
    fn look_into(&self, path: &BStr) -> (SubmoduleState, bool, Finding<gix::ObjectId>) {
        let shown = display_path(path);
        let unknown = |reason: &str| {
            let state = SubmoduleState {
                path: shown.clone(),
                commit: Finding::unknown(reason),
                dirty: Finding::unknown(reason),
            };
            (state, false, Finding::unknown(reason))
        };
        let Ok(relative) = gix::path::from_bstr(path) else {
            return unknown("its name is no path here");
        };
        if self.depth >= DEEPEST {
            return unknown("nested too deep");
        }
        let repository = match Repository::at_root(&self.root.join(relative), self.trust) {
            Finding::Found(repository) => repository,
            other => return unknown(other.reason().unwrap_or("not checked out")),
        };
        let head = head::read_head(&repository);
        let inner = Arc::new(Mutex::new(Seen::default()));
        let own = Own::default();
        let outcome = look(&repository, &head, &own, &self.stop, &inner, self.depth + 1);
        let seen = inner.lock().map(|seen| seen.clone()).unwrap_or_default();
        let (failure, index) = match outcome {
            Ok(index) => (None, Some(index)),
            Err(reason) => (Some(reason), None),
        };
        let dirty = seen.verdict(failure);
        let only_untracked = seen.only_untracked();
        let state = SubmoduleState {
            path: shown,
            commit: head.commit.as_ref().map(ToString::to_string),
            dirty,
        };
        if let (Some(index), Ok(mut above)) = (index, self.seen.lock()) {
            let look = Arc::new(Look { seen, index });
            above.inner.insert(path.to_owned(), look);
        }
        (state, only_untracked, head.commit)
    }
}

impl SubmoduleStatus for Submodules {
    type Output = ();

    fn status(&mut self, entry: &gix::index::Entry, path: &BStr) -> gix::Result<Option<()>> {
        let (state, only_untracked, commit) = self.look_into(path);
        let moved = matches!(commit, Finding::Found(id) if id != entry.id);
        let dirty = state.dirty == Finding::Found(true);
        let cannot_tell = state
            .dirty
            .reason()
            .filter(|reason| *reason != "not checked out");
        let ignore = self.ignored.get(path).copied().unwrap_or_default();
        let counts = match ignore {
            Ignore::All => false,
            Ignore::Dirty => moved,
            Ignore::Untracked => moved || (dirty && !only_untracked),
            Ignore::None => moved || dirty,
        };
        let shown = state.path.clone();
        if let Ok(mut seen) = self.seen.lock() {
            if let Some(reason) = cannot_tell
                && !moved
            {
                seen.cannot_tell(format!("submodule {shown}: {reason}"));
            }
            if !counts && (moved || dirty) {
                seen.hidden.push(shown);
            }
            seen.submodules.push(state);
        }
        Ok(counts.then_some(()))
    }
}

/// What the settings say to ignore, by path.
fn ignore_settings(git: &gix::Repository) -> HashMap<BString, Ignore> {
    let all = git.config_snapshot().string("diff.ignoreSubmodules");
    let all = all.and_then(|value| Ignore::try_from(BStr::new(&value)).ok());
    let Ok(Some(submodules)) = git.submodules() else {
        return HashMap::new();
    };
    let settings = submodules.filter_map(|submodule| {
        let ignore = all.or_else(|| submodule.ignore().ok().flatten())?;
        Some((submodule.path().ok()?, ignore))
    });
    settings.collect()
}
