//! The strings that stand in a journal or a manifest, found without reading it as JSON.
//!
//! # Invariants
//!
//! * No string is left out, whatever the spelling: one with escapes is read as JSON reads it.
//! * What is torn or damaged hides nothing of the lines beside it.

use std::borrow::Cow;

/// Events that name nothing which was made or read: their lines are passed over.
const OF_NO_FILE: [&[u8]; 5] = [
    b"environment_observed\"",
    b"code_observed\"",
    b"modules_observed\"",
    b"snapshot_taken\"",
    b"log_kept\"",
];
/// What stands between the sums of a journal's line and its own words.
const EVENT: &[u8] = b"\"event\":\"";
/// So far into a line its event is looked for.
const HEAD: usize = 256;
/// Quotes before it: of the number, of the sum above and of the time.
const QUOTES_BEFORE: usize = 10;
/// What stands before the sum at a line's end.
const SUM: &[u8] = b",\"sum\":\"";
/// A sum with that, and what ends the line.
const LONGEST_SUM: usize = 96;

/// Hands over every string that is no name of a member, each with that of its member. False
/// where a string could not be read.
pub(super) fn strings(text: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> bool {
    let mut is_whole = true;
    // A string of JSON does not go over the end of a line.
    for line in text.split(|byte| *byte == b'\n') {
        is_whole &= strings_of(own_words(line), &mut each);
    }
    is_whole
}

/// A journal's line without the sums at its ends; nothing of one that names no file.
fn own_words(line: &[u8]) -> &[u8] {
    let head = line.get(..HEAD).unwrap_or(line);
    let event = memchr::memmem::find(head, EVENT).filter(|event| {
        let quotes = memchr::memchr_iter(b'"', &line[..*event]);
        line.starts_with(b"{\"seq\":") && quotes.count() <= QUOTES_BEFORE
    });
    let Some(event) = event else {
        return line;
    };
    let kind = &line[event + EVENT.len()..];
    if OF_NO_FILE.iter().any(|passed| kind.starts_with(passed)) {
        return &[];
    }
    let tail = kind.len().saturating_sub(LONGEST_SUM);
    let sum = memchr::memmem::rfind(&kind[tail..], SUM).map(|at| tail + at);
    let end = sum.unwrap_or(kind.len());
    // From before the event's own quote, so that quotes stay in pairs.
    &line[event..event + EVENT.len() + end]
}

fn strings_of(line: &[u8], each: &mut impl FnMut(&[u8], &[u8])) -> bool {
    let (mut at, mut is_whole) = (0, true);
    let mut member: &[u8] = b"";
    while let Some(open) = memchr::memchr(b'"', &line[at..]) {
        let start = at + open + 1;
        let Some(end) = end_of(line, start) else {
            break;
        };
        let raw = &line[start..end];
        at = end + 1;
        let mut after = line[at..].iter();
        if after.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
            member = raw;
            continue;
        }
        match unescaped(raw) {
            Some(text) => each(member, &text),
            None => is_whole = false,
        }
    }
    is_whole
}

/// Where the string that begins at a place ends: at the quote that no backslash stands before.
fn end_of(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

fn unescaped(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let quoted = [b"\"", raw, b"\""].concat();
    let text: String = serde_json::from_slice(&quoted).ok()?;
    Some(Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn found(text: &str) -> (Vec<(String, String)>, bool) {
        let mut all = Vec::new();
        let own = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let whole = strings(text.as_bytes(), |member, text| {
            all.push((own(member), own(text)));
        });
        (all, whole)
    }

    fn told(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::String(text) => all.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| told(item, all)),
            Value::Object(fields) => fields.values().for_each(|item| told(item, all)),
            _ => {}
        }
    }

    #[test]
    fn a_line_of_a_journal_is_its_own_words_alone() {
        let line = r#"{"seq":1,"prev":"blake3:aa","time":"t","event":"artifact_used","input":{"file":"a\"b\u00fc","digest":"blake3:1"},"sum":"blake3:bb"}"#;
        let passed = r#"{"seq":2,"prev":"blake3:bb","time":"t","event":"environment_observed","environment":{"hostname":"h"},"sum":"x"}"#;
        let torn = r#"{"seq":3,"prev":"x","time":"t","event":"artifact_used","input":{"file":"c","digest":"blak"#;
        let (all, whole) = found(&format!("{line}\n{passed}\n{torn}"));
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let wanted = [
            pair("event", "artifact_used"),
            pair("file", "a\"b\u{fc}"),
            pair("digest", "blake3:1"),
            pair("event", "artifact_used"),
            pair("file", "c"),
        ];
        assert_eq!((all, whole), (wanted.to_vec(), true));
        assert!(!found(r#"["\ud800"]"#).1, "half a character");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>().prop_map(Value::from),
            "[\"\\\\:, a/\n]{0,6}".prop_map(Value::from),
            Just(json!(1)),
            Just(Value::Null),
        ];
        text.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_string_is_found_in_every_spelling(value in any_json()) {
            let mut wanted = Vec::new();
            told(&value, &mut wanted);
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let (all, whole) = found(&text);
                let all: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
                prop_assert_eq!((&all, whole), (&wanted, true));
            }
        }
    }
}
