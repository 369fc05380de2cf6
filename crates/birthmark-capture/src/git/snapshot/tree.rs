//! Editing a tree: only the folders that were touched are read, and made anew.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::write::Writer;

/// Folders in folders are followed this deep, as in the comparison of the index.
const DEEPEST: usize = 512;

/// What shall stand at a path.
type Entry = Option<(EntryKind, ObjectId)>;

/// The edits below one folder.
#[derive(Debug, Default)]
pub(super) struct Edits {
    names: BTreeMap<BString, Edit>,
}

#[derive(Debug, Default)]
struct Edit {
    /// The file itself: put, taken away (`Some(None)`), or not spoken of.
    own: Option<Entry>,
    /// What happens below, if it is a folder.
    below: Edits,
}

impl Edits {
    /// Says what stands at `path`; `None` takes it away.
    pub(super) fn set(&mut self, path: &BStr, entry: Entry) {
        let mut at = self;
        let mut parts = path.split_str("/").peekable();
        while let Some(part) = parts.next() {
            let edit = at.names.entry(part.into()).or_default();
            if parts.peek().is_none() {
                edit.own = Some(entry);
                return;
            }
            at = &mut edit.below;
        }
    }

    /// Makes the tree; `None` where nothing is left in it.
    pub(super) fn apply(
        &self,
        base: Option<ObjectId>,
        writer: &mut Writer<'_>,
    ) -> Result<Option<ObjectId>, String> {
        self.folder(base, writer, 0)
    }

    fn folder(
        &self,
        base: Option<ObjectId>,
        writer: &mut Writer<'_>,
        depth: usize,
    ) -> Result<Option<ObjectId>, String> {
        if depth > DEEPEST {
            return Err("folders are nested too deep".to_owned());
        }
        let mut held = match base {
            Some(base) => read(writer, base)?,
            None => BTreeMap::new(),
        };
        for (name, edit) in &self.names {
            let before = held.remove(name);
            if let Some(now) = edit.now(before, writer, depth)? {
                held.insert(name.clone(), now);
            }
        }
        if held.is_empty() {
            return Ok(None);
        }
        writer.put(Kind::Tree, &spell(&held)).map(Some)
    }
}

impl Edit {
    /// What stands under the name after the edits, given what stood there before.
    fn now(&self, before: Entry, writer: &mut Writer<'_>, depth: usize) -> Result<Entry, String> {
        if let Some(Some(put)) = self.own {
            return Ok(Some(put));
        }
        let taken = self.own.is_some();
        let (tree, file) = match before {
            Some((EntryKind::Tree, id)) => (Some(id), None),
            other => (None, other.filter(|_| !taken)),
        };
        if self.below.names.is_empty() {
            // A folder is not taken away by the word that no file stands there.
            return Ok(file.or(tree.map(|id| (EntryKind::Tree, id))));
        }
        let below = self.below.folder(tree, writer, depth + 1)?;
        Ok(below.map(|id| (EntryKind::Tree, id)).or(file))
    }
}

/// What a tree holds, by name.
fn read(
    writer: &Writer<'_>,
    tree: ObjectId,
) -> Result<BTreeMap<BString, (EntryKind, ObjectId)>, String> {
    let unreadable = || format!("the tree {tree} cannot be read");
    let tree = writer.source.find_tree(tree).map_err(|_| unreadable())?;
    let mut held = BTreeMap::new();
    for entry in tree.iter() {
        let entry = entry.map_err(|_| unreadable())?;
        held.insert(
            entry.filename().to_owned(),
            (entry.mode().kind(), entry.object_id()),
        );
    }
    Ok(held)
}

/// A tree's bytes: in git's order, where a folder sorts as if it ended in a slash.
fn spell(held: &BTreeMap<BString, (EntryKind, ObjectId)>) -> Vec<u8> {
    let mut sorted: Vec<(BString, &BString, &(EntryKind, ObjectId))> = held
        .iter()
        .map(|(name, entry)| {
            let mut key = name.clone();
            if entry.0 == EntryKind::Tree {
                key.push(b'/');
            }
            (key, name, entry)
        })
        .collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut bytes = Vec::new();
    for (_, name, (kind, id)) in sorted {
        bytes.extend_from_slice(kind.as_octal_str());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_slice());
    }
    bytes
}
