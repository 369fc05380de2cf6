//! Files as they come: stamped, read by Python and jq, unstamped to the byte.
#![expect(clippy::disallowed_methods, reason = "tests build their own world")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use birthmark_core::json::{self, Where};
use birthmark_store::digest::digest_bytes;
use birthmark_store::format::json::Report;
use birthmark_store::format::jsonl::Jsonl;
use birthmark_store::format::sidecar::{Member, Sidecar, SidecarKind};
use birthmark_store::format::{
    ArtifactFormat, Bad, FormatError, Input, OnExisting, Same, Stamped, Unstamped, format_of,
};
use proptest::prelude::*;

const MARK: &str = r#"{"git_commit": "0a1b", "timestamp": "2026-11-22T12:00:00.000000+00:00", "big": 9007199254740993, "birthmark": "birthmark/v1"}"#;

fn stamp(
    format: &dyn ArtifactFormat,
    bytes: &[u8],
    existing: OnExisting,
) -> Result<(Vec<u8>, Stamped), FormatError> {
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("data.jsonl"),
        bytes: &mut &*bytes,
    };
    let stamped = format.stamp(input, &mut out, &Same(MARK.as_bytes()), existing)?;
    assert_eq!(
        (stamped.size, stamped.digest),
        (out.len() as u64, digest_bytes(&out))
    );
    Ok((out, stamped))
}

fn unstamp(format: &dyn ArtifactFormat, bytes: &[u8]) -> Result<(Vec<u8>, Unstamped), FormatError> {
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("data.jsonl"),
        bytes: &mut &*bytes,
    };
    let unstamped = format.unstamp(input, &mut out)?;
    assert_eq!(
        (unstamped.size, unstamped.digest),
        (out.len() as u64, digest_bytes(&out))
    );
    Ok((out, unstamped))
}

#[test]
fn what_comes_long_before_a_bad_line_has_gone_out() {
    let line = format!("{{\"text\": \"{}\"}}\n", "é".repeat(400));
    let mut lines = line.repeat(3_000).into_bytes();
    let (whole, _) = stamp(&Jsonl::default(), &lines, OnExisting::Error).unwrap();
    lines.extend_from_slice(b"no record\n");
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("-"),
        bytes: &mut lines.as_slice(),
    };
    let same = Same(MARK.as_bytes());
    let stamped = Jsonl::default().stamp(input, &mut out, &same, OnExisting::Error);
    assert!(matches!(
        stamped,
        Err(FormatError::NotJson { line: 3_001, .. })
    ));
    assert!(whole.starts_with(&out));
    let missing = whole.len() - out.len();
    assert!(missing < 512 << 10, "{missing}");
}

/// Line, offset and whether a birthmark of ours stands there; or the error.
fn read(format: &dyn ArtifactFormat, bytes: &[u8]) -> Vec<Result<(u64, u64, bool), String>> {
    let mut all = Vec::new();
    let input = Input {
        name: Path::new("data.jsonl"),
        bytes: &mut &*bytes,
    };
    let count = format.read(input, &mut |mark| {
        all.push(match mark {
            Ok(mark) => {
                let at = usize::try_from(mark.offset).unwrap();
                assert_eq!(mark.record, &bytes[at..at + mark.record.len()]);
                Ok((mark.line, mark.offset, mark.place.is_ours()))
            }
            Err(error) => Err(error.to_string()),
        });
        true
    });
    assert_eq!(count.unwrap(), all.len() as u64);
    all
}

fn pipe(program: &str, args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), input.to_vec());
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn all_that_is_no_record_stays_exactly_as_it_is() {
    for text in [
        "",
        "\n",
        "\n\n  \n",
        "{}",
        "{}\n",
        "\u{FEFF}{\"a\": 1}\r\n\r\n{\"b\": 2}\r\n \t\n{\"c\": 3}",
        "\u{FEFF}",
        "{\"a\":NaN}\n{\"a\":\"\\ud800\"}\n{\"a\":1,\"a\":2}\n{\"a\":1e400,\"u\":\"\u{2028}\"}\n",
    ] {
        let (stamped, sums) = stamp(&Jsonl::default(), text.as_bytes(), OnExisting::Error).unwrap();
        let records = text.matches('{').count() as u64;
        assert_eq!(
            (sums.places.metadata, sums.places.records()),
            (records, records)
        );
        assert_eq!(
            stamped.starts_with("\u{FEFF}".as_bytes()),
            text.starts_with('\u{FEFF}')
        );
        let (back, cuts) = unstamp(&Jsonl::default(), &stamped).unwrap();
        assert_eq!(back, text.as_bytes(), "{text:?}");
        assert_eq!((cuts.records, cuts.removed), (records, records));
        assert_eq!(sums.content_digest, Some(digest_bytes(text.as_bytes())));
        assert_eq!(cuts.digest, digest_bytes(text.as_bytes()));
    }
}

#[test]
fn a_bad_line_is_named_by_file_line_and_byte_and_the_others_are_still_read() {
    let text = b"\xEF\xBB\xBF{\"a\": 1}\r\n{'a': 1}\n\n{\"b\": \xFF}\n{\"c\": 1}\n{\"d\": ";
    let seen = read(&Jsonl::default(), text);
    assert_eq!(
        seen,
        [
            Ok((1, 3, false)),
            Err("`data.jsonl`, line 2, byte 14 of the file: `\\'` where a key in double quotes should stand".into()),
            Err("`data.jsonl`, line 4, byte 29 of the file: invalid UTF-8".into()),
            Ok((5, 32, false)),
            Err("`data.jsonl`, line 6, byte 47 of the file: the text ends where a value should stand".into()),
        ]
    );
    let error = stamp(&Jsonl::default(), text, OnExisting::Error).unwrap_err();
    assert!(
        matches!(
            error,
            FormatError::NotJson {
                line: 2,
                offset: 14,
                ..
            }
        ),
        "{error}"
    );
    let torn = stamp(&Jsonl::default(), b"{}\n{\"a\": ", OnExisting::Error).unwrap_err();
    assert!(torn.hint().unwrap().contains("cut short"));
}

#[test]
fn a_file_of_many_blocks_comes_out_in_order_and_names_its_lines_rightly() {
    let mut text = Vec::new();
    for number in 0..20_000 {
        let filler = "x".repeat(number % 700);
        writeln!(text, "{{\"n\": {number}, \"filler\": \"{filler}\"}}").unwrap();
    }
    let long = "y".repeat(3 << 20);
    writeln!(text, "{{\"n\": 20000, \"filler\": \"{long}\"}}").unwrap();
    write!(text, "{{\"n\": 20001}}").unwrap();
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("data.jsonl"),
        bytes: &mut text.as_slice(),
    };
    let by_line = |line: u64, _: &[u8], out: &mut Vec<u8>| {
        write!(
            out,
            "{{\"git_commit\": \"{line}\", \"birthmark\": \"birthmark/v1\"}}"
        )
        .unwrap();
    };
    Jsonl::default()
        .stamp(input, &mut out, &by_line, OnExisting::Error)
        .unwrap();
    for (place, line) in out.split(|&byte| byte == b'\n').enumerate() {
        let commit = json::get(line, &["metadata", "git_commit"])
            .and_then(json::as_text)
            .unwrap();
        assert_eq!(json::get(line, &["n"]), Some(place.to_string().as_bytes()));
        assert_eq!(commit, (place + 1).to_string());
    }
    assert!(unstamp(&Jsonl::default(), &out).unwrap().0 == text);
    let seen = read(&Jsonl::default(), &out);
    assert_eq!(seen.len(), 20_002);
    assert!(
        seen.iter()
            .zip(1..)
            .all(|(seen, line)| matches!(seen, Ok((at, _, true)) if *at == line))
    );
    let broken = [out.as_slice(), b"\n{]"].concat();
    let error = unstamp(&Jsonl::default(), &broken).unwrap_err();
    assert!(
        matches!(error, FormatError::NotJson { line: 20_003, .. }),
        "{error}"
    );
}

#[test]
fn reading_ends_when_no_more_is_wanted() {
    let mut seen = 0;
    let text = b"{}\n".repeat(500_000);
    let input = Input {
        name: Path::new("data.jsonl"),
        bytes: &mut text.as_slice(),
    };
    let count = Jsonl::default().read(input, &mut |_| {
        seen += 1;
        seen < 3
    });
    assert_eq!((count.unwrap(), seen), (3, 3));
}

#[test]
fn a_line_longer_than_the_limit_is_an_error_and_not_a_full_memory() {
    let text = [b"{}\n{\"a\": \"".as_slice(), &vec![b'a'; 2 << 20], b"\"}\n"].concat();
    let error = stamp(
        &Jsonl {
            limit: 1 << 20,
            ..Jsonl::default()
        },
        &text,
        OnExisting::Error,
    )
    .unwrap_err();
    assert!(
        matches!(error, FormatError::TooLong { line: 2, .. }),
        "{error}"
    );
}

#[test]
fn records_before_a_line_that_is_too_long_are_read_and_it_is_named_by_its_number() {
    let line = format!("{{\"a\": \"{}\"}}\n", "b".repeat(1_000));
    for before in [0, 1, 130, 3_000] {
        let text = [line.repeat(before).as_bytes(), &vec![b'c'; 2 << 20]].concat();
        let input = Input {
            name: Path::new("data.jsonl"),
            bytes: &mut text.as_slice(),
        };
        let format = Jsonl {
            limit: 1 << 20,
            ..Jsonl::default()
        };
        let mut lines = Vec::new();
        let read = format.read(input, &mut |mark| {
            lines.push(mark.unwrap().line);
            true
        });
        let wanted: Vec<u64> = (1..=before as u64).collect();
        assert_eq!(lines, wanted);
        let error = read.unwrap_err();
        assert!(
            matches!(error, FormatError::TooLong { line, .. } if line == before as u64 + 1),
            "{error}"
        );
    }
}

#[test]
fn lines_that_are_too_long_are_set_aside_in_pieces_that_are_the_whole() {
    let limit = 300_000;
    let record = |bytes: usize| format!("{{\"a\": \"{}\"}}\n", "b".repeat(bytes - 10));
    let (short, least, long) = (record(40), record(limit + 2), record(3_000_000));
    // Two just within the limit, with its end and without.
    let (within, most) = (record(limit + 1), record(limit + 1).trim_end().to_owned());
    for (lines, many) in [
        (vec![&long], 0),
        (vec![&short, &long, &short], 1),
        (vec![&short, &least, &within, &long, &long, &short], 700),
        (vec![&least, &short, &most], 5),
        (vec![&long, &short, &short], 4_000),
    ] {
        let mut text: String = lines.iter().map(|line| line.as_str()).collect();
        text += &if text.ends_with('\n') {
            short.repeat(many)
        } else {
            String::new()
        };
        text += if text.ends_with('\n') { "" } else { "\n" };
        // The last line, without its end.
        text += long.trim_end();
        let all = text.split_inclusive('\n');
        let (bad, good): (Vec<&str>, Vec<&str>) =
            all.partition(|line| line.trim_end().len() > limit);
        let file = tempfile::tempfile().unwrap();
        (&file).write_all(text.as_bytes()).unwrap();
        for from_file in [false, true] {
            std::io::Seek::rewind(&mut &file).unwrap();
            let (mut file, mut bytes) = (file.try_clone().unwrap(), text.as_bytes());
            let input = Input {
                name: Path::new("data.jsonl"),
                bytes: if from_file { &mut file } else { &mut bytes },
            };
            let format = Jsonl {
                limit,
                ..Jsonl::default()
            };
            let (mut aside, mut told, mut out) = (Vec::new(), Vec::new(), Vec::new());
            let mut take = |bad: Bad<'_>| {
                aside.extend_from_slice(bad.bytes);
                told.extend(
                    bad.error
                        .map(|error| (bad.line, bad.offset, error.to_string())),
                );
                Ok(())
            };
            let same = Same(MARK.as_bytes());
            let stamped = format
                .stamp_sound(input, &mut out, &same, OnExisting::Error, &mut take)
                .unwrap();
            assert!(aside == bad.concat().as_bytes(), "{from_file}");
            assert_eq!(told.len(), bad.len());
            let mut from = 0;
            for ((line, offset, why), bad) in told.iter().zip(&bad) {
                let at = from + text[from..].find(bad).unwrap();
                from = at + bad.len();
                assert_eq!(*offset, at as u64);
                assert_eq!(*line, text[..at].matches('\n').count() as u64 + 1);
                assert!(why.contains("it is longer than 300000 bytes"), "{why}");
            }
            let (back, unstamped) = unstamp(&Jsonl::default(), &out).unwrap();
            assert!(back == good.concat().as_bytes(), "{from_file}");
            assert_eq!(stamped.content_digest, Some(unstamped.digest));
        }
    }
}

#[test]
fn python_and_jq_read_what_was_stamped() {
    let text = "{\"id\": 1, \"text\": \"é \\u2028\"}\n{}\n{\"metadata\": {\"topic\": \"x\"}}\n";
    let (stamped, sums) = stamp(&Jsonl::default(), text.as_bytes(), OnExisting::Merge).unwrap();
    assert_eq!((sums.places.metadata, sums.places.merged), (2, 1));
    let commits = pipe("jq", &["-r", ".metadata.git_commit"], &stamped);
    assert_eq!(commits, "0a1b\n0a1b\n0a1b\n");
    let script = "import json,sys\nfor l in sys.stdin: m=json.loads(l)['metadata']; print(m['big'], m.get('topic'), m.get('merged'))";
    let seen = pipe("python3", &["-c", script], &stamped);
    assert_eq!(
        seen,
        "9007199254740993 None None\n9007199254740993 None None\n9007199254740993 x 1\n"
    );
}

#[test]
fn a_report_keeps_its_layout_and_comes_back_to_the_byte() {
    let python =
        "import json; print(json.dumps({'accuracy': 0.1, 'results': [1, {'a': []}]}, indent=2))";
    let reader = "import json,sys; print(json.loads(sys.stdin.buffer.read())['metadata']['big'])";
    let made = pipe("python3", &["-c", python], b"");
    for report in [
        made.as_str(),
        "{}",
        "\u{FEFF}{\"a\": NaN}\r\n",
        "{\n}",
        "{\"a\":1}",
    ] {
        let (stamped, sums) =
            stamp(&Report::default(), report.as_bytes(), OnExisting::Error).unwrap();
        assert_eq!(
            pipe("python3", &["-c", reader], &stamped),
            "9007199254740993\n"
        );
        assert_eq!(sums.content_digest, Some(digest_bytes(report.as_bytes())));
        assert_eq!(
            unstamp(&Report::default(), &stamped).unwrap().0,
            report.as_bytes()
        );
        assert_eq!(read(&Report::default(), &stamped).len(), 1);
    }
    let (stamped, _) = stamp(&Report::default(), made.as_bytes(), OnExisting::Error).unwrap();
    let stamped = String::from_utf8(stamped).unwrap();
    assert!(
        stamped.starts_with(made.trim_end_matches("\n}\n")),
        "not one byte before it changed"
    );
    assert!(
        stamped.contains("\n  \"metadata\": {\n    \"git_commit\": \"0a1b\",\n"),
        "{stamped}"
    );
    let error = stamp(&Report::default(), b"{\n\n  'a': 1\n}", OnExisting::Error).unwrap_err();
    assert!(
        matches!(
            error,
            FormatError::NotJson {
                line: 3,
                offset: 5,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn an_older_birthmark_has_no_content_digest_until_it_is_asked_for() {
    let (once, _) = stamp(&Jsonl::default(), b"{\"a\": 1}\n", OnExisting::Error).unwrap();
    assert!(stamp(&Jsonl::default(), &once, OnExisting::Error).is_err());
    for existing in [OnExisting::Keep, OnExisting::Replace] {
        let (twice, sums) = stamp(&Jsonl::default(), &once, existing).unwrap();
        assert_eq!(
            (twice.as_slice(), sums.content_digest),
            (once.as_slice(), None)
        );
    }
}

#[test]
fn the_format_of_a_file_follows_its_name() {
    for (name, known) in [
        ("a.jsonl", true),
        ("a.NDJSON", true),
        ("a.json", true),
        ("a", false),
        ("a.bin", false),
        (".json", false),
    ] {
        assert_eq!(format_of(Path::new(name)).is_some(), known, "{name}");
    }
}

fn sidecar(file: &Path) -> Sidecar {
    Sidecar {
        file: file.to_owned(),
        kind: SidecarKind::File,
        digest: digest_bytes(b"a"),
        content_digest: None,
        size: 1,
        records: None,
        sha256: None,
        members: Vec::new(),
        birthmark: MARK.as_bytes().to_vec(),
        others: vec![(b"\"later\"".to_vec(), b"[1, 2.50]".to_vec())],
    }
}

#[test]
fn a_sidecar_is_read_as_it_was_written_by_us_and_by_jq() {
    use std::os::unix::ffi::OsStrExt;
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"a \"\xFF\n\xE2\x80\xAE"));
    let sha256 = birthmark_core::digest::Digest {
        algorithm: birthmark_core::digest::Algorithm::Sha256,
        bytes: [7; 32],
    };
    for file in [Path::new("model.bin"), odd] {
        for kind in [SidecarKind::File, SidecarKind::Folder] {
            let mut sidecar = Sidecar {
                kind,
                ..sidecar(file)
            };
            if kind == SidecarKind::Folder {
                let member = |sha256| Member {
                    file: file.to_owned(),
                    digest: digest_bytes(b"b"),
                    sha256,
                    size: 7,
                };
                sidecar.members = vec![member(None), member(Some(sha256))];
            } else {
                (sidecar.records, sidecar.content_digest) = (Some(3), Some(digest_bytes(b"c")));
                sidecar.sha256 = Some(sha256);
            }
            let bytes = sidecar.render();
            let mut read = Sidecar::parse(Path::new("x"), &bytes).unwrap();
            assert_eq!(
                pipe("jq", &["-r", ".metadata.git_commit"], &bytes),
                "0a1b\n"
            );
            // The birthmark is laid out anew; its values are the same text.
            assert_eq!(
                json::get(&read.birthmark, &["big"]),
                Some(b"9007199254740993".as_slice())
            );
            assert!(matches!(
                json::find_birthmark(&bytes),
                Ok(Where::Metadata(_))
            ));
            read.birthmark.clone_from(&sidecar.birthmark);
            assert_eq!(
                json::get(&bytes, &["later"]),
                json::get(&read.render(), &["later"])
            );
            read.others.clone_from(&sidecar.others);
            assert_eq!(read, sidecar);
        }
    }
}

#[test]
fn a_sidecar_that_is_ambiguous_or_lacks_something_is_refused() {
    let good = String::from_utf8(sidecar(Path::new("m")).render()).unwrap();
    assert!(Sidecar::parse(Path::new("x"), good.as_bytes()).is_ok());
    for (from, to) in [
        ("\"size\": 1", "\"size\": 1, \"size\": 2"),
        ("\"size\": 1", "\"size\": -1"),
        ("\"size\": 1", "\"size\": NaN"),
        ("\"digest\"", "\"digests\""),
        ("\"kind\": \"file\"", "\"kind\": \"link\""),
        ("blake3:", "md5:"),
        ("\"metadata\"", "\"meta\""),
    ] {
        assert!(good.contains(from));
        let bad = good.replacen(from, to, 1);
        let error = Sidecar::parse(Path::new("x"), bad.as_bytes()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read sidecar `x`: "),
            "{error}"
        );
    }
}

/// A JSON object as Python writes it, of many shapes; some are stamped already.
fn record() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "[a-z\u{e9}\u{1F600} ]{0,20}".prop_map(|text| format!("\"{text}\"")),
        Just("[1, {\"a\": NaN}]".to_owned()),
        Just("{\"topic\": 1, \"git_branch\": null }".to_owned()),
        Just("{ }".to_owned()),
        Just(MARK.to_owned()),
    ];
    let key = proptest::sample::select(vec!["metadata", "birthmark", "id", "x", "\\u0061"]);
    let gap = proptest::sample::select(vec!["", " ", "  \t"]);
    let member = (key, gap.clone(), value)
        .prop_map(|(key, gap, value)| format!("\"{key}\":{gap}{value}{gap}"));
    (proptest::collection::vec(member, 0..4), gap)
        .prop_map(|(members, gap)| format!("{gap}{{{gap}{}}}{gap}", members.join(", ")))
}

fn file() -> impl Strategy<Value = String> {
    let end = proptest::sample::select(vec!["\n", "\r\n", "\n\n", "\n \n"]);
    let lines = proptest::collection::vec((record(), end), 0..12);
    (lines, any::<bool>(), any::<bool>()).prop_map(|(lines, bom, last)| {
        let body: Vec<_> = lines
            .iter()
            .flat_map(|(record, end)| [record.as_str(), *end])
            .collect();
        let body = body.concat();
        let body = if last {
            body.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            body
        };
        format!("{}{body}", if bom { "\u{FEFF}" } else { "" })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unstamping_a_stamped_file_gives_the_file(text in file()) {
        if let Ok((stamped, sums)) = stamp(&Jsonl::default(), text.as_bytes(), OnExisting::Merge) {
            let (back, cuts) = unstamp(&Jsonl::default(), &stamped).unwrap();
            prop_assert_eq!(cuts.removed, sums.places.records());
            if sums.places.replaced == 0 {
                prop_assert_eq!(back, text.as_bytes());
                prop_assert_eq!(sums.content_digest, Some(digest_bytes(text.as_bytes())));
            }
        }
    }

    #[test]
    fn unstamping_a_stamped_report_gives_the_report(text in record()) {
        for format in [&Report::default() as &dyn ArtifactFormat, &Jsonl::default()] {
            if let Ok((stamped, sums)) = stamp(format, text.as_bytes(), OnExisting::Merge) {
                let back = unstamp(format, &stamped).unwrap().0;
                prop_assert!(back == text.as_bytes() || sums.places.replaced == 1);
            }
        }
    }

    #[test]
    fn no_bytes_make_any_reader_panic(bytes: Vec<u8>, cut: prop::sample::Index) {
        read(&Jsonl::default(), &bytes);
        let _ = stamp(&Report::default(), &bytes, OnExisting::Merge);
        let mut sidecar = sidecar(Path::new("m")).render();
        sidecar.truncate(cut.index(sidecar.len()));
        let whole = sidecar.last() == Some(&b'}');
        prop_assert!(whole || Sidecar::parse(Path::new("x"), &sidecar).is_err());
    }
}
