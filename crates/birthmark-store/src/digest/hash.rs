//! How the bytes of one open file are hashed: by one thread or by several, and no faster
//! than asked.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use blake3::hazmat::{ChainingValue, HasherExt};
use sha2::Digest as _;

use super::PIECE;
use super::subtrees::{Part, Subtrees};

/// What one thread takes at a time: a whole subtree of BLAKE3's tree.
pub(super) const SUBTREE: u64 = 4 << 20;

/// How fast bytes may be read, over all threads together. What was not read while nothing
/// was to be read is not made up for.
#[derive(Debug)]
pub struct Pace {
    /// Bytes a second.
    most: AtomicU64,
    /// When the next bytes may be read.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many bytes a second, until it is lifted.
    pub fn at_most(bytes_per_second: u64) -> Self {
        Self {
            most: AtomicU64::new(bytes_per_second.max(1)),
            next: Mutex::new(None),
        }
    }

    /// Nobody needs to be spared any more: from now on it is read as fast as it can be.
    pub fn lift(&self) {
        self.most.store(u64::MAX, Ordering::Relaxed);
    }

    /// Waits as long as so many bytes take.
    fn keep(&self, bytes: u64) {
        let most = u128::from(self.most.load(Ordering::Relaxed));
        let micros = u128::from(bytes) * 1_000_000 / most;
        let time = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let now = Instant::now();
        let next = {
            let mut next = self
                .next
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let from = next.map_or(now, |next| next.max(now));
            *next.insert(from.checked_add(time).unwrap_or(from))
        };
        std::thread::sleep(next.saturating_duration_since(now));
    }
}

/// An open file of a known size.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) file: &'a File,
    pub(super) size: u64,
    pub(super) progress: Option<&'a AtomicU64>,
    pub(super) pace: Option<&'a Pace>,
}

impl Input<'_> {
    /// Feeds the bytes from `start` up to `end`, or says that the file is shorter.
    fn feed(self, start: u64, end: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        while at < end {
            crate::stop::check()?;
            let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..want).unwrap_or_default();
            self.file.read_exact_at(piece, at)?;
            take(piece);
            at += want as u64;
            if let Some(progress) = self.progress {
                progress.fetch_add(want as u64, Ordering::Relaxed);
            }
            if let Some(pace) = self.pace {
                pace.keep(want as u64);
            }
        }
        Ok(())
    }

    pub(super) fn sha256(self) -> io::Result<[u8; 32]> {
        let mut hasher = sha2::Sha256::new();
        self.feed(0, self.size, |piece| hasher.update(piece))?;
        Ok(hasher.finalize().into())
    }

    pub(super) fn blake3(self) -> io::Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        self.feed(0, self.size, |piece| {
            hasher.update(piece);
        })?;
        Ok(*hasher.finalize().as_bytes())
    }

    /// Hashes the subtrees by several threads, then joins them to the root.
    pub(super) fn blake3_threads(self, threads: usize) -> io::Result<[u8; 32]> {
        let count = usize::try_from(self.size.div_ceil(SUBTREE)).map_err(io::Error::other)?;
        let next = AtomicUsize::new(0);
        let subtrees = Mutex::new(vec![ChainingValue::default(); count]);
        let work = || -> io::Result<()> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    return Ok(());
                }
                let value = self.subtree(place as u64 * SUBTREE)?;
                let mut all = subtrees
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(slot) = all.get_mut(place) {
                    *slot = value;
                }
            }
        };
        let threads = threads.min(count);
        let flag = crate::stop::flag();
        let work = || crate::stop::with(flag.clone(), work);
        // A thread that cannot be made (a limit of the machine) is done without.
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mine = work();
            others.into_iter().fold(mine, |sum, other| {
                sum.and(
                    other
                        .join()
                        .unwrap_or_else(|_| Err(io::Error::other("a thread died"))),
                )
            })
        })?;
        let subtrees = subtrees
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut joined = Subtrees::default();
        for value in subtrees {
            joined.push(Part::one_of_many(value));
        }
        Ok(joined.digest().bytes)
    }

    fn subtree(self, start: u64) -> io::Result<ChainingValue> {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(start);
        self.feed(start, self.size.min(start + SUBTREE), |piece| {
            hasher.update(piece);
        })?;
        Ok(hasher.finalize_non_root())
    }
}
