//! Whether a long line ends soon, found out without holding it.
//!
//! A line is held in memory while it is looked into. One that is longer than the limit is not
//! looked into, and need not be held to know that: of a file, what lies ahead can be read twice.
//!
//! # Limits
//!
//! * Only of files: of a stream, a line is held up to the limit.

use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;

use crate::format::Source;

/// A line of so many bytes is held, and asked for no sooner.
pub const HELD: usize = 8 << 20;
/// What is read at once.
const PIECE: usize = 256 << 10;

/// Looks ahead in a file that is being read.
pub struct Ahead {
    file: File,
    /// Where the reading began.
    begin: u64,
}

impl Ahead {
    /// Of what is read from now on; none where it is no file.
    pub fn of(source: &dyn Source) -> Option<Self> {
        let mut file = source.file()?.try_clone().ok()?;
        let begin = file.stream_position().ok()?;
        Some(Self { file, begin })
    }

    /// Whether a line, or the file, ends within `most` bytes behind the first `read` of the
    /// reading. Where the file stands for whoever reads it stays as it is.
    pub fn ends_within(&self, read: u64, most: u64) -> io::Result<bool> {
        let mut piece = vec![0; PIECE];
        let mut seen = 0;
        while seen <= most {
            crate::stop::check()?;
            let got = match self.file.read_at(&mut piece, self.begin + read + seen) {
                Ok(0) => return Ok(true),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let came = piece.get(..got).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', came) {
                return Ok(seen + end as u64 <= most);
            }
            seen += got as u64;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn end_of_a_line_is_seen_where_it_is_and_the_reading_goes_on_where_it_was() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head\n").unwrap();
        file.write_all(&vec![b'x'; 2 * PIECE]).unwrap();
        file.write_all(b"\nlast").unwrap();
        file.seek(io::SeekFrom::Start(5)).unwrap();
        let ahead = Ahead::of(&file).unwrap();
        let line = 2 * PIECE as u64;
        assert!(ahead.ends_within(0, line).unwrap());
        assert!(!ahead.ends_within(0, line - 1).unwrap());
        assert!(ahead.ends_within(1, line - 1).unwrap());
        assert!(ahead.ends_within(line + 1, 4).unwrap());
        assert!(!ahead.ends_within(line + 1, 3).unwrap());
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), 2 * PIECE + 5);
    }
}
