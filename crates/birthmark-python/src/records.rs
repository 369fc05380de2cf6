//! The class behind `JsonlWriter`: the hot path.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

use crate::convert::RecordFields;
use crate::encode::{self, Options};
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;

/// Bytes of records that `write_many` gathers for one write.
const BATCH_BYTES: usize = 1 << 20;

/// A JSONL artifact being written.
#[pyclass(module = "birthmark._native", frozen, subclass)]
pub(crate) struct Records {
    inner: birthmark::records::Records,
    options: Options,
    buffers: Mutex<Buffers>,
}

/// Used again for every record.
#[derive(Default)]
struct Buffers {
    record: Vec<u8>,
    fields: RecordFields,
    nan_count: usize,
    nan_paths: Vec<String>,
}

impl Records {
    pub(crate) fn new(inner: birthmark::records::Records, options: Options) -> Self {
        Self {
            inner,
            options,
            buffers: Mutex::default(),
        }
    }
}

#[pymethods]
impl Records {
    /// Takes over what `Session.open_records` opened: how a Python subclass is made of it.
    #[new]
    fn over(opened: &Self) -> Self {
        Self::new(opened.inner.clone(), opened.options.clone())
    }

    /// The file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().to_owned()
    }

    /// Records in the file so far.
    #[getter]
    fn count(&self) -> u64 {
        self.inner.count()
    }

    /// Records that were there before.
    #[getter]
    fn continued(&self) -> u64 {
        self.inner.continued().records
    }

    /// Values that were NaN or infinite so far.
    #[getter]
    fn nan_count(&self) -> usize {
        self.buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .nan_count
    }

    /// Where the first of them stood.
    #[getter]
    fn nan_paths(&self) -> Vec<String> {
        self.buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .nan_paths
            .clone()
    }

    /// Writes one record; fields of this record stand in its birthmark.
    #[pyo3(signature = (record, /, **fields))]
    fn write(
        &self,
        py: Python<'_>,
        record: &Bound<'_, PyAny>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        // Taken out while Python code may run: a `to_dict()` that writes here too finds its own.
        let mut buffers = self.take();
        let result = self.write_with(py, &mut buffers, record, fields);
        self.give_back(buffers);
        result
    }

    /// Writes many records, a megabyte at a time; fields are shared by all of them.
    /// Returns how many were written.
    #[pyo3(signature = (records, /, **fields))]
    fn write_many(
        &self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        let mut buffers = self.take();
        let result = self.write_batches(py, &mut buffers, &records.try_iter()?, fields);
        self.give_back(buffers);
        result
    }

    /// The JSON texts of a key's values in the records that are there.
    fn done<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyList>> {
        let path = self.inner.path().to_owned();
        let texts =
            interruptible(py, || birthmark::records::values_of(&path, key))?.into_py_result(py)?;
        PyList::new(py, texts)
    }

    /// Adds to what the journal will say of the writing.
    fn close(&self, py: Python<'_>, error: Option<String>) -> PyResult<()> {
        let count = self.nan_count();
        py.detach(|| {
            if count > 0 {
                self.inner.note("nan_count", count.into());
            }
            self.inner.close(error.as_deref())
        })
        .into_py_result(py)
    }
}

impl Records {
    fn take(&self) -> Buffers {
        std::mem::take(&mut *self.buffers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_back(&self, mut buffers: Buffers) {
        let mut slot = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.nan_count += slot.nan_count;
        buffers.nan_paths.append(&mut slot.nan_paths);
        *slot = buffers;
    }

    fn write_with(
        &self,
        py: Python<'_>,
        buffers: &mut Buffers,
        record: &Bound<'_, PyAny>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        buffers.record.clear();
        let seen = encode::encode_record(record, &self.options, &mut buffers.record)?;
        buffers.fields.take(fields)?;
        buffers.saw(seen);
        let (text, reasons) = (&buffers.record, &buffers.fields.reasons);
        buffers.fields.with_list(|list| {
            // Other threads may run meanwhile only where the write can take long: getting
            // the interpreter back from a busy thread costs milliseconds, a small write a
            // thousandth of that.
            let result = match self.inner.try_append(text, list, reasons) {
                Some(result) => result,
                None => py.detach(|| self.inner.append(text, list, reasons)),
            };
            result.into_py_result(py)
        })
    }

    fn write_batches(
        &self,
        py: Python<'_>,
        buffers: &mut Buffers,
        records: &Bound<'_, PyIterator>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        buffers.fields.take(fields)?;
        let mut written = 0;
        let mut ends = vec![0];
        buffers.record.clear();
        for record in records {
            // What came before an error was paid for: it is written first.
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.flush(py, buffers, &mut ends)?;
                    return Err(error);
                }
            };
            let next = encode::encode_record(&record, &self.options, &mut buffers.record);
            let seen = match next {
                Ok(seen) => seen,
                Err(error) => {
                    written += self.flush(py, buffers, &mut ends)?;
                    return Err(telling_which(py, error, written));
                }
            };
            buffers.saw(seen);
            ends.push(buffers.record.len());
            if buffers.record.len() >= BATCH_BYTES {
                written += self.flush(py, buffers, &mut ends)?;
            }
        }
        Ok(written + self.flush(py, buffers, &mut ends)?)
    }

    fn flush(&self, py: Python<'_>, buffers: &mut Buffers, ends: &mut Vec<usize>) -> PyResult<u64> {
        if ends.len() < 2 {
            return Ok(0);
        }
        let texts: Vec<&[u8]> = ends
            .windows(2)
            .map(|ends| &buffers.record[ends[0]..ends[1]])
            .collect();
        let reasons = &buffers.fields.reasons;
        buffers
            .fields
            .with_list(|list| py.detach(|| self.inner.append_all(&texts, list, reasons)))
            .into_py_result(py)?;
        let written = texts.len() as u64;
        buffers.record.clear();
        ends.truncate(1);
        Ok(written)
    }
}

/// The error of one record of many, with its place and what became of those before it.
fn telling_which(py: Python<'_>, error: PyErr, written: u64) -> PyErr {
    let kind = error.get_type(py);
    if !kind.is(py.get_type::<PyTypeError>()) && !kind.is(py.get_type::<PyValueError>()) {
        return error;
    }
    let before = match written {
        0 => "nothing is written".to_owned(),
        1 => "the 1 before it is written".to_owned(),
        many => format!("the {many} before it are written"),
    };
    let place = written + 1;
    let text = format!(
        "{}; it is record {place} of these, and {before}",
        error.value(py)
    );
    PyErr::from_type(kind, text)
}

impl Buffers {
    fn saw(&mut self, seen: encode::Encoded) {
        self.nan_count += seen.nan_count;
        if self.nan_paths.len() < 3 {
            for path in seen.nan_paths {
                if !self.nan_paths.contains(&path) {
                    self.nan_paths.push(path);
                }
            }
        }
    }
}
