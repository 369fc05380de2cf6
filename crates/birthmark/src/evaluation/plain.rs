//! Plain JSON with `summary` and `results`, as in the document that Birthmark was asked for
//! in, and as its own reports are.
//!
//! Roles are those of `models`; where there are none, those that stand in the items, else
//! those in front of the metrics of the summary (`base_accuracy`, `sft_accuracy`).

use birthmark_core::birthmark::Fields;
use birthmark_core::evaluation::{
    Evaluation, Metric, Reading, System, Tool, is_count, is_rate, is_score, metric_of_role,
};
use birthmark_core::json::{self, Object};
use serde_json::Value;

use super::item;
use super::value::{fields, reading};

/// Where numbers for the whole stand, the first that is there.
const SUMMARIES: [&str; 4] = ["summary", "metrics", "scores", "aggregate"];
/// Where the items stand.
const RESULTS: [&str; 7] = [
    "results",
    "items",
    "examples",
    "samples",
    "per_item",
    "per_example",
    "predictions",
];
/// Where facts of how it was made stand, where there is no birthmark.
const FACTS: [&str; 4] = ["metadata", "config", "params", "args"];
/// So many items are looked at to find the roles.
const LOOKED_AT: usize = 20;

/// Reads a report that was scanned.
pub(super) fn read(report: &[u8], object: &Object) -> Evaluation {
    let mut evaluation = Evaluation::default();
    birthmark(report, object, &mut evaluation);
    let summary = SUMMARIES
        .iter()
        .find_map(|name| json::get(report, &[name]).filter(|raw| raw.first() == Some(&b'{')));
    let results = RESULTS
        .iter()
        .find_map(|name| json::get(report, &[name]).filter(|raw| raw.first() == Some(&b'[')));
    let numbers = flatten(summary.unwrap_or(report), summary.is_some());
    let roles = roles(&evaluation, &numbers, results);
    evaluation.systems = systems(&roles);
    take_numbers(&mut evaluation, numbers);
    if let Some(results) = results {
        for span in json::elements(results) {
            let raw = span.of(results);
            if raw.first() == Some(&b'{') {
                item::take(&mut evaluation.items, &evaluation.systems, raw);
            }
        }
    }
    if summary.is_none() && results.is_none() {
        evaluation.notes.push(Evaluation::FORMLESS.to_owned());
    }
    if evaluation.is_empty() {
        evaluation
            .notes
            .push("it holds no number and no item".to_owned());
    }
    evaluation
}

fn birthmark(report: &[u8], object: &Object, evaluation: &mut Evaluation) {
    let place = json::locate_birthmark(report, object);
    if let Some(raw) = place.value(report) {
        if place.is_ours() {
            evaluation.tool = Tool::Birthmark;
        }
        evaluation.birthmark = Some(fields(raw));
        return;
    }
    for name in FACTS {
        if let Some(raw) = json::get(report, &[name]).filter(|raw| raw.first() == Some(&b'{')) {
            let facts = fields(raw);
            for (field, value) in facts {
                evaluation.set(&field, value, &format!("{name}.{field}"));
            }
            return;
        }
    }
}

/// The numbers of an object, one level of objects in it as `outer.inner`.
fn flatten(object: &[u8], deep: bool) -> Vec<(String, Reading)> {
    let mut found = Vec::new();
    for (key, value) in json::members(object) {
        let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
        if let Some(reading) = number(value) {
            found.push((name, reading));
        } else if deep && value.first() == Some(&b'{') {
            for (key, value) in json::members(value) {
                let inner = json::as_text_lossy(key).unwrap_or_default();
                if let Some(reading) = number(value) {
                    found.push((format!("{name}.{inner}"), reading));
                }
            }
        }
    }
    found
}

/// A number of a summary; flags are none.
fn number(raw: &[u8]) -> Option<Reading> {
    reading(raw).filter(|_| !matches!(raw.first(), Some(b't' | b'f')))
}

fn roles(
    evaluation: &Evaluation,
    numbers: &[(String, Reading)],
    results: Option<&[u8]>,
) -> Vec<String> {
    let models = |fields: &Fields| match fields.get("models") {
        Some(Value::Object(models)) => models
            .iter()
            .filter(|(_, model)| !model.is_null())
            .map(|(role, _)| role.clone())
            .collect(),
        _ => Vec::new(),
    };
    let of_models: Vec<String> = evaluation
        .birthmark
        .as_ref()
        .map(models)
        .unwrap_or_default();
    if !of_models.is_empty() {
        return of_models;
    }
    let of_items = results.map(roles_of_items).unwrap_or_default();
    if !of_items.is_empty() {
        return of_items;
    }
    roles_of_names(numbers)
}

/// Members of the first items that are objects with scores.
fn roles_of_items(results: &[u8]) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    for span in json::elements(results).take(LOOKED_AT) {
        let raw = span.of(results);
        for (key, value) in json::members(raw) {
            let scored = json::members(value).any(|(key, value)| {
                let name = json::as_text_lossy(key).unwrap_or_default();
                is_score(&name) && reading(value).is_some()
            });
            let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
            if scored && name != "metadata" && !roles.contains(&name) {
                roles.push(name);
            }
        }
    }
    roles
}

/// What stands in front of one and the same metric, where it is more than one word.
fn roles_of_names(numbers: &[(String, Reading)]) -> Vec<String> {
    const PARTS: [&str; 14] = [
        "train", "test", "val", "eval", "dev", "macro", "micro", "mean", "avg", "std", "max",
        "min", "total", "overall",
    ];
    let split = |name: &str| -> Option<(String, String)> {
        name.char_indices()
            .filter(|(_, each)| matches!(each, '_' | '.' | '/' | '-'))
            .map(|(at, _)| (name[..at].to_owned(), name[at + 1..].to_owned()))
            .find(|(role, metric)| {
                (is_score(metric) || is_rate(metric)) && !PARTS.contains(&role.as_str())
            })
    };
    let found: Vec<(String, String)> = numbers.iter().filter_map(|(name, _)| split(name)).collect();
    let mut roles: Vec<String> = Vec::new();
    for (role, metric) in &found {
        let others = found
            .iter()
            .any(|(other, same)| other != role && same == metric);
        if others && !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    roles
}

fn systems(roles: &[String]) -> Vec<System> {
    if roles.is_empty() {
        return vec![System::default()];
    }
    roles
        .iter()
        .map(|role| System {
            role: Some(role.clone()),
            metrics: Vec::new(),
        })
        .collect()
}

/// Gives each number to its system; counts are counts.
fn take_numbers(evaluation: &mut Evaluation, numbers: Vec<(String, Reading)>) {
    let several = evaluation.systems.len() > 1;
    for (name, value) in numbers {
        if is_count(&name) {
            if let (None, Some(count)) = (evaluation.count, value.number()) {
                evaluation.count = whole(count);
            }
            continue;
        }
        let mut owners: Vec<(usize, &str)> = evaluation
            .systems
            .iter()
            .enumerate()
            .filter_map(|(place, system)| {
                let role = system.role.as_deref()?;
                metric_of_role(&name, role).map(|metric| (place, metric))
            })
            .collect();
        // `sft_v2_accuracy` is of `sft_v2`, not of `sft`: the longest role owns it.
        owners.sort_by_key(|(_, metric)| metric.len());
        match owners.first() {
            Some(&(place, metric)) => {
                let metric = Metric::new(metric, value);
                evaluation.systems[place].metrics.push(metric);
            }
            None if !several => {
                let metric = Metric::new(name, value);
                evaluation.systems[0].metrics.push(metric);
            }
            None => {}
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of items, checked to be whole and small"
)]
fn whole(count: f64) -> Option<usize> {
    (count.fract() == 0.0 && (1.0..1e12).contains(&count)).then_some(count as usize)
}
