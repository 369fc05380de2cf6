//! Reads an evaluation from a file, whatever tool wrote it.
//!
//! | file | room |
//! |---|---|
//! | plain JSON with `summary` and `results`, with or without a birthmark | `plain` |
//! | results of lm-evaluation-harness, with the samples beside them | `lm_eval` |
//! | logs of Inspect, JSON and `.eval` | `inspect` |
//! | `trainer_state.json` of Hugging Face | `trainer` |
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

mod inspect;
mod item;
mod lm_eval;
mod plain;
mod trainer;
mod value;

use std::path::Path;

use birthmark_core::evaluation::Evaluation;
use birthmark_core::json;
use birthmark_store::atomic;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::zip::ZipError;

use crate::error::{Error, Kind, Result};

pub(crate) use item::{first_bits, id_text};

/// Reads the evaluation in a file. `None` where the file is no report of any known kind.
pub fn read(path: &Path) -> Result<Option<Evaluation>> {
    let head = birthmark_store::records::peek(path, 4_096)?;
    if head.starts_with(b"PK") {
        return inspect::read_zip(path).map(Some);
    }
    if json::without_bom(&head).trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    let bytes = atomic::read_limited(path, REPORT_LIMIT as u64)?;
    let report = json::without_bom(&bytes);
    let object = json::scan_object(report).map_err(|error| damaged(path, &error))?;
    Ok(Some(if inspect::is_log(report) {
        inspect::read(report)
    } else if lm_eval::is_results(report) {
        lm_eval::read(path, report)?
    } else if trainer::is_state(report) {
        trainer::read(report)
    } else {
        plain::read(report, &object)
    }))
}

/// Whether a file has the look of a report: one JSON object, or a zip.
pub fn is_report(path: &Path) -> Result<bool> {
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    if ending.is_some_and(|ending| ending == "jsonl" || ending == "ndjson") {
        return Ok(false);
    }
    let head = birthmark_store::records::peek(path, 4_096)?;
    let zipped = head.starts_with(b"PK") && path.extension().is_some_and(|one| one == "eval");
    Ok(zipped || json::without_bom(&head).trim_ascii_start().first() == Some(&b'{'))
}

fn zip_error(path: &Path, error: &ZipError) -> Error {
    let name = crate::text::neutral(&path.display().to_string()).into_owned();
    let what = crate::text::neutral(&error.to_string()).into_owned();
    let message = format!("cannot read `{name}`: {what}");
    let refused = Error::new(Kind::Damaged, "report", message);
    match error {
        ZipError::NoEnd => {
            refused.with_hint("the log was cut short; `inspect log recover` may save its samples")
        }
        ZipError::Path(_) => refused.with_hint("no tool writes such a file; do not unpack it"),
        _ => refused,
    }
}

/// Notes a time that names no zone.
fn naive(evaluation: &mut Evaluation, time: &str) {
    let clock = time.get(10..).unwrap_or_default();
    if !clock.is_empty() && !clock.contains(['Z', 'z', '+', '-']) {
        evaluation
            .problems
            .push(format!("its time {time} names no zone"));
    }
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
