//! The form of a record: what stands round its values.
//!
//! Records that follow each other differ in their values and in nothing else, as a rule. So a
//! record is laid over the form of one before: what stands between two values is compared, and
//! only the values are scanned.
//!
//! ```text
//! before  {"id": 7, "prompt": "…", "metadata": {"git_commit": "0a1b", "seed": 7, …}}
//! now     {"id": 8, "prompt": "…", "metadata": {"git_commit": "0a1b", "seed": 12, …}}
//!                ^            ^^^                                             ^^  scanned
//! ```
//!
//! # Invariants
//!
//! * What lies over a form is a JSON object: the bytes between the values are those of a record
//!   that was scanned, and each value is scanned. Only a string, a number or a name may stand
//!   for another, never a key, an object or a list; so the keys and the depth are the same.
//! * A form that does not fit costs little: it is learnt anew ever more seldom.
//! * A record that lies over the form of one line has no line end in it, since no value can have
//!   one: so the end of its line is known, and not searched for.

use super::read::walk;
use super::scan::{Found, MAX_DEPTH, Member, Object, Scanner, Span};
use super::splice::Gap;

/// Values at most of a record that has a form.
const MOST: usize = 512;
/// Bytes at most between its values.
const LONGEST: usize = 64 << 10;
/// Records that must lie over a form for it to have been worth learning.
const WORTH: u32 = 4;
/// Records at most for which no form is learnt after one that did not fit.
const MOST_PATIENCE: u32 = 64;

/// What stands round the values of records.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// None while no record was learnt.
    learnt: Option<Object>,
    /// Whether that stood on one line.
    is_line: bool,
    /// What stands between the values, one behind the other.
    between: Vec<u8>,
    slots: Vec<Slot>,
    /// Values before the birthmark, and up to its end.
    to_mark: usize,
    through_mark: usize,
    /// The same of the last member.
    to_last: usize,
    through_last: usize,
    /// Where the values of the record at hand stand, and those of the one before.
    values: Vec<Span>,
    earlier: Vec<Span>,
    /// Records that lay over it since it was learnt.
    fits: u32,
    /// Records to be let by before another is learnt, and how many those were the last time.
    patience: u32,
    last_patience: u32,
}

/// One value.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// How many bytes stand between it and the value before.
    before: usize,
    /// Where it ended in the record that was learnt.
    end: usize,
    /// Its place among the members of the birthmark, if it is one of them.
    member: Option<usize>,
}

impl Form {
    /// Whether a record, which is UTF-8, lies over the form.
    #[inline]
    pub(super) fn fits(&mut self, record: &[u8]) -> bool {
        let fits = self.lay(record) == Some(record.len());
        self.fits = self.fits.saturating_add(u32::from(fits));
        fits
    }

    /// The length of the record that `text` begins with, which is UTF-8, where it lies over the
    /// form and its line ends behind it. Where the values of the one before stand is kept.
    #[inline]
    pub(super) fn fits_line(&mut self, text: &[u8]) -> Option<usize> {
        if !self.is_line {
            return None;
        }
        std::mem::swap(&mut self.values, &mut self.earlier);
        let length = self.lay(text).filter(|length| is_line_end(text, *length));
        if length.is_some() {
            self.fits = self.fits.saturating_add(1);
        } else {
            std::mem::swap(&mut self.values, &mut self.earlier);
        }
        length
    }

    /// Where the record that lies over the beginning of `text` ends.
    #[inline]
    fn lay(&mut self, text: &[u8]) -> Option<usize> {
        self.learnt.as_ref()?;
        let mut scanner = Scanner::new(text, MAX_DEPTH);
        let mut between = self.between.as_slice();
        for (slot, value) in self.slots.iter().zip(&mut self.values) {
            let (here, later) = between.split_at_checked(slot.before)?;
            between = later;
            if !scanner.skip(here) {
                return None;
            }
            let start = scanner.at;
            let is_sound = match slot.member {
                Some(_) => scanner.finite_scalar(),
                None => scanner.leaf(),
            };
            if !is_sound {
                return None;
            }
            let end = scanner.at;
            *value = Span { start, end };
        }
        scanner.skip(between).then_some(scanner.at)
    }

    /// Where the parts of the record at hand lie, if a form is known.
    pub(super) fn object(&self) -> Option<Object> {
        let learnt = self.learnt.as_ref()?;
        Some(Object {
            open: learnt.open,
            close: self.close()?,
            last: learnt
                .last
                .map(|last| self.moved(last, self.to_last, self.through_last)),
            metadata: self.mark().map(|member| Found { member, times: 1 }),
            birthmark: None,
        })
    }

    /// Where the record at hand takes one member more.
    pub(super) fn gap(&self) -> Option<Gap> {
        let alone = self.learnt.as_ref()?.is_empty();
        self.close().map(|at| Gap { at, alone })
    }

    fn close(&self) -> Option<usize> {
        let (was, is) = self.ends(self.slots.len());
        Some(self.learnt.as_ref()?.close - was + is)
    }

    /// The birthmark of the record at hand.
    pub(super) fn mark(&self) -> Option<Member> {
        let found = self.learnt.as_ref()?.metadata?;
        Some(self.moved(found.member, self.to_mark, self.through_mark))
    }

    /// The members of the birthmark that were not compared, and where in the record at hand
    /// their values stand.
    pub(super) fn marked(&self) -> impl Iterator<Item = (usize, Span)> {
        let all = self.slots.iter().zip(&self.values);
        all.filter_map(|(slot, value)| Some((slot.member?, *value)))
    }

    /// The same of those that have other values than in the record before, when both records
    /// lay over the form one after the other: in `text` they begin at these places.
    #[inline]
    pub(super) fn changed(
        &self,
        text: &[u8],
        before: usize,
        now: usize,
    ) -> impl Iterator<Item = (usize, Span)> {
        let was = text.get(before..).unwrap_or_default();
        let is = text.get(now..).unwrap_or_default();
        let all = self.slots.iter().zip(self.earlier.iter().zip(&self.values));
        all.filter_map(move |(slot, (old, new))| {
            let member = slot.member?;
            (old.of(was) != new.of(is)).then_some((member, *new))
        })
    }

    /// A member of the record that was learnt, as it stands in the one at hand.
    fn moved(&self, member: Member, before: usize, through: usize) -> Member {
        let (was, is) = self.ends(before);
        let front = |place: usize| place - was + is;
        let (was, is) = self.ends(through);
        let back = |place: usize| place - was + is;
        Member {
            key: Span {
                start: front(member.key.start),
                end: front(member.key.end),
            },
            escaped: member.escaped,
            colon: front(member.colon),
            value: Span {
                start: front(member.value.start),
                end: back(member.value.end),
            },
            comma_before: member.comma_before.map(front),
            comma_after: member.comma_after.map(back),
        }
    }

    /// Where so many values ended in the record that was learnt, and in the one at hand.
    fn ends(&self, values: usize) -> (usize, usize) {
        let last = values.checked_sub(1);
        let ends = last.and_then(|at| Some((self.slots.get(at)?.end, self.values.get(at)?.end)));
        ends.unwrap_or_default()
    }

    /// Forgets what it knows: the birthmark has become another.
    pub(super) fn forget(&mut self) {
        if self.learnt.take().is_some() {
            self.wait(self.fits < WORTH);
        }
    }

    fn wait(&mut self, longer: bool) {
        self.last_patience = if longer {
            (2 * self.last_patience + 1).min(MOST_PATIENCE)
        } else {
            0
        };
        self.patience = self.last_patience;
    }

    /// Learns the form of a record that was scanned, where that may pay. What it has under
    /// `metadata` is its birthmark, if it has that, and `marked` are the members of it that may
    /// change: the place of each among all, and where in the record its value stands.
    pub(super) fn learn(
        &mut self,
        record: &[u8],
        object: &Object,
        marked: impl Iterator<Item = (usize, Span)>,
    ) {
        self.forget();
        if self.patience > 0 {
            self.patience -= 1;
        } else if self.take(record, object, marked).is_some() {
            self.learnt = Some(*object);
            self.is_line = !self.between.contains(&b'\n');
            self.fits = 0;
            self.values.clear();
            self.values.extend(std::iter::repeat_n(
                Span { start: 0, end: 0 },
                self.slots.len(),
            ));
            self.earlier.clone_from(&self.values);
        } else {
            self.wait(true);
        }
    }

    /// Takes on the form of a record; none where it has none.
    fn take(
        &mut self,
        record: &[u8],
        object: &Object,
        marked: impl Iterator<Item = (usize, Span)>,
    ) -> Option<()> {
        self.slots.clear();
        self.between.clear();
        let mark = object.metadata.map(|found| found.member);
        let is_clear = object.birthmark.is_none() && object.metadata.is_none_or(|m| m.times == 1);
        let mut marked = Some(marked).filter(|_| is_clear);
        let mut from = 0;
        for member in walk(record) {
            self.to_last = self.slots.len();
            if mark == Some(member) {
                self.to_mark = self.slots.len();
                for (place, value) in marked.take()? {
                    self.put(record, &mut from, value, Some(place))?;
                }
                self.through_mark = self.slots.len();
                continue;
            }
            let mut scanner = Scanner::new(record, MAX_DEPTH);
            scanner.at = member.value.start;
            let mut all = Some(());
            let leaf = |value| all = all.and_then(|()| self.put(record, &mut from, value, None));
            scanner.leaves(leaf).ok()?;
            all?;
        }
        self.through_last = self.slots.len();
        let rest = record.get(from..)?;
        self.between.extend_from_slice(rest);
        (self.between.len() <= LONGEST && is_clear).then_some(())
    }

    /// One value more, which stands in the record behind the one that ends at `from`.
    fn put(
        &mut self,
        record: &[u8],
        from: &mut usize,
        value: Span,
        member: Option<usize>,
    ) -> Option<()> {
        let before = record.get(*from..value.start)?;
        *from = value.end;
        self.between.extend_from_slice(before);
        self.slots.push(Slot {
            before: before.len(),
            end: value.end,
            member,
        });
        (self.slots.len() <= MOST).then_some(())
    }
}

/// Whether a line ends at this place of a text, behind its record. A `\r` before the `\n`
/// belongs to no record.
#[inline]
fn is_line_end(text: &[u8], at: usize) -> bool {
    match text.get(at..) {
        Some([b'\n', ..]) => !text.get(..at).unwrap_or_default().ends_with(b"\r"),
        Some([] | [b'\r', b'\n', ..]) => true,
        _ => false,
    }
}

/// Where the line begins that follows a record that ends at this place.
#[inline]
pub(super) fn next_line(text: &[u8], at: usize) -> usize {
    at + match text.get(at..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([b'\n', ..]) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
