//! The index that a fresh checkout of a commit would have, as bytes.

use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use gix::sec::Trust;

use super::database::Database;
use super::open::Repository;
use super::text::display_path;

/// The index of what `commit` holds, for the repository whose work tree is `root`. No file is
/// looked at, so git compares each with its content once.
pub fn index_of(root: &Path, commit: &str) -> Result<Vec<u8>, String> {
    let repository = match Repository::at_root(root, Trust::Reduced) {
        Finding::Found(repository) => repository,
        other => return Err(other.reason().unwrap_or("there is none").to_owned()),
    };
    let database = Database::of(&repository.git);
    let tree = database.commit(database.parse(commit)?)?.tree;
    let cannot = |why: String| {
        let why = display_path(why.as_bytes());
        format!("the index cannot be made: {why}")
    };
    let index = repository
        .git
        .index_from_tree(&tree)
        .map_err(|error| cannot(error.to_string()))?;
    let mut bytes = Vec::new();
    index
        .write_to(&mut bytes, gix::index::write::Options::default())
        .map_err(|error| cannot(error.to_string()))?;
    Ok(bytes)
}

impl Database {
    /// The folder of its objects, where it is a repository's.
    pub fn objects_folder(&self) -> Option<PathBuf> {
        let objects = self.git()?.objects.store_ref().path();
        objects.canonicalize().ok()
    }

    /// The commits at which its history is cut off, as the repository lists them.
    pub fn shallow_file(&self) -> Option<PathBuf> {
        let file = self.git()?.common_dir().join("shallow");
        file.is_file().then_some(file)
    }

    /// Whether objects are in it that no repository has.
    pub fn is_from_bundles(&self) -> bool {
        !self.packed().is_empty()
    }
}
