//! Digests files, and remembers what it digested.
//!
//! The same work as [`digest_file`](super::digest_file), with what a user needs beside it:
//! a file that has not changed since it was read is not read again, how far it is can be
//! seen, and it keeps to a pace. Asked from several threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use birthmark_core::digest::{Algorithm, Digest};

use super::cache::{self, DigestCache, What};
use super::hash::{Input, Pace};
use super::{FileDigest, FileError, FileState, digest_open, open_still, threads};
use crate::format::directory::{self, TreeDigest};
use crate::format::{self, FileKind, Source, Watched};

/// Digests files. By itself it reads every file anew, as fast as it can.
#[derive(Debug, Default)]
pub struct Digester {
    memory: Option<Memory>,
    progress: Option<Arc<AtomicU64>>,
    pace: Option<Arc<Pace>>,
    known: AtomicU64,
    sha256: bool,
}

/// Where what was digested is remembered.
#[derive(Debug)]
struct Memory {
    folder: PathBuf,
    /// Microseconds since 1970.
    now: fn() -> i64,
    cache: OnceLock<Option<DigestCache>>,
}

/// What a file is without its birthmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Of the bytes without birthmarks.
    pub digest: Digest,
    /// Records in all.
    pub records: u64,
}

impl Digester {
    /// Remembers in a folder what was digested; `now` is asked for the time, in microseconds
    /// since 1970.
    #[must_use]
    pub fn remembering(mut self, folder: PathBuf, now: fn() -> i64) -> Self {
        let cache = OnceLock::new();
        self.memory = Some(Memory { folder, now, cache });
        self
    }

    /// Raises a number, where one is given, by the bytes that are done.
    #[must_use]
    pub fn telling(mut self, progress: Option<Arc<AtomicU64>>) -> Self {
        self.progress = progress.or(self.progress);
        self
    }

    /// Keeps to a pace, by one thread; reads as fast as it can without one.
    #[must_use]
    pub fn paced(mut self, pace: Option<Arc<Pace>>) -> Self {
        self.pace = pace;
        self
    }

    /// Computes SHA-256 beside BLAKE3, where [`wants_sha256`](Self::wants_sha256) is asked.
    #[must_use]
    pub fn with_sha256(mut self, wanted: bool) -> Self {
        self.sha256 = wanted;
        self
    }

    /// Whether SHA-256 is wanted beside.
    pub fn wants_sha256(&self) -> bool {
        self.sha256
    }

    /// How many files were not read, since they are known.
    pub fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    /// The BLAKE3 digest of a file.
    pub fn file(&self, path: &Path) -> Result<FileDigest, FileError> {
        self.file_as(path, Algorithm::Blake3)
    }

    /// The digest of a file.
    pub fn file_as(&self, path: &Path, algorithm: Algorithm) -> Result<FileDigest, FileError> {
        self.file_by(path, algorithm, threads())
    }

    pub(crate) fn file_by(
        &self,
        path: &Path,
        algorithm: Algorithm,
        threads: usize,
    ) -> Result<FileDigest, FileError> {
        let (file, state) = open_still(path)?;
        let what = match algorithm {
            Algorithm::Blake3 => What::Blake3,
            Algorithm::Sha256 => What::Sha256,
        };
        if let Some(bytes) = self.recall(&state, what) {
            self.tell(state.size);
            self.known.fetch_add(1, Ordering::Relaxed);
            let digest = Digest { algorithm, bytes };
            return Ok(FileDigest { digest, state });
        }
        let settled = self.is_settled(&file, &state);
        let input = Input {
            file: &file,
            size: state.size,
            progress: self.progress.as_deref(),
            pace: self.pace.as_deref(),
        };
        let threads = if self.pace.is_some() { 1 } else { threads };
        let found = digest_open(path, input, state, algorithm, threads)?;
        if settled {
            self.note(&state, what, found.digest.bytes);
        }
        Ok(found)
    }

    /// The tree digest of a folder.
    pub fn tree(&self, folder: &Path) -> Result<TreeDigest, FileError> {
        directory::digest_tree_by(folder, self)
    }

    /// The digest of a file, or the tree digest of a folder, which is of BLAKE3 whatever is asked
    /// for.
    pub fn whole_as(&self, path: &Path, algorithm: Algorithm) -> Result<Digest, FileError> {
        if path.is_dir() {
            return self.tree(path).map(|tree| tree.digest);
        }
        self.file_as(path, algorithm).map(|file| file.digest)
    }

    /// What a file is without its birthmarks; none where it carries none within, or cannot
    /// be read as what its name says.
    pub fn content(&self, path: &Path) -> Option<Content> {
        let kind = FileKind::of(path)?;
        let word = kind.word();
        let (file, state) = open_still(path).ok()?;
        let (what, count) = (What::Content(word), What::Records(word));
        if let (Some(bytes), Some(records)) =
            (self.recall(&state, what), self.recall(&state, count))
        {
            return Some(Content {
                digest: blake3(bytes),
                records: number(records),
            });
        }
        let settled = self.is_settled(&file, &state);
        let mut bytes = Watched::new(file, self.progress.as_deref());
        let input = format::Input {
            name: path,
            bytes: &mut bytes,
        };
        let found = kind.format().content_digest(input).ok()?;
        let held_still = super::state_of(bytes.file()?, path).ok()? == state;
        if !held_still {
            return None;
        }
        if settled {
            self.note(&state, what, found.digest.bytes);
            self.note(&state, count, padded(found.records));
        }
        Some(Content {
            digest: found.digest,
            records: found.records,
        })
    }

    fn recall(&self, state: &FileState, what: What) -> Option<[u8; 32]> {
        self.cache(state)?.get(state, what)
    }

    fn note(&self, state: &FileState, what: What, value: [u8; 32]) {
        if let Some(cache) = self.cache(state) {
            cache.put(state, what, value);
        }
    }

    /// The table, opened when a file is met that is worth it.
    fn cache(&self, state: &FileState) -> Option<&DigestCache> {
        let memory = self.memory.as_ref()?;
        if state.size < cache::LEAST_SIZE {
            return None;
        }
        let open = || DigestCache::open(&memory.folder).ok();
        memory.cache.get_or_init(open).as_ref()
    }

    /// Whether what is read from now on may be noted.
    fn is_settled(&self, file: &File, state: &FileState) -> bool {
        self.memory.as_ref().is_some_and(|memory| {
            let now = i128::from((memory.now)()) * 1_000;
            cache::is_settled(file, state, now)
        })
    }

    fn tell(&self, bytes: u64) {
        if let Some(progress) = &self.progress {
            progress.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

fn blake3(bytes: [u8; 32]) -> Digest {
    Digest {
        algorithm: Algorithm::Blake3,
        bytes,
    }
}

fn padded(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn number(bytes: [u8; 32]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(number)
}
