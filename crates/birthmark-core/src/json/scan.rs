//! The scanner: one pass over the bytes, no allocation, no recursion.
//!
//! Open containers are kept as bits in a fixed array, so depth costs no stack
//! and is limited by [`MAX_DEPTH`]. Strings are searched eight bytes at a time.

mod leaves;
mod token;

use super::error::{ScanError, ScanErrorKind};

/// How many levels of objects and arrays a record may have, itself included.
pub const MAX_DEPTH: usize = 1024;

/// The UTF-8 byte order mark that some editors put in front of a file.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The bytes after a leading byte order mark, which belongs to the file and to
/// no record.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// A range of bytes: `start` is in it, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes that the span names, or none where it does not lie in `bytes`.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where one member of an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The key with its quotes.
    pub key: Span,
    /// Whether the key is written with escapes.
    pub escaped: bool,
    /// The colon.
    pub colon: usize,
    /// The value, without white space round it.
    pub value: Span,
    /// The comma that parts it from the member before, if there is one.
    pub comma_before: Option<usize>,
    /// The comma that parts it from the member after, if there is one.
    pub comma_after: Option<usize>,
}

impl Member {
    /// Whether the key, in the bytes that were scanned, says `name`.
    #[inline]
    pub fn is_named(&self, bytes: &[u8], name: &str) -> bool {
        if self.escaped {
            return super::read::key_is(self.key.of(bytes), name);
        }
        self.key.end - self.key.start == name.len() + 2
            && bytes.get(self.key.start + 1..self.key.end - 1) == Some(name.as_bytes())
    }
}

/// A member that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The last member of that name, which is the one that counts.
    pub member: Member,
    /// How many members have that name: more than one is a duplicate key.
    pub times: usize,
}

/// Where the parts of a scanned object lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// The opening brace.
    pub open: usize,
    /// The closing brace.
    pub close: usize,
    /// The last member; none in an empty object.
    pub last: Option<Member>,
    /// The member `metadata`.
    pub metadata: Option<Found>,
    /// The member `birthmark`.
    pub birthmark: Option<Found>,
}

impl Object {
    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    fn note(&mut self, bytes: &[u8], member: Member) {
        let slot = if member.is_named(bytes, "metadata") {
            &mut self.metadata
        } else if member.is_named(bytes, "birthmark") {
            &mut self.birthmark
        } else {
            return;
        };
        let times = slot.map_or(1, |found| found.times + 1);
        *slot = Some(Found { member, times });
    }
}

/// Proves that `record` is one JSON object, with nothing but white space round
/// it, and says where its parts lie.
///
/// A leading byte order mark is an error of its own kind: take it off with
/// [`without_bom`] at the start of a file.
pub fn scan_object(record: &[u8]) -> Result<Object, ScanError> {
    scan_text(as_utf8(record)?)
}

/// The same for a record that is known to be UTF-8.
pub(super) fn scan_text(record: &str) -> Result<Object, ScanError> {
    scan_text_by(record, |scanner, _| scanner.value())
}

/// The same where `value` takes the value of each member, told where its key stands: it must prove that one JSON value begins at `at`, and go
/// behind it.
pub(super) fn scan_text_by(
    record: &str,
    mut value: impl FnMut(&mut Scanner<'_>, Span) -> Result<(), ScanError>,
) -> Result<Object, ScanError> {
    let record = record.as_bytes();
    refuse_bom(record)?;
    let mut scanner = Scanner::new(record, MAX_DEPTH);
    scanner.space();
    let open = scanner.at;
    match scanner.peek() {
        Some(b'{') => {}
        Some(_) => return Err(ScanError::new(open, ScanErrorKind::NotAnObject)),
        None => return Err(scanner.wrong("a JSON object")),
    }
    scanner.open(true)?;
    let mut object = Object {
        open,
        close: open,
        last: None,
        metadata: None,
        birthmark: None,
    };
    while let Some(member) = scanner.member_by(object.last, &mut value)? {
        object.note(record, member);
        object.last = Some(member);
    }
    object.close = scanner.at - 1;
    scanner.finish()?;
    Ok(object)
}

/// Proves that `text` is one JSON value of any kind, with nothing but white
/// space round it; gives the value without that space.
pub fn scan_value(text: &[u8]) -> Result<Span, ScanError> {
    scan_value_to(text, MAX_DEPTH)
}

pub(super) fn scan_value_to(text: &[u8], limit: usize) -> Result<Span, ScanError> {
    as_utf8(text)?;
    refuse_bom(text)?;
    let mut scanner = Scanner::new(text, limit);
    scanner.space();
    let start = scanner.at;
    scanner.value()?;
    let end = scanner.at;
    scanner.finish()?;
    Ok(Span { start, end })
}

/// A text, which must be UTF-8.
pub fn as_utf8(text: &[u8]) -> Result<&str, ScanError> {
    let wrong =
        |error: std::str::Utf8Error| ScanError::new(error.valid_up_to(), ScanErrorKind::NotUtf8);
    std::str::from_utf8(text).map_err(wrong)
}

fn refuse_bom(text: &[u8]) -> Result<(), ScanError> {
    if text.starts_with(BOM) {
        return Err(ScanError::new(0, ScanErrorKind::ByteOrderMark));
    }
    Ok(())
}

/// A place in a text that is known to be UTF-8, and the containers round it.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    limit: usize,
    depth: usize,
    /// One bit a level: set where the container is an object.
    objects: [u64; MAX_DEPTH / 64],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], limit: usize) -> Self {
        let limit = limit.min(MAX_DEPTH);
        Self {
            bytes,
            at: 0,
            limit,
            depth: 0,
            objects: [0; MAX_DEPTH / 64],
        }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[cold]
    fn wrong(&self, expected: &'static str) -> ScanError {
        let kind = match self.peek() {
            Some(found) => ScanErrorKind::Unexpected { expected, found },
            None => ScanErrorKind::Ended { expected },
        };
        ScanError::new(self.at, kind)
    }

    #[inline]
    pub(super) fn open(&mut self, object: bool) -> Result<(), ScanError> {
        if self.depth == self.limit {
            return Err(ScanError::new(self.at, ScanErrorKind::TooDeep(self.limit)));
        }
        let bit = 1u64 << (self.depth % 64);
        if let Some(word) = self.objects.get_mut(self.depth / 64) {
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn in_object(&self) -> bool {
        let level = self.depth - 1;
        self.objects
            .get(level / 64)
            .is_some_and(|word| word >> (level % 64) & 1 == 1)
    }

    /// The next member of the object that is open; none after its closing brace, which is then behind us.
    #[inline]
    pub(super) fn member(&mut self, last: Option<Member>) -> Result<Option<Member>, ScanError> {
        self.member_by(last, &mut |scanner: &mut Self, _| scanner.value())
    }

    #[inline]
    fn member_by(
        &mut self,
        last: Option<Member>,
        take: &mut impl FnMut(&mut Self, Span) -> Result<(), ScanError>,
    ) -> Result<Option<Member>, ScanError> {
        self.space();
        let comma_before = last.and_then(|member| member.comma_after);
        if comma_before.is_none() && self.peek() == Some(b'}') {
            self.depth -= 1;
            self.at += 1;
            return Ok(None);
        }
        let start = self.at;
        let (key_end, colon, escaped) = self.key()?;
        self.space();
        let key = Span {
            start,
            end: key_end,
        };
        let value_start = self.at;
        take(self, key)?;
        let value = Span {
            start: value_start,
            end: self.at,
        };
        self.space();
        let comma_after = match self.peek() {
            Some(b',') => Some(self.at),
            Some(b'}') => None,
            _ => return Err(self.wrong("`,` or `}`")),
        };
        self.at += usize::from(comma_after.is_some());
        Ok(Some(Member {
            key,
            escaped,
            colon,
            value,
            comma_before,
            comma_after,
        }))
    }

    /// A key and its colon: where the key ends, where the colon stands, and
    /// whether the key has escapes.
    #[inline]
    fn key(&mut self) -> Result<(usize, usize, bool), ScanError> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key in double quotes"));
        }
        let escaped = self.string()?;
        let end = self.at;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.wrong("`:`"));
        }
        let colon = self.at;
        self.at += 1;
        Ok((end, colon, escaped))
    }

    /// One whole value, which begins here.
    pub(super) fn value(&mut self) -> Result<(), ScanError> {
        let floor = self.depth;
        loop {
            if self.begin()? {
                continue;
            }
            if self.leave(floor)? {
                return Ok(());
            }
        }
    }

    /// Takes a scalar or an empty container whole (false), or steps into a
    /// container up to its first value (true).
    #[inline]
    fn begin(&mut self) -> Result<bool, ScanError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b'{') => self.enter(true, b'}'),
            Some(b'[') => self.enter(false, b']'),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'N') => self.literal(b"NaN"),
            Some(b'I') => self.literal(b"Infinity"),
            _ => Err(self.wrong("a value")),
        }
    }

    #[inline]
    fn enter(&mut self, object: bool, close: u8) -> Result<bool, ScanError> {
        self.open(object)?;
        self.space();
        if self.peek() == Some(close) {
            self.depth -= 1;
            self.at += 1;
            return Ok(false);
        }
        if object {
            self.key()?;
            self.space();
        }
        Ok(true)
    }

    /// After a value: true when all containers above `floor` are closed, false
    /// when another value begins here.
    #[inline]
    fn leave(&mut self, floor: usize) -> Result<bool, ScanError> {
        while self.depth > floor {
            self.space();
            let object = self.in_object();
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                        self.space();
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.depth -= 1;
                    self.at += 1;
                }
                (_, true) => return Err(self.wrong("`,` or `}`")),
                (_, false) => return Err(self.wrong("`,` or `]`")),
            }
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), ScanError> {
        self.space();
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(ScanError::new(self.at, ScanErrorKind::TrailingData))
    }
}
