//! Bytes hashed in parts, by whoever has them at hand, and the parts joined to the whole.
//!
//! BLAKE3's digest is a tree over kilobytes: parts that begin and end where its subtrees do can
//! be hashed anywhere and in any order.

use birthmark_core::digest::{Algorithm, Digest};
use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};

/// The hash of one part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    value: ChainingValue,
    /// Of the first, which may be all there is.
    whole: Option<blake3::Hash>,
}

impl Part {
    /// Of bytes that begin at `offset`, a multiple of the parts' size, which is a power of two
    /// from 1024 on. Only the last part may be shorter.
    pub(crate) fn of(bytes: &[u8], offset: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(offset).update(bytes);
        Self {
            value: hasher.finalize_non_root(),
            whole: (offset == 0).then(|| hasher.finalize()),
        }
    }

    /// One of several, of which the value alone was kept.
    pub(super) fn one_of_many(value: ChainingValue) -> Self {
        Self { value, whole: None }
    }
}

/// Parts of one size, joined in order.
#[derive(Debug, Default)]
pub(crate) struct Subtrees {
    count: u64,
    /// The largest subtrees that are whole, from the left, and the last part.
    stack: Vec<ChainingValue>,
    only: Option<blake3::Hash>,
}

impl Subtrees {
    /// Puts the next part behind the others.
    pub(crate) fn push(&mut self, part: Part) {
        // Two are joined when something comes behind them: the last joining is the root's own.
        while self.stack.len() > self.count.count_ones() as usize {
            self.join();
        }
        self.only = part.whole;
        self.stack.push(part.value);
        self.count += 1;
    }

    fn join(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            let joined = hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash);
            self.stack.push(joined);
        }
    }

    /// The digest of the whole.
    pub(crate) fn digest(mut self) -> Digest {
        while self.stack.len() > 2 {
            self.join();
        }
        let hash = match (self.stack.as_slice(), self.only) {
            ([left, right], _) => hazmat::merge_subtrees_root(left, right, Mode::Hash),
            (_, Some(only)) => only,
            _ => blake3::hash(b""),
        };
        Digest {
            algorithm: Algorithm::Blake3,
            bytes: *hash.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_give_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..50_000_u32)
            .map(|n| (n ^ n >> 7).to_le_bytes()[0])
            .collect();
        for size in [1024, 4096] {
            for count in (0..50_000).step_by(512).chain([1, 1023, 1025, 49_999]) {
                let mut subtrees = Subtrees::default();
                for (place, part) in bytes[..count].chunks(size).enumerate() {
                    subtrees.push(Part::of(part, (place * size) as u64));
                }
                let whole = crate::digest::digest_bytes(&bytes[..count]);
                assert_eq!(subtrees.digest(), whole, "{count} by {size}");
            }
        }
    }
}
