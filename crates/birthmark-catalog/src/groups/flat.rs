//! The fields of a birthmark: its members, and those of nested objects under dotted names.
//!
//! # Invariants
//!
//! * Of equal names the last counts, as in every reader of ours; what an earlier one holds is
//!   nobody's.

use std::borrow::Cow;
use std::collections::HashMap;

use birthmark_core::json::{self, Followed};

use super::time::{TIMESTAMP, in_utc};
use crate::value::Value;

/// Nested objects are looked into so deep.
const MOST_DEPTH: usize = 8;
/// Fields of one group; beyond this number they are not looked at.
pub(super) const MOST_FIELDS: usize = 512;

/// The members with those of nested objects, and for each member its place there, but for
/// nested ones.
#[expect(clippy::type_complexity, reason = "two lists that belong together")]
pub(super) fn flat_of<'a>(
    members: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> (Vec<(String, &'a [u8])>, Vec<Option<usize>>) {
    let (mut flat, mut own) = (Vec::new(), Vec::new());
    let members: Vec<(&str, &[u8])> = members.collect();
    for (at, (name, raw)) in members.iter().copied().enumerate() {
        let nested = matches!(raw.first(), Some(b'{' | b'['));
        own.push((!nested).then_some(flat.len()));
        flat.push((name.to_owned(), raw));
        if nested && is_last(&members, at, name) {
            flatten(name, raw, MOST_DEPTH, &mut flat);
        }
    }
    (flat, own)
}

/// Of equal names the last counts, as in every reader of ours.
pub(super) fn last_of<'a>(flat: &'a [(String, &[u8])]) -> HashMap<&'a str, usize> {
    let named = flat.iter().enumerate();
    named.map(|(at, (name, _))| (name.as_str(), at)).collect()
}

/// The members of an object, by name.
fn named_members(raw: &[u8]) -> Vec<(Cow<'_, str>, &[u8])> {
    let named = |(key, value)| (json::as_text_lossy(key).unwrap_or_default(), value);
    json::members(raw).map(named).collect()
}

/// Whether no later member has the same name: what an earlier one holds is nobody's.
fn is_last<N: AsRef<str>>(members: &[(N, &[u8])], at: usize, name: &str) -> bool {
    let later = members.get(at + 1..).unwrap_or_default();
    later.iter().all(|(other, _)| other.as_ref() != name)
}

/// The members of nested objects under dotted names.
fn flatten<'a>(name: &str, raw: &'a [u8], depth: usize, out: &mut Vec<(String, &'a [u8])>) {
    if depth == 0 || raw.first() != Some(&b'{') {
        return;
    }
    let all = named_members(raw);
    for (at, (key, value)) in all.iter().enumerate() {
        if out.len() >= MOST_FIELDS {
            return;
        }
        if !is_last(&all, at, key) {
            continue;
        }
        let dotted = format!("{name}.{key}");
        out.push((dotted.clone(), value));
        flatten(&dotted, value, depth - 1, out);
    }
}

/// The value of a field as it is compared: a moment in UTC.
pub(super) fn told<'a>(name: &str, raw: &'a [u8]) -> Cow<'a, [u8]> {
    if name == TIMESTAMP {
        in_utc(raw)
    } else {
        Cow::Borrowed(raw)
    }
}

/// One field of the birthmark at hand, whose members are `followed`; a nested one by its dotted
/// name.
pub fn field(followed: &Followed, birthmark: &[u8], name: &str) -> Option<Value> {
    let is_object = |at| {
        let outer = name.get(..at).and_then(|outer| followed.get(outer));
        outer.is_some_and(|raw| raw.first() == Some(&b'{'))
    };
    if !name.match_indices('.').any(|(at, _)| is_object(at)) {
        let value = followed.get(name);
        return value.map(|raw| Value::of_json(&told(name, raw)));
    }
    let mut all = fields_of(birthmark).into_iter();
    all.find_map(|(known, value)| (known == name).then_some(value))
}

/// The fields of one birthmark: nested ones under dotted names too, each name once.
pub fn fields_of(birthmark: &[u8]) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    let members = named_members(birthmark);
    for (at, (key, value)) in members.iter().enumerate() {
        flat.push((key.clone().into_owned(), *value));
        if is_last(&members, at, key) {
            flatten(key, value, MOST_DEPTH, &mut flat);
        }
    }
    let mut out: Vec<(String, Value)> = Vec::with_capacity(flat.len());
    let mut known: HashMap<String, usize> = HashMap::new();
    for (name, raw) in flat {
        let value = Value::of_json(&told(&name, raw));
        if let Some(at) = known.get(&name) {
            out[*at].1 = value;
            continue;
        }
        known.insert(name.clone(), out.len());
        out.push((name, value));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{Grouper, Place};

    #[test]
    fn of_equal_names_the_last_counts_with_what_it_holds_in_every_way_of_reading() {
        for (mark, lacks) in [
            (r#"{"a": {"b": {"c": 1}}, "a": {"d": 2}}"#, "a.b"),
            (r#"{"a": {"b": 1}, "a": 7}"#, "a.b"),
            (
                r#"{"a": {"b": {"c": 1}, "b": 2}, "x": {"y": 1, "y": {"z": 2}}}"#,
                "a.b.c",
            ),
            (r#"{"x.y": 1, "x": {"y": 2}}"#, "x.y.z"),
            (r#"{"x": {"y": {"z": 2}}, "x.y": 1}"#, "y"),
        ] {
            let mark = mark.replacen(
                '{',
                r#"{"git_commit": "c", "birthmark": "birthmark/v1", "#,
                1,
            );
            let fields = fields_of(mark.as_bytes());
            let mut followed = Followed::default();
            followed.anew(mark.as_bytes());
            for (name, value) in &fields {
                let one = field(&followed, mark.as_bytes(), name);
                assert_eq!(one.as_ref(), Some(value), "{name} of {mark}");
            }
            assert_eq!(field(&followed, mark.as_bytes(), lacks), None, "{mark}");
            let members = named_members(mark.as_bytes());
            let mut grouper = Grouper::new();
            let place = Place {
                line: 1,
                start: 0,
                end: 1,
            };
            grouper.anew(
                place,
                members.iter().map(|(name, raw)| (name.as_ref(), *raw)),
            );
            let mut constants = grouper.finish().remove(0).constants;
            let mut fields = fields;
            constants.sort_by(|a, b| a.0.cmp(&b.0));
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(constants, fields, "{mark}");
        }
    }
}
