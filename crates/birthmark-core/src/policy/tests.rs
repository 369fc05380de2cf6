use serde_json::{Value, json};

use super::*;

fn outcome(rule: &str, birthmark: &Value) -> Outcome {
    let rule = Rule::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
    let text = birthmark.to_string();
    rule.judge(&|name| json::get(text.as_bytes(), &[name]))
}

fn word(rule: &str, birthmark: &Value) -> &'static str {
    match outcome(rule, birthmark) {
        Outcome::Holds => "holds",
        Outcome::Noted(_) => "noted",
        other => early_word(&other),
    }
}

fn early_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Holds | Outcome::Noted(_) => "holds",
        Outcome::NotYet(_) => "not yet",
        Outcome::CannotTell(_) => "cannot tell",
        Outcome::Broken(_) => "broken",
    }
}

fn mark() -> Value {
    json!({
        "git_commit": "5f970c2", "git_dirty": true, "git_snapshot": null, "seed": 42,
        "temperature": 0.7, "do_sample": true, "model_name": "Qwen/Qwen2.5-32B",
        "template_disabled": null, "quantization": null,
        "dataset": {"name": "held_out", "size": 12, "digest": null},
        "unknown": {"template_disabled": "not given", "dataset.digest": "the file is gone"}
    })
}

#[test]
fn each_test_tells_a_value_from_another() {
    for (rule, wanted) in [
        ("seed required", "holds"),
        ("seed set", "holds"),
        ("seed = 42", "holds"),
        ("seed = 42.0", "holds"),
        ("seed = 43", "broken"),
        ("seed != 43", "holds"),
        ("seed in [1, 42]", "holds"),
        ("seed not in [1, 42]", "broken"),
        ("seed is integer", "holds"),
        ("temperature is integer", "broken"),
        ("temperature = 0..1", "holds"),
        ("temperature = 0.8..", "broken"),
        ("temperature = ..0.7", "holds"),
        ("temperature < 0.7", "broken"),
        ("temperature >= 0.7", "holds"),
        ("model_name = \"Qwen/Qwen2.5-32B\"", "holds"),
        ("model_name = Qwen/Qwen2.5-32B", "holds"),
        ("model_name ~ qwen", "holds"),
        ("model_name ~ llama", "broken"),
        ("do_sample = true", "holds"),
        ("do_sample = \"true\"", "broken"),
        ("dataset.size = 12", "holds"),
        ("dataset.split required", "broken"),
        ("missing required", "broken"),
        ("git_snapshot = null", "holds"),
        ("not seed = 43", "holds"),
        ("not (seed = 42)", "broken"),
    ] {
        assert_eq!(word(rule, &mark()), wanted, "{rule}");
    }
}

#[test]
fn a_null_is_never_a_value() {
    for (rule, wanted) in [
        ("template_disabled required", "noted"),
        ("template_disabled set", "broken"),
        ("template_disabled = true", "cannot tell"),
        ("not template_disabled = true", "cannot tell"),
        ("quantization required", "broken"),
        ("quantization = nf4", "broken"),
        ("dataset.digest required", "noted"),
    ] {
        assert_eq!(word(rule, &mark()), wanted, "{rule}");
    }
}

#[test]
fn or_takes_the_best_and_and_the_worst() {
    for (rule, wanted) in [
        ("git_dirty = false or git_snapshot set", "broken"),
        ("git_dirty = false or seed = 42", "holds"),
        (
            "template_disabled = true or git_dirty = false",
            "cannot tell",
        ),
        ("template_disabled = true and git_dirty = false", "broken"),
        (
            "seed = 42 and (git_dirty = false or do_sample = true)",
            "holds",
        ),
        ("seed = 1 or seed = 42 and do_sample = true", "holds"),
    ] {
        assert_eq!(word(rule, &mark()), wanted, "{rule}");
    }
    let Outcome::Broken(why) = outcome("git_dirty = false or git_snapshot set", &mark()) else {
        panic!()
    };
    assert_eq!(why, "git_dirty is true and git_snapshot is null");
}

#[test]
fn rule_with_a_condition_holds_where_the_condition_does_not() {
    for (rule, wanted) in [
        ("seed = 1 if do_sample = false", "holds"),
        ("seed = 1 if do_sample = true", "broken"),
        ("seed = 42 if template_disabled = true", "holds"),
        ("seed = 1 if template_disabled = true", "cannot tell"),
    ] {
        assert_eq!(word(rule, &mark()), wanted, "{rule}");
    }
}

#[test]
fn what_may_still_come_is_not_missing() {
    let rule = Rule::parse("seed required").unwrap();
    assert!(matches!(rule.judge_early(&|_| None), Outcome::NotYet(_)));
    assert!(matches!(rule.judge(&|_| None), Outcome::Broken(_)));
}

#[test]
fn what_may_still_come_is_told_from_what_cannot_be_told() {
    let text = mark().to_string();
    for (rule, wanted) in [
        ("top_p set", "not yet"),
        ("not top_p set", "not yet"),
        ("template_disabled = true", "cannot tell"),
        // What comes may help an `or`, and no `and`.
        ("template_disabled = true or top_p set", "not yet"),
        ("template_disabled = true and top_p set", "cannot tell"),
        ("seed = 1 or top_p set", "not yet"),
        ("seed = 1 and top_p set", "broken"),
        ("seed = 1 if top_p set", "not yet"),
        ("seed = 42 if top_p set", "holds"),
        ("seed = 1 if template_disabled = true", "cannot tell"),
    ] {
        let parsed = Rule::parse(rule).unwrap();
        let outcome = parsed.judge_early(&|name| json::get(text.as_bytes(), &[name]));
        assert_eq!(early_word(&outcome), wanted, "{rule}");
    }
}

#[test]
fn an_error_points_at_the_place() {
    for (rule, at, word) in [
        ("", 0, "name of a field"),
        ("seed", 4, "`required`"),
        ("seed requird", 5, "requird"),
        ("seed = ", 7, "a value"),
        ("seed in 1", 8, "`[`"),
        ("seed in [1", 10, "`,` or `]`"),
        ("(seed set", 9, "`)`"),
        ("seed set seed", 9, "does not belong"),
        ("seed is whole", 8, "`integer`"),
        ("name = \"x", 7, "never closed"),
        ("seed = a..b", 7, "a range"),
        ("seed > many", 7, "a number"),
        ("seed $ 1", 5, "does not belong"),
        ("and set", 0, "name of a field"),
    ] {
        let error = Rule::parse(rule).unwrap_err();
        assert_eq!(error.at, at, "{rule}: {error}");
        assert!(error.reason.contains(word), "{rule}: {error}");
    }
    assert!(Rule::parse(&"(".repeat(10_000)).is_err());
    assert!(Rule::parse(&"not ".repeat(10_000)).is_err());
}

#[test]
fn a_rule_is_printed_as_it_would_be_read() {
    for text in [
        "seed required",
        "git_dirty = false or git_snapshot set",
        "temperature = 0..1 and (seed set or seed = null)",
        "not (model_name in [\"a\", \"b\"])",
    ] {
        let rule = Rule::parse(text).unwrap();
        assert_eq!(rule.must.to_string(), text);
    }
    assert_eq!(
        Rule::parse("a.b set or c = 1 if d set").unwrap().fields(),
        ["a", "c", "d"]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        if let Ok(rule) = Rule::parse(&text) {
            let _ = rule.judge(&|_| Some(b"1"));
            let _ = rule.judge(&|_| None);
        }
    }

    #[test]
    fn no_mix_of_words_makes_the_reader_panic(words in proptest::collection::vec("(seed|=|not|\\(|\\)|or|and|if|in|\\[|\\]|,|1|\\.\\.|\"a\"|set|~|<|!=)", 0..12)) {
        let text = words.join(" ");
        if let Ok(rule) = Rule::parse(&text) {
            let again = rule.must.to_string();
            proptest::prop_assert_eq!(Rule::parse(&again).map(|rule| rule.must), Ok(rule.must));
        }
    }
}
