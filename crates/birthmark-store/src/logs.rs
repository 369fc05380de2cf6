//! What a command said, kept within a limit: its beginning and its end.
//!
//! ```text
//! <session>/logs/<run>.<stream>.000000000000.log    the beginning, up to half the limit
//! <session>/logs/<run>.<stream>.000134217728.log    the end so far, in pieces:
//! <session>/logs/<run>.<stream>.000142606336.log    the older one goes when a third begins
//! ```
//!
//! The number in a name is where the piece begins in all that was said. So what is left out
//! is seen from the names alone, also after a crash, and nothing is ever rewritten.
//!
//! # Invariants
//!
//! * On disk is never more than the limit.
//! * A piece is only appended to; a reader may read while a command still speaks.
//!
//! # Limits
//!
//! * Bytes are counted as they are kept, that is, after secrets were taken out.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{self, PathContext, PathError};

/// Bytes of one stream that are kept.
pub const LIMIT: u64 = 64 << 20;
/// The end is kept in pieces of this part of the limit; two of them at a time.
const PIECES: u64 = 4;
/// Digits of a piece's beginning in its name.
const DIGITS: usize = 12;

/// Writes one stream of a run.
#[derive(Debug)]
pub struct LogWriter {
    folder: PathBuf,
    stem: String,
    limit: u64,
    /// Where the next byte stands in all that was said.
    offset: u64,
    piece: Option<(File, PathBuf, u64)>,
    /// Pieces of the end, the older first.
    end: Vec<(PathBuf, u64)>,
    left_out: u64,
}

impl LogWriter {
    /// A log `<stem>.<offset>.log` in `folder` of at most `limit` bytes. The folder is made
    /// with the first byte.
    pub fn new(folder: &Path, stem: &str, limit: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            stem: stem.to_owned(),
            limit: limit.max(PIECES),
            offset: 0,
            piece: None,
            end: Vec::new(),
            left_out: 0,
        }
    }

    /// Bytes that were said.
    pub fn said(&self) -> u64 {
        self.offset
    }

    /// Bytes of them that are not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Appends what was said.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), PathError> {
        while !bytes.is_empty() {
            let room = self.room()?;
            let part = bytes
                .len()
                .min(usize::try_from(room).unwrap_or(usize::MAX))
                .max(1);
            let (now, later) = bytes.split_at(part);
            if let Some((file, path, size)) = &mut self.piece {
                file.write_all(now).at("write", path)?;
                *size += part as u64;
            }
            self.offset += part as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Skips bytes that were said and could not be kept.
    pub fn skip(&mut self, bytes: u64) {
        if bytes > 0 {
            self.offset += bytes;
            self.left_out += bytes;
            // What follows begins a piece of its own: its name says where it stands.
            if let Some((_, path, size)) = self.piece.take()
                && !path.ends_with(self.name(0))
            {
                self.end.push((path, size));
            }
        }
    }

    /// Bytes that the open piece still takes; opens the next one where it is full.
    fn room(&mut self) -> Result<u64, PathError> {
        if let Some((_, path, size)) = &self.piece {
            let is_first = path.ends_with(self.name(0));
            let most = if is_first {
                self.limit / 2
            } else {
                self.limit / PIECES
            };
            if *size < most {
                return Ok(most - size);
            }
            if !is_first && let Some((_, path, size)) = self.piece.take() {
                self.end.push((path, size));
            }
        }
        self.begin_piece()?;
        Ok(if self.offset == 0 {
            self.limit / 2
        } else {
            self.limit / PIECES
        })
    }

    fn begin_piece(&mut self) -> Result<(), PathError> {
        while self.end.len() > 1 {
            let (path, size) = self.end.remove(0);
            atomic::remove(&path)?;
            self.left_out += size;
        }
        atomic::create_folder(&self.folder)?;
        let path = self.folder.join(self.name(self.offset));
        let file = atomic::open_append(&path, false)?;
        self.piece = Some((file, path, 0));
        Ok(())
    }

    fn name(&self, offset: u64) -> String {
        format!("{}.{offset:0DIGITS$}.log", self.stem)
    }
}

/// One stream of a run, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLog {
    /// `<run>.<stream>`.
    pub stem: String,
    /// Its pieces: where each begins, how long it is, and its file.
    pub pieces: Vec<(u64, u64, PathBuf)>,
}

impl KeptLog {
    /// The run.
    pub fn run(&self) -> &str {
        self.stem.split('.').next().unwrap_or_default()
    }

    /// `output`, `stdout` or `stderr`.
    pub fn stream(&self) -> &str {
        self.stem.split('.').nth(1).unwrap_or_default()
    }

    /// Bytes that are kept.
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(|(_, size, _)| size).sum()
    }

    /// Hands on the pieces in order; before each that does not follow the one before, the
    /// number of bytes that are left out.
    pub fn read(
        &self,
        mut gap: impl FnMut(u64) -> io::Result<()>,
        mut bytes: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), PathError> {
        let mut at = 0;
        let mut buffer = vec![0; 1 << 16];
        for (begin, _, path) in &self.pieces {
            if *begin > at {
                gap(begin - at).at("write", path)?;
            }
            at = *begin;
            let mut file = File::open(path).at("read", path)?;
            loop {
                let read = file.read(&mut buffer).at("read", path)?;
                if read == 0 {
                    break;
                }
                bytes(buffer.get(..read).unwrap_or_default()).at("write", path)?;
                at += read as u64;
            }
        }
        Ok(())
    }
}

/// The logs in a folder, by name.
pub fn list(folder: &Path) -> Result<Vec<KeptLog>, PathError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at("read", folder),
    };
    let mut logs: std::collections::BTreeMap<String, Vec<_>> = std::collections::BTreeMap::new();
    for entry in entries {
        let path = entry.at("read", folder)?.path();
        if let Some((stem, offset)) = parts(&path) {
            let size = path.metadata().at("read", &path)?.len();
            logs.entry(stem).or_default().push((offset, size, path));
        }
    }
    Ok(logs
        .into_iter()
        .map(|(stem, mut pieces)| {
            pieces.sort();
            KeptLog { stem, pieces }
        })
        .collect())
}

/// `<run>.<stream>` and the offset of a piece's name.
fn parts(path: &Path) -> Option<(String, u64)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    let (stem, offset) = name.rsplit_once('.')?;
    Some((stem.to_owned(), offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(folder: &Path) -> (Vec<u8>, u64) {
        let (mut all, mut gaps) = (Vec::new(), 0);
        for log in list(folder).unwrap() {
            let gap = |bytes| {
                gaps += bytes;
                Ok(())
            };
            let take = |bytes: &[u8]| {
                all.extend_from_slice(bytes);
                Ok(())
            };
            log.read(gap, take).unwrap();
        }
        (all, gaps)
    }

    #[test]
    fn what_fits_is_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(dir.path(), "run.stdout", 1 << 10);
        log.write(b"one\n").unwrap();
        log.write(&[b'x'; 900]).unwrap();
        assert_eq!(log.left_out(), 0);
        assert_eq!(read(dir.path()), ([b"one\n", &[b'x'; 900][..]].concat(), 0));
        assert_eq!(list(dir.path()).unwrap()[0].stream(), "stdout");
    }

    proptest! {
        #[test]
        fn head_and_tail_are_kept_and_the_rest_is_counted(
            parts in prop::collection::vec(0_usize..3_000, 1..60),
            limit in 8_u64..5_000,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut log = LogWriter::new(dir.path(), "run.output", limit);
            let mut said = Vec::new();
            for (at, length) in parts.iter().enumerate() {
                let bytes: Vec<u8> = (0..*length).map(|b| ((at * 7 + b) % 251).to_le_bytes()[0]).collect();
                log.write(&bytes).unwrap();
                said.extend(bytes);
            }
            let (kept, gaps) = read(dir.path());
            prop_assert!(kept.len() as u64 <= limit);
            prop_assert_eq!(gaps, log.left_out());
            prop_assert_eq!(kept.len() as u64 + gaps, said.len() as u64);
            let head = kept.len().min(usize::try_from(limit / 2).unwrap());
            prop_assert_eq!(&kept[..head], &said[..head]);
            let tail = kept.len() - head;
            prop_assert_eq!(&kept[head..], &said[said.len() - tail..]);
            // Of a long one at least a quarter of the limit is the end.
            if gaps > 0 { prop_assert!(tail as u64 >= limit / PIECES); }
        }
    }

    #[test]
    fn bytes_that_could_not_be_kept_stand_as_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(dir.path(), "run.output", 1 << 10);
        log.write(b"before").unwrap();
        log.skip(100);
        log.write(b"after").unwrap();
        log.skip(7);
        log.write(b"!").unwrap();
        assert_eq!(read(dir.path()), (b"beforeafter!".to_vec(), 107));
        assert_eq!((log.said(), log.left_out()), (119, 107));
    }
}
