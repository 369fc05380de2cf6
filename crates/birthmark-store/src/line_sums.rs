//! Which line of a file changed, once its digest says that something did.
//!
//! A digest over the whole file proves that it is what was recorded, but not where it is
//! not. So a CRC-32 of every line is kept beside it: four bytes a line, and cheap. It
//! proves nothing by itself (a CRC is easily forged); it only tells where to look.
//!
//! Memory is bounded: from a million sums on, each stands for two neighbouring lines,
//! then four, and so on.
//!
//! ```text
//! sum of lines a, b, …   rotl(… rotl(crc(a), 5) ^ crc(b) …)      32 bits
//! ```

use birthmark_core::base64;
use birthmark_core::digest::Digest;
use serde_json::{Value, json};

use crate::atomic::{Durability, PathError};
use crate::layout::Layout;
use crate::objects;

/// Sums kept at most: 4 MB.
const MOST_SUMS: usize = 1 << 20;
/// Sums that stand in the journal itself; more go into an object.
const INLINE_SUMS: usize = 512;
const TURN: u32 = 5;

/// The sums of a file's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSums {
    /// Lines that one sum stands for.
    every: u64,
    sums: Vec<u32>,
    /// The sum of the lines since the last whole one, and how many they are.
    open: (u32, u64),
}

impl Default for LineSums {
    fn default() -> Self {
        Self {
            every: 1,
            sums: Vec::new(),
            open: (0, 0),
        }
    }
}

impl LineSums {
    /// Takes the next line, in any number of parts: its line end belongs to it.
    pub fn add(&mut self, parts: &[&[u8]]) {
        let mut hasher = crc32fast::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        let (sum, lines) = self.open;
        self.open = (sum.rotate_left(TURN) ^ hasher.finalize(), lines + 1);
        if self.open.1 == self.every {
            self.sums.push(self.open.0);
            self.open = (0, 0);
            if self.sums.len() == MOST_SUMS {
                self.halve();
            }
        }
    }

    /// Lets each sum stand for twice as many lines.
    fn halve(&mut self) {
        let turn = TURN * u32::try_from(self.every % 32).unwrap_or(0) % 32;
        let pairs = self.sums.chunks_exact(2);
        self.sums = pairs
            .map(|pair| pair[0].rotate_left(turn) ^ pair[1])
            .collect();
        self.every *= 2;
    }

    /// What a journal keeps: `{"every", "sums"}` in base64, or `{"every", "object"}`, the
    /// digest of a kept object, which is as durable as the journal.
    pub fn keep(&self, layout: &Layout, durability: Durability) -> Result<Value, PathError> {
        let mut sums = self.sums.clone();
        if self.open.1 > 0 {
            sums.push(self.open.0);
        }
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        if sums.len() <= INLINE_SUMS {
            return Ok(json!({"every": self.every, "sums": base64::encode(&bytes)}));
        }
        let digest = objects::put(layout, &bytes, durability)?;
        Ok(json!({"every": self.every, "object": digest.to_string()}))
    }

    /// Lines, from 1, whose sums are not those that were kept: at most `most` ranges of
    /// them, in order. `None` when what was kept cannot be read.
    pub fn changed_since(
        &self,
        kept: &Value,
        layout: &Layout,
        most: usize,
    ) -> Option<Vec<(u64, u64)>> {
        let every = kept
            .get("every")?
            .as_u64()
            .filter(|every| every.is_power_of_two())?;
        let bytes = match (kept.get("sums"), kept.get("object")) {
            (Some(text), _) => base64::decode(text.as_str()?)?,
            (None, object) => {
                objects::get(layout, &object?.as_str()?.parse::<Digest>().ok()?).ok()?
            }
        };
        let mut ours = self.clone();
        while ours.every < every {
            if ours.open.1 > 0 || !ours.sums.len().is_multiple_of(2) {
                return None;
            }
            ours.halve();
        }
        if ours.every != every {
            return None;
        }
        if ours.open.1 > 0 {
            ours.sums.push(ours.open.0);
        }
        let theirs = bytes
            .chunks_exact(4)
            .map(|sum| u32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]]));
        let changed = ours
            .sums
            .iter()
            .zip(theirs)
            .enumerate()
            .filter(|(_, (ours, theirs))| **ours != *theirs);
        let range = |(place, _): (usize, _)| {
            let first = place as u64 * every + 1;
            (first, first + every - 1)
        };
        Some(changed.map(range).take(most).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(lines: impl Iterator<Item = String>) -> LineSums {
        let mut sums = LineSums::default();
        lines.for_each(|line| sums.add(&[line.as_bytes(), b"\n"]));
        sums
    }

    #[test]
    fn changed_line_is_named_from_the_journal_and_from_an_object() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        for lines in [12_u64, 5_000] {
            let kept = sums((0..lines).map(|n| n.to_string()))
                .keep(&layout, Durability::Process)
                .unwrap();
            assert_eq!(kept.get("object").is_some(), lines > 512);
            let now = sums((0..lines).map(|n| {
                if n == 6 {
                    "x".to_owned()
                } else {
                    n.to_string()
                }
            }));
            assert_eq!(now.changed_since(&kept, &layout, 3), Some(vec![(7, 7)]));
        }
    }

    #[test]
    fn sums_of_many_lines_stand_for_several_each_and_memory_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        let lines = 3 * MOST_SUMS as u64 + 5;
        let before = sums((0..lines).map(|n| n.to_string()));
        assert!(before.sums.len() < MOST_SUMS);
        let kept = before.keep(&layout, Durability::Process).unwrap();
        let changed = 2_000_001;
        let now = sums((0..lines).map(|n| (if n + 1 == changed { n + 1 } else { n }).to_string()));
        let ranges = now.changed_since(&kept, &layout, 3).unwrap();
        assert_eq!(ranges.len(), 1);
        assert!((ranges[0].0..=ranges[0].1).contains(&changed), "{ranges:?}");
    }

    #[test]
    fn what_was_kept_and_is_not_understood_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        for kept in [
            json!({}),
            json!({"every": 3, "sums": ""}),
            json!({"every": 1, "sums": "!"}),
        ] {
            assert_eq!(LineSums::default().changed_since(&kept, &layout, 1), None);
        }
    }
}
