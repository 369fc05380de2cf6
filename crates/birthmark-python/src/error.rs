//! The only place where a Rust error becomes a Python exception.

use birthmark::{Error, Kind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Turns the hall's results into Python's.
pub(crate) trait IntoPyResult<T> {
    /// The value, or the exception of `birthmark.errors` that fits.
    fn into_py_result(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> IntoPyResult<T> for Result<T, Error> {
    fn into_py_result(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let class = match (error.kind(), error.code()) {
        (_, "file-exists") => "ArtifactExistsError",
        (Kind::Usage, _) => "UsageError",
        (Kind::Refused, _) => "RefusedError",
        (Kind::Io, _) => "StoreError",
        (Kind::Damaged, _) => "DamagedError",
    };
    let made = py
        .import("birthmark.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((error.whole(), error.code(), error.hint())));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => PyRuntimeError::new_err(error.whole()),
    }
}
