//! Blocks of whole lines, read from a stream of any size.
//!
//! A block ends where a line ends, or where the stream does; it is about an eighth of a
//! megabyte, so that those under way stay in a processor's own cache, and longer
//! only where a single line is. Only `\n` ends a line, and a
//! `\r` before it belongs to the line end, so that every byte can be put back. A line that is
//! longer than the limit is an error, or comes in pieces, each a block that is marked as such.

use std::io::{self, Read};
use std::ops::Range;

use birthmark_core::json::{self, BOM, ScanError, Span};

use crate::ahead::{Ahead, HELD};
use crate::digest::Part;

/// Bytes in a block, if not asked for otherwise.
const BLOCK: usize = 128 << 10;
/// What is read at once of a line that is longer than a block, in bytes.
const MOST_AT_ONCE: usize = 16 << 20;

/// Some whole lines and where they stand in the file.
#[derive(Debug)]
pub(super) struct Block {
    /// The lines with their ends, and behind them what was read of the next.
    bytes: Vec<u8>,
    /// Where the lines end.
    end: usize,
    /// What was read for this block: all in front of it belongs to the one before.
    fresh: Range<usize>,
    /// Where in the file it was read.
    fresh_offset: u64,
    /// Bytes of each part of it that is hashed.
    part: usize,
    /// The number of the first: in the file, from 1, or 1 where the lines are not counted.
    pub(super) line: u64,
    /// Where the first begins in the file, in bytes.
    pub(super) offset: u64,
    /// Whether it is of a line that is longer than the limit.
    pub(super) excess: Option<Excess>,
}

/// What becomes of lines that are longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Long {
    Refused,
    InPieces,
    /// The same, and what comes next belongs to one.
    Begun,
}

/// A piece of a line that is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// The first, and the limit in bytes.
    Begins(usize),
    GoesOn,
}

impl Block {
    /// The lines with their ends.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// Hashes what was read for this block: with those of all other blocks, the parts of the
    /// whole file.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        let fresh = self.bytes.get(self.fresh.clone()).unwrap_or_default();
        let mut offset = self.fresh_offset;
        fresh.chunks(self.part).map(move |bytes| {
            let part = Part::of(bytes, offset);
            offset += bytes.len() as u64;
            part
        })
    }

    /// Its memory, for another.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

/// Why there is no next block.
pub(super) enum BlockError {
    Read(io::Error),
    /// The line of this number, which begins at this byte, is longer than the limit.
    TooLong(u64, u64),
}

impl BlockError {
    /// The same where so many lines were not counted.
    pub(super) fn behind(self, lines: u64) -> Self {
        match self {
            Self::TooLong(line, offset) => Self::TooLong(lines + line, offset),
            Self::Read(_) => self,
        }
    }
}

/// Reads blocks.
pub(super) struct Blocks<'a> {
    input: &'a mut (dyn Read + Send),
    /// Where the end of a long line can be asked for before it is read.
    ahead: Option<Ahead>,
    limit: usize,
    /// Bytes in a block whose lines are not longer than that.
    size: usize,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    line: u64,
    /// Whether the lines are counted; else those of each block begin with 1.
    numbered: bool,
    long: Long,
    offset: u64,
    /// Bytes that were read of the stream: a whole number of blocks, up to the end.
    read: u64,
    ended: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a mut (dyn Read + Send), limit: usize) -> Self {
        Self {
            input,
            ahead: None,
            limit,
            size: BLOCK,
            rest: Vec::new(),
            line: 1,
            numbered: true,
            long: Long::Refused,
            offset: 0,
            read: 0,
            ended: false,
        }
    }

    /// The same where whoever takes the blocks in order counts the lines, which is to look at
    /// each byte once less.
    pub(super) fn unnumbered(input: &'a mut (dyn Read + Send), limit: usize) -> Self {
        Self {
            numbered: false,
            ..Self::new(input, limit)
        }
    }

    /// The same where lines that are longer than the limit may come in pieces, a block each.
    pub(super) fn in_pieces(self, in_pieces: bool) -> Self {
        let long = if in_pieces {
            Long::InPieces
        } else {
            Long::Refused
        };
        Self { long, ..self }
    }

    /// The same in blocks of about so many bytes.
    #[cfg(test)]
    pub(super) fn in_blocks_of(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// The same where it can be seen ahead how long a line is.
    pub(super) fn seeing(self, ahead: Option<Ahead>) -> Self {
        Self { ahead, ..self }
    }

    /// The next block, in the memory of an old one; none at the end.
    pub(super) fn next(&mut self, mut old: Vec<u8>) -> Result<Option<Block>, BlockError> {
        let mut filled = self.take_rest(&mut old);
        let (fresh, fresh_offset) = (filled, self.read);
        let (mut searched, mut asked) = (0, false);
        let mut excess = (self.long == Long::Begun).then_some(Excess::GoesOn);
        let end = loop {
            filled += self.fill(&mut old, filled).map_err(BlockError::Read)?;
            let new = old.get(searched..filled).unwrap_or_default();
            // The first line alone can be long: nothing is read behind a line end but once.
            let first = memchr::memchr(b'\n', new).map(|end| searched + end);
            if excess.is_none() && first.unwrap_or(filled) > self.limit {
                excess = Some(self.too_long()?);
            }
            if excess.is_some() {
                self.long = first.map_or(Long::Begun, |_| Long::InPieces);
                break first.map_or(filled, |end| end + 1);
            }
            if let Some(end) = memchr::memrchr(b'\n', new) {
                break searched + end + 1;
            }
            if self.ended {
                break filled;
            }
            searched = filled;
            let asks = filled > HELD && !std::mem::replace(&mut asked, true);
            if asks && self.is_too_long(filled).map_err(BlockError::Read)? {
                excess = Some(self.too_long()?);
                self.long = Long::Begun;
                break filled;
            }
        };
        self.rest
            .extend_from_slice(old.get(end..filled).unwrap_or_default());
        if end == 0 {
            return Ok(None);
        }
        let block = Block {
            line: self.line,
            offset: self.offset,
            bytes: old,
            end,
            fresh: fresh..filled,
            fresh_offset,
            part: self.size,
            excess,
        };
        if self.numbered {
            self.line += memchr::memchr_iter(b'\n', block.text()).count() as u64;
        }
        self.offset += end as u64;
        Ok(Some(block))
    }

    /// What becomes of a line that is longer than the limit.
    fn too_long(&self) -> Result<Excess, BlockError> {
        if self.long != Long::Refused {
            return Ok(Excess::Begins(self.limit));
        }
        Err(BlockError::TooLong(self.line, self.offset))
    }

    /// Whether a line of which so much was read is longer than the limit, where that can be seen.
    fn is_too_long(&self, filled: usize) -> io::Result<bool> {
        let left = self.limit.saturating_sub(filled) as u64;
        let ends = |ahead: &Ahead| ahead.ends_within(self.read, left);
        Ok(!self.ahead.as_ref().map_or(Ok(true), ends)?)
    }

    /// Puts what is left of the block before to the front: how many bytes that is.
    fn take_rest(&mut self, bytes: &mut Vec<u8>) -> usize {
        let filled = self.rest.len();
        if bytes.len() < filled {
            bytes.clear();
            bytes.append(&mut self.rest);
        } else if let Some(front) = bytes.get_mut(..filled) {
            front.copy_from_slice(&self.rest);
        }
        self.rest.clear();
        // What one long line needed is not kept for all that follow.
        self.rest.shrink_to(2 * self.size);
        filled
    }

    /// Reads behind what is filled about a block more, or up to the end: how many bytes.
    fn fill(&mut self, bytes: &mut Vec<u8>, filled: usize) -> io::Result<usize> {
        crate::stop::check()?;
        if self.ended {
            return Ok(0);
        }
        let whole = filled - filled % self.size;
        let want = whole.clamp(self.size, MOST_AT_ONCE);
        if bytes.len() < filled + want {
            bytes.reserve_exact(filled + want - bytes.len());
            bytes.resize(filled + want, 0);
        }
        let mut got = 0;
        while let Some(room) = bytes
            .get_mut(filled + got..filled + want)
            .filter(|room| !room.is_empty())
        {
            match self.input.read(room) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.read += got as u64;
        Ok(got)
    }
}

/// One line of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// Where its record begins in the file, in bytes: behind a byte order mark.
    pub(super) offset: u64,
    /// The same in the block.
    pub(super) at: usize,
    /// What stands before the record: a byte order mark on the first line.
    pub(super) before: &'a [u8],
    /// The line without its end. Empty, or white space, where it holds no record.
    pub(super) record: &'a [u8],
    /// The same as text, where all of the block is text.
    text: Option<&'a str>,
    /// `\n`, `\r\n`, or nothing at the end of a file that does not end its last line.
    pub(super) end: &'a [u8],
    /// Whether it was not taken by [`Lines::skip_known`].
    pub(super) is_unknown: bool,
}

impl Line<'_> {
    /// Where in the block the record stands.
    pub(super) fn span(&self) -> Span {
        Span {
            start: self.at,
            end: self.at + self.record.len(),
        }
    }

    /// The record as text, which it must be.
    pub(super) fn text(&self) -> Result<&str, ScanError> {
        match self.text {
            Some(text) => Ok(text),
            None => json::as_utf8(self.record),
        }
    }

    /// The same with what stands before it and with its end.
    pub(super) fn whole_span(&self) -> Span {
        Span {
            start: self.at - self.before.len(),
            end: self.at + self.record.len() + self.end.len(),
        }
    }

    /// Whether there is a record on it.
    pub(super) fn has_record(&self) -> bool {
        !self
            .record
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }
}

/// How many lines hold nothing but white space before the next that is to be looked at, and their
/// bytes: passed over in one step, since a packed file may have very many. The last of all is
/// looked at, so that its number is known.
fn blank_lines(bytes: &[u8]) -> (u64, usize) {
    let (mut count, mut begin, mut end) = (0_u64, 0, 0);
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => (count, begin, end) = (count + 1, end, place + 1),
            b' ' | b'\t' | b'\r' => {}
            _ => break,
        }
    }
    if end == bytes.len() {
        return (count.saturating_sub(1), begin);
    }
    (count, end)
}

/// The lines of a block. Of blank ones some are left out, but not if the block ends with them.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    /// The number of the next, and where it begins.
    number: u64,
    at: usize,
    /// Where the block begins in the file.
    offset: u64,
    bytes: &'a [u8],
    /// All of them, where they are text.
    text: Option<&'a str>,
    is_unknown: bool,
}

/// Goes through the lines of a block.
pub(super) fn lines(block: &Block) -> Lines<'_> {
    let bytes = block.text();
    Lines {
        number: block.line,
        at: 0,
        offset: block.offset,
        bytes,
        // The encoding is checked once for all lines, unless one is wrong.
        text: simdutf8::basic::from_utf8(bytes).ok(),
        is_unknown: false,
    }
}

impl Lines<'_> {
    /// Hands what is left to who knows records from those before them: it is told the text, and
    /// where in that the next line begins, and says where the first begins that it did not take;
    /// all it took were records. Nothing is asked where no record can be taken so.
    pub(super) fn skip_known(&mut self, take: impl FnOnce(&str, usize, &mut u64) -> usize) {
        self.skip_blank();
        let begins_file = self.offset == 0 && self.at == 0;
        if let Some(text) = self.text
            && !(begins_file && self.bytes.starts_with(BOM))
        {
            self.at = take(text, self.at, &mut self.number);
            self.is_unknown = true;
        }
    }

    fn skip_blank(&mut self) {
        let (count, bytes) = blank_lines(self.bytes.get(self.at..).unwrap_or_default());
        self.number += count;
        self.at += bytes;
    }

    /// The number of the next line.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        self.skip_blank();
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        let whole = rest.get(..end)?;
        let start = self.offset + at as u64;
        let (before, whole) = match whole.strip_prefix(BOM) {
            Some(after) if start == 0 => (BOM, after),
            _ => (whole.get(..0)?, whole),
        };
        let ending = match whole {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => 0,
        };
        let (record, end_bytes) = whole.split_at(whole.len() - ending);
        let record_at = at + before.len();
        let line = Line {
            number: self.number,
            offset: start + before.len() as u64,
            at: record_at,
            before,
            record,
            text: self
                .text
                .and_then(|text| text.get(record_at..record_at + record.len())),
            end: end_bytes,
            is_unknown: std::mem::take(&mut self.is_unknown),
        };
        self.number += 1;
        self.at += end;
        Some(line)
    }
}
