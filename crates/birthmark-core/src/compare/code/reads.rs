//! Files that the two runs read and nobody named: prompts, settings, data.

use serde_json::Value;

use super::super::{Reason, Side, Weight};
use super::verdict::{Case, get, named};

impl Case<'_> {
    /// Files that both runs read, and that are not the same.
    pub(super) fn read(&self) -> Vec<Reason> {
        let (Some(a), Some(b)) = (&self.sides[0].ran, &self.sides[1].ran) else {
            return Vec::new();
        };
        let ours = |path: &str| {
            self.differs(path)
                || a.modules.contains_key(path)
                || self.sides.iter().any(|side| names(side, path))
        };
        let moved: Vec<&str> = a
            .read_otherwise(b)
            .into_iter()
            .filter(|path| !ours(path))
            .collect();
        let (data, other): (Vec<&str>, Vec<&str>) =
            moved.into_iter().partition(|path| is_data(path));
        let reason = |weight, files: &[&str]| {
            let text = format!("both read {}, with other bytes in it", named(files));
            (!files.is_empty()).then(|| Reason::new(weight, "read", "read", text))
        };
        let both = [
            reason(Weight::CannotTell, &other),
            reason(Weight::Caveat, &data),
        ];
        both.into_iter().flatten().collect()
    }
}

/// Whether a side names a path, or what it lies in, as its model or its dataset: these have
/// fields of their own.
fn names(side: &Side, path: &str) -> bool {
    const FIELDS: [&str; 7] = [
        "models",
        "model_name",
        "checkpoint",
        "adapter",
        "model",
        "inputs",
        "dataset",
    ];
    let fields = FIELDS.iter().filter_map(|name| get(side, name));
    fields.into_iter().any(|value| holds(value, path))
}

fn holds(value: &Value, path: &str) -> bool {
    match value {
        Value::String(text) => {
            let text = text.trim_start_matches("./").trim_end_matches('/');
            let rest = path.strip_prefix(text).filter(|_| !text.is_empty());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        Value::Array(values) => values.iter().any(|value| holds(value, path)),
        Value::Object(members) => members.values().any(|value| holds(value, path)),
        _ => false,
    }
}

/// Whether a file holds data, by its ending: outputs that are scored, caches of answers.
fn is_data(path: &str) -> bool {
    const DATA: [&str; 8] = [
        ".jsonl", ".ndjson", ".parquet", ".arrow", ".csv", ".npy", ".npz", ".bin",
    ];
    DATA.iter().any(|ending| path.ends_with(ending))
}
