//! Code that was loaded, by repository, with the ids that git gives its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_capture::git;
use birthmark_core::code::ObjectKind;
use birthmark_core::event::{Module, ModulesObserved};
use birthmark_core::{Fields, Finding};
use serde_json::Value;

use crate::dataset;
use crate::project::Project;

const GIT_LIMIT: Duration = Duration::from_secs(10);
/// Modules of one repository that are listed.
const MOST: usize = 5_000;
/// Of those in no repository, that are listed.
const MOST_LOOSE: usize = 100;

/// The loaded files of each repository; those in none are left out. `since` is when the run
/// began, in microseconds: a file that changed later may have been loaded with other bytes.
/// `look` tells what stands in a repository that was not looked at before.
pub(crate) fn observed(
    project: &Project,
    look: impl Fn(&Path) -> Option<Fields>,
    files: &BTreeSet<PathBuf>,
    since: i64,
    by: &str,
) -> Vec<ModulesObserved> {
    let mut by_root: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        if let Some(root) = root_of(project, file) {
            by_root
                .entry(root.to_owned())
                .or_default()
                .push(file.clone());
        }
    }
    by_root
        .into_iter()
        .map(|(root, mut files)| {
            files.truncate(MOST);
            let blobs = match git::blob_ids(&root, &files, GIT_LIMIT) {
                Finding::Found((_, blobs)) => blobs,
                _ => vec![Finding::Absent; files.len()],
            };
            let modules = files.iter().zip(blobs);
            ModulesObserved {
                files: modules
                    .map(|(file, blob)| Module {
                        file: name(file, &root),
                        blob: blob.found().cloned(),
                        changed: written(file) > since,
                        unkept: false,
                    })
                    .collect(),
                code: look(&root).unwrap_or_default(),
                root: project.stored_path(&root),
                observed_by: by.to_owned(),
            }
        })
        .collect()
}

/// The repository that a file lies in; without one the project.
fn root_of<'a>(project: &'a Project, file: &'a Path) -> Option<&'a Path> {
    let top = file.ancestors().skip(1).find(|up| up.join(".git").exists());
    top.or_else(|| file.starts_with(project.root()).then(|| project.root()))
}

/// The loaded files that lie in no repository, each with its digest.
pub(crate) fn loose(project: &Project, files: &BTreeSet<PathBuf>) -> Vec<Fields> {
    let loose = files.iter().filter(|file| root_of(project, file).is_none());
    let told = |file: &PathBuf| {
        let mut fields = Fields::new();
        fields.insert("file".to_owned(), Value::from(project.stored_path(file)));
        let digest = dataset::digest_of(file)
            .ok()
            .map(|digest| digest.to_string());
        fields.insert("digest".to_owned(), Value::from(digest));
        fields
    };
    loose.take(MOST_LOOSE).map(told).collect()
}

/// Marks what the commit does not hold that is said to hold the code of this repository. What
/// is reached through a symlink lies elsewhere, and what cannot be read is not judged.
pub(super) fn mark_unkept(modules: &mut ModulesObserved, root: &Path, commit: &str) {
    let objects = match git::Objects::open(root) {
        Finding::Found(objects) if objects.root() == Some(root) => objects,
        _ => return,
    };
    if objects.kind(commit) != Finding::Found(ObjectKind::Commit) {
        return;
    }
    for module in &mut modules.files {
        let path = root.join(&module.file);
        let lies_there = path.canonicalize().is_ok_and(|real| real == path);
        module.unkept = lies_there && objects.blob_at(commit, &module.file).is_none();
    }
}

fn name(file: &Path, root: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap_or(file);
    use std::os::unix::ffi::OsStrExt;
    git::display_path(inside.as_os_str().as_bytes())
}

/// When the file was last written, in microseconds.
pub(super) fn written(file: &Path) -> i64 {
    file.metadata().map_or(i64::MAX, |found| {
        found.mtime() * 1_000_000 + found.mtime_nsec() / 1_000
    })
}
