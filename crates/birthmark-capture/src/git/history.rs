//! Walks over history: what is reachable, and who touched a path last.
//!
//! * A walk is exact: it never stops early on a guess about dates. It visits the
//!   newest commits first, so that the usual question is answered at once.
//! * A history that is cut off (shallow, missing objects) answers "found" or
//!   "unknown", never "not reachable".

use std::collections::{BinaryHeap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use birthmark_core::Finding;
use gix::ObjectId;
use gix::traverse::commit::Either;

use super::head::{Head, remotes};
use super::open::Repository;
use super::{ask, file};

/// The reason on a path that git does not know.
const NOT_TRACKED: &str = "not tracked by git";

/// A walk from some tips that goes as far as its questions need, and remembers.
pub(super) struct Reach {
    queue: BinaryHeap<(i64, ObjectId)>,
    seen: HashSet<ObjectId>,
    cut: HashSet<ObjectId>,
    graph: Option<gix::commitgraph::Graph>,
    /// Why the walk does not know all, once it does not.
    incomplete: Option<String>,
    buffer: Vec<u8>,
}

impl Reach {
    /// A walk that begins at these commits.
    pub(super) fn from_tips(
        git: &gix::Repository,
        tips: impl IntoIterator<Item = ObjectId>,
    ) -> Self {
        let cut = git.shallow_commits().ok().flatten();
        let mut reach = Self {
            queue: BinaryHeap::new(),
            seen: HashSet::new(),
            cut: cut
                .map(|commits| commits.iter().copied().collect())
                .unwrap_or_default(),
            graph: git.commit_graph_if_enabled().ok().flatten(),
            incomplete: None,
            buffer: Vec::new(),
        };
        for tip in tips {
            reach.enqueue(i64::MAX, tip);
        }
        reach
    }

    /// Whether `wanted` is a tip or an ancestor of one.
    pub(super) fn contains(
        &mut self,
        git: &gix::Repository,
        wanted: ObjectId,
        deadline: Instant,
    ) -> Finding<bool> {
        let mut steps = 0_u32;
        while !self.seen.contains(&wanted) {
            let Some((_, id)) = self.queue.pop() else {
                return self
                    .incomplete
                    .clone()
                    .map_or(Finding::Found(false), Finding::Unknown);
            };
            self.visit(git, id);
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(256) && Instant::now() >= deadline {
                return Finding::unknown("the walk over history did not end in time");
            }
        }
        Finding::Found(true)
    }

    fn enqueue(&mut self, time: i64, id: ObjectId) {
        if self.seen.insert(id) {
            self.queue.push((time, id));
        }
    }

    fn visit(&mut self, git: &gix::Repository, id: ObjectId) {
        if self.cut.contains(&id) {
            self.incomplete = Some("the history is cut off here (shallow clone)".to_owned());
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        match parents(self.graph.as_ref(), git, id, &mut buffer) {
            Some((time, parents)) => {
                for parent in parents {
                    self.enqueue(time, parent);
                }
            }
            None => {
                self.incomplete = Some(format!("the history is incomplete: {id} cannot be read"));
            }
        }
        self.buffer = buffer;
    }
}

/// Commit time and parents, from the commit graph where there is one.
fn parents(
    graph: Option<&gix::commitgraph::Graph>,
    git: &gix::Repository,
    id: ObjectId,
    buffer: &mut Vec<u8>,
) -> Option<(i64, Vec<ObjectId>)> {
    match gix::traverse::commit::find(graph, &git.objects, &id, buffer).ok()? {
        Either::CommitRefIter(commit) => {
            let mut parents = Vec::new();
            let mut time = 0;
            for token in commit {
                match token.ok()? {
                    gix::objs::commit::ref_iter::Token::Parent { id } => parents.push(id),
                    gix::objs::commit::ref_iter::Token::Committer { signature } => {
                        time = signature.seconds();
                        break;
                    }
                    _ => {}
                }
            }
            Some((time, parents))
        }
        Either::CachedCommit(commit) => {
            let graph = graph?;
            let parents = commit
                .iter_parents()
                .map(|at| at.ok().map(|at| graph.id_at(at).to_owned()));
            let time = i64::try_from(commit.committer_timestamp()).unwrap_or(i64::MAX);
            Some((time, parents.collect::<Option<Vec<_>>>()?))
        }
    }
}

/// What the references below these prefixes name, tags peeled.
pub(super) fn tips(repository: &Repository, prefixes: &[&str]) -> Finding<Vec<ObjectId>> {
    let mut found = Vec::new();
    for prefix in prefixes {
        if repository.reftable {
            match ask::tips(repository, prefix) {
                Finding::Found(ids) => found.extend(ids),
                Finding::Absent => {}
                Finding::Unknown(reason) => return Finding::Unknown(reason),
            }
            continue;
        }
        match direct_tips(&repository.git, prefix) {
            Ok(ids) => found.extend(ids),
            Err(_) => return Finding::unknown("the references cannot be read"),
        }
    }
    Finding::Found(found)
}

/// Symbolic references (`origin/HEAD`) are left out: what they name stands there itself.
fn direct_tips(git: &gix::Repository, prefix: &str) -> gix::Result<Vec<ObjectId>> {
    let platform = git.references()?;
    let mut ids = Vec::new();
    for reference in platform.prefixed(prefix)? {
        // One reference that is broken hides no other.
        let Ok(mut reference) = reference else {
            continue;
        };
        if let Some(id) = reference.try_id().map(gix::Id::detach) {
            let is_tag = reference.name().as_bstr().starts_with(b"refs/tags/");
            let peeled = is_tag
                .then(|| reference.peel_to_id().ok().map(gix::Id::detach))
                .flatten();
            ids.push(peeled.unwrap_or(id));
        }
    }
    Ok(ids)
}

/// Whether the commit is pushed, if its own remote-tracking branch says so outright.
pub(super) fn pushed_at_a_glance(
    repository: &Repository,
    head: &Head,
    remote: &Finding<String>,
) -> Finding<bool> {
    let git = &repository.git;
    let later = || Finding::unknown("not looked at yet");
    let Finding::Found(commit) = &head.commit else {
        return head.commit.as_ref().map(|_| false);
    };
    if repository.reftable {
        return later();
    }
    let Some(branch) = head
        .branch
        .found()
        .and_then(|name| name.strip_prefix(b"refs/heads/"))
    else {
        return later();
    };
    if remote == &Finding::Absent
        && direct_tips(git, "refs/remotes/").is_ok_and(|tips| tips.is_empty())
    {
        return Finding::Absent;
    }
    for (name, _) in remotes(git) {
        let tracking = [b"refs/remotes/", &*name, b"/", branch].concat();
        let tracking = git
            .try_find_reference(gix::bstr::BStr::new(&tracking))
            .ok()
            .flatten();
        if tracking.and_then(|reference| reference.try_id().map(gix::Id::detach)) == Some(*commit) {
            return Finding::Found(true);
        }
    }
    later()
}

/// Whether any remote-tracking branch holds the commit; absent if there is no remote.
pub(super) fn pushed(repository: &Repository, head: &Head, deadline: Instant) -> Finding<bool> {
    let Finding::Found(commit) = &head.commit else {
        return head.commit.as_ref().map(|_| false);
    };
    let tips = match tips(repository, &["refs/remotes/"]) {
        Finding::Found(tips) => tips,
        Finding::Absent => Vec::new(),
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    if tips.is_empty() && remotes(&repository.git).is_empty() {
        return Finding::Absent;
    }
    Reach::from_tips(&repository.git, tips).contains(&repository.git, *commit, deadline)
}

/// See [`super::last_commit_touching`].
pub(super) fn last_commit_touching(path: &Path, deadline: Instant) -> Finding<String> {
    let repository = match Repository::discover(path) {
        Finding::Found(repository) => repository,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    let Some(inside) = file::relative_path(&repository, path) else {
        return Finding::unknown(NOT_TRACKED);
    };
    let head = super::head::read_head(&repository);
    let commit = match head.commit {
        Finding::Found(commit) => commit,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    match file::is_as_committed(&repository, commit, path, &inside, deadline) {
        Finding::Found(true) => {}
        Finding::Found(false) => return Finding::unknown("edited since the commit"),
        Finding::Absent => return Finding::unknown(NOT_TRACKED),
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    }
    follow(&repository.git, commit, &inside, deadline)
}

/// Goes back as long as some parent holds the same at `path`, as `git log` does.
fn follow(
    git: &gix::Repository,
    head: ObjectId,
    path: &Path,
    deadline: Instant,
) -> Finding<String> {
    let graph = git.commit_graph_if_enabled().ok().flatten();
    let cut = git.shallow_commits().ok().flatten();
    let (mut at, mut buffer) = (head, Vec::new());
    let Some(wanted) = entry_id(git, at, path) else {
        return Finding::unknown(NOT_TRACKED);
    };
    loop {
        if Instant::now() >= deadline {
            return Finding::unknown("the walk over history did not end in time");
        }
        if cut.as_ref().is_some_and(|cut| cut.contains(&at)) {
            return Finding::unknown("the history is cut off here (shallow clone)");
        }
        let Some((_, parents)) = parents(graph.as_ref(), git, at, &mut buffer) else {
            return Finding::unknown(format!("the history is incomplete: {at} cannot be read"));
        };
        if let Some(missing) = parents.iter().find(|parent| !git.has_object(*parent)) {
            return Finding::unknown(format!("the history is incomplete: {missing} is not there"));
        }
        let same = parents
            .into_iter()
            .find(|parent| entry_id(git, *parent, path) == Some(wanted));
        match same {
            Some(parent) => at = parent,
            None => return Finding::Found(at.to_string()),
        }
    }
}

/// The id and mode of what a commit holds at `path`.
pub(super) fn entry_id(
    git: &gix::Repository,
    commit: ObjectId,
    path: &Path,
) -> Option<(ObjectId, u16)> {
    let tree = git.find_commit(commit).ok()?.tree().ok()?;
    if path == PathBuf::new() {
        return Some((tree.id, 0));
    }
    let entry = tree.lookup_entry_by_path(path).ok()??;
    Some((entry.object_id(), entry.mode().value()))
}
