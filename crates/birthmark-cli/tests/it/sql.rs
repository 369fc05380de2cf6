//! `birthmark sql`, and what it refuses.

use crate::world::{World, picture};

fn world() -> World {
    let world = World::new();
    let line = |n: u32| {
        format!(
            r#"{{"q": {n}, "big": 9007199254740993, "metadata": {{"git_commit": "c", "timestamp": "2020-11-22T10:00:0{n}.000000+00:00", "artifact_type": "training_data", "model_name": "m", "by": {{"hand": true}}, "seed": {n}, "birthmark": "birthmark/v1"}}}}"#
        )
    };
    let lines: Vec<String> = (1..=4).map(line).collect();
    world
        .repo
        .write("artifacts/a.jsonl", lines.join("\n") + "\n");
    world.repo.write(
        "artifacts/e.json",
        r#"{"summary": {"accuracy": 0.75, "by": {"topic": 1}}, "metadata": {"git_commit": "c", "artifact_type": "evaluation", "rare": 1e400, "birthmark": "birthmark/v1"}}"#,
    );
    world
}

#[test]
fn tables_and_records_are_asked() {
    let world = world();
    let mut all = String::new();
    for statement in [
        "SELECT file, artifact_type, records, state FROM artifacts ORDER BY file",
        "SELECT name, value, number FROM metrics ORDER BY name",
        "SELECT name, value, number FROM params WHERE name = 'rare'",
        "SELECT first_line, records, time_min, time_max, varies ->> '$.seed.numbers' AS seed FROM record_groups",
        "SELECT line, record ->> 'q' AS q, record ->> 'big' AS big, metadata ->> 'seed' AS seed FROM records",
        "SELECT line, seed, model_name, git_dirty, \"by.hand\" FROM records WHERE seed IN (2, 4)",
        "SELECT count(*) FROM records WHERE model_name LIKE '%M%' AND json_extract(record, '$.q') > 1",
        "SELECT count(*) FROM sessions, runs, packages, edges",
    ] {
        all.push_str(&format!(
            "$ birthmark sql \"{statement}\"\n{}\n\n",
            world.birthmark(["sql", statement])
        ));
    }
    let some = [
        "sql",
        "--records",
        "seed=2..3",
        "--csv",
        "SELECT line FROM records",
    ];
    all.push_str(&world.birthmark(some));
    world.check("sql", &all);
    let json = world.birthmark_json(["sql", "--json", "SELECT 1 AS a, NULL AS a, 'x' AS b"]);
    assert_eq!(json, serde_json::json!([{"a": 1, "a_2": null, "b": "x"}]));
}

#[test]
fn only_this_project_is_asked_unless_all_are() {
    let world = world();
    world.repo.write("other/birthmark.toml", "");
    world.repo.write(
        "other/artifacts/b.jsonl",
        r#"{"metadata": {"git_commit": "d", "seed": 9, "birthmark": "birthmark/v1"}}"#,
    );
    world.birthmark(["catalog", "add", "other"]);
    for (table, here, everywhere) in [
        ("artifacts", 2, 3),
        ("records", 4, 5),
        ("record_groups", 2, 3),
        ("params", 10, 13),
        ("metrics", 2, 2),
        ("sessions", 0, 0),
        ("runs", 0, 0),
        ("packages", 0, 0),
        ("edges", 0, 0),
    ] {
        let statement = format!("SELECT count(*) AS n FROM {table}");
        let one = world.birthmark_json(["sql", "--json", &statement]);
        let all = world.birthmark_json(["sql", "--json", "--all", &statement]);
        assert_eq!(
            (&one[0]["n"], &all[0]["n"]),
            (&here.into(), &everywhere.into()),
            "{table}"
        );
    }
}

#[test]
fn file_that_vanished_is_named_and_a_scan_is_stopped_in_time() {
    let world = world();
    world.birthmark(["find"]);
    let long = "SELECT count(*) FROM records a, records b, records c, records d, records e, records f, records g, records h";
    let output = world.output([
        "sql",
        "--timeout",
        "1",
        &format!("{long} WHERE a.record || h.record = 'x'"),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("longer than 1 s"), "{said}");
}

#[test]
fn whatever_does_more_than_read_is_refused() {
    let world = world();
    world.birthmark(["find"]);
    let before = world.birthmark(["sql", "SELECT count(*) FROM params"]);
    let mut all = String::new();
    for statement in [
        "ATTACH 'x.db' AS x",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "DELETE FROM _facts",
        "DROP TABLE _facts",
        "INSERT INTO temp.records VALUES (1, 2, 3, 4, 5)",
        "CREATE TEMP TABLE t (a)",
        "VACUUM INTO 'x.db'",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT 1; DROP TABLE _facts",
        "SELECT randomblob(1000000000)",
        "SELECT nope FROM artifacts",
        "SELECT \"model\" FROM records",
        "SELEC 1",
        "",
    ] {
        let output = world.output(["sql", statement]);
        assert_eq!(output.status.code(), Some(2), "{}", picture(&output));
        all.push_str(&format!(
            "$ {statement}\n{}\n",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    world.check("sql_refused", &all);
    assert_eq!(
        world.birthmark(["sql", "SELECT count(*) FROM params"]),
        before
    );
    assert!(!world.at("x.db").exists());
}

#[test]
fn bombs_are_stopped_at_their_limit() {
    let world = world();
    let many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";
    let counting = format!("{many} SELECT count(*) FROM c");
    let crossing = format!("{many} SELECT count(*) FROM c a, c b, c d LIMIT 1");
    for statement in [&counting, &crossing] {
        let output = world.output(["sql", "--timeout", "1", statement]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("longer than 1 s"), "{said}");
    }
    let long = format!("SELECT '{}'", "x".repeat(2 << 20));
    // Longer than an argument may be: what the system refuses never arrives.
    if let Ok(output) = world.command(["sql", &long]).output() {
        assert_eq!(output.status.code(), Some(2));
    }
}
