//! One item of `results`: its id, what it asks, and how each system did on it.

use birthmark_core::evaluation::{Items, System, is_score, metric_of_role};
use birthmark_core::json::{self, Member};
use birthmark_store::digest::digest_bytes;

use super::value::{compact, or_nan, reading};

/// Members that name an item, the first that is there.
const IDS: [&str; 8] = [
    "id",
    "item_id",
    "example_id",
    "question_id",
    "task_id",
    "uid",
    "idx",
    "index",
];
/// Members that say what an item asks and what is expected of the answer.
const ASKS: [&str; 20] = [
    "instruction",
    "prompt",
    "input",
    "question",
    "query",
    "context",
    "messages",
    "doc",
    "choices",
    "options",
    "rules",
    "target",
    "expected",
    "expected_output",
    "reference",
    "references",
    "ideal",
    "ground_truth",
    "label",
    "gold",
];

/// The digest of what an item asks: the named parts in their order, without white space
/// between the parts of JSON.
pub(crate) fn content<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<u128> {
    let mut bytes = Vec::new();
    for (name, raw) in parts {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        compact(raw, &mut bytes);
        bytes.push(b'\n');
    }
    (!bytes.is_empty()).then(|| first_bits(&bytes))
}

/// The first 128 bits of the digest of bytes.
pub(crate) fn first_bits(bytes: &[u8]) -> u128 {
    let digest = digest_bytes(bytes).bytes;
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(half)
}

/// An id as text: a string as it reads, a number as it stands.
pub(crate) fn id_text(raw: &[u8]) -> Option<String> {
    match raw.first()? {
        b'"' => json::as_text_lossy(raw).map(std::borrow::Cow::into_owned),
        b'-' | b'0'..=b'9' => String::from_utf8(raw.to_vec()).ok(),
        _ => None,
    }
}

/// Takes one item in.
pub(super) fn take(items: &mut Items, systems: &[System], raw: &[u8]) {
    let members: Vec<Member> = json::walk(raw).collect();
    let find = |name: &str| {
        let found = members
            .iter()
            .rev()
            .find(|member| member.is_named(raw, name));
        found.map(|member| member.value.of(raw))
    };
    let id = IDS.iter().find_map(|name| id_text(find(name)?));
    let asks = ASKS.iter().filter_map(|name| Some((*name, find(name)?)));
    let item = items.push(id.as_deref().unwrap_or_default(), content(asks));
    for member in &members {
        let key = json::as_text_lossy(member.key.of(raw)).unwrap_or_default();
        let value = member.value.of(raw);
        match owner(systems, &key) {
            Some((system, "")) => of_system(items, item, system, value),
            Some((system, name)) if is_score(name) => score(items, item, system, name, value),
            _ => {}
        }
    }
}

/// The system that a member speaks of, and the metric; an empty one where the member is the
/// system's own.
fn owner<'a>(systems: &[System], key: &'a str) -> Option<(usize, &'a str)> {
    let named = systems.iter().enumerate().find_map(|(place, system)| {
        let role = system.role.as_deref()?;
        if key == role {
            return Some((place, ""));
        }
        metric_of_role(key, role).map(|metric| (place, metric))
    });
    // Where there is one system only, what names none is of that one.
    named.or_else(|| (systems.len() == 1).then_some((0, key)))
}

/// What stands under a system's role: a score, or an object with scores.
fn of_system(items: &mut Items, item: u32, system: usize, value: &[u8]) {
    match value.first() {
        Some(b'{') => {
            for (key, value) in json::members(value) {
                let name = json::as_text_lossy(key).unwrap_or_default();
                if is_score(&name) {
                    score(items, item, system, &name, value);
                }
            }
        }
        Some(b't' | b'f') => score(items, item, system, "passed", value),
        _ => score(items, item, system, "score", value),
    }
}

fn score(items: &mut Items, item: u32, system: usize, name: &str, value: &[u8]) {
    if let Some(reading) = reading(value) {
        items.score(item, system, name, or_nan(&reading));
    }
}
