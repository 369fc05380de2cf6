//! Logs of Inspect AI: one JSON file, or a zip (`.eval`) with a header and a member a sample.
//!
//! | theirs | ours |
//! |---|---|
//! | `eval.model`, `eval.revision`, `eval.created` | `model_name`, `git_commit` and `git_dirty`, `timestamp` |
//! | `eval.dataset` | `dataset`; samples by id, what they ask by `input`, `choices`, `target` |
//! | `eval.model_generate_config`, `plan.config` | params: `max_tokens` is `max_new_tokens` |
//! | `plan.steps`, `eval.scorers`, `eval.task…` | `solver`, `scorer`, `task`, `task_args` |
//! | `results.scores[].metrics` | metrics, as `scorer/metric` |
//!
//! # Limitations
//!
//! * Several epochs of a sample become one item: the mean of its scores.
//! * Inspect sends messages with roles and leaves the template to the model's provider; so the
//!   template counts as on, and its digest is not known.

use std::collections::BTreeMap;
use std::path::Path;

use birthmark_core::evaluation::{Evaluation, Metric, Reading, System, Tool};
use birthmark_core::json;
use birthmark_store::format::zip::{Entry, Zip};
use serde_json::{Map, Value};

use super::item::{content, id_text};
use super::value::{reading, to_value};
use super::{naive, zip_error};
use crate::error::{Error, Kind, Result};

/// The largest header or sample.
const MEMBER: u64 = 256 << 20;
/// All samples together.
const TOTAL: u64 = 8 << 30;
/// Params of a generation that are called otherwise here.
const RENAMED: [(&str, &str); 4] = [
    ("max_tokens", "max_new_tokens"),
    ("stop_seqs", "stop"),
    ("num_choices", "n"),
    ("system_message", "system_prompt"),
];
/// Settings of the evaluation that change what is measured.
const SETTINGS: [&str; 6] = [
    "epochs",
    "epochs_reducer",
    "limit",
    "sample_id",
    "message_limit",
    "token_limit",
];

/// Whether a JSON report is an Inspect log.
pub(super) fn is_log(report: &[u8]) -> bool {
    let eval = json::get(report, &["eval"]);
    json::get(report, &["status"]).is_some()
        && eval.is_some_and(|eval| json::get(eval, &["task"]).is_some())
}

/// Reads a JSON log that was scanned.
pub(super) fn read(report: &[u8]) -> Evaluation {
    let mut evaluation = header(report);
    let mut samples = Samples::default();
    if let Some(list) = json::get(report, &["samples"]) {
        for span in json::elements(list) {
            samples.take(span.of(list));
        }
    }
    samples.finish(&mut evaluation);
    evaluation
}

/// Reads a zip log.
pub(super) fn read_zip(path: &Path) -> Result<Evaluation> {
    let mut zip = Zip::open(path).map_err(|error| zip_error(path, &error))?;
    let head = zip.entry("header.json");
    let start = zip.entry("_journal/start.json");
    let finished = head.is_some();
    let Some(head) = head.or(start) else {
        let message = format!("`{}` is a zip file, but no log of Inspect", path.display());
        return Err(Error::new(Kind::Damaged, "report", message)
            .with_hint("an .eval file has a member header.json"));
    };
    let report = member(&mut zip, path, &head)?;
    let mut evaluation = header(&report);
    if !finished {
        let note = "the log was not finished: it has no header, only its samples";
        evaluation.problems.push(note.to_owned());
    }
    let names: Vec<Entry> = zip
        .entries
        .iter()
        .filter(|entry| is_sample(&entry.name))
        .cloned()
        .collect();
    let mut samples = Samples::default();
    let mut left = TOTAL;
    for entry in names {
        left = left.checked_sub(entry.size).ok_or_else(|| {
            let message = format!("the samples of `{}` are too large together", path.display());
            Error::new(Kind::Damaged, "report", message)
        })?;
        let sample = member(&mut zip, path, &entry)?;
        samples.take(&sample);
    }
    samples.finish(&mut evaluation);
    Ok(evaluation)
}

fn is_sample(name: &str) -> bool {
    let rest = name.strip_prefix("samples/");
    rest.is_some_and(|name| name.strip_suffix(".json").is_some())
}

fn member(zip: &mut Zip, path: &Path, entry: &Entry) -> Result<Vec<u8>> {
    let bytes = zip
        .read(entry, MEMBER)
        .map_err(|error| zip_error(path, &error))?;
    json::scan_object(&bytes).map_err(|error| {
        let message = format!(
            "`{}`, member `{}`: {} (byte {})",
            path.display(),
            crate::text::short(&entry.name, 80),
            error.kind,
            error.offset
        );
        Error::new(Kind::Damaged, "report", message)
    })?;
    Ok(bytes)
}

/// The header: everything but the samples.
fn header(report: &[u8]) -> Evaluation {
    let mut evaluation = Evaluation {
        tool: Tool::Inspect,
        systems: vec![System::default()],
        ..Evaluation::default()
    };
    let part = |path: &[&str]| json::get(report, path).map(to_value).unwrap_or_default();
    let eval = part(&["eval"]);
    let plan = part(&["plan"]);
    evaluation.set("artifact_type", "evaluation", "what an Inspect log is");
    code(&mut evaluation, &eval);
    model(&mut evaluation, &eval, &plan);
    task(&mut evaluation, &eval, &plan);
    if let Some(packages) = eval["packages"].as_object() {
        evaluation.environment.extend(packages.clone());
    }
    metrics(&mut evaluation, &part(&["results"]));
    status(&mut evaluation, &part(&["status"]), &part(&["error"]));
    evaluation
}

fn code(evaluation: &mut Evaluation, eval: &Value) {
    let revision = &eval["revision"];
    if let Some(commit) = revision["commit"].as_str() {
        evaluation.set("git_commit", commit, "eval.revision.commit");
    }
    if let Some(dirty) = revision["dirty"].as_bool() {
        evaluation.set("git_dirty", dirty, "eval.revision.dirty");
    }
    if let Some(origin) = revision["origin"]
        .as_str()
        .filter(|origin| !origin.is_empty())
    {
        let origin = birthmark_capture::git::without_credentials(origin.as_bytes());
        evaluation.set("git_remote", origin, "eval.revision.origin");
    }
    if let Some(created) = eval["created"].as_str() {
        naive(evaluation, created);
        evaluation.set("timestamp", created, "eval.created");
    }
    if let Some(file) = eval["task_file"].as_str() {
        let name = file.rsplit('/').next().unwrap_or(file);
        evaluation.set("script_name", name, "eval.task_file");
    }
}

fn model(evaluation: &mut Evaluation, eval: &Value, plan: &Value) {
    if let Some(model) = eval["model"].as_str() {
        evaluation.set("model_name", model, "eval.model");
    }
    for (name, source) in [
        ("model_args", "eval.model_args"),
        ("model_roles", "eval.model_roles"),
    ] {
        let value = &eval[name];
        // Stand-in outputs of a mock model are no argument of anybody's interest.
        let mut value = value.clone();
        if let Some(args) = value.as_object_mut() {
            args.remove("custom_outputs");
        }
        if value.as_object().is_some_and(|args| !args.is_empty()) {
            evaluation.set(name, value, source);
        }
    }
    evaluation.set(
        "template_disabled",
        false,
        "Inspect sends messages with roles; the provider's template is applied",
    );
    let own = (&eval["model_generate_config"], "eval.model_generate_config");
    for (config, source) in [(&plan["config"], "plan.config"), own] {
        for (name, value) in config.as_object().into_iter().flatten() {
            let ours = RENAMED.iter().find(|(theirs, _)| theirs == name);
            let ours = ours.map_or(name.as_str(), |(_, ours)| ours);
            evaluation.set(ours, value.clone(), &format!("{source}.{name}"));
        }
    }
}

fn task(evaluation: &mut Evaluation, eval: &Value, plan: &Value) {
    let dataset = &eval["dataset"];
    let mut ours = Map::new();
    for (theirs, name) in [
        ("name", "name"),
        ("samples", "size"),
        ("location", "source"),
        ("shuffled", "shuffled"),
    ] {
        if !dataset[theirs].is_null() {
            ours.insert(name.to_owned(), dataset[theirs].clone());
        }
    }
    evaluation.count = dataset["samples"]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok());
    if !ours.is_empty() {
        evaluation.set("dataset", Value::Object(ours), "eval.dataset");
    }
    for name in ["task", "task_version", "task_args", "solver", "solver_args"] {
        let value = &eval[name];
        let empty = value.as_object().is_some_and(Map::is_empty);
        if !value.is_null() && !empty {
            evaluation.set(name, value.clone(), &format!("eval.{name}"));
        }
    }
    for name in SETTINGS {
        let value = &eval["config"][name];
        let from = format!("eval.config.{name}");
        if !value.is_null() {
            evaluation.set(name, value.clone(), &from);
        } else if name.ends_with("limit") && eval["config"].is_object() {
            // A log without a limit says that there was none.
            evaluation.set(name, "none", &from);
        }
    }
    let steps: Vec<Value> = plan["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| serde_json::json!({ "solver": step["solver"], "params": step["params"] }))
        .collect();
    if !steps.is_empty() {
        evaluation.set("solver_steps", Value::Array(steps), "plan.steps");
    }
    if let Some(scorers) = eval["scorers"].as_array() {
        let scorers: Vec<Value> = scorers
            .iter()
            .map(|scorer| serde_json::json!({ "name": scorer["name"], "options": scorer["options"] }))
            .collect();
        evaluation.set("scorer", Value::Array(scorers), "eval.scorers");
    }
}

fn metrics(evaluation: &mut Evaluation, results: &Value) {
    for one in results["scores"].as_array().into_iter().flatten() {
        let scorer = one["name"].as_str().unwrap_or("score");
        let Some(metrics) = one["metrics"].as_object() else {
            continue;
        };
        let error = metrics.get("stderr").and_then(|one| one["value"].as_f64());
        for (name, metric) in metrics.iter().filter(|(name, _)| *name != "stderr") {
            let value = match &metric["value"] {
                Value::Number(number) => number.as_f64().map(Reading::Number),
                Value::String(text) => Some(Reading::NotANumber(text.clone())),
                _ => None,
            };
            let Some(value) = value else { continue };
            let mut ours = Metric::new(format!("{scorer}/{name}"), value);
            ours.standard_error = error;
            evaluation.systems[0].metrics.push(ours);
        }
    }
}

fn status(evaluation: &mut Evaluation, status: &Value, error: &Value) {
    let Some(word) = status.as_str().filter(|word| *word != "success") else {
        return;
    };
    let message = error["message"].as_str().unwrap_or_default();
    let first = message.lines().next().unwrap_or_default();
    let mut note = format!("the log's status is {word}");
    if !first.is_empty() {
        note.push_str(&format!(": {}", crate::text::short(first, 160)));
    }
    if evaluation.systems[0].metrics.is_empty() {
        note.push_str("; it has no results");
    }
    evaluation.problems.push(note);
}

/// Samples, with the scores of their epochs added up.
#[derive(Default)]
struct Samples {
    order: Vec<String>,
    found: BTreeMap<String, Sample>,
    failed: usize,
}

#[derive(Default)]
struct Sample {
    content: Option<u128>,
    scores: Vec<(String, f64, u32)>,
}

impl Samples {
    fn take(&mut self, raw: &[u8]) {
        let Some(id) = json::get(raw, &["id"]).and_then(id_text) else {
            return;
        };
        if !self.found.contains_key(&id) {
            self.order.push(id.clone());
        }
        let sample = self.found.entry(id).or_default();
        if sample.content.is_none() {
            let parts = ["input", "choices", "target"];
            let parts = parts
                .iter()
                .filter_map(|name| Some((*name, json::get(raw, &[name])?)));
            sample.content = content(parts);
        }
        if json::get(raw, &["error"]).is_some_and(|error| !json::is_null(error)) {
            self.failed += 1;
        }
        let all = json::get(raw, &["scores"]).unwrap_or_default();
        for (key, one) in json::members(all) {
            let scorer = json::as_text_lossy(key).unwrap_or_default().into_owned();
            let value = json::get(one, &["value"]).unwrap_or_default();
            if value.first() == Some(&b'{') {
                for (key, value) in json::members(value) {
                    let part = json::as_text_lossy(key).unwrap_or_default();
                    sample.add(format!("{scorer}.{part}"), value);
                }
            } else {
                sample.add(scorer, value);
            }
        }
    }

    fn finish(self, evaluation: &mut Evaluation) {
        let epochs = self
            .found
            .values()
            .flat_map(|sample| &sample.scores)
            .map(|(_, _, times)| *times)
            .max()
            .unwrap_or(0);
        for id in &self.order {
            let Some(sample) = self.found.get(id) else {
                continue;
            };
            let item = evaluation.items.push(id, sample.content);
            for (name, sum, times) in &sample.scores {
                let mean = sum / f64::from(*times);
                evaluation.items.score(item, 0, name, mean);
            }
        }
        if epochs > 1 {
            let note = format!("{epochs} epochs: the score of an item is the mean of them");
            evaluation.notes.push(note);
        }
        if self.failed > 0 {
            let failed = crate::text::count(self.failed as u64, "sample");
            evaluation
                .problems
                .push(format!("{failed} failed with an error"));
        }
    }
}

impl Sample {
    fn add(&mut self, name: String, raw: &[u8]) {
        let Some(value) = value_of(raw) else { return };
        match self.scores.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, sum, times)) => {
                *sum += value;
                *times += 1;
            }
            None => self.scores.push((name, value, 1)),
        }
    }
}

/// A score: correct, incorrect, partial and no answer are 1, 0, a half and 0, as Inspect
/// counts them.
fn value_of(raw: &[u8]) -> Option<f64> {
    if let Some(reading) = reading(raw) {
        return Some(reading.number().unwrap_or(f64::NAN));
    }
    match json::as_text(raw)?.as_ref() {
        "C" | "yes" | "true" => Some(1.0),
        "I" | "N" | "no" | "false" => Some(0.0),
        "P" => Some(0.5),
        text => text.parse().ok(),
    }
}
