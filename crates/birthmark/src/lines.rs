//! A JSONL file read once, in blocks.
//!
//! # Invariants
//!
//! * Memory does not grow with the number of records: one block, one line.
//! * Each byte of the file is handed over once, in order, whatever the lines are.
//!
//! # Limitations
//!
//! * A line longer than [`LINE_LIMIT`] is not looked into.

use std::io::{self, Read};

use birthmark_core::json::{self, ScanError};

/// The longest line that is held in memory, in bytes.
pub(crate) const LINE_LIMIT: usize = 256 << 20;
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
    /// Whether the line is longer than we look at; `record` is then its beginning.
    pub too_long: bool,
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

/// Reads a file to its end, or until the sink has enough.
pub(crate) fn read(file: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
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
            if !skipping && !sink.line(line_of(&buffer[at..end], number, offset, false)) {
                return Ok(());
            }
            skipping = false;
            number += 1;
            offset += (end - at) as u64;
            (at, searched) = (end, end);
        }
        if ended {
            if at < buffer.len() && !skipping {
                sink.line(line_of(&buffer[at..], number, offset, false));
            }
            return Ok(());
        }
        buffer.drain(..at);
        if buffer.len() > LINE_LIMIT || skipping {
            if !skipping && !sink.line(line_of(&buffer, number, offset, true)) {
                return Ok(());
            }
            skipping = true;
            offset += buffer.len() as u64;
            buffer = Vec::with_capacity(2 * BLOCK);
        }
    }
}

fn line_of(whole: &[u8], number: u64, offset: u64, too_long: bool) -> Line<'_> {
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

/// What is wrong with a line, and where, for people.
pub(crate) fn fault_of(line: &Line<'_>, error: &ScanError) -> String {
    let offset = line.offset + (line.around.0.len() + error.offset) as u64;
    let what = if error.is_cut_short() && !line.has_end() {
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
