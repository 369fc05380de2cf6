//! `bm.find` and `bm.sql`: answers as JSON text, which the package makes into rows.

use std::path::PathBuf;
use std::time::Duration;

use birthmark::find::{self, Ask, Sought};
use birthmark::sql::{self, Limits, SqlType};
use birthmark::{Error, Project};
use birthmark_capture::process;
use birthmark_core::Timestamp;
use pyo3::prelude::*;

use crate::error::IntoPyResult;

fn now() -> Timestamp {
    Timestamp::from_micros(birthmark_capture::clock::now_micros())
}

fn project(folder: Option<PathBuf>) -> Result<Project, Error> {
    match folder {
        Some(folder) => Project::find(&folder),
        None => Project::here(),
    }
}

/// Answers a filter; the documentation is in `birthmark.find`.
#[pyfunction]
#[pyo3(signature = (filter, /, *, what, everywhere, gone, sort, limit, columns, folder))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are those of `birthmark.find`"
)]
pub(crate) fn find_json(
    py: Python<'_>,
    filter: String,
    what: &str,
    everywhere: bool,
    gone: bool,
    sort: Option<String>,
    limit: Option<usize>,
    columns: Vec<String>,
    folder: Option<PathBuf>,
) -> PyResult<String> {
    let ask = Ask {
        what: match what {
            "sessions" => Sought::Sessions,
            "runs" => Sought::Runs,
            _ => Sought::Artifacts,
        },
        everywhere,
        gone,
        sort,
        limit,
        columns,
        ..Ask::new(filter, now())
    };
    process::remember_environment();
    // Bringing the catalog up to date may read files: let other threads run.
    let answer = py.detach(|| {
        let answer = find::find(&project(folder)?, &ask)?;
        Ok(find::to_json(&answer).to_string())
    });
    answer.into_py_result(py)
}

/// Answers a statement; the documentation is in `birthmark.sql`.
#[pyfunction]
#[pyo3(signature = (statement, /, *, records, everywhere, timeout, folder))]
pub(crate) fn sql_json(
    py: Python<'_>,
    statement: &str,
    records: String,
    everywhere: bool,
    timeout: f64,
    folder: Option<PathBuf>,
) -> PyResult<String> {
    let ask = Ask {
        everywhere,
        ..Ask::new(records, now())
    };
    let limits = Limits {
        time: Duration::try_from_secs_f64(timeout).unwrap_or_default(),
    };
    process::remember_environment();
    let answer = py.detach(|| {
        let (table, _) = sql::sql(&project(folder)?, statement, &ask, limits)?;
        let rows = sql::to_json(&table);
        let types = table.types.iter().map(|of| of.map(SqlType::word));
        let types: Vec<Option<&str>> = types.collect();
        Ok(
            serde_json::json!({ "columns": sql::names(&table), "types": types, "rows": rows })
                .to_string(),
        )
    });
    answer.into_py_result(py)
}
