//! Stamping a file that is there already, with no session of this script.

use std::path::PathBuf;

use birthmark::Project;
use birthmark::stamp::{StampOptions, Target, given as given_in, stamp as stamp_file};
use birthmark_capture::process;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert;
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;

/// Stamps a file or folder: gives what `birthmark stamp --json` prints of it, and a line for each
/// rule of the project that its birthmark does not meet.
#[pyfunction]
#[pyo3(signature = (path, *, artifact_type, given, reasons, out, in_place, on_existing, force, quarantine, sha256, longest_line, set_file, model_provenance, argv))]
#[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
pub(crate) fn stamp<'py>(
    py: Python<'py>,
    path: PathBuf,
    artifact_type: &str,
    given: &Bound<'py, PyDict>,
    reasons: &Bound<'py, PyDict>,
    out: Option<PathBuf>,
    in_place: bool,
    on_existing: &str,
    force: bool,
    quarantine: Option<PathBuf>,
    sha256: bool,
    longest_line: Option<usize>,
    set_file: Vec<PathBuf>,
    model_provenance: Option<PathBuf>,
    argv: Vec<String>,
) -> PyResult<(Bound<'py, PyAny>, Vec<String>)> {
    process::remember_environment();
    let project = Project::here().into_py_result(py)?;
    let in_files = given_in::from_files(model_provenance.as_deref(), &set_file);
    let mut fields = in_files.into_py_result(py)?;
    fields.extend(convert::given(py, given, reasons, |_| Ok(()))?);
    let options = StampOptions {
        given: fields,
        target: match out {
            Some(out) => Target::Out(out),
            None if in_place => Target::InPlace,
            None => Target::Sidecar,
        },
        on_existing: convert::on_existing(on_existing)?,
        force,
        quarantine,
        sha256,
        longest_line,
        argv,
        ..StampOptions::new(artifact_type)
    };
    let stamped =
        interruptible(py, || stamp_file(&project, &path, &options))?.into_py_result(py)?;
    let name = path.to_string_lossy();
    let unmet = stamped.unmet.said_of(&birthmark::text::neutral(&name));
    Ok((convert::value_to_python(py, &stamped.to_json())?, unmet))
}

/// The fields of files, as a stamp would take them.
#[pyfunction]
#[pyo3(signature = (set_file, model_provenance, /))]
pub(crate) fn fields_of_files(
    py: Python<'_>,
    set_file: Vec<PathBuf>,
    model_provenance: Option<PathBuf>,
) -> PyResult<Bound<'_, PyAny>> {
    let read = given_in::from_files(model_provenance.as_deref(), &set_file);
    convert::to_python(py, read.into_py_result(py)?)
}

/// Whether files of this name carry their birthmark within.
#[pyfunction]
pub(crate) fn carries_within(path: PathBuf) -> bool {
    birthmark::seal::carries_within(&path)
}
