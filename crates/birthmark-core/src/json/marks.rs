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

mod beginning;
mod habit;
mod kind;
mod laid;
mod run;

use super::error::ScanError;
use super::form::Form;
use super::locate::{Where, locate_birthmark};
use super::read::{as_text_lossy, walk};
use super::scan::{Member, Object, Span, as_utf8};

use habit::Habit;
pub use kind::MarkKind;
pub use run::Laid;

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
    /// Memory for what changed in a record of a run.
    changes: Vec<Change>,
    /// What stands round the values of the records, the birthmark's own included.
    form: Form,
    /// Records that were looked at, and of each member when it changed.
    records: u64,
    habits: Vec<Habit>,
}

impl Marks {
    /// Proves that a record is one JSON object, as [`super::scan_object`] does, and looks at its
    /// birthmark.
    pub fn scan(&mut self, record: &[u8]) -> Result<(Object, Step), ScanError> {
        let text = as_utf8(record)?;
        if let Some((_, step)) = self.fit(record)
            && let Some(object) = self.form.object()
        {
            return Ok((object, step));
        }
        self.scan_whole(text)
            .map(|(object, _, step)| (object, step))
    }

    /// Proves that a record is one JSON object and says where its birthmark stands, as
    /// [`super::find_birthmark`] does, and how it differs from the one before.
    pub fn find(&mut self, record: &[u8]) -> Result<(Where, Step), ScanError> {
        self.find_in(as_utf8(record)?)
    }

    /// The same for a record that is known to be UTF-8.
    pub fn find_in(&mut self, record: &str) -> Result<(Where, Step), ScanError> {
        match self.fit(record.as_bytes()) {
            Some(found) => Ok(found),
            None => self.find_anew(record),
        }
    }

    /// The same for a record that has not the form of the one before.
    pub fn find_anew(&mut self, record: &str) -> Result<(Where, Step), ScanError> {
        let found = self.scan_whole(record)?;
        Ok((found.1, found.2))
    }

    /// The same for bytes that stand where a birthmark of ours would, without a scan of
    /// the record round them: true where they have the shape of the one before.
    pub fn step_on_sight(&mut self, raw: &[u8]) -> bool {
        self.form.forget();
        let lies_over = self.kind == Some(MarkKind::Metadata) && self.lies_over_whole(raw);
        if lies_over {
            self.accept(raw);
        }
        lies_over
    }

    /// The same for a birthmark that stands alone, or with the user's keys: bytes that are known
    /// to be JSON.
    pub fn step_alone(&mut self, raw: &[u8]) -> Step {
        self.form.forget();
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

    /// Lays a record over the form of one before; none where it has another.
    fn fit(&mut self, record: &[u8]) -> Option<(Where, Step)> {
        if !self.form.fits(record) {
            return None;
        }
        self.records += 1;
        self.settle(record);
        Some(match self.form.mark() {
            Some(mark) => (self.place_of(mark), Step::Same),
            None => (Where::Absent, Step::None),
        })
    }

    /// Scans a record of a form that is not known, which may be learnt.
    fn scan_whole(&mut self, text: &str) -> Result<(Object, Where, Step), ScanError> {
        self.records += 1;
        let (object, laid) = self.scan_over(text)?;
        let record = text.as_bytes();
        let (place, step) = if let Some(member) = laid {
            self.accept(member.value.of(record));
            (self.place_of(member), Step::Same)
        } else {
            let place = locate_birthmark(record, &object);
            (place, self.step_anew(record, &place))
        };
        self.learn(record, &object, &place);
        Ok((object, place, step))
    }

    /// Learns the form of a record that has no birthmark, or one that can be laid over another.
    fn learn(&mut self, record: &[u8], object: &Object, place: &Where) {
        let has_key = object.metadata.is_some() || object.birthmark.is_some();
        let start = match place {
            Where::Metadata(member) | Where::Foreign(member) => member.value.start,
            Where::Absent if !has_key => 0,
            _ => return self.form.forget(),
        };
        let (raw, records) = (&self.raw, self.records);
        let habits = self.values.iter().zip(&self.habits).enumerate();
        let often = habits.filter(|(_, (value, habit))| {
            let is_leaf = !matches!(value.of(raw).first(), Some(b'{' | b'['));
            is_leaf && habit.is_restless(records)
        });
        let moved = |(member, (value, _)): (usize, (&Span, &Habit))| {
            let value = Span {
                start: start + value.start,
                end: start + value.end,
            };
            (member, value)
        };
        self.form.learn(record, object, often.map(moved));
    }

    /// Where the birthmark that was laid over the one before stands.
    fn place_of(&self, member: Member) -> Where {
        match self.kind {
            Some(MarkKind::Beside) => Where::Beside(member),
            Some(MarkKind::Foreign) => Where::Foreign(member),
            _ => Where::Metadata(member),
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
        self.form.forget();
        let (mut count, mut is_same) = (0, true);
        for member in walk(raw) {
            let name = as_text_lossy(member.key.of(raw)).unwrap_or_default();
            match self.names.get_mut(count) {
                Some(known) if *known == name => {}
                Some(known) => {
                    is_same = false;
                    known.clear();
                    known.push_str(&name);
                }
                None => self.names.push(name.into_owned()),
            }
            self.values.push(member.value);
            count += 1;
        }
        self.names.truncate(count);
        if !is_same {
            self.habits.clear();
        }
        self.habits.resize(count, Habit::default());
    }
}

#[cfg(test)]
mod tests;
