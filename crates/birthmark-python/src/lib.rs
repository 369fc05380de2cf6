//! The extension module `birthmark._native`: registration only.
//!
//! The documentation that users read is in `python/birthmark/_native.pyi` and in the
//! package's own docstrings.

mod asking;
#[cfg(target_os = "linux")]
mod audit;
mod batch;
mod compare;
mod convert;
mod encode;
#[cfg(target_os = "linux")]
mod environ;
mod error;
mod interrupt;
mod looks;
mod records;
mod report;
mod reproduce;
mod session;
mod stamp;
mod watch;

use pyo3::prelude::*;

/// The native half of the package `birthmark`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::asking::{find_json, sql_json};
    #[pymodule_export]
    use crate::batch::batch;
    #[pymodule_export]
    use crate::compare::compare;
    #[pymodule_export]
    use crate::encode::{encode_record_to_bytes, encode_to_bytes};
    #[pymodule_export]
    use crate::looks::{Pace, capture, code_fields, digest_file, read, trace, version};
    #[pymodule_export]
    use crate::records::Records;
    #[pymodule_export]
    use crate::report::Report;
    #[pymodule_export]
    use crate::reproduce::reproduce_json;
    #[pymodule_export]
    use crate::session::{Session, begin};
    #[pymodule_export]
    use crate::stamp::{carries_within, fields_of_files, stamp};
    #[pymodule_export]
    use crate::watch::watch;
}
