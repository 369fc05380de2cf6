//! Secrets in files of settings and in headers: a line of its own, all cookies, a user's key.

use super::context::{Value, skip_spaces, value_at};
use super::names::Secrecy;
use super::scan::{Found, NAME_MAX, Scan};

pub(super) const COOKIE: Secrecy = Secrecy::Strong("name-cookie");

/// All cookies of a header, to the end of its line or its quotes.
pub(super) fn cookies(scan: &Scan<'_>, start: usize) -> Option<Found> {
    let ends = |b: &u8| matches!(b, b'"' | b'\'' | b'\n' | b'\r' | b'\\');
    let text = scan.text.get(start..scan.end_of(6, start, ends))?;
    (text.len() >= 6 && text.contains('=') && !text.starts_with(super::BEGINS)).then(|| Found {
        range: start..start + text.len(),
        id: "name-cookie",
    })
}

/// `{"username": …, "key": "…"}`, as Kaggle's file has it: 32 hexadecimal digits under a name
/// that says nothing.
pub(super) fn kaggle(scan: &Scan<'_>, joint: usize) -> Option<Found> {
    let value = value_at(scan, skip_spaces(scan, joint + 1).0)?;
    let hex = value.text.len() == 32 && value.text.bytes().all(|b| b.is_ascii_hexdigit());
    let before = &scan.bytes[joint.saturating_sub(128)..joint];
    let user = b"\"username\"";
    let named = hex && value.quoted && before.windows(user.len()).any(|text| text == user);
    named.then(|| Found {
        range: value.start..value.start + value.text.len(),
        id: "kaggle-key",
    })
}

/// Whether name and value have a line of their own, as in a file of settings: then the value
/// is one, whatever it looks like.
pub(super) fn is_setting(scan: &Scan<'_>, joint: usize, name: &str, value: &Value<'_>) -> bool {
    const TYPES: &[&str] = &[
        "any",
        "bool",
        "bytes",
        "empty",
        "hidden",
        "int",
        "masked",
        "object",
        "optional",
        "required",
        "secretstr",
        "str",
        "string",
        "text",
        "unset",
    ];
    let before = &scan.bytes[joint.saturating_sub(NAME_MAX + 16)..joint];
    let line = before
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or(before);
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let line = line.trim();
    let line = ["export ", "set ", "- "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
        .unwrap_or(line);
    let end = value.start + value.text.len();
    line == name
        && matches!(scan.bytes.get(end), None | Some(b'\n' | b'\r'))
        && value.text.len() >= 4
        && !TYPES
            .iter()
            .any(|word| value.text.eq_ignore_ascii_case(word))
}
