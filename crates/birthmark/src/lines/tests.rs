//! Lines and birthmarks, laid over each other.

use super::*;

fn step(marks: &mut Marks, record: &str) -> Step {
    let object = json::scan_object(record.as_bytes()).unwrap();
    marks.step(record.as_bytes(), &object)
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

struct Gather(Vec<(u64, u64, String)>, Vec<u8>);

impl Sink for Gather {
    fn bytes(&mut self, bytes: &[u8]) {
        self.1.extend_from_slice(bytes);
    }
    fn line(&mut self, line: Line<'_>) -> bool {
        let text = String::from_utf8(line.record.to_vec()).unwrap();
        self.0.push((line.number, line.offset, text));
        true
    }
}

#[test]
fn lines_and_bytes_are_those_of_the_file_at_every_block_boundary() {
    use std::io::{Seek, Write};
    let mut text = String::from("\u{feff}");
    for number in 0..40_000 {
        text.push_str(&format!(
            "{{\"n\": {number}}}{}",
            if number % 3 == 0 { "\r\n" } else { "\n" }
        ));
        if number % 1000 == 0 {
            text.push_str(&"x".repeat(70_000));
            text.push('\n');
        }
    }
    text.push_str("tail");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    let mut sink = Gather(Vec::new(), Vec::new());
    read(&mut file, &mut sink).unwrap();
    assert_eq!(sink.1, text.as_bytes());
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
    assert_eq!(sink.0.len(), lines.len());
    let mut offset = 0;
    for (place, (number, at, record)) in sink.0.iter().enumerate() {
        assert_eq!(*number, place as u64 + 1);
        assert_eq!(*at, offset as u64);
        assert_eq!(record, lines[place].trim_end_matches('\r'));
        offset += lines[place].len() + 1 + if place == 0 { 3 } else { 0 };
    }
}
