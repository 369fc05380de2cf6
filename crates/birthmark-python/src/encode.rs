//! The record encoder: a Python object as the JSON that `json.dumps` writes.
//!
//! A training script that changes from `json.dumps` to Birthmark must find the
//! same bytes in its file, so the oracle is Python itself: separators `", "` and
//! `": "`, its escapes, its float digits, `NaN` spelled its way, and its order of
//! asking (a subclass of `str` is a string, one of `dict` is asked for its items).
//! What `json.dumps` refuses is taken where there is one obvious way to write it
//! (NumPy and Torch values, paths, dates, dataclasses, ...: see [`other`]), and is
//! refused with the place inside the record otherwise. Nothing is ever imported
//! to find that out.
//!
//! # Invariants
//!
//! * On an error the buffer is as it was before the call.
//! * What `json.dumps(value)` writes is written, byte for byte. With
//!   `ensure_ascii` off this is its text in UTF-8, and a lone surrogate, which
//!   UTF-8 cannot hold, stays escaped.
//! * User code (`to_dict`, `items`, `__iter__`) may change the objects that are
//!   being written: what is being walked is held, so this is never unsound.
//!
//! # Limitations
//!
//! * Nesting stops where Python's own recursion limit does, and at
//!   [`MAX_DEPTH`] levels where that limit was raised.
//! * Python keeps the UTF-8 form of a string that is not ASCII beside it, for as
//!   long as the string lives.
//! * An integer of more digits than `sys.get_int_max_str_digits()` is refused, as
//!   `json.dumps` does.

mod number;
mod other;
mod plain;
mod raw;
mod text;
mod walk;

use std::ops::Range;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use walk::Encoder;

/// Levels of nesting that are written at most, whatever Python's limit is.
pub(crate) const MAX_DEPTH: usize = 10_000;

/// What to do with the floats that JSON has no number for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NanMode {
    /// Write `NaN`, `Infinity`, `-Infinity` as Python does, and count them.
    #[default]
    Keep,
    /// Raise `ValueError` with the place.
    Error,
    /// Write `null`, and count them.
    Null,
    /// Write their names as texts, `"NaN"`, and count them.
    Text,
}

impl NanMode {
    /// Reads the word that users pass: `keep`, `error` or `null`.
    pub(crate) fn parse(word: &str) -> PyResult<Self> {
        match word {
            "keep" => Ok(Self::Keep),
            "error" => Ok(Self::Error),
            "null" => Ok(Self::Null),
            _ => Err(PyValueError::new_err(format!(
                "nan must be \"keep\", \"error\" or \"null\", not {word:?}"
            ))),
        }
    }
}

/// How to write, and what to call the value in errors.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Write every character beyond ASCII as `\uXXXX`.
    pub(crate) ensure_ascii: bool,
    /// What becomes of `NaN` and the infinities.
    pub(crate) nan: NanMode,
    /// The name that paths in messages start with: `record`, `params`, ...
    pub(crate) root: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ensure_ascii: true,
            nan: NanMode::Keep,
            root: "record",
        }
    }
}

/// What was seen while writing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    /// How many floats were `NaN` or infinite.
    pub(crate) nan_count: usize,
    /// Where the first of them stand, as `record["loss"][3]`.
    pub(crate) nan_paths: Vec<String>,
    /// Where the value of the top level's own `metadata` lies in the buffer, if
    /// there is such a key (the last, as readers take it).
    pub(crate) metadata: Option<Range<usize>>,
}

/// Appends `value` to `out` as one JSON value of any type, with no line end.
pub(crate) fn encode_value(
    value: &Bound<'_, PyAny>,
    options: &Options,
    out: &mut Vec<u8>,
) -> PyResult<Encoded> {
    let start = out.len();
    let result = Encoder::new(value.py(), options, out).run(value);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends `record` to `out` as one JSON object, with no line end.
///
/// Raises `TypeError` if it does not become an object.
pub(crate) fn encode_record(
    record: &Bound<'_, PyAny>,
    options: &Options,
    out: &mut Vec<u8>,
) -> PyResult<Encoded> {
    let start = out.len();
    let encoded = encode_value(record, options, out)?;
    if out.get(start) == Some(&b'{') {
        return Ok(encoded);
    }
    out.truncate(start);
    Err(PyTypeError::new_err(format!(
        "a {} must be a dict, or something that becomes a JSON object, not {}",
        options.root,
        other::article(&record.get_type())
    )))
}

/// `_encode(obj, ensure_ascii=True, nan="keep")`: `obj` as JSON bytes.
#[pyfunction]
#[pyo3(name = "_encode", signature = (obj, ensure_ascii = true, nan = "keep"))]
pub(crate) fn encode_to_bytes<'py>(
    obj: &Bound<'py, PyAny>,
    ensure_ascii: bool,
    nan: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let options = Options {
        ensure_ascii,
        nan: NanMode::parse(nan)?,
        root: "value",
    };
    let mut out = Vec::with_capacity(1024);
    encode_value(obj, &options, &mut out)?;
    Ok(PyBytes::new(obj.py(), &out))
}

/// What `_encode_record` gives: bytes, count and places of NaN, range of `metadata`.
type Report<'py> = (
    Bound<'py, PyBytes>,
    usize,
    Vec<String>,
    Option<(usize, usize)>,
);

/// `_encode_record(obj, ensure_ascii=True, nan="keep")`: the JSON object and what
/// was seen while writing it.
#[pyfunction]
#[pyo3(name = "_encode_record", signature = (obj, ensure_ascii = true, nan = "keep"))]
pub(crate) fn encode_record_to_bytes<'py>(
    obj: &Bound<'py, PyAny>,
    ensure_ascii: bool,
    nan: &str,
) -> PyResult<Report<'py>> {
    let options = Options {
        ensure_ascii,
        nan: NanMode::parse(nan)?,
        root: "record",
    };
    let mut out = Vec::with_capacity(1024);
    let seen = encode_record(obj, &options, &mut out)?;
    let metadata = seen.metadata.map(|range| (range.start, range.end));
    Ok((
        PyBytes::new(obj.py(), &out),
        seen.nan_count,
        seen.nan_paths,
        metadata,
    ))
}
