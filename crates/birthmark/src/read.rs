//! The birthmark of a file, a folder or one record, wherever it stands.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{FormatError, Input, format_of};
use birthmark_store::{Layout, PathError, atomic::PathContext};

use crate::error::{Error, Kind, Result};

/// Reads the birthmark of `path`: of record `line` (from 1) of a JSONL file, of its first
/// record, of a report, or of the sidecar. `None` when there is none.
pub fn read(path: &Path, line: Option<u64>) -> Result<Option<Fields>> {
    std::fs::symlink_metadata(path).at("read", path)?;
    let place = Layout::sidecar(path);
    let beside = line.is_none() && place.exists();
    match within(path, line) {
        Ok(Some(text)) => return parse(path, &text).map(Some),
        // What cannot be read is stamped by sidecar.
        Err(error) if !beside => return Err(error),
        Ok(None) | Err(_) => {}
    }
    if !beside {
        return Ok(None);
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
    let mut file = birthmark_store::atomic::open_regular(path).at("read", path)?;
    let mut found = Ok(None);
    let wanted = line.unwrap_or(1);
    let result = format.read(
        Input {
            name: path,
            bytes: &mut file,
        },
        &mut |mark| match mark {
            Ok(mark) if mark.line == wanted => {
                found = Ok(mark.value().map(<[u8]>::to_vec));
                false
            }
            Ok(_) => true,
            Err(error) => {
                found = Err(error);
                false
            }
        },
    );
    let damaged = |error: FormatError| {
        Error::new(Kind::Damaged, "format", error.to_string()).with_source(error)
    };
    result.map_err(damaged)?;
    found.map_err(damaged)
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
