//! Where our writing meets the file system: each step that matters to durability passes
//! here first, so that a test can see it, and make it fail.
//!
//! Files of records, journals and all that is written atomically are covered. A step is
//! told to the watcher of its own thread, if there is one; outside tests there is none, and
//! the telling costs a look at one variable.
//!
//! # Limits
//!
//! * The bytes of a file that is written atomically are told at once, when it is settled.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// One step.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A folder comes to be.
    MakeFolder(&'a Path),
    /// A file comes to be, empty, or is opened if it is there.
    Create(&'a Path),
    /// Bytes are written.
    Write {
        /// The file.
        path: &'a Path,
        /// Where in it.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A file is cut.
    Truncate {
        /// The file.
        path: &'a Path,
        /// Its new length.
        length: u64,
    },
    /// The bytes of a file are to survive a power cut.
    SyncFile(&'a Path),
    /// A file takes another's name.
    Rename {
        /// What it is called before.
        from: &'a Path,
        /// And after.
        to: &'a Path,
    },
    /// The names in a folder are to survive a power cut.
    SyncFolder(&'a Path),
}

/// Sees each step before it is taken. An error takes its place.
pub type Watcher = Box<dyn FnMut(&Step<'_>) -> io::Result<()>>;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Watches the steps of this thread until the answer is dropped.
#[must_use = "the watching ends when this is dropped"]
pub fn watch(watcher: Watcher) -> Watching {
    WATCHER.with(|slot| *slot.borrow_mut() = Some(watcher));
    WATCHED.set(true);
    Watching(())
}

/// While it lives, the steps of its thread are watched.
#[derive(Debug)]
pub struct Watching(());

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHED.set(false);
        WATCHER.with(|slot| *slot.borrow_mut() = None);
    }
}

/// Whether this thread is watched.
pub(crate) fn is_watched() -> bool {
    WATCHED.get()
}

/// Tells of a step that is about to be taken.
#[inline]
pub(crate) fn pass(step: &Step<'_>) -> io::Result<()> {
    if !is_watched() {
        return Ok(());
    }
    WATCHER.with(|slot| match &mut *slot.borrow_mut() {
        Some(watcher) => watcher(step),
        None => Ok(()),
    })
}

/// Writes all bytes at the end of a file, which is at `offset`. A write that a watcher
/// lets fail comes half way, as on a full disk.
pub(crate) fn write_all(file: &mut File, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    if let Err(error) = pass(&Step::Write {
        path,
        offset,
        bytes,
    }) {
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        file.write_all(half)?;
        return Err(error);
    }
    file.write_all(bytes)
}

/// Cuts a file.
pub(crate) fn truncate(file: &File, path: &Path, length: u64) -> io::Result<()> {
    pass(&Step::Truncate { path, length })?;
    file.set_len(length)
}

/// Syncs the bytes of a file.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    pass(&Step::SyncFile(path))?;
    file.sync_data()
}
