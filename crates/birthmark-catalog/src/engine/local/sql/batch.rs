//! Records that were read, as rows for SQLite: of each the fields that were asked for, and the
//! record itself where that was.

use std::borrow::Cow;
use std::ops::Range;

use rusqlite::types::Value as Sql;

use super::RecordRow;
use super::parts;
use super::plan::Limits;
use crate::groups::field;

/// Bytes of a batch, and records, after which it is handed over.
const BATCH: usize = 256 << 10;
const BATCH_ROWS: usize = 2_048;
/// Records that were left out, after which the reader shows itself all the same.
const BATCH_LEFT_OUT: usize = 65_536;

/// A batch of records that were read.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Records, where they are asked for.
    bytes: Vec<u8>,
    pub(super) rows: Vec<Row>,
    /// Of each row the fields that vary.
    pub(super) cells: Vec<Sql>,
    /// Bytes of the texts among them.
    texts: usize,
    /// Records that are not wanted.
    left_out: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) record: Range<usize>,
    pub(super) metadata: Range<usize>,
}

impl Batch {
    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }

    /// Takes all rows of another, before whose first line so many stand.
    pub(super) fn append(&mut self, other: &mut Self, lines: u64) {
        for row in &mut other.rows {
            row.line += lines;
        }
        if self.rows.is_empty() {
            other.left_out += self.left_out;
            std::mem::swap(self, other);
        } else {
            let from = self.bytes.len();
            let moved = |range: Range<usize>| range.start + from..range.end + from;
            self.bytes.append(&mut other.bytes);
            self.rows.extend(other.rows.drain(..).map(|row| Row {
                line: row.line,
                record: moved(row.record),
                metadata: moved(row.metadata),
            }));
            self.cells.append(&mut other.cells);
            self.texts += other.texts;
            self.left_out += other.left_out;
        }
        other.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() + self.texts >= BATCH
            || self.rows.len() >= BATCH_ROWS
            || self.left_out >= BATCH_LEFT_OUT
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.cells.clear();
        (self.texts, self.left_out) = (0, 0);
    }

    /// Empty, with the memory that it had.
    pub(super) fn emptied(mut self) -> Self {
        self.clear();
        self
    }

    pub(super) fn text(&self, range: &Range<usize>) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes.get(range.clone()).unwrap_or_default())
    }
}

/// Rows that a reader makes, with what it knows of the records at hand.
#[derive(Debug, Default)]
pub struct Rows {
    pub(super) batch: Batch,
    /// Where each field stands among members of this shape; none where it is no member.
    places: Vec<Option<usize>>,
    shape: u64,
}

/// What is wanted of records.
#[derive(Debug, Default)]
pub struct Wanted {
    names: Vec<String>,
    /// What is asked of numbers, by the place among the names: what lies outside is left out.
    limits: Vec<(usize, Limits)>,
    /// Whether the record itself is.
    whole: bool,
}

impl Wanted {
    pub(super) fn new(names: Vec<String>, limits: Vec<(usize, Limits)>, whole: bool) -> Self {
        Self {
            names,
            limits,
            whole,
        }
    }

    /// Puts a row of a record behind the others, if it is wanted. All records of some rows have
    /// the same members, but for what was told of them since.
    pub fn put(&self, rows: &mut Rows, row: &RecordRow<'_>) {
        if rows.shape != row.members.shape() {
            rows.shape = row.members.shape();
            let places = self.names.iter().map(|name| {
                // A dotted name may be that of a nested one, and a time is told in UTC.
                let is_plain = !name.contains('.') && name != "timestamp";
                is_plain.then(|| row.members.place(name)).flatten()
            });
            rows.places = places.collect();
        }
        let Rows { batch, places, .. } = rows;
        let cell = |at: usize| self.cell(at, places.get(at).copied().flatten(), row);
        // The numbers first: of most records nothing else is needed.
        let is_outside = |(at, limits): &(usize, Limits)| !limits.may_hold(&cell(*at));
        if self.limits.iter().any(is_outside) {
            batch.left_out += 1;
            return;
        }
        for at in 0..self.names.len() {
            let cell = cell(at);
            if let Sql::Text(text) = &cell {
                batch.texts += text.len();
            }
            batch.cells.push(cell);
        }
        let (mut record, mut metadata) = (0..0, 0..0);
        if self.whole {
            record = batch.keep(row.record);
            // The birthmark stands in the record.
            let start = row.metadata.as_ptr().addr();
            metadata = match start.checked_sub(row.record.as_ptr().addr()) {
                Some(at) if at + row.metadata.len() <= row.record.len() => {
                    record.start + at..record.start + at + row.metadata.len()
                }
                _ => batch.keep(row.metadata),
            };
        }
        batch.rows.push(Row {
            line: row.line,
            record,
            metadata,
        });
    }

    fn cell(&self, at: usize, place: Option<usize>, row: &RecordRow<'_>) -> Sql {
        if let Some(raw) = place.and_then(|place| row.members.value(place)) {
            return parts::cell_of(raw);
        }
        let name = self.names.get(at).map_or("", String::as_str);
        field(row.members, row.own, name).map_or(Sql::Null, |value| parts::cell(&value))
    }
}
