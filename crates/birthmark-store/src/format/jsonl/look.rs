//! Looking at the records of a block: where their birthmarks stand.

use std::path::Path;

use birthmark_core::json::{Marks, ScanError, Span, StampError, Where};

use super::super::lines::{Block, Line, lines};
use super::super::{Each, FormatError, Mark};

/// A record of a block, looked at.
pub(super) struct Looked {
    line: u64,
    offset: u64,
    span: Span,
    place: Result<Where, ScanError>,
}

pub(super) fn look(block: &Block) -> impl Iterator<Item = Looked> {
    let mut marks = Marks::default();
    let records = lines(block).filter(Line::has_record);
    records.map(move |line| Looked {
        line: line.number,
        offset: line.offset,
        span: line.span(),
        place: marks.find(line.record),
    })
}

/// Hands over the records of a block; false when no more are wanted.
pub(super) fn hand_over(
    name: &Path,
    block: &Block,
    looked: &[Looked],
    each: &mut Each<'_>,
    count: &mut u64,
) -> bool {
    looked.iter().all(
        |Looked {
             line,
             offset,
             span,
             place,
         }| {
            *count += 1;
            let (line, offset, record) = (*line, *offset, span.of(block.text()));
            each(match place {
                Ok(place) => Ok(Mark {
                    line,
                    offset,
                    record,
                    place: *place,
                }),
                Err(error) => Err(FormatError::of_record(
                    name,
                    line,
                    offset,
                    StampError::Scan(error.clone()),
                )),
            })
        },
    )
}
