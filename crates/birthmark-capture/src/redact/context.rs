//! Secrets that have no shape of their own, and are known by what stands before
//! them: `password=…`, `"api_key": "…"`, `--token …`, `Authorization: …`, netrc.

use super::names::{self, Secrecy};
use super::rules::Body;
use super::scan::{Found, NAME_MAX, Scan};
use super::settings::{COOKIE, cookies, is_setting, kaggle};
use super::values::{id_of, is_code, is_placeholder, is_secret_in_text, opaque};

/// The schemes of an `Authorization` header, which may stay.
const SCHEMES: &[&str] = &[
    "basic",
    "bearer",
    "token",
    "apikey",
    "negotiate",
    "digest",
    "key",
];

/// A value, and how it stands there.
pub(super) struct Value<'a> {
    pub(super) start: usize,
    pub(super) text: &'a str,
    pub(super) quoted: bool,
}

/// `name = value` and `name: value` around the joint at `at`.
pub(super) fn assignment(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let next = scan.bytes.get(at + 1).copied();
    if matches!(next, Some(b'=' | b':' | b'/') | None) {
        return None;
    }
    let name = name_before(scan, at)?;
    let secrecy = names::secrecy(name);
    if secrecy == Secrecy::None {
        return if name == "key" {
            kaggle(scan, at)
        } else {
            None
        };
    }
    let (start, spaces) = skip_spaces(scan, at + 1 + usize::from(next == Some(b'>')));
    if secrecy == Secrecy::Header {
        return header(scan, start);
    }
    let value = value_at(scan, start)?;
    let header = secrecy == COOKIE && scan.bytes[at] == b':' && !value.quoted;
    if let Some(found) = header.then(|| cookies(scan, start)).flatten() {
        return Some(found);
    }
    let tight = scan.bytes[at] == b'=' && spaces == 0;
    let tight = tight || is_setting(scan, at, name, &value);
    if is_code(&value) || !is_secret_in_text(secrecy, &value, tight) {
        return None;
    }
    finish(scan, &value, secrecy)
}

/// `--name value` within a longer text; `--name=value` is an assignment.
pub(super) fn flag(scan: &Scan<'_>, at: usize) -> Option<Found> {
    if scan.bytes.get(at + 1) != Some(&b'-') || (at > 0 && scan.bytes[at - 1] == b'-') {
        return None;
    }
    let length = scan.run_length(at + 2, Body::Word, NAME_MAX);
    let end = at + 2 + length;
    if length == 0 || scan.bytes.get(end) != Some(&b' ') {
        return None;
    }
    let secrecy = names::secrecy(&scan.text[at + 2..end]);
    let value = value_at(scan, end + 1)?;
    if value.text.starts_with('-') || !is_secret_in_text(secrecy, &value, true) {
        return None;
    }
    finish(scan, &value, secrecy)
}

/// `wandb login 0123…`: forty hexadecimal digits are also a commit, so only here.
pub(super) fn wandb_login(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const COMMAND: &[u8] = b"wandb login ";
    if !scan.bytes[at..].starts_with(COMMAND) {
        return None;
    }
    let near = &scan.bytes[at..scan.bytes.len().min(at + 128)];
    let mut start = at + COMMAND.len();
    while start < at + near.len() {
        let length = scan.run_length(start, Body::Alnum, 64);
        let text = &scan.bytes[start..start + length];
        if length == 40 && text.iter().all(u8::is_ascii_hexdigit) {
            return Some(Found {
                range: start..start + length,
                id: "wandb-api-key",
            });
        }
        start += length + 1;
    }
    None
}

/// `Bearer …` without its header's name.
pub(super) fn bearer(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const WORD: &[u8] = b"Bearer ";
    if !scan.bytes[at..].starts_with(WORD) || !scan.starts_word(at) {
        return None;
    }
    let start = at + WORD.len();
    if let Some(found) = scan.prefix_at(start) {
        return Some(found);
    }
    let length = scan.run_length(start, Body::Base64, usize::MAX);
    opaque(&scan.text[start..start + length]).then(|| Found {
        range: start..start + length,
        id: "authorization",
    })
}

/// `login someone password …`, as in a `.netrc`.
pub(super) fn netrc(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const WORD: &[u8] = b"password";
    if !scan.bytes[at..].starts_with(WORD) || !scan.starts_word(at) {
        return None;
    }
    let (start, spaces) = skip_spaces(scan, at + WORD.len());
    let before = &scan.bytes[at.saturating_sub(128)..at];
    if spaces == 0 || !before.windows(6).any(|w| w == b"login ") {
        return None;
    }
    let value = value_at(scan, start).filter(|value| !is_placeholder(value.text))?;
    let range = value.start..value.start + value.text.len();
    Some(Found {
        range,
        id: "netrc-password",
    })
}

/// The value of an `Authorization` header: the scheme stays, all else of it goes.
fn header(scan: &Scan<'_>, start: usize) -> Option<Found> {
    let quote = usize::from(matches!(scan.bytes.get(start), Some(b'"' | b'\'')));
    let start = start + quote;
    let word = scan.run_length(start, Body::Word, 32);
    let scheme = scan.text[start..start + word].to_ascii_lowercase();
    let (value, spaces) = skip_spaces(scan, start + word);
    let with_scheme =
        spaces > 0 && (SCHEMES.contains(&scheme.as_str()) || scheme.starts_with("aws4"));
    let start = if with_scheme { value } else { start };
    // `Digest` and `AWS4` hold many words: the rest of the line is theirs.
    let whole_line = with_scheme && (scheme == "digest" || scheme.starts_with("aws4"));
    let length = scan.bytes[start..]
        .iter()
        .take_while(|b| !matches!(b, b'"' | b'\'' | b'\n' | b'\r' | b'\\'))
        .take_while(|b| whole_line || !b.is_ascii_whitespace())
        .count();
    let text = &scan.text[start..start + length];
    (length >= 6 && !is_placeholder(text) && (with_scheme || text.len() >= 16)).then(|| Found {
        range: start..start + length,
        id: "authorization",
    })
}

/// The name that ends before the joint, without quotes and brackets.
fn name_before<'a>(scan: &Scan<'a>, joint: usize) -> Option<&'a str> {
    let mut end = joint;
    let mut step = |wanted: &[u8], most: usize| {
        let from = end;
        while from - end < most && end > 0 && wanted.contains(&scan.bytes[end - 1]) {
            end -= 1;
        }
        from - end
    };
    step(b" \t", 4);
    let indexed = step(b"]", 1) == 1;
    if step(b"\"'`", 1) == 0 && indexed {
        return None;
    }
    step(b"\\", 1);
    let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = scan.bytes[..end]
        .iter()
        .rev()
        .take(NAME_MAX)
        .take_while(name)
        .count();
    (length > 0).then(|| &scan.text[end - length..end])
}

pub(super) fn skip_spaces(scan: &Scan<'_>, start: usize) -> (usize, usize) {
    let rest = scan.bytes.get(start..).unwrap_or_default();
    let spaces = rest
        .iter()
        .take(4)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    (start.min(scan.bytes.len()) + spaces, spaces)
}

/// The value that starts at `start`: to its closing quote, or to the next space.
pub(super) fn value_at<'a>(scan: &Scan<'a>, start: usize) -> Option<Value<'a>> {
    let mut start = start;
    let escaped = scan.bytes.get(start) == Some(&b'\\');
    let quote = scan
        .bytes
        .get(start + usize::from(escaped))
        .filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let quoted = quote.is_some();
    if quoted {
        start += 1 + usize::from(escaped);
    }
    let ends = |byte: &u8| match quote {
        Some(quote) => byte == quote || *byte == b'\n' || (escaped && *byte == b'\\'),
        None => {
            byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b'"' | b'\'' | b'`' | b'&' | b';' | b'<' | b'>' | b'\\'
                )
        }
    };
    let way = match quote {
        None => 0,
        Some(b'"') => 1 + usize::from(escaped),
        Some(b'\'') => 3 + usize::from(escaped),
        Some(_) => 5 + usize::from(escaped),
    };
    let end = scan.end_of(way, start, ends);
    let mut text = scan.text.get(start..end)?;
    if !quoted {
        // A few closing marks, as behind `f(token=…)`, are not of the value.
        let closing = |b: &&u8| matches!(b, b')' | b']' | b'}' | b',' | b'.' | b':');
        text = &text[..text.len()
            - text
                .as_bytes()
                .iter()
                .rev()
                .take(8)
                .take_while(closing)
                .count()];
    }
    (!text.is_empty()).then_some(Value {
        start,
        text,
        quoted,
    })
}

/// What a shape says of the whole value is more telling than the name.
fn finish(scan: &Scan<'_>, value: &Value<'_>, secrecy: Secrecy) -> Option<Found> {
    let range = value.start..value.start + value.text.len();
    let shape = scan
        .prefix_at(value.start)
        .filter(|found| found.range == range);
    let id = shape.map_or(id_of(secrecy)?, |found| found.id);
    Some(Found { range, id })
}
