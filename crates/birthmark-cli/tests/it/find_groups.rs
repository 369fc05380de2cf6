//! `birthmark find --group-by`, and what a name means where several projects are known.

use crate::world::{World, picture};

/// A report with these members of its birthmark.
fn report(world: &World, name: &str, members: &str) {
    world.repo.write(
        format!("artifacts/{name}.json"),
        format!(r#"{{"summary": {{"loss": 0.5}}, "metadata": {{"git_commit": "c", {members}, "birthmark": "birthmark/v1"}}}}"#),
    );
}

fn models() -> World {
    let world = World::new();
    report(
        &world,
        "one",
        r#""artifact_type": "evaluation", "model_name": "A", "temperature": 1"#,
    );
    report(
        &world,
        "two",
        r#""artifact_type": "evaluation", "temperature": 1.0, "models": {"base": {"name": "A", "path": "/m/a"}, "tuned": {"name": "B"}}"#,
    );
    report(
        &world,
        "same",
        r#""artifact_type": "evaluation", "temperature": 0.5, "models": {"base": "A", "tuned": {"path": "A"}, "other": {"sha": "s"}}"#,
    );
    report(&world, "none", r#""artifact_type": "training_data""#);
    world
}

#[test]
fn counted_by_model_each_is_counted_as_often_as_it_is_found() {
    let world = models();
    let groups = world.birthmark_json(["find", "--group-by", "model", "--json"]);
    assert_eq!(
        groups,
        serde_json::json!([
            {"value": "A", "count": 3}, {"value": null, "count": 1}, {"value": "B", "count": 1}
        ])
    );
    for (model, count) in [("A", "3\n"), ("B", "1\n")] {
        let found = world.output(["find", &format!("model={model}"), "--count"]);
        assert_eq!(String::from_utf8_lossy(&found.stdout), count);
    }
    let said = picture(&world.output(["find", "--group-by", "model"]));
    assert!(
        said.contains("What has several values counts for each."),
        "{said}"
    );
    // The stored name means itself alone.
    let groups = world.birthmark_json(["find", "--group-by", "model_name", "--json"]);
    assert_eq!(groups[0], serde_json::json!({"value": null, "count": 3}));
}

#[test]
fn counted_by_several_fields_each_combination_stands_once() {
    let world = models();
    let args = ["find", "--group-by", "type,model,temperature"];
    let table = world.birthmark(args);
    let csv = world.birthmark([&args[..], &["--csv"]].concat());
    world.check("find_groups", &format!("{table}\n\n{csv}"));
    let json = world.birthmark_json([&args[..], &["--json"]].concat());
    let values = serde_json::json!({"type": "evaluation", "model": "A", "temperature": "1"});
    assert_eq!(
        json[0],
        serde_json::json!({"values": values, "count": 2}),
        "1 and 1.0 are one number"
    );
    for wrong in ["type,type", "type,,model", ""] {
        let said = world.output(["find", "--group-by", wrong]);
        assert_eq!(said.status.code(), Some(2), "{}", picture(&said));
    }
    let said = world.output(["find", "--group-by", "type,tempratur"]);
    assert!(
        picture(&said).contains("did you mean `temperature`?"),
        "{}",
        picture(&said)
    );
}

#[test]
fn what_another_project_calls_so_is_no_matter() {
    let here = models();
    let there = World::new();
    report(&there, "r", r#""loss": 3, "lossless": 1, "host": "h""#);
    let found = |filter: &str| here.output(["find", filter, "--count"]).stdout;
    assert_eq!(found("loss<1"), b"4\n");
    let path = there.at(".").canonicalize().unwrap();
    let added = here.output(["catalog", "add", path.to_str().unwrap()]);
    assert!(added.status.success(), "{}", picture(&added));
    assert_eq!(found("loss<1"), b"4\n", "a metric is still a metric here");
    let sorted = here.birthmark(["find", "loss<1", "--sort", "loss", "--columns", "loss"]);
    assert!(sorted.contains("0.5"), "{sorted}");
    let offered = |all: &[&str]| {
        let args = [&["__filter"][..], all, &["--", "loss"]].concat();
        let output = String::from_utf8(here.output(args).stdout).expect("text");
        output.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered(&[])[..2], ["loss=", "loss~"]);
    assert!(!offered(&[]).contains(&"lossless=".to_owned()));
    assert!(offered(&["--all"]).contains(&"lossless=".to_owned()));
}

#[test]
fn sessions_and_runs_are_found_by_how_they_ended_also_where_they_made_nothing() {
    let world = World::new();
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    let report = world.at("artifacts/e.json");
    let script = format!(
        r#"echo '{{"summary": {{"accuracy": 0.8}}}}' > '{}'"#,
        report.display()
    );
    for command in [&script[..], "exit 3"] {
        world.output(["run", "--", "sh", "-c", command]);
    }
    let found = |what: &str, filter: &str| {
        let output = world.output(["find", what, filter, "--count"]);
        assert!(output.status.success(), "{filter}: {}", picture(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    for (filter, count) in [
        ("outcome=failed", "1"),
        ("outcome=completed", "1"),
        ("NOT outcome=failed", "1"),
        ("outcome~a OR outcome~o", "2"),
        ("outcome=failed accuracy>0.5", "0"),
        ("outcome=completed accuracy>0.5", "1"),
        ("outcome=completed accuracy>0.9", "0"),
        ("has:outcome", "2"),
    ] {
        assert_eq!(found("--sessions", filter), count, "sessions {filter}");
        assert_eq!(found("--runs", filter), count, "runs {filter}");
    }
    for (filter, count) in [
        ("exit_code=3", "1"),
        ("exit_code=0..2", "1"),
        ("exit_code!=3 accuracy>0.5", "1"),
        ("duration_s>=0", "2"),
        ("run_start>2020-01-01 run_start<2021-01-01", "0"),
        ("run_start>2020-01-01", "2"),
        ("exit_code=3 since:2020-01-01", "1"),
        ("exit_code=3 dirty=false", "1"),
    ] {
        assert_eq!(found("--runs", filter), count, "runs {filter}");
    }
    for (filter, count) in [
        ("artifacts=0", "1"),
        ("artifacts>=1", "1"),
        ("session_start>2020-01-01", "2"),
    ] {
        assert_eq!(found("--sessions", filter), count, "sessions {filter}");
    }
    let said = world.output(["find", "outcome=failed"]);
    assert_eq!(said.status.code(), Some(2));
    let said = picture(&said);
    assert!(
        said.contains("it is asked of sessions and runs: --sessions, --runs"),
        "{said}"
    );
}

#[test]
fn a_killed_run_is_interrupted_for_all_who_ask_and_a_sweep_finds_what_made_nothing() {
    let world = World::new();
    let one = |seed: &str, command: &str| {
        let seed = format!("seed={seed}");
        world.output([
            "run", "--set", &seed, "--set", "lr=0.1", "--", "sh", "-c", command,
        ]);
    };
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    one("1", "echo 1 > artifacts/a.txt");
    one("7", "exit 3");
    // Nobody is left who could tell how it ended.
    one("8", "kill -9 $PPID");
    let found = |what: &str, filter: &str| {
        let output = world.output(["find", what, filter, "--count"]);
        assert!(output.status.success(), "{filter}: {}", picture(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert!(world.birthmark(["list"]).contains("interrupted"));
    for what in ["--runs", "--sessions"] {
        for (filter, count) in [
            ("outcome=interrupted", "1"),
            ("NOT outcome=completed", "2"),
            ("has:outcome", "3"),
            ("seed=8 outcome=interrupted", "1"),
            ("lr=0.1", "3"),
            ("seed=7", "1"),
            ("seed=7 outcome=failed", "1"),
            ("has:seed", "3"),
            ("NOT has:seed", "0"),
            ("has:temperature", "0"),
            ("NOT has:temperature", "3"),
        ] {
            assert_eq!(found(what, filter), count, "{what} {filter}");
        }
    }
    let told = world.birthmark(["sql", "select outcome from sessions order by outcome"]);
    assert!(told.contains("completed\nfailed\ninterrupted"), "{told}");
    let told = world.birthmark(["sql", "select outcome from runs order by outcome"]);
    assert!(told.contains("completed\nfailed\ninterrupted"), "{told}");
}

#[test]
fn a_run_that_dies_after_it_was_seen_alive_is_interrupted_from_then_on() {
    let world = World::new();
    let mut alive = world
        .command(["run", "--", "sh", "-c", "touch began; sleep 8"])
        .spawn()
        .unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !world.at("began").exists() && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // What changed a moment ago is looked at again in any case.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let count = || {
        let output = world.output(["find", "--runs", "outcome=interrupted", "--count"]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(count(), "0");
    alive.kill().unwrap();
    alive.wait().unwrap();
    assert_eq!(count(), "1");
}
