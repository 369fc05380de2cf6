//! Reads an evaluation from a file, whatever tool wrote it.
//!
//! | file | room |
//! |---|---|
//! | plain JSON with `summary` and `results`, with or without a birthmark | [`plain`] |
//!
//! # Invariants
//!
//! * Bytes are scanned, not turned into values: a million items take the memory of the file
//!   and tens of megabytes.
//! * What can be survived is survived and said in `notes`; what cannot has a clear word and
//!   the place.
//!
//! # Limitations
//!
//! * A report of more than [`REPORT_LIMIT`] bytes is refused.

mod item;
mod plain;
mod value;

use std::path::Path;

use birthmark_core::evaluation::Evaluation;
use birthmark_core::json;
use birthmark_store::atomic;
use birthmark_store::format::json::REPORT_LIMIT;

use crate::error::{Error, Kind, Result};

/// Reads the evaluation in a file. `None` where the file is no report of any known kind.
pub fn read(path: &Path) -> Result<Option<Evaluation>> {
    let head = birthmark_store::records::peek(path, 4_096)?;
    if json::without_bom(&head).trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    let bytes = atomic::read_limited(path, REPORT_LIMIT as u64)?;
    let report = json::without_bom(&bytes);
    let object = json::scan_object(report).map_err(|error| damaged(path, &error))?;
    Ok(Some(plain::read(report, &object)))
}

fn damaged(path: &Path, error: &json::ScanError) -> Error {
    let name = crate::text::neutral(&path.display().to_string()).into_owned();
    let what = if error.is_cut_short() {
        format!("`{name}` is cut short at byte {}", error.offset)
    } else {
        format!(
            "`{name}` is no JSON: {} (byte {})",
            error.kind, error.offset
        )
    };
    let hint = if error.is_cut_short() {
        "the tool that wrote it did not finish; look for its own log or partial file"
    } else {
        "a report is one JSON object; JSONL files are compared as datasets"
    };
    Error::new(Kind::Damaged, "report", what).with_hint(hint)
}
