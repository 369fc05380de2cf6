//! Why a file could not be read, stamped or unstamped: by line and byte, with what to do now.

use std::io;
use std::path::{Path, PathBuf};

use birthmark_core::json::{ScanError, StampError};

use super::{FileKind, jsonl};

/// Why a file could not be read, stamped or unstamped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The stream could not be read.
    #[error("cannot read `{name}`")]
    Read {
        /// The file.
        name: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The stream could not be written.
    #[error("cannot write what was made of `{name}`")]
    Write {
        /// The file that was read.
        name: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A record is no JSON object.
    #[error("`{name}`, line {line}, byte {offset} of the file: {}", source.kind)]
    NotJson {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte of the file, from 0.
        offset: u64,
        /// The fault, seen from the start of the record.
        source: ScanError,
    },
    /// A record could not take a birthmark or give it up.
    #[error("`{name}`, line {line}: {source}")]
    Record {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Where the record begins in the file, in bytes.
        offset: u64,
        /// Why not.
        source: StampError,
    },
    /// A line, or a report, is longer than we hold in memory.
    #[error("`{name}`, line {line}, byte {offset} of the file: it is longer than {limit} bytes")]
    TooLong {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Where it begins in the file (of packed text: in the text), in bytes.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// The file is not what its name says, or is damaged.
    #[error("`{name}`: {what}")]
    Damaged {
        /// The file.
        name: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// The file cannot take a birthmark, though it is sound.
    #[error("`{name}` cannot take a birthmark: {what}")]
    NoPlace {
        /// The file.
        name: PathBuf,
        /// Why not.
        what: String,
    },
    /// The file has a birthmark already, and room for one.
    #[error("`{name}` has a birthmark already")]
    AlreadyStamped {
        /// The file.
        name: PathBuf,
    },
    /// A birthmark took the place of an older one, which cannot be brought back.
    #[error("a birthmark of `{name}` replaced an older one, which cannot be brought back")]
    CannotUndo {
        /// The file.
        name: PathBuf,
    },
    /// A thread of ours ended without an answer.
    #[error("cannot go on with `{name}`: a thread died")]
    ThreadDied {
        /// The file.
        name: PathBuf,
    },
}

impl FormatError {
    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotJson { name, source, .. } if source.is_cut_short() => Some(
                if FileKind::of(name).is_some_and(|kind| !kind.has_records()) {
                    "the file is cut short, as by a crash; make it or copy it again"
                } else {
                    "the line is cut short, as by a crash; take it out and try again"
                }
                .to_owned(),
            ),
            Self::Record { source, .. } => source.hint().map(str::to_owned),
            Self::TooLong { limit, .. } if *limit >= jsonl::LINE_LIMIT => {
                Some("is it JSONL, one record a line?".to_owned())
            }
            Self::TooLong { .. } => Some(
                "is it JSONL, one record a line? `stamp` and `unstamp` take longer ones with --longest-line"
                    .to_owned(),
            ),
            Self::Damaged { .. } => Some(
                "copy it again from where it is whole; if it is something else, name it otherwise"
                    .to_owned(),
            ),
            Self::NoPlace { .. } => {
                Some("leave out --in-place and --out: it then goes into a sidecar".to_owned())
            }
            Self::Read { source, .. } => crate::atomic::way_out(source).map(str::to_owned),
            Self::Write { source, .. } => crate::atomic::no_room(source.kind()).map(str::to_owned),
            Self::AlreadyStamped { .. } => Some("say `--on-existing keep` or `replace`".to_owned()),
            _ => None,
        }
    }

    /// A fault of one record, whose first byte is `offset` of the file.
    pub(super) fn of_record(name: &Path, line: u64, offset: u64, source: StampError) -> Self {
        let name = name.to_owned();
        match source {
            StampError::Scan(source) => Self::NotJson {
                name,
                line,
                offset: offset + source.offset as u64,
                source,
            },
            source => Self::Record {
                name,
                line,
                offset,
                source,
            },
        }
    }
}
