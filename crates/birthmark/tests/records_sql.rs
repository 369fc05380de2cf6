//! The table `records` tells what the files say, whatever is skipped on the way.
//!
//! Each random statement is asked three times: so that groups and zones may skip, so that
//! they may not (`+field` keeps a condition from the table), and so that every record must be
//! read. All three, and a plain loop over the lines, must agree.

#![cfg(feature = "catalog")]
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use birthmark::catalog::Catalog;
use birthmark::find::Ask;
use birthmark::sql::{self, Limits, SqlCell, Table};
use serde_json::Value;
use world::{World, now};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// Values of the field `x`, as JSON.
const VALUES: [&str; 16] = [
    "0",
    "1",
    "2.5",
    "-3",
    "7",
    "7.0",
    "0.70000000000000000001",
    "9007199254740993",
    "1e400",
    "true",
    "false",
    "null",
    "\"qwen\"",
    "\"Qwen7\"",
    "\"7\"",
    "{\"a\": [1]}",
];

/// The text of one file: runs of equal values, long and short, and values that vary.
fn text(dice: &mut Dice) -> String {
    let mut out = String::new();
    for _ in 0..=dice.roll(4) {
        let fixed = dice.pick(&VALUES);
        let times = [1, 3, 40, 300][dice.roll(4)];
        let varies = dice.roll(3) == 0;
        for n in 0..times {
            let x = if varies {
                n.to_string()
            } else {
                fixed.to_owned()
            };
            let x = if dice.roll(40) == 0 {
                String::new()
            } else {
                format!("\"x\": {x}, ")
            };
            let id = n % 5;
            writeln!(
                out,
                r#"{{"id": {id}, "metadata": {{"git_commit": "c", "timestamp": "2026-11-2{}T10:00:00.000000+00:00", {x}"birthmark": "birthmark/v1"}}}}"#,
                times % 7
            )
            .unwrap();
            if dice.roll(60) == 0 {
                out.push_str("{\"not\": \"stamped\"}\n");
            }
        }
    }
    out
}

fn condition(dice: &mut Dice, field: &str) -> String {
    let number = dice.pick(&[
        "0",
        "1",
        "7",
        "2.5",
        "0.7",
        "-3",
        "250",
        "9007199254740993",
        "1e300",
    ]);
    let text = dice.pick(&["'qwen'", "'7'", "'Qwen7'", "'a'", "'{'", "''"]);
    let any = if dice.roll(2) == 0 { number } else { text };
    match dice.roll(8) {
        0 => format!("{field} = {any}"),
        1 => format!("{field} < {any}"),
        2 => format!("{field} >= {any}"),
        3 => format!("{field} BETWEEN {number} AND 280"),
        4 => format!("{field} IN ({number}, {text}, NULL, 3)"),
        5 => format!("{field} LIKE '%{}%'", dice.pick(&["qwen", "7", "0", "."])),
        6 => format!("{field} IS NOT NULL"),
        _ => format!("({field} = {any} OR {field} > {number})"),
    }
}

fn ask(catalog: &mut Catalog, world: &World, statement: &str) -> Table {
    let limits = Limits {
        time: Duration::from_mins(2),
    };
    let asked = sql::sql_in(
        catalog,
        &world.project(),
        statement,
        &Ask::new("", now()),
        limits,
    );
    asked
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
        .0
}

#[test]
fn answers_are_the_same_whatever_is_skipped() {
    for seed in 0..3 {
        let world = World::new();
        fs::create_dir_all(world.artifacts()).unwrap();
        let mut dice = Dice(seed * 7919 + 3);
        for number in 0..=dice.roll(4) {
            fs::write(world.path(&format!("f{number}.jsonl")), text(&mut dice)).unwrap();
        }
        let cache = tempfile::tempdir().unwrap();
        let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
        for _ in 0..25 {
            let at = dice.0;
            let mut told = Vec::new();
            for (field, more) in [("x", ""), ("+x", ""), ("x", " AND record IS NOT NULL")] {
                dice.0 = at;
                let what = dice.pick(&[
                    "count(*)",
                    "count(x), min(timestamp), max(file)",
                    "x, count(*)",
                ]);
                let group = if what.starts_with('x') {
                    " GROUP BY typeof(x), x ORDER BY typeof(x), x"
                } else {
                    ""
                };
                let condition = condition(&mut dice, field);
                let statement =
                    format!("SELECT {what} FROM records WHERE ({condition}){more}{group}");
                told.push((ask(&mut catalog, &world, &statement), statement));
            }
            for (table, statement) in &told[1..] {
                assert_eq!(
                    told[0].0, *table,
                    "seed {seed}: {} / {statement}",
                    told[0].1
                );
            }
        }
        // And a plain loop.
        let (mut lines, mut large) = (0, 0);
        for path in fs::read_dir(world.artifacts()).unwrap() {
            let path = path.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "jsonl") {
                for line in fs::read_to_string(path).unwrap().lines() {
                    let record: Value = serde_json::from_str(line).unwrap();
                    lines += i64::from(record.get("metadata").is_some());
                    let x = &record["metadata"]["x"];
                    let number: Option<f64> = x.is_number().then(|| x.to_string().parse().unwrap());
                    large += i64::from(number.is_some_and(|number| number > 5.0));
                }
            }
        }
        let all = ask(
            &mut catalog,
            &world,
            "SELECT count(*), sum(typeof(x) IN ('integer', 'real') AND x > 5) FROM records",
        );
        let large = if lines == 0 {
            SqlCell::Null
        } else {
            SqlCell::Integer(large)
        };
        assert_eq!(
            all.rows,
            [vec![SqlCell::Integer(lines), large]],
            "seed {seed}"
        );
    }
}

#[test]
fn many_records_are_read_beside_and_in_their_order() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let mut text = String::new();
    for n in 0..6_000 {
        writeln!(
            text,
            r#"{{"id": {n}, "pad": "{}", "metadata": {{"git_commit": "c", "seed": {n}, "birthmark": "birthmark/v1"}}}}"#,
            "x".repeat(300)
        )
        .unwrap();
    }
    fs::write(world.path("a.jsonl"), &text).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let table = ask(
        &mut catalog,
        &world,
        "SELECT count(*), sum(record ->> 'id' = seed), sum(line = seed + 1), min(seed), max(seed) FROM records",
    );
    let whole = |number| SqlCell::Integer(number);
    assert_eq!(
        table.rows,
        [vec![
            whole(6_000),
            whole(6_000),
            whole(6_000),
            whole(0),
            whole(5_999)
        ]]
    );
    // Twice at once, and stopped in the middle.
    let pairs = "SELECT count(*) FROM records a JOIN records b ON a.seed = b.seed WHERE a.seed < 3";
    assert_eq!(ask(&mut catalog, &world, pairs).rows, [vec![whole(3)]]);
    let first = ask(&mut catalog, &world, "SELECT record FROM records LIMIT 1");
    assert_eq!(
        first.rows,
        [vec![SqlCell::Text(text.lines().next().unwrap().to_owned())]]
    );
    let filter = Ask::new("seed=10..19", now());
    let picked = sql::sql_in(
        &mut catalog,
        &world.project(),
        "SELECT count(*), sum(seed) FROM records",
        &filter,
        Limits::default(),
    );
    assert_eq!(picked.unwrap().0.rows, [vec![whole(10), whole(145)]]);
}

#[test]
fn records_of_both_sides_of_an_or_are_counted_once_each() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let mut text = String::new();
    for x in [1, 7, 1, 9] {
        for id in 0..600 {
            writeln!(
                text,
                r#"{{"id": {id}, "metadata": {{"git_commit": "c", "timestamp": "2026-11-20T10:00:00.000000+00:00", "x": {x}, "n": {id}, "birthmark": "birthmark/v1"}}}}"#
            )
            .unwrap();
        }
    }
    fs::write(world.path("a.jsonl"), text).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    for (condition, truth) in [
        // What groups tell, what is read, and both.
        ("x = 1 OR x > 8", 1_800),
        ("n < 10 OR n > 590", 76),
        ("x = 7 OR n >= 300", 1_500),
    ] {
        let statement = format!("SELECT count(*) FROM records WHERE {condition}");
        let table = ask(&mut catalog, &world, &statement);
        assert_eq!(table.rows, [[SqlCell::Integer(truth)]], "{condition}");
    }
}
