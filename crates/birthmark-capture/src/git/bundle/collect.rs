//! Which objects a bundle must hold.
//!
//! A commit's tree is held against those of its parents, folder by folder: what stands at
//! the same place in a parent is there already. So the cost is that of what was touched.
//!
//! What is large and new may lie in a bundle of an earlier commit all the same: an untracked
//! file of data beside the code is in every snapshot. Then that commit is needed in its place.

use std::collections::{BTreeSet, HashSet};

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind;

use super::super::database::Database;
use super::End;

/// Folders in folders are followed this deep.
const DEEPEST: usize = 512;
/// No bundle holds more objects.
const MOST_OBJECTS: usize = 5_000_000;
/// Files, and new parts of folders, of so many bytes are worth looking for in other bundles.
const LARGE: u64 = 32 << 10;

/// Where history need not be followed any more.
pub(super) trait Boundary {
    /// Whether the commit, and all below it, is elsewhere.
    fn holds(&mut self, id: ObjectId) -> Result<bool, String>;
}

/// Answers with a commit that is kept elsewhere, with all below it, and has this object.
pub(super) type Holder<'a> = dyn Fn(ObjectId) -> Option<ObjectId> + 'a;

/// Objects, each once, in the order in which they were met.
pub(super) struct Collection<'a> {
    database: &'a Database,
    cut: Vec<ObjectId>,
    end: End<'a>,
    holder: &'a Holder<'a>,
    holders: BTreeSet<ObjectId>,
    seen: HashSet<ObjectId>,
    objects: Vec<ObjectId>,
    large: Vec<ObjectId>,
}

impl<'a> Collection<'a> {
    /// `cut` are the commits at which a shallow history ends; `holder` tells of what lies
    /// elsewhere already.
    pub(super) fn new(
        database: &'a Database,
        cut: Vec<ObjectId>,
        end: End<'a>,
        holder: &'a Holder<'a>,
    ) -> Self {
        Self {
            database,
            cut,
            end,
            holder,
            holders: BTreeSet::new(),
            seen: HashSet::new(),
            objects: Vec::new(),
            large: Vec::new(),
        }
    }

    /// When the work is given up.
    pub(super) fn end(&self) -> End<'a> {
        self.end
    }

    /// The commits that must be there, since objects were left to them.
    pub(super) fn holders(&self) -> impl Iterator<Item = ObjectId> {
        self.holders.iter().copied()
    }

    /// What was taken and is large: files, and folders, those within others first.
    pub(super) fn large(&self) -> &[ObjectId] {
        &self.large
    }

    pub(super) fn objects(&self) -> &[ObjectId] {
        &self.objects
    }

    /// Takes a commit and all below it, down to the boundary; gives the commits there.
    pub(super) fn history(
        &mut self,
        commit: ObjectId,
        boundary: &mut dyn Boundary,
    ) -> Result<Vec<ObjectId>, String> {
        let mut prerequisites = BTreeSet::new();
        let mut queue = vec![commit];
        let mut met = HashSet::from([commit]);
        while let Some(id) = queue.pop() {
            if boundary.holds(id)? {
                prerequisites.insert(id);
                continue;
            }
            if self.cut.contains(&id) {
                return Err("the history is cut off here (shallow clone)".to_owned());
            }
            let (tree, parents) = self.read_commit(id)?;
            self.take(id)?;
            let mut below = Vec::new();
            for parent in &parents {
                below.push(self.read_commit(*parent)?.0);
            }
            self.tree(tree, &below, 0)?;
            queue.extend(parents.into_iter().filter(|parent| met.insert(*parent)));
        }
        Ok(prerequisites.into_iter().collect())
    }

    /// Takes a commit with all its files, and nothing below it; gives its parents.
    pub(super) fn alone(&mut self, commit: ObjectId) -> Result<Vec<ObjectId>, String> {
        let (tree, parents) = self.read_commit(commit)?;
        self.take(commit)?;
        self.tree(tree, &[], 0)?;
        Ok(parents)
    }

    fn take(&mut self, id: ObjectId) -> Result<bool, String> {
        if !self.seen.insert(id) {
            return Ok(false);
        }
        if self.objects.len() >= MOST_OBJECTS {
            return Err("the history has too many objects".to_owned());
        }
        if self.objects.len().is_multiple_of(256) {
            self.end
                .check("the history could not be gathered in time")?;
        }
        self.objects.push(id);
        Ok(true)
    }

    fn read_commit(&self, id: ObjectId) -> Result<(ObjectId, Vec<ObjectId>), String> {
        let head = self
            .database
            .commit(id)
            .map_err(|reason| format!("the history is incomplete: {reason}"))?;
        Ok((head.tree, head.parents))
    }

    /// Takes what is new of a tree; gives the size of the files.
    fn tree(&mut self, tree: ObjectId, below: &[ObjectId], depth: usize) -> Result<u64, String> {
        if below.contains(&tree) || self.is_held(tree) || !self.take(tree)? {
            return Ok(0);
        }
        if depth > DEEPEST {
            return Err("folders are nested too deep".to_owned());
        }
        let held = self.entries(tree)?;
        let mut known = Vec::new();
        for tree in below {
            known.push(self.entries(*tree)?);
        }
        let mut bytes = 0;
        for (name, kind, id) in held {
            let same = known.iter().filter_map(|entries| {
                let place = entries.binary_search_by(|entry| entry.0.cmp(&name)).ok()?;
                Some((entries[place].1, entries[place].2))
            });
            let same: Vec<(EntryKind, ObjectId)> = same.collect();
            if kind == EntryKind::Commit || same.iter().any(|(_, known)| *known == id) {
                continue;
            }
            bytes += if kind == EntryKind::Tree {
                let below: Vec<ObjectId> = same
                    .iter()
                    .filter(|(kind, _)| *kind == EntryKind::Tree)
                    .map(|(_, id)| *id)
                    .collect();
                self.tree(id, &below, depth + 1)?
            } else {
                self.file(id)?
            };
        }
        if bytes >= LARGE {
            self.large.push(tree);
        }
        Ok(bytes)
    }

    /// Takes a file, unless it lies elsewhere; gives its size.
    fn file(&mut self, id: ObjectId) -> Result<u64, String> {
        let size = self.database.size(id)?;
        if (size >= LARGE && self.is_held(id)) || !self.take(id)? {
            return Ok(0);
        }
        if size >= LARGE {
            self.large.push(id);
        }
        Ok(size)
    }

    /// Whether another commit has the object: then that commit is needed.
    fn is_held(&mut self, id: ObjectId) -> bool {
        let holder = (self.holder)(id);
        self.holders.extend(holder);
        holder.is_some()
    }

    /// What a tree holds, sorted by name.
    fn entries(&self, tree: ObjectId) -> Result<Vec<(BString, EntryKind, ObjectId)>, String> {
        let mut entries = self.database.tree(tree)?;
        entries.sort_unstable();
        Ok(entries)
    }
}
