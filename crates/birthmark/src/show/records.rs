//! The birthmarks of a JSONL file, or of one of its records.
//!
//! A file is read to its end without parsing a record: where a line ends in a
//! birthmark of the same shape as the one before, only that end is looked at. So a
//! line whose *record* is broken may not be noticed here; `verify` notices it.

use std::io;

use birthmark_core::json::{MarkKind, Marks, ScanError, Step};
use birthmark_store::format::Source;

use super::columns::{Columns, Varying};
use crate::lines::{self, Line, Sink};
use birthmark_core::birthmark::Fields;

/// What stands before a birthmark that was spliced in last.
const KEY: &[u8] = b"\"metadata\": ";

/// What was found in a JSONL file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub same: Fields,
    pub varies: Vec<Varying>,
    pub records: u64,
    pub unstamped: u64,
    pub foreign: u64,
    pub bad_lines: u64,
    pub first_bad: Option<(u64, String)>,
    pub kind: Option<MarkKind>,
    pub truncated: bool,
}

#[derive(Default)]
struct Reading {
    found: Found,
    marks: Marks,
    columns: Columns,
}

/// Reads a whole file.
pub(super) fn read_all(file: &mut dyn Source) -> io::Result<Found> {
    let mut reading = Reading::default();
    lines::read(file, &mut reading)?;
    let Reading {
        mut found, columns, ..
    } = reading;
    found.truncated = columns.truncated;
    (found.same, found.varies) = columns.finish();
    Ok(found)
}

/// The place of a birthmark at the very end of a line, by its key alone.
fn at_the_end(record: &[u8]) -> Option<&[u8]> {
    let body = record.strip_suffix(b"}")?;
    let from = body.len().saturating_sub(64 << 10);
    let at = from + memchr::memmem::rfind(&body[from..], KEY)?;
    // A quote after a backslash would be one within a string.
    (at == 0 || body[at - 1] != b'\\').then(|| &body[at + KEY.len()..])
}

impl Sink for Reading {
    fn bytes(&mut self, _bytes: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if line.is_blank() {
            return true;
        }
        if self.found.kind == Some(MarkKind::Metadata)
            && let Some(raw) = at_the_end(line.record)
            && self.marks.step_on_sight(raw)
        {
            self.columns.take(&self.marks, Step::Same);
            self.found.records += 1;
            return true;
        }
        self.look(&line);
        true
    }
}

/// Why a line is no record.
enum Why {
    TooLong(usize),
    Scan(ScanError),
}

impl Reading {
    fn look(&mut self, line: &Line<'_>) {
        let scanned = match line.too_long {
            Some(limit) => Err(Why::TooLong(limit)),
            None => self.marks.scan(line.record).map_err(Why::Scan),
        };
        let step = match scanned {
            Ok((_, step)) => step,
            Err(why) => {
                self.found.bad_lines += 1;
                let text = || match &why {
                    Why::TooLong(limit) => lines::too_long(*limit),
                    Why::Scan(error) => lines::fault_of(line, error),
                };
                let first = &mut self.found.first_bad;
                first.get_or_insert_with(|| (line.number, text()));
                return;
            }
        };
        self.found.records += 1;
        self.columns.take(&self.marks, step);
        if step == Step::None {
            self.found.unstamped += 1;
            return;
        }
        let kind = self.marks.kind();
        self.found.foreign += u64::from(kind == Some(MarkKind::Foreign));
        if self
            .found
            .kind
            .is_none_or(|known| known == MarkKind::Foreign)
        {
            self.found.kind = kind;
        }
    }
}

/// One line of a file, or why there is none.
pub(super) struct OneLine {
    wanted: u64,
    pub last: u64,
    pub record: Option<Vec<u8>>,
    pub too_long: bool,
}

/// Reads up to one line.
pub(super) fn read_one(file: &mut dyn Source, wanted: u64) -> io::Result<OneLine> {
    let mut one = OneLine {
        wanted,
        last: 0,
        record: None,
        too_long: false,
    };
    lines::read(file, &mut one)?;
    Ok(one)
}

impl Sink for OneLine {
    fn bytes(&mut self, _bytes: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        self.last = line.number;
        if line.number < self.wanted {
            return true;
        }
        self.too_long = line.too_long.is_some();
        self.record = Some(line.record.to_vec());
        false
    }
}
