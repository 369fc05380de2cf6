//! The class behind a report that is made item by item.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::encode::{self, NanMode, Options};
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;

/// A report being made.
#[pyclass(module = "birthmark._native", frozen, subclass)]
pub(crate) struct Report {
    inner: birthmark::report::Report,
    ensure_ascii: bool,
    nan: Mutex<NanSeen>,
}

/// What was NaN or infinite so far.
#[derive(Default)]
struct NanSeen {
    count: usize,
    paths: Vec<String>,
}

impl Report {
    pub(crate) fn new(inner: birthmark::report::Report, ensure_ascii: bool) -> Self {
        Self {
            inner,
            ensure_ascii,
            nan: Mutex::default(),
        }
    }

    fn nan(&self) -> MutexGuard<'_, NanSeen> {
        self.nan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spell(&self, value: &Bound<'_, PyAny>, root: &'static str) -> PyResult<Vec<u8>> {
        let options = Options {
            ensure_ascii: self.ensure_ascii,
            nan: NanMode::Keep,
            root,
        };
        let mut text = Vec::new();
        let seen = encode::encode_record(value, &options, &mut text)?;
        if seen.nan_count > 0 {
            let mut nan = self.nan();
            nan.count += seen.nan_count;
            nan.paths.extend(seen.nan_paths);
            nan.paths.truncate(3);
        }
        Ok(text)
    }
}

#[pymethods]
impl Report {
    /// Takes over what `Session.begin_report` opened.
    #[new]
    fn over(opened: &Self) -> Self {
        Self::new(opened.inner.clone(), opened.ensure_ascii)
    }

    /// The report's file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().to_owned()
    }

    /// Items so far.
    #[getter]
    fn count(&self) -> u64 {
        self.inner.count()
    }

    /// Values that were NaN or infinite so far.
    #[getter]
    fn nan_count(&self) -> usize {
        self.nan().count
    }

    /// Where the first of them stood.
    #[getter]
    fn nan_paths(&self) -> Vec<String> {
        self.nan().paths.clone()
    }

    /// Adds one item.
    #[pyo3(signature = (item, /))]
    fn add(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = self.spell(item, "item")?;
        py.detach(|| self.inner.add(&text)).into_py_result(py)
    }

    /// The JSON texts of a key's values in the items that are there.
    fn done<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyList>> {
        let part = self.inner.part().to_owned();
        let texts =
            interruptible(py, || birthmark::records::values_of(&part, key))?.into_py_result(py)?;
        PyList::new(py, texts)
    }

    /// Items so far as JSON texts, without their birthmarks.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let part = self.inner.part().to_owned();
        let texts =
            interruptible(py, || birthmark::records::clean_lines(&part))?.into_py_result(py)?;
        PyList::new(py, texts)
    }

    /// Puts the report together.
    fn finish(&self, py: Python<'_>, head: &Bound<'_, PyDict>) -> PyResult<()> {
        let head = self.spell(head.as_any(), "report")?;
        py.detach(|| self.inner.finish(&head)).into_py_result(py)
    }

    /// Leaves the items for a later run.
    fn abandon(&self, py: Python<'_>) {
        py.detach(|| self.inner.abandon());
    }
}
