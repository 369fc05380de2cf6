//! docs/compare-evaluations.md, word for word: its settings, its questions, its gate.

use std::process::Command;

use serde_json::{Value, json};

use crate::world::{PROGRAM, World};

const GUIDE: &str = include_str!("../../../../docs/compare-evaluations.md");

/// All blocks of a language in the guide.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    let after = GUIDE.split(open.as_str()).skip(1);
    let of = |rest: &'static str| rest.split("```").next().expect("closed");
    after.map(of).collect()
}

fn report(model: &str, right: usize) -> Value {
    let items: Vec<Value> = (0..50)
        .map(|n| json!({"id": format!("t-{n:02}"), "question": format!("question {n}"), "passed": n < right}))
        .collect();
    json!({
        "metadata": {
            "git_commit": "a".repeat(40), "timestamp": "2026-11-22T12:00:00.000000+00:00",
            "artifact_type": "evaluation", "git_dirty": false, "script_name": "evaluate.py",
            "loader_version": "1", "model_name": model, "quantization": "nf4", "template_disabled": true,
            "sentinel_tests_passed": true, "add_special_tokens": false, "temperature": 0.7, "top_p": 0.95,
            "do_sample": true, "max_new_tokens": 150, "eval_seed": 42, "system_prompt": "be brief",
            "dataset": {"name": "held_out", "size": 50, "digest": format!("blake3:{}", "c".repeat(64))},
            "environment": {"python": "3.11.9"},
        },
        "results": items,
    })
}

/// A folder with the reports that the guide names.
fn world() -> World {
    let world = World::new();
    let put = |name: &str, report: &Value| {
        world.repo.write(name, report.to_string());
    };
    put("base.json", &report("base", 30));
    put("tuned.json", &report("tuned", 35));
    put("third.json", &report("third", 32));
    let mut both = report("m", 30);
    both["metadata"]["models"] = json!({"base": "m", "sft": "checkpoints/sft"});
    for (n, item) in both["results"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        *item =
            json!({"id": item["id"], "question": item["question"], "base": n < 30, "sft": n < 35});
    }
    put("both.json", &both);
    world
}

/// Runs a line of the guide in a shell, as a person or a pipeline would.
fn shell(world: &World, line: &str) -> (i32, String) {
    let folder = std::path::Path::new(PROGRAM).parent().expect("folder");
    let done = Command::new("sh")
        .args(["-c", line])
        .current_dir(world.path())
        .env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()),
        )
        .env("HOME", world.repo.home())
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    (done.status.code().expect("it ended"), said)
}

fn gate() -> &'static str {
    let lines = blocks("sh");
    lines
        .iter()
        .find(|block| block.contains("--no-worse-than"))
        .expect("the gate")
        .trim()
}

#[test]
fn every_command_of_the_guide_runs_and_answers() {
    let world = world();
    let mut ran = 0;
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let line = if line.contains("#sft") {
            // Both roles stand in the report of both.
            line.replace(
                "base.json#base tuned.json#sft",
                "both.json#base both.json#sft",
            )
        } else {
            line.to_owned()
        };
        let (status, said) = shell(&world, &line);
        assert_eq!(status, 0, "{line}\n{said}");
        ran += 1;
    }
    assert!(ran >= 7, "{ran}");
    let page = std::fs::read_to_string(world.at("page.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    let comment = std::fs::read_to_string(world.at("comment.md")).unwrap();
    assert!(comment.starts_with("### COMPARABLE\n"), "{comment}");
}

#[test]
fn the_gate_of_the_guide_fails_closed() {
    let world = world();
    let end = |report: &Value| {
        world.repo.write("tuned.json", report.to_string());
        shell(&world, gate())
    };
    assert_eq!(end(&report("tuned", 30)).0, 0);
    let (status, said) = end(&report("tuned", 28));
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("passed is 0.04 worse, and is allowed to be 0.01 worse"),
        "{said}"
    );
    let mut caveat = report("tuned", 35);
    caveat["metadata"]["environment"]["python"] = json!("3.12.0");
    let (status, said) = end(&caveat);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("comparable was required, and there are caveats"),
        "{said}"
    );
    let mut moved = report("tuned", 35);
    moved["metadata"]["temperature"] = json!(0.2);
    assert_eq!(end(&moved).0, 1);
    let mut unknown = report("tuned", 35);
    unknown["metadata"]["temperature"] = Value::Null;
    assert_eq!(end(&unknown).0, 2);
    assert_eq!(end(&report("tuned", 35)).0, 0);
    let (status, said) = shell(&world, &gate().replace("accuracy", "f1"));
    assert_eq!(status, 2, "{said}");
    assert!(
        said.contains("no f1 stands on both sides; there is passed"),
        "{said}"
    );
}

#[test]
fn the_settings_of_the_guide_move_fields_into_other_classes() {
    let world = world();
    let mut other = report("tuned", 35);
    other["metadata"]["system_prompt"] = json!("be kind");
    world.repo.write("tuned.json", other.to_string());
    assert_eq!(shell(&world, "birthmark compare base.json tuned.json").0, 1);
    world.repo.write("birthmark.toml", blocks("toml")[0]);
    assert_eq!(shell(&world, "birthmark compare base.json tuned.json").0, 0);
    let (_, table) = shell(&world, "birthmark compare --classes");
    let class = |field: &str| {
        let line = table.lines().find(|line| line.contains(field));
        line.expect(field).to_owned()
    };
    assert!(class("system_prompt").contains("subject"), "{table}");
    assert!(class("loader_version").contains("environment"), "{table}");
}
