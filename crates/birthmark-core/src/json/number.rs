//! Numbers as they are spelled: compared exactly, at any length, without rounding.
//!
//! `2^53` and `2^53 + 1` are two numbers here, and `1e400` is larger than both. A number is
//! taken apart into its sign, its digits, and the power of ten of the first of them; these are
//! compared. No digit is ever computed.

use std::cmp::Ordering;

/// Whether `text` is a number as JSON spells it.
pub fn is(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// Which of two numbers is larger. What is no number is taken as zero.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    match (left.negative, right.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left.size().cmp(&right.size()),
        (true, true) => right.size().cmp(&left.size()),
    }
}

struct Parts {
    negative: bool,
    /// The power of ten of the first digit that counts; the least of all for zero.
    power: i128,
    /// The digits that count, without zeros at either end.
    digits: Vec<u8>,
}

impl Parts {
    fn of(text: &str) -> Self {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Self {
                negative: false,
                power: i128::MIN,
                digits,
            };
        }
        let place = i128::try_from(whole.len()).unwrap_or(i128::MAX)
            - i128::try_from(leading).unwrap_or(i128::MAX);
        Self {
            negative: text.starts_with('-'),
            power: place.saturating_add(exponent_of(exponent)),
            digits,
        }
    }

    fn size(&self) -> (i128, &[u8]) {
        (self.power, &self.digits)
    }
}

/// An exponent of any length; one that no computer could hold is as good as the largest.
fn exponent_of(text: &str) -> i128 {
    text.strip_prefix('+').unwrap_or(text).parse().unwrap_or({
        if text.starts_with('-') {
            i128::MIN / 2
        } else {
            i128::MAX / 2
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for good in ["0", "-0", "10", "1.5", "0.0", "1e400", "1E-7", "-1.0e+10"] {
            assert!(is(good), "{good}");
        }
        for bad in [
            "", "-", "01", "1.", ".5", "+1", "1e", "NaN", "0x1", "1_000", "1 ",
        ] {
            assert!(!is(bad), "{bad}");
        }
    }

    #[test]
    fn what_floats_would_round_is_told_apart() {
        for (small, large) in [
            ("9007199254740992", "9007199254740993"),
            ("18446744073709551616", "18446744073709551617"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "1e401"),
            ("-1e400", "1e-400"),
            ("-2", "-1.5"),
            ("0", "1e-99999999999999999999999999999999999999999"),
            ("9", "1e99999999999999999999999999999999999999999"),
        ] {
            assert_eq!(compare(small, large), Ordering::Less, "{small} {large}");
            assert_eq!(compare(large, small), Ordering::Greater, "{large} {small}");
        }
        for (one, other) in [
            ("0.7", "7e-1"),
            ("1.50", "1.5"),
            ("0", "-0.0"),
            ("100", "1e2"),
        ] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn small_numbers_compare_as_floats_do(left in -1_000_000i64..1_000_000, right in -1_000_000i64..1_000_000, shift in 0u32..4) {
            #[expect(clippy::cast_precision_loss, reason = "a million fits")]
            let float = |n: i64| n as f64 / f64::from(10u32.pow(shift));
            let (left, right) = (float(left), float(right));
            let wanted = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
            proptest::prop_assert_eq!(compare(&left.to_string(), &right.to_string()), wanted);
        }
    }
}
