//! Words that were mistyped: how far two lie apart, and which known one was meant.
//!
//! # Invariants
//!
//! * The same words give the same answer, in whichever order the known ones come.
//! * A word as short as two letters is near nothing but itself: any two are.

/// Letters of a word that are looked at.
const LOOKED_AT: usize = 64;

/// How many edits lie between two words: letters that came, went or changed, and neighbours
/// that were swapped. Behind 64 letters nothing is looked at.
pub fn edits(a: &str, b: &str) -> usize {
    let letters = |word: &str| word.chars().take(LOOKED_AT).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let changed = row[j] + usize::from(left != right);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == *right && *left == b[j - 1];
            if swapped {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

/// How many edits still are a slip of the hand in a word, and not another word.
pub fn most(word: &str) -> usize {
    match word.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        length => 2.max(length.min(LOOKED_AT) / 4),
    }
}

/// The known word that is spelt nearly as what was typed.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = most(typed);
    let length = typed.chars().count();
    let may_be = |word: &&str| {
        let other = word.chars().take(length + most + 1).count();
        other.abs_diff(length) <= most || length > LOOKED_AT
    };
    known
        .into_iter()
        .filter(may_be)
        .map(|word| (edits(typed, word), word))
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_one_edit() {
        for (typed, meant) in [
            ("evl", "eval"),
            ("evall", "eval"),
            ("evol", "eval"),
            ("eavl", "eval"),
            ("über", "uber"),
        ] {
            assert_eq!(edits(typed, meant), 1, "{typed} {meant}");
        }
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn short_words_are_near_few_and_ties_are_settled_by_the_alphabet() {
        let known = ["seed", "size", "sites", "temperature"];
        assert_eq!(nearest("temprature", known), Some("temperature"));
        assert_eq!(nearest("sed", known), Some("seed"));
        assert_eq!(nearest("si", known), None);
        assert_eq!(nearest("cuda", known), None);
        assert_eq!(nearest("sizes", known), Some("sites"));
        assert_eq!(nearest("", known), None);
        let long = "x".repeat(200);
        assert_eq!(nearest(&long, [long.as_str()]), Some(long.as_str()));
    }

    proptest! {
        #[test]
        fn edits_are_a_distance(a in "[ab]{0,9}", b in "[ab]{0,9}") {
            let between = edits(&a, &b);
            prop_assert_eq!(between, edits(&b, &a));
            prop_assert_eq!(between == 0, a == b);
            prop_assert!(between >= a.len().abs_diff(b.len()));
            prop_assert!(between <= a.len().max(b.len()));
        }
    }
}
