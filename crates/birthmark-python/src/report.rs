//! The class behind a report that is made item by item.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::convert::RecordFields;
use crate::encode::{self, NanMode, Options};
use crate::error::IntoPyResult;

/// A report being made.
#[pyclass(module = "birthmark._native", frozen, subclass)]
pub(crate) struct Report {
    inner: birthmark::report::Report,
    ensure_ascii: bool,
}

impl Report {
    pub(crate) fn new(inner: birthmark::report::Report, ensure_ascii: bool) -> Self {
        Self {
            inner,
            ensure_ascii,
        }
    }

    fn spell(&self, value: &Bound<'_, PyAny>, root: &'static str) -> PyResult<Vec<u8>> {
        let options = Options {
            ensure_ascii: self.ensure_ascii,
            nan: NanMode::Keep,
            root,
        };
        let mut text = Vec::new();
        encode::encode_record(value, &options, &mut text)?;
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

    /// Adds one item.
    #[pyo3(signature = (item, /, **fields))]
    fn add(
        &self,
        py: Python<'_>,
        item: &Bound<'_, PyAny>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let text = self.spell(item, "item")?;
        let mut own = RecordFields::default();
        own.take(fields)?;
        py.detach(|| self.inner.add(&text, &own.list()))
            .into_py_result(py)
    }

    /// The JSON texts of a key's values in the items that are there.
    fn done<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyList>> {
        let part = self.inner.part().to_owned();
        let texts = py
            .detach(|| birthmark::records::values_of(&part, key))
            .into_py_result(py)?;
        PyList::new(py, texts)
    }

    /// Items so far as JSON texts, without their birthmarks.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let part = self.inner.part().to_owned();
        let texts = py
            .detach(|| birthmark::records::clean_lines(&part))
            .into_py_result(py)?;
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
