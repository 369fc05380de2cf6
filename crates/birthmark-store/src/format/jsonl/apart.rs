//! Reading by several threads, each of which makes something of the records that it read itself.
//!
//! Of a record a question wants a value or two, as a rule. What is wanted is taken where the
//! record was looked at, and so nothing of it is handed from one processor to another.

use birthmark_core::json::{Change, Marks};

use super::super::lines::{Block, Blocks};
use super::super::pipeline::{self, PipelineError};
use super::super::{FormatError, Input, Mark};
use super::Jsonl;
use super::look::each_record;

/// What a thread knows of the block that it looks at.
#[derive(Default)]
struct Apart<T> {
    marks: Marks,
    changes: Vec<Change>,
    lines: u64,
    made: T,
}

impl Jsonl {
    /// Hands each record to `each`, and what that made of the records of a block to `take`, in the
    /// order of the file and with the number of lines before them; false ends the reading. The
    /// records of a block come in order, numbered from its first line on, and the changes of the
    /// first are not told. Lines that are no records are left out.
    pub fn read_apart<T: Default + Send>(
        &self,
        mut input: Input<'_>,
        each: impl Fn(&mut T, Mark<'_>) + Sync,
        mut take: impl FnMut(&mut T, u64) -> bool,
    ) -> Result<(), FormatError> {
        let name = input.name;
        let ahead = self.ahead(&input);
        let mut bytes = self.text(&mut input)?;
        let mut blocks = Blocks::unnumbered(&mut *bytes, self.limit).seeing(ahead);
        let work = |block: &Block, mut apart: Apart<T>| {
            apart.look(block, &each);
            Ok(apart)
        };
        let mut lines = 0;
        let take = |_: &Block, apart: &mut Apart<T>| {
            let wants_more = take(&mut apart.made, lines);
            lines += apart.lines;
            if wants_more { Ok(()) } else { Err(()) }
        };
        match pipeline::run(&mut blocks, work, take) {
            Ok(()) | Err(PipelineError::Work(())) => Ok(()),
            Err(PipelineError::Read(error)) => {
                let error = error.behind(lines);
                Err(self.explain(name, PipelineError::Read(error)))
            }
            Err(PipelineError::ThreadDied) => Err(self.explain(name, PipelineError::ThreadDied)),
        }
    }
}

impl<T> Apart<T> {
    fn look(&mut self, block: &Block, each: &impl Fn(&mut T, Mark<'_>)) {
        let Self {
            marks,
            changes,
            made,
            ..
        } = self;
        self.lines = each_record(block, marks, changes, |found| {
            if let Ok(place) = found.place {
                let mark = Mark {
                    line: found.line,
                    offset: block.offset + found.span.start as u64,
                    record: found.span.of(block.text()),
                    place,
                    changes: found.changes,
                };
                each(made, mark);
            }
        });
    }
}
