//! The extension module `birthmark._native`: registration only.

mod encode;

use pyo3::prelude::*;

/// The native half of the package `birthmark`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::encode::{encode_record_to_bytes, encode_to_bytes};
}
