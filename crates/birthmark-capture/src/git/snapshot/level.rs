//! The snapshot of one work tree: what stands at each touched path.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use birthmark_core::Finding;
use birthmark_core::code::ChangeKind;
use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::Mode;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::convert::{Conversions, any_possible};
use super::files::{Files, Lies, is_plain};
use super::message::Content;
use super::tree::Edits;
use super::write::{Writer, Written};
use super::{Omitted, Part, SnapshotOptions, Taken, left_out, secrets};
use crate::git::head::{self, NO_COMMIT};
use crate::git::open::Repository;
use crate::git::seen::{Look, Own};
use crate::git::text::display_path;

/// A file that is written within this time of the start was there when the run began, in
/// microseconds: the start of a process is known to a hundredth of a second, cut down, and
/// no program has come to read anything of the repository so soon.
const START_SLACK: i64 = 15_000;

/// What is left of the limits, for all repositories together.
pub(super) struct Budget {
    bytes: Cell<u64>,
    pub(super) deadline: Instant,
}

impl Budget {
    pub(super) fn new(options: &SnapshotOptions<'_>) -> Self {
        Self {
            bytes: Cell::new(options.max_total),
            deadline: options.deadline,
        }
    }

    pub(super) fn check_time(&self) -> Result<(), String> {
        if Instant::now() >= self.deadline {
            return Err("the snapshot took too long".to_owned());
        }
        Ok(())
    }

    /// Takes so many bytes, if there are so many left.
    pub(super) fn spend(&self, bytes: u64) -> bool {
        let left = self.bytes.get().checked_sub(bytes);
        if let Some(left) = left {
            self.bytes.set(left);
        }
        left.is_some()
    }
}

/// One work tree to be taken, and what it is part of.
pub(super) struct Level<'a> {
    pub(super) path: String,
    pub(super) depth: u32,
    pub(super) own: &'a Own,
    pub(super) budget: &'a Budget,
    pub(super) options: &'a SnapshotOptions<'a>,
}

/// What is collected on the way.
#[derive(Default)]
pub(super) struct Found {
    pub(super) edits: Edits,
    pub(super) taken: Taken,
    pub(super) omitted: Vec<Omitted>,
    pub(super) raw: Vec<BString>,
}

/// A commit, what is told of it if it is a snapshot, and the objects that were written.
type Made = (Option<ObjectId>, Option<Taken>, Written);

/// What is needed to look at files: `'w` is of the repositories, `'c` of the attributes.
pub(super) struct Tools<'w, 'c> {
    pub(super) files: Files,
    conversions: Option<Conversions<'c>>,
    pub(super) writer: Writer<'w>,
    file_mode: bool,
}

impl Level<'_> {
    /// Takes the work tree; gives its commit: the snapshot, else `HEAD`. Pushes a part for
    /// every repository within and then for this one.
    pub(super) fn take(
        &self,
        repository: Repository,
        look: &Look,
        parts: &mut Vec<Part>,
    ) -> Result<Option<ObjectId>, String> {
        let root = repository.root().ok_or("there is no work tree")?.to_owned();
        if look.seen.is_cut() {
            return Err("there are too many changed files".to_owned());
        }
        let parent = parent_of(&repository)?;
        let mut found = Found::default();
        self.nested(&repository, &root, look, &mut found, parts)?;
        let remote = head::describe(&repository).remote.found().cloned();
        let may_write = repository.trusted && is_writable(&repository);
        let (target, in_store) = if may_write {
            (None, false)
        } else {
            (Some(self.bare(&repository, &root)?), true)
        };
        let place = target.as_ref().unwrap_or(&repository);
        let (id, taken, written) = self.build(&repository, place, look, parent, found)?;
        let Some(id) = id else { return Ok(None) };
        parts.push(Part {
            path: self.path.clone(),
            root,
            remote,
            commit: id.to_string(),
            taken,
            in_store,
            target: target.unwrap_or(repository),
            id,
            written,
        });
        Ok(Some(id))
    }

    /// Makes tree and commit; no snapshot where the tree is that of the parent.
    fn build(
        &self,
        repository: &Repository,
        target: &Repository,
        look: &Look,
        parent: Option<Parent>,
        mut found: Found,
    ) -> Result<Made, String> {
        let writer = Writer::new(&repository.git, &target.git);
        let mut writer = if look.seen.changes.is_empty() && look.seen.veiled.is_empty() {
            writer
        } else {
            self.fill(repository, look, writer, &mut found)?
        };
        let head_tree = parent.as_ref().map(|parent| parent.tree);
        let tree = match found.edits.apply(head_tree, &mut writer)? {
            Some(tree) => tree,
            None => writer.put(Kind::Tree, b"")?,
        };
        let nothing = found.omitted.is_empty() && found.taken.inexact.is_empty();
        let empty = head_tree.is_none() && found.taken.files == 0 && found.taken.nested.is_empty();
        if (Some(tree) == head_tree || empty) && nothing {
            return Ok((parent.map(|parent| parent.id), None, Written::default()));
        }
        let Found {
            mut taken,
            omitted,
            mut raw,
            ..
        } = found;
        raw.sort_unstable();
        let content = Content {
            tree,
            parent: parent.as_ref().map(|parent| (parent.id, parent.time)),
            raw: &raw,
            left_out: &omitted,
            nested: &taken.nested,
            inexact: &taken.inexact,
        };
        let id = writer.put(Kind::Commit, &content.spell())?;
        taken.tree = tree.to_string();
        taken.parent = parent.map(|parent| parent.id.to_string());
        taken.raw = raw.iter().map(|path| display_path(path)).collect();
        taken.left_out = left_out(omitted);
        Ok((Some(id), Some(taken), writer.finish()?))
    }

    /// Stores every file that the commit would not give back as it lies.
    fn fill<'a>(
        &self,
        repository: &Repository,
        look: &Look,
        writer: Writer<'a>,
        found: &mut Found,
    ) -> Result<Writer<'a>, String> {
        let quiet = repository.without_filters()?;
        let touches = look
            .seen
            .changes
            .keys()
            .any(|path| is_attributes(path.as_ref()));
        let possible = touches || any_possible(repository, &look.index);
        let conversions = possible.then(|| Conversions::new(&quiet, &look.index));
        let config = repository.git.config_snapshot();
        let root = repository.root().unwrap_or(Path::new(""));
        let mut tools = Tools {
            files: Files::new(root),
            conversions: conversions.transpose()?,
            writer,
            file_mode: config.boolean("core.fileMode").unwrap_or(true),
        };
        self.touched(look, &mut tools, found)?;
        if let Some(conversions) = tools.conversions.take() {
            self.converted(look, conversions, &mut tools, found)?;
        }
        Ok(tools.writer)
    }

    /// Every path that the look has named.
    fn touched(
        &self,
        look: &Look,
        tools: &mut Tools<'_, '_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let seen = &look.seen;
        let changes = seen.changes.iter().map(|(path, (kind, _))| (path, *kind));
        let veiled = seen.veiled.iter().map(|path| (path, ChangeKind::Edited));
        for (path, kind) in changes.chain(veiled) {
            self.budget.check_time()?;
            if kind == ChangeKind::Submodule || seen.nested.contains(path) {
                continue;
            }
            let path: &BStr = path.as_ref();
            if !is_plain(path) {
                let shown = display_path(path);
                found.taken.inexact.push(format!("{shown} is no path"));
                continue;
            }
            if kind == ChangeKind::Deleted {
                found.edits.set(path, None);
                found.taken.files += 1;
                continue;
            }
            self.file(path, look, tools, found)?;
        }
        Ok(())
    }

    /// One file as it lies.
    fn file(
        &self,
        path: &BStr,
        look: &Look,
        tools: &mut Tools<'_, '_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let limit = self.options.max_file;
        let omit = |found: &mut Found, size: Option<u64>, reason: String| {
            found.edits.set(path, None);
            found.omitted.push(Omitted {
                path: path.to_owned(),
                size,
                reason,
            });
        };
        found.taken.files += 1;
        match tools.files.read(path, limit) {
            Lies::Nothing => found.edits.set(path, None),
            Lies::Link(target) => {
                let id = tools.writer.put(Kind::Blob, &target)?;
                found.edits.set(path, Some((EntryKind::Link, id)));
            }
            Lies::TooBig(size) => omit(found, Some(size), format!("over {}", megabytes(limit))),
            Lies::Unreadable(reason) => omit(found, None, format!("cannot be read: {reason}")),
            Lies::File {
                bytes,
                executable,
                modified,
                restless,
            } => {
                let size = bytes.len() as u64;
                if let Some(rule) = secrets::new_secret(tools.writer.source, look, path, &bytes) {
                    omit(found, Some(size), format!("holds a secret ({rule})"));
                    return Ok(());
                }
                if !self.budget.spend(size) {
                    let all = megabytes(self.options.max_total);
                    omit(found, Some(size), format!("over {all} in all"));
                    return Ok(());
                }
                found.taken.bytes += size;
                if restless {
                    let shown = display_path(path);
                    let reason = format!("{shown} changed while it was read");
                    found.taken.inexact.push(reason);
                }
                let began = self.options.began;
                if restless || began.is_some_and(|began| modified > began + START_SLACK) {
                    found.taken.changed_after.push(display_path(path));
                }
                let kind = kind_of(executable, tools.file_mode, look, path);
                let alters = tools.conversions.as_mut();
                if alters.is_some_and(|all| all.checkout_alters(path, &bytes)) {
                    found.raw.push(path.to_owned());
                }
                let id = tools.writer.put(Kind::Blob, &bytes)?;
                found.edits.set(path, Some((kind, id)));
            }
        }
        Ok(())
    }
}

/// The commit below a snapshot.
#[derive(Clone, Copy)]
struct Parent {
    id: ObjectId,
    tree: ObjectId,
    time: i64,
}

fn parent_of(repository: &Repository) -> Result<Option<Parent>, String> {
    let id = match head::read_head(repository).commit {
        Finding::Found(id) => id,
        Finding::Unknown(reason) if reason == NO_COMMIT => return Ok(None),
        Finding::Unknown(reason) => return Err(reason),
        Finding::Absent => return Err("HEAD names nothing".to_owned()),
    };
    let unreadable = |_| format!("the commit {id} cannot be read");
    let commit = repository.git.find_commit(id).map_err(unreadable)?;
    let tree = commit.tree_id().map_err(unreadable)?.detach();
    let time = commit.time().map_or(0, |time| time.seconds);
    Ok(Some(Parent { id, tree, time }))
}

fn is_attributes(path: &BStr) -> bool {
    path == ".gitattributes" || path.ends_with_str("/.gitattributes")
}

/// Whether this process may make objects there.
fn is_writable(repository: &Repository) -> bool {
    let git = &repository.git;
    let may = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    may(git.objects.store_ref().path()) && may(git.common_dir())
}

/// The mode of a file. Where git does not mind the executable bit, that of the index counts.
fn kind_of(executable: bool, file_mode: bool, look: &Look, path: &BStr) -> EntryKind {
    let executable = if file_mode {
        executable
    } else {
        let entry = look.index.entry_by_path(path);
        entry.is_some_and(|entry| entry.mode == Mode::FILE_EXECUTABLE)
    };
    if executable {
        EntryKind::BlobExecutable
    } else {
        EntryKind::Blob
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}
