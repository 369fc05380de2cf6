//! A JSONL file read once, in blocks.
//!
//! # Invariants
//!
//! * Memory does not grow with the number of records: one block, one line.
//! * Each byte of the file is handed over once, in order, whatever the lines are.
//!
//! # Limitations
//!
//! * A line longer than the limit is not looked into: of a file [`LINE_LIMIT`], of a stream (packed
//!   text) [`PACKED_LINE_LIMIT`]. In a file that is seen ahead, and so much is never held.

use std::io::{self, Read};

use birthmark_core::json::{self, ScanError};
use birthmark_store::ahead::{Ahead, HELD};
use birthmark_store::format::Source;
use birthmark_store::format::codec::Codec;
use birthmark_store::format::jsonl::{LINE_LIMIT, PACKED_LINE_LIMIT};

/// How much is read at once.
const BLOCK: usize = 1 << 20;

/// One line with a record, or with what should be one.
pub(crate) struct Line<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// The record, without byte order mark and line end.
    pub record: &'a [u8],
    /// What stands before the record (a byte order mark) and after it (the line end).
    pub around: (&'a [u8], &'a [u8]),
    /// The limit, where the line is longer than that; `record` is then its beginning.
    pub too_long: Option<usize>,
}

impl Line<'_> {
    /// Whether nothing but white space stands on it.
    pub(crate) fn is_blank(&self) -> bool {
        self.record
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }

    /// Whether the line has its end.
    pub(crate) fn has_end(&self) -> bool {
        !self.around.1.is_empty()
    }
}

/// What is done with a file's bytes and lines.
pub(crate) trait Sink {
    /// The next bytes of the file, whatever they are.
    fn bytes(&mut self, bytes: &[u8]);
    /// The next line, blank ones included. False ends the reading.
    fn line(&mut self, line: Line<'_>) -> bool;
}

/// The text of a file, however it is packed.
pub(crate) fn text_of(file: impl Source + 'static, codec: Codec) -> io::Result<Box<dyn Source>> {
    Ok(match codec {
        Codec::Plain => Box::new(file),
        _ => Box::new(codec.unpack(Box::new(file))?),
    })
}

/// Reads a file to its end, or until the sink has enough.
pub(crate) fn read(file: &mut dyn Source, sink: &mut dyn Sink) -> io::Result<()> {
    let mut lengths = Lengths::of(file);
    let mut buffer = Vec::with_capacity(2 * BLOCK);
    let (mut number, mut offset, mut skipping) = (1, 0, false);
    loop {
        let had = buffer.len();
        let got = Read::take(&mut *file, BLOCK as u64).read_to_end(&mut buffer)?;
        sink.bytes(buffer.get(had..).unwrap_or_default());
        let ended = got < BLOCK;
        let mut at = 0;
        let mut searched = had;
        while let Some(end) =
            memchr::memchr(b'\n', &buffer[searched..]).map(|end| searched + end + 1)
        {
            if !skipping && !sink.line(line_of(&buffer[at..end], number, offset, None)) {
                return Ok(());
            }
            skipping = false;
            number += 1;
            offset += (end - at) as u64;
            (at, searched) = (end, end);
        }
        if ended {
            if at < buffer.len() && !skipping {
                sink.line(line_of(&buffer[at..], number, offset, None));
            }
            return Ok(());
        }
        buffer.drain(..at);
        if skipping || lengths.is_too_long(offset, buffer.len())? {
            let limit = Some(lengths.limit);
            if !skipping && !sink.line(line_of(&buffer, number, offset, limit)) {
                return Ok(());
            }
            skipping = true;
            offset += buffer.len() as u64;
            buffer = Vec::with_capacity(2 * BLOCK);
        }
    }
}

fn line_of(whole: &[u8], number: u64, offset: u64, too_long: Option<usize>) -> Line<'_> {
    let body = if offset == 0 {
        json::without_bom(whole)
    } else {
        whole
    };
    let (before, body) = whole.split_at(whole.len() - body.len());
    let ending = match body {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    let (record, end) = body.split_at(body.len() - ending);
    Line {
        number,
        offset,
        record,
        around: (before, end),
        too_long,
    }
}

/// Which lines are too long.
struct Lengths {
    ahead: Option<Ahead>,
    limit: usize,
    /// Where the line begins that was asked for ahead last.
    asked: Option<u64>,
}

impl Lengths {
    fn of(file: &dyn Source) -> Self {
        let ahead = Ahead::of(file);
        let limit = match ahead {
            Some(_) => LINE_LIMIT,
            None => PACKED_LINE_LIMIT,
        };
        Self {
            ahead,
            limit,
            asked: None,
        }
    }

    /// Whether a line that begins there, of which so much was read, is longer than the limit.
    fn is_too_long(&mut self, begin: u64, read: usize) -> io::Result<bool> {
        let Some(left) = self.limit.checked_sub(read) else {
            return Ok(true);
        };
        let Some(ahead) = self.ahead.as_ref().filter(|_| read > HELD) else {
            return Ok(false);
        };
        if self.asked.replace(begin) == Some(begin) {
            return Ok(false);
        }
        Ok(!ahead.ends_within(begin + read as u64, left as u64)?)
    }
}

/// What is wrong with a line that is longer than the limit, for people.
pub(crate) fn too_long(limit: usize) -> String {
    format!("it is longer than {} MiB", limit >> 20)
}

/// How the lines begin that `git merge` puts round what both sides wrote.
const CONFLICT: [&[u8]; 4] = [b"<<<<<<< ", b"||||||| ", b"=======", b">>>>>>> "];

/// What is wrong with a line, and where, for people.
pub(crate) fn fault_of(line: &Line<'_>, error: &ScanError) -> String {
    let offset = line.offset + (line.around.0.len() + error.offset) as u64;
    let what = if CONFLICT.iter().any(|mark| line.record.starts_with(mark)) {
        "a conflict of git merge stands in it; keep the records of both sides".to_owned()
    } else if error.is_cut_short() && !line.has_end() {
        "it is cut short".to_owned()
    } else {
        error.kind.to_string()
    };
    format!("{what} (byte {offset})")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gather(Vec<(u64, u64, String)>, Vec<u8>);

    impl Sink for Gather {
        fn bytes(&mut self, bytes: &[u8]) {
            self.1.extend_from_slice(bytes);
        }
        fn line(&mut self, line: Line<'_>) -> bool {
            let text = String::from_utf8(line.record.to_vec()).unwrap();
            self.0.push((line.number, line.offset, text));
            true
        }
    }

    #[test]
    fn line_that_is_longer_than_the_limit_is_told_without_holding_it() {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"{}\n").unwrap();
        file.set_len(4 + LINE_LIMIT as u64).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(b"\nlast").unwrap();
        file.rewind().unwrap();
        let mut sink = Gather(Vec::new(), Vec::new());
        struct Long<'a>(&'a mut Gather, u64);
        impl Sink for Long<'_> {
            fn bytes(&mut self, bytes: &[u8]) {
                self.1 += bytes.len() as u64;
            }
            fn line(&mut self, mut line: Line<'_>) -> bool {
                if line.too_long.is_some() {
                    assert!(line.record.len() <= 2 * HELD, "it was held");
                    line.record = b"long";
                }
                self.0.line(line)
            }
        }
        let mut long = Long(&mut sink, 0);
        read(&mut file, &mut long).unwrap();
        let size = file.metadata().unwrap().len();
        assert_eq!(long.1, size);
        let wanted = [(1, 0, "{}"), (2, 3, "long"), (3, size - 4, "last")];
        assert_eq!(
            sink.0,
            wanted.map(|(line, at, text)| (line, at, text.to_owned()))
        );
    }

    #[test]
    fn lines_and_bytes_are_those_of_the_file_at_every_block_boundary() {
        use std::io::{Seek, Write};
        let mut text = String::from("\u{feff}");
        for number in 0..40_000 {
            text.push_str(&format!(
                "{{\"n\": {number}}}{}",
                if number % 3 == 0 { "\r\n" } else { "\n" }
            ));
            if number % 1000 == 0 {
                text.push_str(&"x".repeat(70_000));
                text.push('\n');
            }
        }
        text.push_str("tail");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut sink = Gather(Vec::new(), Vec::new());
        read(&mut file, &mut sink).unwrap();
        assert_eq!(sink.1, text.as_bytes());
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
        assert_eq!(sink.0.len(), lines.len());
        let mut offset = 0;
        for (place, (number, at, record)) in sink.0.iter().enumerate() {
            assert_eq!(*number, place as u64 + 1);
            assert_eq!(*at, offset as u64);
            assert_eq!(record, lines[place].trim_end_matches('\r'));
            offset += lines[place].len() + 1 + if place == 0 { 3 } else { 0 };
        }
    }
}
