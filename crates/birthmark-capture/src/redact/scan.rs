//! Finds the secrets in a text, in one pass.
//!
//! Every byte is asked, through a table, whether a secret could be seen from
//! here; few could, and for those the rules that start so are tried. Nothing is
//! compiled and nothing is allocated until something is found.
//!
//! # Invariants
//!
//! * Linear time: a look back is at most [`NAME_MAX`] bytes, a look ahead either
//!   ends in a match, which is never looked at again, or is bounded, or is
//!   remembered (see [`Scan::barren`]).
//! * The ranges found are in order, do not touch, and lie on character borders.

use std::cell::Cell;
use std::ops::Range;
use std::sync::OnceLock;

use super::context;
use super::rules::{Body, RULES, Rule};

/// The longest name that is read back from a `=` or `:`, in bytes.
pub(super) const NAME_MAX: usize = 80;
/// How far a password in a URL is followed past characters that it should not hold.
const USERINFO_MAX: usize = 256;

/// One secret: where it lies and which rule says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) id: &'static str,
}

/// Which bytes can start what, built once, in some microseconds.
struct Index {
    /// For each pair of bytes the place in `groups` of the rules that start so; 0 for none.
    pairs: Vec<u8>,
    groups: Vec<Vec<&'static Rule>>,
    /// Whether a byte can start a rule, or be the joint of a contextual one.
    interesting: [bool; 256],
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index {
            pairs: vec![0; 1 << 16],
            groups: vec![Vec::new()],
            interesting: [false; 256],
        };
        for rule in RULES {
            if let [first, second, ..] = *rule.prefix.as_bytes() {
                let group = &mut index.pairs[pair(first, second)];
                if *group == 0 {
                    // A test holds the number of rules, so of groups, below 256.
                    *group = u8::try_from(index.groups.len()).unwrap_or(0);
                    index.groups.push(Vec::new());
                }
                index.groups[usize::from(*group)].push(rule);
                index.interesting[usize::from(first)] = true;
            }
        }
        for joint in *b":=-.[eMNOwBp" {
            index.interesting[usize::from(joint)] = true;
        }
        index
    })
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// All secrets of `text`, in order.
pub(super) fn scan(text: &str) -> Vec<Found> {
    let mut scan = Scan {
        text,
        bytes: text.as_bytes(),
        index: index(),
        found: Vec::new(),
        barren: 0,
        ends: Default::default(),
    };
    scan.run();
    scan.found
}

pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    index: &'static Index,
    found: Vec<Found>,
    /// No token with dots (JWT) starts before this offset: already tried.
    barren: usize,
    /// For each way that a value can end: a start and the end found from there.
    ends: [Cell<(usize, usize)>; 8],
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.bytes.len() {
            if !self.index.interesting[usize::from(self.bytes[at])] {
                at += 1;
                continue;
            }
            if let Some(length) = self.mark(at) {
                at += length;
                continue;
            }
            let end = self.found.last().map_or(0, |found| found.range.end);
            match self.at(at) {
                Some(found) if found.range.start >= end && found.range.end > at => {
                    at = found.range.end;
                    self.found.push(found);
                }
                _ => at += 1,
            }
        }
    }

    /// The length of a `[redacted:…]` that stands at `at` already.
    fn mark(&self, at: usize) -> Option<usize> {
        let rest = self.bytes[at..].strip_prefix(b"[redacted:")?;
        rest.iter()
            .take(NAME_MAX)
            .position(|byte| *byte == b']')
            .map(|offset| offset + 11)
    }

    fn at(&mut self, at: usize) -> Option<Found> {
        if let Some(found) = self.prefix(at) {
            return Some(found);
        }
        match self.bytes[at] {
            b':' => self
                .url(at)
                .or_else(|| self.telegram(at))
                .or_else(|| context::assignment(self, at)),
            b'=' => context::assignment(self, at),
            b'-' => self.pem(at).or_else(|| context::flag(self, at)),
            b'.' => self.terraform(at),
            b'e' => self.jwt(at),
            b'M' | b'N' | b'O' => self.discord(at),
            b'w' => context::wandb_login(self, at),
            b'B' => context::bearer(self, at),
            b'p' => context::netrc(self, at),
            _ => None,
        }
    }

    /// A token of the table that starts at `at`.
    pub(super) fn prefix(&self, at: usize) -> Option<Found> {
        let first = self.bytes[at];
        let group = self.index.pairs[pair(first, *self.bytes.get(at + 1)?)];
        if group == 0 {
            return None;
        }
        let rest = &self.bytes[at..];
        let rules = &self.index.groups[usize::from(group)];
        rules
            .iter()
            .filter(|rule| rest.starts_with(rule.prefix.as_bytes()))
            .find_map(|rule| {
                if rule.strict && !self.starts_word(at) {
                    return None;
                }
                let start = at + rule.prefix.len();
                // A rule with a maximum needs no look beyond it.
                let length = self.run_length(start, rule.body, rule.max.saturating_add(1));
                let fits = length >= rule.min && length <= rule.max;
                let body = &self.bytes[start..start + length];
                let counts = !rule.strict || body.iter().any(u8::is_ascii_digit);
                (fits && counts).then(|| Found {
                    range: at..start + length,
                    id: rule.id,
                })
            })
    }

    /// As `prefix`, at an offset that may be the end.
    pub(super) fn prefix_at(&self, at: usize) -> Option<Found> {
        if at < self.bytes.len() {
            self.prefix(at)
        } else {
            None
        }
    }

    /// How many bytes from `start` on are of `body`, at most `max`.
    pub(super) fn run_length(&self, start: usize, body: Body, max: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        rest.iter()
            .take(max)
            .take_while(|byte| body.holds(**byte))
            .count()
    }

    /// The first offset from `start` on where `ends` holds, or the end of the text. It is
    /// remembered under `way` (below 8), which names the test, so many starts before one
    /// end cost one look.
    pub(super) fn end_of(&self, way: usize, start: usize, ends: impl Fn(&u8) -> bool) -> usize {
        let cell = &self.ends[way];
        let (from, to) = cell.get();
        if from <= start && start < to {
            return to;
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = start + rest.iter().position(ends).unwrap_or(rest.len());
        cell.set((start, end));
        end
    }

    /// Whether a word can start at `at`: behind no letter, digit or `_`, or behind an
    /// escape that ends in one (`\n`, `%3D`).
    pub(super) fn starts_word(&self, at: usize) -> bool {
        let before = |n: usize| at.checked_sub(n).map(|i| self.bytes[i]);
        match before(1) {
            None => true,
            Some(byte) if !byte.is_ascii_alphanumeric() && byte != b'_' => true,
            Some(b'n' | b't' | b'r') if before(2) == Some(b'\\') => true,
            Some(byte) => {
                byte.is_ascii_hexdigit()
                    && before(2).is_some_and(|b| b.is_ascii_hexdigit())
                    && before(3) == Some(b'%')
            }
        }
    }

    /// `scheme://user:password@host`: all before the `@` goes, host and path stay.
    fn url(&self, colon: usize) -> Option<Found> {
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
    fn telegram(&self, colon: usize) -> Option<Found> {
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
    fn terraform(&self, dot: usize) -> Option<Found> {
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
    fn jwt(&mut self, at: usize) -> Option<Found> {
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
    fn discord(&self, at: usize) -> Option<Found> {
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
    fn pem(&self, at: usize) -> Option<Found> {
        const BEGIN: &str = "-----BEGIN ";
        let rest = &self.text[at..];
        if !self.bytes[at..].starts_with(BEGIN.as_bytes()) {
            return None;
        }
        let label_end = self.bytes[at + BEGIN.len()..]
            .iter()
            .take(64)
            .position(|b| *b == b'-')
            .map(|offset| at + BEGIN.len() + offset)?;
        let label = &self.text[at + BEGIN.len()..label_end];
        if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
            return None;
        }
        let body = label_end - at;
        let end = match rest[body..].find("-----END ") {
            Some(offset) => {
                let close = body + offset + "-----END ".len();
                let tail = rest[close..]
                    .bytes()
                    .take(64)
                    .take_while(|b| !matches!(b, b'\n' | b'"'));
                let tail = &rest.as_bytes()[close..close + tail.count()];
                close
                    + tail
                        .windows(5)
                        .position(|w| w == b"-----")
                        .map_or(0, |offset| offset + 5)
            }
            None => rest.len(),
        };
        Some(Found {
            range: at..at + end,
            id: "private-key",
        })
    }
}
