//! What it was made from.

use birthmark_core::Fields;
use birthmark_core::lineage::with_run;
use birthmark_core::snapshot::code_named;
use serde_json::Value;

use super::super::Shown;
use super::{LONGEST, short_digest};
use crate::text::{self, short};

/// Its lines, and after them those inputs that were not what a run had left there.
pub(super) fn inputs(shown: &Shown) -> Vec<String> {
    let mut lines = listed_inputs(&inputs_of(shown));
    let changed = shown.inputs_changed.iter();
    lines.extend(changed.take(MOST_INPUTS).map(|one| {
        let name = short(&one.file, LONGEST);
        format!("! {name}: {}", text::neutral(&one.text))
    }));
    lines
}

/// What its birthmark says that it was made from, else what its run read; of a manifest alone,
/// which does not tell the runs apart, what its session read.
pub(in crate::show) fn inputs_of(shown: &Shown) -> Vec<Value> {
    let listed = shown
        .get("inputs")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let Some(session) = shown.session.as_ref().filter(|_| listed.is_empty()) else {
        return listed;
    };
    let tells_apart = session.ran.iter().any(|run| !run.used.is_empty());
    let used: Vec<&Fields> = match shown.own_run().filter(|_| tells_apart) {
        Some(own) => {
            let own = with_run(&session.ran, own.id.as_str());
            own.iter().flat_map(|run| &run.used).collect()
        }
        None => session.used.iter().collect(),
    };
    used.into_iter().cloned().map(Value::Object).collect()
}

/// Items of a report that other runs made.
pub(super) fn other_items(shown: &Shown) -> Vec<String> {
    let entries = shown.get("items_from").and_then(Value::as_array);
    let line = |entry: &Value| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let items = entry.get("items").and_then(Value::as_u64).unwrap_or(0);
        let items = text::count(items, "item");
        let Some(session) = text("session_id") else {
            return format!("{items} without a birthmark");
        };
        let mut line = format!("{items} of session {}", short(session, LONGEST));
        let mark = entry.as_object().cloned().unwrap_or_default();
        let other = |name: &str| {
            mark.get(name)
                .is_some_and(|own| shown.get(name) != Some(own))
        };
        if other("git_commit") || other("git_snapshot") {
            let at = code_named(&mark).unwrap_or_else(|| "unknown code".to_owned());
            line.push_str(&format!(", at {at}"));
        }
        let differs = entry.get("differs").and_then(Value::as_object);
        let fields = differs.into_iter().flatten();
        for (name, value) in fields.filter(|(name, _)| !name.starts_with("git_")) {
            let value = short(&text::plain(value), LONGEST);
            line.push_str(&format!(", {} {value}", short(name, LONGEST)));
        }
        line
    };
    entries.into_iter().flatten().map(line).collect()
}

/// Files that were seen to be read stand together by their folder where they are many.
fn listed_inputs(inputs: &[Value]) -> Vec<String> {
    let told = |input: &Value, name: &str| input.get(name)?.as_str().map(str::to_owned);
    let folder = |input: &Value| {
        let seen = told(input, "observed_by").is_some() && told(input, "role")? == "read";
        let file = told(input, "file").filter(|_| seen)?;
        Some(file.rsplit_once('/').map_or(".", |(up, _)| up).to_owned())
    };
    let mut by_folder: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for folder in inputs.iter().filter_map(folder) {
        *by_folder.entry(folder).or_default() += 1;
    }
    let mut lines = Vec::new();
    for one in inputs {
        let many = folder(one).and_then(|folder| {
            let files = by_folder.get(&folder).copied()?;
            (files > MANY_INPUTS).then_some((folder, files))
        });
        match many {
            None => lines.push(input(one)),
            Some((folder, files)) => {
                let line = format!(
                    "read: {} in {}",
                    text::count(files, "file"),
                    short(&folder, LONGEST)
                );
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    if lines.len() > MOST_INPUTS {
        let more = lines.len() - MOST_INPUTS;
        lines.truncate(MOST_INPUTS);
        lines.push(format!("and {more} more (--json has all)"));
    }
    lines
}

/// Files read from one folder that are named one by one.
const MANY_INPUTS: u64 = 4;
/// Inputs that a screen names.
const MOST_INPUTS: usize = 16;

fn input(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let mut parts = Vec::new();
    parts.extend(text("role").map(|role| format!("{}:", short(role, 30))));
    // The name of what lies in a cache tells more than the cache's folders.
    let file = text("file").filter(|file| !(file.starts_with('/') && text("name").is_some()));
    parts.extend(
        file.or_else(|| text("name"))
            .map(|name| short(name, LONGEST)),
    );
    let told = |name: &str| input.get("gguf")?.get(name)?.as_str();
    let model = told("name").or_else(|| told("architecture"));
    parts.extend(model.map(|name| short(name, 40)));
    parts.extend(told("quantization").map(|name| short(name, 12)));
    let files = input.get("files_read").and_then(Value::as_u64);
    parts.extend(files.map(|files| text::count(files, "file")));
    parts.extend(text("digest").map(short_digest));
    let version = text("version_sha").or_else(|| text("model_revision"));
    parts.extend(version.map(|sha| short(&sha.chars().take(7).collect::<String>(), 7)));
    parts.join(" ")
}
