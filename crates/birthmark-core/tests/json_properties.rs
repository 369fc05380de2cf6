//! What holds for every object: the scanner takes it, a birthmark spliced in
//! comes out again without a trace, and no damage makes anything panic.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use birthmark_core::json::{self, MarkKind, Marks, OnExisting, Placed, Step, Where};
use proptest::prelude::*;
use proptest::sample::select;

const MARK: &str = r#"{"git_commit": "0a1b", "artifact_type": "training_data", "merge": [1, {}], "birthmark": "birthmark/v1"}"#;

fn space() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(vec![" ", "\t", "\r", "\n"]), 0..3).prop_map(|v| v.concat())
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 {}:,\\[\\]']{1,12}",
        "[à-ÿα-ω一-丁😀-😅\u{2028}]{1,4}",
        select(vec![
            r#"\""#,
            r"\\",
            r"\/",
            r"\b",
            r"\f",
            r"\n",
            r"\r",
            r"\t",
            r"\u0041",
            r"\ud800",
            r"\udfff",
            r"\ud83d\ude00",
            r"\u2028",
            "\u{7f}",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        string(),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| format!("{x:e}")),
        select(vec![
            "NaN",
            "Infinity",
            "-Infinity",
            "true",
            "false",
            "null",
            "-0.0",
            "1E+9",
            "9007199254740993",
            "123456789012345678901234567890",
            r#""birthmark/v1""#,
        ])
        .prop_map(ToOwned::to_owned),
    ]
}

/// Keys, those that mean something to us often among them.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "metadata",
        "birthmark",
        "git_commit",
        "merged",
        "m\\u0065tadata",
        "birthmar\\u006b",
        "artifact_type",
        "topic",
    ];
    let known = select(known.to_vec()).prop_map(|name| format!("\"{name}\""));
    prop_oneof![1 => string(), 2 => known]
}

fn list(
    item: impl Strategy<Value = String>,
    open: char,
    close: char,
) -> impl Strategy<Value = String> {
    (
        proptest::collection::vec((space(), item, space()), 0..5),
        space(),
    )
        .prop_map(move |(items, empty)| {
            let items: Vec<_> = items
                .iter()
                .map(|(a, item, b)| format!("{a}{item}{b}"))
                .collect();
            let inner = if items.is_empty() {
                empty
            } else {
                items.join(",")
            };
            format!("{open}{inner}{close}")
        })
}

fn object_of(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (key(), space(), space(), value).prop_map(|(k, a, b, v)| format!("{k}{a}:{b}{v}"));
    list(member, '{', '}')
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![list(inner.clone(), '[', ']'), object_of(inner)]
    })
}

fn record() -> impl Strategy<Value = String> {
    (space(), object_of(value()), space()).prop_map(|(a, object, b)| format!("{a}{object}{b}"))
}

fn stamp(record: &[u8], existing: OnExisting) -> Option<(Vec<u8>, Placed)> {
    let mut out = Vec::new();
    let placed = json::stamp_record(&mut out, record, MARK.as_bytes(), existing).ok()?;
    Some((out, placed))
}

fn unstamp(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    json::unstamp_record(&mut out, record).unwrap();
    out
}

/// The value with no white space outside of strings.
fn without_layout(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    json::push_indented(&mut out, value, b"", b"");
    out
}

/// Everything that reads bytes, so that a panic in any of it is seen.
fn read_all(bytes: &[u8]) {
    let mut out = Vec::new();
    let scanned = json::scan_object(bytes);
    assert!(scanned.is_err() || json::scan_value(bytes).is_ok());
    if let Err(error) = scanned {
        assert!(error.offset <= bytes.len());
    }
    let _ = json::find_birthmark(bytes);
    let _ = json::check_envelope(bytes);
    let _ = json::get(bytes, &["metadata", "git_commit"]);
    let _ = (
        json::as_text(bytes),
        json::as_text_lossy(bytes),
        json::key_is(bytes, "é"),
    );
    let _ = json::members(bytes).count();
    let _ = json::unsplice(&mut out, bytes, "metadata");
    let _ = json::unstamp_record(&mut out, bytes);
    for existing in [
        OnExisting::Error,
        OnExisting::Merge,
        OnExisting::Replace,
        OnExisting::Keep,
    ] {
        let _ = json::stamp_record(&mut out, bytes, MARK.as_bytes(), existing);
    }
}

/// Holds what is said of a record that follows others against what is said of it alone.
fn alone_and_after_another(record: &[u8], found: &mut Marks, scanned: &mut Marks) {
    let placed = found.find(record);
    let before: Vec<Vec<u8>> = (0..scanned.names().len())
        .map(|member| scanned.value(member).to_vec())
        .collect();
    if let Ok((place, Step::Same)) = &placed {
        // What is told of the changes makes the members of this record of those before.
        let start = place.member().unwrap().value.start;
        let mut values = before.clone();
        for change in found.changes(start) {
            values[change.member] = change.value.of(record).to_vec();
        }
        let raw = place.value(record).unwrap();
        let now: Vec<_> = json::walk(raw).map(|member| member.value.of(raw)).collect();
        assert_eq!(values, now);
    }
    assert_eq!(placed.map(|(place, _)| place), json::find_birthmark(record));
    let alone = json::scan_object(record);
    let after = scanned.scan(record);
    assert_eq!(after.as_ref().map(|(object, _)| object), alone.as_ref());
    let (Ok((_, step)), Ok(object)) = (after, alone) else {
        return;
    };
    let place = json::locate_birthmark(record, &object);
    assert_eq!(step == Step::None, place == Where::Absent);
    if step == Step::None {
        return;
    }
    assert_eq!(scanned.kind(), MarkKind::of(&place));
    let raw = place.value(record).unwrap();
    assert_eq!(scanned.raw(), raw);
    let values: Vec<_> = json::walk(raw).map(|member| member.value.of(raw)).collect();
    let told: Vec<_> = (0..scanned.names().len())
        .map(|member| scanned.value(member))
        .collect();
    assert_eq!(told, values);
    if step == Step::Same {
        for (member, value) in values.iter().enumerate() {
            assert_eq!(scanned.before(member), before[member]);
            assert!(scanned.changed().contains(&member) || before[member] == *value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_object_is_taken_and_a_splice_leaves_no_trace(
        record in record(),
        value in value(),
        tidy: bool,
    ) {
        let object = json::scan_object(record.as_bytes()).unwrap();
        let splice = if tidy { json::splice_member_tidily } else { json::splice_member };
        let mut spliced = Vec::new();
        splice(&mut spliced, record.as_bytes(), &object, "metadata", value.as_bytes());
        let put = json::get(&spliced, &["metadata"]).unwrap();
        if tidy {
            prop_assert_eq!(without_layout(put), without_layout(value.as_bytes()));
        } else {
            prop_assert_eq!(put, value.as_bytes());
        }
        let mut back = Vec::new();
        prop_assert!(json::unsplice(&mut back, &spliced, "metadata").unwrap());
        prop_assert_eq!(back, record.as_bytes());
    }

    #[test]
    fn unstamping_undoes_stamping_byte_for_byte(record in record()) {
        let before = json::find_birthmark(record.as_bytes()).unwrap();
        let Some((stamped, placed)) = stamp(record.as_bytes(), OnExisting::Merge) else {
            return Ok(());
        };
        let place = json::find_birthmark(&stamped).unwrap();
        prop_assert!(place.is_ours());
        let commit = json::get(place.value(&stamped).unwrap(), &["git_commit"]);
        prop_assert_eq!(commit, Some(b"\"0a1b\"".as_slice()));
        if placed == Placed::Replaced {
            prop_assert!(before.is_ours());
        } else {
            prop_assert_eq!(unstamp(&stamped), record.as_bytes());
        }
    }

    #[test]
    fn a_record_with_a_birthmark_is_kept_or_refused_as_it_stands(record in record()) {
        let place = json::find_birthmark(record.as_bytes()).unwrap();
        if place == Where::Absent {
            return Ok(());
        }
        prop_assert_eq!(stamp(record.as_bytes(), OnExisting::Error), None);
        let kept = stamp(record.as_bytes(), OnExisting::Keep);
        prop_assert_eq!(kept, Some((record.into_bytes(), Placed::Kept)));
    }

    #[test]
    fn no_damage_makes_anything_panic(
        record in record(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3), 1..6),
    ) {
        let mut bytes = record.into_bytes();
        for (index, byte, how) in changes {
            let at = index.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        read_all(&bytes);
    }

    #[test]
    fn laid_over_the_one_before_a_record_is_what_it_is_alone(
        first in record(),
        second in record(),
        stamped: bool,
        edits in proptest::collection::vec(
            (any::<proptest::sample::Index>(), prop_oneof![scalar(), value(), Just(String::new())], 0usize..4, any::<bool>()),
            1..8,
        ),
    ) {
        let whole = |record: &String| match stamp(record.as_bytes(), OnExisting::Merge) {
            Some((bytes, _)) if stamped => bytes,
            _ => record.clone().into_bytes(),
        };
        let (mut found, mut scanned) = (Marks::default(), Marks::default());
        let mut record = whole(&first);
        alone_and_after_another(&record, &mut found, &mut scanned);
        for (index, put, cut, anew) in edits {
            let mut next = if anew { whole(&second) } else { record.clone() };
            let at = index.index(next.len());
            let bytes = at..(at + cut).min(next.len());
            // Half of the edits give one field of the birthmark another value.
            let place = json::find_birthmark(&next).unwrap_or(Where::Absent);
            let fields: Vec<_> = place.member().map_or_else(Vec::new, |member| {
                let from = member.value.start;
                let values = json::walk(member.value.of(&next)).map(|one| one.value);
                values.map(|value| from + value.start..from + value.end).collect()
            });
            let range = if cut < 2 && !fields.is_empty() {
                fields[index.index(fields.len())].clone()
            } else {
                bytes
            };
            next.splice(range, put.into_bytes());
            alone_and_after_another(&next, &mut found, &mut scanned);
            if json::scan_object(&next).is_ok() {
                record = next;
            }
        }
    }

    #[test]
    fn a_record_of_the_form_of_those_before_is_what_it_is_alone(
        values in proptest::collection::vec((scalar(), scalar(), scalar()), 6..12),
        before in value(),
        stamped in 0..3,
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4), 0..12),
    ) {
        let of = |(text, seed, draw): &(String, String, String)| {
            let mark = format!(r#""git_commit": "c", "seed": {seed}, "x": [1], "draw": {draw}"#);
            let mark = match stamped {
                0 => String::new(),
                1 => format!(r#", "metadata": {{{mark}, "birthmark": "birthmark/v1"}}"#),
                _ => format!(r#", "metadata": {{{mark}}}, "end": [{seed}, {{}}]"#),
            };
            format!(r#"{{"before": {before}, "text": {text}{mark}}}"#).into_bytes()
        };
        let (mut found, mut scanned) = (Marks::default(), Marks::default());
        for values in &values {
            alone_and_after_another(&of(values), &mut found, &mut scanned);
        }
        let mut last = &values[0];
        for (index, byte, how) in damage {
            let next = index.get(&values);
            let mut record = of(next);
            let at = index.index(record.len());
            match how {
                0 => record[at] = byte,
                1 => drop(record.remove(at)),
                2 => record.insert(at, byte),
                _ => record.truncate(at),
            }
            alone_and_after_another(&record, &mut found, &mut scanned);
            alone_and_after_another(&of(last), &mut found, &mut scanned);
            last = next;
        }
    }

    #[test]
    fn no_bytes_at_all_make_anything_panic(bytes: Vec<u8>) {
        read_all(&bytes);
    }
}
