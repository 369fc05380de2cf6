//! Birthmarks in files of each kind: read them, write them, cut them out, and
//! digest what is left.
//!
//! A format never opens or replaces a file. It reads from a stream and writes to
//! a stream, and [`crate::atomic`] decides what becomes of that; so a fault in
//! the middle of a file leaves the file as it was.
//!
//! # Invariants
//!
//! * What `unstamp` writes after `stamp` is the input again, byte for byte, unless
//!   an older birthmark was replaced (see [`Stamped::content_digest`]).
//! * `content_digest` is the digest of what `unstamp` writes.

pub mod codec;
pub mod directory;
mod error;
pub mod gguf;
pub mod json;
pub mod jsonl;
mod keyvalue;
mod kind;
mod lines;
pub mod parquet;
mod pipeline;
mod replaced;
pub mod safetensors;
pub mod sidecar;
pub mod zip;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bulk::Output;
use birthmark_core::digest::Digest;
use birthmark_core::json::{Change, Where};
pub use birthmark_core::json::{OnExisting, Placed};
pub use error::FormatError;
pub use kind::FileKind;
pub use replaced::REPLACES;

/// A stream to read, and what to call it in errors.
pub struct Input<'a> {
    /// The file's path, as the user knows it.
    pub name: &'a Path,
    /// The bytes.
    pub bytes: &'a mut dyn Source,
}

/// Bytes to read from the start. Those of a file can also be read anywhere, which
/// formats with their key at the end ask for.
pub trait Source: Read + Send {
    /// The file; none where the bytes come through a pipe or stand in memory.
    fn file(&self) -> Option<&File> {
        None
    }
}

impl Source for File {
    fn file(&self) -> Option<&File> {
        Some(self)
    }
}

/// A file that tells how far it was read.
pub struct Watched<'a> {
    file: File,
    progress: Option<&'a AtomicU64>,
}

impl<'a> Watched<'a> {
    /// Counts the bytes that are read of `file` in `progress`, where there is one.
    pub fn new(file: File, progress: Option<&'a AtomicU64>) -> Self {
        Self { file, progress }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        if let Some(progress) = self.progress {
            progress.fetch_add(got as u64, Ordering::Relaxed);
        }
        Ok(got)
    }
}

impl Source for Watched<'_> {
    fn file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

impl<S: Source> Source for io::BufReader<S> {
    fn file(&self) -> Option<&File> {
        self.get_ref().file()
    }
}

impl Source for &[u8] {}
impl Source for io::Stdin {}
impl<S: Read + Send> Source for io::Take<S> {}
impl Source for Box<dyn Read + Send + '_> {}

/// One birthmark, where it was found.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// The line of a JSONL file, from 1; 1 for a report.
    pub line: u64,
    /// Where in the file (of packed text: in the text) the record begins, in bytes.
    pub offset: u64,
    /// The record, without its line end. Of a file with key-values an object that is
    /// made of the one key: `{"metadata": …}`.
    pub record: &'a [u8],
    /// Where in the record the birthmark stands, if it has one.
    pub place: Where,
    /// What changed in the birthmark since the last record with one that was handed over, where
    /// it has the same members in the same places; none where nothing is known of that.
    pub changes: Option<&'a [Change]>,
}

impl<'a> Mark<'a> {
    /// The object that holds the birthmark; none when there is none.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.place.value(self.record)
    }
}

/// The birthmarks to stamp with: asked once a record, from several threads.
pub trait Birthmarks: Sync {
    /// Writes the birthmark of the record at `line` (from 1) to `out`: an object
    /// that passes [`birthmark_core::json::check_birthmark`].
    fn write(&self, line: u64, record: &[u8], out: &mut Vec<u8>);

    /// The birthmark of all records, where it is the same for all.
    fn same(&self) -> Option<&[u8]> {
        None
    }
}

/// One birthmark for all.
#[derive(Debug, Clone, Copy)]
pub struct Same<'a>(pub &'a [u8]);

impl Birthmarks for Same<'_> {
    fn write(&self, _line: u64, _record: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }

    fn same(&self) -> Option<&[u8]> {
        Some(self.0)
    }
}

/// A function of line and record.
impl<F: Fn(u64, &[u8], &mut Vec<u8>) + Sync> Birthmarks for F {
    fn write(&self, line: u64, record: &[u8], out: &mut Vec<u8>) {
        self(line, record, out);
    }
}

/// How often birthmarks were put in which place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// As `metadata`.
    pub metadata: u64,
    /// Into a `metadata` of the user's own.
    pub merged: u64,
    /// Under `birthmark`.
    pub beside: u64,
    /// In place of an older one.
    pub replaced: u64,
    /// Nowhere: an older one was kept.
    pub kept: u64,
}

impl Places {
    fn count(&mut self, placed: Placed) {
        *match placed {
            Placed::Metadata => &mut self.metadata,
            Placed::Merged => &mut self.merged,
            Placed::Beside => &mut self.beside,
            Placed::Replaced => &mut self.replaced,
            Placed::Kept => &mut self.kept,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.metadata += other.metadata;
        self.merged += other.merged;
        self.beside += other.beside;
        self.replaced += other.replaced;
        self.kept += other.kept;
    }

    /// Records in all.
    pub fn records(&self) -> u64 {
        self.metadata + self.merged + self.beside + self.replaced + self.kept
    }
}

/// What stamping wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// Records, by where their birthmarks went.
    pub places: Places,
    /// Bytes written.
    pub size: u64,
    /// Of the bytes written.
    pub digest: Digest,
    /// Of the bytes written with birthmarks removed. None where an older
    /// birthmark was kept or replaced: ask [`ArtifactFormat::content_digest`].
    pub content_digest: Option<Digest>,
}

/// What unstamping wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unstamped {
    /// Records in all.
    pub records: u64,
    /// Records that had a birthmark of ours, which is now gone.
    pub removed: u64,
    /// Records with a foreign birthmark, which still stands.
    pub foreign: u64,
    /// The first line whose birthmark took the place of an older one, by what it says: what is
    /// written is not what was there before both.
    pub replaced: Option<u64>,
    /// Bytes written.
    pub size: u64,
    /// Of the bytes written, before they were packed: the content digest of what was read.
    pub digest: Digest,
}

/// A kind of file that carries birthmarks within.
pub trait ArtifactFormat {
    /// Hands each record to `each`, which says whether to go on. Records that
    /// are no JSON are handed over as errors, and do not end the reading.
    /// Gives the number of records, good and bad.
    fn read(&self, input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError>;

    /// Copies `input` to `output` with a birthmark in each record.
    fn stamp(
        &self,
        input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError>;

    /// As [`Self::stamp`], but lines that are no records go to `aside` instead. Formats
    /// without lines set nothing aside.
    fn stamp_sound(
        &self,
        input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
        _aside: &mut Aside<'_>,
    ) -> Result<Stamped, FormatError> {
        self.stamp(input, output, birthmarks, existing)
    }

    /// Copies `input` to `output` without its birthmarks.
    fn unstamp(&self, input: Input<'_>, output: &mut dyn Output) -> Result<Unstamped, FormatError>;

    /// The digest of the bytes without birthmarks.
    fn content_digest(&self, input: Input<'_>) -> Result<Unstamped, FormatError> {
        self.unstamp(input, &mut io::sink())
    }
}

/// A line that is no record, to be set aside; one that is longer than the limit in pieces.
pub struct Bad<'a> {
    /// Its number, from 1.
    pub line: u64,
    /// Where in the file (of packed text: in the text) it begins, in bytes.
    pub offset: u64,
    /// The line with its end, or a piece of it.
    pub bytes: &'a [u8],
    /// What is wrong with the line; none of a piece that is not its first.
    pub error: Option<FormatError>,
}

/// Takes lines that are no records.
pub type Aside<'a> = dyn FnMut(Bad<'_>) -> io::Result<()> + 'a;

/// Takes records as they are read; false ends the reading.
pub type Each<'a> = dyn FnMut(Result<Mark<'_>, FormatError>) -> bool + 'a;

/// The format of a file, by its name: see [`FileKind`]. None where birthmarks stand beside
/// the file, in a sidecar.
pub fn format_of(path: &Path) -> Option<&'static dyn ArtifactFormat> {
    FileKind::of(path).map(FileKind::format)
}
