//! Secrets whose shape is more than a prefix and a run.

use super::rules::Body;
use super::scan::{Found, Scan};

/// How far a password in a URL is followed past characters that it should not hold.
const USERINFO_MAX: usize = 256;

impl Scan<'_> {
    /// `scheme://user:password@host`: all before the `@` goes, host and path stay.
    pub(super) fn url(&self, colon: usize) -> Option<Found> {
        if !self.bytes[colon..].starts_with(b"://") {
            return None;
        }
        let start = colon + 3;
        let (mut end, mut at_sign, mut first_colon) = (start, None, None);
        for (offset, &byte) in self.bytes[start..].iter().enumerate() {
            end = start + offset;
            match byte {
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b')' | b',' | b'`'
                | b'|' => {
                    break;
                }
                byte if byte.is_ascii_whitespace() => break,
                b'@' => at_sign = Some(end),
                b':' if at_sign.is_none() && first_colon.is_none() => first_colon = Some(end),
                _ => {}
            }
        }
        let at_sign = at_sign.or_else(|| self.late_at_sign(first_colon?, end))?;
        let userinfo = &self.text[start..at_sign];
        let user_only = !userinfo.contains(':') && !userinfo.contains("%3A");
        if userinfo.is_empty()
            || (user_only && self.is_ssh(colon))
            || userinfo.starts_with("[redacted")
        {
            return None;
        }
        Some(Found {
            range: start..at_sign,
            id: "url-credentials",
        })
    }

    /// The `@` behind a password that holds a `/`, `?` or `#` that should be escaped.
    fn late_at_sign(&self, colon: usize, end: usize) -> Option<usize> {
        let port = self.bytes[colon + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if colon + 1 + port >= end || self.bytes[..colon].ends_with(b"[") {
            return None;
        }
        let rest = &self.bytes[end..self.bytes.len().min(end + USERINFO_MAX)];
        let stop =
            |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'@');
        let offset = rest.iter().position(stop)?;
        (rest[offset] == b'@').then_some(end + offset)
    }

    /// In `ssh://git@host` the name is no secret.
    fn is_ssh(&self, colon: usize) -> bool {
        let before = &self.bytes[..colon];
        [&b"ssh"[..], b"sftp", b"rsync"]
            .iter()
            .any(|scheme| before.ends_with(scheme))
    }

    /// `123456789:AA…`: digits, a colon, 33 to 36 more.
    pub(super) fn telegram(&self, colon: usize) -> Option<Found> {
        if !self.bytes[colon + 1..].starts_with(b"AA") {
            return None;
        }
        let digits = self.bytes[..colon]
            .iter()
            .rev()
            .take(12)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let length = self.run_length(colon + 1, Body::Word, 40);
        let start = colon - digits;
        let bot = start >= 3 && self.bytes[..start].ends_with(b"bot");
        ((8..=11).contains(&digits)
            && (34..=36).contains(&length)
            && (bot || self.starts_word(start)))
        .then(|| Found {
            range: start..colon + 1 + length,
            id: "telegram-bot-token",
        })
    }

    /// `XXXXXXXXXXXXXX.atlasv1.…`.
    pub(super) fn terraform(&self, dot: usize) -> Option<Found> {
        const MIDDLE: &str = ".atlasv1.";
        if dot < 14 || !self.bytes[dot..].starts_with(MIDDLE.as_bytes()) {
            return None;
        }
        let front = self.bytes[dot - 14..dot]
            .iter()
            .all(u8::is_ascii_alphanumeric);
        let length = self.run_length(dot + MIDDLE.len(), Body::Dotted, usize::MAX);
        (front && length >= 50).then(|| Found {
            range: dot - 14..dot + MIDDLE.len() + length,
            id: "terraform-token",
        })
    }

    /// `eyJ….eyJ….…`: header, payload, signature (empty for unsigned ones).
    pub(super) fn jwt(&mut self, at: usize) -> Option<Found> {
        if at < self.barren || !self.bytes[at..].starts_with(b"eyJ") {
            return None;
        }
        let head = at + self.run_length(at, Body::Word, usize::MAX);
        let payload = head + 1;
        if !self.bytes[head..].starts_with(b".eyJ") {
            self.barren = head;
            return None;
        }
        let end = payload + self.run_length(payload, Body::Word, usize::MAX);
        if self.bytes.get(end) != Some(&b'.') || head - at < 12 || end - payload < 8 {
            // A token may still start with what was taken for the payload.
            self.barren = head;
            return None;
        }
        // The signature, and the parts of an encrypted one.
        let signature = self.run_length(end, Body::Dotted, usize::MAX);
        Some(Found {
            range: at..end + signature,
            id: "jwt",
        })
    }

    /// Three parts, of which the first is a number in base64.
    pub(super) fn discord(&self, at: usize) -> Option<Found> {
        if !matches!(self.bytes.get(at + 1), Some(b'D' | b'T' | b'j' | b'z'))
            || !self.starts_word(at)
        {
            return None;
        }
        let first = self.run_length(at, Body::Word, 32);
        let second_at = at + first + 1;
        let second = self.run_length(second_at, Body::Word, 8);
        let third_at = second_at + second + 1;
        let dots = self.bytes.get(second_at - 1) == Some(&b'.')
            && self.bytes.get(third_at - 1) == Some(&b'.');
        let third = self.run_length(third_at, Body::Word, 48);
        (dots
            && (23..=30).contains(&first)
            && (6..=7).contains(&second)
            && (27..=45).contains(&third))
        .then(|| Found {
            range: at..third_at + third,
            id: "discord-bot-token",
        })
    }

    /// A PEM block of a private key, to its end or, where that is cut off, to the
    /// end of what looks like its body.
    pub(super) fn pem(&self, at: usize) -> Option<Found> {
        const FORMS: [(&str, &str); 2] =
            [("-----BEGIN ", "-----END "), ("---- BEGIN ", "---- END ")];
        let rest = &self.text[at..];
        let begins = |(begin, _): &&(&str, &str)| self.bytes[at..].starts_with(begin.as_bytes());
        let (begin, close_mark) = FORMS.iter().find(begins)?;
        let label_end = self.bytes[at + begin.len()..]
            .iter()
            .take(64)
            .position(|b| *b == b'-')
            .map(|offset| at + begin.len() + offset)?;
        let label = self.text[at + begin.len()..label_end].trim_end();
        if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
            return None;
        }
        let body = label_end - at;
        let end = match rest[body..].find(close_mark) {
            Some(offset) => {
                let close = body + offset + close_mark.len();
                let tail = rest[close..]
                    .bytes()
                    .take(64)
                    .take_while(|b| !matches!(b, b'\n' | b'"'));
                let tail = &rest.as_bytes()[close..close + tail.count()];
                close
                    + tail
                        .windows(4)
                        .position(|w| w == b"----")
                        .map_or(0, |offset| {
                            offset + 4 + usize::from(tail.get(offset + 4) == Some(&b'-'))
                        })
            }
            None => rest.len(),
        };
        Some(Found {
            range: at..at + end,
            id: "private-key",
        })
    }
}
