//! Repositories within a work tree: submodules, and those that git does not know.

use std::path::Path;
use std::sync::{Arc, Mutex};

use birthmark_core::Finding;
use birthmark_core::code::ChangeKind;
use birthmark_core::snapshot::NestedCommit;
use gix::bstr::BStr;
use gix::objs::tree::EntryKind;
use gix::sec::Trust;

use super::files::is_plain;
use super::level::{Found, Level};
use super::{Lender, Part};
use crate::git::head;
use crate::git::open::Repository;
use crate::git::seen::{Look, Seen, Stop};
use crate::git::status;
use crate::git::text::display_path;

/// Repositories in repositories are followed this deep.
const DEEPEST: u32 = 8;

impl Level<'_> {
    /// A bare repository for what cannot go into this one.
    pub(super) fn bare(&self, repository: &Repository, root: &Path) -> Result<Repository, String> {
        let lender = Lender {
            root: root.to_owned(),
            objects: repository.git.objects.store_ref().path().to_owned(),
            object_format: repository.git.object_hash().to_string(),
        };
        Repository::bare_at(&(self.options.make_bare)(&lender)?)
    }

    /// Submodules and nested repositories: each becomes a commit that the tree names.
    pub(super) fn nested(
        &self,
        repository: &Repository,
        root: &Path,
        look: &Look,
        found: &mut Found,
        parts: &mut Vec<Part>,
    ) -> Result<(), String> {
        let trust = if repository.trusted {
            Trust::Full
        } else {
            Trust::Reduced
        };
        for (path, inner) in &look.seen.inner {
            self.one_nested(path.as_ref(), root, trust, Some(inner), look, found, parts)?;
        }
        for path in &look.seen.nested {
            let path = path.strip_suffix(b"/").unwrap_or(path);
            self.one_nested(path.into(), root, trust, None, look, found, parts)?;
        }
        let unseen = look.seen.changes.iter().filter(|(path, (kind, _))| {
            *kind == ChangeKind::Submodule && !look.seen.inner.contains_key(*path)
        });
        for (path, _) in unseen {
            let shown = display_path(path);
            let reason = format!("the submodule {shown} could not be looked into");
            found.taken.inexact.push(reason);
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of a loop, called twice"
    )]
    fn one_nested(
        &self,
        path: &BStr,
        root: &Path,
        trust: Trust,
        inner: Option<&Arc<Look>>,
        look: &Look,
        found: &mut Found,
        parts: &mut Vec<Part>,
    ) -> Result<(), String> {
        self.budget.check_time()?;
        let shown = display_path(path);
        let relative = is_plain(path).then(|| gix::path::from_bstr(path));
        let Some(Ok(relative)) = relative else {
            inexact(found, &shown, "its name is no path here");
            return Ok(());
        };
        let folder = root.join(relative);
        if self.depth >= DEEPEST {
            inexact(found, &shown, "nested too deep");
            return Ok(());
        }
        let repository = match Repository::at_root(&folder, trust) {
            Finding::Found(repository) => repository,
            other => {
                inexact(found, &shown, other.reason().unwrap_or("not checked out"));
                return Ok(());
            }
        };
        let looked = match inner {
            Some(look) => Ok(Arc::clone(look)),
            None => self.look_into(&repository).map(Arc::new),
        };
        let below = Level {
            path: if self.path.is_empty() {
                shown.clone()
            } else {
                format!("{}/{shown}", self.path)
            },
            depth: self.depth + 1,
            ..*self
        };
        let taken = looked.and_then(|inner| below.take(repository, &inner, parts));
        match taken {
            Err(reason) => inexact(found, &shown, &reason),
            // Nothing committed and nothing there: an empty folder, as git sees it.
            Ok(None) => {}
            Ok(Some(id)) => {
                let recorded = look.index.entry_by_path(path).map(|entry| entry.id);
                let part = parts.last();
                let snapshot = part.is_some_and(|part| part.id == id && part.taken.is_some());
                if let Some(taken) = part.and_then(|part| part.taken.as_ref())
                    && snapshot
                    && !taken.is_exact()
                {
                    let reason = format!("{shown} within it is not exact");
                    found.taken.inexact.push(reason);
                }
                if recorded != Some(id) {
                    found.taken.files += 1;
                }
                found.edits.set(path, Some((EntryKind::Commit, id)));
                found.taken.nested.push(NestedCommit {
                    path: shown,
                    commit: id.to_string(),
                    snapshot,
                });
            }
        }
        Ok(())
    }

    /// A look at a repository that status only named. Git does not look into it, so none of
    /// its filters runs here either: what only a filter could judge is stored as it lies.
    fn look_into(&self, repository: &Repository) -> Result<Look, String> {
        let repository = &repository.without_filters()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let head = head::read_head(repository);
        let stop = Stop::at(self.budget.deadline);
        let index = status::look(repository, &head, self.own, &stop, &seen, self.depth + 1)?;
        let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        Ok(Look { seen, index })
    }
}

fn inexact(found: &mut Found, path: &str, reason: &str) {
    let reason = format!("the repository {path} within it is not kept: {reason}");
    found.taken.inexact.push(reason);
}
