//! Numbers as they are spelled: compared exactly, at any length, without rounding.
//!
//! `2^53` and `2^53 + 1` are two numbers here, and `1e400` is larger than both. A number is
//! taken apart into its sign, its digits, and the power of ten of the first of them; these
//! make a [`key`], and keys are compared as bytes. No digit is ever computed.

use std::cmp::Ordering;

/// The first byte of the key of a number below zero; those of zero, and of numbers above
/// it, follow.
const NEGATIVE: u8 = 0;
const ZERO: u8 = 1;
const POSITIVE: u8 = 2;

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
    let key = |text| key(text).unwrap_or_else(|| vec![ZERO]);
    key(left).cmp(&key(right))
}

/// Bytes that are equal where the numbers are, however they are spelled, and that sort as
/// they do; the first is 0, 1 or 2. `None` for what is no number; zeros may lead.
pub fn key(text: &str) -> Option<Vec<u8>> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| decimal_key(negative, whole, fraction, exponent))
}

/// An exponent beyond all reason is as good as the largest that can be told.
fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = if text.starts_with('-') {
        i64::MIN / 4
    } else {
        i64::MAX / 4
    };
    let exponent = text
        .strip_prefix('+')
        .unwrap_or(text)
        .parse()
        .unwrap_or(far);
    Some(exponent.clamp(i64::MIN / 4, i64::MAX / 4))
}

/// The key of ±0.d1d2d3… × 10^n with d1 ≠ 0: sign, n, digits. Of a negative number all
/// is turned over, and ends in the highest byte, so that it sorts the other way round.
fn decimal_key(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Vec<u8> {
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let end = digits.iter().rposition(|digit| *digit != b'0');
    let Some(end) = end else { return vec![ZERO] };
    let significant = digits.get(zeros..=end).unwrap_or_default();
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
    let point = exponent + length(whole.len()) - length(zeros);
    let biased = point.cast_unsigned() ^ (1 << 63);
    let mut key = vec![if negative { NEGATIVE } else { POSITIVE }];
    let body = biased
        .to_be_bytes()
        .into_iter()
        .chain(significant.iter().copied());
    if negative {
        key.extend(body.map(|byte| !byte));
        key.push(0xFF);
    } else {
        key.extend(body);
    }
    key
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
            ("-0.123", "-0.12"),
            ("1e-401", "1e-400"),
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
            ("1e0", "1"),
            ("100", "1E+2"),
            ("0e99", "0"),
            ("0.0010", "1e-3"),
            ("007", "7"),
        ] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_key() {
        for none in [
            "", "-", "1.", ".5", "1e", "0x1", "1_000", "١", "nan", "--1", "1e5.5", "NaN",
        ] {
            assert_eq!(key(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn keys_of_whole_numbers_sort_as_the_numbers(a: i128, b: i128) {
            proptest::prop_assert_eq!(key(&a.to_string()).cmp(&key(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn keys_of_floats_sort_as_the_floats(a: f64, b: f64) {
            proptest::prop_assume!(a.is_finite() && b.is_finite());
            let order = key(&format!("{a:e}")).cmp(&key(&format!("{b:e}")));
            proptest::prop_assert_eq!(Some(order), a.partial_cmp(&b));
        }

        #[test]
        fn any_text_gives_a_key_or_none_and_numbers_give_one(text in "\\PC{0,12}") {
            proptest::prop_assert!(key(&text).is_some() || !is(&text));
        }

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
