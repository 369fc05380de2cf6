use super::super::scan::scan_object;
use super::*;

const PLAIN: &str =
    r#" {"id": 12, "text": "a \" \u00e9 é", "deep": [{"x": [1.5e3, null]}, {}, []], "ok": true} "#;
const MARKED: &str = r#"{"n": -0.5, "s": "", "metadata": {"git_commit": "c", "seed": 7, "note": "é", "birthmark": "birthmark/v1"}, "end": NaN}"#;

/// A form of this record, whose birthmark's members `seed` and `note` may change.
fn learnt(record: &str) -> Form {
    let object = scan_object(record.as_bytes()).unwrap();
    let mark = object.metadata.map(|found| found.member.value);
    let members = mark.into_iter().flat_map(|mark| {
        let inside = mark.of(record.as_bytes());
        let values = walk(inside).map(|member| member.value).enumerate();
        let moved = move |(place, value): (usize, Span)| {
            let (start, end) = (mark.start + value.start, mark.start + value.end);
            (place, Span { start, end })
        };
        values
            .map(moved)
            .filter(|(place, _)| [1, 2].contains(place))
    });
    let mut form = Form::default();
    form.learn(record.as_bytes(), &object, members);
    assert!(form.fits(record.as_bytes()), "{record}");
    form
}

/// What fits is what the scanner finds, bytes that are no text aside.
fn fits(form: &mut Form, record: &[u8]) -> bool {
    if std::str::from_utf8(record).is_err() || !form.fits(record) {
        return false;
    }
    let text = String::from_utf8_lossy(record);
    let object = scan_object(record);
    assert_eq!(form.object(), object.clone().ok(), "{text}");
    let object = object.unwrap();
    assert_eq!(form.gap(), Some(Gap::of(&object)), "{text}");
    assert_eq!(
        form.mark(),
        object.metadata.map(|found| found.member),
        "{text}"
    );
    true
}

#[test]
fn record_with_other_values_fits_and_its_parts_lie_where_they_do() {
    let mut form = learnt(PLAIN);
    for other in [
        r#" {"id": "x", "text": -Infinity, "deep": [{"x": [false, ""]}, {}, []], "ok": 1E+9} "#,
        r#" {"id": NaN, "text": "\\", "deep": [{"x": ["{\"id\"", 0]}, {}, []], "ok": "}"} "#,
    ] {
        assert!(fits(&mut form, other.as_bytes()), "{other}");
    }
    let mut form = learnt(MARKED);
    let other = MARKED
        .replace("-0.5", "\"long\"")
        .replace("7,", "12345,")
        .replace("\"é\"", "null");
    assert!(fits(&mut form, other.as_bytes()));
    let values: Vec<_> = form
        .marked()
        .map(|(place, value)| (place, value.of(other.as_bytes())))
        .collect();
    assert_eq!(values, [(1, b"12345".as_slice()), (2, b"null")]);
}

#[test]
fn other_keys_lists_and_space_do_not_fit() {
    let mut form = learnt(PLAIN);
    for (old, new) in [
        ("\"id\"", "\"ID\""),
        ("{}", "[]"),
        ("{}", "1"),
        ("12", "{}"),
        ("12", "[]"),
        ("12", ""),
        ("12", "012"),
        ("12,", "12 ,"),
        ("true}", "true,}"),
        ("} ", "}"),
    ] {
        let other = PLAIN.replacen(old, new, 1);
        assert!(!fits(&mut form, other.as_bytes()), "{other}");
    }
    let mut form = learnt(MARKED);
    for (old, new) in [
        ("v1", "v2"),
        ("\"c\"", "\"d\""),
        ("7", "NaN"),
        ("7", "-Infinity"),
        ("7", "[]"),
    ] {
        let other = MARKED.replacen(old, new, 1);
        assert!(!fits(&mut form, other.as_bytes()), "{other}");
    }
}

#[test]
fn no_damaged_record_fits_but_as_the_scanner_has_it() {
    for record in [PLAIN, MARKED, "{}", " { } ", "{\"\":\"\"}"] {
        let mut form = learnt(record);
        let record = record.as_bytes();
        let mut fitting = 0;
        for at in 0..=record.len() {
            let (head, tail) = record.split_at(at);
            fits(&mut form, head);
            fits(&mut form, tail);
            for end in at..=record.len() {
                fits(&mut form, &[&record[..end], tail].concat());
                fits(&mut form, &[head, &record[end..]].concat());
            }
            for byte in 0..=u8::MAX {
                fits(&mut form, &[head, &[byte], tail].concat());
                let other = [head, &[byte], tail.get(1..).unwrap_or_default()].concat();
                fitting += usize::from(fits(&mut form, &other));
            }
        }
        assert!(fitting >= record.len(), "{fitting}");
    }
}

#[test]
fn form_that_never_fits_is_learnt_ever_more_seldom() {
    let mut form = Form::default();
    let mut learnt = 0;
    for count in 0..1_000 {
        let record = format!("{{\"list\": [{}1]}}", "0, ".repeat(count % 7));
        assert!(!form.fits(record.as_bytes()));
        let object = scan_object(record.as_bytes()).unwrap();
        form.learn(record.as_bytes(), &object, std::iter::empty());
        learnt += usize::from(form.learnt.is_some());
    }
    assert!((10..40).contains(&learnt), "{learnt}");
}

#[test]
fn what_has_too_many_values_or_a_key_of_ours_twice_has_no_form() {
    for record in [
        format!("{{\"list\": [{}1]}}", "0,".repeat(MOST)),
        format!("{{\"{}\": 1}}", "k".repeat(LONGEST)),
        "{\"metadata\": 1, \"metadata\": 2}".to_owned(),
        "{\"birthmark\": 1}".to_owned(),
    ] {
        let object = scan_object(record.as_bytes()).unwrap();
        let mut form = Form::default();
        form.learn(record.as_bytes(), &object, std::iter::empty());
        assert!(!form.fits(record.as_bytes()));
        assert_eq!(form.object(), None);
    }
}
