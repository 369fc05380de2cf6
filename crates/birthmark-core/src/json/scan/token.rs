//! The leaves of the grammar: strings, numbers and names.

use super::Scanner;
use crate::json::error::{ScanError, ScanErrorKind};

mod specials;

use specials::{WIDE, specials, stops};

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
        let mut at = self.at + 1;
        loop {
            let marks = specials(self.bytes.get(at..).unwrap_or_default());
            if marks != 0 {
                at += marks.trailing_zeros() as usize;
                break;
            }
            at += WIDE;
        }
        if self.bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(false);
        }
        self.rest_of_string(at)
    }

    /// What is left of a string from its first escape on, or from what may not stand in it; true
    /// when it has escapes.
    #[inline(never)]
    fn rest_of_string(&mut self, mut at: usize) -> Result<bool, ScanError> {
        let bytes = self.bytes;
        let mut escaped = false;
        // A bit where the first of the next bytes ends an escape that began before them. Where
        // those begin does not depend on it, so that they are looked at before it is known.
        let mut over = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut marks = u64::from(specials(rest)) & !over;
            over = 0;
            // Where one escape is, more follow: they are not gone through one by one.
            if escaped
                && marks != 0
                && let Some(chunk) = bytes.get(at - 1..).and_then(<[u8]>::first_chunk)
                && let Some(stops) = stops(chunk)
            {
                if stops == 0 {
                    // An escape that begins with the last byte is looked at with the next.
                    at += WIDE - usize::from(chunk[WIDE] == b'\\');
                    continue;
                }
                let stop = at + stops.trailing_zeros() as usize;
                if bytes.get(stop) == Some(&b'"') {
                    self.at = stop + 1;
                    return Ok(true);
                }
            }
            let mut done = WIDE;
            while marks != 0 {
                let mark = marks.trailing_zeros() as usize;
                match rest.get(mark..) {
                    Some([b'"', ..]) => {
                        self.at = at + mark + 1;
                        return Ok(escaped);
                    }
                    Some([b'\\', next, ..]) if SHORT_ESCAPES[usize::from(*next)] => {
                        let lowest = marks & marks.wrapping_neg();
                        marks &= !(lowest | lowest << 1);
                        over = lowest << 1 >> WIDE;
                    }
                    Some([b'\\', ..]) => {
                        self.at = at + mark;
                        self.escape()?;
                        done = self.at - at;
                        if done >= WIDE {
                            escaped = true;
                            break;
                        }
                        marks = marks >> done << done;
                        done = WIDE;
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
            }
            at += done;
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

#[cfg(test)]
mod tests {
    use crate::json::scan::Scanner;

    /// The same byte by byte: where the string ends, and whether it has escapes.
    fn plainly(text: &[u8]) -> Option<(usize, bool)> {
        let (mut at, mut escaped) = (1, false);
        loop {
            match text.get(at)? {
                b'"' => return Some((at + 1, escaped)),
                b'\\' => {
                    escaped = true;
                    let hex = |at| text.get(at).is_some_and(u8::is_ascii_hexdigit);
                    at += match text.get(at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                        b'u' if (at + 2..at + 6).all(hex) => 6,
                        _ => return None,
                    };
                }
                0..0x20 => return None,
                _ => at += 1,
            }
        }
    }

    #[test]
    fn strings_with_escapes_at_any_place_end_where_they_end_byte_by_byte() {
        let pieces = [
            "a", "word ", "\\n", "\\\\", "\\\"", "\\/", "\\u00e9", "\\ud83d", "é", "\\t\\r",
            "\\b\\f",
        ];
        let odd = ["\"", "\\", "\\u00g0", "\\x", "\n", "\u{1f}", "\\u12"];
        let mut state = 7_u64;
        let mut chance = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut sound = 0;
        for _ in 0..60_000 {
            let (most, kinds) = (chance(90), 1 + chance(pieces.len()));
            let mut text = String::from("\"");
            for _ in 0..most {
                text.push_str(pieces[(chance(kinds) + most) % pieces.len()]);
                if chance(300) == 0 {
                    text.push_str(odd[chance(odd.len())]);
                }
            }
            text.push_str(if chance(10) == 0 { "" } else { "\"" });
            text.push_str(&"\\n\" ".repeat(chance(12)));
            let mut scanner = Scanner::new(text.as_bytes(), 1);
            let found = scanner.string().ok().map(|escaped| (scanner.at, escaped));
            assert_eq!(found, plainly(text.as_bytes()), "{text:?}");
            sound += usize::from(found.is_some_and(|(end, _)| end > 100));
        }
        assert!(sound > 10_000, "{sound}");
    }
}
