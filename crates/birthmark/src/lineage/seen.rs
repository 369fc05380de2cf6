//! What programs opened, as the preloaded library or the audit hook noted it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use birthmark_store::atomic;

/// A file of notes is not larger.
const FILE_LIMIT: u64 = 1 << 20;
const MAGIC: &[u8] = b"BMSEEN1\n";
const FIRST: usize = 64;

/// Paths that were opened, once each.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// To be read.
    pub reads: BTreeSet<PathBuf>,
    /// To be written, or given this name.
    pub writes: BTreeSet<PathBuf>,
    /// Programs that were executed with the watch on; names without `/` were searched for.
    pub executed: BTreeSet<PathBuf>,
    /// Programs that were executed with an environment that leaves the watch out.
    pub unwatched: BTreeSet<PathBuf>,
    /// Notes that found no room.
    pub lost: u64,
    /// Whether any process noted anything.
    pub any: bool,
}

impl Seen {
    /// Reads all notes in a folder. What is damaged or unfinished ends a file's notes.
    pub fn read(folder: &Path) -> Self {
        let mut seen = Self::default();
        let Ok(entries) = std::fs::read_dir(folder) else {
            return seen;
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "seen")
                && let Ok(bytes) = atomic::read_limited(&path, FILE_LIMIT)
            {
                seen.take(&bytes);
            }
        }
        seen
    }

    fn take(&mut self, bytes: &[u8]) {
        if !bytes.starts_with(MAGIC) {
            return;
        }
        self.any = true;
        self.lost += u64::from(number(bytes, 16).unwrap_or(0));
        let mut at = FIRST;
        while let Some(head) = number(bytes, at).filter(|head| *head != 0) {
            let length = (head & 0x00ff_ffff) as usize;
            let Some(path) = bytes.get(at + 4..at + 4 + length) else {
                return;
            };
            self.note(head >> 24, PathBuf::from(OsStr::from_bytes(path)));
            at += 4 + length.div_ceil(4) * 4;
        }
    }

    /// Takes one note up.
    pub fn note(&mut self, kind: u32, path: PathBuf) {
        match kind {
            1 => self.reads.insert(crate::project::plain(&path)),
            2 => self.writes.insert(crate::project::plain(&path)),
            4 => self.executed.insert(path),
            5 => self.unwatched.insert(path),
            _ => false,
        };
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_up_to_what_was_not_finished() {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(FIRST, 0);
        for (kind, path) in [(1_u32, "/a/../b"), (2, "/out"), (5, "cat")] {
            let length = u32::try_from(path.len()).unwrap();
            bytes.extend((kind << 24 | length).to_le_bytes());
            bytes.extend(path.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.extend([0; 64]);
        let mut seen = Seen::default();
        seen.take(&bytes);
        assert!(seen.reads.contains(Path::new("/b")) && seen.reads.len() == 1);
        assert!(seen.writes.contains(Path::new("/out")));
        assert!(seen.unwatched.contains(Path::new("cat")));
        for cut in 0..bytes.len() {
            Seen::default().take(&bytes[..cut]);
        }
    }
}
