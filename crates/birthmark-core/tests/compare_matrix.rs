//! The matrix: pairs in which exactly one field moved, or is missing on one side, or on both.
//!
//! Every field of a birthmark stands in it with the verdicts that are right, written down by
//! hand; every further field of the table of classes is moved too. A field that is added to either
//! and not thought of here fails the test.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test may fail so")]

use birthmark_core::birthmark::{FIELDS, Fields};
use birthmark_core::compare::{
    Class, CodeBetween, Judgement, Options, Side, TABLE, Verdict, class_of, judge,
};
use serde_json::{Value, json};

/// `=` comparable, `~` with caveats, `?` cannot tell, `x` not comparable: where the field
/// moved, where it is missing on one side, where it is missing on both.
type Verdicts = &'static str;

/// Each field of a birthmark, its other value, the verdicts, and the field that the reason names.
fn matrix() -> Vec<(&'static str, Value, Verdicts, &'static str)> {
    let other = "0".repeat(40);
    let digest = format!("blake3:{other}");
    let later = "2026-11-23T12:00:00.000000+00:00";
    vec![
        ("git_commit", json!(other), "???", "code"),
        ("timestamp", json!(later), "===", ""),
        ("artifact_type", json!("model"), "x?=", "artifact_type"),
        ("git_branch", json!("other"), "===", ""),
        ("git_dirty", json!(true), "?~~", "git_dirty"),
        ("git_snapshot", json!(other), "?==", "code"),
        ("git_remote", json!("https://other/repo"), "===", ""),
        ("git_pushed", json!(false), "===", ""),
        // The script's bytes are the same, whatever it is called.
        ("script_name", json!("other.py"), "===", ""),
        // Missing, it is one with the commit of a clean tree.
        ("script_sha", json!(other), "x==", "script_sha"),
        ("loader_version", json!("2"), "x?~", "loader_version"),
        ("model_name", json!("other"), "===", ""),
        ("model_revision", json!("other"), "===", ""),
        ("model_digest", json!(digest), "===", ""),
        ("quantization", json!("fp16"), "===", ""),
        // The digest of the template is there, so on both sides it may be missing.
        ("template_disabled", json!(true), "x?=", "template_disabled"),
        (
            "sentinel_tests_passed",
            json!(false),
            "x?~",
            "sentinel_tests_passed",
        ),
        (
            "add_special_tokens",
            json!(true),
            "x?~",
            "add_special_tokens",
        ),
        (
            "chat_template_digest",
            json!(digest),
            "x?~",
            "chat_template_digest",
        ),
        ("seed", json!(2), "x?=", "seed"),
        ("eval_seed", json!(43), "x?=", "eval_seed"),
        ("temperature", json!(0.2), "x??", "temperature"),
        ("top_p", json!(0.9), "x?~", "top_p"),
        ("max_new_tokens", json!(151), "x??", "max_new_tokens"),
        ("do_sample", json!(false), "x?~", "do_sample"),
        ("models", json!({"base": "other"}), "===", ""),
        ("model_digests", json!({"base": digest}), "===", ""),
        (
            "dataset",
            json!({"name": "test", "size": 12, "digest": digest}),
            "x??",
            "dataset",
        ),
        (
            "inputs",
            json!([{"role": "base", "name": "other"}]),
            "===",
            "",
        ),
        (
            "items_from",
            json!([{"items": 2, "session_id": "t", "git_commit": "a".repeat(40)}]),
            "===",
            "",
        ),
        ("stamped_at", json!(later), "===", ""),
        ("unknown", json!({"git_pushed": "no network"}), "===", ""),
        ("declared", json!(["temperature"]), "~==", "temperature"),
        (
            "session_id",
            json!("20261123_120000_abcdefghjkmnp"),
            "===",
            "",
        ),
        ("run_id", json!("other"), "===", ""),
        ("birthmark", json!("birthmark/v2"), "===", ""),
    ]
}

fn whole() -> Fields {
    let (commit, digest) = ("a".repeat(40), format!("blake3:{}", "c".repeat(64)));
    let whole = json!({
        "git_commit": commit, "timestamp": "2026-11-22T12:00:00.000000+00:00", "artifact_type": "evaluation",
        "git_branch": "main", "git_dirty": false, "git_snapshot": null, "git_remote": "https://host/repo",
        "git_pushed": true, "script_name": "evaluate.py", "script_sha": "1".repeat(40), "loader_version": "1",
        "model_name": "m", "model_revision": "r", "model_digest": digest, "quantization": "nf4",
        "template_disabled": false, "sentinel_tests_passed": true, "add_special_tokens": false,
        "chat_template_digest": digest, "seed": 1, "eval_seed": 42, "temperature": 0.7, "top_p": 0.95,
        "max_new_tokens": 150, "do_sample": true, "models": {"base": "m"}, "model_digests": {"base": "d"},
        "dataset": {"name": "test", "size": 12, "digest": digest}, "inputs": [{"role": "base", "name": "m"}],
        "items_from": [{"items": 1, "session_id": "s", "git_commit": commit}],
        "stamped_at": "2026-11-22T12:00:00.000000+00:00", "unknown": {}, "declared": [],
        "session_id": "20261122_120000_abcdefghjkmnp", "run_id": "r", "birthmark": "birthmark/v1",
    });
    whole.as_object().unwrap().clone()
}

fn judged(a: Fields, b: Fields) -> Judgement {
    let side = |name: &str, birthmark| Side {
        name: name.to_owned(),
        birthmark: Some(birthmark),
        environment: json!({"python": "3.11"}).as_object().unwrap().clone(),
        ..Side::default()
    };
    let how = Options {
        evaluation: true,
        ..Options::default()
    };
    judge(&side("A", a), &side("B", b), &CodeBetween::NotAsked, &how)
}

fn sign(verdict: Verdict) -> char {
    match verdict {
        Verdict::Comparable => '=',
        Verdict::Caveats => '~',
        Verdict::CannotTell => '?',
        Verdict::NotComparable => 'x',
    }
}

/// The verdicts of a field that moved, is missing in B, in A, and on both; and what the strongest
/// reason of each names.
fn found(field: &str, value: &Value, other: &Value) -> Vec<(&'static str, char, String)> {
    let mut with = whole();
    with.insert(field.to_owned(), value.clone());
    let mut moved = with.clone();
    moved.insert(field.to_owned(), other.clone());
    let mut without = with.clone();
    without.shift_remove(field);
    let cases = [
        ("moved", judged(with.clone(), moved.clone())),
        ("moved back", judged(moved, with.clone())),
        ("missing in B", judged(with.clone(), without.clone())),
        ("missing in A", judged(without.clone(), with)),
        ("missing on both", judged(without.clone(), without)),
    ];
    let of = |(case, judgement): (&'static str, Judgement)| {
        let first = judgement.reasons.first();
        let named = first.map(|reason| reason.field.clone());
        (case, sign(judgement.verdict), named.unwrap_or_default())
    };
    cases.into_iter().map(of).collect()
}

fn check(field: &str, value: &Value, other: &Value, verdicts: &str, named: &str) {
    let wanted: Vec<char> = verdicts.chars().collect();
    let [moved, one, both] = wanted.as_slice() else {
        panic!("{field}: three verdicts are needed");
    };
    for (case, found, by) in found(field, value, other) {
        let wanted = match case {
            "moved" | "moved back" => *moved,
            "missing on both" => *both,
            _ => *one,
        };
        assert_eq!(found, wanted, "{field} {case} (the reason names {by})");
        if wanted != '=' {
            assert_eq!(by, named, "{field} {case}");
        }
    }
}

#[test]
fn the_whole_birthmark_against_itself_is_comparable() {
    let judgement = judged(whole(), whole());
    assert_eq!(
        judgement.verdict,
        Verdict::Comparable,
        "{:?}",
        judgement.reasons
    );
}

#[test]
fn every_field_of_a_birthmark_has_its_verdicts() {
    let matrix = matrix();
    for field in FIELDS {
        let line = matrix.iter().find(|(name, ..)| *name == field.name);
        let Some((name, other, verdicts, named)) = line else {
            panic!("{} is not in the matrix", field.name);
        };
        let value = whole()[*name].clone();
        assert_ne!(&value, other, "{name} does not move");
        check(name, &value, other, verdicts, named);
    }
    assert_eq!(
        matrix.len(),
        FIELDS.len(),
        "a field twice, or one that is none"
    );
}

#[test]
fn every_other_field_of_the_table_has_the_verdicts_of_its_class() {
    // What these mean is found out elsewhere, not read from a birthmark.
    const FOUND_OUT: [&str; 2] = ["code", "read"];
    let mut moved = 0;
    for rule in TABLE {
        let is_known = FIELDS.iter().any(|field| field.name == rule.field);
        if is_known || FOUND_OUT.contains(&rule.field) {
            continue;
        }
        moved += 1;
        let (value, other) = (json!("one"), json!("other"));
        if let Some(inner) = rule.field.strip_prefix("dataset.") {
            // The content is the same: what it is called, and where it lies, is nothing.
            let dataset = |value: &Value| {
                let mut dataset = whole()["dataset"].clone();
                dataset[inner] = value.clone();
                dataset
            };
            let (mut a, mut b) = (whole(), whole());
            a.insert("dataset".to_owned(), dataset(&value));
            b.insert("dataset".to_owned(), dataset(&other));
            assert_eq!(judged(a, b).verdict, Verdict::Comparable, "{}", rule.field);
            continue;
        }
        let verdicts = match class_of(rule.field, &[]) {
            Class::Subject | Class::Context => "===",
            Class::Instrument => "x?=",
            Class::Environment => "~~=",
            Class::Unclassed => panic!("{} is in the table and in no class", rule.field),
        };
        check(rule.field, &value, &other, verdicts, rule.field);
    }
    assert!(moved > 60, "only {moved}");
}

#[test]
fn items_of_other_code_keep_it_from_being_known() {
    for at in [json!("9".repeat(40)), Value::Null] {
        let mut other = whole();
        other["items_from"] = json!([{"items": 3, "session_id": "s", "git_commit": at}]);
        let judgement = judged(whole(), other);
        assert_eq!(judgement.verdict, Verdict::CannotTell);
        let told = &judgement.reasons[0].text;
        assert!(
            told.starts_with("items of B were made by other code: 3 at"),
            "{told}"
        );
    }
}

#[test]
fn a_field_that_nobody_knows_is_shown_and_a_caveat() {
    check("my_own", &json!(1), &json!(2), "~~=", "my_own");
    let mut other = whole();
    other.insert("my_own".to_owned(), json!(1));
    let rows = judged(whole(), other).rows;
    assert!(rows.iter().any(|row| row.field == "my_own"));
}

#[test]
fn the_same_value_written_otherwise_has_not_moved() {
    for (field, value, written) in [
        ("temperature", "0.7", "0.70"),
        ("temperature", "0.7", "7e-1"),
        ("max_new_tokens", "150", "150.0"),
        ("seed", "1", "1.0"),
        ("quantization", "\"nf4\"", "\"nf4\""),
    ] {
        let parse = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        let (mut a, mut b) = (whole(), whole());
        a.insert(field.to_owned(), parse(value));
        b.insert(field.to_owned(), parse(written));
        assert_eq!(
            judged(a, b).verdict,
            Verdict::Comparable,
            "{field} {written}"
        );
    }
}

#[test]
fn what_is_meant_to_differ_and_what_is_accepted_hold_for_every_field() {
    for (field, other, verdicts, named) in matrix() {
        if !verdicts.starts_with('x') {
            continue;
        }
        let mut moved = whole();
        moved.insert(field.to_owned(), other);
        let side = |birthmark| Side {
            birthmark: Some(birthmark),
            environment: json!({"python": "3.11"}).as_object().unwrap().clone(),
            ..Side::default()
        };
        let with = |subject: &[&str], accept: &[&str]| {
            let how = Options {
                evaluation: true,
                subject: subject.iter().map(|word| (*word).to_owned()).collect(),
                accept: accept.iter().map(|word| (*word).to_owned()).collect(),
                ..Options::default()
            };
            judge(
                &side(whole()),
                &side(moved.clone()),
                &CodeBetween::NotAsked,
                &how,
            )
        };
        let accepted = with(&[], &[named]);
        assert_eq!(accepted.verdict, Verdict::Caveats, "{field}");
        assert_eq!(accepted.reasons[0].code, "accepted", "{field}");
        assert!(
            accepted.reasons[0].text.starts_with("accepted: "),
            "{field}"
        );
        assert_eq!(with(&[named], &[]).verdict, Verdict::Comparable, "{field}");
    }
}
