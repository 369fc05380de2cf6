//! Tables in Parquet: a birthmark among the key-values of the footer.
//!
//! ```text
//! PAR1  row groups, indexes  footer  length PAR1                          as it was
//! PAR1  row groups, indexes  footer  length PAR1  footer' length' PAR1    with a birthmark
//! ```
//!
//! Readers look at the end of a file and go where its footer sends them. So the file is
//! kept whole and a second footer follows it: the first, byte for byte, with one key more.
//! Cutting the file back to its old length gives the old file, and that this is so is not
//! believed but seen: the second footer must be the first with the birthmark put in.
//!
//! The footer is never parsed into values and written anew. It is walked (`footer`), and
//! the pair is put between two bytes of it; so what other tools keep there (pandas, Arrow's
//! schema, the features of a hub's dataset, fields of later versions) stays as it is.
//!
//! # Invariants
//!
//! * No byte of a row group, an index or a bloom filter is moved.
//! * Memory is that of two footers, whatever the table weighs.
//!
//! # Limitations
//!
//! * A footer of more than [`FOOTER_LIMIT`] is not read.
//! * An encrypted or signed footer is refused: it could not be signed again.
//! * A table whose birthmark was carried on by another tool is unstamped by taking the pair
//!   out; what its bytes were before cannot be known.

mod footer;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::codec::Tee;
use super::keyvalue::{KEY, Standing};
use super::{
    ArtifactFormat, Birthmarks, Each, FormatError, Input, OnExisting, Places, Stamped, Unstamped,
};
use crate::bulk::Output;
use footer::Footer;

/// The largest footer that is read, in bytes: 32 MiB.
pub const FOOTER_LIMIT: u64 = 32 << 20;
/// What a table begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// The same where the footer is encrypted.
const ENCRYPTED: &[u8; 4] = b"PARE";
/// The length of the footer and the magic behind it, in bytes.
const TAIL: u64 = 8;

/// Files of tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parquet;

/// A table as far as its footers tell.
struct Table {
    /// The footer at the end.
    footer: Footer,
    standing: Standing,
    /// Where it begins.
    start: u64,
    /// Bytes of the file.
    size: u64,
    /// The footer before it, where the one at the end is that with our pair put in.
    before: Option<Footer>,
}

impl Table {
    fn read(input: &Input<'_>) -> Result<Self, FormatError> {
        let name = input.name;
        let Some(file) = input.bytes.file() else {
            return Err(FormatError::NoPlace {
                name: name.to_owned(),
                what: "a table cannot be read from a pipe".to_owned(),
            });
        };
        let at = Place { name, file };
        let size = file.metadata().map_err(|error| at.unread(error))?.len();
        if size < 12 || at.bytes(0, 4)? != MAGIC {
            return Err(at.damaged("it does not begin as a table does"));
        }
        let (footer, start) = at.footer(size)?;
        let value = footer
            .value_of(KEY)
            .map_err(|what| at.damaged(what))?
            .map(<[u8]>::to_vec);
        let standing = Standing::of(value.as_deref());
        let before = match &value {
            Some(value) if standing.is_ours() => at.before(&footer, start, value),
            _ => None,
        };
        Ok(Self {
            footer,
            standing,
            start,
            size,
            before,
        })
    }

    /// What is kept of the file, and the footer that is to be put behind it, before any
    /// birthmark is put in.
    fn bare(&self, name: &Path) -> Result<(u64, Option<Footer>), FormatError> {
        if !self.standing.is_ours() {
            return Ok((self.size, None));
        }
        if self.before.is_some() {
            return Ok((self.start, None));
        }
        let footer = self.footer.without(KEY);
        Ok((
            self.start,
            Some(footer.map_err(|what| damaged(name, what))?),
        ))
    }
}

/// A file to read at places of it.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a Path,
    file: &'a File,
}

impl Place<'_> {
    fn damaged(self, what: &str) -> FormatError {
        damaged(self.name, what)
    }

    fn unread(self, source: io::Error) -> FormatError {
        FormatError::Read {
            name: self.name.to_owned(),
            source,
        }
    }

    fn bytes(self, offset: u64, length: usize) -> Result<Vec<u8>, FormatError> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(|error| self.unread(error))?;
        Ok(bytes)
    }

    /// The footer of a table that ends at `end`, and where it begins.
    fn footer(self, end: u64) -> Result<(Footer, u64), FormatError> {
        let tail = self.bytes(end - TAIL, 8)?;
        let (length, magic) = tail.split_at(4);
        if magic == ENCRYPTED {
            return Err(FormatError::NoPlace {
                name: self.name.to_owned(),
                what: "its footer is encrypted".to_owned(),
            });
        }
        if magic != MAGIC {
            return Err(self.damaged("it does not end as a table does"));
        }
        let length = length.try_into().map_or(0, u32::from_le_bytes);
        let length = u64::from(length);
        if length > FOOTER_LIMIT || length + TAIL + 4 > end {
            let but = if length > end {
                format!("and it has {end} in all")
            } else {
                format!("at most {FOOTER_LIMIT} are read")
            };
            let what = format!("it says that its footer has {length} bytes; {but}");
            return Err(self.damaged(&what));
        }
        let start = end - TAIL - length;
        let bytes = self.bytes(start, usize::try_from(length).unwrap_or_default())?;
        let footer = Footer::parse(bytes).map_err(|fault| {
            let byte = start + fault.at as u64;
            self.damaged(&format!("its footer, byte {byte}: {}", fault.what))
        })?;
        if footer.is_sealed() {
            return Err(FormatError::NoPlace {
                name: self.name.to_owned(),
                what: "it is encrypted, or its footer is signed".to_owned(),
            });
        }
        Ok((footer, start))
    }

    /// The footer that ends where this one begins, if this one is that with our pair.
    fn before(self, footer: &Footer, start: u64, value: &[u8]) -> Option<Footer> {
        if start < TAIL + 8 {
            return None;
        }
        let (before, _) = self.footer(start).ok()?;
        let again = before.with(KEY, value).ok()?;
        (again.bytes() == footer.bytes()).then_some(before)
    }
}

fn damaged(name: &Path, what: &str) -> FormatError {
    FormatError::Damaged {
        name: name.to_owned(),
        what: what.to_owned(),
    }
}

/// Copies the first bytes of a table.
fn copy(input: &mut Input<'_>, length: u64, tee: &mut Tee<'_>) -> Result<(), FormatError> {
    let name = input.name;
    let mut buffer = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let want = usize::try_from(left.min(buffer.len() as u64)).unwrap_or_default();
        let piece = buffer.get_mut(..want).unwrap_or_default();
        let bytes: &mut dyn Read = &mut *input.bytes;
        bytes
            .read_exact(piece)
            .map_err(|source| FormatError::Read {
                name: name.to_owned(),
                source,
            })?;
        tee.write_all(piece)
            .map_err(|error| unwritten(name, error))?;
        left -= want as u64;
    }
    Ok(())
}

fn unwritten(name: &Path, source: io::Error) -> FormatError {
    FormatError::Write {
        name: name.to_owned(),
        source,
    }
}

/// Ends a table with a footer.
fn end(name: &Path, footer: &Footer, tee: &mut Tee<'_>) -> Result<(), FormatError> {
    let length = u32::try_from(footer.bytes().len())
        .ok()
        .filter(|length| u64::from(*length) <= FOOTER_LIMIT);
    let Some(length) = length else {
        return Err(FormatError::NoPlace {
            name: name.to_owned(),
            what: "its footer would be too large".to_owned(),
        });
    };
    tee.write_all(footer.bytes())
        .and_then(|()| tee.write_all(&length.to_le_bytes()))
        .and_then(|()| tee.write_all(MAGIC))
        .map_err(|error| unwritten(name, error))
}

impl ArtifactFormat for Parquet {
    fn read(&self, input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError> {
        Ok(Table::read(&input)?.standing.hand_over(each))
    }

    fn stamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError> {
        let name = input.name;
        let table = Table::read(&input)?;
        let next = table.standing.next(name, birthmarks, existing)?;
        let mut places = Places::default();
        let mut tee = Tee::new(output).map_err(|error| unwritten(name, error))?;
        let mut content_digest = None;
        if let Some((mark, placed)) = next {
            places.count(placed);
            let (kept, footer) = table.bare(name)?;
            let older = footer.as_ref().or(table.before.as_ref());
            let footer = older.unwrap_or(&table.footer).with(KEY, &mark);
            let footer = footer.map_err(|what| damaged(name, what))?;
            copy(&mut input, kept, &mut tee)?;
            if places.replaced == 0 {
                content_digest = Some(tee.digest());
            }
            end(name, &footer, &mut tee)?;
        } else {
            places.kept += 1;
            copy(&mut input, table.size, &mut tee)?;
        }
        let (size, digest) = tee.finish().map_err(|error| unwritten(name, error))?;
        Ok(Stamped {
            places,
            size,
            digest,
            content_digest,
        })
    }

    fn unstamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
    ) -> Result<Unstamped, FormatError> {
        let name = input.name;
        let table = Table::read(&input)?;
        let (kept, bare) = table.bare(name)?;
        let mut tee = Tee::new(output).map_err(|error| unwritten(name, error))?;
        copy(&mut input, kept, &mut tee)?;
        if let Some(footer) = bare {
            end(name, &footer, &mut tee)?;
        }
        let (size, digest) = tee.finish().map_err(|error| unwritten(name, error))?;
        Ok(Unstamped {
            records: 1,
            removed: u64::from(table.standing.is_ours()),
            foreign: 0,
            replaced: table.standing.replaces().then_some(1),
            size,
            digest,
        })
    }
}
