//! Reading single things out of JSON bytes without parsing the rest: members,
//! paths, strings, and the strict check of an envelope.

use std::borrow::Cow;
use std::collections::HashSet;

use super::MAX_ENVELOPE_DEPTH;
use super::error::{ScanError, ScanErrorKind};
use super::scan::{MAX_DEPTH, Member, Scanner, Span, scan_value_to};

/// The members of an object, in order, as places in its bytes.
///
/// Meant for bytes that [`super::scan_object`] has accepted; at anything that
/// is no JSON it stops.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    scanner: Option<Scanner<'a>>,
    last: Option<Member>,
}

/// Walks over the members of the object that `object` is. Anything else than an
/// object has none.
pub fn walk(object: &[u8]) -> Walk<'_> {
    let mut scanner = Scanner::new(object, MAX_DEPTH);
    scanner.space();
    let opened = scanner.peek() == Some(b'{') && scanner.open(true).is_ok();
    Walk {
        scanner: opened.then_some(scanner),
        last: None,
    }
}

impl Iterator for Walk<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        let next = self.scanner.as_mut()?.member(self.last);
        let Ok(Some(member)) = next else {
            self.scanner = None;
            return None;
        };
        self.last = Some(member);
        Some(member)
    }
}

/// The members of an object, in order: each key with its quotes, and the value.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    object: &'a [u8],
    walk: Walk<'a>,
}

/// The members of the object that `object` is, as with [`walk`].
pub fn members(object: &[u8]) -> Members<'_> {
    Members {
        object,
        walk: walk(object),
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.walk.next()?;
        Some((member.key.of(self.object), member.value.of(self.object)))
    }
}

/// The value at a path of keys, such as `["dataset", "name"]`. Of equal keys
/// the last counts. An empty path gives the whole.
pub fn get<'a>(object: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    path.iter().try_fold(object, |inner, name| {
        let last = walk(inner)
            .filter(|member| member.is_named(inner, name))
            .last();
        last.map(|member| member.value.of(inner))
    })
}

/// Whether a key, given with its quotes, says `name` once its escapes are read.
pub fn key_is(raw: &[u8], name: &str) -> bool {
    let Some(inner) = inside_quotes(raw) else {
        return false;
    };
    inner == name.as_bytes()
        || (inner.contains(&b'\\') && unescape(inner).as_deref() == Some(name.as_bytes()))
}

/// The text of a JSON string given with its quotes. None when it is no string,
/// or has a lone surrogate, which no text can hold: see [`as_text_lossy`].
pub fn as_text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = inside_quotes(raw)?;
    if !inner.contains(&b'\\') {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    String::from_utf8(unescape(inner)?).ok().map(Cow::Owned)
}

/// The text of a JSON string, with U+FFFD for each lone surrogate. None when it
/// is no string.
pub fn as_text_lossy(raw: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(text) = as_text(raw) {
        return Some(text);
    }
    let mut bytes = unescape(inside_quotes(raw)?)?;
    let mut from = 0;
    while let Some(at) = find_surrogate(bytes.get(from..)?) {
        bytes
            .get_mut(from + at..from + at + 3)?
            .copy_from_slice("\u{FFFD}".as_bytes());
        from += at + 3;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn find_surrogate(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(3)
        .position(|three| matches!(three, [0xED, 0xA0..=0xBF, _]))
}

/// True or false; none for any other value.
pub fn as_bool(raw: &[u8]) -> Option<bool> {
    match raw {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A whole number from 0 up, written without fraction or exponent.
pub fn as_u64(raw: &[u8]) -> Option<u64> {
    let digits = raw.first()?.is_ascii_digit();
    std::str::from_utf8(raw)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

/// Whether the value is `null`.
pub fn is_null(raw: &[u8]) -> bool {
    raw == b"null"
}

/// Writes `text` as a JSON string, quotes included, in UTF-8: only what must be
/// escaped is.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..0x20 | 0x7F => {
                let low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
                out.extend(b"\\u00");
                out.extend([b'0' + (byte >> 4), low]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Proves that `envelope` is an object that a birthmark may be: JSON as the
/// standard has it (no `NaN`, no infinity), no key twice in one object, at most
/// [`MAX_ENVELOPE_DEPTH`] levels.
pub fn check_envelope(envelope: &[u8]) -> Result<(), ScanError> {
    let span = scan_value_to(envelope, MAX_ENVELOPE_DEPTH)?;
    let object = span.of(envelope);
    if object.first() != Some(&b'{') {
        return Err(ScanError::new(span.start, ScanErrorKind::NotAnObject));
    }
    check_strict(object).map_err(|error| error.shifted(span.start))
}

/// The part of the strict check that the scanner does not make. Recursion is
/// bounded by the depth that the scanner has let through.
fn check_strict(value: &[u8]) -> Result<(), ScanError> {
    match value.first() {
        Some(b'{') => check_members(value),
        Some(b'[') => check_elements(value),
        Some(b'N' | b'I') => Err(ScanError::new(0, ScanErrorKind::NotFinite)),
        _ if value.starts_with(b"-I") => Err(ScanError::new(0, ScanErrorKind::NotFinite)),
        _ => Ok(()),
    }
}

fn check_members(object: &[u8]) -> Result<(), ScanError> {
    let mut seen = HashSet::new();
    for member in walk(object) {
        let raw = member.key.of(object);
        let key = inside_quotes(raw).and_then(unescape).unwrap_or_default();
        if !seen.insert(key) {
            let text = as_text_lossy(raw).unwrap_or_default().into_owned();
            return Err(ScanError::new(
                member.key.start,
                ScanErrorKind::DuplicateKey(text),
            ));
        }
        check_strict(member.value.of(object)).map_err(|e| e.shifted(member.value.start))?;
    }
    Ok(())
}

fn check_elements(array: &[u8]) -> Result<(), ScanError> {
    for element in elements(array) {
        check_strict(element.of(array)).map_err(|error| error.shifted(element.start))?;
    }
    Ok(())
}

/// The elements of the array that `array` is, as places in its bytes. Meant, as
/// [`walk`] is, for bytes that the scanner has accepted.
pub fn elements(array: &[u8]) -> impl Iterator<Item = Span> {
    let mut scanner = Scanner::new(array, MAX_DEPTH);
    scanner.at = if array.first() == Some(&b'[') {
        1
    } else {
        array.len()
    };
    std::iter::from_fn(move || {
        scanner.space();
        if scanner.peek() == Some(b',') {
            scanner.at += 1;
            scanner.space();
        }
        let start = scanner.at;
        scanner.value().ok().map(|()| Span {
            start,
            end: scanner.at,
        })
    })
}

fn inside_quotes(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The bytes of a string whose escapes are read. A lone surrogate becomes the
/// three bytes that UTF-8 would give it, so that no two strings become equal.
fn unescape(inner: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at)?);
        let letter = *rest.get(at + 1)?;
        rest = rest.get(at + 2..)?;
        let plain = match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                rest = unescape_unicode(&mut out, rest)?;
                continue;
            }
            _ => return None,
        };
        out.push(plain);
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Reads what follows `\u`, a second escape included where the two make a pair.
fn unescape_unicode<'a>(out: &mut Vec<u8>, rest: &'a [u8]) -> Option<&'a [u8]> {
    let high = hex4(rest)?;
    let rest = rest.get(4..)?;
    if (0xD800..0xDC00).contains(&high)
        && let Some(second) = rest.strip_prefix(b"\\u")
        && let Some(low @ 0xDC00..0xE000) = hex4(second)
    {
        let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        push_char(out, char::from_u32(code)?);
        return second.get(4..);
    }
    match char::from_u32(high) {
        Some(plain) => push_char(out, plain),
        // A lone surrogate: the general form of three bytes.
        None => out.extend([0xED, 0x80 | low_six(high >> 6), 0x80 | low_six(high)]),
    }
    Some(rest)
}

fn push_char(out: &mut Vec<u8>, plain: char) {
    out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
}

fn low_six(bits: u32) -> u8 {
    u8::try_from(bits & 0x3F).unwrap_or_default()
}

fn hex4(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |sum, &digit| {
        char::from(digit).to_digit(16).map(|value| sum * 16 + value)
    })
}
