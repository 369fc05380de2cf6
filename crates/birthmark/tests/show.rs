//! What `show` tells of files, records, folders and sessions.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::path::Path;
use std::process::Command;

use birthmark::show::{Shown, What, parse_target, render, show};
use birthmark_core::birthmark::Fields;
use jiff::tz::TimeZone;
use serde_json::Value;
use world::{World, now};

fn shown(world: &World, name: &str) -> Shown {
    show(&world.project(), &world.path(name), None, now()).unwrap()
}

fn text(shown: &Shown) -> String {
    render(shown, now(), &TimeZone::UTC, 100)
}

#[test]
fn records_show_constants_apart_from_what_varies_and_the_sessions_facts() {
    let world = World::new();
    let id = world.small();
    let before = birthmark_testing::repo::fingerprint(world.repo.path());
    let shown = shown(&world, "sft_a.jsonl");
    assert_eq!(
        before,
        birthmark_testing::repo::fingerprint(world.repo.path()),
        "show wrote"
    );
    assert_eq!(shown.what, What::Records);
    assert_eq!(shown.records, Some(4));
    assert_eq!(shown.birthmark["session_id"], id.as_str());
    let seed = shown
        .varies
        .iter()
        .find(|varying| varying.name == "seed")
        .unwrap();
    assert_eq!(
        (seed.min.clone(), seed.max.clone()),
        (Some(42.into()), Some(45.into()))
    );
    assert_eq!(seed.distinct, Some(4));
    let text = text(&shown);
    println!("{text}");
    for part in [
        "training_data · 4 records · ",
        "main, clean, pushed",
        "train.py",
        "HuggingFaceTB/SmolLM2-135M-Instruct  Q4_1",
        "template off (proved: 5 of 5 sentinels)",
        "temperature 0.7",
        "seed 42..45",
        ", completed",
        "unknown  nothing",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn one_record_a_report_a_folder_a_sidecar_and_a_manifest_are_shown() {
    let world = World::new();
    let id = world.small();
    let project = world.project();
    let record = show(&project, &world.path("sft_a.jsonl"), Some(3), now()).unwrap();
    assert_eq!(
        (record.what, record.birthmark["seed"].clone()),
        (What::Record, 44.into())
    );
    let report = shown(&world, "evaluation_a.json");
    assert_eq!(
        (report.what, report.birthmark["eval_seed"].clone()),
        (What::Report, 42.into())
    );
    assert!(report.get("git_branch").is_some());
    let folder = shown(&world, "model");
    assert_eq!((folder.what, folder.size), (What::Folder, Some(48)));
    let sidecar = shown(&world, "model.birthmark.json");
    assert_eq!(sidecar.birthmark, folder.birthmark);
    assert_eq!(shown(&world, "table.csv").what, What::File);
    let manifest = show(&project, &world.manifest(&id), None, now()).unwrap();
    let by_id = show(&project, Path::new(id.short()), None, now()).unwrap();
    assert_eq!(manifest.what, What::Session);
    assert_eq!(manifest.to_json(), by_id.to_json());
    let said = text(&manifest);
    assert!(said.contains("evaluation_*.json: made"), "{said}");
    println!("{}\n{}\n{said}", text(&report), text(&folder));
}

#[test]
fn json_has_the_stored_field_names_and_jq_agrees_with_it() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let json = shown(&world, "sft_a.jsonl").to_json();
    let output = Command::new("jq")
        .args(["-r", ".metadata.git_commit"])
        .arg(&path)
        .output()
        .unwrap();
    let first = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(json["metadata"]["git_commit"], first.as_str());
    assert_eq!(json["git_pushed_as_of"], "the last fetch or push");
    assert_eq!(json["recorded"]["records"], 4);
}

#[test]
fn line_that_is_not_there_says_how_many_there_are() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    for line in [0, 5] {
        let error = show(&world.project(), &path, Some(line), now()).unwrap_err();
        assert_eq!(error.code(), "no-line");
    }
    assert_eq!(parse_target("a.jsonl:7"), ("a.jsonl".into(), Some(7)));
    assert_eq!(parse_target("a:b"), ("a:b".into(), None));
}

#[test]
fn unstamped_and_foreign_files_are_shown_as_such() {
    let world = World::new();
    world.small();
    world.repo.write("artifacts/plain.json", "{\"a\": 1}");
    let plain = shown(&world, "plain.json");
    assert_eq!(plain.what, What::Unstamped);
    assert!(text(&plain).contains("no birthmark"));
    let commit = world.repo.head();
    world.repo.write(
        "artifacts/theirs.json",
        format!(r#"{{"metadata": {{"git_commit": "{commit}", "timestamp": "2026-11-22T12:00:00", "artifact_type": "evaluation"}}}}"#),
    );
    let theirs = shown(&world, "theirs.json");
    assert!(theirs.foreign);
    let said = text(&theirs);
    assert!(
        said.contains("another helper") && said.contains("no time zone"),
        "{said}"
    );
    assert!(theirs.unknown.contains_key("session"));
}

#[test]
fn bad_and_unstamped_lines_are_counted_and_the_rest_is_shown() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"no\": \"birthmark\"}\nnot json\n\n{\"torn\": ");
    fs::write(&path, text).unwrap();
    let shown = shown(&world, "sft_a.jsonl");
    assert_eq!(
        (shown.records, shown.unstamped, shown.bad_lines.0),
        (Some(5), 1, 2)
    );
    assert_eq!(shown.bad_lines.1.as_ref().unwrap().0, 6);
}

#[test]
fn nothing_from_data_acts_on_the_terminal() {
    let world = World::new();
    let commit = world.repo.head();
    let hostile = "\\u001b]52;c;aGk=\\u0007\\u202ex";
    world.repo.write(
        "artifacts/h.json",
        format!(
            r#"{{"metadata": {{"git_commit": "{commit}", "timestamp": "{hostile}", "artifact_type": "{hostile}", "model_name": "{hostile}", "git_branch": "{hostile}", "{hostile}": "{hostile}", "models": {{"{hostile}": "{hostile}"}}, "dataset": {{"name": "{hostile}"}}, "inputs": [{{"file": "{hostile}"}}], "unknown": {{"{hostile}": "{hostile}"}}, "declared": ["{hostile}"], "session_id": "{hostile}", "birthmark": "birthmark/v1"}}}}"#
        ),
    );
    let said = text(&shown(&world, "h.json"));
    assert!(
        !said
            .chars()
            .any(|c| c.is_control() && c != '\n' || c == '\u{202e}'),
        "{said:?}"
    );
}

#[test]
fn numbers_of_any_size_keep_their_text() {
    let world = World::new();
    let commit = world.repo.head();
    let line = |seed: &str| {
        format!(
            r#"{{"metadata": {{"git_commit": "{commit}", "timestamp": "t", "artifact_type": "a", "seed": {seed}, "temperature": 0.70, "birthmark": "birthmark/v1"}}}}"#
        )
    };
    let seeds = [
        "9007199254740993",
        "9007199254740992",
        "123456789012345678901234567890",
        "-1",
    ];
    let text: String = seeds.iter().map(|seed| line(seed) + "\n").collect();
    world.repo.write("artifacts/n.jsonl", text);
    let json = shown(&world, "n.jsonl").to_json().to_string();
    assert!(json.contains("0.70"), "{json}");
    for seed in seeds {
        assert!(json.contains(seed), "{seed} in {json}");
    }
    let parsed: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["varies"]["seed"]["min"].to_string(), "-1");
    assert_eq!(parsed["varies"]["seed"]["max"].to_string(), seeds[2]);
}

#[test]
fn what_a_later_session_removed_is_told_apart_from_what_is_missing() {
    let world = World::new();
    let killed = world.begin(&[]);
    for name in ["checkpoint-2", "checkpoint-4", "checkpoint-6"] {
        fs::create_dir_all(world.path(name)).unwrap();
        fs::write(world.path(name).join("model.bin"), name).unwrap();
        killed
            .add(&world.path(name), "model", &Fields::new())
            .unwrap();
    }
    // Training goes on, and rotates one away; a hand takes another.
    let later = world.begin(&[]);
    fs::remove_dir_all(world.path("checkpoint-2")).unwrap();
    later
        .removed(&world.path("checkpoint-2"), "rotation")
        .unwrap();
    fs::remove_dir_all(world.path("checkpoint-4")).unwrap();
    let id = Path::new(killed.id().as_str());
    let text = text(&show(&world.project(), id, None, now()).unwrap());
    let line = |name: &str| {
        let mut lines = text.lines().map(str::trim_end);
        lines.find(|line| line.contains(name)).unwrap().to_owned()
    };
    let by = format!("removed by session {}", later.id().short());
    assert!(line("checkpoint-2").ends_with(&by), "{text}");
    for name in ["checkpoint-4", "checkpoint-6"] {
        assert!(line(name).ends_with("model"), "{text}");
    }
}
