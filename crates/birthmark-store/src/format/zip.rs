//! Reads members of a zip file, one at a time, for logs that come as one (Inspect's `.eval`).
//!
//! # Invariants
//!
//! * Nothing is unpacked to disk, and no name in the file is ever used as a path. A file
//!   with a name that leads out of it is refused as a whole: nobody makes one by accident.
//! * No member is larger than the caller allows, whatever its header says; a member that
//!   grows more than [`RATIO`] times beyond [`FREE`] bytes is refused.
//! * A member is whole: its length and CRC-32 are those of the directory.
//!
//! # Limitations
//!
//! * Stored, deflated and zstd members; no encryption, no archives over several disks.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::atomic::{PathContext, PathError};

/// How much larger than its packed form a member may be.
pub const RATIO: u64 = 1_000;
/// Members up to so many bytes may be packed as tightly as they like.
pub const FREE: u64 = 16 << 20;
/// The most members.
const MEMBERS: u64 = 2_000_000;
/// The largest directory.
const DIRECTORY: u64 = 512 << 20;
/// The end record, and the comment that may follow it.
const END: u64 = 22 + 65_535;

/// Why a zip file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] PathError),
    /// It has no directory at its end.
    #[error("it is no zip file, or its end is missing")]
    NoEnd,
    /// A header is not what it must be.
    #[error("its directory is damaged: {0}")]
    Damaged(&'static str),
    /// A member's name leads out of the archive.
    #[error("member `{0}` has a path that leads out of the file")]
    Path(String),
    /// A member or the whole is too large.
    #[error("member `{name}` is too large: {why}")]
    TooLarge {
        /// The member.
        name: String,
        /// In which way.
        why: String,
    },
    /// A member is packed in a way that is not read here, or encrypted.
    #[error("member `{name}` is packed by method {method}, which is not read")]
    Method {
        /// The member.
        name: String,
        /// Its method.
        method: u16,
    },
    /// A member's bytes are not those that were packed.
    #[error("member `{0}` is damaged")]
    Member(String),
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length once unpacked, as the directory says.
    pub size: u64,
    packed: u64,
    method: u16,
    encrypted: bool,
    crc: u32,
    offset: u64,
}

/// A zip file that is open.
#[derive(Debug)]
pub struct Zip {
    file: File,
    path: std::path::PathBuf,
    /// Its members, in the order of the directory.
    pub entries: Vec<Entry>,
}

impl Zip {
    /// Opens a zip file and reads its directory.
    pub fn open(path: &Path) -> Result<Self, ZipError> {
        let mut file = crate::atomic::open_regular(path).at("read", path)?;
        let entries = directory(&mut file, path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            entries,
        })
    }

    /// The member of this name; of equal names the last, which is the newest.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.name == name)
            .cloned()
    }

    /// A member's bytes, of at most `limit`.
    pub fn read(&mut self, entry: &Entry, limit: u64) -> Result<Vec<u8>, ZipError> {
        let too_large = |why: String| ZipError::TooLarge {
            name: entry.name.clone(),
            why,
        };
        if entry.size > limit {
            return Err(too_large(format!("{} bytes", entry.size)));
        }
        if entry.size > FREE && entry.size / RATIO > entry.packed {
            return Err(too_large(format!(
                "more than {RATIO} times its packed size"
            )));
        }
        if entry.encrypted || !matches!(entry.method, 0 | 8 | 93) {
            return Err(ZipError::Method {
                name: entry.name.clone(),
                method: entry.method,
            });
        }
        let start = self.data(entry)?;
        self.file
            .seek(SeekFrom::Start(start))
            .at("read", &self.path)?;
        let packed = (&self.file).take(entry.packed);
        // One byte more than promised is enough to see that the promise was wrong.
        let most = entry.size + 1;
        let unpacked = match entry.method {
            0 => read_all(packed, most),
            8 => read_all(flate2::read::DeflateDecoder::new(packed), most),
            _ => zstd::stream::read::Decoder::new(packed).and_then(|input| read_all(input, most)),
        };
        let bytes = unpacked.map_err(|_| ZipError::Member(entry.name.clone()))?;
        if bytes.len() as u64 != entry.size || crc32fast::hash(&bytes) != entry.crc {
            return Err(ZipError::Member(entry.name.clone()));
        }
        Ok(bytes)
    }

    /// Where the packed bytes of a member begin.
    fn data(&mut self, entry: &Entry) -> Result<u64, ZipError> {
        let header = read_at(&mut self.file, entry.offset, 30).at("read", &self.path)?;
        if number(&header, 0, 4) != Some(0x0403_4b50) {
            return Err(ZipError::Damaged("a member is not where it should be"));
        }
        let lengths = number(&header, 26, 2).unwrap_or(0) + number(&header, 28, 2).unwrap_or(0);
        let start = entry.offset.checked_add(30 + lengths);
        start.ok_or(ZipError::Damaged("a member is not where it should be"))
    }
}

fn read_all(input: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_at(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number in bytes; `None` where they end before.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    Some(
        part.iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    )
}

fn directory(file: &mut File, path: &Path) -> Result<Vec<Entry>, ZipError> {
    let size = file.metadata().at("read", path)?.len();
    let from = size.saturating_sub(END);
    let tail = read_at(file, from, END).at("read", path)?;
    let end = memchr::memmem::rfind(&tail, b"PK\x05\x06").ok_or(ZipError::NoEnd)?;
    let field = |at, length| number(&tail, end + at, length).ok_or(ZipError::NoEnd);
    let comment = field(20, 2)?;
    if end as u64 + 22 + comment > tail.len() as u64 {
        return Err(ZipError::NoEnd);
    }
    let (mut count, mut length, mut offset) = (field(10, 2)?, field(12, 4)?, field(16, 4)?);
    if (count == 0xFFFF || length == 0xFFFF_FFFF || offset == 0xFFFF_FFFF)
        && let Some(locator) = end.checked_sub(20)
        && number(&tail, locator, 4) == Some(0x0706_4b50)
    {
        let place = number(&tail, locator + 8, 8).ok_or(ZipError::NoEnd)?;
        let record = read_at(file, place, 56).at("read", path)?;
        let field = |at, length| number(&record, at, length).ok_or(ZipError::NoEnd);
        (count, length, offset) = (field(32, 8)?, field(40, 8)?, field(48, 8)?);
    }
    if count > MEMBERS || length > DIRECTORY {
        return Err(ZipError::Damaged("it claims to be larger than is read"));
    }
    let bytes = read_at(file, offset, length).at("read", path)?;
    let mut entries = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let (entry, next) = entry(&bytes, at)?;
        entries.push(entry);
        at = next;
    }
    Ok(entries)
}

fn entry(bytes: &[u8], at: usize) -> Result<(Entry, usize), ZipError> {
    let cut = || ZipError::Damaged("it is cut short");
    let field = |place, length| number(bytes, at + place, length).ok_or_else(cut);
    if field(0, 4)? != 0x0201_4b50 {
        return Err(ZipError::Damaged("a record has another sign"));
    }
    let usize_of = |number: u64| usize::try_from(number).map_err(|_| cut());
    let name_length = usize_of(field(28, 2)?)?;
    let extra_length = usize_of(field(30, 2)?)?;
    let comment_length = usize_of(field(32, 2)?)?;
    let name_at = at + 46;
    let name = bytes.get(name_at..name_at + name_length).ok_or_else(cut)?;
    let name = String::from_utf8_lossy(name).into_owned();
    if leads_out(&name) {
        return Err(ZipError::Path(name));
    }
    let extra_at = name_at + name_length;
    let extra = bytes
        .get(extra_at..extra_at + extra_length)
        .ok_or_else(cut)?;
    let (mut packed, mut size, mut offset) = (field(20, 4)?, field(24, 4)?, field(42, 4)?);
    wide(extra, [&mut size, &mut packed, &mut offset])?;
    let entry = Entry {
        encrypted: field(8, 2)? & 1 == 1,
        method: u16::try_from(field(10, 2)?).unwrap_or(u16::MAX),
        crc: u32::try_from(field(16, 4)?).unwrap_or(0),
        name,
        size,
        packed,
        offset,
    };
    Ok((entry, extra_at + extra_length + comment_length))
}

/// Takes from the zip64 field those numbers that did not fit.
fn wide(extra: &[u8], numbers: [&mut u64; 3]) -> Result<(), ZipError> {
    let mut at = 0;
    while let (Some(kind), Some(length)) = (number(extra, at, 2), number(extra, at + 2, 2)) {
        let mut field = at + 4;
        if kind == 1 {
            for value in numbers {
                if *value == 0xFFFF_FFFF {
                    *value = number(extra, field, 8).ok_or(ZipError::Damaged("it is cut short"))?;
                    field += 8;
                }
            }
            return Ok(());
        }
        at = field + usize::try_from(length).unwrap_or(usize::MAX / 2);
    }
    Ok(())
}

/// Whether a name would lead out of the folder it were unpacked in.
fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\'])
        || name.contains('\0')
        || name.split(['/', '\\']).any(|part| part == "..")
        || matches!(name.get(1..3), Some(":\\" | ":/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_seen() {
        for name in ["../x", "a/../../x", "/etc/passwd", "..\\x", "C:\\x", "a/.."] {
            assert!(leads_out(name), "{name}");
        }
        for name in ["samples/a..b.json", "samples/...", "header.json", "a:b"] {
            assert!(!leads_out(name), "{name}");
        }
    }
}
