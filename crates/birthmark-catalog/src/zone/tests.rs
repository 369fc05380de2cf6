use birthmark_core::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::filter::{self, Context, Filter};

fn test_of(text: &str) -> Test {
    let context = Context {
        now: Timestamp::default(),
        zone: TimeZone::UTC,
    };
    match filter::parse(text, &context).unwrap() {
        Filter::Term(term) => term.test,
        other => panic!("{other:?}"),
    }
}

fn raw_value() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        6 => (-40i32..40).prop_map(|n| Some(n.to_string())),
        2 => (-40i32..40).prop_map(|n| Some(format!("{n}.5"))),
        3 => "[ab]{0,3}".prop_map(|text| Some(format!("\"{text}\""))),
        1 => (-9i64..9).prop_map(|n| Some((n * (i64::MAX / 10)).to_string())),
        1 => Just(Some(r#""\u0061b""#.to_owned())),
        1 => Just(Some("null".to_owned())),
        1 => Just(Some("true".to_owned())),
        1 => Just(Some("NaN".to_owned())),
        1 => Just(Some("[1]".to_owned())),
    ]
}

fn question() -> impl Strategy<Value = String> {
    let value = prop_oneof![(-45i32..45).prop_map(|n| n.to_string()), "[ab]{1,3}"];
    prop_oneof![
        (
            proptest::sample::select(vec!["=", "<", "<=", ">", ">=", "~"]),
            value
        )
            .prop_map(|(op, value)| format!("x{op}{value}")),
        (-45i32..45, 0i32..30).prop_map(|(low, more)| format!("x={low}..{}", low + more)),
        Just("has:x".to_owned()),
        Just("x=null".to_owned()),
        Just("x=true".to_owned()),
    ]
}

proptest! {
    #[test]
    fn zone_never_says_what_the_records_do_not(
        values in proptest::collection::vec(raw_value(), 1..90),
        question in question(),
        want: bool,
    ) {
        let test = test_of(&question);
        let mut zone = Zone::new();
        for value in &values {
            zone.add(value.as_ref().map(String::as_bytes), 1);
        }
        let zone = Zone::read(&zone.render()).unwrap();
        prop_assert_eq!(zone.records(), values.len() as u64);
        let hits = values.iter().filter(|value| {
            let value = value.as_ref().map(|raw| Value::of_json(raw.as_bytes()));
            test.ask(value.as_ref()) == Some(want)
        });
        let truth = of_count(hits.count() as u64, values.len() as u64);
        let told = zone.state(&test, want);
        prop_assert!(
            told == truth || told == State::Maybe || (told == State::Some && truth == State::All),
            "{} {}: {:?}, not {:?} {:?}", question, want, told, truth, values
        );
        // Whatever is asked for lies between the keys.
        let (low, high) = zone.keys();
        for raw in values.iter().flatten() {
            let value = Value::of_json(raw.as_bytes());
            if !value.is_null() {
                prop_assert!(low <= value.key() && value.key() <= high);
            }
        }
    }
}
