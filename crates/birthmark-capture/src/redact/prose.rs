//! Secrets without a shape in running text: `used the key 7OMn04…`.
//!
//! Forty letters and digits are a key of Cohere, and also many other things. Only where a word
//! right before them says so, and they are mixed as chance mixes them, are they taken for one:
//! a digest has no capitals, a name or a path has words.

use super::rules::Body;
use super::scan::{Found, Scan};
use super::values::is_mixed;

/// How long such a run is, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 32..=64;
/// What may stand between the word and the run.
const BETWEEN: &[&str] = &[" is ", " was ", ": ", " = ", " "];

/// A run behind the word `key` or `token`, whose `k` stands at `at`.
pub(super) fn announced(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let (start, end, id) = if scan.bytes[at + 1..].starts_with(b"ey") {
        (at, at + 3, "name-key")
    } else if scan.bytes[at + 1..].starts_with(b"en") && scan.bytes[..at].ends_with(b"to") {
        (at - 2, at + 3, "name-token")
    } else {
        return None;
    };
    if !scan.starts_word(start) {
        return None;
    }
    let rest = &scan.bytes[end..];
    let gap = BETWEEN
        .iter()
        .find(|gap| rest.starts_with(gap.as_bytes()))?;
    let quote = usize::from(matches!(rest.get(gap.len()), Some(b'"' | b'\'' | b'`')));
    let run = end + gap.len() + quote;
    let length = scan.run_length(run, Body::Alnum, LENGTH.end() + 1);
    let whole = !matches!(
        scan.bytes.get(run + length),
        Some(b'_' | b'-' | b'/' | b'+' | b'=')
    );
    (whole && LENGTH.contains(&length) && is_mixed(&scan.bytes[run..run + length])).then(|| Found {
        range: run..run + length,
        id,
    })
}
