//! Appending records to a JSONL file, so that no record that was acknowledged is
//! ever lost and no torn line ever stands as a whole one.
//!
//! The file stands under its final name from the start. Each record is one
//! `write` of its line; a write that comes short is cut back. Going on with a file
//! that a crash left behind cuts a torn last line aside, into `<file>.torn`.
//!
//! # Invariants
//!
//! * When [`RecordWriter::append`] returns, the record is with the operating system.
//! * One writer a file: a second one is refused, and so is a forked child.
//! * The digests are over exactly the bytes that were written: at the close the
//!   file's size must be theirs, else the file is read again.
//!
//! # Limitations
//!
//! * Where the file system knows no locks, a second writer is not noticed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use birthmark_core::digest::Digest;
use birthmark_core::json::{self, OnExisting, Placed};
use memchr::memmem::Finder;
use rustix::fs::FlockOperation;

use crate::atomic::{self, Durability, PathContext, PathError};
use crate::line_sums::LineSums;
use crate::running::RunningDigest;
use crate::seam;

/// What to do with a file that is there, as in Python's `open()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// "x": refuse.
    New,
    /// "w": begin anew; what was there is gone.
    Anew,
    /// "a": go on.
    GoOn,
}

/// Why records cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The operating system did not take it.
    #[error(transparent)]
    Io(#[from] PathError),
    /// The file is there, and the mode is "x".
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another writer has it.
    #[error("`{}` is being written by another writer", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// This process is a fork of the one that opened it.
    #[error("cannot write `{}` in a forked child: process {owner} opened it", path.display())]
    Forked {
        /// The file.
        path: PathBuf,
        /// The process that opened it.
        owner: u32,
    },
    /// A failed write could not be cut back.
    #[error("`{}` cannot go on: a failed write could not be cut back", path.display())]
    Stuck {
        /// The file.
        path: PathBuf,
    },
}

impl RecordsError {
    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io(error) => error.hint(),
            Self::Exists { .. } => {
                Some("mode=\"a\" goes on with it, mode=\"w\" begins it anew".to_owned())
            }
            Self::InUse { .. } => Some("give each process a file of its own".to_owned()),
            Self::Forked { .. } => {
                Some("write in the parent, or open a file of its own in the child".to_owned())
            }
            Self::Stuck { .. } => Some("open it again with mode=\"a\"".to_owned()),
        }
    }
}

/// What was found in a file that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continued {
    /// Bytes kept.
    pub bytes: u64,
    /// Records kept.
    pub records: u64,
    /// Digest of these bytes, and of them without birthmarks; none where nothing was there.
    pub digests: Option<(Digest, Digest)>,
    /// Bytes of a torn last line, and where they were put.
    pub torn: Option<(u64, PathBuf)>,
}

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Bytes.
    pub size: u64,
    /// Records.
    pub records: u64,
    /// Digest of these bytes.
    pub digest: Digest,
    /// Digest of these bytes without birthmarks.
    pub content_digest: Digest,
}

/// Appends records to one file.
#[derive(Debug)]
pub struct RecordWriter {
    file: File,
    path: PathBuf,
    owner: u32,
    records: u64,
    as_it_lies: RunningDigest,
    content: RunningDigest,
    line_sums: LineSums,
    line: Vec<u8>,
    stuck: bool,
    durability: Durability,
}

impl RecordWriter {
    /// Opens `path`. In mode "a", says what it goes on with.
    pub fn open(
        path: &Path,
        mode: Mode,
        durability: Durability,
    ) -> Result<(Self, Continued), RecordsError> {
        atomic::create_folder_safely(atomic::folder_of(path), durability)?;
        let file = match atomic::open_append(path, mode == Mode::New) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RecordsError::Exists {
                    path: path.to_owned(),
                });
            }
            opened => opened?,
        };
        if !file.metadata().at("open", path)?.is_file() {
            return Err(io::Error::other("it is no regular file")).at("open", path)?;
        }
        lock(&file, path)?;
        if mode == Mode::Anew {
            file.set_len(0).at("empty", path)?;
        }
        if durability == Durability::Power {
            atomic::sync_folder(atomic::folder_of(path))?;
        }
        let mut writer = Self {
            file,
            path: path.to_owned(),
            owner: std::process::id(),
            records: 0,
            as_it_lies: RunningDigest::beside(),
            content: RunningDigest::beside(),
            line_sums: LineSums::default(),
            line: Vec::new(),
            stuck: false,
            durability,
        };
        let continued = writer.take_up()?;
        Ok((writer, continued))
    }

    /// Reads what is there, and cuts a torn last line aside.
    fn take_up(&mut self) -> Result<Continued, RecordsError> {
        let mut reader =
            BufReader::with_capacity(1 << 20, self.file.try_clone().at("read", &self.path)?);
        reader.seek(SeekFrom::Start(0)).at("read", &self.path)?;
        let (mut line, mut without) = (Vec::new(), Vec::new());
        let mut torn = None;
        loop {
            line.clear();
            crate::stop::check().at("read", &self.path)?;
            if reader.read_until(b'\n', &mut line).at("read", &self.path)? == 0 {
                break;
            }
            let ended = line.ends_with(b"\n");
            if !ended || self.is_hole(&line, &mut reader)? {
                torn = self.mend_tail(&line)?;
                if torn.is_some() {
                    break;
                }
                if !ended {
                    line.push(b'\n');
                }
            }
            self.count_line(&line, &mut without);
        }
        Ok(Continued {
            bytes: self.as_it_lies.length(),
            records: self.records,
            digests: (self.as_it_lies.length() > 0)
                .then(|| (self.as_it_lies.digest(), self.content.digest())),
            torn,
        })
    }

    /// Whether the last line, though it has its end, holds bytes that a power cut kept from
    /// the disk: zeros, which no record has.
    fn is_hole(&self, line: &[u8], reader: &mut impl BufRead) -> Result<bool, RecordsError> {
        let hole = memchr::memchr(0, line).is_some();
        Ok(hole && reader.fill_buf().at("read", &self.path)?.is_empty())
    }

    fn count_line(&mut self, line: &[u8], without: &mut Vec<u8>) {
        self.as_it_lies.update(line);
        self.line_sums.add(&[line]);
        without.clear();
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        if json::unstamp_record(without, body).is_err() {
            without.clear();
            without.extend_from_slice(body);
        }
        self.content.update(without);
        self.content.update(&line[body.len()..]);
        self.records += u64::from(!body.trim_ascii().is_empty());
    }

    /// A last line without its end: whole, it gets its end; torn, it is put aside.
    fn mend_tail(&mut self, line: &[u8]) -> Result<Option<(u64, PathBuf)>, RecordsError> {
        if json::scan_object(line).is_ok() {
            self.file.write_all(b"\n").at("write", &self.path)?;
            return Ok(None);
        }
        let mut name = self.path.as_os_str().to_owned();
        name.push(".torn");
        let aside = PathBuf::from(name);
        let mut file = atomic::open_append(&aside, false)?;
        file.write_all(line.strip_suffix(b"\n").unwrap_or(line))
            .and_then(|()| file.write_all(b"\n"))
            .at("write", &aside)?;
        file.sync_data().at("sync", &aside)?;
        self.file
            .set_len(self.as_it_lies.length())
            .at("cut back", &self.path)?;
        Ok(Some((line.len() as u64, aside)))
    }

    /// Appends a record (one JSON object, without its line end) with its birthmark, or
    /// without one where that is `None`. A record that has no place for it is written as it
    /// is: [`Placed::Kept`] then says so.
    pub fn append(
        &mut self,
        record: &[u8],
        birthmark: Option<&[u8]>,
    ) -> Result<Placed, RecordsError> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let placed = Self::render(&mut line, record, birthmark);
        let result = self.put(&line).map(|()| placed);
        if result.is_ok() {
            self.count(record, &line);
        }
        self.line = line;
        result
    }

    /// Appends many records by one write: all of them or, after a failure, none.
    pub fn append_all<'a>(
        &mut self,
        records: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
    ) -> Result<Vec<Placed>, RecordsError> {
        let mut lines = Vec::new();
        let mut ends = Vec::new();
        let mut placed = Vec::new();
        for (record, birthmark) in records.clone() {
            placed.push(Self::render(&mut lines, record, birthmark));
            ends.push(lines.len());
        }
        self.put(&lines)?;
        let mut start = 0;
        for ((record, _), end) in records.zip(ends) {
            self.count(record, &lines[start..end]);
            start = end;
        }
        Ok(placed)
    }

    fn render(line: &mut Vec<u8>, record: &[u8], birthmark: Option<&[u8]>) -> Placed {
        let placed = match birthmark {
            None => {
                line.extend_from_slice(record);
                Placed::Kept
            }
            Some(birthmark) if is_plain(record) => {
                splice_plain(line, record, birthmark);
                Placed::Metadata
            }
            // A record that has no place for a birthmark (or is nested too deep to be scanned) was
            // paid for all the same: it is written as it is, and the caller told.
            Some(birthmark) => json::stamp_record(line, record, birthmark, OnExisting::Merge)
                .unwrap_or_else(|_| {
                    line.extend_from_slice(record);
                    Placed::Kept
                }),
        };
        line.push(b'\n');
        placed
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordsError> {
        if self.is_fork() {
            return Err(RecordsError::Forked {
                path: self.path.clone(),
                owner: self.owner,
            });
        }
        if self.stuck {
            return Err(RecordsError::Stuck {
                path: self.path.clone(),
            });
        }
        let end = self.as_it_lies.length();
        let written = seam::write_all(&mut self.file, &self.path, end, bytes);
        let result = written.and_then(|()| match self.durability {
            Durability::Power => seam::sync(&self.file, &self.path),
            Durability::Process => Ok(()),
        });
        if result.is_err() {
            self.stuck = seam::truncate(&self.file, &self.path, end).is_err();
        }
        Ok(result.at("write", &self.path)?)
    }

    fn count(&mut self, record: &[u8], line: &[u8]) {
        self.records += 1;
        self.as_it_lies.update(line);
        self.line_sums.add(&[line]);
        self.content.update(record);
        self.content.update(b"\n");
    }

    /// How far the file has come.
    pub fn progress(&mut self) -> Count {
        Count {
            size: self.as_it_lies.length(),
            records: self.records,
            digest: self.as_it_lies.digest(),
            content_digest: self.content.digest(),
        }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.as_it_lies.length()
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The process that opened it.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Closes the file and says what is in it. If its size is not that of the bytes
    /// that were hashed (somebody else wrote to it), it is read again.
    pub fn close(mut self) -> Result<(Count, LineSums), RecordsError> {
        if self.durability == Durability::Power {
            self.file.sync_all().at("sync", &self.path)?;
        }
        if self.file.metadata().at("read", &self.path)?.len() != self.as_it_lies.length() {
            self.as_it_lies = RunningDigest::default();
            self.content = RunningDigest::default();
            self.line_sums = LineSums::default();
            self.records = 0;
            self.recount()?;
        }
        let line_sums = std::mem::take(&mut self.line_sums);
        Ok((self.progress(), line_sums))
    }

    /// Whether this process is a fork of the one that opened the file.
    pub fn is_fork(&self) -> bool {
        self.owner != std::process::id()
    }

    fn recount(&mut self) -> Result<(), RecordsError> {
        let file = File::open(&self.path).at("read", &self.path)?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut line, mut without) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            crate::stop::check().at("read", &self.path)?;
            if reader.read_until(b'\n', &mut line).at("read", &self.path)? == 0 {
                return Ok(());
            }
            self.count_line(&line, &mut without);
        }
    }
}

impl Drop for RecordWriter {
    /// Gives the lock back even where a forked child still holds the file open.
    fn drop(&mut self) {
        if !self.is_fork() {
            // Without it the lock goes when the last holder does.
            let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
        }
    }
}

static METADATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"metadata\""));
static BIRTHMARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"birthmark\""));

/// A record that surely has no `metadata` or `birthmark` of its own: the words stand
/// nowhere in it, and none of its keys can be spelled with an escape.
fn is_plain(record: &[u8]) -> bool {
    record.ends_with(b"}")
        && record.starts_with(b"{")
        && METADATA.find(record).is_none()
        && BIRTHMARK.find(record).is_none()
}

/// Puts `, "metadata": …` before the last brace of a record as this house spells it.
fn splice_plain(line: &mut Vec<u8>, record: &[u8], birthmark: &[u8]) {
    line.reserve(record.len() + birthmark.len() + 16);
    line.extend_from_slice(&record[..record.len() - 1]);
    line.extend_from_slice(if record.len() > 2 {
        b", \"metadata\": "
    } else {
        b"\"metadata\": "
    });
    line.extend_from_slice(birthmark);
    line.push(b'}');
}

fn lock(file: &File, path: &Path) -> Result<(), RecordsError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RecordsError::InUse {
            path: path.to_owned(),
        }),
        // Where there are no locks there is no second opinion: see the limitations.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads the first `limit` bytes of a file at `path`, to recognise it.
pub fn peek(path: &Path, limit: usize) -> Result<Vec<u8>, PathError> {
    let file = crate::atomic::open_regular(path).at("read", path)?;
    let mut bytes = vec![0; limit];
    let read = file.read_at(&mut bytes, 0).at("read", path)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Whether two paths name one file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| {
        fs::metadata(path)
            .map(|found| (found.dev(), found.ino()))
            .ok()
    };
    a.as_os_str().as_bytes() == b.as_os_str().as_bytes() || (id(a).is_some() && id(a) == id(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8] = br#"{"git_commit":"c","birthmark":"birthmark/v1"}"#;

    fn open(path: &Path, mode: Mode) -> (RecordWriter, Continued) {
        RecordWriter::open(path, mode, Durability::Process).unwrap()
    }

    #[test]
    fn digests_are_those_of_the_file_and_of_the_file_without_birthmarks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/a.jsonl");
        let (mut writer, _) = open(&path, Mode::New);
        writer.append(br#"{"a": 1}"#, Some(MARK)).unwrap();
        writer.append(b"{}", Some(MARK)).unwrap();
        writer
            .append(br#"{"metadata": {"own": 1}}"#, Some(MARK))
            .unwrap();
        let (count, _) = writer.close().unwrap();

        let bytes = fs::read(&path).unwrap();
        assert_eq!(count.digest.bytes, *blake3::hash(&bytes).as_bytes());
        let clean = b"{\"a\": 1}\n{}\n{\"metadata\": {\"own\": 1}}\n";
        assert_eq!(count.content_digest.bytes, *blake3::hash(clean).as_bytes());
        assert_eq!((count.records, count.size), (3, bytes.len() as u64));
    }

    #[test]
    fn record_without_a_place_for_a_birthmark_is_written_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (mut writer, _) = open(&path, Mode::New);
        let both = br#"{"metadata": 1, "birthmark": 2}"#.to_vec();
        let deep = format!(
            "{{\"metadata\": {}1{}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        for record in [both.as_slice(), deep.as_bytes()] {
            assert_eq!(writer.append(record, Some(MARK)).unwrap(), Placed::Kept);
        }
        let (count, _) = writer.close().unwrap();
        let bytes = [&both, b"\n".as_slice(), deep.as_bytes(), b"\n"].concat();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(count.content_digest, count.digest);
    }

    #[test]
    fn going_on_counts_what_is_there_and_gives_the_same_digests() {
        let dir = tempfile::tempdir().unwrap();
        let (once, twice) = (dir.path().join("once"), dir.path().join("twice"));
        for (path, stops) in [(&once, 1), (&twice, 2)] {
            for stop in 0..stops {
                let (mut writer, continued) = open(path, Mode::GoOn);
                assert_eq!(continued.records, stop * 2);
                for _ in 0..4 / stops {
                    writer.append(br#"{"a": 1}"#, Some(MARK)).unwrap();
                }
                writer.close().unwrap();
            }
        }
        assert_eq!(
            open(&once, Mode::GoOn).0.progress(),
            open(&twice, Mode::GoOn).0.progress()
        );
    }

    #[test]
    fn torn_last_line_is_put_aside_at_every_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (mut writer, _) = open(&path, Mode::New);
        for _ in 0..2 {
            writer.append(br#"{"a": "x"}"#, Some(MARK)).unwrap();
        }
        writer.close().unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            let cut = dir.path().join(format!("cut{length}"));
            atomic::replace(&cut, &whole[..length], Durability::Process).unwrap();
            let (mut writer, continued) = open(&cut, Mode::GoOn);
            writer.append(b"{}", Some(MARK)).unwrap();
            writer.close().unwrap();
            let text = fs::read_to_string(&cut).unwrap();
            assert_eq!(text.lines().count() as u64, continued.records + 1);
            assert!(
                text.lines()
                    .all(|line| json::scan_object(line.as_bytes()).is_ok())
            );
            let kept = continued.torn.map_or(0, |(bytes, _)| bytes) + continued.bytes;
            assert!(kept >= length as u64, "cut at {length} lost bytes");
        }
    }

    #[test]
    fn existing_file_and_second_writer_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (first, _) = open(&path, Mode::New);
        let second = RecordWriter::open(&path, Mode::GoOn, Durability::Process);
        assert!(matches!(second, Err(RecordsError::InUse { .. })));
        drop(first);
        let again = RecordWriter::open(&path, Mode::New, Durability::Process);
        assert!(matches!(again, Err(RecordsError::Exists { .. })));
    }

    #[test]
    fn bytes_of_others_make_the_close_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (mut writer, _) = open(&path, Mode::New);
        writer.append(b"{}", Some(MARK)).unwrap();
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"b\": 2}\n")
            .unwrap();
        let (count, _) = writer.close().unwrap();
        assert_eq!(count.records, 2);
        assert_eq!(
            count.digest.bytes,
            *blake3::hash(&fs::read(&path).unwrap()).as_bytes()
        );
    }
}
