//! Moments as they sort: in UTC and of one length, in whichever zone they were written.
//!
//! # Limits
//!
//! * A time that names no zone stays as it is, and so sorts as one of UTC.

use std::borrow::Cow;

use birthmark_core::{Timestamp, json};

/// The field that holds the moment of a birthmark.
pub(crate) const TIMESTAMP: &str = "timestamp";

/// The JSON of a moment, in UTC; of what is none, as it is.
pub(super) fn in_utc(raw: &[u8]) -> Cow<'_, [u8]> {
    const LENGTH: usize = birthmark_core::timestamp::TEXT_LEN + 2;
    if raw.len() == LENGTH && raw.ends_with(b"+00:00\"") {
        return Cow::Borrowed(raw);
    }
    let text = json::as_text(raw);
    match text.and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(time) => Cow::Owned(format!("\"{time}\"").into_bytes()),
        None => Cow::Borrowed(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc_and_what_is_none_stays() {
        let utc = "\"2026-01-10T18:00:00.000000+00:00\"";
        for raw in [
            "\"2026-01-10T23:30:00.000000+05:30\"",
            "\"2026-01-10T18:00:00Z\"",
            "\"2026-01-10T13:00:00-05:00\"",
            utc,
        ] {
            assert_eq!(in_utc(raw.as_bytes()).as_ref(), utc.as_bytes(), "{raw}");
        }
        for raw in ["\"2026-01-10T18:00:00\"", "\"t1\"", "7", "null", "\"\""] {
            assert_eq!(in_utc(raw.as_bytes()).as_ref(), raw.as_bytes());
        }
    }
}
