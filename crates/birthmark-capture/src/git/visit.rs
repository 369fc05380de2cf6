//! Sorts what the pass over the work tree comes upon.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use birthmark_core::code::ChangeKind;
use gix::bstr::{BStr, BString};
use gix::index::entry::Flags;
use gix::status::plumbing::index_as_worktree::{Change, EntryStatus};
use gix::status::plumbing::index_as_worktree_with_renames::{Entry, VisitEntry};

use super::file::refused_filter;
use super::index::Flagged;
use super::open::Repository;
use super::seen::{Own, OwnBelow, Seen};
use super::text::display_path;

/// A changed file whose filter was refused: its bytes say nothing.
pub(super) struct Suspect {
    path: BString,
    size: u32,
}

/// Takes each difference between index and work tree, and each untracked file.
pub(super) struct Visitor<'a> {
    own: OwnBelow<'a>,
    flagged: &'a Flagged,
    suspicious: bool,
    suspects: Vec<Suspect>,
    seen: &'a Arc<Mutex<Seen>>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(
        repository: &Repository,
        own: &'a Own,
        flagged: &'a Flagged,
        seen: &'a Arc<Mutex<Seen>>,
    ) -> Self {
        Self {
            own: own.below(repository.root().map(PathBuf::from).unwrap_or_default()),
            flagged,
            suspicious: !repository.refused_filters.is_empty(),
            suspects: Vec::new(),
            seen,
        }
    }

    /// The files that only a filter could judge.
    pub(super) fn into_suspects(self) -> Vec<Suspect> {
        self.suspects
    }

    fn untracked(&mut self, entry: &gix::dir::EntryRef<'_>) {
        use gix::dir::entry::{Kind, Status};
        // Pipes and sockets cannot be tracked, and git does not name them.
        if entry.status != Status::Untracked || entry.disk_kind == Some(Kind::Untrackable) {
            return;
        }
        let Ok(mut seen) = self.seen.lock() else {
            return;
        };
        let path: &BStr = &entry.rela_path;
        if self.own.leaves_out(path) {
            return;
        }
        if self.own.has(path) {
            seen.untracked_artifacts += 1;
        } else {
            seen.untracked += 1;
            seen.change(path, ChangeKind::New, String::new());
            if entry.disk_kind == Some(Kind::Repository) {
                seen.nested.insert(path.to_owned());
            }
        }
    }

    fn tracked(&mut self, entry: &gix::index::Entry, path: &BStr, status: &EntryStatus<(), ()>) {
        let Some(kind) = kind_of(status) else { return };
        if self.suspicious && kind == ChangeKind::Edited {
            self.suspects.push(Suspect {
                path: path.to_owned(),
                size: entry.stat.size,
            });
            return;
        }
        let Ok(mut seen) = self.seen.lock() else {
            return;
        };
        match self.flagged.get(path) {
            // Skipped and gone: that is what skipping is for.
            Some(flags) if kind == ChangeKind::Deleted && flags.contains(Flags::SKIP_WORKTREE) => {}
            Some(_) => {
                seen.hidden.push(display_path(path));
                seen.veiled.insert(path.to_owned());
            }
            None => note(&mut seen, path, kind),
        }
    }
}

pub(super) fn note(seen: &mut Seen, path: &BStr, kind: ChangeKind) {
    seen.unstaged += 1;
    let staged = seen.changes.get(path).map(|(_, mark)| mark.clone());
    let was_new = seen
        .changes
        .get(path)
        .is_some_and(|(kind, _)| *kind == ChangeKind::New);
    // A new file that was edited after `git add` is still a new file.
    let kind = if was_new && kind == ChangeKind::Edited {
        ChangeKind::New
    } else {
        kind
    };
    seen.change(path, kind, staged.unwrap_or_default());
}

/// What a difference means; `None` where only the remembered times are stale.
fn kind_of(status: &EntryStatus<(), ()>) -> Option<ChangeKind> {
    Some(match status {
        EntryStatus::Conflict { .. } => ChangeKind::Conflicted,
        EntryStatus::IntentToAdd => ChangeKind::New,
        EntryStatus::NeedsUpdate(_) => return None,
        EntryStatus::Change(Change::Removed) => ChangeKind::Deleted,
        EntryStatus::Change(Change::Type { .. }) => ChangeKind::TypeChanged,
        EntryStatus::Change(Change::SubmoduleModification(())) => ChangeKind::Submodule,
        EntryStatus::Change(Change::Modification {
            content_change: None,
            ..
        }) => ChangeKind::ModeChanged,
        EntryStatus::Change(Change::Modification { .. }) => ChangeKind::Edited,
    })
}

impl<'index> VisitEntry<'index> for Visitor<'_> {
    type ContentChange = ();
    type SubmoduleStatus = ();

    fn visit_entry(&mut self, entry: Entry<'index, (), ()>) {
        match entry {
            Entry::Modification {
                entry,
                rela_path,
                status,
                ..
            } => self.tracked(entry, rela_path, &status),
            Entry::DirectoryContents { entry, .. } => self.untracked(&entry.to_ref()),
            Entry::Rewrite { dirwalk_entry, .. } => self.untracked(&dirwalk_entry.to_ref()),
        }
    }
}

impl gix::dir::walk::Delegate for Visitor<'_> {
    fn emit(
        &mut self,
        entry: gix::dir::EntryRef<'_>,
        _collapsed: Option<gix::dir::entry::Status>,
    ) -> gix::dir::walk::Action {
        self.untracked(&entry);
        std::ops::ControlFlow::Continue(())
    }

    /// Unlike gix, which looks into an ignored folder wherever a pattern led to it.
    fn can_recurse(
        &mut self,
        entry: gix::dir::EntryRef<'_>,
        for_deletion: Option<gix::dir::walk::ForDeletionMode>,
        is_root_repository: bool,
    ) -> bool {
        let ignored = matches!(entry.status, gix::dir::entry::Status::Ignored(_));
        !ignored
            && entry.status.can_recurse(
                entry.disk_kind,
                entry.pathspec_match,
                for_deletion,
                is_root_repository,
            )
    }
}

/// Decides about files whose filter was refused. One of another size than remembered
/// is edited, as git has it; of the others nothing can be said.
pub(super) fn settle_suspects(
    repository: &Repository,
    index: &gix::index::State,
    suspects: Vec<Suspect>,
    seen: &Arc<Mutex<Seen>>,
) {
    let root = repository.root().map(PathBuf::from).unwrap_or_default();
    for Suspect { path, size } in suspects {
        let relative = gix::path::from_bstr(&path)
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        let now = root
            .join(relative)
            .symlink_metadata()
            .map(|meta| meta.len())
            .ok();
        let resized = size != 0 && now != Some(u64::from(size));
        let filtered = !resized && refused_filter(repository, index, path.as_ref());
        let Ok(mut seen) = seen.lock() else { return };
        if filtered {
            let shown = display_path(&path);
            seen.veiled.insert(path.clone());
            seen.cannot_tell(format!(
                "a filter of an untrusted repository was not run on {shown}"
            ));
        } else {
            note(&mut seen, path.as_ref(), ChangeKind::Edited);
        }
    }
}
