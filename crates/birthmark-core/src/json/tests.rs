//! What the scanner, the splice and the search promise, on known cases.

use super::*;

fn stamped(record: &str, birthmark: &str, existing: OnExisting) -> Result<String, StampError> {
    let mut out = Vec::new();
    stamp_record(&mut out, record.as_bytes(), birthmark.as_bytes(), existing)?;
    Ok(String::from_utf8(out).unwrap())
}

fn unstamped(record: &str) -> String {
    let mut out = Vec::new();
    unstamp_record(&mut out, record.as_bytes()).unwrap();
    String::from_utf8(out).unwrap()
}

const MARK: &str = r#"{"git_commit": "ab", "birthmark": "birthmark/v1"}"#;

#[test]
fn an_object_is_scanned_to_its_parts() {
    let record = br#" {"a": [1, {"metadata": 0}], "metadata" : {"k": "v"} , "b":NaN} "#;
    let object = scan_object(record).unwrap();
    assert_eq!(
        Span {
            start: object.open,
            end: object.open + 1
        }
        .of(record),
        b"{"
    );
    assert_eq!(
        Span {
            start: object.close,
            end: object.close + 1
        }
        .of(record),
        b"}"
    );
    let found = object.metadata.unwrap();
    assert_eq!(found.times, 1);
    assert_eq!(found.member.key.of(record), br#""metadata""#);
    assert_eq!(found.member.value.of(record), br#"{"k": "v"}"#);
    assert_eq!(record[found.member.colon], b':');
    assert_eq!(record[found.member.comma_before.unwrap()], b',');
    assert_eq!(record[found.member.comma_after.unwrap()], b',');
    assert_eq!(object.birthmark, None);
}

#[test]
fn the_last_of_equal_keys_counts_and_all_are_counted() {
    let record = br#"{"metadata":1,"m\u0065tadata":2}"#;
    let found = scan_object(record).unwrap().metadata.unwrap();
    assert_eq!(
        (found.times, found.member.value.of(record)),
        (2, b"2".as_slice())
    );
}

#[test]
fn an_error_says_where_and_what() {
    for (record, offset, text) in [
        (
            "{'a': 1}",
            1,
            "`\\'` where a key in double quotes should stand at byte 1",
        ),
        (
            "{\"a\": 1,}",
            8,
            "`}` where a key in double quotes should stand at byte 8",
        ),
        ("{\"a\": 01}", 6, "a malformed number at byte 6"),
        (
            "{\"a\": \"\x01\"}",
            7,
            "the raw control character 0x01 in a string at byte 7",
        ),
        ("{\"a\": \"\\x\"}", 7, "a bad escape in a string at byte 7"),
        (
            "{\"a\": tru",
            9,
            "the text ends where the rest of a name such as `true` or `NaN` should stand at byte 9",
        ),
        (
            "{\"a\": 1} x",
            9,
            "more data after the end of the value at byte 9",
        ),
        ("[1]", 0, "something other than a JSON object at byte 0"),
        (
            "",
            0,
            "the text ends where a JSON object should stand at byte 0",
        ),
        ("\u{FEFF}{}", 0, "a byte order mark at byte 0"),
    ] {
        let error = scan_object(record.as_bytes()).unwrap_err();
        assert_eq!(
            (error.offset, error.to_string().as_str()),
            (offset, text),
            "{record}"
        );
    }
    let error = scan_object(b"{\"a\": \"\xFF\"}").unwrap_err();
    assert_eq!((error.offset, error.kind), (7, ScanErrorKind::NotUtf8));
}

#[test]
fn each_beginning_of_a_record_is_cut_short_and_not_otherwise_wrong() {
    let record = r#"{"aé": [true, -1.5e+3, "\u00e9\n", {"b": null}], "c": -Infinity}"#;
    for end in (0..record.len()).filter(|&end| record.is_char_boundary(end)) {
        let error = scan_object(&record.as_bytes()[..end]).unwrap_err();
        assert!(error.is_cut_short(), "{end}: {error}");
    }
    assert!(scan_object(record.as_bytes()).is_ok());
}

#[test]
fn each_byte_at_each_place_of_a_string_is_judged_alike() {
    for length in 1..=40 {
        for place in 0..length {
            for byte in 0..=0x7F {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                let quoted = [b"\"".as_slice(), &text, b"\""].concat();
                let good = byte >= 0x20 && byte != b'"' && byte != b'\\';
                let seen = scan_value(&quoted);
                // A quote early on leaves the rest over; one at the end, an open string.
                assert!(
                    good || seen.as_ref().is_err_and(|e| e.offset > place),
                    "{quoted:?}"
                );
                let want = Span {
                    start: 0,
                    end: length + 2,
                };
                assert!(!good || seen == Ok(want), "{quoted:?}: {seen:?}");
            }
        }
    }
}

#[test]
fn depth_is_limited_without_using_the_stack() {
    let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    assert!(scan_value(&deep(MAX_DEPTH)).is_ok());
    let error = scan_value(&deep(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(
        (error.offset, error.kind),
        (MAX_DEPTH, ScanErrorKind::TooDeep(MAX_DEPTH))
    );
    assert!(scan_value(&vec![b'['; 10_000_000]).is_err());
}

#[test]
fn a_member_is_spliced_in_before_the_brace_and_cut_out_again() {
    for (before, after) in [
        (r#"{"a":1}"#, r#"{"a":1, "metadata": {}}"#),
        (r#" {"a":1 } "#, r#" {"a":1 , "metadata": {}} "#),
        ("{}", r#"{"metadata": {}}"#),
        ("{ \t}", "{ \t\"metadata\": {}}"),
    ] {
        let mut out = Vec::new();
        let object = scan_object(before.as_bytes()).unwrap();
        splice_member(&mut out, before.as_bytes(), &object, "metadata", b"{}");
        assert_eq!(String::from_utf8(out.clone()).unwrap(), after);
        let mut back = Vec::new();
        assert!(unsplice(&mut back, &out, "metadata").unwrap());
        assert_eq!(back, before.as_bytes());
    }
}

#[test]
fn a_report_on_many_lines_gets_its_member_on_a_line_of_its_own() {
    let before = "{\n  \"a\": 1,\n  \"b\": 2\n}\n";
    let mut out = Vec::new();
    let object = scan_object(before.as_bytes()).unwrap();
    splice_member_tidily(&mut out, before.as_bytes(), &object, "metadata", b"{}");
    let after = String::from_utf8(out).unwrap();
    assert_eq!(
        after,
        "{\n  \"a\": 1,\n  \"b\": 2,\n  \"metadata\": {}\n}\n"
    );
    let mut back = Vec::new();
    assert!(unsplice(&mut back, after.as_bytes(), "metadata").unwrap());
    assert_eq!(back, before.as_bytes());
}

#[test]
fn a_birthmark_in_a_report_is_laid_out_as_the_report_is() {
    let report = "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}";
    let mark = r#"{"git_commit": "a, {\" b", "l": [1,{} , [ ]], "birthmark":"birthmark/v1"}"#;
    let mut out = Vec::new();
    stamp_report(
        &mut out,
        report.as_bytes(),
        mark.as_bytes(),
        OnExisting::Error,
    )
    .unwrap();
    let out = String::from_utf8(out).unwrap();
    let expected = "{\n\t\"a\": {\n\t\t\"b\": 1\n\t},\n\t\"metadata\": {\n\t\t\"git_commit\": \
                    \"a, {\\\" b\",\n\t\t\"l\": [\n\t\t\t1,\n\t\t\t{},\n\t\t\t[]\n\t\t],\n\t\t\
                    \"birthmark\": \"birthmark/v1\"\n\t}\n}";
    assert_eq!(out, expected);
    assert_eq!(unstamped(&out), report);
}

#[test]
fn a_birthmark_moved_to_the_front_is_still_cut_out_whole() {
    assert_eq!(
        unstamped(&format!(r#"{{"metadata": {MARK}, "a": 1}}"#)),
        r#"{ "a": 1}"#
    );
}

#[test]
fn metadata_of_the_users_own_is_merged_into_and_comes_back() {
    for (metadata, merged) in [
        (
            r#"{"topic": "x" }"#,
            r#"{"topic": "x" , "git_commit": "ab", "birthmark": "birthmark/v1", "merged": 1}"#,
        ),
        (
            "{ }",
            r#"{ "git_commit": "ab", "birthmark": "birthmark/v1", "merged": 0}"#,
        ),
    ] {
        let record = format!(r#"{{"metadata": {metadata}, "a": 1}}"#);
        assert_eq!(
            stamped(&record, MARK, OnExisting::Error),
            Err(StampError::HasMetadata)
        );
        let out = stamped(&record, MARK, OnExisting::Merge).unwrap();
        assert_eq!(out, format!(r#"{{"metadata": {merged}, "a": 1}}"#));
        assert_eq!(unstamped(&out), record);
    }
}

#[test]
fn a_clash_puts_the_birthmark_under_its_own_key_and_leaves_metadata_alone() {
    for metadata in ["7", "null", r#"{"merged": 2}"#, r#"{"git_commit": "old"}"#] {
        let record = format!(r#"{{"metadata": {metadata}}}"#);
        let out = stamped(&record, MARK, OnExisting::Merge).unwrap();
        assert_eq!(
            out,
            format!(r#"{{"metadata": {metadata}, "birthmark": {MARK}}}"#)
        );
        assert!(matches!(
            find_birthmark(out.as_bytes()).unwrap(),
            Where::Beside(_)
        ));
        assert_eq!(unstamped(&out), record);
    }
}

#[test]
fn where_both_places_are_taken_nothing_is_written() {
    let record = r#"{"metadata": 1, "birthmark": 2}"#;
    assert_eq!(
        stamped(record, MARK, OnExisting::Merge),
        Err(StampError::NoPlace)
    );
}

#[test]
fn an_older_birthmark_is_refused_kept_replaced_or_stood_beside_as_told() {
    let new = r#"{"git_commit": "cd", "birthmark": "birthmark/v1"}"#;
    let old = format!(r#"{{"a": 1, "metadata": {MARK}}}"#);
    assert_eq!(
        stamped(&old, new, OnExisting::Error),
        Err(StampError::AlreadyStamped)
    );
    assert_eq!(stamped(&old, new, OnExisting::Keep).unwrap(), old);
    let replaced = format!(r#"{{"a": 1, "metadata": {new}}}"#);
    assert_eq!(stamped(&old, new, OnExisting::Replace).unwrap(), replaced);
    let both = stamped(&old, new, OnExisting::Merge).unwrap();
    let place = find_birthmark(both.as_bytes()).unwrap();
    assert_eq!(
        place.value(both.as_bytes()).unwrap(),
        new.as_bytes(),
        "the younger one wins"
    );
    // A third generation takes the place of the second.
    let third = stamped(&both, MARK, OnExisting::Merge).unwrap();
    assert_eq!(
        third,
        format!(r#"{{"a": 1, "metadata": {MARK}, "birthmark": {MARK}}}"#)
    );
    assert_eq!(stamped(&both, new, OnExisting::Replace).unwrap(), replaced);
}

#[test]
fn a_birthmark_made_by_hand_is_found_as_foreign_and_not_cut() {
    let record = r#"{"metadata": {"git_commit": "ab"}}"#;
    assert!(matches!(
        find_birthmark(record.as_bytes()).unwrap(),
        Where::Foreign(_)
    ));
    assert_eq!(unstamped(record), record);
    assert_eq!(
        stamped(record, MARK, OnExisting::Replace).unwrap(),
        format!(r#"{{"metadata": {MARK}}}"#)
    );
}

#[test]
fn an_edited_count_of_merged_keys_is_not_guessed_at() {
    for merged in ["9", "-1", "\"1\"", "1.0"] {
        let record = format!(
            r#"{{"metadata": {{"git_commit": "ab", "birthmark": "birthmark/v1", "merged": {merged}}}}}"#
        );
        assert!(matches!(
            find_birthmark(record.as_bytes()).unwrap(),
            Where::Unclear(_)
        ));
        assert_eq!(
            unstamp_record(&mut Vec::new(), record.as_bytes()),
            Err(StampError::Unclear)
        );
    }
}

#[test]
fn a_thousand_equal_keys_end_in_an_error_and_not_in_a_loop() {
    let many = vec![format!(r#""metadata": {MARK}"#); 1000].join(",");
    let record = format!("{{{many}}}");
    assert_eq!(
        stamped(&record, MARK, OnExisting::Replace),
        Err(StampError::NoPlace)
    );
}

#[test]
fn values_are_reached_by_path_as_they_are_written() {
    let object = br#"{"a": {"b": 9007199254740993, "b": 1e400}, "c": "x\/\u00e9\ud83d\ude00", "d": "\ud800"}"#;
    assert_eq!(get(object, &["a", "b"]), Some(b"1e400".as_slice()));
    assert_eq!(get(object, &["a", "x"]), None);
    assert_eq!(as_text(get(object, &["c"]).unwrap()).unwrap(), "x/é😀");
    assert_eq!(as_text(get(object, &["d"]).unwrap()), None);
    assert_eq!(
        as_text_lossy(get(object, &["d"]).unwrap()).unwrap(),
        "\u{FFFD}"
    );
    assert_eq!(as_text(b"7"), None);
    assert_eq!(
        (
            as_u64(b"7"),
            as_u64(b"+7"),
            as_u64(b"7.0"),
            as_bool(b"true")
        ),
        (Some(7), None, None, Some(true))
    );
}

#[test]
fn an_envelope_is_held_to_more_than_a_record() {
    assert!(check_envelope(br#" {"a": [1, {"b": "\ud800"}]} "#).is_ok());
    for (text, offset, kind) in [
        (
            r#"{"a": 1, "\u0061": 2}"#,
            9,
            ScanErrorKind::DuplicateKey("a".into()),
        ),
        (
            r#"{"x": [0, {"a": 1, "a": 2}]}"#,
            19,
            ScanErrorKind::DuplicateKey("a".into()),
        ),
        (r#"{"x": [0, NaN]}"#, 10, ScanErrorKind::NotFinite),
        (r#"{"x": -Infinity}"#, 6, ScanErrorKind::NotFinite),
        ("[]", 0, ScanErrorKind::NotAnObject),
    ] {
        assert_eq!(
            check_envelope(text.as_bytes()),
            Err(ScanError { offset, kind }),
            "{text}"
        );
    }
    let nested = |levels| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert!(check_envelope(nested(MAX_ENVELOPE_DEPTH).as_bytes()).is_ok());
    assert!(check_envelope(nested(MAX_ENVELOPE_DEPTH + 1).as_bytes()).is_err());
    assert!(check_birthmark(MARK.as_bytes()).is_ok());
    assert!(check_birthmark(br#"{"git_commit": "ab"}"#).is_err());
    assert!(check_birthmark(br#"{"birthmark": "birthmark/v1", "merged": 0}"#).is_err());
}

#[test]
fn quoted_text_is_read_back_the_same() {
    for text in ["", "a\"b\\c", "\u{0}\u{1f}\u{7f}\n\r\t", "é😀\u{2028}"] {
        let mut raw = Vec::new();
        quote(&mut raw, text);
        assert!(scan_value(&raw).is_ok());
        assert_eq!(as_text(&raw).unwrap(), text);
    }
}
