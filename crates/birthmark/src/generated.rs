//! Which files outside the artifacts folder Birthmark's sessions made.
//!
//! An untracked file that a journal names as generated must not make the tree dirty.
//! Reading every journal at every start would grow with what is stored, so the
//! names of such files are also kept in one list. It is derived: losing it costs
//! only that such a file counts as untracked.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;

use birthmark_store::{Layout, atomic};

const LIST_LIMIT: u64 = 64 << 20;

fn list(layout: &Layout) -> PathBuf {
    layout.store().join("generated")
}

/// The absolute paths on the list.
pub(crate) fn read(layout: &Layout) -> HashSet<PathBuf> {
    let bytes = atomic::read_limited(&list(layout), LIST_LIMIT).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(|line| layout.root().join(line))
        .collect()
}

/// Puts a stored path on the list, unless it is there or lies in the artifacts folder.
pub(crate) fn note(layout: &Layout, stored: &str) {
    let path = layout.root().join(stored);
    let on_it = path.starts_with(layout.artifacts())
        || stored.contains('\n')
        || read(layout).contains(&path);
    if !on_it && let Ok(mut file) = atomic::open_append(&list(layout), false) {
        // Derived: see the head of this file.
        let _ = file.write_all(format!("{stored}\n").as_bytes());
    }
}
