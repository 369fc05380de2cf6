//! What the Pythons of a command are given: a folder of their module path, in which a
//! `sitecustomize` notes seeds and loads. The command needs no Birthmark of its own for that.
//!
//! The folder lies in the user's cache and stays there, so that Python compiles what is in it
//! once and not at each start; where it cannot, or others could write to it, among the notes
//! of the run. What is told goes to the notes, which a variable names.
//!
//! # Limits
//!
//! * A Python that is started with `-I`, `-E` or `-S`, or with a `PYTHONPATH` of its own, is not reached.

use std::ffi::OsString;
use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use birthmark_capture::process;
use birthmark_store::{Durability, atomic};

use crate::digests::cache_folder;
use crate::lineage::rules::OF_PYTHON;
use crate::lineage::told::TOLD;

/// The folder's name, among the notes of a run.
const FOLDER: &str = "python";
/// Names the files that Pythons tell, the innermost run's first.
const TELL: &str = "BIRTHMARK_TOLD";
const FILES: [(&str, &str); 5] = [
    ("sitecustomize.py", include_str!("python/sitecustomize.py")),
    (
        "birthmark_run/__init__.py",
        include_str!("python/birthmark_run/__init__.py"),
    ),
    (
        "birthmark_run/_moved.py",
        include_str!("python/birthmark_run/_moved.py"),
    ),
    (
        "birthmark_run/_wrap.py",
        include_str!("../../../../python/birthmark/_wrap.py"),
    ),
    (
        "birthmark_run/_loads.py",
        include_str!("../../../../python/birthmark/_loads.py"),
    ),
];

/// Lays the folder out, and answers where. That it cannot be is no failure: names and seeds are
/// then not told.
pub(super) fn lay_out(notes: &Path) -> Option<PathBuf> {
    let kept = cache_folder().and_then(|cache| lay_out_in(&cache));
    kept.or_else(|| {
        let folder = notes.join(FOLDER);
        fill(&folder).then_some(folder)
    })
}

/// Lays it out in the user's cache, under a name that follows from what is in it.
fn lay_out_in(cache: &Path) -> Option<PathBuf> {
    let mut all = DefaultHasher::new();
    FILES.hash(&mut all);
    let folder = cache.join(format!("{OF_PYTHON}{:016x}", all.finish()));
    // Which folders it is made from stands in a variable of the command.
    let text = folder.to_str().filter(|text| !text.contains(':'));
    text.filter(|_| folder.is_absolute())?;
    if folder.symlink_metadata().is_err() {
        atomic::create_folder(&folder).ok()?;
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).ok()?;
    }
    (is_ours_alone(cache, 0o002) && is_ours_alone(&folder, 0o022) && fill(&folder))
        .then_some(folder)
}

/// Whether a folder is this user's, and none of `others` may write to it: what lies in it is executed.
fn is_ours_alone(folder: &Path, others: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    folder
        .symlink_metadata()
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & others == 0)
}

/// Puts the files in that are not there as they must be.
fn fill(folder: &Path) -> bool {
    let is_as_it_must = |path: &Path, text: &str| {
        let read = atomic::read_limited(path, text.len() as u64);
        read.is_ok_and(|bytes| bytes == text.as_bytes())
    };
    let put = |(name, text): &(&str, &str)| {
        let path = folder.join(name);
        is_as_it_must(&path, text)
            || atomic::replace(&path, text.as_bytes(), Durability::Process).is_ok()
    };
    atomic::create_folder(&folder.join("birthmark_run")).is_ok() && FILES.iter().all(put)
}

/// Puts the folder first among those that Python looks for modules in, and says where to tell.
pub(super) fn give(folder: &Path, notes: &Path, command: &mut Command) {
    command.env("PYTHONPATH", before("PYTHONPATH", folder));
    command.env(TELL, before(TELL, &notes.join(TOLD)));
}

/// A list that a variable holds, with one place more at its front.
fn before(variable: &str, place: &Path) -> OsString {
    let mut list = OsString::from(place);
    if let Some(others) = process::variable(variable).filter(|others| !others.is_empty()) {
        list.push(":");
        list.push(others);
    }
    list
}
