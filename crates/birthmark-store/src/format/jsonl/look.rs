//! Looking at the records of a block: where their birthmarks stand, and what changed in them.

use std::path::Path;

use birthmark_core::digest::Digest;
use birthmark_core::json::{Change, Marks, ScanError, Span, StampError, Step, Where};

use super::super::lines::{Block, lines};
use super::super::{Each, FormatError, Mark};
use crate::digest::Part;

/// A record of a block, as it was found.
pub(super) struct Found<'a> {
    /// Its number in the block, from 1.
    pub(super) line: u64,
    /// Where in the block it stands.
    pub(super) span: Span,
    pub(super) place: Result<Where, ScanError>,
    /// What changed in its birthmark, if it has the members of the one before in the block.
    pub(super) changes: Option<&'a [Change]>,
}

/// Looks at the records of a block, and says how many lines it has. What stood before the block
/// is not known to whoever gets its records.
pub(super) fn each_record(
    block: &Block,
    marks: &mut Marks,
    memory: &mut Vec<Change>,
    mut each: impl FnMut(Found<'_>),
) -> u64 {
    let mut follows = false;
    let mut lines = lines(block);
    let first = lines.number();
    loop {
        lines.skip_known(|text, at, number| {
            marks.run(text, at, |laid| {
                let is_marked = laid.place != Where::Absent;
                each(Found {
                    line: *number,
                    span: laid.span,
                    place: Ok(laid.place),
                    changes: (follows && is_marked).then_some(laid.changes),
                });
                follows |= is_marked;
                *number += 1;
            })
        });
        let Some(line) = lines.next() else {
            return lines.number() - first;
        };
        if !line.has_record() {
            continue;
        }
        let found = line.text().and_then(|text| {
            if line.is_unknown {
                marks.find_anew(text)
            } else {
                marks.find_in(text)
            }
        });
        let mark = found.as_ref().ok().filter(|(_, step)| *step != Step::None);
        let changes = match mark {
            Some((place, Step::Same)) if follows => place.member().map(|member| {
                memory.clear();
                memory.extend(marks.changes(member.value.start));
                memory.as_slice()
            }),
            _ => None,
        };
        follows |= mark.is_some();
        each(Found {
            line: line.number,
            span: line.span(),
            place: found.map(|(place, _)| place),
            changes,
        });
    }
}

/// What was seen of a text that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Records, good and bad.
    pub records: u64,
    /// Lines, the last included where it has no end.
    pub lines: u64,
    /// How long it is.
    pub bytes: u64,
    /// Whether the last line has an end.
    pub is_ended: bool,
    /// Of all bytes; none where the reading was ended early.
    pub digest: Option<Digest>,
}

impl Seen {
    pub(super) const fn of_nothing() -> Self {
        Self {
            records: 0,
            lines: 0,
            bytes: 0,
            is_ended: true,
            digest: None,
        }
    }
}

/// The records of a block, looked at.
#[derive(Default)]
pub(super) struct Looked {
    records: Vec<Record>,
    /// What changed in those that have the members of the one before.
    changes: Vec<Change>,
    /// Lines of the block.
    pub(super) lines: u64,
    /// What was hashed of the file with it.
    pub(super) parts: Vec<Part>,
    marks: Marks,
    memory: Vec<Change>,
}

struct Record {
    line: u64,
    span: Span,
    place: Result<Where, ScanError>,
    /// Where its changes end, if it is known what they are.
    changes: Option<usize>,
}

impl Looked {
    /// Looks at the records of another block, and hashes it perhaps.
    pub(super) fn look(&mut self, block: &Block, hashed: bool) {
        let Self {
            records,
            changes,
            parts,
            marks,
            memory,
            ..
        } = self;
        records.clear();
        changes.clear();
        parts.clear();
        if hashed {
            parts.extend(block.parts());
        }
        self.lines = each_record(block, marks, memory, |found| {
            let ends = found.changes.map(|all| {
                changes.extend_from_slice(all);
                changes.len()
            });
            records.push(Record {
                line: found.line,
                span: found.span,
                place: found.place,
                changes: ends,
            });
        });
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
            let offset = block.offset + record.span.start as u64;
            each(match &record.place {
                Ok(place) => Ok(Mark {
                    line: lines + record.line,
                    offset,
                    record: record.span.of(block.text()),
                    place: *place,
                    changes,
                }),
                Err(error) => Err(FormatError::of_record(
                    name,
                    lines + record.line,
                    offset,
                    StampError::Scan(error.clone()),
                )),
            })
        })
    }
}
