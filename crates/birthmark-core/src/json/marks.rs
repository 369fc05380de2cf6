//! The birthmarks of records that follow each other, compared as bytes.
//!
//! Of a million records most have the birthmark of the one before but for its
//! timestamp and a seed. So a birthmark is neither parsed nor scanned again: it is
//! laid over the one before, and only a member at which the two part is looked at.
//! Any other shape is walked anew.
//!
//! ```text
//! before  {"git_commit": "0a1b", "timestamp": "…:07", "seed": 7, "birthmark": "birthmark/v1"}
//! now     {"git_commit": "0a1b", "timestamp": "…:09", "seed": 12, "birthmark": "birthmark/v1"}
//!                                             ^^^^^^          ^^  scanned; all else is equal
//! ```
//!
//! # Invariants
//!
//! * What is taken for JSON is JSON: equal bytes behind an equal beginning were scanned with
//!   the record before, and each value that differs is scanned.
//! * Only strings, finite numbers, `true`, `false` and `null` may take another's place, so a
//!   birthmark that passed [`super::check_envelope`] stays one that does.
//! * A record that is no JSON object leaves what is known as it was.

use super::error::ScanError;
use super::locate::{Where, locate_birthmark};
use super::read::{as_text_lossy, walk};
use super::scan::{MAX_DEPTH, Member, Object, Scanner, Span, as_utf8, scan_text_by};

/// What kind of birthmark a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// Ours, under `metadata`.
    Metadata,
    /// Ours, under `birthmark`, since `metadata` was taken.
    Beside,
    /// Ours, among the user's own keys in `metadata`.
    Merged,
    /// Ours, but it cannot be told from the user's keys.
    Unclear,
    /// A `git_commit` under `metadata` that names no format of ours.
    Foreign,
}

impl MarkKind {
    /// The kind of what stands there; none where nothing does.
    pub fn of(place: &Where) -> Option<Self> {
        match place {
            Where::Absent => None,
            Where::Metadata(_) => Some(Self::Metadata),
            Where::Beside(_) => Some(Self::Beside),
            Where::Merged { .. } => Some(Self::Merged),
            Where::Unclear(_) => Some(Self::Unclear),
            Where::Foreign(_) => Some(Self::Foreign),
        }
    }

    /// Whether it names our format.
    pub fn is_ours(self) -> bool {
        self != Self::Foreign
    }

    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Beside => "birthmark",
            Self::Merged => "metadata, merged",
            Self::Unclear => "metadata, merged unclearly",
            Self::Foreign => "metadata, foreign",
        }
    }

    /// The key under which a birthmark can be laid over one of this kind: none where what is
    /// the user's and what is ours must be told apart anew.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Metadata | Self::Foreign => Some("metadata"),
            Self::Beside => Some("birthmark"),
            Self::Merged | Self::Unclear => None,
        }
    }
}

/// The birthmark of the record at hand, as it differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The record has none.
    None,
    /// The same members as before; [`Marks::changed`] says which have another value.
    Same,
    /// Other members: all were looked at anew.
    Anew,
}

/// A member of a birthmark that has another value than in the record before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its place among the members.
    pub member: usize,
    /// Where in the record the value stands: a string, a finite number, `true`, `false` or `null`.
    pub value: Span,
}

/// The birthmark of the record at hand.
#[derive(Debug, Default)]
pub struct Marks {
    raw: Vec<u8>,
    values: Vec<Span>,
    names: Vec<String>,
    kind: Option<MarkKind>,
    changed: Vec<usize>,
    /// Where the values of `changed` stand in the birthmark at hand, and what they were in the
    /// one before.
    places: Vec<Span>,
    were: Vec<Vec<u8>>,
}

impl Marks {
    /// Proves that a record is one JSON object, as [`super::scan_object`] does, and looks at its
    /// birthmark.
    pub fn scan(&mut self, record: &[u8]) -> Result<(Object, Step), ScanError> {
        let (object, laid) = self.scan_over(as_utf8(record)?)?;
        if let Some(member) = laid {
            self.accept(member.value.of(record));
            return Ok((object, Step::Same));
        }
        let step = self.step_anew(record, &locate_birthmark(record, &object));
        Ok((object, step))
    }

    /// Proves that a record is one JSON object and says where its birthmark stands, as
    /// [`super::find_birthmark`] does, and how it differs from the one before.
    pub fn find(&mut self, record: &[u8]) -> Result<(Where, Step), ScanError> {
        self.find_in(as_utf8(record)?)
    }

    /// The same for a record that is known to be UTF-8.
    pub fn find_in(&mut self, record: &str) -> Result<(Where, Step), ScanError> {
        let (object, laid) = self.scan_over(record)?;
        let record = record.as_bytes();
        if let (Some(member), Some(kind)) = (laid, self.kind) {
            self.accept(member.value.of(record));
            let place = match kind {
                MarkKind::Beside => Where::Beside(member),
                MarkKind::Foreign => Where::Foreign(member),
                _ => Where::Metadata(member),
            };
            return Ok((place, Step::Same));
        }
        let place = locate_birthmark(record, &object);
        let step = self.step_anew(record, &place);
        Ok((place, step))
    }

    /// The same for bytes that stand where a birthmark of ours would, without a scan of
    /// the record round them: true where they have the shape of the one before.
    pub fn step_on_sight(&mut self, raw: &[u8]) -> bool {
        let lies_over = self.kind == Some(MarkKind::Metadata) && self.lies_over_whole(raw);
        if lies_over {
            self.accept(raw);
        }
        lies_over
    }

    /// The same for a birthmark that stands alone, or with the user's keys: bytes that are known
    /// to be JSON.
    pub fn step_alone(&mut self, raw: &[u8]) -> Step {
        if self.kind == Some(MarkKind::Metadata) && self.lies_over_whole(raw) {
            self.accept(raw);
            return Step::Same;
        }
        self.take_anew(raw, MarkKind::Metadata);
        Step::Anew
    }

    /// The members whose values changed at the last [`Step::Same`].
    pub fn changed(&self) -> &[usize] {
        &self.changed
    }

    /// The same with where in the record each value stands, whose birthmark begins at `start`.
    pub fn changes(&self, start: usize) -> impl Iterator<Item = Change> {
        let all = self.changed.iter().zip(&self.places);
        all.map(move |(member, value)| Change {
            member: *member,
            value: Span {
                start: start + value.start,
                end: start + value.end,
            },
        })
    }

    /// The names of the members, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The value of a member, by its place among the members.
    pub fn value(&self, member: usize) -> &[u8] {
        let place = self.values.get(member);
        place.map_or(&[], |place| place.of(&self.raw))
    }

    /// What the value of a member was in the record before, after a [`Step::Same`].
    pub fn before(&self, member: usize) -> &[u8] {
        let at = self.changed.iter().position(|changed| *changed == member);
        at.and_then(|at| self.were.get(at))
            .map_or_else(|| self.value(member), Vec::as_slice)
    }

    /// The value of a member, by its name; of equal names the last.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let member = self.names.iter().rposition(|known| known == name)?;
        Some(self.value(member))
    }

    /// The whole birthmark.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Its kind.
    pub fn kind(&self) -> Option<MarkKind> {
        self.kind
    }

    /// Scans a record; what stands under the key of the birthmark before is laid over it,
    /// and given where that is this record's birthmark.
    fn scan_over(&mut self, text: &str) -> Result<(Object, Option<Member>), ScanError> {
        let Some(key) = self.kind.and_then(MarkKind::key) else {
            return Ok((scan_text_by(text, |scanner, _| scanner.value())?, None));
        };
        let record = text.as_bytes();
        let mut laid = None;
        let object = scan_text_by(text, |scanner, name| {
            let is_key = name
                .of(record)
                .get(1..)
                .and_then(|name| name.strip_suffix(b"\""));
            if is_key == Some(key.as_bytes())
                && let Some(length) = self.lay_over(record.get(scanner.at..).unwrap_or_default())
            {
                laid = Some(scanner.at);
                scanner.at += length;
                return Ok(());
            }
            scanner.value()
        })?;
        let found = match self.kind {
            Some(MarkKind::Beside) => object.birthmark,
            _ if object.birthmark.is_none() => object.metadata,
            _ => None,
        };
        let member = found
            .filter(|found| found.times == 1 && Some(found.member.value.start) == laid)
            .map(|found| found.member);
        Ok((object, member))
    }

    /// Whether the whole of `raw`, which is known to be JSON, has the shape of the one before.
    fn lies_over_whole(&mut self, raw: &[u8]) -> bool {
        self.lay_over(raw) == Some(raw.len())
    }

    /// Lays what `text` begins with over the birthmark before: its length where it has the
    /// same shape. Nothing is taken on until [`Marks::accept`].
    fn lay_over(&mut self, text: &[u8]) -> Option<usize> {
        self.changed.clear();
        self.places.clear();
        let (mut before, mut now, mut member) = (0, 0, 0);
        loop {
            let (old, new) = (self.raw.get(before..)?, text.get(now..)?);
            let same = common_beginning(old, new);
            let reached = before + same;
            // A value is equal where the byte behind it is too.
            while let Some(place) = self.values.get(member)
                && place.end < reached
            {
                member += 1;
            }
            let Some(place) = self.values.get(member) else {
                return (reached == self.raw.len()).then_some(now + same);
            };
            // What names the format is never taken on sight.
            if reached < place.start
                || self
                    .names
                    .get(member)
                    .is_none_or(|name| name == "birthmark")
            {
                return None;
            }
            let start = place.start - before + now;
            let end = scalar_end(text, start)?;
            self.changed.push(member);
            self.places.push(Span { start, end });
            (before, now, member) = (place.end, end, member + 1);
        }
    }

    /// Takes on what was laid over the one before.
    fn accept(&mut self, raw: &[u8]) {
        let mut moved = false;
        for (at, (member, place)) in self.changed.iter().zip(&self.places).enumerate() {
            let Some(value) = self.values.get(*member).copied() else {
                continue;
            };
            if self.were.len() == at {
                self.were.push(Vec::new());
            }
            if let Some(was) = self.were.get_mut(at) {
                was.clear();
                was.extend_from_slice(value.of(&self.raw));
            }
            moved |= value != *place;
            if !moved && let Some(old) = self.raw.get_mut(value.start..value.end) {
                old.copy_from_slice(place.of(raw));
            }
        }
        if moved {
            self.raw.clear();
            self.raw.extend_from_slice(raw);
            self.move_values();
        }
    }

    /// Where the values stand when those that changed stand where they do.
    fn move_values(&mut self) {
        let mut changed = self.changed.iter().zip(&self.places).peekable();
        let (mut before, mut now) = (0, 0);
        for (member, value) in self.values.iter_mut().enumerate() {
            if let Some((_, place)) = changed.next_if(|(changed, _)| **changed == member) {
                (before, now) = (value.end, place.end);
                *value = *place;
            } else {
                value.start = value.start - before + now;
                value.end = value.end - before + now;
            }
        }
    }

    fn step_anew(&mut self, record: &[u8], place: &Where) -> Step {
        let Some(kind) = MarkKind::of(place) else {
            self.changed.clear();
            return Step::None;
        };
        self.take_anew(place.value(record).unwrap_or_default(), kind);
        Step::Anew
    }

    fn take_anew(&mut self, raw: &[u8], kind: MarkKind) {
        self.changed.clear();
        self.raw.clear();
        self.raw.extend_from_slice(raw);
        self.values.clear();
        self.kind = Some(kind);
        let mut count = 0;
        for member in walk(raw) {
            let name = as_text_lossy(member.key.of(raw)).unwrap_or_default();
            match self.names.get_mut(count) {
                Some(known) => {
                    known.clear();
                    known.push_str(&name);
                }
                None => self.names.push(name.into_owned()),
            }
            self.values.push(member.value);
            count += 1;
        }
        self.names.truncate(count);
    }
}

/// How many bytes two texts have in common at their beginning.
fn common_beginning(one: &[u8], other: &[u8]) -> usize {
    let (mut left, mut right) = (one, other);
    while let (Some((a, more_left)), Some((b, more_right))) = (
        left.split_first_chunk::<32>(),
        right.split_first_chunk::<32>(),
    ) && !differ(a, b)
    {
        (left, right) = (more_left, more_right);
    }
    while let (Some((a, more_left)), Some((b, more_right))) = (
        left.split_first_chunk::<8>(),
        right.split_first_chunk::<8>(),
    ) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return one.len() - left.len() + (differs.trailing_zeros() / 8) as usize;
        }
        (left, right) = (more_left, more_right);
    }
    let rest = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    one.len() - left.len() + rest
}

/// Whether any bytes differ, asked once of all: see `has_special` of the scanner.
#[inline]
fn differ(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let mut marks = *one;
    for (mark, byte) in marks.iter_mut().zip(other) {
        *mark ^= byte;
    }
    marks.iter().fold(0_u8, |any, mark| any | mark) != 0
}

/// The end of the string, finite number, `true`, `false` or `null` that begins at `start`;
/// none at anything else.
fn scalar_end(text: &[u8], start: usize) -> Option<usize> {
    let mut scanner = Scanner::new(text, MAX_DEPTH);
    scanner.at = start;
    scanner.finite_scalar().then_some(scanner.at)
}

#[cfg(test)]
mod tests;
