//! What the Pythons of a command are given: a folder of their module path, in which a
//! `sitecustomize` notes seeds and loads. The command needs no Birthmark of its own for that.
//!
//! # Limits
//!
//! * A Python that is started with `-I`, `-E` or `-S`, or with a `PYTHONPATH` of its own, is not reached.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use birthmark_capture::process;
use birthmark_store::atomic;

/// The folder's name, among the notes of a run.
const FOLDER: &str = "python";
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

/// Lays the folder out among the notes. That it cannot be is no failure: names and seeds are then
/// not told.
pub(super) fn lay_out(notes: &Path) -> bool {
    let folder = notes.join(FOLDER);
    atomic::create_folder(&folder.join("birthmark_run")).is_ok()
        && FILES
            .iter()
            .all(|(name, text)| atomic::create_new(&folder.join(name), text.as_bytes()).is_ok())
}

/// Puts the folder first among those that Python looks for modules in.
pub(super) fn give(notes: &Path, command: &mut Command) {
    let mut path = OsString::from(notes.join(FOLDER));
    if let Some(others) = process::variable("PYTHONPATH").filter(|others| !others.is_empty()) {
        path.push(":");
        path.push(others);
    }
    command.env("PYTHONPATH", path);
}
