//! Digests of bytes that are still coming.
//!
//! BLAKE3 is several times faster over large pieces than over small ones, so
//! bytes are gathered first. The digest of what came so far can be asked at any time.

use birthmark_core::digest::{Algorithm, Digest};

/// Bytes gathered before they are hashed: from here on BLAKE3 is at full speed.
const PIECE: usize = 128 << 10;

/// A BLAKE3 digest of a stream.
#[derive(Debug, Clone)]
pub struct RunningDigest {
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
    length: u64,
}

impl Default for RunningDigest {
    fn default() -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            gathered: Vec::new(),
            length: 0,
        }
    }
}

impl RunningDigest {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.gathered.len() + bytes.len() > PIECE {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
        }
        if bytes.len() > PIECE {
            self.hasher.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    /// How many bytes came.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all that came so far.
    pub fn digest(&mut self) -> Digest {
        self.hasher.update(&self.gathered);
        self.gathered.clear();
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
}
