//! Looking at the records of a block: where their birthmarks stand, and what changed in them.

use std::path::Path;

use birthmark_core::json::{Change, Marks, ScanError, Span, StampError, Step, Where};

use super::super::lines::{Block, lines};
use super::super::{Each, FormatError, Mark};

/// The records of a block, looked at.
#[derive(Default)]
pub(super) struct Looked {
    records: Vec<Record>,
    /// What changed in those that have the members of the one before.
    changes: Vec<Change>,
    /// Lines of the block.
    pub(super) lines: u64,
    marks: Marks,
}

struct Record {
    /// Its number in the block, from 1.
    line: u64,
    offset: u64,
    span: Span,
    place: Result<Where, ScanError>,
    /// Where its changes end, if it is known what they are.
    changes: Option<usize>,
}

impl Looked {
    /// Looks at the records of another block. What stood before it is not known to whoever gets
    /// its records.
    pub(super) fn look(&mut self, block: &Block) {
        self.records.clear();
        self.changes.clear();
        let marks = &mut self.marks;
        let mut follows = false;
        self.lines = 0;
        for line in lines(block) {
            self.lines = line.number;
            if !line.has_record() {
                continue;
            }
            let found = line.text().and_then(|text| marks.find_in(text));
            let mark = found.as_ref().ok().filter(|(_, step)| *step != Step::None);
            let changes = match mark {
                Some((place, Step::Same)) if follows => place.member().map(|member| {
                    self.changes.extend(marks.changes(member.value.start));
                    self.changes.len()
                }),
                _ => None,
            };
            follows |= mark.is_some();
            self.records.push(Record {
                line: line.number,
                offset: line.offset,
                span: line.span(),
                place: found.map(|(place, _)| place),
                changes,
            });
        }
    }

    /// Hands over the records of the block that was looked at, before which so many lines stand;
    /// false when no more are wanted.
    pub(super) fn hand_over(
        &self,
        name: &Path,
        (block, lines): (&Block, u64),
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
                    line: lines + record.line,
                    offset: record.offset,
                    record: record.span.of(block.text()),
                    place: *place,
                    changes,
                }),
                Err(error) => Err(FormatError::of_record(
                    name,
                    lines + record.line,
                    record.offset,
                    StampError::Scan(error.clone()),
                )),
            })
        })
    }
}
