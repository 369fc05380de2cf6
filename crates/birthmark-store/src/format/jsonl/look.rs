//! Looking at the records of a block: where their birthmarks stand, and what changed in them.

use std::path::Path;

use birthmark_core::json::{Change, Marks, ScanError, Span, StampError, Step, Where};

use super::super::lines::{Block, Line, lines};
use super::super::{Each, FormatError, Mark};

/// The records of a block, looked at.
#[derive(Default)]
pub(super) struct Looked {
    records: Vec<Record>,
    /// What changed in those that have the members of the one before.
    changes: Vec<Change>,
}

struct Record {
    line: u64,
    offset: u64,
    span: Span,
    place: Result<Where, ScanError>,
    /// Where its changes end, if it is known what they are.
    changes: Option<usize>,
}

impl Looked {
    /// Looks at the records of another block. Nothing is known of what stood before it.
    pub(super) fn look(&mut self, block: &Block) {
        self.records.clear();
        self.changes.clear();
        let mut marks = Marks::default();
        // The encoding is checked once for all lines, unless one is wrong.
        let text = std::str::from_utf8(block.text()).ok();
        for line in lines(block).filter(Line::has_record) {
            let span = line.span();
            let found = match text.and_then(|text| text.get(span.start..span.end)) {
                Some(record) => marks.find_in(record),
                None => marks.find(line.record),
            };
            let changes = match &found {
                Ok((place, Step::Same)) => place.member().map(|member| {
                    self.changes.extend(marks.changes(member.value.start));
                    self.changes.len()
                }),
                _ => None,
            };
            self.records.push(Record {
                line: line.number,
                offset: line.offset,
                span,
                place: found.map(|(place, _)| place),
                changes,
            });
        }
    }

    /// Hands over the records of the block that was looked at; false when no more are wanted.
    pub(super) fn hand_over(
        &self,
        name: &Path,
        block: &Block,
        each: &mut Each<'_>,
        count: &mut u64,
    ) -> bool {
        let mut done = 0;
        self.records.iter().all(|record| {
            *count += 1;
            let changes = record.changes.map(|end| {
                let from = std::mem::replace(&mut done, end);
                self.changes.get(from..end).unwrap_or_default()
            });
            each(match &record.place {
                Ok(place) => Ok(Mark {
                    line: record.line,
                    offset: record.offset,
                    record: record.span.of(block.text()),
                    place: *place,
                    changes,
                }),
                Err(error) => Err(FormatError::of_record(
                    name,
                    record.line,
                    record.offset,
                    StampError::Scan(error.clone()),
                )),
            })
        })
    }
}
