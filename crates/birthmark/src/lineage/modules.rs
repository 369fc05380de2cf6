//! Code that was loaded, by repository, with the ids that git gives its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_capture::git;
use birthmark_core::code::ObjectKind;
use birthmark_core::event::{Module, ModulesObserved};
use birthmark_core::{Fields, Finding};
use birthmark_store::atomic;
use serde_json::Value;

use super::Seen;
use super::record::CLOCK_STEP;
use crate::dataset;
use crate::project::Project;

const GIT_LIMIT: Duration = Duration::from_secs(10);
/// Modules of one repository that are listed.
const MOST: usize = 5_000;
/// Of those in no repository, that are listed.
const MOST_LOOSE: usize = 100;
/// A larger module is not held against the commit byte by byte.
const LARGEST: usize = 16 << 20;

/// When files changed, held against when they were loaded.
pub(super) struct Loading<'a> {
    /// What was seen of the run.
    pub(super) seen: &'a Seen,
    /// When it began, in microseconds.
    pub(super) since: i64,
    /// Whether it was watched from its first instruction: else what nobody saw being loaded was
    /// loaded before.
    pub(super) from_first: bool,
}

/// What was loaded of a file, by its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loaded {
    /// What lay there when the run began, and lies there now.
    Unchanged,
    /// What lay there when the run began; it changed later.
    AsBegun,
    /// What lies there now; it changed before it was loaded.
    AsEnded,
    /// That is not known.
    Unknown,
}

impl Loading<'_> {
    fn of(&self, file: &Path) -> Loaded {
        // A time of writing can be set back, that of a change cannot.
        let changed = file.metadata().map_or(u64::MAX, |found| {
            let nanos = found.ctime() * 1_000_000_000 + found.ctime_nsec();
            nanos.unsigned_abs()
        });
        let begun = self.since.unsigned_abs() * 1000;
        let since = (self.since - CLOCK_STEP).unsigned_abs() * 1000;
        let loaded = self.seen.loaded.get(file);
        // A step of the clock before may be after: where nothing was noted that tells, what was
        // just written and then run is no change.
        if changed < since || loaded.is_none() && changed <= begun {
            return Loaded::Unchanged;
        }
        match loaded {
            Some(times) if times.iter().all(|time| *time == changed) => Loaded::AsEnded,
            Some(times) if times.iter().all(|time| *time < since) => Loaded::AsBegun,
            None if !self.from_first => Loaded::AsBegun,
            _ => Loaded::Unknown,
        }
    }

    /// Whether the run wrote itself what was loaded so.
    fn is_made(&self, file: &Path, loaded: Loaded) -> bool {
        let may_be = matches!(loaded, Loaded::AsEnded | Loaded::Unknown);
        may_be && self.seen.writes.contains(file)
    }
}

/// The loaded files of each repository; those in none are left out. `look` tells what stands in a
/// repository that was not looked at before.
pub(super) fn observed(
    project: &Project,
    look: impl Fn(&Path) -> Option<Fields>,
    files: &BTreeSet<PathBuf>,
    loading: &Loading<'_>,
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
                    .map(|(file, blob)| {
                        let loaded = loading.of(file);
                        let made = loading.is_made(file, loaded);
                        let is_known = matches!(loaded, Loaded::Unchanged | Loaded::AsEnded);
                        Module {
                            file: name(file, &root),
                            blob: blob.found().cloned(),
                            changed: made || !is_known,
                            unkept: false,
                            made,
                        }
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

/// Holds what was loaded against the commit that is said to hold the code of this repository, and
/// marks what it does not hold. What was loaded before it changed is what it holds. What is
/// reached through a symlink lies elsewhere, and what cannot be read is not judged; nor is what
/// the run wrote itself.
pub(super) fn hold_against(
    modules: &mut ModulesObserved,
    root: &Path,
    commit: &str,
    loading: &Loading<'_>,
) {
    let objects = match git::Objects::open(root) {
        Finding::Found(objects) if objects.root() == Some(root) => objects,
        _ => return,
    };
    if objects.kind(commit) != Finding::Found(ObjectKind::Commit) {
        return;
    }
    for module in modules.files.iter_mut().filter(|module| !module.made) {
        let path = root.join(&module.file);
        let lies_there = || path.canonicalize().is_ok_and(|real| real == path);
        match (objects.blob_at(commit, &module.file), loading.of(&path)) {
            (None, _) => module.unkept = lies_there(),
            (Some(held), Loaded::AsBegun) => {
                module.blob = Some(held);
                module.changed = false;
            }
            (Some(held), Loaded::AsEnded) => {
                let as_it_lies = || {
                    let now = atomic::read_limited(&path, LARGEST as u64).ok();
                    now.is_some() && objects.read_at(commit, &module.file, LARGEST) == now
                };
                module.unkept = module.blob.as_ref() != Some(&held) && !as_it_lies();
            }
            (Some(_), Loaded::Unchanged | Loaded::Unknown) => {}
        }
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
