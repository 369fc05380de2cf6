//! The end of a JSONL file that a crash or a hand left: is the last line whole, and if
//! not, out of the way with it.
//!
//! # Invariants
//!
//! * Whole lines are never touched: the file is cut where its last line begins, and only
//!   if that line has no end and is no record.
//! * What is cut off is safe in `<file>.torn` before the file is shortened.
//! * A file that somebody writes to is refused, where the file system has locks.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use birthmark_core::json;
use rustix::fs::FlockOperation;

use crate::atomic::{self, PathContext, PathError};

/// How far back the last line's beginning is looked for, in bytes.
const LONGEST: u64 = 64 << 20;
/// What is read at once.
const PIECE: u64 = 64 << 10;

/// The end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its last line has its end, or the file is empty.
    Whole,
    /// Its last line is a record without its end.
    Unended,
    /// Its last line has no end and is no record.
    Torn {
        /// Where it begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        bytes: u64,
    },
}

/// Looks at the end of a file.
pub fn look(path: &Path) -> Result<Tail, PathError> {
    let file = crate::atomic::open_regular(path).at("read", path)?;
    look_at(&file).at("read", path)
}

fn look_at(file: &File) -> io::Result<Tail> {
    let size = file.metadata()?.len();
    let Some(offset) = last_line(file, size)? else {
        return Ok(Tail::Whole);
    };
    let length = usize::try_from(size - offset).map_err(io::Error::other)?;
    let mut line = vec![0; length];
    file.read_exact_at(&mut line, offset)?;
    let record = if offset == 0 {
        json::without_bom(&line)
    } else {
        &line
    };
    if record.trim_ascii().is_empty() || json::scan_object(record).is_ok() {
        return Ok(Tail::Unended);
    }
    let bytes = size - offset;
    Ok(Tail::Torn { offset, bytes })
}

/// Where the last line begins, if it has no end.
fn last_line(file: &File, size: u64) -> io::Result<Option<u64>> {
    let mut end = size;
    let mut piece = Vec::new();
    while end > 0 {
        if size - end > LONGEST {
            return Err(io::Error::other(
                "its last line is too long to be looked at",
            ));
        }
        let start = end.saturating_sub(PIECE);
        piece.resize(usize::try_from(end - start).map_err(io::Error::other)?, 0);
        file.read_exact_at(&mut piece, start)?;
        if let Some(at) = memchr::memrchr(b'\n', &piece) {
            let begins = start + at as u64 + 1;
            return Ok((begins < size).then_some(begins));
        }
        end = start;
    }
    Ok((size > 0).then_some(0))
}

/// Moves a torn last line into `<file>.torn`, behind what stands there. None where the
/// end is not torn.
pub fn set_aside(path: &Path) -> Result<Option<PathBuf>, PathError> {
    let file = File::options()
        .read(true)
        .append(true)
        .open(path)
        .at("open", path)?;
    if let Err(rustix::io::Errno::WOULDBLOCK) =
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
    {
        return Err(io::Error::other("somebody writes to it")).at("cut", path);
    }
    let Tail::Torn { offset, bytes } = look_at(&file).at("read", path)? else {
        return Ok(None);
    };
    let length = usize::try_from(bytes).unwrap_or_default();
    let mut line = vec![0; length];
    file.read_exact_at(&mut line, offset).at("read", path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".torn");
    let aside = PathBuf::from(name);
    let mut kept = atomic::open_append(&aside, false)?;
    line.push(b'\n');
    kept.write_all(&line)
        .and_then(|()| kept.sync_all())
        .at("write", &aside)?;
    atomic::sync_folder(atomic::folder_of(&aside))?;
    file.set_len(offset)
        .and_then(|()| file.sync_all())
        .at("cut", path)?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::{Durability, replace};

    #[test]
    fn only_a_torn_last_line_goes_at_every_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let whole = b"\xEF\xBB\xBF{\"a\": 1}\r\n\n{\"b\": \"x\"}\n{'not': json}\n{\"c\": 3}\n";
        for length in 0..=whole.len() {
            let text = &whole[..length];
            replace(&path, text, Durability::Process).unwrap();
            let lines = text
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let aside = set_aside(&path).unwrap();
            let left = std::fs::read(&path).unwrap();
            if let Some(aside) = aside {
                assert_eq!(left, &whole[..lines], "cut at {length}");
                let kept = std::fs::read(&aside).unwrap();
                assert_eq!(kept, [&text[lines..], b"\n"].concat());
                std::fs::remove_file(aside).unwrap();
            } else {
                assert_eq!(left, text, "cut at {length}");
            }
            assert_eq!(set_aside(&path).unwrap(), None, "twice is once");
        }
    }

    #[test]
    fn long_lines_are_found_and_writers_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let text = [b"{}\n{\"a\": \"".as_slice(), &vec![b'x'; 300_000]].concat();
        replace(&path, &text, Durability::Process).unwrap();
        let torn = Tail::Torn {
            offset: 3,
            bytes: 300_007,
        };
        assert_eq!(look(&path).unwrap(), torn);
        let writer = File::open(&path).unwrap();
        rustix::fs::flock(&writer, FlockOperation::LockExclusive).unwrap();
        assert!(set_aside(&path).is_err());
        drop(writer);
        assert!(set_aside(&path).unwrap().is_some());
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
    }
}
