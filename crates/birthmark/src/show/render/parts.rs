//! The answers to the single questions: which code, which model, which params.

use birthmark_core::Timestamp;
use birthmark_core::birthmark::{self, Group};
use birthmark_core::timestamp::render_age;
use serde_json::Value;

use super::super::{SessionFacts, Shown, Varying};
use super::{LONGEST, word};
use crate::text::{self, plain, short};

pub(super) fn code(shown: &Shown) -> Vec<String> {
    let commit = match shown
        .varies
        .iter()
        .find(|varying| varying.name == "git_commit")
    {
        Some(varying) => {
            let count = varying
                .distinct
                .map_or("many".to_owned(), |count| count.to_string());
            format!("{count} commits")
        }
        None => word(shown, "git_commit").map_or_else(
            || "commit unknown".to_owned(),
            |hex| hex.chars().take(7).collect(),
        ),
    };
    let mut state = Vec::new();
    if let Some(branch) = word(shown, "git_branch") {
        state.push(format!("{commit} {branch}"));
    } else {
        let detached =
            shown.get("git_branch").is_some() && !shown.unknown.contains_key("git_branch");
        state.push(if detached {
            format!("{commit} detached")
        } else {
            commit
        });
    }
    state.push(dirty(shown));
    if let Some(pushed) = shown.get("git_pushed") {
        state.push(match pushed {
            Value::Bool(true) => "pushed".to_owned(),
            Value::Bool(false) => "not pushed".to_owned(),
            _ => "pushed unknown".to_owned(),
        });
    }
    let mut parts = vec![state.join(", ")];
    parts.extend(word(shown, "script_name"));
    parts.extend(word(shown, "git_remote"));
    parts
}

fn dirty(shown: &Shown) -> String {
    if shown
        .varies
        .iter()
        .any(|varying| varying.name == "git_dirty")
    {
        return "clean in part".to_owned();
    }
    match shown.get("git_dirty") {
        Some(Value::Bool(false)) => "clean".to_owned(),
        Some(Value::Bool(true)) => match word(shown, "git_snapshot") {
            Some(hex) => format!("dirty, kept as {}", hex.chars().take(7).collect::<String>()),
            None => "dirty".to_owned(),
        },
        _ => "dirty unknown".to_owned(),
    }
}

pub(super) fn model(shown: &Shown) -> Vec<String> {
    let mut parts: Vec<String> = ["model_name", "quantization"]
        .iter()
        .filter_map(|name| word(shown, name))
        .collect();
    parts.extend(word(shown, "model_revision").map(|revision| revision.chars().take(12).collect()));
    parts.extend(
        shown
            .get("model_digest")
            .and_then(Value::as_str)
            .map(short_digest),
    );
    parts.extend(word(shown, "loader_version").map(|loader| format!("loader {loader}")));
    parts
}

/// `blake3:9ab1c0…`: enough to tell two apart by eye.
fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((name, hex)) if hex.len() > 12 && hex.is_ascii() => {
            format!("{}:{}…", text::neutral(name), text::neutral(&hex[..8]))
        }
        _ => short(digest, 30),
    }
}

pub(super) fn template(shown: &Shown) -> Vec<String> {
    let state = match shown.get("template_disabled") {
        Some(Value::Bool(true)) => "off",
        Some(Value::Bool(false)) => "on",
        _ => return Vec::new(),
    };
    let of = word(shown, "sentinel_tests").map(|count| format!("{count} sentinels"));
    let proof = match (shown.get("sentinel_tests_passed"), of) {
        (Some(Value::Bool(true)), Some(of)) => format!("proved: {of}"),
        (Some(Value::Bool(true)), None) => "proved by sentinels".to_owned(),
        (Some(Value::Bool(false)), Some(of)) => format!("NOT proved: {of} passed"),
        (Some(Value::Bool(false)), None) => "NOT proved: sentinels failed".to_owned(),
        _ => "not proved".to_owned(),
    };
    vec![format!("{state} ({proof})")]
}

/// What was chosen: the params of the table, then the user's own fields.
pub(super) fn params(shown: &Shown) -> Vec<String> {
    let told_elsewhere = ["sentinel_tests", "digest"];
    let recorded = shown.recorded.as_ref().map(|recorded| &recorded.birthmark);
    let all = shown.birthmark.iter().chain(recorded.into_iter().flatten());
    let mut seen = Vec::new();
    let mut parts = Vec::new();
    for (name, value) in all {
        let known = birthmark::rule(name).map(|rule| rule.group);
        let varies = shown.varies.iter().any(|varying| varying.name == *name);
        let wanted = known.is_none_or(|group| group == Group::Params);
        if !wanted || varies || seen.contains(&name) || told_elsewhere.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        parts.push(format!(
            "{} {}",
            short(name, LONGEST),
            short(&plain(value), LONGEST)
        ));
    }
    parts
}

pub(super) fn varies(varying: &Varying) -> Option<String> {
    let name = short(&varying.name, LONGEST);
    if varying.name == "run_id" {
        return None;
    }
    let cut = |value: &Value| short(&plain(value), 40);
    Some(match (&varying.min, &varying.max) {
        (Some(min), Some(max)) if varying.name == "timestamp" => {
            format!("{name} {}..{}", clock(min), clock(max))
        }
        (Some(min), Some(max)) if min.is_number() && min != max => {
            format!("{name} {}..{}", cut(min), cut(max))
        }
        _ if !varying.values.is_empty() && varying.values.len() <= 4 => {
            let values: Vec<String> = varying.values.iter().map(|(value, _)| cut(value)).collect();
            format!("{name} {}", values.join(" | "))
        }
        _ => match varying.distinct {
            Some(count) => format!("{name} ({count} values)"),
            None => format!("{name} (many values)"),
        },
    })
}

/// The time of day of a timestamp, as stored (UTC).
fn clock(value: &Value) -> String {
    let text = plain(value);
    text.get(11..19)
        .map_or_else(|| short(&text, 40), str::to_owned)
}

fn object_parts(value: &Value) -> Vec<String> {
    let Value::Object(fields) = value else {
        return vec![short(&plain(value), LONGEST)];
    };
    let part = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Null => "not evaluated".to_owned(),
            other => short(&plain(other), LONGEST),
        };
        format!("{} {value}", short(name, LONGEST))
    };
    fields.iter().map(part).collect()
}

pub(super) fn models(shown: &Shown) -> Vec<String> {
    shown.get("models").map(object_parts).unwrap_or_default()
}

pub(super) fn dataset(shown: &Shown) -> Vec<String> {
    let Some(dataset) = shown.get("dataset").filter(|dataset| !dataset.is_null()) else {
        return Vec::new();
    };
    let Value::Object(fields) = dataset else {
        return object_parts(dataset);
    };
    let text = |name: &str| fields.get(name).filter(|value| !value.is_null()).map(plain);
    let mut parts = Vec::new();
    parts.extend(text("name").map(|name| short(&name, LONGEST)));
    parts.extend(text("size").map(|size| format!("{} records", short(&size, 30))));
    parts.extend(text("source").map(|source| short(&source, LONGEST)));
    parts.extend(text("digest").map(|digest| short_digest(&digest)));
    parts.extend(text("version_sha").map(|sha| sha.chars().take(7).collect()));
    parts
}

pub(super) fn inputs(shown: &Shown) -> Vec<String> {
    let listed = shown
        .get("inputs")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let used = shown
        .session
        .as_ref()
        .map(|session| session.used.clone())
        .unwrap_or_default();
    let fallback: Vec<Value> = if listed.is_empty() {
        used.into_iter().map(Value::Object).collect()
    } else {
        listed
    };
    fallback.iter().map(input).collect()
}

fn input(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let mut parts = Vec::new();
    parts.extend(text("role").map(|role| format!("{}:", short(role, 30))));
    parts.extend(
        text("file")
            .or_else(|| text("name"))
            .map(|name| short(name, LONGEST)),
    );
    parts.extend(text("digest").map(short_digest));
    let version = text("version_sha").or_else(|| text("model_revision"));
    parts.extend(version.map(|sha| short(&sha.chars().take(7).collect::<String>(), 7)));
    parts.join(" ")
}

pub(super) fn digests(shown: &Shown) -> Vec<String> {
    let recorded = shown
        .recorded
        .as_ref()
        .and_then(|recorded| recorded.digest.as_deref());
    let own = shown.birthmark.get("digest").and_then(Value::as_str);
    recorded
        .or(own)
        .map(|digest| format!("{} as recorded", short_digest(digest)))
        .into_iter()
        .collect()
}

pub(super) fn session(shown: &Shown, now: Timestamp) -> Vec<String> {
    let Some(session) = &shown.session else {
        return vec![match shown.get("session_id").and_then(Value::as_str) {
            Some(id) => format!("{} (not here)", short(id, LONGEST)),
            None => "none".to_owned(),
        }];
    };
    let mut text = text::neutral(session.id.short()).into_owned();
    if let Some(host) = &session.host {
        text.push_str(&format!(" on {}", short(host, LONGEST)));
    }
    if let Some(gpu) = session.environment.get("gpu").filter(|gpu| !gpu.is_null()) {
        text.push_str(&format!(" ({})", short(&plain(gpu), LONGEST)));
    }
    text.push_str(&format!(", {}", status(session, now)));
    if let Some(varying) = shown
        .varies
        .iter()
        .find(|varying| varying.name == "session_id")
    {
        let count = varying
            .distinct
            .map_or("many".to_owned(), |count| count.to_string());
        text.push_str(&format!("; the last of {count}"));
    }
    vec![text]
}

fn status(session: &SessionFacts, now: Timestamp) -> String {
    use birthmark_core::session::Status;
    match (session.status, session.last_heard) {
        (Status::LastHeard, Some(time)) => format!("last heard {}", render_age(time, now)),
        (status, _) => status.word().to_owned(),
    }
}
