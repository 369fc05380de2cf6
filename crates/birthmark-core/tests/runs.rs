//! Records that stand line by line in a text, found by the form of those before them: each is
//! what it is alone, however they are spelled, damaged or mixed.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use birthmark_core::json::{
    self, Change, Marks, OnExisting, ScanError, Stamper, Stamping, Step, Where,
};
use proptest::prelude::*;
use proptest::sample::select;

const MARK: &str = r#"{"git_commit": "0a1b", "artifact_type": "t", "birthmark": "birthmark/v1"}"#;

/// Values of all kinds, those that no birthmark may have among them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0u32..1_000_000).prop_map(|n| n.to_string()),
        4 => "[a-z é\u{2028}]{0,40}".prop_map(|text| format!("\"{text}\"")),
        2 => select(vec![
            r#""a\"b\\\\""#, r#""\n\u00e9\\""#, "-0.5e3", "true", "null", "NaN", "[1, 2]", "{}", r#""\r""#, "1e400",
        ]).prop_map(ToOwned::to_owned),
    ]
}

/// Lines with their ends: of a few shapes, with and without a birthmark, some of them no records.
fn lines() -> impl Strategy<Value = String> {
    let line = (
        value(),
        value(),
        value(),
        0..12,
        select(vec!["\n", "\n", "\n", "\r\n", "\r\r\n"]),
    );
    let one = line.prop_map(|(text, seed, draw, shape, end)| {
        let mark = format!(r#"{{"git_commit": "c", "seed": {seed}, "x": [1], "draw": {draw}, "birthmark": "birthmark/v1"}}"#);
        let line = match shape {
            0 => format!(r#"{{"text": {text}, "deep": [{seed}, {{"x": {draw}}}]}}"#),
            1 => format!(r#"{{"metadata": {mark}, "text": {text}}} "#),
            2 => format!(r#"{{"text": {text}, "metadata": {{"mine": 1, "git_commit": {seed}, "birthmark": "birthmark/v1", "merged": 1}}}}"#),
            3 => format!(r#"{{"text": {text}, "metadata": {seed}, "birthmark": {mark}}}"#),
            4 => format!("\t{text}"),
            5 => " ".repeat(text.len() % 3),
            _ => format!(r#"{{"text": {text}, "metadata": {mark}}}"#),
        };
        line + end
    });
    proptest::collection::vec(one, 1..40).prop_map(|lines| lines.concat())
}

/// The same with bytes of it changed, and without the end of the last line perhaps.
fn text() -> impl Strategy<Value = String> {
    let changes =
        proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3), 0..4);
    (lines(), changes, any::<bool>(), 1..4usize).prop_map(|(lines, changes, cut, times)| {
        let mut bytes = lines.repeat(times).into_bytes();
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
            bytes.push(b'\n');
        }
        if cut {
            bytes.pop();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Where each line begins, its record ends, and the next line begins.
fn split(text: &str) -> Vec<(usize, usize, usize)> {
    let mut at = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        let record = line
            .strip_suffix('\n')
            .map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        (start, start + record.len(), at)
    });
    lines.collect()
}

type Found = (Result<Where, ScanError>, Option<Vec<Change>>);

/// What is found line by line, and whether each was known by its form.
fn found(text: &str) -> Vec<(usize, usize, Found, bool)> {
    let (mut marks, mut at, mut all) = (Marks::default(), 0, Vec::new());
    loop {
        at = marks.run(text, at, |laid| {
            let found = (Ok(laid.place), Some(laid.changes.to_vec()));
            all.push((laid.span.start, laid.span.end, found, true));
        });
        let Some((start, end, next)) = split(&text[at..]).first().copied() else {
            return all;
        };
        let found = marks.find_anew(&text[at + start..at + end]);
        let changes = match &found {
            Ok((place, Step::Same)) => {
                Some(marks.changes(place.member().unwrap().value.start).collect())
            }
            _ => None,
        };
        all.push((
            at + start,
            at + end,
            (found.map(|(place, _)| place), changes),
            false,
        ));
        at += next;
    }
}

/// What stamping line by line gives, as far as it goes.
fn stamped(text: &str, existing: OnExisting) -> String {
    let member = json::spelled_member("metadata", MARK.as_bytes());
    let (mut stamper, mut at, mut out) = (Stamper::default(), 0, Vec::new());
    loop {
        let mut from = at;
        at = stamper.run(text, at, |gap| {
            out.extend_from_slice(&text.as_bytes()[from..gap.at]);
            out.extend_from_slice(gap.fill(&member));
            from = gap.at;
        });
        out.extend_from_slice(&text.as_bytes()[from..at]);
        let Some((_, end, next)) = split(&text[at..]).first().copied() else {
            return String::from_utf8(out).unwrap();
        };
        let record = &text[at..at + end];
        let mut written = Vec::new();
        match stamper.stamp_anew(&mut written, record, MARK.as_bytes(), existing) {
            Ok(Stamping::Fill(gap)) => {
                out.extend_from_slice(&record.as_bytes()[..gap.at]);
                out.extend_from_slice(gap.fill(&member));
                out.extend_from_slice(&record.as_bytes()[gap.at..]);
            }
            Ok(Stamping::Written(_)) => out.extend(written),
            Err(_) => out.extend_from_slice(record.as_bytes()),
        }
        out.extend_from_slice(&text.as_bytes()[at + end..at + next]);
        at += next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_line_is_found_as_it_is_alone(text in text()) {
        let all = found(&text);
        let lines: Vec<_> = split(&text).iter().map(|(start, end, _)| (*start, *end)).collect();
        prop_assert_eq!(all.iter().map(|(start, end, ..)| (*start, *end)).collect::<Vec<_>>(), lines);
        let mut before: Vec<Vec<u8>> = Vec::new();
        for (start, end, (place, changes), _) in all {
            let record = &text.as_bytes()[start..end];
            prop_assert_eq!(&place, &json::find_birthmark(record), "{}", &text[start..end]);
            let Some(raw) = place.ok().and_then(|place| place.value(record)) else { continue };
            let now: Vec<Vec<u8>> = json::walk(raw).map(|one| one.value.of(raw).to_vec()).collect();
            if let Some(changes) = changes {
                for change in changes {
                    before[change.member] = change.value.of(record).to_vec();
                }
                prop_assert_eq!(&before, &now);
            }
            before = now;
        }
    }

    #[test]
    fn each_line_is_stamped_as_it_is_alone(text in text(), merge: bool) {
        let existing = if merge { OnExisting::Merge } else { OnExisting::Replace };
        let mut alone = Vec::new();
        for (start, end, next) in split(&text) {
            let record = &text.as_bytes()[start..end];
            if json::stamp_record(&mut alone, record, MARK.as_bytes(), existing).is_err() {
                alone.extend_from_slice(record);
            }
            alone.extend_from_slice(&text.as_bytes()[end..next]);
        }
        prop_assert_eq!(stamped(&text, existing), String::from_utf8(alone).unwrap());
    }
}

#[test]
fn records_of_one_form_are_known_by_it_whatever_ends_their_lines() {
    for end in ["\n", "\r\n"] {
        let line = |n: u32| {
            format!(
                r#"{{"n": {n}, "metadata": {{"git_commit": "c", "seed": {}, "birthmark": "birthmark/v1"}}}}{end}"#,
                n * n
            )
        };
        let text: String = (0..100).map(line).collect();
        let known = found(&text).iter().filter(|(.., known)| *known).count();
        assert!(known >= 90, "{known} behind {end:?}");
    }
}

#[test]
fn form_of_more_than_one_line_is_no_form_of_lines() {
    let mut marks = Marks::default();
    let record = "{\"n\":\n1}";
    for _ in 0..4 {
        marks.find(record.as_bytes()).unwrap();
    }
    assert_eq!(
        marks.run(&format!("{record}\n"), 0, |_| panic!("it is known")),
        0
    );
}
