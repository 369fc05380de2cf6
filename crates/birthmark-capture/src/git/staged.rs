//! What is staged: the index held against the commit's tree.
//!
//! * Folder by folder; one whose tree the index remembers, and which is the commit's,
//!   is passed over unread. So the cost is that of the folders that were touched.
//! * What an untrusted index claims to remember is not believed: all of it is read.
//!
//! Limits: renames are a deletion and a new file.

use std::collections::BTreeMap;
use std::ops::Range;

use birthmark_core::code::ChangeKind;
use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::index::entry::{Flags, Mode, Stage};
use gix::index::extension::Tree;
use gix::objs::tree::EntryMode;

use super::seen::{INTERRUPTED, Seen, Stop};

/// Folders in folders are followed this deep; Linux paths end at about 2,000.
const DEEPEST: usize = 512;

/// Why it could not be told.
pub(super) type Reason = String;

/// Holds an index against a tree.
pub(super) struct Comparison<'a> {
    pub(super) git: &'a gix::Repository,
    pub(super) index: &'a gix::index::State,
    /// Whether the trees that the index remembers may be believed.
    pub(super) believe: bool,
    /// When to give up: trees that name each other can unfold without end.
    pub(super) stop: &'a Stop,
}

/// What a tree holds under one name.
type Held = (EntryMode, ObjectId);

impl Comparison<'_> {
    /// Hands each staged change to `note`: path, kind, and the id that is staged.
    pub(super) fn run(
        &self,
        tree: ObjectId,
        note: &mut impl FnMut(&BStr, ChangeKind, String),
    ) -> Result<(), Reason> {
        let all = 0..self.index.entries().len();
        let cached = if self.believe {
            self.index.tree()
        } else {
            None
        };
        self.folder(Some(tree), cached, &mut BString::default(), all, 0, note)
    }

    /// One folder: `path` is its name with a slash at the end, `entries` all below it.
    fn folder(
        &self,
        tree: Option<ObjectId>,
        cached: Option<&Tree>,
        path: &mut BString,
        entries: Range<usize>,
        depth: usize,
        note: &mut impl FnMut(&BStr, ChangeKind, String),
    ) -> Result<(), Reason> {
        if depth > DEEPEST {
            return Err("folders are nested too deep".to_owned());
        }
        if is_same(tree, cached, &entries) {
            return Ok(());
        }
        if self.stop.is_due() {
            return Err(INTERRUPTED.to_owned());
        }
        let mut held = tree.map_or_else(|| Ok(BTreeMap::new()), |tree| self.read(tree))?;
        let mut at = entries.start;
        while at < entries.end {
            let Some(name) = self.index.entries()[at].path(self.index).get(path.len()..) else {
                return Err("the index is not in order".to_owned());
            };
            let Some(slash) = name.iter().position(|byte| *byte == b'/') else {
                let name = BString::from(name);
                at = self.file(at, entries.end, held.remove(&name), note);
                continue;
            };
            let name = BString::from(&name[..slash]);
            let (folder, tree) = (
                at..self.end_of(at, &entries, path.len() + slash),
                take_tree(&mut held, &name),
            );
            at = folder.end;
            let known = cached.and_then(|tree| {
                tree.children
                    .iter()
                    .find(|child| child.name[..] == name[..])
            });
            let length = path.len();
            path.extend_from_slice(&name);
            path.push(b'/');
            self.folder(tree, known, path, folder, depth + 1, note)?;
            path.truncate(length);
        }
        self.gone(held, path, depth, note)
    }

    /// One file, in as many stages as it has; gives the place of the next.
    fn file(
        &self,
        at: usize,
        end: usize,
        held: Option<Held>,
        note: &mut impl FnMut(&BStr, ChangeKind, String),
    ) -> usize {
        let entry = &self.index.entries()[at];
        let path = entry.path(self.index);
        let stages = self.index.entries()[at..end].iter();
        let next = at
            + stages
                .take_while(|other| other.path(self.index) == path)
                .count();
        // A conflict is the work tree's to tell; an intent to add is not added yet.
        if entry.stage() != Stage::Unconflicted || entry.flags.contains(Flags::INTENT_TO_ADD) {
            return next;
        }
        let id = || entry.id.to_string();
        match held {
            None => note(path, ChangeKind::New, id()),
            Some((mode, held)) if held != entry.id => {
                note(path, changed_kind(entry.mode, mode), id());
            }
            Some((mode, _)) if u32::from(mode.value()) != entry.mode.bits() => {
                note(path, ChangeKind::ModeChanged, id());
            }
            Some(_) => {}
        }
        next
    }

    /// All that the tree holds and the index does not.
    fn gone(
        &self,
        held: BTreeMap<BString, Held>,
        path: &mut BString,
        depth: usize,
        note: &mut impl FnMut(&BStr, ChangeKind, String),
    ) -> Result<(), Reason> {
        for (name, (mode, id)) in held {
            let length = path.len();
            path.extend_from_slice(&name);
            if mode.is_tree() {
                path.push(b'/');
                self.folder(Some(id), None, path, 0..0, depth + 1, note)?;
            } else {
                note(path.as_ref(), ChangeKind::Deleted, String::new());
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// Where the entries end that share the first `length` bytes and the slash after.
    fn end_of(&self, at: usize, within: &Range<usize>, length: usize) -> usize {
        let entries = &self.index.entries()[at..within.end];
        let prefix = &entries[0].path(self.index)[..=length];
        at + entries.partition_point(|entry| entry.path(self.index).starts_with(prefix))
    }

    fn read(&self, tree: ObjectId) -> Result<BTreeMap<BString, Held>, Reason> {
        let unreadable = || format!("the tree {tree} of the commit cannot be read");
        let tree = self.git.find_tree(tree).map_err(|_| unreadable())?;
        let mut held = BTreeMap::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|_| unreadable())?;
            held.insert(
                entry.filename().to_owned(),
                (entry.mode(), entry.object_id()),
            );
        }
        Ok(held)
    }
}

/// Whether the index remembers this very tree for these entries.
fn is_same(tree: Option<ObjectId>, cached: Option<&Tree>, entries: &Range<usize>) -> bool {
    cached.is_some_and(|cached| {
        let count = cached
            .num_entries
            .and_then(|count| usize::try_from(count).ok());
        count == Some(entries.len()) && Some(cached.id) == tree
    })
}

/// The tree of this name, if it is a folder there, too.
fn take_tree(held: &mut BTreeMap<BString, Held>, name: &BString) -> Option<ObjectId> {
    let is_tree = held.get(name).is_some_and(|(mode, _)| mode.is_tree());
    if is_tree {
        held.remove(name).map(|(_, id)| id)
    } else {
        None
    }
}

fn changed_kind(now: Mode, before: EntryMode) -> ChangeKind {
    match (now == Mode::COMMIT, before.is_commit()) {
        (true, true) => ChangeKind::Submodule,
        _ if before.is_link() != (now == Mode::SYMLINK) => ChangeKind::TypeChanged,
        _ => ChangeKind::Staged,
    }
}

/// Takes a staged change down.
pub(super) fn note_in(seen: &mut Seen, path: &BStr, kind: ChangeKind, id: String) {
    seen.staged += 1;
    seen.change(path, kind, id);
}
