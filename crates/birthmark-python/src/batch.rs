//! Batches of records in memory: no file, no session.

use birthmark_core::Fields;
use birthmark_core::birthmark::{check, is_reserved};
use birthmark_core::json::{
    Batch, BatchError, OnExisting, Records, check_birthmark, stamp_batch, unstamp_batch,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Stamps records with `birthmark`, or without one cuts theirs out. They lie as Arrow lays
/// them: bytes, and offsets of eight bytes each, of this machine's order.
#[pyfunction]
pub(crate) fn batch<'py>(
    py: Python<'py>,
    bytes: &[u8],
    offsets: &[u8],
    birthmark: Option<&[u8]>,
    on_existing: &str,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let existing = on_existing
        .parse::<OnExisting>()
        .map_err(PyValueError::new_err)?;
    if let Some(birthmark) = birthmark {
        check_birthmark(birthmark)
            .map_err(|error| PyValueError::new_err(format!("it is no birthmark: {error}")))?;
        let fields: Fields = serde_json::from_slice(birthmark).unwrap_or_default();
        for (name, value) in fields.iter().filter(|(name, _)| !is_reserved(name)) {
            check(name, value).map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
    }
    let made = py.detach(|| work(bytes, offsets, birthmark, existing));
    let made = made.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let ends: Vec<u8> = made
        .offsets
        .iter()
        .flat_map(|at| at.to_ne_bytes())
        .collect();
    Ok((PyBytes::new(py, &made.bytes), PyBytes::new(py, &ends)))
}

fn work(
    bytes: &[u8],
    offsets: &[u8],
    birthmark: Option<&[u8]>,
    existing: OnExisting,
) -> Result<Batch, BatchError> {
    let offsets: Vec<i64> = offsets
        .chunks_exact(8)
        .filter_map(|one| Some(i64::from_ne_bytes(one.try_into().ok()?)))
        .collect();
    let records = Records::new(bytes, &offsets)?;
    match birthmark {
        Some(birthmark) => stamp_batch(records, birthmark, existing),
        None => unstamp_batch(records),
    }
}
