//! Putting a member into an object and taking it out, without touching a byte
//! of the rest.

use super::error::ScanError;
use super::scan::{Member, Object, Span, scan_object};

/// Where a record takes one member more, as its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Between the byte before and this one.
    pub at: usize,
    /// Whether it will be the only member.
    pub alone: bool,
}

impl Gap {
    pub(super) fn of(object: &Object) -> Self {
        Self {
            at: object.close,
            alone: object.is_empty(),
        }
    }

    /// What goes there of a [`spelled_member`]: one that stands alone has no comma before it.
    pub fn fill(self, member: &[u8]) -> &[u8] {
        let skipped = if self.alone { COMMA.len() } else { 0 };
        member.get(skipped..).unwrap_or_default()
    }
}

const COMMA: &[u8] = b", ";

/// A member as [`splice_member`] puts it behind another: `, "metadata": {…}`.
pub fn spelled_member(key: &str, value: &[u8]) -> Vec<u8> {
    [COMMA, b"\"", key.as_bytes(), b"\": ", value].concat()
}

/// Writes `record` to `out` with one member more, as its last, just before the
/// closing brace: `, "metadata": {…}`, or without the comma in an empty object.
///
/// `object` must come from [`scan_object`] of the same bytes; `key` is plain
/// ASCII without quotes; `value` is JSON. [`unsplice`] gives `record` back.
pub fn splice_member(out: &mut Vec<u8>, record: &[u8], object: &Object, key: &str, value: &[u8]) {
    let (head, tail) = record.split_at(object.close.min(record.len()));
    out.reserve(record.len() + key.len() + value.len() + 6);
    out.extend_from_slice(head);
    out.extend_from_slice(if object.is_empty() { b"\"" } else { b", \"" });
    push_member(out, key, value);
    out.extend_from_slice(tail);
}

/// As [`splice_member`], but in the manner of the object: where its last member
/// stands on a line of its own, so does the new one, and the value is laid out
/// alike. For reports that people open in an editor; [`unsplice`] takes it out
/// just the same.
pub fn splice_member_tidily(
    out: &mut Vec<u8>,
    record: &[u8],
    object: &Object,
    key: &str,
    value: &[u8],
) {
    let gap = object
        .last
        .map(|last| (last, gap_before(record, object, last)));
    let indented = gap.and_then(|(last, gap)| Some((last, gap, indentation(gap)?)));
    let Some((last, gap, unit)) = indented else {
        return splice_member(out, record, object, key, value);
    };
    let (head, tail) = record.split_at(last.value.end.min(record.len()));
    out.extend_from_slice(head);
    out.push(b',');
    out.extend_from_slice(gap);
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\": ");
    push_indented(out, value, gap, unit);
    out.extend_from_slice(tail);
}

/// Writes `value`, JSON without line breaks, over many lines: `gap` is the line
/// break and indentation of the member that it is the value of, and `unit` is
/// one level more. Strings and numbers keep their text.
pub fn push_indented(out: &mut Vec<u8>, value: &[u8], gap: &[u8], unit: &[u8]) {
    let (mut depth, mut text, mut escape) = (0, false, false);
    let newline = |out: &mut Vec<u8>, depth: usize| {
        out.extend_from_slice(gap);
        (0..depth).for_each(|_| out.extend_from_slice(unit));
    };
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if text {
            (text, escape) = (escape || byte != b'"', !escape && byte == b'\\');
            out.push(byte);
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(close) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    newline(out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                newline(out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                text = byte == b'"';
                out.push(byte);
            }
        }
    }
}

/// What stands after the last line break of a gap; none when it has no line break.
fn indentation(gap: &[u8]) -> Option<&[u8]> {
    let newline = memchr::memrchr(b'\n', gap)?;
    gap.get(newline + 1..)
}

/// The white space between a member and the comma or brace before it.
pub(super) fn gap_before<'a>(record: &'a [u8], object: &Object, member: Member) -> &'a [u8] {
    let from = member.comma_before.unwrap_or(object.open) + 1;
    record.get(from..member.key.start).unwrap_or_default()
}

fn push_member(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\": ");
    out.extend_from_slice(value);
}

/// Writes `record` to `out` without `member`, which must be one of its members.
///
/// Of a member that [`splice_member`] put in, exactly what was put in goes. One
/// that has since been moved to the front takes the comma after it along.
pub fn remove_member(out: &mut Vec<u8>, record: &[u8], member: &Member) {
    cut(out, record, with_comma(member));
}

/// A member and the comma that goes with it.
pub(super) fn with_comma(member: &Member) -> Span {
    let (start, end) = match (member.comma_before, member.comma_after) {
        (Some(comma), _) => (comma, member.value.end),
        (None, Some(comma)) => (member.key.start, comma + 1),
        (None, None) => (member.key.start, member.value.end),
    };
    Span { start, end }
}

pub(super) fn cut(out: &mut Vec<u8>, record: &[u8], gone: Span) {
    out.extend_from_slice(record.get(..gone.start).unwrap_or(record));
    out.extend_from_slice(record.get(gone.end..).unwrap_or_default());
}

/// Writes `record` to `out` without its last member, if that has the name `key`:
/// the undoing of [`splice_member`]. Says whether there was one.
///
/// To take out a birthmark, wherever in the record it stands, use
/// [`super::unstamp_record`].
pub fn unsplice(out: &mut Vec<u8>, record: &[u8], key: &str) -> Result<bool, ScanError> {
    let object = scan_object(record)?;
    let last = object
        .last
        .filter(|last| super::key_is(last.key.of(record), key));
    match &last {
        Some(member) => remove_member(out, record, member),
        None => out.extend_from_slice(record),
    }
    Ok(last.is_some())
}
