//! What becomes of one block that is copied.

use std::io;
use std::path::Path;

use birthmark_core::json::{Span, StampError};

use super::super::codec::Piece;
use super::super::lines::{Block, Excess, Line, lines};
use super::super::{Aside, Bad, FormatError};
use super::edits::Edits;
use crate::digest::Part;

/// What came of one block.
#[derive(Default)]
pub(super) struct Made<T> {
    pub(super) edits: Edits,
    /// The changed block, where it is to be packed.
    pub(super) text: Vec<u8>,
    pub(super) piece: Piece,
    pub(super) counts: T,
    pub(super) bad: Vec<BadLine>,
    /// Of the block as it was.
    pub(super) parts: Vec<Part>,
}

/// How blocks are copied.
pub(super) struct Pass<'a, T> {
    /// What goes into the gaps of records.
    pub(super) member: &'a [u8],
    /// Counts records that get that and nothing else, where all get the same.
    pub(super) same: Option<fn(&mut T, u64)>,
    /// Whether lines that are no records are left out.
    pub(super) sound_only: bool,
    /// Whether what is read is hashed.
    pub(super) hashed: bool,
}

/// A line of a block that is no record.
pub(super) struct BadLine {
    number: u64,
    /// Where in the file its record begins.
    offset: u64,
    /// In the block, with what stands before it and with its end.
    pub(super) span: Span,
    fault: Fault,
}

/// Why a line is no record.
enum Fault {
    Text(StampError),
    /// It, or a piece of it: it is longer than the limit.
    Length(Excess),
}

impl<T: Default> Made<T> {
    /// Says what changes in a block.
    pub(super) fn edit(
        &mut self,
        name: &Path,
        block: &Block,
        pass: &Pass<'_, T>,
        change: &impl Fn(&Line<'_>, &mut Edits, &mut T) -> Result<(), StampError>,
    ) -> Result<(), FormatError> {
        self.edits.clear();
        self.counts = T::default();
        self.bad.clear();
        if let Some(excess) = block.excess {
            self.leave_out(block, excess);
            return Ok(());
        }
        let mut lines = lines(block);
        loop {
            if let Some(count) = pass.same {
                count(&mut self.counts, self.edits.put_members(&mut lines));
            }
            let Some(line) = lines.next() else {
                return Ok(());
            };
            if !line.has_record() {
                continue;
            }
            match change(&line, &mut self.edits, &mut self.counts) {
                Ok(()) => {}
                Err(error @ StampError::Scan(_)) if pass.sound_only => {
                    let span = line.whole_span();
                    self.edits.put_text(span);
                    self.bad.push(BadLine {
                        number: line.number,
                        offset: line.offset,
                        span,
                        fault: Fault::Text(error),
                    });
                }
                Err(error) => {
                    let (number, offset) = (line.number, line.offset);
                    return Err(FormatError::of_record(name, number, offset, error));
                }
            }
        }
    }

    /// A piece of a line that is too long to be a record.
    fn leave_out(&mut self, block: &Block, excess: Excess) {
        let span = Span {
            start: 0,
            end: block.text().len(),
        };
        self.edits.put_text(span);
        self.bad.push(BadLine {
            number: block.line,
            offset: block.offset,
            span,
            fault: Fault::Length(excess),
        });
    }
}

impl BadLine {
    pub(super) fn set_aside(
        self,
        name: &Path,
        block: &Block,
        aside: &mut Aside<'_>,
    ) -> io::Result<()> {
        let (line, offset) = (self.number, block.offset + self.span.start as u64);
        let error = match self.fault {
            Fault::Text(error) => Some(FormatError::of_record(name, line, self.offset, error)),
            Fault::Length(Excess::Begins(limit)) => Some(FormatError::TooLong {
                name: name.to_owned(),
                line,
                offset,
                limit,
            }),
            Fault::Length(Excess::GoesOn) => None,
        };
        aside(Bad {
            line,
            offset,
            bytes: self.span.of(block.text()),
            error,
        })
    }
}
