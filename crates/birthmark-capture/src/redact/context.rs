//! Secrets that have no shape of their own, and are known by what stands before
//! them: `password=…`, `"api_key": "…"`, `--token …`, `Authorization: …`, netrc.

use super::names::{self, Secrecy};
use super::rules::Body;
use super::scan::{Found, NAME_MAX, Scan};
use super::settings::{COOKIE, cookies, is_setting, kaggle};
use super::values::{
    id_of, is_code, is_path, is_placeholder, is_secret_in_text, is_word, opaque, repeats,
};

/// Backslashes before a quote: text that was escaped three times.
const MOST_DEEP: usize = 7;
/// How far a value with quotes of its own is followed, in bytes.
const INNER_REACH: usize = 512;
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
    let address = next == Some(b'/') && scan.bytes[at] == b':';
    if address || matches!(next, Some(b'=' | b':') | None) {
        return None;
    }
    let (name, secrecy) = named(scan, at)?;
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
    let setting = !tight && is_setting(scan, at, name, &value) && !is_word(secrecy, &value);
    let file =
        matches!(secrecy, Secrecy::Strong(_)) && value.text.starts_with('/') && is_path(value.text);
    let plain = file || is_code(&value) || repeats(name, value.text);
    if plain || !is_secret_in_text(secrecy, &value, tight || setting) {
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
    if length == 0 {
        return None;
    }
    // As a shell has it, or as a list of arguments is printed: `'--token', '…'`.
    let start = match scan.bytes.get(end)? {
        b' ' => end + 1,
        quote @ (b'"' | b'\'') => {
            let comma = scan.bytes.get(end + 1) == Some(&b',');
            let (start, _) = skip_spaces(scan, end + 1 + usize::from(comma));
            let listed = comma && scan.bytes.get(start) == Some(quote);
            listed.then_some(start)?
        }
        _ => return None,
    };
    let secrecy = names::secrecy(&scan.text[at + 2..end]);
    let value = value_at(scan, start)?;
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

/// The name before the joint, and what it promises.
fn named<'a>(scan: &Scan<'a>, joint: usize) -> Option<(&'a str, Secrecy)> {
    let name = name_before(scan, joint)?;
    let start = name.as_ptr() as usize - scan.text.as_ptr() as usize;
    let before = start.checked_sub(1).map(|at| scan.bytes[at]);
    let secrecy = names::secrecy(name);
    // A signed address can be used by whoever has it; any other signature is nobody's secret.
    if name == "Signature" && matches!(before, Some(b'&' | b'?')) {
        return Some((name, Secrecy::Weak("name-signature")));
    }
    // In escaped text the end of a line is `\n`, and its letter looks like one of the name.
    if secrecy == Secrecy::None
        && before == Some(b'\\')
        && let Some(rest) = name.strip_prefix(['n', 't', 'r'])
    {
        return Some((rest, names::secrecy(rest)));
    }
    Some((name, secrecy))
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
    step(b"\\", MOST_DEEP);
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
    // In text that was escaped, once or more, a quote stands behind backslashes.
    let depth = scan.run_of(start, MOST_DEEP, |byte| byte == b'\\');
    let quote = scan.bytes.get(start + depth).copied();
    match quote.filter(|byte| matches!(byte, b'"' | b'\'' | b'`')) {
        Some(quote) => quoted(scan, start + depth + 1, quote, depth),
        None => unquoted(scan, start),
    }
}

fn unquoted<'a>(scan: &Scan<'a>, start: usize) -> Option<Value<'a>> {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'"' | b'\'' | b'`' | b'&' | b';' | b'<' | b'>' | b'\\'
            )
    };
    let text = scan.text.get(start..scan.end_of(0, start, ends))?;
    // A few closing marks, as behind `f(token=…)`, are not of the value.
    let closing = |b: &&u8| matches!(b, b')' | b']' | b'}' | b',' | b'.' | b':');
    let marks = text.bytes().rev().take(8);
    let marks = marks.take_while(|byte| closing(&byte)).count();
    let text = &text[..text.len() - marks];
    (!text.is_empty()).then_some(Value {
        start,
        text,
        quoted: false,
    })
}

/// To the quote behind as many backslashes as the opening one; quotes of the value's own stand
/// behind more.
fn quoted<'a>(scan: &Scan<'a>, start: usize, quote: u8, depth: usize) -> Option<Value<'a>> {
    let way = match quote {
        b'"' => 1,
        b'\'' => 2,
        _ => 3,
    };
    let ends = |byte: &u8| *byte == quote || *byte == b'\n';
    let mut end = scan.end_of(way, start, ends);
    let backslashes = |end: usize| {
        let before = scan.bytes[start..end].iter().rev();
        before.take(64).take_while(|byte| **byte == b'\\').count()
    };
    // Bounded, since what was gone through here is gone through again from the next name on.
    let last = scan.bytes.len().min(start + INNER_REACH);
    while scan.bytes.get(end) == Some(&quote) && end + 1 < last {
        let over = backslashes(end).checked_sub(depth);
        if over.is_none_or(|over| over % (2 * (depth + 1)) == 0) {
            break;
        }
        let next = scan.bytes[end + 1..last].iter().position(ends);
        let Some(next) = next else { break };
        end += 1 + next;
    }
    let text = scan.text.get(start..end - backslashes(end).min(depth))?;
    (!text.is_empty()).then_some(Value {
        start,
        text,
        quoted: true,
    })
}

/// What a shape says of the whole value is more telling than the name.
fn finish(scan: &Scan<'_>, value: &Value<'_>, secrecy: Secrecy) -> Option<Found> {
    let range = value.start..value.start + value.text.len();
    if let Some(key) = scan.pem(value.start) {
        return Some(key);
    }
    let shape = scan
        .prefix_at(value.start)
        .filter(|found| found.range == range);
    let id = shape.map_or(id_of(secrecy)?, |found| found.id);
    Some(Found { range, id })
}
