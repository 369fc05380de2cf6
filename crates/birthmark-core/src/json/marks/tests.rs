use super::beginning::common_beginning;
use super::*;

fn step(marks: &mut Marks, record: &str) -> Step {
    marks.scan(record.as_bytes()).unwrap().1
}

const FIRST: &str = r#"{"a": 1, "metadata": {"git_commit": "c", "seed": 1, "note": "x", "birthmark": "birthmark/v1"}}"#;

#[test]
fn only_the_members_that_differ_are_told() {
    let mut marks = Marks::default();
    assert_eq!(step(&mut marks, FIRST), Step::Anew);
    assert_eq!(step(&mut marks, FIRST), Step::Same);
    assert!(marks.changed().is_empty());
    let other = FIRST
        .replace("\"seed\": 1", "\"seed\": -12.5")
        .replace("\"x\"", r#""a\"}, \\""#);
    assert_eq!(step(&mut marks, &other), Step::Same);
    assert_eq!(marks.changed(), [1, 2]);
    assert_eq!(marks.get("seed"), Some(b"-12.5".as_slice()));
    assert_eq!(marks.get("note"), Some(br#""a\"}, \\""#.as_slice()));
    assert_eq!(step(&mut marks, FIRST), Step::Same);
    assert_eq!(marks.get("seed"), Some(b"1".as_slice()));
}

#[test]
fn another_shape_format_or_place_is_looked_at_anew() {
    let mut marks = Marks::default();
    step(&mut marks, FIRST);
    let more = FIRST.replace("\"seed\": 1", "\"seed\": 1, \"top\": 2");
    assert_eq!(step(&mut marks, &more), Step::Anew);
    assert_eq!(marks.get("top"), Some(b"2".as_slice()));
    step(&mut marks, FIRST);
    let foreign = FIRST.replace("birthmark/v1", "else");
    assert_eq!(step(&mut marks, &foreign), Step::Anew);
    assert_eq!(marks.kind(), Some(MarkKind::Foreign));
    step(&mut marks, FIRST);
    let list = FIRST.replace("\"x\"", "[\"x\"]");
    assert_eq!(step(&mut marks, &list), Step::Anew);
    assert_eq!(
        step(
            &mut marks,
            r#"{"metadata": {"git_commit": 1}, "birthmark": {}}"#
        ),
        Step::Anew
    );
    assert_eq!(step(&mut marks, r#"{"b": 1}"#), Step::None);
}

#[test]
fn longer_number_with_the_same_beginning_is_a_change() {
    let mut marks = Marks::default();
    step(&mut marks, FIRST);
    assert_eq!(
        step(&mut marks, &FIRST.replace("\"seed\": 1", "\"seed\": 11")),
        Step::Same
    );
    assert_eq!(marks.changed(), [1]);
}

#[test]
fn what_no_json_may_be_is_refused_where_it_is_laid_over_too() {
    for bad in [
        "01", "1.", "-", "1e", "tru", "nulll", "\"a", "\"\\x\"", "\"\t\"", "1 2", "'a'", "",
    ] {
        let mut marks = Marks::default();
        step(&mut marks, FIRST);
        let record = FIRST.replace("\"seed\": 1", &format!("\"seed\": {bad}"));
        assert_eq!(
            marks.scan(record.as_bytes()).map(drop),
            super::super::scan_object(record.as_bytes()).map(drop),
            "{record}"
        );
        assert!(marks.scan(record.as_bytes()).is_err(), "{record}");
        assert_eq!(step(&mut marks, FIRST), Step::Same);
        assert!(marks.changed().is_empty());
    }
}

#[test]
fn what_no_envelope_may_have_is_looked_at_anew() {
    for other in ["NaN", "Infinity", "-Infinity", "[]", "{}"] {
        let mut marks = Marks::default();
        step(&mut marks, FIRST);
        let record = FIRST.replace("\"seed\": 1", &format!("\"seed\": {other}"));
        assert_eq!(step(&mut marks, &record), Step::Anew, "{record}");
    }
}

#[test]
fn a_key_that_stands_twice_counts_at_its_last_place() {
    let mut marks = Marks::default();
    step(&mut marks, FIRST);
    let mark = r#"{"git_commit": "c", "seed": 2, "note": "x", "birthmark": "birthmark/v1"}"#;
    let twice = format!(r#"{{"metadata": {mark}, "metadata": 7}}"#);
    assert_eq!(step(&mut marks, &twice), Step::None);
    let twice = format!(r#"{{"metadata": 7, "metadata": {mark}}}"#);
    assert_eq!(step(&mut marks, &twice), Step::Anew);
    assert_eq!(marks.get("seed"), Some(b"2".as_slice()));
}

#[test]
fn a_record_that_is_cut_behind_its_birthmark_changes_nothing() {
    let mut marks = Marks::default();
    step(&mut marks, FIRST);
    let other = FIRST.replace("\"seed\": 1", "\"seed\": 2");
    assert!(marks.scan(other.trim_end_matches('}').as_bytes()).is_err());
    assert!(marks.scan(&other.as_bytes()[..other.len() - 1]).is_err());
    assert_eq!(step(&mut marks, &other), Step::Same);
    assert_eq!(marks.changed(), [1]);
    assert_eq!(marks.before(1), b"1");
}

#[test]
fn what_two_texts_have_in_common_at_their_beginning() {
    for length in [0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100] {
        let one = vec![b'a'; length];
        assert_eq!(common_beginning(&one, &one), length);
        assert_eq!(common_beginning(&one, &[b'a'; 200]), length);
        for at in 0..length {
            let mut other = one.clone();
            other[at] = 0xFF;
            assert_eq!(common_beginning(&one, &other), at);
        }
    }
}
