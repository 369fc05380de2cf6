//! `birthmark compare`: the verdict, its exit status, and the page that a person reads.

use serde_json::{Value, json};

use crate::world::World;

/// A report as the origin has it: two systems, twelve items.
fn report(commit: &str) -> Value {
    let items: Vec<Value> = (0..12)
        .map(|n| {
            json!({"id": format!("t-{n:02}"), "instruction": format!("question {n}"),
                   "base": {"passed": n < 4}, "sft": {"passed": n < 7}})
        })
        .collect();
    json!({
        "summary": {"base_accuracy": 4.0 / 12.0, "sft_accuracy": 7.0 / 12.0, "n": 12},
        "metadata": {
            "git_commit": commit, "timestamp": "2026-11-22T12:00:00.000000+00:00",
            "artifact_type": "evaluation", "git_dirty": false, "script_name": "evaluate.py",
            "loader_version": commit, "model_name": "Qwen/Qwen2.5-32B", "quantization": "nf4",
            "template_disabled": true, "sentinel_tests_passed": true, "add_special_tokens": false,
            "models": {"base": "Qwen/Qwen2.5-32B", "sft": "checkpoints/sft", "dpo": null},
            "temperature": 0.7, "top_p": 0.95, "do_sample": true, "max_new_tokens": 150, "eval_seed": 42,
            "dataset": {"name": "held_out", "size": 12, "source": "data/test.json",
                        "digest": format!("blake3:{}", "c".repeat(64))},
            "environment": {"python": "3.11.9", "torch": "2.9.1", "hostname": "pod"},
        },
        "results": items,
    })
}

fn put(world: &World, name: &str, report: &Value) {
    world
        .repo
        .write(name, serde_json::to_string_pretty(report).unwrap());
}

fn verdict(world: &World, args: &[&str]) -> (i32, Value) {
    let mut all = vec!["compare"];
    all.extend(args);
    all.push("--json");
    let output = world.output(all);
    let answer = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), answer)
}

#[test]
fn a_moved_temperature_forbids_the_comparison_and_is_the_first_word() {
    let world = World::new();
    let mut other = report(&"a".repeat(40));
    put(&world, "a.json", &other);
    other["metadata"]["temperature"] = json!(0.2);
    put(&world, "b.json", &other);
    world.snapshot("compare_temperature", ["compare", "a.json", "b.json"]);
    let accepted = world.birthmark(["compare", "a.json", "b.json", "--accept", "temperature"]);
    assert!(
        accepted.starts_with("exit status: 0")
            && accepted
                .contains("COMPARABLE WITH CAVEATS: accepted: temperature moved (0.7 -> 0.2)"),
        "{accepted}"
    );
}

#[test]
fn two_systems_of_one_report_are_compared_with_each_other() {
    let world = World::new();
    put(&world, "a.json", &report(&"a".repeat(40)));
    world.snapshot("compare_inside", ["compare", "a.json"]);
    let (status, named) = verdict(&world, &["a.json#base", "a.json#sft"]);
    assert_eq!((status, &named["verdict"]), (0, &json!("comparable")));
}

#[test]
fn a_commit_that_touched_the_readme_is_a_caveat_and_one_that_touched_the_scorer_forbids() {
    let world = World::new();
    world
        .repo
        .write("evaluate.py", "from utils import scorer\nscorer.score()\n");
    world.repo.write("utils/scorer.py", "def score(): ...\n");
    world.repo.write("train.py", "print()\n");
    let first = world.repo.commit_all("evaluate");
    world.repo.write("README.md", "read me\n");
    let readme = world.repo.commit_all("readme");
    world.repo.write("train.py", "print(1)\n");
    let train = world.repo.commit_all("train");
    world
        .repo
        .write("utils/scorer.py", "def score(): return 1\n");
    let scorer = world.repo.commit_all("score");
    for (name, commit) in [("a", &first), ("b", &readme), ("c", &train), ("d", &scorer)] {
        put(&world, &format!("{name}.json"), &report(commit));
    }
    let weight = |other: &str| {
        let (status, answer) = verdict(&world, &["a.json", other]);
        let reasons = answer["reasons"].as_array().unwrap().clone();
        let found = reasons
            .iter()
            .find(|reason| reason["code"] == "code-moved")
            .unwrap();
        (
            status,
            found["weight"].clone(),
            found["text"].as_str().unwrap().to_owned(),
        )
    };
    let (status, readme_weight, text) = weight("b.json");
    assert_eq!((status, readme_weight), (0, json!("caveat")), "{text}");
    assert!(text.contains("README.md"), "{text}");
    let (status, train_weight, text) = weight("c.json");
    assert_eq!((status, train_weight), (0, json!("caveat")), "{text}");
    let (status, scorer_weight, text) = weight("d.json");
    assert_eq!(
        (status, scorer_weight),
        (1, json!("not comparable")),
        "{text}"
    );
    assert!(text.contains("utils/scorer.py"), "{text}");
}

#[test]
fn a_pipeline_can_be_gated() {
    let world = World::new();
    let mut other = report(&"a".repeat(40));
    put(&world, "a.json", &other);
    other["metadata"]["models"]["sft"] = json!("checkpoints/sft2");
    for (n, item) in other["results"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        item["sft"]["passed"] = json!(n < 6);
    }
    other["summary"]["sft_accuracy"] = json!(0.5);
    put(&world, "b.json", &other);
    let gate = |args: &[&str]| {
        let mut all = vec!["compare", "a.json#sft", "b.json#sft"];
        all.extend(args);
        world.output(all).status.code().unwrap()
    };
    assert_eq!(gate(&[]), 0);
    assert_eq!(gate(&["--metric", "accuracy", "--no-worse-than", "0.1"]), 0);
    assert_eq!(
        gate(&["--metric", "accuracy", "--no-worse-than", "0.01"]),
        1
    );
    assert_eq!(gate(&["--metric", "nothing", "--no-worse-than", "0.01"]), 2);
    let as_a_loss = ["--no-worse-than", "0.01", "--lower-is-better", "accuracy"];
    assert_eq!(gate(&as_a_loss), 0);
    assert_eq!(gate(&["--require", "comparable"]), 0);
    other["metadata"]["environment"]["torch"] = json!("2.9.2");
    put(&world, "b.json", &other);
    assert_eq!(gate(&[]), 0);
    assert_eq!(gate(&["--require", "comparable"]), 1);
}

#[test]
fn bad_input_has_a_clear_word_each() {
    let world = World::new();
    let whole = report(&"a".repeat(40));
    put(&world, "a.json", &whole);
    let text = serde_json::to_string_pretty(&whole).unwrap();
    world.repo.write("cut.json", &text[..text.len() / 2]);
    world.repo.write("empty.json", "{}");
    world.repo.write("list.json", "[1, 2]");
    world.repo.write("nothing.json", "");
    world.repo.write("cut.eval", b"PK\x03\x04 and no more");
    let said = |name: &str| world.birthmark(["compare", "a.json", name]);
    for (name, word) in [
        ("cut.json", "is cut short at byte"),
        ("empty.json", "is an empty report"),
        ("list.json", "is no evaluation report"),
        ("nothing.json", "is an empty file"),
        ("cut.eval", "its end is missing"),
        ("nowhere.json", "no file or session"),
        ("a.json#dpo", "has no system `dpo`"),
    ] {
        let picture = said(name);
        assert!(
            picture.starts_with("exit status: 2") && picture.contains(word),
            "{picture}"
        );
    }
}

#[test]
fn words_and_bounds_that_mean_nothing_are_refused_with_the_nearest_that_does() {
    let world = World::new();
    put(&world, "a.json", &report(&"a".repeat(40)));
    put(&world, "b.json", &report(&"a".repeat(40)));
    let said = |more: &[&str]| {
        let mut all = vec!["compare", "a.json#base", "b.json#sft"];
        all.extend(more);
        world.birthmark(all)
    };
    for (more, word) in [
        (
            &["--accept", "temprature"][..],
            "did you mean `temperature`?",
        ),
        (
            &["--subject", "quantisation"],
            "did you mean `quantization`?",
        ),
        (&["--accept", "decodng"], "did you mean `decoding`?"),
        (
            &["--accept", "xyzzyxyzzy"],
            "compare --classes` names the fields",
        ),
        (
            &["--no-worse-than", "NaN"],
            "nothing can be no worse than `NaN`",
        ),
        (&["--no-worse-than=-0.1"], "a number from 0 on"),
        (&["--metric", "accuracy"], "--no-worse-than"),
        (&["--require", "perfect"], "comparable"),
    ] {
        let picture = said(more);
        assert!(
            picture.starts_with("exit status: 2") && picture.contains(word),
            "{more:?}: {picture}"
        );
    }
}

#[test]
fn the_table_of_classes_is_read_by_people_and_by_programs() {
    let world = World::new();
    world
        .repo
        .write("birthmark.toml", "[compare]\nsubject = [\"my_prompt\"]\n");
    let table = world.birthmark(["compare", "--classes"]);
    assert!(table.contains("my_prompt"), "{table}");
    let output = world.output(["compare", "--classes", "--json"]);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| rows.iter().find(|row| row["field"] == name).unwrap();
    assert_eq!(row("my_prompt")["class"], "subject");
    assert_eq!(row("temperature")["need"], "required");
    let refused = world.birthmark(["compare", "--classes", "a.json"]);
    assert!(refused.starts_with("exit status: 2"), "{refused}");
}

#[test]
fn the_seed_decides_what_is_drawn_and_nothing_else() {
    let world = World::new();
    let mut other = report(&"a".repeat(40));
    let real = |report: &mut Value, by: f64| {
        let items: Vec<Value> = (0..60)
            .map(|n| {
                let n = f64::from(n);
                json!({"id": format!("t-{n}"), "score": (n * by).sin()})
            })
            .collect();
        report["results"] = Value::from(items);
        report["summary"] = json!({});
        report["metadata"]["models"] = json!({"base": "m"});
    };
    real(&mut other, 0.7);
    put(&world, "a.json", &other);
    real(&mut other, 1.3);
    put(&world, "b.json", &other);
    let asked = |seed: &str| {
        let (_, answer) = verdict(&world, &["a.json", "b.json", "--seed", seed]);
        answer["pairs"][0]["scores"][0]["paired"].clone()
    };
    assert_eq!(asked("7"), asked("7"));
    assert_ne!(asked("7")["interval"], asked("8")["interval"]);
    assert_eq!(asked("7")["effect"], asked("8")["effect"]);
}

#[test]
fn commands_of_two_evaluations_that_differ_are_a_caveat() {
    let world = World::new();
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    let item = r#"{"results": [{"id": 1, "passed": true}]}"#;
    world
        .repo
        .write("ev.sh", format!("echo '{item}' > \"$1\"\n"));
    world.repo.commit_all("evaluate");
    let run = |name: &str, more: &[&str]| {
        let out = format!("artifacts/{name}.json");
        let args = [&["run", "--", "sh", "ev.sh", &out][..], more].concat();
        assert!(world.output(args).status.success());
    };
    run("a", &[]);
    run("b", &[]);
    run("c", &["--scorer", "fuzzy"]);
    let told = |other: &str, more: &[&str]| {
        let args = [&["artifacts/a.json", other][..], more].concat();
        let (_, answer) = verdict(&world, &args);
        let reasons = answer["reasons"].as_array().unwrap().clone();
        let of_run = |reason: &&Value| reason["field"] == "run.command";
        let found: Vec<Value> = reasons.iter().filter(of_run).cloned().collect();
        found
    };
    assert_eq!(told("artifacts/b.json", &[]), Vec::<Value>::new());
    let found = told("artifacts/c.json", &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["weight"], "caveat");
    assert_eq!(
        found[0]["text"],
        "the commands differ: --scorer fuzzy only in B"
    );
    let accepted = told("artifacts/c.json", &["--accept", "command"]);
    assert_eq!(accepted[0]["code"], "accepted");
    // A project that wants it otherwise says so.
    world
        .repo
        .write("birthmark.toml", "[compare]\ninstrument = [\"command\"]\n");
    let found = told("artifacts/c.json", &[]);
    assert_eq!(found[0]["weight"], "not comparable");
}
