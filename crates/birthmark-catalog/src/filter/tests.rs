//! What people type, and what it means.

use birthmark_core::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn context() -> Context {
    Context {
        now: Timestamp::from_micros(1_795_348_800_000_000),
        zone: TimeZone::UTC,
    }
}

fn read(text: &str) -> Filter {
    parse(text, &context()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn wrong(text: &str) -> FilterError {
    parse(text, &context()).expect_err(text)
}

/// A birthmark as JSON, asked.
fn ask(text: &str, json: &str) -> Option<bool> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
    read(text).ask(&|name: &str| fields.get(name).map(Value::of))
}

const MARK: &str = r#"{"model_name": "Qwen/Qwen2.5-32B", "quantization": null, "temperature": 0.70,
    "seed": 42, "git_dirty": false, "artifact_type": "evaluation", "big": 9007199254740993,
    "huge": 1e400, "version": "42", "timestamp": "2026-11-21T10:00:00.000000+00:00",
    "git_commit": "5f970c2aa", "model_digest": "blake3:9ab1c0ff", "file": "artifacts/eval_Q4.json"}"#;

#[test]
fn what_people_type_means_what_they_mean() {
    for (text, answer) in [
        ("model~qwen", Some(true)),
        ("model=qwen", Some(false)),
        ("model_name=\"Qwen/Qwen2.5-32B\"", Some(true)),
        ("'model_name'='Qwen/Qwen2.5-32B'", Some(true)),
        ("temperature>0.5", Some(true)),
        ("temperature > 0.5", Some(true)),
        ("temperature=0.7", Some(true)),
        ("temp=7e-1", Some(true)),
        ("temperature=\"0.7\"", Some(false)),
        ("temperature=0.5..", Some(true)),
        ("temperature=..0.5", Some(false)),
        ("temperature>.5", Some(true)),
        ("temperature=.5...9", Some(true)),
        ("temperature=-.5..+.7", Some(true)),
        ("seed>41.", Some(true)),
        ("big>9_007_199_254_740_991", Some(true)),
        ("seed=1..10", Some(false)),
        ("seed!=1..10", Some(true)),
        ("version=42", Some(true)),
        ("version>41", None),
        ("big>9007199254740992", Some(true)),
        ("big=9007199254740992", Some(false)),
        ("huge>1e399 huge<1e401", Some(true)),
        ("dirty=false", Some(true)),
        ("dirty=true", Some(false)),
        ("quantization=nf4", None),
        ("NOT quantization=nf4", None),
        ("quantization=null", Some(true)),
        ("quantization!=null", Some(false)),
        ("has:quantization", Some(false)),
        ("NOT has:quantization", Some(true)),
        ("missing=null", Some(false)),
        ("missing=1 OR seed=42", Some(true)),
        ("missing=1 AND seed=42", None),
        ("missing=1 seed=43", Some(false)),
        ("NOT (missing=1 OR seed=43)", None),
        ("q4", Some(true)),
        ("NOT q4", Some(false)),
        ("NOT absent", Some(true)),
        ("since:yesterday", Some(true)),
        ("since:today", Some(false)),
        ("until:yesterday", Some(true)),
        ("before:yesterday", Some(false)),
        ("since:\"yesterday\"", Some(true)),
        ("since:\"2026-11-21 09:59\"", Some(true)),
        ("since:\"2026-11-21 10:01\"", Some(false)),
        ("NOT since:\"2026-11-21 10:01\"", Some(true)),
        ("since:'2026-11-21 09:59' seed=42", Some(true)),
        ("before:\"2026-11-21 10:01\"", Some(true)),
        ("until:\"2026-11-21 09:59\"", Some(false)),
        ("after:\"today\"", Some(false)),
        ("has:\"seed\"", Some(true)),
        ("\"since:yesterday\"", Some(false)),
        ("\"since\":yesterday", Some(false)),
        ("timestamp>\"2026-11-21 09:59\"", Some(true)),
        ("timestamp=2026-11-21", Some(true)),
        ("timestamp>2026-11-21", Some(false)),
        ("time=2026-11-20..2026-11-21", Some(true)),
        ("commit=5f970c2", Some(true)),
        ("commit!=5f970c2", Some(false)),
        ("model_digest=9ab1c0", Some(true)),
        ("", Some(true)),
        (
            "(type=evaluation OR type=training_data) AND NOT seed=7",
            Some(true),
        ),
    ] {
        assert_eq!(ask(text, MARK), answer, "{text}");
    }
}

#[test]
fn errors_point_at_the_character() {
    for (text, at, words) in [
        ("temperature>", 11, "a value must follow"),
        ("temperature>>1", 12, "not an operator"),
        ("(seed=1", 0, "not closed"),
        ("seed=1)", 6, "no parenthesis"),
        ("a OR", 4, "must follow"),
        ("OR a", 0, "must stand here"),
        ("note=\"x", 5, "not closed"),
        ("=5", 0, "a field's name"),
        ("seed=10..1", 5, "before it begins"),
        ("seed=..", 5, "no end"),
        ("since:soon", 6, "no moment"),
        ("since:\"2026-11-21 10:99\"", 6, "no moment"),
        ("seed=1 temperature", 7, "name of a field"),
        ("model:qwen", 0, "no operator"),
        ("model:\"my qwen\"", 0, "no operator"),
        ("a or b", 2, "alone"),
        ("a && b", 2, "no operator"),
        ("seed<null", 5, "null"),
    ] {
        let error = wrong(text);
        assert_eq!(error.span.start, at, "{text}: {error:?}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
    let error = wrong("seed=1 temperature");
    assert_eq!(
        error.picture("seed=1 temperature"),
        "  seed=1 temperature\n         ^^^^^^^^^^^"
    );
    assert!(error.hint.unwrap().contains("did the shell take"));
}

#[test]
fn caret_stands_right_in_long_filters_and_behind_wide_text() {
    let text = format!("{} seed=", "ü".repeat(300));
    let picture = wrong(&text).picture(&text);
    let lines: Vec<&str> = picture.lines().collect();
    let column = lines[1].chars().position(|each| each == '^').unwrap();
    assert_eq!(lines[0].chars().nth(column), Some('='));
    assert!(lines[0].chars().count() <= 72);
}

#[test]
fn nesting_is_bounded() {
    assert!(wrong(&"(".repeat(100_000)).message.contains("longer"));
    assert!(wrong(&"(".repeat(1_000)).message.contains("deep"));
    assert!(
        wrong(&format!("{}a", "NOT ".repeat(1_000)))
            .message
            .contains("deep")
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_the_text(text in "[a-z=<>~.\"'()\\\\ :0-9A-ZÄß\u{1b}]{0,40}") {
        if let Err(error) = parse(&text, &context()) {
            prop_assert!(error.span.start <= text.len());
            prop_assert!(error.span.start <= error.span.end);
            let _ = error.picture(&text);
        }
    }

    #[test]
    fn quoted_text_is_found_whatever_it_is(value in "\\PC{0,12}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let filter = read(&format!("note=\"{quoted}\""));
        let holds = filter.ask(&|name: &str| (name == "note").then(|| Value::text(value.clone())));
        prop_assert_eq!(holds, Some(true));
    }

    #[test]
    fn negation_turns_yes_and_no_and_leaves_unknown(
        seed in proptest::option::of(-3i32..3),
        limit in -3i32..3,
        op in proptest::sample::select(vec!["=", "!=", "<", "<=", ">", ">=", "~"]),
    ) {
        let record = |name: &str| {
            seed.filter(|_| name == "seed").and_then(|seed| Value::number(&seed.to_string()))
        };
        let plain = read(&format!("seed{op}{limit}")).ask(&record);
        let negated = read(&format!("NOT seed{op}{limit}")).ask(&record);
        prop_assert_eq!(plain.map(|holds| !holds), negated);
        prop_assert_eq!(plain.is_none(), seed.is_none());
    }
}
