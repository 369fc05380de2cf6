//! Who wrote the file, where that was another run than its birthmark names.

use birthmark_core::birthmark::Fields;
use birthmark_core::{SessionId, Timestamp};
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
    let mut parts = vec![by(wrote.script(), wrote.birthmark())];
    let lives = wrote.lives.as_ref().filter(|lives| !lives.remote);
    parts.extend(lives.map(|lives| format!("kept {}", lives.phrase())));
    let session = text::neutral(wrote.session.short()).into_owned();
    parts.push(format!("session {session}"));
    parts
}

/// Where a record was born that a later run wrote again: its older birthmark tells it.
pub(super) fn born_before(shown: &Shown) -> Vec<String> {
    let Some(older) = &shown.older else {
        return Vec::new();
    };
    let text = |name: &str| older.get(name).and_then(Value::as_str);
    let mut parts = vec![by(text("script_name"), older)];
    let short_of = |id: &str| short(SessionId::from_text(id).short(), LONGEST);
    parts.extend(text("session_id").map(|id| format!("session {}", short_of(id))));
    parts
}

/// A run and its code.
fn by(who: Option<&str>, birthmark: &Fields) -> String {
    let hex = |name: &str| {
        let hex = birthmark.get(name).and_then(Value::as_str)?;
        Some(short(&hex.chars().take(7).collect::<String>(), LONGEST))
    };
    let who = short(who.unwrap_or("a run"), LONGEST);
    let commit = hex("git_commit").unwrap_or_else(|| "commit unknown".to_owned());
    let state = match (birthmark.get("git_dirty"), hex("git_snapshot")) {
        (Some(Value::Bool(false)), _) => "clean".to_owned(),
        (Some(Value::Bool(true)), Some(snapshot)) => format!("dirty, snapshot {snapshot}"),
        (Some(Value::Bool(true)), None) => "dirty, not kept".to_owned(),
        _ => "dirty unknown".to_owned(),
    };
    format!("by {who}, {commit} {state}")
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
