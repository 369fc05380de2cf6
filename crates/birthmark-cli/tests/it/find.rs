//! `birthmark find`, `list` and `catalog`, as a person uses them.

use std::ffi::OsString;

use crate::world::{World, picture};

/// Files made by hand, so that their bytes and times are always the same.
fn world() -> World {
    let world = World::new();
    let line = |seed: u32, model: &str, temperature: &str| {
        format!(
            r#"{{"q": {seed}, "metadata": {{"git_commit": "5f970c2000000000000000000000000000000000", "timestamp": "2020-11-22T10:00:{seed:02}.000000+00:00", "artifact_type": "training_data", "git_dirty": false, "script_name": "make.py", "model_name": "{model}", "quantization": null, "seed": {seed}, "temperature": {temperature}, "birthmark": "birthmark/v1"}}}}"#
        )
    };
    let lines = |model: &str, temperature: &str| {
        let all: Vec<String> = (1..=4).map(|seed| line(seed, model, temperature)).collect();
        all.join("\n") + "\n"
    };
    world
        .repo
        .write("artifacts/sft_a.jsonl", lines("Qwen/Qwen2.5-32B", "0.70"));
    world.repo.write(
        "artifacts/deep/er/sft_b.jsonl",
        lines("HuggingFaceTB/SmolLM2", "0.2"),
    );
    world.repo.write("artifacts/notes.json", "{\"a\": 1}\n");
    world.repo.write(
        "artifacts/evaluation_a.json",
        r#"{"summary": {"accuracy": 0.75, "by": {"topic": 9007199254740993}}, "metadata": {"git_commit": "5f970c2000000000000000000000000000000000", "timestamp": "2020-11-22T11:00:00.000000+00:00", "artifact_type": "evaluation", "quantization": "nf4", "birthmark": "birthmark/v1"}}"#,
    );
    world
}

#[test]
fn artifacts_are_found_by_what_they_were_made_with() {
    let world = world();
    let mut all = String::new();
    for filter in [
        "",
        "model~qwen temperature=0.5..",
        "NOT quantization=nf4",
        "seed=3 OR accuracy>0.7",
        "topic",
        "by.topic=9007199254740993",
        "by.topic=9007199254740992",
        "temprature>0.5",
    ] {
        all.push_str(&format!(
            "$ birthmark find '{filter}'\n{}\n\n",
            world.birthmark(["find", filter])
        ));
    }
    world.check("find", &all);
}

#[test]
fn errors_of_a_filter_point_at_the_character() {
    let world = world();
    let mut all = String::new();
    for filter in [
        "temperature",
        "seed>",
        "(seed=1",
        "model:qwen",
        "since:soon",
        "a or b",
        "seed=9..1",
    ] {
        all.push_str(&format!(
            "$ birthmark find '{filter}'\n{}\n\n",
            world.birthmark(["find", filter])
        ));
    }
    world.check("find_errors", &all);
}

#[test]
fn answers_are_data_in_every_form() {
    let world = world();
    assert_eq!(world.output(["find", "seed=3", "--count"]).stdout, b"2\n");
    let csv = world.birthmark([
        "find",
        "--csv",
        "--columns",
        "file,temperature,seed,accuracy",
        "--sort",
        "file",
    ]);
    let groups = world.birthmark(["find", "--group-by", "model"]);
    let sorted = world.birthmark([
        "find",
        "has:temperature",
        "--columns",
        "file,temperature",
        "--sort",
        "temperature",
    ]);
    world.check("find_forms", &format!("{csv}\n\n{groups}\n\n{sorted}"));
    let json = world.birthmark_json(["find", "accuracy>0.7", "--json"]);
    assert_eq!(json["found"], 1);
    assert_eq!(json["rows"][0]["artifact_type"], "evaluation");
    let json = world.birthmark_json(["find", "model~qwen", "--columns", "seed", "--json"]);
    assert_eq!(
        json["rows"][0]["seed"],
        serde_json::json!({"min": 1, "max": 4})
    );
}

#[test]
fn in_a_pipe_nothing_is_cut_and_names_that_nothing_has_are_said() {
    let world = world();
    let long = format!("artifacts/{}.json", "deep_".repeat(30));
    world.repo.write(
        &long,
        r#"{"metadata": {"git_commit": "c", "artifact_type": "t", "birthmark": "birthmark/v1"}}"#,
    );
    let table = world.birthmark(["find", "type=t", "--columns", "file,type"]);
    assert!(table.contains(&long), "{table}");
    let rows = world.birthmark(["sql", "SELECT file, artifact_type FROM artifacts"]);
    assert!(rows.contains(&long), "{rows}");
    for args in [
        &["find", "temprature>1"][..],
        &["find", "--columns", "file,temprature"],
        &["find", "--sort", "temprature"],
        &["find", "--group-by", "temprature"],
        &["find", "--sessions", "--sort", "-temprature"],
        &["find", "--records", "temprature=1"],
        &["sql", "SELECT 1", "--records", "temprature=1"],
    ] {
        let output = world.output(args);
        let said = picture(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        for line in [
            "no artifact has a field `temprature`",
            "did you mean `temperature`?",
        ] {
            assert!(said.contains(line), "{args:?}: {said}");
        }
        assert!(output.stdout.is_empty(), "{args:?}: {said}");
    }
    for args in [
        &["find", "--columns", "file,temperature,accuracy,session"][..],
        &["find", "--runs", "--sort", "-duration_s"],
        &["find", "--sessions", "--columns", "host,outcome"],
    ] {
        let said = world.birthmark(args);
        assert!(!said.contains("no artifact has"), "{args:?}: {said}");
    }
}

#[test]
fn what_only_has_asks_for_may_be_there_nowhere_and_odd_values_are_said() {
    let world = world();
    for (filter, found, line) in [
        ("NOT has:temprature", "4\n", "did you mean `temperature`?"),
        ("has:temprature", "0\n", "did you mean `temperature`?"),
        ("type=evaluations", "0\n", "did you mean `evaluation`?"),
        ("state=foo", "0\n", "there is: stamped"),
        ("quant=nf5", "0\n", "did you mean `nf4`?"),
        ("type=eval", "0\n", "did you mean `evaluation`?"),
        ("model~qwne", "0\n", "did you mean `Qwen`?"),
        (
            "file=sft_a.jsonl",
            "0\n",
            "did you mean `artifacts/sft_a.jsonl`?",
        ),
        ("by>0.5", "0\n", "`by` holds others: by.topic"),
        (
            "temperature=hot",
            "0\n",
            "no artifact has `hot` as temperature",
        ),
    ] {
        let output = world.output(["find", "--count", filter]);
        let said = picture(&output);
        assert!(output.status.success(), "{filter}: {said}");
        assert!(said.contains(line), "{filter}: {said}");
        if !filter.contains("has:") {
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                found,
                "{filter}: {said}"
            );
        }
    }
    let said = world.birthmark(["find", "acuracy>1"]);
    assert!(said.contains("did you mean `accuracy`?"), "{said}");
    let said = world.birthmark(["find", "typ=evaluation"]);
    assert!(said.contains("did you mean `type`?"), "{said}");
    let said = world.birthmark(["sql", "SELECT sed FROM records"]);
    assert!(said.contains("did you mean `seed`?"), "{said}");
    // Where nothing was made yet, no name is wrong.
    let output = World::new().output(["find", "temprature>1"]);
    assert!(output.status.success(), "{}", picture(&output));
}

#[test]
fn model_means_every_role_and_a_seed_under_a_longer_name_is_told() {
    let world = world();
    for seed in 1..=3 {
        world.repo.write(
            format!("artifacts/roles_{seed}.json"),
            format!(
                r#"{{"summary": {{}}, "metadata": {{"git_commit": "c", "artifact_type": "evaluation", "models": {{"base": "Qwen/Qwen3", "trained": "mine"}}, "eval_seed": {seed}, "birthmark": "birthmark/v1"}}}}"#
            ),
        );
    }
    let found = |filter: &str| world.birthmark_json(["find", filter, "--json"]);
    for (filter, count) in [
        ("model~qwen", 4),
        ("model_name~qwen", 1),
        ("models.base~qwen", 3),
        ("model=mine", 3),
        ("has:model", 5),
        ("qwen", 4),
        ("model~qwen type=evaluation", 3),
        ("NOT model~qwen", 1),
        ("model!~mine", 2),
    ] {
        assert_eq!(found(filter)["found"], count, "{filter}");
    }
    // Only what names no model at all is unknown.
    let answer = found("NOT model~qwen");
    assert_eq!(answer["unknown"], 1, "{answer}");
    assert_eq!(
        answer["lacking"],
        serde_json::json!({"model": 1}),
        "{answer}"
    );
    let said = world.birthmark(["find", "seed=3"]);
    assert!(
        said.contains("1 has it as eval_seed: 'eval_seed=3'."),
        "{said}"
    );
    let records = world.output(["find", "--records", "model~qwen seed=2"]);
    assert_eq!(String::from_utf8_lossy(&records.stdout).lines().count(), 1);
}

#[test]
fn records_are_written_out_byte_for_byte() {
    let world = world();
    let output = world.output(["find", "--records", "seed=2..3 model~qwen"]);
    let text = String::from_utf8(world.read("artifacts/sft_a.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{}\n{}\n", lines[1], lines[2])
    );
    let to_file = world.output([
        "find",
        "--records",
        "seed=2..3 model~qwen",
        "--out",
        "picked.jsonl",
    ]);
    assert!(to_file.status.success(), "{}", picture(&to_file));
    assert_eq!(
        String::from_utf8(world.read("picked.jsonl")).unwrap(),
        format!("{}\n{}\n", lines[1], lines[2])
    );
    let again = world.output(["find", "--records", "seed=2", "--out", "picked.jsonl"]);
    assert_eq!(again.status.code(), Some(2));
    let bad = world.output(["find", "--records", "seed=", "--out", "other.jsonl"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(!world.at("other.jsonl").exists());
}

#[test]
fn sessions_runs_and_list_are_there() {
    let world = World::new();
    world.birthmark(["session", "start", "--set", "temperature=0.7"]);
    world.repo.write("a.csv", "a,b\n");
    world.birthmark(["stamp", "a.csv", "--type", "table"]);
    world.birthmark(["session", "end"]);
    let sessions = world.birthmark_json(["find", "--sessions", "temperature=0.7", "--json"]);
    assert_eq!(sessions["found"], 1, "{sessions}");
    let runs = [
        "find",
        "--runs",
        "--columns",
        "run_id,temperature,python,git_branch",
        "--json",
    ];
    let runs = world.birthmark_json(runs);
    assert_eq!(runs["rows"][0]["temperature"], 0.7, "{runs}");
    assert_eq!(runs["rows"][0]["git_branch"], "main", "{runs}");
    let list = world.birthmark_json(["list", "--json"]);
    assert_eq!(list[0]["status"], "completed");
    assert_eq!(list[0]["session_id"], world.last_session().as_str());
    assert!(world.birthmark(["list"]).contains("completed"));
    let status = world.birthmark_json(["catalog", "status", "--json"]);
    assert_eq!(status["projects"].as_array().unwrap().len(), 1);
    let known = &status["projects"][0];
    assert_eq!(known["sessions_known"], 1, "{status}");
    assert_eq!(
        known["artifacts_known"],
        artifacts_found(&world),
        "{status}"
    );
    assert!(
        known["looked_at"]
            .as_str()
            .is_some_and(|time| time.ends_with("+00:00"))
    );
    let shown = world.birthmark(["catalog", "list"]);
    assert!(
        shown.contains("ARTIFACTS") && shown.contains("just now"),
        "{shown}"
    );
    // What was written a moment ago is read once more, since its time may not tell a later change.
    for _ in 0..50 {
        let done = world.birthmark_json(["catalog", "refresh", "--json"]);
        if done[0]["sessions"] == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    for action in ["refresh", "rebuild"] {
        let done = world.birthmark_json(["catalog", action, "--json"]);
        assert_eq!(
            done[0]["sessions"],
            u64::from(action == "rebuild"),
            "{done}"
        );
    }
}

#[test]
fn other_projects_are_asked_with_all() {
    let (here, other) = (world(), world());
    let nowhere = here.output(["catalog", "add", "no/such"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", picture(&nowhere));
    let add = other.at(".").into_os_string();
    let args = ["catalog".into(), "add".into(), add, "--json".into()];
    here.birthmark_json(args);
    let found = |all: &[&str]| {
        let args = ["find", "type=evaluation", "--json"].iter().chain(all);
        here.birthmark_json(args)
    };
    // The same bytes in two projects are one artifact with two places.
    assert_eq!(found(&[])["found"], 1);
    let all = found(&["--all"]);
    assert_eq!(all["found"], 1);
    assert_eq!(all["rows"][0]["also_at"].as_array().unwrap().len(), 1);
    other.repo.write("artifacts/more.json", r#"{"metadata": {"git_commit": "5f", "artifact_type": "evaluation", "birthmark": "birthmark/v1"}}"#);
    assert_eq!(found(&["--all"])["found"], 2);
}

#[test]
fn answer_of_one_project_knows_nothing_of_another() {
    let (here, other) = (World::new(), World::new());
    let write = |world: &World, name: &str, more: &str| {
        let text = format!(
            r#"{{"metadata": {{"git_commit": "5f", "artifact_type": "evaluation", {more} "birthmark": "birthmark/v1"}}}}"#
        );
        world.repo.write(format!("artifacts/{name}.json"), text);
    };
    write(&here, "a", r#""temperature": 0.2,"#);
    write(
        &other,
        "b",
        r#""temperature": 0.7, "lang": "en", "models": {"base": {"name": "m"}},"#,
    );
    let add = [
        "catalog".into(),
        "add".into(),
        other.at(".").into_os_string(),
    ];
    assert!(here.output(add).status.success());
    let unknown = here.output(["find", "lang=en"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", picture(&unknown));
    assert!(here.output(["find", "lang=en", "--all"]).status.success());
    let said = here.birthmark(["find", "type=eval"]);
    assert!(said.contains("did you mean `evaluation`?"), "{said}");
    let said = here.birthmark(["find", "temperature=hot"]);
    assert!(
        said.contains("there is: 0.2") && !said.contains("0.7"),
        "{said}"
    );
    let said = here.birthmark(["find", "temperature=hot", "--all"]);
    assert!(said.contains("there is: 0.2, 0.7"), "{said}");
}

#[test]
fn all_asks_every_project_in_which_a_session_began() {
    let (here, other) = (World::new(), World::new());
    let home = here.repo.home();
    let run = |world: &World| {
        let name = world.at("artifacts/u.txt");
        std::fs::create_dir_all(world.at("artifacts")).unwrap();
        let output = world
            .command(["run", "--", "sh", "-c"])
            .arg(format!("echo $$ > '{}'", name.display()))
            .env("HOME", &home)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", picture(&output));
    };
    run(&other);
    run(&here);
    run(&other);
    let list = std::fs::read_to_string(home.join(".cache/birthmark/projects")).unwrap();
    assert_eq!(list.lines().count(), 2, "{list}");
    let found = || here.birthmark_json(["find", "file~u.txt", "--all", "--json"])["found"].clone();
    assert_eq!(found(), 2);
    let removed = here.output([
        OsString::from("catalog"),
        "remove".into(),
        other.at(".").canonicalize().unwrap().into(),
    ]);
    assert!(removed.status.success(), "{}", picture(&removed));
    assert_eq!(found(), 1);
    // A list that cannot be written is no error.
    std::fs::remove_file(home.join(".cache/birthmark/projects")).unwrap();
    std::fs::create_dir(home.join(".cache/birthmark/projects")).unwrap();
    run(&other);
    assert_eq!(found(), 1);
}

#[test]
fn edited_files_are_marked_in_every_form() {
    let world = World::new();
    let out = world.at("artifacts/c.txt");
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    let script = format!("echo 1 > '{}'", out.display());
    let run = world.output(["run", "--", "sh", "-c", &script]);
    assert!(run.status.success(), "{}", picture(&run));
    let said = world.birthmark(["find"]);
    assert!(said.contains("c.txt") && !said.contains("edited"), "{said}");
    // A report that a program wrote by itself is found by what it came to.
    let report = world.at("artifacts/e.json");
    let script = format!(
        r#"echo '{{"summary": {{"accuracy": 0.8}}}}' > '{}'"#,
        report.display()
    );
    let run = world.output(["run", "--", "sh", "-c", &script]);
    assert!(run.status.success(), "{}", picture(&run));
    let said = world.birthmark(["find", "accuracy>0.5"]);
    assert!(said.contains("artifacts/e.json"), "{said}");
    std::fs::write(&out, "2\n").unwrap();
    let said = world.birthmark(["find", "state=edited"]);
    assert!(said.contains("artifacts/c.txt (edited)"), "{said}");
    // A report whose number was edited, and records: in no form as if nothing had been.
    std::fs::write(&report, "{\"summary\": {\"accuracy\": 0.9}}\n").unwrap();
    let said = world.output(["find", "accuracy=0.9", "--columns", "accuracy"]);
    let picture_of = picture(&said);
    assert!(picture_of.contains("0.9       edited"), "{picture_of}");
    let told = "1 was edited after being recorded: state=edited.";
    assert!(picture_of.contains(told), "{picture_of}");
    let json = world.birthmark_json(["find", "accuracy=0.9", "--json"]);
    assert_eq!(
        (&json["edited"], &json["rows"][0]["state"]),
        (&1.into(), &"edited".into())
    );
    let csv = world.birthmark(["find", "accuracy=0.9", "--csv"]);
    assert!(
        csv.contains("session_id,state") && csv.contains(",edited"),
        "{csv}"
    );
    for args in [
        &["find", "accuracy=0.9", "--count"][..],
        &["find", "accuracy=0.9", "--csv", "--columns", "accuracy"],
        &["find", "accuracy=0.9", "--group-by", "accuracy"],
    ] {
        let said = picture(&world.output(args));
        assert!(said.contains(told), "{said}");
    }
    let said = picture(&world.output(["find", "accuracy=0.9", "--runs"]));
    let told = "1 artifact of theirs that matches was edited after being recorded";
    assert!(said.contains(told), "{said}");
    let said = world.output(["find", "--group-by", "type", "--columns", "seed"]);
    assert_eq!(said.status.code(), Some(2), "{}", picture(&said));
}

#[test]
fn nothing_that_is_found_acts_on_the_terminal() {
    let world = World::new();
    world.repo.write(
        "artifacts/a.json",
        "{\"metadata\": {\"git_commit\": \"c\", \"artifact_type\": \"x\\u001b]52;c;aGk=\\u0007\\u202e\", \"note\": \"=cmd()\", \"birthmark\": \"birthmark/v1\"}}",
    );
    for args in [
        &["find"][..],
        &["find", "--json"],
        &["find", "--group-by", "type"],
        &["find", "type~52"],
    ] {
        let output = world.output(args);
        let text = String::from_utf8(output.stdout).unwrap();
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.chars().any(acts), "{args:?}: {text:?}");
    }
    let csv = world.birthmark(["find", "--csv", "--columns", "note"]);
    assert!(csv.contains("'=cmd()"), "{csv}");
}

/// Everything that the catalog says of a world with many files, in one number a table.
fn sums(world: &World, cache: &std::path::Path) -> serde_json::Value {
    let statement = "SELECT (SELECT count(*) FROM artifacts) AS artifacts, (SELECT sum(records) FROM artifacts) AS records,
       (SELECT count(*) FROM params) AS params, (SELECT count(*) FROM record_groups) AS record_groups,
       (SELECT count(*) FROM metrics) AS metrics";
    let output = world
        .command(["sql", "--json", statement])
        .env("XDG_CACHE_HOME", cache)
        .output()
        .expect("started");
    assert!(output.status.success(), "{}", picture(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn many_files(world: &World) {
    for number in 0..150 {
        let mark = format!(
            r#"{{"git_commit": "c", "artifact_type": "t", "seed": {number}, "mine_{number}": 1, "birthmark": "birthmark/v1"}}"#
        );
        let text = format!("{{\"metadata\": {mark}}}\n").repeat(3);
        world
            .repo
            .write(format!("artifacts/d{}/f{number}.jsonl", number % 7), text);
    }
}

#[test]
fn killed_builders_and_several_at_once_leave_a_whole_catalog() {
    let world = World::new();
    many_files(&world);
    let fresh = tempfile::tempdir().unwrap();
    let truth = sums(&world, fresh.path());
    let cache = tempfile::tempdir().unwrap();
    let builder = || {
        world
            .command(["find", "--count"])
            .env("XDG_CACHE_HOME", cache.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("started")
    };
    for wait in 0..12 {
        let (mut one, mut two) = (builder(), builder());
        std::thread::sleep(std::time::Duration::from_millis(wait * 12));
        one.kill().expect("killed");
        one.wait().expect("ended");
        if wait % 3 == 0 {
            assert!(two.wait().expect("ended").success());
        }
        two.kill().ok();
        two.wait().expect("ended");
        if wait % 4 == 3 {
            // Begin again, so that a kill may meet the making of the tables.
            std::fs::remove_dir_all(cache.path().join("birthmark")).unwrap();
        }
    }
    assert_eq!(sums(&world, cache.path()), truth);
}

#[test]
fn full_disk_is_said_and_leaves_a_catalog_that_answers() {
    let world = World::new();
    many_files(&world);
    let place = tempfile::tempdir().unwrap();
    let small = |options: &str| {
        std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(place.path())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !small("size=256k") {
        println!("SKIPPED: a small file system cannot be mounted here");
        return;
    }
    let output = world
        .command(["find", "--count"])
        .env("XDG_CACHE_HOME", place.path())
        .output();
    let grown = small("remount,size=64m");
    let after = world
        .command(["find", "--count"])
        .env("XDG_CACHE_HOME", place.path())
        .output();
    std::process::Command::new("umount")
        .arg(place.path())
        .output()
        .expect("unmounted");
    let (output, after) = (output.expect("started"), after.expect("started"));
    assert_eq!(output.status.code(), Some(2), "{}", picture(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("full") && said.contains("free some space"),
        "{said}"
    );
    assert!(grown);
    assert_eq!(after.stdout, b"150\n", "{}", picture(&after));
}

#[test]
fn what_was_stamped_anywhere_in_the_project_is_found_until_it_is_unstamped() {
    let world = World::new();
    let record = "{\"a\": 1}\n";
    world.repo.write("data/train.jsonl", record);
    world.repo.write("raw/line\nend.json", "{}");
    let other = World::new();
    other.repo.write("own.json", "{\"own\": 1}");
    let kind = ["--type", "training_data"];
    world.birthmark([&["stamp", "data/train.jsonl", "--in-place"][..], &kind].concat());
    world.birthmark(
        [
            &[
                "stamp",
                "raw/line\nend.json",
                other.at("own.json").to_str().unwrap(),
            ][..],
            &kind,
        ]
        .concat(),
    );
    let files_of = |root: &std::path::Path| -> Vec<String> {
        let found = world
            .command(["find", "--json", "--sort", "file"])
            .current_dir(root)
            .output();
        let found: serde_json::Value = serde_json::from_slice(&found.unwrap().stdout).unwrap();
        let rows = found["rows"].as_array().unwrap().iter();
        rows.map(|row| row["file"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        files_of(world.path()),
        ["data/train.jsonl", "raw/line\nend.json"]
    );
    assert_eq!(files_of(other.path()), ["own.json"]);
    world.birthmark(["catalog", "rebuild"]);
    assert_eq!(
        files_of(world.path()).len(),
        2,
        "a rebuilt catalog says the same"
    );
    let status = world.repo.git(["status", "--short", "artifacts"]);
    assert!(status.trim().is_empty(), "{status}");
    world.birthmark(["unstamp", "data/train.jsonl", "--in-place"]);
    std::fs::remove_file(world.at("raw/line\nend.json")).unwrap();
    assert!(files_of(world.path()).is_empty());
    // A folder that is no project gets no store.
    let bare = tempfile::tempdir().unwrap();
    let path = bare.path().join("a.json");
    std::fs::copy(other.at("own.json"), &path).unwrap();
    world.birthmark([&["stamp", path.to_str().unwrap()][..], &kind].concat());
    assert_eq!(std::fs::read_dir(bare.path()).unwrap().count(), 2);
}

#[test]
fn what_a_kill_in_the_middle_of_a_build_left_out_is_found_by_the_next_question() {
    let world = World::new();
    for number in 0..2_600 {
        let mark = format!("{{\"birthmark\": \"birthmark/v1\", \"seed\": {number}}}");
        let path = format!("artifacts/deep/part_{}/{number}.json", number % 8);
        world.repo.write(path, format!("{{\"metadata\": {mark}}}"));
    }
    let count = ["find", "--count"];
    let mut running = world.command(count).spawn().unwrap();
    // Some of it was taken over, and not all.
    let log = world.repo.home().join(".cache/birthmark/catalog.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |found| found.len());
    for _ in 0..4_000 {
        if size() > 200_000 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(world.output(count).stdout, b"2600\n");
}

fn artifacts_found(world: &World) -> u64 {
    let found = world.birthmark_json(["find", "--json"]);
    found["rows"].as_array().expect("rows").len() as u64
}

#[test]
fn what_no_session_made_and_is_dated_ahead_is_said() {
    let world = World::new();
    world.repo.write(
        "artifacts/e.json",
        r#"{"metadata": {"timestamp": "2999-01-01T00:00:00.000000+00:00", "model_name": "m", "birthmark": "birthmark/v1"}}"#,
    );
    let output = world.output(["find"]);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(
        talk.contains("artifacts/e.json is dated ")
            && talk.contains(" ahead of this machine's clock"),
        "{talk}"
    );
    let clocks = &world.birthmark_json(["find", "--json"])["clocks"][0];
    assert_eq!(clocks["ahead"], serde_json::Value::Null);
    assert_eq!(clocks["file"], "artifacts/e.json");
}

#[test]
fn a_name_that_is_a_part_of_others_is_answered_with_those() {
    let world = World::new();
    world.repo.write(
        "artifacts/e.json",
        r#"{"summary": {"base_accuracy": 0.5, "tuned_accuracy": 0.75, "n": 3}, "metadata": {"git_commit": "c", "birthmark": "birthmark/v1"}}"#,
    );
    for (asked, hint) in [
        (
            "accuracy>0.1",
            "did you mean `base_accuracy` or `tuned_accuracy`?",
        ),
        ("tuned>0.1", "did you mean `tuned_accuracy`?"),
        (
            "nothing>0.1",
            "SELECT name FROM params UNION SELECT name FROM metrics",
        ),
    ] {
        let output = world.output(["find", asked]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(hint), "{asked}: {said}");
    }
}
