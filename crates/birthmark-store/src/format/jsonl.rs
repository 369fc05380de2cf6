//! JSONL: a birthmark in each record.
//!
//! A file of any size is read in blocks and worked on by all processors, in a
//! memory that does not grow with it. All that is no record stays as it is: a
//! byte order mark, empty lines, `\r\n`, a last line without its end.
//!
//! # Limitations
//!
//! * A line is held in memory, and may be [`LINE_LIMIT`] bytes long.

use std::io::Write;
use std::path::Path;

use birthmark_core::digest::Digest;
use birthmark_core::json::{self, ScanError, Span, StampError, Where};

use super::lines::{Block, BlockError, Blocks, Line, lines};
use super::pipeline::{self, PipelineError};
use super::{
    ArtifactFormat, Birthmarks, Each, FormatError, Input, Mark, OnExisting, Places, Stamped,
    Unstamped,
};
use crate::running::RunningDigest;

/// The longest line that is read, in bytes: 1 GiB.
pub const LINE_LIMIT: usize = 1 << 30;

/// Files of one JSON object a line.
#[derive(Debug, Clone, Copy)]
pub struct Jsonl {
    /// The longest line that is read, in bytes.
    pub limit: usize,
}

impl Default for Jsonl {
    fn default() -> Self {
        Self { limit: LINE_LIMIT }
    }
}

/// What came of one block.
#[derive(Default)]
struct Made<T> {
    bytes: Vec<u8>,
    counts: T,
}

impl Jsonl {
    /// Copies line by line: `change` writes what becomes of a record, and `see`
    /// gets each block as it was, with what was counted in it, in order.
    fn copy<T: Default + Copy + Send>(
        self,
        input: &mut Input<'_>,
        output: &mut dyn Write,
        change: impl Fn(&Line<'_>, &mut Vec<u8>, &mut T) -> Result<(), StampError> + Sync,
        mut see: impl FnMut(&Block, T),
    ) -> Result<(u64, Digest), FormatError> {
        let name = input.name;
        let mut running = RunningDigest::default();
        let work = |block: &Block, mut made: Made<T>| {
            made.bytes.clear();
            made.counts = T::default();
            for line in lines(block) {
                made.bytes.extend_from_slice(line.before);
                if line.has_record() {
                    change(&line, &mut made.bytes, &mut made.counts).map_err(|error| {
                        FormatError::of_record(name, line.number, line.offset, error)
                    })?;
                } else {
                    made.bytes.extend_from_slice(line.record);
                }
                made.bytes.extend_from_slice(line.end);
            }
            Ok(made)
        };
        let take = |block: &Block, made: &Made<T>| {
            see(block, made.counts);
            running.update(&made.bytes);
            output
                .write_all(&made.bytes)
                .map_err(|source| FormatError::Write {
                    name: name.to_owned(),
                    source,
                })
        };
        let mut blocks = Blocks::new(input.bytes, self.limit);
        pipeline::run(&mut blocks, work, take).map_err(|error| self.explain(name, error))?;
        Ok((running.length(), running.digest()))
    }

    fn explain(self, name: &Path, error: PipelineError<FormatError>) -> FormatError {
        let name = name.to_owned();
        match error {
            PipelineError::Work(error) => error,
            PipelineError::ThreadDied => FormatError::ThreadDied { name },
            PipelineError::Read(BlockError::Read(source)) => FormatError::Read { name, source },
            PipelineError::Read(BlockError::TooLong(line)) => FormatError::TooLong {
                name,
                line,
                limit: self.limit,
            },
        }
    }
}

/// A record of a block, looked at.
struct Looked {
    line: u64,
    offset: u64,
    span: Span,
    place: Result<Where, ScanError>,
}

fn look(block: &Block) -> impl Iterator<Item = Looked> {
    lines(block).filter(Line::has_record).map(|line| {
        let start = usize::try_from(line.offset - block.offset).unwrap_or_default();
        Looked {
            line: line.number,
            offset: line.offset,
            span: Span {
                start,
                end: start + line.record.len(),
            },
            place: json::find_birthmark(line.record),
        }
    })
}

/// Hands over the records of a block; false when no more are wanted.
fn hand_over(
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
            let (line, offset, record) = (*line, *offset, span.of(&block.bytes));
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

#[derive(Default, Clone, Copy)]
struct Cuts {
    records: u64,
    removed: u64,
    foreign: u64,
}

impl ArtifactFormat for Jsonl {
    fn read(&self, input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError> {
        let (name, mut count) = (input.name, 0);
        let mut blocks = Blocks::new(input.bytes, self.limit);
        let work = |block: &Block, mut looked: Vec<Looked>| {
            looked.clear();
            looked.extend(look(block));
            Ok(looked)
        };
        // An ending that was asked for travels as an error without content.
        let take = |block: &Block, looked: &Vec<Looked>| {
            if hand_over(name, block, looked, each, &mut count) {
                Ok(())
            } else {
                Err(None)
            }
        };
        match pipeline::run(&mut blocks, work, take) {
            Ok(()) | Err(PipelineError::Work(None)) => Ok(count),
            Err(PipelineError::Work(Some(error))) => Err(error),
            Err(PipelineError::Read(error)) => Err(self.explain(name, PipelineError::Read(error))),
            Err(PipelineError::ThreadDied) => Err(self.explain(name, PipelineError::ThreadDied)),
        }
    }

    fn stamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Write,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError> {
        let mut places = Places::default();
        let mut before = RunningDigest::default();
        let (size, digest) = self.copy(
            &mut input,
            output,
            |line, out, counts: &mut Places| {
                let mut birthmark = Vec::with_capacity(1024);
                birthmarks.write(line.number, line.record, &mut birthmark);
                counts.count(json::stamp_record(out, line.record, &birthmark, existing)?);
                Ok(())
            },
            |block, counts| {
                places.add(counts);
                before.update(&block.bytes);
            },
        )?;
        let undoable = places.replaced + places.kept == 0;
        let content_digest = undoable.then(|| before.digest());
        Ok(Stamped {
            places,
            size,
            digest,
            content_digest,
        })
    }

    fn unstamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Write,
    ) -> Result<Unstamped, FormatError> {
        let mut sum = Cuts::default();
        let (size, digest) = self.copy(
            &mut input,
            output,
            |line, out, counts: &mut Cuts| {
                let place = json::unstamp_record(out, line.record)?;
                counts.records += 1;
                counts.removed += u64::from(place.is_ours());
                counts.foreign += u64::from(matches!(place, Where::Foreign(_)));
                Ok(())
            },
            |_, counts| {
                sum.records += counts.records;
                sum.removed += counts.removed;
                sum.foreign += counts.foreign;
            },
        )?;
        let Cuts {
            records,
            removed,
            foreign,
        } = sum;
        Ok(Unstamped {
            records,
            removed,
            foreign,
            size,
            digest,
        })
    }
}
