//! The birthmark of a file, a folder or one record, wherever it stands.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::json::ScanErrorKind;
use birthmark_store::atomic::{self, PathContext};
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{FileKind, FormatError, Input, format_of};
use birthmark_store::{Layout, PathError};

use crate::error::{Error, Kind, Result};
use crate::text;
use crate::weights;

/// Reads the birthmark of `path`: of record `line` (from 1) of a JSONL file, of its first
/// record, of a report, or of the sidecar. `None` when there is none; an error where the file
/// has no such line.
pub fn read(path: &Path, line: Option<u64>) -> Result<Option<Fields>> {
    let found = std::fs::metadata(path).at("read", path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(atomic::not_a_file())
            .at("read", path)
            .map_err(Error::from);
    }
    let place = Layout::sidecar(path);
    let beside = line.is_none() && place.exists();
    match within(path, line) {
        Ok(Some(text)) => return parse(path, &text).map(Some),
        // What cannot be read is stamped by sidecar.
        Err(error) if !beside => return Err(error),
        Ok(None) | Err(_) => {}
    }
    if !beside {
        return weights::damaged(path).map_or(Ok(None), |error| Err(damaged(error)));
    }
    let sidecar = Sidecar::read(&place).map_err(|source| {
        Error::new(Kind::Damaged, "sidecar", source.to_string()).with_source(source)
    })?;
    parse(&place, &sidecar.birthmark).map(Some)
}

/// Whether a file carries a birthmark within: its first record, where it has records.
pub(crate) fn carries(path: &Path) -> bool {
    matches!(within(path, None), Ok(Some(_)))
}

fn within(path: &Path, line: Option<u64>) -> Result<Option<Vec<u8>>> {
    let Some(format) = format_of(path).filter(|_| path.is_file()) else {
        return Ok(None);
    };
    let mut file = atomic::open_regular(path).at("read", path)?;
    let mut found = Ok(None);
    let wanted = line.unwrap_or(1);
    let (mut met, mut last) = (false, 0);
    let result = format.read(
        Input {
            name: path,
            bytes: &mut file,
        },
        &mut |mark| match mark {
            Ok(mark) if mark.line == wanted => {
                met = true;
                found = Ok(mark.value().map(<[u8]>::to_vec));
                false
            }
            Ok(mark) => {
                last = mark.line;
                true
            }
            Err(error) => {
                met = true;
                found = Err(error);
                false
            }
        },
    );
    let has_records = FileKind::of(path).is_some_and(FileKind::has_records);
    // A list is sound JSON, and no report of ours.
    if let Err(FormatError::NotJson { source, .. }) = &found
        && source.kind == ScanErrorKind::NotAnObject
        && !has_records
    {
        return Ok(None);
    }
    result.map_err(damaged)?;
    if let Some(line) = line.filter(|_| has_records && !met)
        && (line > last || line == 0)
    {
        return Err(no_line(path, line, last));
    }
    found.map_err(damaged)
}

/// The error of a file that cannot be read as what its name says.
fn damaged(error: impl Into<Error>) -> Error {
    let told = error.into();
    let whole = Error::new(Kind::Damaged, "format", told.to_string());
    match told.hint() {
        Some(hint) => whole.with_hint(hint),
        None => whole,
    }
}

fn no_line(path: &Path, line: u64, last: u64) -> Error {
    let has = text::count(last, "line");
    let message = format!("`{}` has no line {line}", path.display());
    Error::usage("line", message).with_hint(format!("it has {has}; the first is 1"))
}

fn parse(path: &Path, text: &[u8]) -> Result<Fields> {
    serde_json::from_slice(text).map_err(|source| {
        let error = PathError {
            action: "read the birthmark of",
            path: path.to_owned(),
            source: std::io::Error::other(source),
        };
        Error::from(error)
    })
}
