//! Python values to core values.

use std::path::{Path, PathBuf};

use birthmark::Error;
use birthmark_capture::process;
use birthmark_core::Fields;
use birthmark_core::json::{self, OnExisting};
use birthmark_store::records::Mode;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::Value;

use crate::encode::{self, NanMode, Options};
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;

/// What is done with birthmarks that are there: `error`, `merge`, `replace` or `keep`.
pub(crate) fn on_existing(word: &str) -> PyResult<OnExisting> {
    word.parse::<OnExisting>().map_err(PyValueError::new_err)
}

/// A dict of fields given at an opening. What JSON has no number for is kept by its name: the
/// default of an option that nobody gave ends no run before it began.
pub(crate) fn fields(value: &Bound<'_, PyDict>) -> PyResult<Fields> {
    let mut text = Vec::new();
    let options = Options {
        ensure_ascii: true,
        nan: NanMode::Text,
        root: "params",
    };
    encode::encode_record(value.as_any(), &options, &mut text)?;
    let taken = serde_json::from_slice(&text);
    if taken.is_err() {
        refuse_halves(value, &options)?;
    }
    let taken = taken
        .map_err(|source| Error::usage("fields", "cannot take these fields").with_source(source))
        .into_py_result(value.py())?;
    for (name, value) in json::members(&text) {
        let name = json::as_text_lossy(name).unwrap_or_default();
        refuse_unreadable(options.root, &name, value)?;
    }
    Ok(taken)
}

/// What no birthmark can hold, though Python can spell it: a key twice (`1` and `"1"`), more
/// levels than are read.
fn refuse_unreadable(root: &str, name: &str, text: &[u8]) -> PyResult<()> {
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return Ok(());
    }
    let mut within = b"{\"value\":".to_vec();
    within.extend_from_slice(text);
    within.push(b'}');
    json::check_envelope(&within)
        .map_err(|error| PyValueError::new_err(format!("{root}[{name:?}]: {error}")))
}

/// Names the field that Python can spell and a journal cannot keep: half a surrogate pair is
/// no text.
fn refuse_halves(value: &Bound<'_, PyDict>, options: &Options) -> PyResult<()> {
    for (name, value) in value {
        let mut text = Vec::new();
        encode::encode_value(&value, options, &mut text)?;
        if serde_json::from_slice::<Value>(&text).is_err() {
            return Err(PyValueError::new_err(format!(
                "{}[{}]: half a surrogate pair (as of `surrogateescape`) is no text, or it is \
                 nested too deep",
                options.root,
                name.repr()?,
            )));
        }
    }
    Ok(())
}

/// The fields that a user gave to an artifact, and why some are null, as the hall takes them:
/// reserved names are refused, secrets are taken out.
pub(crate) fn given(
    py: Python<'_>,
    value: &Bound<'_, PyDict>,
    reasons: &Bound<'_, PyDict>,
    fill: impl FnOnce(&mut Fields) -> birthmark::error::Result<()> + Send,
) -> PyResult<Fields> {
    let mut given = fields(value)?;
    birthmark::session::refuse_reserved(&given).into_py_result(py)?;
    interruptible(py, || fill(&mut given))?.into_py_result(py)?;
    for (name, reason) in &fields(reasons)? {
        let reason = reason.as_str().unwrap_or_default();
        birthmark_core::birthmark::note_unknown(&mut given, name, reason);
    }
    let mut value = Value::Object(given);
    process::redactor().json(&mut value);
    match value {
        Value::Object(given) => Ok(given),
        _ => Ok(Fields::new()),
    }
}

/// Core fields as a Python dict, through `json.loads`, so that numbers are Python's.
pub(crate) fn to_python(py: Python<'_>, fields: Fields) -> PyResult<Bound<'_, PyAny>> {
    value_to_python(py, &Value::Object(fields))
}

/// A core value as a Python one.
pub(crate) fn value_to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let text = value.to_string();
    py.import("json")?.getattr("loads")?.call1((text,))
}

/// `"x"`, `"w"` or `"a"`, as in `open()`.
pub(crate) fn mode(word: &str) -> PyResult<Mode> {
    match word {
        "x" => Ok(Mode::New),
        "w" => Ok(Mode::Anew),
        "a" => Ok(Mode::GoOn),
        _ => Err(PyValueError::new_err(format!(
            "mode must be \"x\", \"w\" or \"a\", not {word:?}"
        ))),
    }
}

/// The same error with the name of the keyword argument that it is about.
fn naming(name: &Bound<'_, PyString>, error: PyErr) -> PyErr {
    let py = name.py();
    let text = error.value(py).to_string();
    match text.strip_prefix("field") {
        Some(rest) if error.is_instance_of::<PyTypeError>(py) => {
            PyTypeError::new_err(format!("{name}{rest}"))
        }
        Some(rest) if error.is_instance_of::<PyValueError>(py) => {
            PyValueError::new_err(format!("{name}{rest}"))
        }
        _ => error,
    }
}

/// A path against the folder it was given in.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The fields of one record, each as JSON text. Used again for every record.
#[derive(Default)]
pub(crate) struct RecordFields {
    texts: Vec<u8>,
    /// Each name, and where its text ends. Only the first `len` are of this record.
    names: Vec<(String, usize)>,
    len: usize,
    /// Why some of them are null.
    pub(crate) reasons: Vec<(String, String)>,
}

/// Fields of one record that are listed without an allocation.
const FEW: usize = 8;

impl RecordFields {
    /// Takes the keyword arguments of a `write`. What is NaN becomes null, with its reason; text is
    /// redacted.
    pub(crate) fn take(&mut self, given: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.texts.clear();
        self.len = 0;
        self.reasons.clear();
        let Some(given) = given else { return Ok(()) };
        let options = Options {
            ensure_ascii: true,
            nan: NanMode::Null,
            root: "field",
        };
        for (name, value) in given {
            let name = name.cast_into::<PyString>()?;
            let start = self.texts.len();
            let seen = encode::encode_value(&value, &options, &mut self.texts)
                .map_err(|error| naming(&name, error))?;
            refuse_unreadable(options.root, &name.to_cow()?, &self.texts[start..])?;
            self.push(&name.to_cow()?);
            if seen.nan_count > 0 {
                self.explain();
            }
            if matches!(self.texts.get(start), Some(b'"' | b'{' | b'[')) {
                self.redact(start);
            }
        }
        Ok(())
    }

    /// Takes the next name for the text at the end.
    fn push(&mut self, name: &str) {
        let end = self.texts.len();
        match self.names.get_mut(self.len) {
            Some((known, old)) => {
                if known != name {
                    name.clone_into(known);
                }
                *old = end;
            }
            None => self.names.push((name.to_owned(), end)),
        }
        self.len += 1;
    }

    /// The last field is null, or holds a null, since it was no number.
    fn explain(&mut self) {
        if let Some((name, _)) = self.names.get(self.len - 1) {
            let reason = "it was NaN or infinite".to_owned();
            self.reasons.push((name.clone(), reason));
        }
    }

    /// Takes secrets out of the last field. Where a text cannot be taken apart (half a surrogate
    /// pair, deep nesting) and something in it looks like a secret, all of it becomes null.
    fn redact(&mut self, start: usize) {
        let Some((name, end)) = self.names.get_mut(self.len - 1) else {
            return;
        };
        let raw = &self.texts[start..];
        let text = if let Ok(value) = serde_json::from_slice::<Value>(raw) {
            let mut named = Value::Object(Fields::from_iter([(name.clone(), value.clone())]));
            process::redactor().json(&mut named);
            let clean = &named[name.as_str()];
            (*clean != value).then(|| clean.to_string())
        } else {
            let text = String::from_utf8_lossy(raw);
            let secret = process::redactor().named(name, &text) != text;
            secret.then(|| {
                let reason = "a secret stood in it, and it could not be taken apart";
                self.reasons.push((name.clone(), reason.to_owned()));
                "null".to_owned()
            })
        };
        if let Some(text) = text {
            self.texts.truncate(start);
            self.texts.extend_from_slice(text.as_bytes());
            *end = self.texts.len();
        }
    }

    /// Hands names and texts to `use_them`.
    pub(crate) fn with_list<T>(&self, use_them: impl FnOnce(&[(&str, &[u8])]) -> T) -> T {
        let mut start = 0;
        let fields = self.names[..self.len].iter().map(|(name, end)| {
            let text = &self.texts[start..*end];
            start = *end;
            (name.as_str(), text)
        });
        if self.len > FEW {
            return use_them(&fields.collect::<Vec<_>>());
        }
        let mut few: [(&str, &[u8]); FEW] = [("", b""); FEW];
        few.iter_mut()
            .zip(fields)
            .for_each(|(place, field)| *place = field);
        use_them(&few[..self.len])
    }
}
