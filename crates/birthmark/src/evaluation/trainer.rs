//! `trainer_state.json` of the Hugging Face Trainer: the last losses and evaluations.
//!
//! Steps are no items: they follow from each other, so nothing is paired or tested.

use birthmark_core::evaluation::{Evaluation, Metric, Reading, System, Tool};
use birthmark_core::json;

use super::value::{reading, to_value};

/// What a state says of itself, and our name for it.
const FIELDS: [(&str, &str); 9] = [
    ("global_step", "step"),
    ("best_model_checkpoint", "checkpoint"),
    ("max_steps", "max_steps"),
    ("num_train_epochs", "num_train_epochs"),
    ("train_batch_size", "train_batch_size"),
    ("eval_steps", "eval_steps"),
    ("save_steps", "save_steps"),
    ("logging_steps", "logging_steps"),
    ("epoch", "epoch"),
];
/// Numbers of a log line that measure no model.
const NOT_MEASURED: [&str; 4] = ["epoch", "step", "learning_rate", "total_flos"];

/// Whether a report is such a state.
pub(super) fn is_state(report: &[u8]) -> bool {
    json::get(report, &["log_history"]).is_some_and(|list| list.first() == Some(&b'['))
        && json::get(report, &["global_step"]).is_some()
}

/// Reads a state that was scanned.
pub(super) fn read(report: &[u8]) -> Evaluation {
    let mut evaluation = Evaluation {
        tool: Tool::Trainer,
        systems: vec![System::default()],
        ..Evaluation::default()
    };
    evaluation.set(
        "artifact_type",
        "evaluation",
        "the evaluations of a trainer",
    );
    evaluation.set("decoding", "none", "a trainer scores given text");
    for (theirs, ours) in FIELDS {
        if let Some(raw) = json::get(report, &[theirs]).filter(|raw| !json::is_null(raw)) {
            evaluation.set(ours, to_value(raw), theirs);
        }
    }
    let history = json::get(report, &["log_history"]).unwrap_or_default();
    let (mut lines, mut broken) = (0_u64, 0_u64);
    let mut last: Vec<Metric> = Vec::new();
    for span in json::elements(history) {
        lines += 1;
        for (key, value) in json::members(span.of(history)) {
            let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
            if NOT_MEASURED.contains(&name.as_str()) || name.ends_with("_per_second") {
                continue;
            }
            let Some(value) = reading(value) else {
                continue;
            };
            broken += u64::from(matches!(value, Reading::NotANumber(_)));
            match last.iter_mut().find(|metric| metric.name == name) {
                Some(metric) => metric.value = value,
                None => last.push(Metric::new(name, value)),
            }
        }
    }
    if let Some(best) = json::get(report, &["best_metric"]).and_then(reading) {
        last.push(Metric::new("best_metric", best));
    }
    last.retain(|metric| !metric.name.ends_with("_runtime"));
    evaluation.systems[0].metrics = last;
    if lines == 0 {
        evaluation.problems.push("its log is empty".to_owned());
    }
    if broken > 0 {
        let count = crate::text::count(broken, "number");
        evaluation
            .problems
            .push(format!("{count} of its log is no number (NaN or infinite)"));
    }
    evaluation
}
