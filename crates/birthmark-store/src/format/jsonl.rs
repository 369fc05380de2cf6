//! JSONL: a birthmark in each record.
//!
//! A file of any size is read in blocks and worked on by all processors, in a
//! memory that does not grow with it. All that is no record stays as it is: a
//! byte order mark, empty lines, `\r\n`, a last line without its end.
//!
//! Packed by gzip or Zstandard, the text is unpacked, worked on and packed again as
//! it goes by. Its content digest is that of the text, however it is packed.
//!
//! # Limitations
//!
//! * A line is held in memory: to be read, it may be [`LINE_LIMIT`] bytes long, in packed text
//!   [`PACKED_LINE_LIMIT`]. To be stamped or unstamped, which takes twice its size, it may have
//!   [`REWRITE_LIMIT`] unless another limit is asked for. Where bad lines are set aside, longer
//!   ones go with them, and are held up to the limit where the text is packed.

use std::io::{self, Read};
use std::path::Path;

use birthmark_core::digest::Digest;
use birthmark_core::json::{self, StampError, Where};

use super::codec::{Codec, Packer};
use super::lines::{Block, BlockError, Blocks, Line};
use super::pipeline::{self, PipelineError};
use super::replaced::replaces;
use super::{
    ArtifactFormat, Aside, Birthmarks, Each, FormatError, Input, OnExisting, Places, Stamped,
    Unstamped,
};
use crate::ahead::Ahead;
use crate::bulk::Output;
use crate::digest::Subtrees;
use crate::running::RunningDigest;
use edits::Edits;
use look::Looked;
pub use look::Seen;
use made::{Made, Pass};

mod apart;
mod edits;
mod look;
mod made;

/// The longest line that is read, in bytes: 256 MiB.
pub const LINE_LIMIT: usize = 256 << 20;

/// The longest line of packed text that is read, in bytes: 64 MiB. Nobody sees from
/// the outside how long a packed line is.
pub const PACKED_LINE_LIMIT: usize = 64 << 20;

/// The longest line that is stamped or unstamped where nothing else is asked for, in bytes:
/// 64 MiB. Of such a line the old bytes and the new ones are held at once.
pub const REWRITE_LIMIT: usize = 64 << 20;

/// Files of one JSON object a line.
#[derive(Debug, Clone, Copy)]
pub struct Jsonl {
    /// The longest line that is read, in bytes.
    pub limit: usize,
    /// How what is read is packed.
    pub reads: Codec,
    /// How what is written is to be packed.
    pub writes: Codec,
}

impl Default for Jsonl {
    fn default() -> Self {
        Self::packed(Codec::Plain, Codec::Plain)
    }
}

/// Of all that was written.
struct Written {
    /// Bytes as they were written, packed or not.
    size: u64,
    digest: Digest,
    /// Of the text.
    text: Digest,
}

impl Jsonl {
    /// Files packed so, to be written packed so.
    pub const fn packed(reads: Codec, writes: Codec) -> Self {
        let limit = match reads {
            Codec::Plain => LINE_LIMIT,
            Codec::Gzip | Codec::Zstd => PACKED_LINE_LIMIT,
        };
        Self {
            limit,
            reads,
            writes,
        }
    }

    /// Sees how long a line is before it is read, in a file that is not packed.
    fn ahead(self, input: &Input<'_>) -> Option<Ahead> {
        let plain = self.reads == Codec::Plain;
        plain.then(|| Ahead::of(input.bytes)).flatten()
    }

    /// The text of a file.
    fn text<'a>(self, input: &'a mut Input<'_>) -> Result<Box<dyn Read + Send + 'a>, FormatError> {
        let name = input.name;
        let unpacked = self.reads.unpack(Box::new(&mut *input.bytes));
        unpacked.map_err(|source| FormatError::Read {
            name: name.to_owned(),
            source,
        })
    }

    /// Copies block by block: `change` says what becomes of a record, and `see`
    /// gets each block as it was, with what came of it, in order.
    fn copy<T: Default + Copy + Send>(
        self,
        input: &mut Input<'_>,
        output: &mut dyn Output,
        pass: &Pass<'_, T>,
        change: impl Fn(&Line<'_>, &mut Edits, &mut T) -> Result<(), StampError> + Sync,
        mut see: impl FnMut(&Block, &mut Made<T>) -> Result<(), FormatError>,
    ) -> Result<Written, FormatError> {
        let name = input.name;
        let failed = |source| unwritten(name, source);
        let work = |block: &Block, mut made: Made<T>| {
            made.edit(name, block, pass, &change)?;
            made.parts.clear();
            if pass.hashed {
                made.parts.extend(block.parts());
            }
            self.pack(block, pass.member, &mut made).map_err(failed)?;
            Ok(made)
        };
        let mut packer = Packer::new(self.writes, output).map_err(failed)?;
        let mut text = (self.writes != Codec::Plain).then(RunningDigest::default);
        let take = |block: &Block, made: &mut Made<T>| {
            see(block, made)?;
            if let Some(tee) = packer.plain() {
                let edited = |bytes: &[u8]| tee.put(bytes);
                let edits = &made.edits;
                return edits
                    .apply(block.text(), pass.member, edited)
                    .map_err(failed);
            }
            if let Some(text) = &mut text {
                text.update(&made.text);
            }
            packer.put(&made.text, &made.piece).map_err(failed)
        };
        let ahead = self.ahead(input);
        let mut bytes = self.text(input)?;
        let blocks = Blocks::new(&mut *bytes, self.limit).seeing(ahead);
        let blocks = &mut blocks.in_pieces(pass.sound_only);
        if let Err(error) = pipeline::run(blocks, work, take) {
            packer.break_off();
            return Err(self.explain(name, error));
        }
        let (size, digest) = packer.finish().map_err(failed)?;
        let text = text.map_or(digest, |mut text| text.digest());
        Ok(Written { size, digest, text })
    }

    /// What a worker does with a changed block before it is written.
    fn pack<T>(self, block: &Block, member: &[u8], made: &mut Made<T>) -> io::Result<()> {
        let Made { text, piece, .. } = made;
        if self.writes == Codec::Plain {
            return Ok(());
        }
        text.clear();
        made.edits.apply(block.text(), member, |bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })?;
        self.writes.pack(text, piece)
    }

    fn stamp_lines(
        self,
        mut input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
        mut aside: Option<&mut Aside<'_>>,
    ) -> Result<Stamped, FormatError> {
        let name = input.name;
        let mut places = Places::default();
        let (mut before, mut sound) = (Subtrees::default(), RunningDigest::default());
        let same = birthmarks.same();
        let hashed = aside.is_none();
        let pass = Pass {
            member: &same.map_or(Vec::new(), |mark| json::spelled_member("metadata", mark)),
            same: same
                .map(|_| (|counts, records| counts.metadata += records) as fn(&mut Places, u64)),
            sound_only: aside.is_some(),
            hashed,
        };
        let change = |line: &Line<'_>, edits: &mut Edits, counts: &mut Places| {
            counts.count(edits.stamp(line, same, birthmarks, existing)?);
            Ok(())
        };
        let see = |block: &Block, made: &mut Made<Places>| {
            places.add(made.counts);
            made.parts.drain(..).for_each(|part| before.push(part));
            let Some(aside) = &mut aside else {
                return Ok(());
            };
            let mut from = 0;
            for line in made.bad.drain(..) {
                let span = line.span;
                sound.update(block.text().get(from..span.start).unwrap_or_default());
                from = span.end;
                line.set_aside(name, block, &mut **aside)
                    .map_err(|source| unwritten(name, source))?;
            }
            sound.update(block.text().get(from..).unwrap_or_default());
            Ok(())
        };
        let Written { size, digest, .. } = self.copy(&mut input, output, &pass, change, see)?;
        let undoable = places.replaced + places.kept == 0;
        let content_digest = undoable.then(|| {
            if hashed {
                before.digest()
            } else {
                sound.digest()
            }
        });
        Ok(Stamped {
            places,
            size,
            digest,
            content_digest,
        })
    }

    /// As [`ArtifactFormat::read`], and tells what was seen of the text; its digest too where it
    /// is to be `hashed`.
    pub fn read_seen(
        &self,
        mut input: Input<'_>,
        hashed: bool,
        each: &mut Each<'_>,
    ) -> Result<Seen, FormatError> {
        let name = input.name;
        let ahead = self.ahead(&input);
        let mut bytes = self.text(&mut input)?;
        let mut blocks = Blocks::unnumbered(&mut *bytes, self.limit).seeing(ahead);
        let (mut seen, mut parts) = (Seen::of_nothing(), Subtrees::default());
        let work = |block: &Block, mut looked: Looked| {
            looked.look(block, hashed);
            Ok(looked)
        };
        // An ending that was asked for travels as an error without content.
        let take = |block: &Block, looked: &mut Looked| {
            looked.parts.drain(..).for_each(|part| parts.push(part));
            let before = seen.lines;
            let wants_more = looked.hand_over(name, (block, before), each, &mut seen.records);
            seen.lines += looked.lines;
            seen.bytes = block.offset + block.text().len() as u64;
            seen.is_ended = block.text().ends_with(b"\n");
            if wants_more { Ok(()) } else { Err(None) }
        };
        match pipeline::run(&mut blocks, work, take) {
            Ok(()) => {
                seen.digest = hashed.then(|| parts.digest());
                Ok(seen)
            }
            Err(PipelineError::Work(None)) => Ok(seen),
            Err(PipelineError::Work(Some(error))) => Err(error),
            Err(PipelineError::Read(error)) => {
                let error = error.behind(seen.lines);
                Err(self.explain(name, PipelineError::Read(error)))
            }
            Err(PipelineError::ThreadDied) => Err(self.explain(name, PipelineError::ThreadDied)),
        }
    }

    fn explain(self, name: &Path, error: PipelineError<FormatError>) -> FormatError {
        let name = name.to_owned();
        match error {
            PipelineError::Work(error) => error,
            PipelineError::ThreadDied => FormatError::ThreadDied { name },
            PipelineError::Read(BlockError::Read(source)) => FormatError::Read { name, source },
            PipelineError::Read(BlockError::TooLong(line, offset)) => FormatError::TooLong {
                name,
                line,
                offset,
                limit: self.limit,
            },
        }
    }
}

fn unwritten(name: &Path, source: io::Error) -> FormatError {
    FormatError::Write {
        name: name.to_owned(),
        source,
    }
}

#[derive(Default, Clone, Copy)]
struct Cuts {
    records: u64,
    removed: u64,
    foreign: u64,
    replaced: Option<u64>,
}

impl ArtifactFormat for Jsonl {
    fn read(&self, input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError> {
        self.read_seen(input, false, each).map(|seen| seen.records)
    }

    fn stamp(
        &self,
        input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError> {
        self.stamp_lines(input, output, birthmarks, existing, None)
    }

    fn stamp_sound(
        &self,
        input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
        aside: &mut Aside<'_>,
    ) -> Result<Stamped, FormatError> {
        self.stamp_lines(input, output, birthmarks, existing, Some(aside))
    }

    fn unstamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
    ) -> Result<Unstamped, FormatError> {
        let mut sum = Cuts::default();
        let pass = Pass {
            member: &[],
            same: None,
            sound_only: false,
            hashed: false,
        };
        let change = |line: &Line<'_>, edits: &mut Edits, counts: &mut Cuts| {
            let (place, gone) = json::find_to_cut(line.record)?;
            edits.cut(line, gone);
            counts.records += 1;
            counts.removed += u64::from(place.is_ours());
            counts.foreign += u64::from(matches!(place, Where::Foreign(_)));
            if counts.replaced.is_none() && replaces(line.record, &place) {
                counts.replaced = Some(line.number);
            }
            Ok(())
        };
        let see = |_: &Block, made: &mut Made<Cuts>| {
            sum.records += made.counts.records;
            sum.removed += made.counts.removed;
            sum.foreign += made.counts.foreign;
            sum.replaced = sum.replaced.or(made.counts.replaced);
            Ok(())
        };
        let Written { size, text, .. } = self.copy(&mut input, output, &pass, change, see)?;
        let Cuts {
            records,
            removed,
            foreign,
            replaced,
        } = sum;
        Ok(Unstamped {
            records,
            removed,
            foreign,
            replaced,
            size,
            digest: text,
        })
    }

    fn content_digest(&self, input: Input<'_>) -> Result<Unstamped, FormatError> {
        let to_text = Self {
            writes: Codec::Plain,
            ..*self
        };
        to_text.unstamp(input, &mut io::sink())
    }
}
