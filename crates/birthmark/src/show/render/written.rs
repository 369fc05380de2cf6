//! Who wrote the file, where that was another run than its birthmark names.

use birthmark_core::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::LONGEST;
use super::headline::{moment, time_of};
use crate::show::{Shown, What};
use crate::text::{self, short};

/// The run, its code, and where that lives.
pub(super) fn written(shown: &Shown) -> Vec<String> {
    let Some(wrote) = &shown.wrote else {
        return Vec::new();
    };
    let get = |name: &str| wrote.birthmark().get(name);
    let hex = |name: &str| {
        let hex = get(name).and_then(Value::as_str)?;
        Some(hex.chars().take(7).collect::<String>())
    };
    let who = wrote.script().unwrap_or("a run");
    let commit = hex("git_commit").unwrap_or_else(|| "commit unknown".to_owned());
    let state = match (get("git_dirty"), hex("git_snapshot")) {
        (Some(Value::Bool(false)), _) => "clean".to_owned(),
        (Some(Value::Bool(true)), Some(snapshot)) => format!("dirty, snapshot {snapshot}"),
        (Some(Value::Bool(true)), None) => "dirty, not kept".to_owned(),
        _ => "dirty unknown".to_owned(),
    };
    let mut parts = vec![format!("by {}, {commit} {state}", short(who, LONGEST))];
    let lives = wrote.lives.as_ref().filter(|lives| !lives.remote);
    parts.extend(lives.map(|lives| format!("kept {}", lives.phrase())));
    let session = text::neutral(wrote.session.short()).into_owned();
    parts.push(format!("session {session}"));
    parts
}

/// When what a file carries was born, where the file was written later.
pub(super) fn born(shown: &Shown, now: Timestamp, zone: &TimeZone) -> Option<String> {
    shown.wrote.as_ref()?;
    let varies = shown.what == What::Records && !shown.birthmark.contains_key("timestamp");
    if varies || shown.what == What::Record {
        return None;
    }
    let born = time_of(shown)?;
    Some(format!("born {}", moment(&born, now, zone)))
}
