//! JSONL of many blocks, read by several threads in both ways: each record is what it is alone,
//! wherever the blocks end, and in its order.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::path::Path;

use birthmark_core::json;
use birthmark_store::digest::digest_bytes;
use birthmark_store::format::codec::Codec;
use birthmark_store::format::jsonl::Jsonl;
use birthmark_store::format::{Input, Mark};
use proptest::prelude::*;

/// What is told of a record: its line, where it begins, itself, its birthmark, and whether its
/// members were told by what changed in them.
type Told = (u64, u64, Vec<u8>, Option<Vec<u8>>);

fn told(line: u64, mark: &Mark<'_>) -> Told {
    let value = mark.value().map(<[u8]>::to_vec);
    (line, mark.offset, mark.record.to_vec(), value)
}

/// The same line by line.
fn alone(text: &[u8]) -> (Vec<Told>, u64) {
    let (mut all, mut bad, mut offset) = (Vec::new(), 0, 0);
    for (line, whole) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let record = whole
            .strip_suffix(b"\n")
            .map_or(whole, |record| record.strip_suffix(b"\r").unwrap_or(record));
        let mark = if line == 0 { json::BOM.len() } else { 0 };
        let (start, record) = match record.strip_prefix(json::BOM) {
            Some(record) if line == 0 => (offset + mark, record),
            _ => (offset, record),
        };
        offset += whole.len();
        if record.trim_ascii().is_empty() {
            continue;
        }
        match json::find_birthmark(record) {
            Ok(place) => {
                let value = place.value(record).map(<[u8]>::to_vec);
                all.push((line as u64 + 1, start as u64, record.to_vec(), value));
            }
            Err(_) => bad += 1,
        }
    }
    (all, bad)
}

/// The members of a birthmark, kept up by what changed.
#[derive(Default)]
struct Members(json::Followed);

impl Members {
    fn follow(&mut self, mark: &Mark<'_>) {
        let Some(value) = mark.value() else { return };
        match mark.changes {
            Some(changes) => self.0.change(mark.record, changes),
            None => self.0.anew(value),
        }
        let now: Vec<_> = self.0.all().map(|(_, value)| value.to_vec()).collect();
        let all = json::members(value).map(|(_, value)| value.to_vec());
        assert_eq!(now, all.collect::<Vec<_>>());
    }
}

fn check(text: &[u8]) {
    let (all, bad) = alone(text);
    let mut bytes = text;
    let (mut read, mut wrong, mut members) = (Vec::new(), 0, Members::default());
    let seen = Jsonl::default()
        .read_seen(input(&mut bytes), true, &mut |mark| {
            match mark {
                Ok(mark) => {
                    members.follow(&mark);
                    read.push(told(mark.line, &mark));
                }
                Err(_) => wrong += 1,
            }
            true
        })
        .unwrap();
    assert!(read == all);
    assert_eq!((wrong, seen.records), (bad, all.len() as u64 + bad));
    assert_eq!(seen.digest, Some(digest_bytes(text)));
    assert_eq!(seen.bytes, text.len() as u64);
    assert_eq!(seen.is_ended, text.is_empty() || text.ends_with(b"\n"));
    let lines = text.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(seen.lines, lines as u64);

    let mut bytes = text;
    let mut apart = Vec::new();
    let each = |(told_here, members): &mut (Vec<Told>, Members), mark: Mark<'_>| {
        members.follow(&mark);
        told_here.push(told(mark.line, &mark));
    };
    Jsonl::default()
        .read_apart(
            input(&mut bytes),
            each,
            |(here, _): &mut (Vec<Told>, Members), lines| {
                apart
                    .extend(here.drain(..).map(|(line, offset, record, value)| {
                        (line + lines, offset, record, value)
                    }));
                true
            },
        )
        .unwrap();
    assert!(apart == all);
}

fn input<'a>(bytes: &'a mut &[u8]) -> Input<'a> {
    Input {
        name: Path::new("x.jsonl"),
        bytes,
    }
}

/// Records of one form and others, to more than some blocks.
fn text(seed: u64, ends: &str, long: usize) -> Vec<u8> {
    let (mut state, mut out) = (seed, Vec::new());
    let mut chance = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    if chance(2) == 0 {
        out.extend_from_slice(json::BOM);
    }
    for n in 0..900 {
        let words = "wörd\\n ".repeat(usize::try_from(chance(80)).unwrap());
        let mark = format!(
            r#"{{"git_commit": "c{}", "seed": {}, "birthmark": "birthmark/v1"}}"#,
            n / 700,
            chance(100)
        );
        let line = match chance(60) {
            0 => String::new(),
            1 => format!(r#"{{"text": "{words}""#),
            2 => format!(r#"{{"text": "{words}", "more": [{n}, {{}}]}}"#),
            3 => format!(r#"{{"text": "{}", "metadata": {mark}}}"#, "x".repeat(long)),
            4 => format!(
                r#"{{"metadata": {{"mine": {n}, "git_commit": "d", "birthmark": "birthmark/v1", "merged": 1}}}}"#
            ),
            _ => format!(r#"{{"text": "{words}", "n": {n}, "metadata": {mark}}}"#),
        };
        out.extend_from_slice(line.as_bytes());
        if chance(500) == 0 {
            out.extend_from_slice(b"\xff");
        }
        out.extend_from_slice(if chance(9) == 0 {
            b"\r\n"
        } else {
            ends.as_bytes()
        });
    }
    if chance(2) == 0 {
        out.pop();
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_are_those_of_each_line_however_they_are_read(seed: u64, crlf: bool, long in 0..400_000usize) {
        check(&text(seed, if crlf { "\r\n" } else { "\n" }, long));
    }
}

#[test]
fn nothing_and_line_ends_alone_hold_no_record() {
    for text in ["", "\n", "\r\n\n \n", "\u{feff}", "\u{feff}\n", "{}"] {
        check(text.as_bytes());
    }
}

#[test]
fn reading_ends_where_it_is_told_to() {
    let text = text(7, "\n", 10);
    for most in [0, 1] {
        let (mut bytes, mut taken) = (text.as_slice(), 0);
        Jsonl::packed(Codec::Plain, Codec::Plain)
            .read_apart(
                input(&mut bytes),
                |(): &mut (), _| {},
                |(), _| {
                    taken += 1;
                    taken <= most
                },
            )
            .unwrap();
        assert_eq!(taken, most + 1);
    }
}
