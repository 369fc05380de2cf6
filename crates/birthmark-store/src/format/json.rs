//! A JSON report: one object a file, its birthmark as top-level `metadata`.
//!
//! The birthmark becomes the last member. Where the report has its members on
//! lines of their own, so has the birthmark, indented alike; not one byte of the
//! rest changes.
//!
//! # Limitations
//!
//! * A report is held in memory, and may be [`REPORT_LIMIT`] bytes long.

use std::io::Read;

use birthmark_core::json::{self, BOM, StampError, Where, without_bom};

use super::replaced::replaces;
use super::{
    ArtifactFormat, Birthmarks, Each, FormatError, Input, Mark, OnExisting, Placed, Places,
    Stamped, Unstamped,
};
use crate::bulk::Output;
use crate::digest::digest_bytes;

/// The longest report that is read, in bytes: 1 GiB.
pub const REPORT_LIMIT: usize = 1 << 30;

/// Files that are one JSON object.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// The longest report that is read, in bytes.
    pub limit: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            limit: REPORT_LIMIT,
        }
    }
}

impl Report {
    fn bytes(self, input: &mut Input<'_>) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::new();
        let mut limited = Read::take(&mut *input.bytes, self.limit as u64 + 1);
        let name = || input.name.to_owned();
        limited
            .read_to_end(&mut bytes)
            .map_err(|source| FormatError::Read {
                name: name(),
                source,
            })?;
        if bytes.len() > self.limit {
            return Err(FormatError::TooLong {
                name: name(),
                line: 1,
                offset: 0,
                limit: self.limit,
            });
        }
        Ok(bytes)
    }
}

/// A fault of the report, with the line that it stands on.
fn fault(input: &Input<'_>, report: &[u8], offset: usize, error: StampError) -> FormatError {
    let at = match &error {
        StampError::Scan(error) => error.offset,
        _ => 0,
    };
    let before = report.get(..at).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    FormatError::of_record(input.name, line, offset as u64, error)
}

impl ArtifactFormat for Report {
    fn read(&self, mut input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError> {
        let bytes = self.bytes(&mut input)?;
        let record = without_bom(&bytes);
        let offset = bytes.len() - record.len();
        each(match json::find_birthmark(record) {
            Ok(place) => Ok(Mark {
                line: 1,
                offset: offset as u64,
                record,
                place,
                changes: None,
            }),
            Err(error) => Err(fault(&input, record, offset, error.into())),
        });
        Ok(1)
    }

    fn stamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError> {
        let bytes = self.bytes(&mut input)?;
        let record = without_bom(&bytes);
        let offset = bytes.len() - record.len();
        let mut birthmark = Vec::new();
        birthmarks.write(1, record, &mut birthmark);
        let mut out = bytes.get(..offset).unwrap_or_default().to_vec();
        let how = json::stamp_report(&mut out, record, &birthmark, existing)
            .map_err(|error| fault(&input, record, offset, error))?;
        write(&input, output, &out)?;
        let undoable = !matches!(how, Placed::Replaced | Placed::Kept);
        let content_digest = undoable.then(|| digest_bytes(&bytes));
        let mut places = Places::default();
        places.count(how);
        let (size, digest) = (out.len() as u64, digest_bytes(&out));
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
        let bytes = self.bytes(&mut input)?;
        let record = without_bom(&bytes);
        let offset = bytes.len() - record.len();
        let mut out = if offset > 0 { BOM.to_vec() } else { Vec::new() };
        let place = json::unstamp_record(&mut out, record)
            .map_err(|error| fault(&input, record, offset, error))?;
        write(&input, output, &out)?;
        Ok(Unstamped {
            records: 1,
            removed: u64::from(place.is_ours()),
            foreign: u64::from(matches!(place, Where::Foreign(_))),
            replaced: replaces(record, &place).then_some(1),
            size: out.len() as u64,
            digest: digest_bytes(&out),
        })
    }
}

fn write(input: &Input<'_>, output: &mut dyn Output, bytes: &[u8]) -> Result<(), FormatError> {
    let name = || input.name.to_owned();
    output
        .write_all(bytes)
        .map_err(|source| FormatError::Write {
            name: name(),
            source,
        })
}
