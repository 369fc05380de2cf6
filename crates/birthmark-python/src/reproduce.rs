//! `bm.reproduce`: the plan and the verdict as JSON text.

use std::ffi::OsString;
use std::path::PathBuf;

use birthmark::reproduce::{self, Options};
use birthmark::talk::Talk;
use birthmark_capture::process;
use birthmark_core::Timestamp;
use birthmark_core::reproduce::Allowance;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::json;

use crate::error::IntoPyResult;

/// Makes an artifact again; the documentation is in `birthmark.reproduce`.
#[pyfunction]
#[pyo3(signature = (artifact, /, *, dry_run, into, venv, tolerance, ignore, inexact, stores, command, program, talk))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are those of `birthmark.reproduce`"
)]
pub(crate) fn reproduce_json(
    py: Python<'_>,
    artifact: PathBuf,
    dry_run: bool,
    into: Option<PathBuf>,
    venv: bool,
    tolerance: f64,
    ignore: Vec<String>,
    inexact: bool,
    stores: Vec<PathBuf>,
    command: Vec<OsString>,
    program: PathBuf,
    talk: Option<Py<PyAny>>,
) -> PyResult<String> {
    process::remember_environment();
    if !(tolerance >= 0.0 && tolerance.is_finite()) {
        return Err(PyValueError::new_err("tolerance must be 0 or more"));
    }
    let options = Options {
        stores,
        into,
        command,
        inexact,
        venv,
        allowance: Allowance {
            tolerance,
            ignored: ignore,
        },
        quiet: false,
        program,
        now: Timestamp::from_micros(birthmark_capture::clock::now_micros()),
    };
    let talk = talk.map(crate::session::talk_to);
    py.detach(|| answer(&artifact, &options, dry_run, talk.as_ref()))
        .into_py_result(py)
}

fn answer(
    artifact: &std::path::Path,
    options: &Options,
    dry_run: bool,
    talk: Option<&Talk>,
) -> birthmark::error::Result<String> {
    let plan = reproduce::plan(artifact, options)?;
    let outcome = if dry_run {
        None
    } else {
        let mut say = |line: &str| {
            if let Some(talk) = talk {
                talk(line);
            }
        };
        Some(reproduce::go(&plan, options, &mut say)?)
    };
    let answer = json!({
        "plan": plan.to_json(options),
        "text": reproduce::render(&plan, options),
        "outcome": outcome.map(|outcome| outcome.to_json()),
    });
    Ok(answer.to_string())
}
