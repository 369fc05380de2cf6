//! Python values to core values.

use std::path::{Path, PathBuf};

use birthmark::Error;
use birthmark_capture::redact::Redactor;
use birthmark_core::Fields;
use birthmark_store::records::Mode;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::Value;

use crate::encode::{self, NanMode, Options};
use crate::error::IntoPyResult;

/// A dict of fields given at an opening. NaN is an error here: nothing is lost by saying so.
pub(crate) fn fields(value: &Bound<'_, PyDict>) -> PyResult<Fields> {
    let mut text = Vec::new();
    let options = Options {
        ensure_ascii: true,
        nan: NanMode::Error,
        root: "params",
    };
    encode::encode_record(value.as_any(), &options, &mut text)?;
    serde_json::from_slice(&text)
        .map_err(|source| Error::usage("fields", "cannot take these fields").with_source(source))
        .into_py_result(value.py())
}

/// Core fields as a Python dict, through `json.loads`, so that numbers are Python's.
pub(crate) fn to_python<'py>(py: Python<'py>, fields: Fields) -> PyResult<Bound<'py, PyAny>> {
    let text = Value::Object(fields).to_string();
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

/// A path against the folder it was given in.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The fields of one record, each as JSON text.
#[derive(Default)]
pub(crate) struct RecordFields {
    texts: Vec<u8>,
    names: Vec<(String, usize)>,
    /// Why some of them are null.
    pub(crate) reasons: Vec<(String, String)>,
}

impl RecordFields {
    /// Takes the keyword arguments of a `write`. What is NaN becomes null, with its reason; text is
    /// redacted.
    pub(crate) fn take(&mut self, given: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.texts.clear();
        self.names.clear();
        self.reasons.clear();
        let Some(given) = given else { return Ok(()) };
        let options = Options {
            ensure_ascii: true,
            nan: NanMode::Null,
            root: "field",
        };
        for (name, value) in given {
            let name = name.cast_into::<PyString>()?.to_string();
            let start = self.texts.len();
            let seen = encode::encode_value(&value, &options, &mut self.texts)?;
            if seen.nan_count > 0 {
                self.reasons
                    .push((name.clone(), "it was NaN or infinite".to_owned()));
            }
            if matches!(self.texts.get(start), Some(b'"' | b'{' | b'[')) {
                self.redact(&name, start);
            }
            self.names.push((name, self.texts.len()));
        }
        Ok(())
    }

    fn redact(&mut self, name: &str, start: usize) {
        if let Ok(value) = serde_json::from_slice::<Value>(&self.texts[start..]) {
            let mut named = Value::Object(Fields::from_iter([(name.to_owned(), value.clone())]));
            Redactor::default().json(&mut named);
            if named[name] != value {
                self.texts.truncate(start);
                self.texts
                    .extend_from_slice(named[name].to_string().as_bytes());
            }
        }
    }

    /// Names and texts.
    pub(crate) fn list(&self) -> Vec<(&str, &[u8])> {
        let mut start = 0;
        let mut list = Vec::with_capacity(self.names.len());
        for (name, end) in &self.names {
            list.push((name.as_str(), &self.texts[start..*end]));
            start = *end;
        }
        list
    }
}
