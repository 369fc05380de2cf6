//! The files that a commit holds, as they are stored: no filter, no conversion.

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind;

use super::database::Database;
use super::snapshot::is_plain_path;

/// Folders in folders are followed this deep.
const DEEPEST: usize = 512;

/// What stands at a path of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredKind {
    /// A file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symlink, and where it points.
    Link(Vec<u8>),
    /// Another repository, at this commit.
    Nested(String),
}

/// Why the files could not be read to their end.
#[derive(Debug)]
pub enum ReadFailure<E> {
    /// The commit, or something in it.
    Commit(String),
    /// What the caller did with a file.
    Caller(E),
}

/// One place of a commit: its path in bytes with `/`, its mode, and its object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredPlace {
    /// Path below the top level.
    pub path: Vec<u8>,
    /// Git's mode: `100644`, `100755`, `120000`, `160000`.
    pub mode: u16,
    /// The id of what stands there.
    pub id: String,
}

impl Database {
    /// Hands over every file of a commit in the order of its trees.
    ///
    /// A path that would leave the folder it is unpacked into is an error.
    pub fn files<E>(
        &self,
        commit: &str,
        mut each: impl FnMut(&[u8], StoredKind) -> Result<(), E>,
    ) -> Result<(), ReadFailure<E>> {
        let tree = self.tree_of(commit).map_err(ReadFailure::Commit)?;
        let mut places = Vec::new();
        self.walk(tree, &mut BString::default(), 0, &mut places)
            .map_err(ReadFailure::Commit)?;
        for (path, kind, id) in places {
            let stored = self.stored(kind, id).map_err(ReadFailure::Commit)?;
            each(&path, stored).map_err(ReadFailure::Caller)?;
        }
        Ok(())
    }

    /// Every place of a commit, sorted by path; nothing is read but its trees.
    pub fn places(&self, commit: &str) -> Result<Vec<StoredPlace>, String> {
        let tree = self.tree_of(commit)?;
        let mut places = Vec::new();
        self.walk(tree, &mut BString::default(), 0, &mut places)?;
        let mut places: Vec<StoredPlace> = places
            .into_iter()
            .map(|(path, kind, id)| StoredPlace {
                path: path.into(),
                mode: gix::objs::tree::EntryMode::from(kind).value(),
                id: id.to_string(),
            })
            .collect();
        places.sort_unstable();
        Ok(places)
    }

    fn tree_of(&self, commit: &str) -> Result<ObjectId, String> {
        Ok(self.commit(self.parse(commit)?)?.tree)
    }

    fn walk(
        &self,
        tree: ObjectId,
        path: &mut BString,
        depth: usize,
        places: &mut Vec<(BString, EntryKind, ObjectId)>,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("folders are nested too deep".to_owned());
        }
        for (name, kind, id) in self.tree(tree)? {
            let length = path.len();
            path.extend_from_slice(&name);
            if !is_plain_path(name.as_ref()) || name.contains(&b'/') {
                let shown = super::display_path(path);
                return Err(format!(
                    "the tree {tree} holds a name that is none: {shown}"
                ));
            }
            if kind == EntryKind::Tree {
                path.push(b'/');
                self.walk(id, path, depth + 1, places)?;
            } else {
                places.push((path.clone(), kind, id));
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn stored(&self, kind: EntryKind, id: ObjectId) -> Result<StoredKind, String> {
        if kind == EntryKind::Commit {
            return Ok(StoredKind::Nested(id.to_string()));
        }
        let bytes = self.blob(&id.to_string())?;
        Ok(match kind {
            EntryKind::Link => StoredKind::Link(bytes),
            kind => StoredKind::File {
                bytes,
                executable: kind == EntryKind::BlobExecutable,
            },
        })
    }
}
