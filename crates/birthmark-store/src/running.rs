//! Digests of bytes that are still coming.
//!
//! BLAKE3 is several times faster over large pieces than over small ones, so
//! bytes are gathered first. The digest of what came so far can be asked at any time.
//! Who writes a long stream can have its pieces hashed by a thread beside, and then waits
//! for the operating system alone.
//!
//! # Limits
//!
//! * Asking for the digest of a long stream waits for the thread, and ends it; the next
//!   megabyte begins another.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use birthmark_core::digest::{Algorithm, Digest};

/// Bytes gathered before they are hashed: from here on BLAKE3 is at full speed.
const PIECE: usize = 128 << 10;
/// Bytes after which a stream is long enough for a thread of its own.
const LONG: u64 = 1 << 20;
/// Pieces that wait for the thread at most: half a megabyte.
const WAITING: usize = 4;

/// A BLAKE3 digest of a stream.
#[derive(Debug, Default)]
pub struct RunningDigest {
    /// What was hashed here; a thread that hashes goes on from it.
    hasher: blake3::Hasher,
    worker: Option<Worker>,
    /// Whether a thread may be begun.
    beside: bool,
    gathered: Vec<u8>,
    length: u64,
    /// Bytes hashed since the last time that the digest was asked for.
    since_asked: u64,
}

/// A thread that hashes pieces in the order in which they come.
#[derive(Debug)]
struct Worker {
    pieces: SyncSender<Vec<u8>>,
    /// Pieces that were hashed, to be filled again.
    spare: Receiver<Vec<u8>>,
    thread: JoinHandle<blake3::Hasher>,
}

impl Worker {
    /// A thread that goes on with `hasher`; `None` where there is none to be had.
    fn start(hasher: &blake3::Hasher) -> Option<Self> {
        let (pieces, waiting) = sync_channel::<Vec<u8>>(WAITING);
        let (done, spare): (Sender<Vec<u8>>, _) = channel();
        let mut hasher = hasher.clone();
        let thread = std::thread::Builder::new()
            .name("birthmark-hash".to_owned())
            .spawn(move || {
                for mut piece in waiting {
                    hasher.update(&piece);
                    piece.clear();
                    // Nobody wants it back at the end.
                    let _ = done.send(piece);
                }
                hasher
            });
        Some(Self {
            pieces,
            spare,
            thread: thread.ok()?,
        })
    }

    fn finish(self) -> Option<blake3::Hasher> {
        drop(self.pieces);
        self.thread.join().ok()
    }
}

impl RunningDigest {
    /// A digest that a thread beside computes as soon as the stream is long.
    pub fn beside() -> Self {
        Self {
            beside: true,
            ..Self::default()
        }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.gathered.len() + bytes.len() > PIECE {
            self.hash_gathered();
        }
        if bytes.len() >= PIECE && self.gathered.is_empty() && self.worker.is_none() {
            self.hasher.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    fn hash_gathered(&mut self) {
        self.since_asked += self.gathered.len() as u64;
        if self.beside && self.worker.is_none() && self.since_asked > LONG {
            self.worker = Worker::start(&self.hasher);
        }
        let Some(worker) = &self.worker else {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
            return;
        };
        let next = worker.spare.try_recv();
        let next = next.unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = std::mem::replace(&mut self.gathered, next);
        if worker.pieces.send(piece).is_err() {
            self.lose();
        }
    }

    /// The thread is gone, and what it knew with it: a length that cannot be right makes
    /// whoever closes the file read it again.
    fn lose(&mut self) {
        *self = Self::default();
    }

    /// How many bytes came.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all that came so far.
    pub fn digest(&mut self) -> Digest {
        self.hash_gathered();
        self.since_asked = 0;
        if let Some(worker) = self.worker.take() {
            match worker.finish() {
                Some(hasher) => self.hasher = hasher,
                None => self.lose(),
            }
        }
        Digest {
            algorithm: Algorithm::Blake3,
            bytes: *self.hasher.finalize().as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_give_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for piece in [1_000, PIECE, 300_000] {
            let mut running = RunningDigest::default();
            for part in bytes.chunks(piece) {
                running.update(part);
                running.digest();
            }
            assert_eq!(running.digest().bytes, *blake3::hash(&bytes).as_bytes());
            assert_eq!(running.length(), bytes.len() as u64);
        }
    }

    #[test]
    fn thread_beside_gives_the_same_digests_at_any_time() {
        let bytes: Vec<u8> = (0..9_000_000_u32)
            .map(|n| (n ^ n >> 7).to_le_bytes()[0])
            .collect();
        for (piece, asked_every) in [(1_300, 5_000_000), (200_000, 9_000_000), (3_000_000, 1)] {
            let (mut running, mut asked) = (RunningDigest::beside(), 0);
            for (number, part) in bytes.chunks(piece).enumerate() {
                running.update(part);
                let come = (number * piece + part.len()) as u64;
                assert_eq!(running.length(), come);
                if come - asked > asked_every {
                    asked = come;
                    let so_far = &bytes[..number * piece + part.len()];
                    assert_eq!(running.digest().bytes, *blake3::hash(so_far).as_bytes());
                }
            }
            assert_eq!(running.digest().bytes, *blake3::hash(&bytes).as_bytes());
        }
    }
}
