//! Python's `json.loads` is the judge of what is JSON: on each line of a corpus
//! of good and bad ones the scanner must take and refuse the same.
#![expect(clippy::disallowed_methods, reason = "tests build their own world")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::Write;
use std::process::{Command, Stdio};

use birthmark_core::json;

/// Reads texts (hex, one a line) and prints for each whether it is JSON, and
/// whether it is an object.
const JUDGE: &str = r"
import json, sys
sys.setrecursionlimit(5000)
for line in sys.stdin:
    try:
        value = json.loads(bytes.fromhex(line.strip()).decode('utf-8'))
        print('object' if isinstance(value, dict) else 'value')
    except ValueError:
        print('refused')
";

/// Values that Python takes.
const GOOD: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "10",
    "-12",
    "1.5",
    "0.0001",
    "1e5",
    "1E5",
    "1e+5",
    "1e-5",
    "1.5e10",
    "1e400",
    "1e-400",
    "9007199254740993",
    "18446744073709551616",
    "1180591620717411303424",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "false",
    "null",
    r#""""#,
    r#""a""#,
    r#""é""#,
    r#""\u00e9""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\uD83D\uDE00""#,
    r#""\"\\\/\b\f\n\r\t""#,
    "\"\u{7f}\"",
    "\"\u{2028}\u{2029}\"",
    "\"\u{FEFF}\"",
    "\"\u{10FFFF}\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,2]",
    "[ 1 , 2 ]",
    "[[],[[]]]",
    "{}",
    "{ }",
    r#"{"a":1}"#,
    r#"{ "a" : 1 , "b" : [ ] }"#,
    r#"{"a":1,"a":2}"#,
    r#"{"":{"":{}}}"#,
    "[\t1\r\n,\n2]",
    r#"{"a\u0062":1}"#,
    r#"[{"a":[{"b":[]}]}]"#,
];

/// Values that Python refuses.
const BAD: &[&str] = &[
    "",
    " ",
    "-",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "1e-",
    "-e5",
    "0x10",
    "1_000",
    "１",
    "-NaN",
    "+Infinity",
    "Inf",
    "-Inf",
    "nan",
    "infinity",
    "NaN1",
    "Infinit",
    "-Infinit",
    "True",
    "None",
    "TRUE",
    "tru",
    "truee",
    "nul",
    "undefined",
    "'a'",
    "\"",
    "\"a",
    "a\"",
    r#""\""#,
    r#""\x41""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\u+123""#,
    r#""\u 123""#,
    r#""\u00_0""#,
    r#""\U0041""#,
    r#""\'""#,
    r#""\0""#,
    "\"\n\"",
    "\"\t\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1,,2]",
    "[1}",
    "[1:2]",
    "{",
    "}",
    "{1:2}",
    "{a:1}",
    "{'a':1}",
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{"a":1,}"#,
    r#"{,"a":1}"#,
    r#"{"a":1 "b":2}"#,
    r#"{"a" 1}"#,
    r#"{"a"::1}"#,
    r#"{"a":1]"#,
    r#"{"a":1}}"#,
    r#"{"a":1};"#,
    r#"{"a":1}{"b":2}"#,
    r#"{"a":1} // x"#,
    r#"{"a":1} /* x */"#,
    r#"{/**/"a":1}"#,
    "{null:1}",
    "{[]:1}",
    "\u{a0}1",
    "1\u{a0}",
    "1\u{2028}",
    "\u{b}1",
    "\u{c}1",
    "\u{FEFF}1",
    "\u{FEFF}{}",
    "1\0",
    "\0",
    "1,2",
    "1 2",
    "[1]]",
    "[]]",
    "{}[]",
    "#",
    "b\"a\"",
    "[1\u{b},2]",
    "[tru,1]",
];

/// The corpus: each text alone, in an array, and as a member with white space.
fn corpus() -> Vec<Vec<u8>> {
    let texts = GOOD.iter().chain(BAD).map(|text| text.as_bytes().to_vec());
    let mut all: Vec<Vec<u8>> = texts
        .flat_map(|text| {
            let array = [b"[0, ".as_slice(), &text, b" ]"].concat();
            let member = [b" {\"k\" :\t".as_slice(), &text, b"\r, \"metadata\": 1}\n"].concat();
            [text, array, member]
        })
        .collect();
    for invalid in ["80", "c3", "c080", "eda080", "f4908080", "ff", "e282"] {
        let bytes: Vec<u8> = (0..invalid.len() / 2)
            .map(|at| u8::from_str_radix(&invalid[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        all.push([b"{\"a\": \"".as_slice(), &bytes, b"\"}"].concat());
        all.push([b"{\"a\": 1} ".as_slice(), &bytes].concat());
    }
    for levels in [2, 127, 128, 129, 900] {
        all.push([vec![b'['; levels], vec![b']'; levels]].concat());
        all.push([b"{\"a\":".repeat(levels), b"0".to_vec(), vec![b'}'; levels]].concat());
    }
    all
}

fn judged(corpus: &[Vec<u8>]) -> Vec<String> {
    let mut python = Command::new("python3")
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = String::new();
    for text in corpus {
        lines.extend(text.iter().map(|byte| format!("{byte:02x}")));
        lines.push('\n');
    }
    let mut stdin = python.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn the_scanner_takes_and_refuses_what_python_takes_and_refuses() {
    let corpus = corpus();
    let verdicts = judged(&corpus);
    assert_eq!(verdicts.len(), corpus.len());
    assert!(corpus.len() > 300);
    for (text, verdict) in corpus.iter().zip(&verdicts) {
        let shown = text.escape_ascii();
        let (value, object) = (json::scan_value(text), json::scan_object(text));
        assert_eq!(value.is_ok(), verdict != "refused", "{shown}: {value:?}");
        assert_eq!(object.is_ok(), verdict == "object", "{shown}: {object:?}");
    }
    let refused = verdicts
        .iter()
        .filter(|verdict| *verdict == "refused")
        .count();
    assert!(
        refused > 100 && verdicts.len() - refused > 100,
        "the corpus has lost one side"
    );
}
