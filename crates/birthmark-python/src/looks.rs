//! Functions that only look: capture, digests, reading a birthmark.

use std::path::PathBuf;
use std::sync::Arc;

use birthmark::machine::Interpreter;
use birthmark_capture::process;
use birthmark_core::Timestamp;
use birthmark_core::digest::Algorithm;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert;
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;

/// What the package tells of the Python that runs it.
#[derive(FromPyObject)]
pub(crate) struct Python3 {
    #[pyo3(item)]
    version: String,
    #[pyo3(item)]
    executable: Option<String>,
    #[pyo3(item)]
    implementation: String,
    #[pyo3(item)]
    sys_path: Vec<PathBuf>,
}

impl From<Python3> for Interpreter {
    fn from(python: Python3) -> Self {
        birthmark::machine::interpreter(
            python.version,
            python.executable.map(PathBuf::from),
            python.implementation,
            python.sys_path,
        )
    }
}

/// The program's version.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    birthmark::VERSION
}

/// What a birthmark made here and now would hold, with no session.
#[pyfunction]
#[pyo3(signature = (anchor, script, interpreter, artifact_type = "artifact"))]
pub(crate) fn capture<'py>(
    py: Python<'py>,
    anchor: PathBuf,
    script: Option<PathBuf>,
    interpreter: Python3,
    artifact_type: &str,
) -> PyResult<Bound<'py, PyAny>> {
    process::remember_environment();
    let interpreter = interpreter.into();
    let captured = py
        .detach(|| {
            birthmark::looks::capture(
                &anchor,
                script.as_deref(),
                Some(&interpreter),
                artifact_type,
            )
        })
        .into_py_result(py)?;
    convert::to_python(py, captured)
}

/// The code at a folder or script: the fields of a birthmark, with no session. With
/// `status` false whether the tree is dirty is not looked at.
#[pyfunction]
pub(crate) fn code_fields(
    py: Python<'_>,
    anchor: PathBuf,
    status: bool,
) -> PyResult<Bound<'_, PyAny>> {
    process::remember_environment();
    let fields = py.detach(|| birthmark::looks::code_at(&anchor, status).fields);
    convert::to_python(py, fields)
}

/// How fast files are read for their digests, while something else runs beside.
#[pyclass(module = "birthmark._native", frozen)]
pub(crate) struct Pace(pub(crate) Arc<birthmark_store::digest::Pace>);

#[pymethods]
impl Pace {
    #[new]
    fn new(bytes_per_second: u64) -> Self {
        let pace = birthmark_store::digest::Pace::at_most(bytes_per_second);
        Self(Arc::new(pace))
    }

    /// From now on as fast as it can be.
    fn lift(&self) {
        self.0.lift();
    }
}

/// The digest of a file by BLAKE3 or SHA-256, or the tree digest of a folder.
#[pyfunction]
pub(crate) fn digest_file(py: Python<'_>, path: PathBuf, algorithm: &str) -> PyResult<String> {
    process::remember_environment();
    let algorithm = match algorithm {
        "blake3" => Algorithm::Blake3,
        "sha256" => Algorithm::Sha256,
        other => {
            let text = format!("no algorithm `{other}`: blake3 or sha256");
            return Err(PyValueError::new_err(text));
        }
    };
    let found = interruptible(py, || birthmark::digests::of(&path, algorithm))?;
    found.map(|digest| digest.to_string()).into_py_result(py)
}

/// Where an artifact came from and what came of it, as `birthmark trace --json` prints it.
#[pyfunction]
#[pyo3(signature = (artifact, stores))]
pub(crate) fn trace(
    py: Python<'_>,
    artifact: PathBuf,
    stores: Vec<PathBuf>,
) -> PyResult<Bound<'_, PyAny>> {
    process::remember_environment();
    let now = Timestamp::from_micros(birthmark_capture::clock::now_micros());
    let options = birthmark::trace::Options {
        stores,
        ..birthmark::trace::Options::at(now)
    };
    let traced = py
        .detach(|| birthmark::trace::trace(&artifact, &options))
        .into_py_result(py)?;
    convert::value_to_python(py, &traced.to_json())
}

/// The birthmark of a file, folder or record.
#[pyfunction]
#[pyo3(signature = (path, line = None))]
pub(crate) fn read(
    py: Python<'_>,
    path: PathBuf,
    line: Option<i64>,
) -> PyResult<Option<Bound<'_, PyAny>>> {
    let before_the_first = |_| {
        let message = format!("`{}` has no line {}", path.display(), line.unwrap_or(0));
        birthmark::Error::usage("line", message).with_hint("the first is 1")
    };
    let line = line.map(u64::try_from).transpose();
    let line = line.map_err(before_the_first).into_py_result(py)?;
    let found = interruptible(py, || birthmark::read::read(&path, line))?.into_py_result(py)?;
    found
        .map(|fields| convert::to_python(py, fields))
        .transpose()
}
