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
    /// Takes the fields of a record, and where `whole` the record itself.
    pub(super) fn put(&mut self, row: &RecordRow<'_>, fields: &mut Fields, whole: bool) {
        if !fields.put(row, self) {
            self.left_out += 1;
            return;
        }
        let (mut record, mut metadata) = (0..0, 0..0);
        if whole {
            record = self.keep(row.record);
            // The birthmark stands in the record.
            let start = row.metadata.as_ptr().addr();
            metadata = match start.checked_sub(row.record.as_ptr().addr()) {
                Some(at) if at + row.metadata.len() <= row.record.len() => {
                    record.start + at..record.start + at + row.metadata.len()
                }
                _ => self.keep(row.metadata),
            };
        }
        self.rows.push(Row {
            line: row.line,
            record,
            metadata,
        });
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() + self.texts >= BATCH
            || self.rows.len() >= BATCH_ROWS
            || self.left_out >= BATCH_LEFT_OUT
    }

    /// Empty, with the memory that it had.
    pub(super) fn emptied(mut self) -> Self {
        self.bytes.clear();
        self.rows.clear();
        self.cells.clear();
        (self.texts, self.left_out) = (0, 0);
        self
    }

    pub(super) fn text(&self, range: &Range<usize>) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes.get(range.clone()).unwrap_or_default())
    }
}

/// The fields that are taken of each record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    names: Vec<String>,
    /// What is asked of numbers, by the place among the names: what lies outside is left out.
    limits: Vec<(usize, Limits)>,
    /// Where each stands among members of this shape; none where it is no member.
    places: Vec<Option<usize>>,
    shape: u64,
}

impl Fields {
    pub(super) fn new(names: Vec<String>, limits: Vec<(usize, Limits)>) -> Self {
        Self {
            names,
            limits,
            ..Self::default()
        }
    }

    /// Puts a cell for each field into the batch; false, and none, where the record is not
    /// wanted.
    fn put(&mut self, row: &RecordRow<'_>, batch: &mut Batch) -> bool {
        if self.shape != row.members.shape() {
            self.shape = row.members.shape();
            let places = self.names.iter().map(|name| {
                // A dotted name may be that of a nested one, and a time is told in UTC.
                let is_plain = !name.contains('.') && name != "timestamp";
                is_plain.then(|| row.members.place(name)).flatten()
            });
            self.places = places.collect();
        }
        let (from, texts) = (batch.cells.len(), batch.texts);
        for (name, place) in self.names.iter().zip(&self.places) {
            let cell = match place.and_then(|place| row.members.value(place)) {
                Some(raw) => parts::cell_of(raw),
                None => {
                    field(row.members, row.own, name).map_or(Sql::Null, |value| parts::cell(&value))
                }
            };
            if let Sql::Text(text) = &cell {
                batch.texts += text.len();
            }
            batch.cells.push(cell);
        }
        let cells = batch.cells.get(from..).unwrap_or_default();
        let is_wanted = self
            .limits
            .iter()
            .all(|(at, limits)| cells.get(*at).is_none_or(|cell| limits.may_hold(cell)));
        if !is_wanted {
            batch.cells.truncate(from);
            batch.texts = texts;
        }
        is_wanted
    }
}
