//! Answers against the truth: random artifacts, random questions, and a plain evaluator
//! that knows nothing of groups, zones, keys or SQL.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot look must fail"
)]

use std::collections::BTreeSet;

use birthmark_catalog::Local;
use birthmark_catalog::engine::{Change, Engine, FileFacts, Looked, Query, What};
use birthmark_catalog::filter::{Context, parse};
use birthmark_catalog::groups::{Grouper, Place, fields_of};
use birthmark_catalog::value::Value;
use birthmark_core::{Timestamp, json};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// What a field of a record is, in the test's own terms.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Missing,
    Null,
    Flag(bool),
    Whole(i64),
    Text(&'static str),
    /// As it stands, and what it holds.
    List(&'static str, &'static [Plain]),
}

impl Plain {
    fn json(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Null => Some("null".to_owned()),
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Whole(number) => Some(number.to_string()),
            Self::Text(text) => Some(format!("\"{text}\"")),
            Self::List(text, _) => Some((*text).to_owned()),
        }
    }
}

const FIELDS: [&str; 3] = ["x", "y", "model_name"];
const TEXTS: [&str; 5] = ["alpha", "Alphabet", "beta", "7", "true"];

/// A record: the value of each field.
const LISTS: [(&str, &[Plain]); 4] = [
    ("[\"alpha\", 7]", &[Plain::Text("alpha"), Plain::Whole(7)]),
    (
        "[\"7\",true,null]",
        &[Plain::Text("7"), Plain::Flag(true), Plain::Null],
    ),
    ("[]", &[]),
    ("[[\"beta\"]]", &[]),
];

type Row = [Plain; 3];

/// A question, in the test's own terms.
#[derive(Debug, Clone)]
enum Ask {
    Compare(usize, &'static str, i64),
    Is(usize, &'static str),
    Contains(usize, &'static str),
    Between(usize, i64, i64),
    Has(usize),
    IsNull(usize),
    Word(&'static str),
    Not(Box<Ask>),
    And(Box<Ask>, Box<Ask>),
    Or(Box<Ask>, Box<Ask>),
}

impl Ask {
    fn text(&self) -> String {
        match self {
            Self::Compare(field, op, number) => format!("{}{op}{number}", FIELDS[*field]),
            Self::Is(field, text) => format!("{}=\"{text}\"", FIELDS[*field]),
            Self::Contains(field, text) => format!("{}~{text}", FIELDS[*field]),
            Self::Between(field, low, high) => format!("{}={low}..{high}", FIELDS[*field]),
            Self::Has(field) => format!("has:{}", FIELDS[*field]),
            Self::IsNull(field) => format!("{}=null", FIELDS[*field]),
            Self::Word(word) => (*word).to_owned(),
            Self::Not(inner) => format!("NOT ({})", inner.text()),
            Self::And(a, b) => format!("({} {})", a.text(), b.text()),
            Self::Or(a, b) => format!("({} OR {})", a.text(), b.text()),
        }
    }

    /// The truth of one record.
    fn holds(&self, row: &Row, file: &str) -> Option<bool> {
        match self {
            Self::Compare(field, op, limit) => match (&row[*field], *op) {
                (Plain::Whole(number), "=") => Some(number == limit),
                (Plain::Whole(number), "!=") => Some(number != limit),
                (Plain::Whole(number), "<") => Some(number < limit),
                (Plain::Whole(number), "<=") => Some(number <= limit),
                (Plain::Whole(number), ">") => Some(number > limit),
                (Plain::Whole(number), ">=") => Some(number >= limit),
                // A number that is asked for is also looked for as text.
                (Plain::Text(text), "=") => Some(*text == limit.to_string()),
                (Plain::Text(text), "!=") => Some(*text != limit.to_string()),
                (Plain::List(_, held), "=" | "!=") => {
                    let text = limit.to_string();
                    let is = |one: &Plain| match one {
                        Plain::Whole(number) => number == limit,
                        Plain::Text(one) => *one == text,
                        _ => false,
                    };
                    Some(held.iter().any(is) == (*op == "="))
                }
                (Plain::Flag(_), "=") => Some(false),
                (Plain::Flag(_), "!=") => Some(true),
                // Nothing is nothing, and values of another kind have no order with a number.
                _ => None,
            },
            Self::Is(field, wanted) => match &row[*field] {
                Plain::Missing | Plain::Null => None,
                Plain::Text(text) => Some(text == wanted),
                Plain::List(_, held) => Some(held.contains(&Plain::Text(wanted))),
                _ => Some(false),
            },
            Self::Contains(field, part) => match &row[*field] {
                Plain::Missing | Plain::Null => None,
                Plain::Flag(flag) => Some(flag.to_string().contains(&part.to_lowercase())),
                Plain::Whole(number) => Some(number.to_string().contains(part)),
                Plain::Text(text) | Plain::List(text, _) => {
                    Some(text.to_lowercase().contains(&part.to_lowercase()))
                }
            },
            Self::Between(field, low, high) => match &row[*field] {
                Plain::Whole(number) => Some(low <= number && number <= high),
                _ => None,
            },
            Self::Has(field) => Some(!matches!(row[*field], Plain::Missing | Plain::Null)),
            Self::IsNull(field) => Some(row[*field] == Plain::Null),
            Self::Word(word) => {
                let model = match &row[2] {
                    Plain::Text(text) | Plain::List(text, _) => text.to_lowercase(),
                    Plain::Whole(number) => number.to_string(),
                    Plain::Flag(flag) => flag.to_string(),
                    _ => String::new(),
                };
                Some(model.contains(&word.to_lowercase()) || file.contains(&word.to_lowercase()))
            }
            Self::Not(inner) => inner.holds(row, file).map(|holds| !holds),
            Self::And(a, b) => match (a.holds(row, file), b.holds(row, file)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.holds(row, file), b.holds(row, file)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    prop_oneof![
        1 => Just(Plain::Missing),
        1 => Just(Plain::Null),
        1 => any::<bool>().prop_map(Plain::Flag),
        6 => (-4i64..60).prop_map(Plain::Whole),
        3 => proptest::sample::select(&TEXTS[..]).prop_map(Plain::Text),
        2 => proptest::sample::select(&LISTS[..]).prop_map(|(text, held)| Plain::List(text, held)),
    ]
}

/// The records of a file: as runs of one row, some long, and as rows of which one field
/// differs each time.
fn records() -> impl Strategy<Value = Vec<Row>> {
    let row = || [plain(), plain(), plain()];
    let run = prop_oneof![
        3 => (row(), 1usize..4).prop_map(|(row, times)| vec![row; times]),
        1 => (row(), 250usize..300).prop_map(|(row, times)| vec![row; times]),
        1 => (row(), 30usize..60, 0usize..2).prop_map(|(row, times, field)| {
            let each = |n: usize| {
                let mut row = row.clone();
                row[field] = Plain::Whole(n as i64);
                row
            };
            (0..times).map(each).collect()
        }),
    ];
    proptest::collection::vec(run, 1..4).prop_map(|runs| runs.concat())
}

fn ask() -> impl Strategy<Value = Ask> {
    let op = proptest::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let part = proptest::sample::select(vec!["alpha", "BET", "7", "a", "rue"]);
    let leaf = prop_oneof![
        4 => (0usize..3, op, -5i64..62).prop_map(|(field, op, n)| Ask::Compare(field, op, n)),
        1 => (0usize..3, proptest::sample::select(&TEXTS[..])).prop_map(|(f, t)| Ask::Is(f, t)),
        1 => (0usize..3, part.clone()).prop_map(|(f, t)| Ask::Contains(f, t)),
        1 => (0usize..3, -5i64..60, 0i64..9).prop_map(|(f, low, n)| Ask::Between(f, low, low + n)),
        1 => (0usize..3).prop_map(Ask::Has),
        1 => (0usize..3).prop_map(Ask::IsNull),
        1 => part.prop_map(Ask::Word),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Ask::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Ask::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Ask::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn mark(row: &Row) -> String {
    let members: Vec<String> = FIELDS
        .iter()
        .zip(row)
        .filter_map(|(name, value)| Some(format!("\"{name}\": {}", value.json()?)))
        .collect();
    format!("{{\"git_commit\": \"c\", {}}}", members.join(", ")).replace(", }", "}")
}

fn facts(file: &str, rows: &[Row]) -> FileFacts {
    let mut grouper = Grouper::new();
    for (number, row) in rows.iter().enumerate() {
        let mark = mark(row);
        let members: Vec<(String, &[u8])> = json::members(mark.as_bytes())
            .map(|(key, value)| (json::as_text(key).unwrap().into_owned(), value))
            .collect();
        let number = number as u64;
        let place = Place {
            line: number + 1,
            start: number,
            end: number + 1,
        };
        grouper.anew(
            place,
            members.iter().map(|(name, raw)| (name.as_str(), *raw)),
        );
    }
    FileFacts {
        file: file.to_owned(),
        scanned: true,
        format: Some("jsonl"),
        records: Some(rows.len() as u64),
        groups: grouper.finish(),
        ..FileFacts::default()
    }
}

fn query(text: &str, project: i64) -> Query {
    let context = Context {
        now: Timestamp::default(),
        zone: TimeZone::UTC,
    };
    Query {
        filter: parse(text, &context).unwrap_or_else(|error| panic!("{text}: {error}")),
        project: Some(project),
        what: What::Artifacts,
        gone: false,
        sort: ("file".to_owned(), true),
        limit: None,
        columns: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_are_those_of_a_plain_loop(
        files in proptest::collection::vec(records(), 1..6),
        asks in proptest::collection::vec(ask(), 1..8),
    ) {
        let mut catalog = Local::in_memory().unwrap();
        let project = catalog.project("/p", "/p/artifacts").unwrap().id;
        let name = |place: usize| format!("artifacts/f{place}.jsonl");
        for (place, rows) in files.iter().enumerate() {
            let change = Change::File(Box::new(facts(&name(place), rows)));
            catalog.apply(project, &[change]).unwrap();
        }
        for ask in &asks {
            let text = ask.text();
            let query = query(&text, project);
            let found = catalog.find(&query, &mut |stretch, known| {
                let place: usize = stretch.file.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
                let mut looked = Looked::default();
                for row in &files[place][stretch.start as usize..stretch.end as usize] {
                    let fields = fields_of(mark(row).as_bytes());
                    let holds = query.filter.ask(&|name: &str| {
                        let own = fields.iter().find(|(known, _)| known == name);
                        own.map(|(_, value)| value.clone()).or_else(|| known.get(name).cloned())
                    });
                    looked.holds |= holds == Some(true);
                    looked.unknown |= holds.is_none();
                }
                looked
            }).unwrap();

            let any = |place: usize, answer: Option<bool>| {
                files[place].iter().any(|row| ask.holds(row, &name(place)) == answer)
            };
            let truth: BTreeSet<String> =
                (0..files.len()).filter(|place| any(*place, Some(true))).map(name).collect();
            let unknown = (0..files.len())
                .filter(|place| !any(*place, Some(true)) && any(*place, None))
                .count();
            let told: BTreeSet<String> = found
                .rows
                .iter()
                .map(|row| match &row.fields[0].1 {
                    birthmark_catalog::engine::Cell::Value(value) => value.as_str().to_owned(),
                    other => panic!("{other:?}"),
                })
                .collect();
            prop_assert_eq!(&told, &truth, "{}", text);
            prop_assert_eq!(found.total as usize, truth.len(), "{}", text);
            prop_assert_eq!(found.unknown as usize, unknown, "unknown of {}", text);
            prop_assert_eq!(found.among as usize, files.len());
        }
    }
}

#[test]
fn numbers_beyond_floats_are_told_apart_in_the_tables() {
    let mut catalog = Local::in_memory().unwrap();
    let project = catalog.project("/p", "/p/artifacts").unwrap().id;
    let numbers = [
        "9007199254740992",
        "9007199254740993",
        "1180591620717411303424",
        "1e400",
        "-0.0",
        "1e-400",
    ];
    for (place, number) in numbers.iter().enumerate() {
        let mut grouper = Grouper::new();
        let place = Place {
            line: place as u64,
            start: 0,
            end: 1,
        };
        grouper.anew(place, [("big", number.as_bytes())].into_iter());
        let facts = FileFacts {
            file: format!("artifacts/{number}.json"),
            scanned: true,
            format: Some("report"),
            groups: grouper.finish(),
            ..FileFacts::default()
        };
        catalog
            .apply(project, &[Change::File(Box::new(facts))])
            .unwrap();
    }
    for (text, count) in [
        ("big=9007199254740993", 1),
        ("big>9007199254740992", 3),
        ("big=1180591620717411303424", 1),
        ("big>1e399", 1),
        ("big=0", 1),
        ("big>0 big<1e-399", 1),
        ("big=1e400", 1),
    ] {
        let found = catalog
            .find(&query(text, project), &mut |_, _| Looked::default())
            .unwrap();
        assert_eq!(found.total, count, "{text}");
    }
    let mut wanted = query("big=1e400", project);
    wanted.columns = vec!["big".to_owned()];
    let found = catalog
        .find(&wanted, &mut |_, _| Looked::default())
        .unwrap();
    let (_, cell) = found.rows[0]
        .fields
        .iter()
        .find(|(name, _)| name == "big")
        .unwrap();
    let value = Value::number("1e400").unwrap();
    assert_eq!(*cell, birthmark_catalog::engine::Cell::Value(value));
}
