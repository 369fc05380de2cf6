//! `birthmark.compare`: the question handed to the hall, the answer handed back as text.

use birthmark::compare::{self as hall, Gate, Options, Target};
use birthmark_capture::process;
use birthmark_core::Timestamp;
use birthmark_core::compare::Match;
use pyo3::prelude::*;

use crate::error::IntoPyResult;

/// What was compared: as JSON, as a page for a terminal, as Markdown, as HTML.
type Answer = (String, String, String, String);

/// Compares reports, datasets, checkpoints, sessions or records.
#[pyfunction]
#[pyo3(signature = (targets, subject, accept, match_by, seed, metric, no_worse_than, directions, require_comparable))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are keywords in the package"
)]
pub(crate) fn compare(
    py: Python<'_>,
    targets: Vec<String>,
    subject: Vec<String>,
    accept: Vec<String>,
    match_by: Option<&str>,
    seed: u64,
    metric: Option<String>,
    no_worse_than: Option<f64>,
    directions: [Vec<String>; 2],
    require_comparable: bool,
) -> PyResult<Answer> {
    process::remember_environment();
    let [lower_is_better, higher_is_better] = directions;
    let now = Timestamp::from_micros(birthmark_capture::clock::now_micros());
    let options = Options {
        subject,
        accept,
        match_by: match_by.map(|word| match word {
            "digest" => Match::Digest,
            "position" => Match::Position,
            _ => Match::Id,
        }),
        seed,
        gate: Gate {
            require_comparable,
            metric,
            no_worse_than,
            lower_is_better,
            higher_is_better,
        },
        ..Options::at(now)
    };
    let targets: Vec<Target> = targets.iter().map(|text| Target::parse(text)).collect();
    let compared = py
        .detach(|| hall::compare(&targets, &options))
        .into_py_result(py)?;
    Ok((
        compared.to_json().to_string(),
        hall::render(&compared, 80),
        hall::markdown(&compared),
        hall::html(&compared),
    ))
}
