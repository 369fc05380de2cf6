//! Room on the disk for a journal's last words.
//!
//! What a session did fills the disk it is recorded on more often than anything else does. So a
//! journal holds a little room behind its end, which nobody sees, and which the last events of a
//! run alone may use: that it ended, how, and what could not be written down.
//!
//! # Invariants
//!
//! * The file's length and bytes are as without it; who closes the journal gives the room back.
//! * Other events are refused where the disk is full, before they use it up.
//!
//! # Limits
//!
//! * Where the file system holds no room (and was the disk full at the beginning) there is none.
//!   After a kill -9 it stays with the file, unseen, until somebody deletes or rewrites that.

use std::fs::File;
use std::io;

/// What is held back for the last words, in bytes.
const LAST: u64 = 8 << 10;
/// What is taken at once.
const AT_ONCE: u64 = 16 << 10;

/// The room behind a journal.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Where it ends in the file; 0 where there is none.
    end: u64,
    /// There is none to be had.
    refused: bool,
}

impl Room {
    /// Before `more` bytes are written behind `size`: an error where they would use up the room
    /// of the last words and are none.
    pub(super) fn make(&mut self, file: &File, size: u64, more: u64, last: bool) -> io::Result<()> {
        let wanted = size + more + LAST;
        if self.refused || wanted <= self.end {
            return Ok(());
        }
        match take(file, size, more + LAST + AT_ONCE) {
            Ok(()) => self.end = wanted + AT_ONCE,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                if self.end > size && !last {
                    return Err(error);
                }
            }
            Err(_) => self.refused = true,
        }
        Ok(())
    }

    /// The file was cut, and the room with it.
    pub(super) fn lose(&mut self) {
        self.end = 0;
    }

    /// Gives it back, where the file is so long; no more is taken.
    pub(super) fn give_back(&mut self, file: &File, size: u64) {
        if self.end > size {
            // Else it goes with the file.
            let _ = rustix::fs::ftruncate(file, size);
            self.end = 0;
        }
        self.refused = true;
    }
}

#[cfg(target_os = "linux")]
fn take(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, flags, offset, length)?)
}

#[cfg(not(target_os = "linux"))]
fn take(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
