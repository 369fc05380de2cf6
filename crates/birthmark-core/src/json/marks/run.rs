//! Records of one form, one behind the other in a text.
//!
//! What such a record is is known from the one before it, which stands in the same text still:
//! nothing of either is copied. Where the run ends, the last record becomes the one before for
//! all that is asked after it.

use super::{Change, Marks};
use crate::json::form::next_line;
use crate::json::locate::Where;
use crate::json::scan::Span;

/// A record of a run.
#[derive(Debug, Clone, Copy)]
pub struct Laid<'a> {
    /// Where in the text it stands, without its line end.
    pub span: Span,
    /// Where in it its birthmark stands, if it has one.
    pub place: Where,
    /// What changed in that since the record before, all members of which it has.
    pub changes: &'a [Change],
}

impl Marks {
    /// Hands over the records of `text` that follow each other line by line, the first of which
    /// begins at `at`, as long as they have the form that is known. Says where the first line
    /// begins that was not handed over; those behind it are as if all before were found one by one.
    pub fn run(&mut self, text: &str, at: usize, mut each: impl FnMut(Laid<'_>)) -> usize {
        let bytes = text.as_bytes();
        let mut changes = std::mem::take(&mut self.changes);
        let (mut at, mut before) = (at, None);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty())
            && let Some(length) = self.form.fits_line(rest)
        {
            self.records += 1;
            changes.clear();
            let place = self.form.mark().map_or(Where::Absent, |m| self.place_of(m));
            match before {
                Some(before) => {
                    for (member, value) in self.form.changed(bytes, before, at) {
                        if let Some(habit) = self.habits.get_mut(member) {
                            habit.change(self.records);
                        }
                        changes.push(Change { member, value });
                    }
                }
                None => changes.extend(self.parted(rest)),
            }
            let end = at + length;
            each(Laid {
                span: Span { start: at, end },
                place,
                changes: &changes,
            });
            before = Some(at);
            at = next_line(bytes, end);
        }
        self.changes = changes;
        if let Some(last) = before {
            self.settle(bytes.get(last..).unwrap_or_default());
        }
        at
    }

    /// The members that have other values in a record that lies over the form than in the one
    /// that was taken on.
    fn parted<'a>(&'a self, record: &'a [u8]) -> impl Iterator<Item = Change> + 'a {
        let all = self.form.marked();
        all.filter_map(|(member, value)| {
            let was = self.values.get(member)?.of(&self.raw);
            (was != value.of(record)).then_some(Change { member, value })
        })
    }

    /// Takes a record that lies over the form on.
    pub(super) fn settle(&mut self, record: &[u8]) {
        let Some(mark) = self.form.mark() else {
            self.changed.clear();
            self.places.clear();
            return;
        };
        let start = mark.value.start;
        let (mut changed, mut places) = (
            std::mem::take(&mut self.changed),
            std::mem::take(&mut self.places),
        );
        changed.clear();
        places.clear();
        for Change { member, value } in self.parted(record) {
            changed.push(member);
            places.push(Span {
                start: value.start - start,
                end: value.end - start,
            });
        }
        (self.changed, self.places) = (changed, places);
        self.accept(mark.value.of(record));
    }
}
