//! The leaves of the grammar: strings, numbers and names.

use super::Scanner;
use crate::json::error::{ScanError, ScanErrorKind};

mod specials;

use specials::{WIDE, specials};

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

impl Scanner<'_> {
    /// A string that begins here; true when it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, ScanError> {
        let bytes = self.bytes;
        let mut at = self.at + 1;
        let mut escaped = false;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut marks = specials(rest);
            // How far the bytes that were looked at are done with, an escape that begins among
            // them included.
            let mut done = WIDE;
            while marks != 0 {
                let mark = marks.trailing_zeros() as usize;
                match rest.get(mark..) {
                    Some([b'"', ..]) => {
                        self.at = at + mark + 1;
                        return Ok(escaped);
                    }
                    Some([b'\\', next, ..]) if SHORT_ESCAPES[usize::from(*next)] => {
                        done = mark + 2;
                    }
                    Some([b'\\', ..]) => {
                        self.at = at + mark;
                        self.escape()?;
                        done = self.at - at;
                    }
                    Some([byte, ..]) => {
                        let control = ScanErrorKind::ControlCharacter(*byte);
                        return Err(ScanError::new(at + mark, control));
                    }
                    _ => {
                        self.at = bytes.len();
                        return Err(self.wrong("the rest of a string"));
                    }
                }
                escaped = true;
                if done >= WIDE {
                    break;
                }
                marks = marks >> done << done;
            }
            at += done.max(WIDE);
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
