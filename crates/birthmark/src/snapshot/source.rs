//! Where a commit can be read from now.

use std::path::{Path, PathBuf};

use birthmark_capture::git::Objects;
use birthmark_core::Finding;
use birthmark_core::code::ObjectKind;

use crate::project::Project;

/// Where a commit was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this clone, or in the repository that it was taken from.
    Clone,
    /// Only in the store.
    Store,
}

/// An object database that has a commit.
#[derive(Debug)]
pub struct Source {
    /// The database.
    pub objects: Objects,
    /// Where it is.
    pub place: Place,
}

/// Looks for a commit, first where `hints` say.
pub(super) fn find(project: &Project, commit: &str, hints: &[PathBuf]) -> Option<Source> {
    let clones = hints
        .iter()
        .map(PathBuf::as_path)
        .chain([project.root()])
        .map(|folder| (Objects::open(folder), Place::Clone));
    let ours = repositories(project)
        .into_iter()
        .map(|folder| (Objects::bare(&folder), Place::Store));
    clones
        .chain(ours)
        .filter_map(|(objects, place)| match objects {
            Finding::Found(objects) => Some(Source { objects, place }),
            Finding::Absent | Finding::Unknown(_) => None,
        })
        .find(|source| has(&source.objects, commit))
}

/// Whether the commit is there, and what it names.
fn has(objects: &Objects, commit: &str) -> bool {
    objects.kind(commit) == Finding::Found(ObjectKind::Commit)
}

/// The bare repositories of the store.
fn repositories(project: &Project) -> Vec<PathBuf> {
    let folder = project.layout.repositories();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "git"))
        .collect();
    folders.sort();
    folders
}

/// A folder's own name for a hint, if it is there.
pub(super) fn hint(root: &Path, path: &str) -> PathBuf {
    root.join(path)
}
