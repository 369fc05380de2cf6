//! Which paths were noted already, by their hashes.
//!
//! A program that opens many files finds each place of a large table gone from its caches, and
//! would wait for memory longer than for all the rest of a note. So a small filter, which stays
//! in them, answers first that a path is new; the table is then written to and not read.
//!
//! What is forgotten here (a place is taken by another, two threads write at once) is noted
//! again, which costs room and nothing else.

use core::sync::atomic::{AtomicU64, Ordering};

/// Powers of two.
const KNOWN: usize = 1 << 15;
const WORDS: usize = 1 << 11;

static PATHS: [AtomicU64; KNOWN] = [const { AtomicU64::new(0) }; KNOWN];
static FILTER: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// A hash that is never 0, of bytes that follow what `before` stands for.
pub(crate) fn hash(before: u64, bytes: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = before.wrapping_mul(K) ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(K);
        hash ^= hash >> 29;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(K);
    }
    (hash ^ hash >> 32) | 1
}

/// A path that is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum New {
    /// Surely: the filter has nothing like it.
    Surely,
    /// The filter may have it, the table has not.
    Perhaps,
}

/// Whether it is new; nothing where it was noted already.
pub(crate) fn look(hash: u64) -> Option<New> {
    let (word, bits) = filter(hash);
    if word.load(Ordering::Relaxed) & bits != bits {
        return Some(New::Surely);
    }
    let known = places(hash)
        .map(|place| place.load(Ordering::Relaxed))
        .take_while(|there| *there != 0)
        .any(|there| there == hash);
    (!known).then_some(New::Perhaps)
}

/// Remembers what was new.
pub(crate) fn remember(hash: u64, new: New) {
    match new {
        New::Surely => {
            let (word, bits) = filter(hash);
            word.store(word.load(Ordering::Relaxed) | bits, Ordering::Relaxed);
            if let Some(place) = places(hash).next() {
                place.store(hash, Ordering::Relaxed);
            }
        }
        New::Perhaps => {
            let free = |place: &&AtomicU64| {
                let set = place.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed);
                set.is_ok()
            };
            let _ = places(hash).find(free);
        }
    }
}

/// The word of the filter that a hash belongs to, and its bits there.
fn filter(hash: u64) -> (&'static AtomicU64, u64) {
    let word = usize::try_from(hash >> 32).unwrap_or(0) & (WORDS - 1);
    let bits = 1 << (hash >> 44 & 63) | 1 << (hash >> 50 & 63) | 1 << (hash >> 56 & 63);
    // The mask keeps it within.
    (FILTER.get(word).unwrap_or(&FILTER[0]), bits)
}

/// The places that a hash may take.
fn places(hash: u64) -> impl Iterator<Item = &'static AtomicU64> {
    let first = usize::try_from(hash >> 1).unwrap_or(0);
    (0..8).filter_map(move |step| PATHS.get(first.wrapping_add(step) & (KNOWN - 1)))
}
