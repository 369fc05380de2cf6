//! What was digested already: a table in the user's cache folder, by the state of the file.
//!
//! The key is all that tells one state of a file from another without reading it: device,
//! inode, size, modification and change time. No program can set the change time, so what
//! is edited, replaced, renamed, or dressed up with an old date is read again.
//!
//! The table is one file of a fixed size. An entry has a place that follows from its key,
//! and a sum of its own: asking is one read, noting is one write, nobody waits for a lock,
//! and what a crash or two writers at once left halfway is no entry. Of more entries than
//! have room, older ones are lost; losing one costs a reading, and nothing else.
//!
//! # Invariants
//!
//! * Nothing is noted of a file that was changed so shortly before it was read that it could
//!   change again without showing it: see [`is_settled`].
//! * A table that belongs to somebody else, or that is no plain file, is not used.
//!
//! # Limitations
//!
//! * What is written through a shared memory map may show in the times only when the system
//!   writes it back.
//! * A bit that rots on the disk changes no time: whoever wants that seen reads anew.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::FileState;
use crate::atomic::{PathContext, PathError};

/// The table's file in the cache folder. Its version stands in the name.
const NAME: &str = "digests.v1";
/// Bytes of an entry.
const ENTRY: usize = 128;
/// Entries that share a place.
const ROW: usize = 4;
/// Places. The whole file has 4 MiB, of which only what was used takes room.
const ROWS: u64 = 8192;
/// Smaller files are hashed in less time than it takes to remember them.
pub(super) const LEAST_SIZE: u64 = 256 << 10;
/// A tick of this machine's clock, and then some, in nanoseconds.
const TICK_NS: i128 = 100_000_000;
/// The same where another machine's clock may have dated the file.
const FOREIGN_TICK_NS: i128 = 60_000_000_000;

/// What is remembered of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Its BLAKE3 digest.
    Blake3,
    /// Its SHA-256 digest.
    Sha256,
    /// Its digest without birthmarks, read as a file of the kind with this word.
    Content(&'static str),
    /// How many records it has, read as a file of the kind with this word.
    Records(&'static str),
}

impl What {
    fn text(self) -> String {
        match self {
            Self::Blake3 => "blake3".to_owned(),
            Self::Sha256 => "sha256".to_owned(),
            Self::Content(kind) => format!("content {kind}"),
            Self::Records(kind) => format!("records {kind}"),
        }
    }
}

/// An open table.
#[derive(Debug)]
pub struct DigestCache {
    file: File,
}

impl DigestCache {
    /// Opens the table in `folder`; both are made where they are not there.
    pub fn open(folder: &Path) -> Result<Self, PathError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .at("create folder", folder)?;
        let path = folder.join(NAME);
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
            .open(&path)
            .at("open", &path)?;
        let found = file.metadata().at("open", &path)?;
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it is not this user's own file")).at("open", &path);
        }
        Ok(Self { file })
    }

    /// What was noted of a file in this state.
    pub fn get(&self, state: &FileState, what: What) -> Option<[u8; 32]> {
        let key = key(state, what);
        let row = self.row(&key)?;
        let entry = row.chunks_exact(ENTRY).find(|entry| has_key(entry, &key))?;
        entry.get(KEY..KEY + 32)?.try_into().ok()
    }

    /// Notes something of a file in this state. What cannot be noted is read again next time.
    pub fn put(&self, state: &FileState, what: What, value: [u8; 32]) {
        let key = key(state, what);
        let Some(row) = self.row(&key) else { return };
        let mut entries = row.chunks_exact(ENTRY);
        let same = entries.clone().position(|entry| is_of(entry, &key));
        let place = same
            .or_else(|| entries.position(|entry| !is_whole(entry)))
            .unwrap_or_else(|| usize::from(value[0]) % ROW);
        let at = row_at(&key) + (place * ENTRY) as u64;
        // A full disk, or one that cannot be written: it is read again next time.
        let _ = self.file.write_all_at(&rendered(&key, &value), at);
    }

    /// The entries that share the place of `key`; zeros where the file ends before.
    fn row(&self, key: &[u8; KEY]) -> Option<[u8; ROW * ENTRY]> {
        let mut row = [0; ROW * ENTRY];
        let mut read = 0;
        while let Some(rest) = row.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, row_at(key) + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some(row)
    }
}

/// Whether a file in this state, met at `now`, can only change in a way that shows.
pub(super) fn is_settled(file: &File, state: &FileState, now_ns: i128) -> bool {
    let tick = if has_our_clock(file) {
        TICK_NS
    } else {
        FOREIGN_TICK_NS
    };
    now_ns - state.modified_ns.max(state.changed_ns) > tick
}

/// File systems of a local kernel, which dates their files by its own clock to a tick, by
/// their numbers in `statfs`: ext, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs.
const LOCAL: [u64; 8] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0x0102_1994,
    0x794C_7630,
    0xF2F5_2010,
    0x2FC1_2FC1,
    0xCA45_1A4E,
];

#[cfg(target_os = "linux")]
fn has_our_clock(file: &File) -> bool {
    rustix::fs::fstatfs(file)
        .is_ok_and(|found| LOCAL.contains(&(found.f_type.cast_unsigned() & 0xFFFF_FFFF)))
}

#[cfg(not(target_os = "linux"))]
fn has_our_clock(_file: &File) -> bool {
    let _ = LOCAL;
    false
}

/// Bytes of a key: eight each for device, inode, size and what it is, sixteen for each time.
const KEY: usize = 64;

fn key(state: &FileState, what: What) -> [u8; KEY] {
    let mut key = [0; KEY];
    let what = *blake3::hash(what.text().as_bytes()).as_bytes();
    let parts: [&[u8]; 6] = [
        &state.device.to_le_bytes(),
        &state.inode.to_le_bytes(),
        &what[..8],
        &state.size.to_le_bytes(),
        &state.modified_ns.to_le_bytes(),
        &state.changed_ns.to_le_bytes(),
    ];
    for (slot, byte) in key.iter_mut().zip(parts.concat()) {
        *slot = byte;
    }
    key
}

/// The part of a key that is the same in every state of a file: an entry of an older state
/// is written over.
const FILE: usize = 24;

fn row_at(key: &[u8; KEY]) -> u64 {
    let hash = blake3::hash(&key[..FILE]);
    let mut number = [0; 8];
    number.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(number) % ROWS * (ROW * ENTRY) as u64
}

/// Key, value, and the sum over both.
fn rendered(key: &[u8; KEY], value: &[u8; 32]) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..KEY].copy_from_slice(key);
    entry[KEY..KEY + 32].copy_from_slice(value);
    let sum = blake3::hash(&entry[..KEY + 32]);
    entry[KEY + 32..].copy_from_slice(sum.as_bytes());
    entry
}

fn is_whole(entry: &[u8]) -> bool {
    let Some((said, sum)) = entry.split_at_checked(KEY + 32) else {
        return false;
    };
    blake3::hash(said).as_bytes() == sum
}

fn is_of(entry: &[u8], key: &[u8; KEY]) -> bool {
    entry.get(..FILE) == Some(&key[..FILE])
}

fn has_key(entry: &[u8], key: &[u8; KEY]) -> bool {
    entry.get(..KEY) == Some(key) && is_whole(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(inode: u64) -> FileState {
        FileState {
            device: 1,
            inode,
            size: 3,
            modified_ns: -5,
            changed_ns: i128::from(i64::MAX),
            executable: false,
        }
    }

    #[test]
    fn what_was_noted_is_told_of_that_state_and_of_that_question_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DigestCache::open(dir.path()).unwrap();
        let first = state(7);
        assert_eq!(cache.get(&first, What::Blake3), None);
        cache.put(&first, What::Blake3, [1; 32]);
        cache.put(&first, What::Content("jsonl"), [2; 32]);
        let again = DigestCache::open(dir.path()).unwrap();
        assert_eq!(again.get(&first, What::Blake3), Some([1; 32]));
        assert_eq!(again.get(&first, What::Content("jsonl")), Some([2; 32]));
        assert_eq!(again.get(&first, What::Sha256), None);
        let mut others = [first; 5];
        others[0].device += 1;
        others[1].inode += 1;
        others[2].size += 1;
        others[3].modified_ns += 1;
        others[4].changed_ns -= 1;
        for other in others {
            assert_eq!(again.get(&other, What::Blake3), None, "{other:?}");
        }
        // A later state takes the place of the earlier one.
        again.put(&others[2], What::Blake3, [3; 32]);
        assert_eq!(again.get(&first, What::Blake3), None);
    }

    #[test]
    fn half_written_and_foreign_entries_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DigestCache::open(dir.path()).unwrap();
        cache.put(&state(1), What::Blake3, [9; 32]);
        let at = row_at(&key(&state(1), What::Blake3));
        for place in [0, 30, 70, 100, 127] {
            let mut byte = [0];
            cache.file.read_exact_at(&mut byte, at + place).unwrap();
            cache.file.write_all_at(&[byte[0] ^ 1], at + place).unwrap();
            assert_eq!(cache.get(&state(1), What::Blake3), None, "byte {place}");
            cache.file.write_all_at(&byte, at + place).unwrap();
        }
        assert_eq!(cache.get(&state(1), What::Blake3), Some([9; 32]));
        cache.file.set_len(at + 64).unwrap();
        assert_eq!(cache.get(&state(1), What::Blake3), None);
        cache.put(&state(1), What::Blake3, [9; 32]);
        assert_eq!(cache.get(&state(1), What::Blake3), Some([9; 32]));
    }

    #[test]
    fn table_stays_small_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache").join("birthmark");
        let cache = DigestCache::open(&folder).unwrap();
        for inode in 0..40_000 {
            cache.put(
                &state(inode),
                What::Blake3,
                *blake3::hash(&inode.to_le_bytes()).as_bytes(),
            );
        }
        let found = std::fs::metadata(folder.join(NAME)).unwrap();
        assert!(
            found.len() <= ROWS * (ROW * ENTRY) as u64,
            "{}",
            found.len()
        );
        assert_eq!(found.mode() & 0o077, 0);
        let kept = (0..40_000u64).filter(|&inode| {
            let noted = cache.get(&state(inode), What::Blake3);
            assert!(
                noted.is_none_or(|noted| noted == *blake3::hash(&inode.to_le_bytes()).as_bytes())
            );
            noted.is_some()
        });
        assert!(kept.count() > 20_000);
    }

    #[test]
    fn link_in_the_place_of_the_table_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("precious");
        std::fs::File::create_new(&other).unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join(NAME)).unwrap();
        assert!(DigestCache::open(dir.path()).is_err());
    }

    #[test]
    fn what_changed_a_moment_ago_or_in_the_future_is_not_settled() {
        let file = tempfile::tempfile().unwrap();
        let mut found = state(1);
        (found.modified_ns, found.changed_ns) = (1_000_000_000, 2_000_000_000);
        assert!(!is_settled(&file, &found, 2_050_000_000));
        assert!(!is_settled(&file, &found, 1_000_000_000));
        assert!(is_settled(&file, &found, 70_000_000_000));
    }
}
