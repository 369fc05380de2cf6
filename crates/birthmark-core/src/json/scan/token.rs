//! The leaves of the grammar: strings, numbers and names.

use super::Scanner;
use crate::json::error::{ScanError, ScanErrorKind};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Bytes of a string that are looked at in words, before whole registers are taken.
const SHORT: usize = 16;
/// Bytes that are looked at in one step of registers.
const WIDE: usize = 32;

/// A word whose high bits mark bytes that end the plain run of a string: a
/// quote, a backslash or a control character. The lowest mark is always true;
/// those above it may not be.
#[inline]
fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5C);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS
}

/// The bytes that are an escape of two bytes when they follow a backslash.
const SHORT_ESCAPES: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [byte, tail @ ..] = rest {
        table[*byte as usize] = true;
        rest = tail;
    }
    table
};

/// Whether a byte ends the plain run of a string.
#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The same of many bytes: a mark for each and one question after, which is a few instructions
/// of whole registers (a comparison of two arrays would be a call of the C library).
#[inline]
fn has_special(chunk: [u8; WIDE]) -> bool {
    let mut marks = chunk;
    for mark in &mut marks {
        *mark = if is_special(*mark) { 0xFF } else { 0 };
    }
    marks.iter().fold(0_u8, |any, mark| any | mark) != 0
}

/// Bytes at the start of `text` that stand for themselves in a string.
#[inline]
fn plain_run(text: &[u8]) -> usize {
    let mut rest = text;
    // Most strings are short; in a long one whole registers are looked at.
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let marks = specials(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return text.len() - rest.len() + (marks.trailing_zeros() / 8) as usize;
        }
        rest = tail;
        if text.len() - rest.len() == SHORT {
            while let Some((chunk, tail)) = rest.split_first_chunk::<WIDE>()
                && !has_special(*chunk)
            {
                rest = tail;
            }
        }
    }
    let tail = rest.iter().position(|&byte| is_special(byte));
    text.len() - rest.len() + tail.unwrap_or(rest.len())
}

impl Scanner<'_> {
    /// A string that begins here; true when it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, ScanError> {
        let bytes = self.bytes;
        let mut at = self.at + 1;
        let mut escaped = false;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let run = plain_run(rest);
            at += run;
            match rest.get(run..) {
                Some([b'"', ..]) => {
                    self.at = at + 1;
                    return Ok(escaped);
                }
                Some([b'\\', next, ..]) if SHORT_ESCAPES[usize::from(*next)] => at += 2,
                Some([b'\\', ..]) => {
                    self.at = at;
                    self.escape()?;
                    at = self.at;
                }
                Some([byte, ..]) => {
                    let control = ScanErrorKind::ControlCharacter(*byte);
                    return Err(ScanError::new(at, control));
                }
                _ => {
                    self.at = at;
                    return Err(self.wrong("the rest of a string"));
                }
            }
            escaped = true;
        }
    }

    /// Goes behind the string, finite number, `true`, `false` or `null` that begins here; false
    /// at anything else.
    #[inline]
    pub(in crate::json) fn finite_scalar(&mut self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let gone = match rest {
            [b'"', ..] => self.string().map(drop),
            [b'-', b'I', ..] => return false,
            [b'-' | b'0'..=b'9', ..] => self.number(),
            [b't', ..] => self.literal(b"true").map(drop),
            [b'f', ..] => self.literal(b"false").map(drop),
            [b'n', ..] => self.literal(b"null").map(drop),
            _ => return false,
        };
        gone.is_ok()
    }

    #[inline]
    fn escape(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'u') => self.at += 1,
            Some(_) => return Err(ScanError::new(start, ScanErrorKind::BadEscape)),
            None => return Err(self.wrong("the rest of an escape")),
        }
        for _ in 0..4 {
            match self.peek() {
                Some(digit) if digit.is_ascii_hexdigit() => self.at += 1,
                Some(_) => return Err(ScanError::new(start, ScanErrorKind::BadEscape)),
                None => return Err(self.wrong("the rest of an escape")),
            }
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        match self.peek() {
            Some(_) => Err(ScanError::new(start, ScanErrorKind::BadNumber)),
            None => Err(self.wrong("a digit")),
        }
    }

    /// A number that begins here, `-Infinity` among them.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                return self.literal(b"Infinity").map(|_| ());
            }
        }
        let zero = self.peek() == Some(b'0');
        let start = self.at;
        self.digits()?;
        if zero && self.at > start + 1 {
            return Err(ScanError::new(start, ScanErrorKind::BadNumber));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// A name that must stand here; always false, as it opens no container.
    #[inline]
    pub(super) fn literal(&mut self, name: &'static [u8]) -> Result<bool, ScanError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(name) {
            self.at += name.len();
            return Ok(false);
        }
        let same = rest.iter().zip(name).take_while(|(a, b)| a == b).count();
        self.at += same;
        Err(self.wrong("the rest of a name such as `true` or `NaN`"))
    }
}
