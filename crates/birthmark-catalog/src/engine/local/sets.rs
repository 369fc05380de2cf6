//! Sets of row numbers: as bits in memory, and in the tables as blobs of one stretch each.
//!
//! A question over a million artifacts is a few unions and intersections of such sets, and
//! a count of bits; no row is touched for it.
//!
//! # Invariants
//!
//! * Numbers are cut into stretches of 65,536. Of a stretch with few numbers the blob holds
//!   these, two bytes each, sorted; of one with many it holds its 65,536 bits.
//! * A stretch without any number has no blob.

use std::collections::BTreeMap;

/// Numbers of one stretch.
const SPAN: usize = 1 << 16;
const WORDS: usize = SPAN / 64;
/// Beyond so many numbers a stretch is stored as bits.
const FEW: usize = 2_048;

type Bits = [u64; WORDS];

/// The stretch of a number, and its place there.
pub(super) fn place_of(number: i64) -> (i64, u16) {
    (number >> 16, u16::try_from(number & 0xFFFF).unwrap_or(0))
}

/// A set of row numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Set {
    stretches: BTreeMap<i64, Box<Bits>>,
}

impl Set {
    pub(super) fn insert(&mut self, number: i64) {
        let (stretch, place) = place_of(number);
        let bits = self.stretch(stretch);
        set(bits, place);
    }

    pub(super) fn remove(&mut self, number: i64) {
        let (stretch, place) = place_of(number);
        if let Some(bits) = self.stretches.get_mut(&stretch) {
            bits[usize::from(place) / 64] &= !(1 << (place % 64));
        }
    }

    pub(super) fn contains(&self, number: i64) -> bool {
        let (stretch, place) = place_of(number);
        let bits = self.stretches.get(&stretch);
        bits.is_some_and(|bits| bits[usize::from(place) / 64] >> (place % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stretches
            .values()
            .all(|bits| bits.iter().all(|word| *word == 0))
    }

    pub(super) fn count(&self) -> u64 {
        let of = |bits: &Bits| {
            bits.iter()
                .map(|word| u64::from(word.count_ones()))
                .sum::<u64>()
        };
        self.stretches.values().map(|bits| of(bits)).sum()
    }

    /// Cuts off all numbers from this one on, which begins a stretch.
    pub(super) fn split_off(&mut self, number: i64) -> Self {
        Self {
            stretches: self.stretches.split_off(&place_of(number).0),
        }
    }

    /// All of them, the least first.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.stretches.iter().flat_map(|(stretch, bits)| {
            places(bits).map(move |place| (stretch << 16) + i64::from(place))
        })
    }

    /// Takes in a stored stretch.
    pub(super) fn take(&mut self, stretch: i64, blob: &[u8]) {
        let bits = self.stretch(stretch);
        if blob.len() == WORDS * 8 {
            for (word, bytes) in bits.iter_mut().zip(blob.chunks_exact(8)) {
                *word |= u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
            return;
        }
        for bytes in blob.chunks_exact(2) {
            set(
                bits,
                u16::from_le_bytes(bytes.try_into().unwrap_or_default()),
            );
        }
    }

    /// Whether a stored stretch has a number that this set has too.
    pub(super) fn meets(&self, stretch: i64, blob: &[u8]) -> bool {
        let Some(bits) = self.stretches.get(&stretch) else {
            return false;
        };
        if blob.len() == WORDS * 8 {
            let mut words = bits.iter().zip(blob.chunks_exact(8));
            return words.any(|(word, bytes)| {
                word & u64::from_le_bytes(bytes.try_into().unwrap_or_default()) != 0
            });
        }
        blob.chunks_exact(2).any(|bytes| {
            let place = u16::from_le_bytes(bytes.try_into().unwrap_or_default());
            bits[usize::from(place) / 64] >> (place % 64) & 1 == 1
        })
    }

    /// A stretch as it is stored; none where it is empty.
    pub(super) fn blob(&self, stretch: i64) -> Option<Vec<u8>> {
        let bits = self.stretches.get(&stretch)?;
        let count: u32 = bits.iter().map(|word| word.count_ones()).sum();
        if count == 0 {
            return None;
        }
        if count as usize > FEW {
            return Some(bits.iter().flat_map(|word| word.to_le_bytes()).collect());
        }
        Some(places(bits).flat_map(u16::to_le_bytes).collect())
    }

    fn stretch(&mut self, stretch: i64) -> &mut Bits {
        let bits = self.stretches.entry(stretch);
        bits.or_insert_with(|| Box::new([0; WORDS]))
    }
}

impl std::ops::BitOrAssign<&Set> for Set {
    fn bitor_assign(&mut self, other: &Set) {
        for (stretch, theirs) in &other.stretches {
            let ours = self.stretch(*stretch);
            for (word, other) in ours.iter_mut().zip(theirs.iter()) {
                *word |= other;
            }
        }
    }
}

impl std::ops::BitAndAssign<&Set> for Set {
    fn bitand_assign(&mut self, other: &Set) {
        self.stretches
            .retain(|stretch, _| other.stretches.contains_key(stretch));
        for (stretch, ours) in &mut self.stretches {
            if let Some(theirs) = other.stretches.get(stretch) {
                for (word, other) in ours.iter_mut().zip(theirs.iter()) {
                    *word &= other;
                }
            }
        }
    }
}

impl std::ops::SubAssign<&Set> for Set {
    fn sub_assign(&mut self, other: &Set) {
        for (stretch, ours) in &mut self.stretches {
            if let Some(theirs) = other.stretches.get(stretch) {
                for (word, other) in ours.iter_mut().zip(theirs.iter()) {
                    *word &= !other;
                }
            }
        }
    }
}

impl std::ops::BitOr<&Set> for Set {
    type Output = Self;
    fn bitor(mut self, other: &Set) -> Self {
        self |= other;
        self
    }
}

impl std::ops::BitAnd<&Set> for Set {
    type Output = Self;
    fn bitand(mut self, other: &Set) -> Self {
        self &= other;
        self
    }
}

impl std::ops::Sub<&Set> for Set {
    type Output = Self;
    fn sub(mut self, other: &Set) -> Self {
        self -= other;
        self
    }
}

impl FromIterator<i64> for Set {
    fn from_iter<I: IntoIterator<Item = i64>>(numbers: I) -> Self {
        let mut out = Filling::default();
        numbers.into_iter().for_each(|number| out.insert(number));
        out.done()
    }
}

/// A set that numbers are put into of which most lie near the one before: its stretch is at hand.
#[derive(Default)]
pub(super) struct Filling {
    set: Set,
    /// The stretch at hand, and its numbers.
    here: Option<(i64, Box<Bits>)>,
}

impl Filling {
    pub(super) fn insert(&mut self, number: i64) {
        let (stretch, place) = place_of(number);
        match &mut self.here {
            Some((at, bits)) if *at == stretch => set(bits, place),
            _ => {
                let stored = self.set.stretches.remove(&stretch);
                let mut bits = stored.unwrap_or_else(|| Box::new([0; WORDS]));
                set(&mut bits, place);
                self.put_back();
                self.here = Some((stretch, bits));
            }
        }
    }

    fn put_back(&mut self) {
        if let Some((stretch, bits)) = self.here.take() {
            self.set.stretches.insert(stretch, bits);
        }
    }

    pub(super) fn done(mut self) -> Set {
        self.put_back();
        self.set
    }
}

fn set(bits: &mut Bits, place: u16) {
    bits[usize::from(place) / 64] |= 1 << (place % 64);
}

fn places(bits: &Bits) -> impl Iterator<Item = u16> + '_ {
    bits.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                u16::try_from(at * 64 + bit).unwrap_or(0)
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = BTreeSet<i64>> {
        let near = proptest::collection::btree_set(0i64..200_000, 0..60);
        let dense = (0i64..3, 0i64..5_000).prop_map(|(stretch, count)| {
            let start = stretch << 16;
            (start..start + count).collect::<BTreeSet<i64>>()
        });
        let far = proptest::collection::btree_set((1i64 << 40)..(1 << 40) + 70_000, 0..9);
        (near, dense, far).prop_map(|(a, b, c)| a.into_iter().chain(b).chain(c).collect())
    }

    fn of(numbers: &BTreeSet<i64>) -> Set {
        numbers.iter().copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn sets_are_those_of_the_standard_library(a in numbers(), b in numbers()) {
            let (x, y) = (of(&a), of(&b));
            let list = |set: Set| set.iter().collect::<BTreeSet<i64>>();
            prop_assert_eq!(list(x.clone() | &y), a.union(&b).copied().collect());
            prop_assert_eq!(list(x.clone() & &y), a.intersection(&b).copied().collect());
            prop_assert_eq!(list(x.clone() - &y), a.difference(&b).copied().collect());
            prop_assert_eq!(x.count(), a.len() as u64);
            prop_assert_eq!(x.is_empty(), a.is_empty());
            prop_assert!(b.iter().all(|number| x.contains(*number) == a.contains(number)));
        }

        #[test]
        fn what_is_stored_is_read_again(a in numbers(), b in numbers()) {
            let (x, y) = (of(&a), of(&b));
            let mut again = Set::default();
            let mut meets = false;
            for stretch in a.iter().map(|number| place_of(*number).0).collect::<BTreeSet<_>>() {
                let blob = x.blob(stretch).unwrap_or_default();
                meets |= y.meets(stretch, &blob);
                again.take(stretch, &blob);
            }
            prop_assert_eq!(&again, &x);
            prop_assert_eq!(meets, !a.is_disjoint(&b));
        }
    }

    #[test]
    fn what_was_taken_out_is_stored_as_nothing() {
        let mut set: Set = [7, 1 << 20].into_iter().collect();
        set.remove(7);
        assert_eq!(set.blob(0), None);
        assert_eq!(set.iter().collect::<Vec<_>>(), [1 << 20]);
    }
}
