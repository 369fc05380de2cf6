//! How the items of a report were made, where several runs made them.
//!
//! A report has one birthmark, and an item that a run before left in the part was made by
//! that run. What all items agree on stands in the report's birthmark. What they do not
//! agree on is null there, with the reason, also whether the tree was dirty; the commit stays
//! the one of the run that put the report together. `items_from` names the other runs, their commits and what differs, and
//! each item of such a report keeps its own birthmark.

use std::collections::BTreeSet;

use birthmark_core::SessionId;
use birthmark_core::birthmark::{self, Fields, Group};
use birthmark_core::json::{self, Marks, Step};
use birthmark_core::snapshot::code_named;
use serde_json::Value;

use crate::text;

/// The field that tells of the other runs.
pub(crate) const ITEMS_FROM: &str = "items_from";
/// How a reason begins that tells of what items do not agree on.
const HOLDS: &str = "the report holds ";
/// A value is told so long, in characters.
const LONGEST: usize = 60;
/// What tells nothing of how an item was made.
const ASIDE: [&str; 11] = [
    "timestamp",
    "stamped_at",
    "session_id",
    "run_id",
    "birthmark",
    "unknown",
    "declared",
    "inputs",
    "git_pushed",
    "merged",
    ITEMS_FROM,
];

/// Items with one birthmark, but for its time.
#[derive(Debug)]
struct Origin {
    /// None where they carry none.
    fields: Option<Fields>,
    items: u64,
}

/// The birthmarks of items, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    all: Vec<Origin>,
    marks: Marks,
    /// That of the item before.
    at: Option<usize>,
}

impl Origins {
    /// Counts an item, which must be a JSON object.
    pub(crate) fn take(&mut self, item: &[u8]) -> Result<(), json::ScanError> {
        let place = json::find_birthmark(item)?;
        let mut memory = Vec::new();
        let own = if place.is_ours() {
            place.own(item, &mut memory)
        } else {
            &[]
        };
        let is_timed = own.is_empty()
            || matches!(self.marks.step_alone(own), Step::Same) && {
                let mut changed = self.marks.changed().iter();
                let names = self.marks.names();
                changed.all(|at| names.get(*at).is_some_and(|name| name == "timestamp"))
            };
        let at = match self.at {
            Some(at) if is_timed && self.all[at].fields.is_some() != own.is_empty() => at,
            _ => self.origin_of(own),
        };
        self.all[at].items += 1;
        self.at = Some(at);
        Ok(())
    }

    fn origin_of(&mut self, own: &[u8]) -> usize {
        let mut fields: Option<Fields> = serde_json::from_slice(own).ok();
        if let Some(fields) = &mut fields {
            fields.remove("timestamp");
        }
        let known = self.all.iter().position(|origin| origin.fields == fields);
        known.unwrap_or_else(|| {
            self.all.push(Origin { fields, items: 0 });
            self.all.len() - 1
        })
    }

    /// How the items were made, each way once.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &Fields> {
        self.all.iter().filter_map(|origin| origin.fields.as_ref())
    }

    /// What items were made with, as `name value`, that is not so in `mine`.
    pub(super) fn other_than(&self, mine: &Fields) -> Vec<String> {
        let mut told = BTreeSet::new();
        for theirs in self.all.iter().filter_map(|origin| origin.fields.as_ref()) {
            for name in differing(theirs, mine) {
                let (theirs, mine) = (said(theirs.get(name)), said(mine.get(name)));
                told.insert(format!("{name} {theirs} (now {mine})"));
            }
        }
        told.into_iter().collect()
    }

    /// Writes into the birthmark of a report what its items say. True where they were made
    /// differently, so that each must keep its own.
    pub(super) fn tell(&self, mine: &mut Fields) -> bool {
        let id = mine.get("session_id").cloned();
        let fields_of = |origin: &Origin| origin.fields.clone().unwrap_or_default();
        let mut entries = Vec::new();
        let mut names = BTreeSet::new();
        let mut is_mixed = false;
        for origin in &self.all {
            let theirs = fields_of(origin);
            let differs: Vec<&str> = origin
                .fields
                .iter()
                .flat_map(|own| differing(own, mine))
                .map(String::as_str)
                .collect();
            is_mixed |= !differs.is_empty() || origin.fields.is_none();
            if differs.is_empty() && theirs.get("session_id") == id.as_ref() {
                continue;
            }
            let mut entry = Fields::new();
            entry.insert("items".to_owned(), Value::from(origin.items));
            for name in ["session_id", "run_id", "git_commit", "git_snapshot"] {
                let value = theirs.get(name).cloned().unwrap_or(Value::Null);
                if !matches!(name, "git_snapshot" | "run_id") || !value.is_null() {
                    entry.insert(name.to_owned(), value);
                }
            }
            let mut other = Fields::new();
            for name in differs {
                if !is_code(name) || is_of_the_tree(name, mine) {
                    names.insert(name.to_owned());
                }
                other.insert(
                    name.to_owned(),
                    theirs.get(name).cloned().unwrap_or(Value::Null),
                );
            }
            if !other.is_empty() {
                entry.insert("differs".to_owned(), Value::Object(other));
            }
            entries.push(Value::Object(entry));
        }
        if entries.is_empty() {
            return false;
        }
        for name in names {
            let reason = self.spread(&name);
            mine.insert(name.clone(), Value::Null);
            if let Some(Value::Object(reasons)) = mine.get_mut("unknown") {
                reasons.remove(&name);
            }
            birthmark::note_unknown(mine, &name, &reason);
        }
        mine.insert(ITEMS_FROM.to_owned(), Value::Array(entries));
        is_mixed
    }

    /// How many items have which value of a field.
    fn spread(&self, name: &str) -> String {
        let mut values: Vec<(String, u64)> = Vec::new();
        for origin in &self.all {
            let value = match &origin.fields {
                Some(fields) => said(fields.get(name)),
                None => "no birthmark".to_owned(),
            };
            match values.iter_mut().find(|(known, _)| *known == value) {
                Some((_, items)) => *items += origin.items,
                None => values.push((value, origin.items)),
            }
        }
        let parts: Vec<String> = values
            .iter()
            .map(|(value, items)| format!("{} with {value}", text::count(*items, "item")))
            .collect();
        format!("{HOLDS}{}", parts.join(", "))
    }
}

/// Whether a report's birthmark says that some of its items were made by clean code and some not.
pub(crate) fn is_clean_in_part(mark: &Fields) -> bool {
    let reasons = mark.get("unknown");
    let reason = reasons.and_then(|all| all.get("git_dirty")?.as_str());
    let spread = reason.and_then(|reason| reason.strip_prefix(HOLDS));
    let has = |end: &str| {
        let mut parts = spread.into_iter().flat_map(|spread| spread.split(", "));
        parts.any(|part| part.ends_with(end))
    };
    has(" with true") && has(" with false")
}

/// What a report's birthmark says of items that were made with other code than its run's: their
/// number, session and commit.
pub(crate) fn of_other_code(mark: &Fields) -> Vec<String> {
    let entries = mark.get(ITEMS_FROM).and_then(Value::as_array);
    let own = |name: &str| mark.get(name).unwrap_or(&Value::Null);
    let is_other = |entry: &&Value| {
        let names = ["git_commit", "git_snapshot"];
        let differs = entry.get("differs").and_then(Value::as_object);
        names
            .iter()
            .any(|name| entry.get(*name).unwrap_or(&Value::Null) != own(name))
            || differs.is_some_and(|differs| differs.keys().any(|name| is_code(name)))
    };
    let told = |entry: &Value| {
        let items = entry.get("items").and_then(Value::as_u64).unwrap_or(0);
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let session = text("session_id").map_or_else(
            || "no session that is known".to_owned(),
            |id| {
                format!(
                    "session {}",
                    text::short(SessionId::from_text(id).short(), LONGEST)
                )
            },
        );
        let commit = entry.as_object().and_then(code_named);
        let commit = commit.unwrap_or_else(|| "no commit".to_owned());
        format!("{} of {session}, at {commit}", text::count(items, "item"))
    };
    entries
        .into_iter()
        .flatten()
        .filter(is_other)
        .map(told)
        .collect()
}

/// The birthmark of a report, as those of its items that were made like `item` have it.
pub(crate) fn as_item(mark: &Fields, item: &Fields) -> Fields {
    let mut told = mark.clone();
    for name in differing(item, mark) {
        let value = item.get(name).cloned().unwrap_or(Value::Null);
        if let Some(Value::Object(reasons)) = told.get_mut("unknown") {
            reasons.remove(name);
        }
        told.insert(name.clone(), value);
    }
    told
}

/// The names of the fields that two birthmarks do not agree on.
fn differing<'f>(theirs: &'f Fields, mine: &'f Fields) -> impl Iterator<Item = &'f String> {
    let of_theirs = theirs
        .iter()
        .filter(|(name, value)| mine.get(*name).unwrap_or(&Value::Null) != *value);
    let of_mine = mine
        .iter()
        .filter(|(name, value)| !value.is_null() && !theirs.contains_key(*name));
    let names = of_theirs.chain(of_mine).map(|(name, _)| name);
    names.filter(|name| !ASIDE.contains(&name.as_str()))
}

/// Whether a field speaks of the code, which is told by commits.
fn is_code(name: &str) -> bool {
    let known = birthmark::FIELDS.iter().find(|field| field.name == name);
    known.is_some_and(|field| matches!(field.group, Group::Code | Group::Required))
}

/// Whether it says of the tree what only all items together can: that it was clean, and so needs
/// no snapshot.
fn is_of_the_tree(name: &str, mine: &Fields) -> bool {
    name == "git_dirty" || name == "git_snapshot" && mine.get(name).is_none_or(Value::is_null)
}

fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => text::short(&value.to_string(), LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark(value: Value) -> Fields {
        let Value::Object(mut fields) = value else {
            unreachable!()
        };
        fields.insert("birthmark".to_owned(), Value::from("birthmark/v1"));
        fields
    }

    fn origins(items: &[Value]) -> Origins {
        let mut origins = Origins::default();
        for item in items {
            origins.take(item.to_string().as_bytes()).unwrap();
        }
        origins
    }

    #[test]
    fn what_items_agree_on_stays_and_what_they_do_not_is_null_with_its_reason() {
        let old = mark(
            json!({"git_commit": "a", "timestamp": "1", "seed": 1, "temperature": 0.1, "session_id": "s"}),
        );
        let new = mark(
            json!({"git_commit": "b", "timestamp": "2", "seed": 1, "temperature": 0.9, "session_id": "t"}),
        );
        let later = mark(
            json!({"git_commit": "b", "timestamp": "3", "seed": 1, "temperature": 0.9, "session_id": "t"}),
        );
        let found = origins(&[
            json!({"id": 0, "metadata": old}),
            json!({"id": 1, "metadata": new}),
            json!({"id": 2, "metadata": later}),
        ]);
        let mut whole = new.clone();
        assert!(found.tell(&mut whole));
        assert_eq!(
            (&whole["seed"], &whole["temperature"], &whole["git_commit"]),
            (&json!(1), &Value::Null, &json!("b"))
        );
        assert_eq!(
            whole["unknown"]["temperature"],
            "the report holds 1 item with 0.1, 2 items with 0.9"
        );
        assert_eq!(
            whole[ITEMS_FROM],
            json!([{"items": 1, "session_id": "s", "git_commit": "a", "differs": {"git_commit": "a", "temperature": 0.1}}])
        );
    }

    #[test]
    fn a_run_that_only_went_on_is_named_and_changes_nothing_else() {
        let old = mark(json!({"git_commit": "a", "timestamp": "1", "session_id": "s"}));
        let found = origins(&[json!({"metadata": old})]);
        let mut whole = mark(json!({"git_commit": "a", "timestamp": "2", "session_id": "t"}));
        assert!(!found.tell(&mut whole));
        assert_eq!(
            whole[ITEMS_FROM],
            json!([{"items": 1, "session_id": "s", "git_commit": "a"}])
        );
        let mut same = mark(json!({"git_commit": "a", "timestamp": "2", "session_id": "s"}));
        assert!(!found.tell(&mut same) && !same.contains_key(ITEMS_FROM));
    }

    #[test]
    fn clean_is_only_what_is_clean_for_all_items() {
        let dirty = mark(
            json!({"git_commit": "a", "timestamp": "1", "session_id": "s", "git_dirty": true, "git_snapshot": "c0ffee"}),
        );
        let clean = mark(
            json!({"git_commit": "a", "timestamp": "2", "session_id": "t", "git_dirty": false, "git_snapshot": null}),
        );
        let found = origins(&[json!({"metadata": dirty}), json!({"metadata": clean})]);
        let mut whole = clean.clone();
        assert!(found.tell(&mut whole));
        assert_eq!(
            (&whole["git_dirty"], &whole["git_commit"]),
            (&Value::Null, &json!("a"))
        );
        for name in ["git_dirty", "git_snapshot"] {
            let why = whole["unknown"][name].as_str().unwrap();
            assert!(why.starts_with("the report holds 1 item with"), "{why}");
        }
        let told = of_other_code(&whole).join("; ");
        assert_eq!(told, "1 item of session s, at snapshot c0ffee");
        let as_made: Vec<Fields> = found.marks().map(|one| as_item(&whole, one)).collect();
        assert_eq!(as_made[0]["git_dirty"], true);
        assert_eq!(as_made[1]["git_dirty"], false);
        assert_eq!(as_made[1]["unknown"].get("git_dirty"), None);
        assert_eq!(as_made[0]["session_id"], "t");
        // A run that went on with a dirty tree keeps the snapshot that has its code.
        let mut whole = dirty.clone();
        assert!(found.tell(&mut whole));
        assert_eq!(
            (&whole["git_dirty"], &whole["git_snapshot"]),
            (&Value::Null, &json!("c0ffee"))
        );
    }

    #[test]
    fn items_without_a_birthmark_are_told() {
        let found = origins(&[json!({"id": 1}), json!({"id": 2})]);
        let mut whole = mark(json!({"git_commit": "a", "timestamp": "2", "session_id": "t"}));
        assert!(found.tell(&mut whole));
        assert_eq!(
            whole[ITEMS_FROM],
            json!([{"items": 2, "session_id": null, "git_commit": null}])
        );
    }
}
