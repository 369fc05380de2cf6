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

use super::rules::{Body, RULES, Rule};
use super::{commands, context, prose};

/// The longest name that is read back from a `=` or `:`, in bytes.
pub(super) const NAME_MAX: usize = 80;

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
        for joint in b":=-.[~eAJMNOPwBpkK".iter().chain(commands::STARTS) {
            index.interesting[usize::from(*joint)] = true;
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
        command: None,
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
    pub(super) barren: usize,
    /// The command whose name stood last, and where.
    pub(super) command: Option<(usize, usize)>,
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
        let rest = self.bytes[at..].strip_prefix(super::BEGINS.as_bytes())?;
        rest.iter()
            .take(NAME_MAX)
            .position(|byte| *byte == b']')
            .map(|offset| offset + 11)
    }

    fn at(&mut self, at: usize) -> Option<Found> {
        if let Some(found) = self.prefix(at) {
            return Some(found);
        }
        if commands::STARTS.contains(&self.bytes[at])
            && let Some(command) = commands::command_at(self, at)
        {
            self.command = Some((command, at));
        }
        match self.bytes[at] {
            b':' => self
                .url(at)
                .or_else(|| self.telegram(at))
                .or_else(|| self.firebase(at))
                .or_else(|| commands::pgpass(self, at))
                .or_else(|| context::assignment(self, at)),
            b'=' => self
                .azure_storage(at)
                .or_else(|| context::assignment(self, at)),
            b'-' => self
                .pem(at)
                .or_else(|| commands::flag(self, at))
                .or_else(|| self.mailchimp(at))
                .or_else(|| context::flag(self, at)),
            b'.' => self.terraform(at).or_else(|| self.zhipu(at)),
            b'~' => self.entra(at),
            b'A' | b'J' => self.azure_marked(at),
            b'P' => self.putty(at),
            b'e' => self.jwt(at),
            b'M' | b'N' | b'O' => self.discord(at),
            b'w' => context::wandb_login(self, at),
            b'B' => context::bearer(self, at),
            b'p' => context::netrc(self, at),
            b'k' | b'K' => prose::announced(self, at),
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

    /// How many bytes from `start` on `holds` is true of, at most `max`.
    pub(super) fn run_of(&self, start: usize, max: usize, holds: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        rest.iter()
            .take(max)
            .take_while(|byte| holds(**byte))
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
}
