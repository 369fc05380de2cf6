//! The mutator: small, deterministic, and without knowledge of the code.
//!
//! Each input is a kept one with one to six changes: bits flipped, bytes cut out, doubled, moved or
//! taken from another input, numbers (binary and in digits) pushed to the ends of their range,
//! words of the format put in, brackets nested.

use super::MOST_BYTES;

/// A stream of numbers that is the same for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        // splitmix64: each output bit depends on each bit of the state.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// Numbers at the ends of what fits, and round them.
const EDGES: [u64; 18] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    1 << 53,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

const DIGITS: [&str; 12] = [
    "-1",
    "0",
    "-0",
    "1e999",
    "1e-999",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775809",
    "0x10",
    "NaN",
    "1.",
    "00000000000000000000000000000001",
];

/// One input from the kept ones.
pub fn mutated(seeds: &[Vec<u8>], words: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = chance.of(seeds).cloned().unwrap_or_default();
    for _ in 0..=chance.below(6) {
        change(&mut bytes, seeds, words, chance);
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(13) {
        0 => flip(bytes, chance),
        1 => bytes.truncate(at),
        2 => {
            let (from, to) = range(bytes, chance);
            bytes.drain(from..to);
        }
        3 => {
            let (from, to) = range(bytes, chance);
            let piece = bytes.get(from..to).unwrap_or_default().to_vec();
            insert(bytes, at, &piece);
        }
        4 => {
            let other = chance.of(seeds).cloned().unwrap_or_default();
            let (from, to) = range(&other, chance);
            insert(bytes, at, other.get(from..to).unwrap_or_default());
        }
        5 => {
            // The head of one and the tail of another.
            let other = chance.of(seeds).cloned().unwrap_or_default();
            let from = chance.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        6 | 7 => number(bytes, chance),
        8 => digits(bytes, chance),
        9 | 10 => {
            let word = chance.of(words).copied().unwrap_or("\0");
            insert(bytes, at, word.as_bytes());
        }
        11 => nest(bytes, at, chance),
        _ => {
            let byte = u8::try_from(chance.below(256)).unwrap_or(0);
            let times = [1, 1, 2, 300, 5_000]
                .get(chance.below(5))
                .copied()
                .unwrap_or(1);
            insert(bytes, at, &vec![byte; times]);
        }
    }
}

fn flip(bytes: &mut [u8], chance: &mut Chance) {
    let at = chance.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
}

fn range(bytes: &[u8], chance: &mut Chance) -> (usize, usize) {
    let from = chance.below(bytes.len() + 1);
    let most = if chance.below(4) == 0 {
        bytes.len()
    } else {
        32
    };
    let to = (from + chance.below(most + 1)).min(bytes.len());
    (from, to)
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= MOST_BYTES {
        let at = at.min(bytes.len());
        bytes.splice(at..at, piece.iter().copied());
    }
}

/// A number in binary, of one to eight bytes, either way round.
fn number(bytes: &mut [u8], chance: &mut Chance) {
    let width = [1, 2, 4, 8].get(chance.below(4)).copied().unwrap_or(1);
    let at = chance.below(bytes.len().saturating_sub(width) + 1);
    let value = match chance.below(3) {
        0 => bytes.len() as u64,
        _ => chance.of(&EDGES).copied().unwrap_or(0),
    };
    let value = value.wrapping_add(chance.below(3) as u64).wrapping_sub(1);
    let little = value.to_le_bytes();
    let mut piece = little.get(..width).unwrap_or_default().to_vec();
    if chance.below(2) == 0 {
        piece.reverse();
    }
    if let Some(place) = bytes.get_mut(at..at + width) {
        place.copy_from_slice(&piece);
    }
}

/// A number in digits becomes another.
fn digits(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let begins: Vec<usize> = (0..bytes.len())
        .filter(|at| {
            bytes.get(*at).is_some_and(u8::is_ascii_digit)
                && !at
                    .checked_sub(1)
                    .and_then(|before| bytes.get(before))
                    .is_some_and(u8::is_ascii_digit)
        })
        .collect();
    let Some(&from) = chance.of(&begins) else {
        return;
    };
    let rest = bytes.get(from..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let other = chance.of(&DIGITS).copied().unwrap_or("0");
    bytes.splice(from..from + length, other.bytes());
}

fn nest(bytes: &mut Vec<u8>, at: usize, chance: &mut Chance) {
    let (open, close) = [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("(", ")"),
        ("[[", "]]"),
        ("- ", ""),
        ("!", ""),
    ]
    .get(chance.below(6))
    .copied()
    .unwrap_or(("[", "]"));
    let deep = [3, 130, 1_000, 9_000]
        .get(chance.below(4))
        .copied()
        .unwrap_or(3);
    insert(bytes, at, close.repeat(deep).as_bytes());
    insert(bytes, at, open.repeat(deep).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_another_gives_others() {
        let seeds = [b"{\"a\": 1}".to_vec(), b"[]".to_vec()];
        let take = |seed| {
            let mut chance = Chance::new(seed);
            (0..200)
                .map(|_| mutated(&seeds, &["null"], &mut chance))
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        let different: std::collections::HashSet<_> = take(1).into_iter().collect();
        assert!(different.len() > 150, "{}", different.len());
        assert!(take(3).iter().all(|input| input.len() <= MOST_BYTES));
    }
}
