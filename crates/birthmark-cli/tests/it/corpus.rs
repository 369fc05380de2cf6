//! Stored formats are forever: what each version wrote is read, checked and taken out by this one,
//! and what a later version adds survives.

use std::path::{Path, PathBuf};

use birthmark_core::digest::Digest;
use birthmark_store::digest::digest_bytes;
use serde_json::{Value, json};

use crate::world::World;

/// The versions whose files are kept.
fn versions() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(corpus).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The project as it lay when that version had written it.
fn project(version: &Path) -> World {
    let world = World::new();
    let bundle = version.join("code.bundle");
    let bundle = bundle.to_str().unwrap();
    world.repo.git(["remote", "add", "origin", bundle]);
    world.repo.git(["fetch", "-q", "origin"]);
    world.repo.git(["reset", "-q", "--hard", "origin/main"]);
    for name in ["artifacts", "checkpoint", "checkpoint.birthmark.json"] {
        copy(&version.join(name), &world.at(name));
    }
    copy(&version.join("store"), &world.at("artifacts/.birthmark"));
    world
}

#[test]
fn what_every_version_wrote_is_still_what_was_recorded() {
    for version in versions() {
        let world = project(&version);
        let said = world.birthmark(["verify", "artifacts", "checkpoint"]);
        for file in ["data.jsonl", "plot.bin", "report.json", "table.parquet"] {
            let line = said
                .lines()
                .find(|line| line.contains(&format!("artifacts/{file}")));
            assert!(
                line.is_some_and(|line| line.starts_with("verified")),
                "{said}"
            );
        }
        assert!(said.contains("verified    checkpoint"), "{said}");
        assert!(said.contains("verified    session"), "{said}");
        assert!(!said.contains("FAILED"), "{said}");
        let left = world.birthmark(["salvage"]);
        assert!(left.contains("nothing is left to be salvaged"), "{left}");
    }
}

#[test]
fn what_every_version_wrote_is_shown_and_found_and_compared() {
    for version in versions() {
        let world = project(&version);
        for (file, kind) in [
            ("artifacts/data.jsonl", "training_data"),
            ("artifacts/packed.jsonl.gz", "model"),
            ("artifacts/report.json", "evaluation"),
            ("artifacts/table.parquet", "dataset"),
            ("artifacts/weights.safetensors", "model"),
            ("artifacts/plot.bin", "plot"),
            ("checkpoint", "model"),
        ] {
            let shown = world.birthmark_json(["show", file, "--json"]);
            let mark = &shown["metadata"];
            assert_eq!(mark["artifact_type"], kind, "{file}: {shown}");
            assert_eq!(
                mark["git_commit"].as_str().map(str::len),
                Some(40),
                "{file}"
            );
            assert_eq!(mark["birthmark"], "birthmark/v1", "{file}");
        }
        let found = world.birthmark(["find", "model_name=tiny seed=40..42"]);
        assert!(found.contains("data.jsonl"), "{found}");
        let both = world.birthmark(["compare", "artifacts/report.json"]);
        assert!(
            both.contains("0.25") || both.contains("1/4 -> 3/4"),
            "{both}"
        );
        let trace = world.birthmark(["trace", "artifacts/report.json"]);
        assert!(trace.starts_with("exit status: 0"), "{trace}");
    }
}

#[test]
fn birthmarks_of_every_version_are_taken_out_to_the_byte() {
    for version in versions() {
        let world = project(&version);
        let plain = std::fs::read(version.join("plain.jsonl")).unwrap();
        world.birthmark(["unstamp", "artifacts/data.jsonl", "--out", "out.jsonl"]);
        assert_eq!(world.read("out.jsonl"), plain);
        world.birthmark([
            "unstamp",
            "artifacts/packed.jsonl.gz",
            "--out",
            "out.jsonl.gz",
        ]);
        let mut text = Vec::new();
        let packed = world.read("out.jsonl.gz");
        std::io::Read::read_to_end(
            &mut flate2::read::MultiGzDecoder::new(&packed[..]),
            &mut text,
        )
        .unwrap();
        assert_eq!(text, plain);
        world.birthmark([
            "unstamp",
            "artifacts/weights.safetensors",
            "--out",
            "out.safetensors",
        ]);
        assert_eq!(
            world.read("out.safetensors"),
            world.read("checkpoint/model.safetensors")
        );
    }
}

/// The journal with a line more, as its writer would have written it.
fn with_event(journal: &[u8], event: &Value) -> Vec<u8> {
    let text = std::str::from_utf8(journal).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let mut line = json!({ "seq": last["seq"].as_u64().unwrap() + 1, "prev": last["sum"], "time": last["time"] });
    for (name, value) in event.as_object().unwrap() {
        line[name] = value.clone();
    }
    let body = line.to_string();
    let body = body.strip_suffix('}').unwrap();
    let sum: Digest = digest_bytes(body.as_bytes());
    let mut journal = journal.to_vec();
    journal.extend_from_slice(format!("{body},\"sum\":\"{sum}\"}}\n").as_bytes());
    journal
}

fn journal(world: &World) -> PathBuf {
    let sessions = world.at("artifacts/.birthmark/sessions");
    let session = std::fs::read_dir(sessions)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut files = std::fs::read_dir(session.path()).unwrap();
    files.next().unwrap().unwrap().path()
}

#[test]
fn events_and_fields_of_a_later_version_are_kept_and_skipped() {
    for version in versions() {
        let world = project(&version);
        let path = journal(&world);
        let before = std::fs::read(&path).unwrap();
        let later = with_event(
            &before,
            &json!({"event": "moon_observed", "phase": {"lit": 0.7}}),
        );
        let later = with_event(
            &later,
            &json!({"event": "session_ended", "outcome": "completed", "mood": ["calm", 1]}),
        );
        std::fs::write(&path, &later).unwrap();
        // The manifest is an older fold now, which is no edit.
        let said = world.birthmark(["verify", "artifacts", "checkpoint"]);
        assert!(
            !said.contains("FAILED") && !said.contains("edited"),
            "{said}"
        );
        let repaired = world.birthmark(["salvage", "--repair"]);
        assert!(repaired.starts_with("exit status: 0"), "{repaired}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            later,
            "a journal is only appended to"
        );
        let said = world.birthmark(["verify", "artifacts", "checkpoint"]);
        // It says that there is something that it does not know, and fails nothing for it.
        assert!(said.contains("caveat      session"), "{said}");
        assert!(!said.contains("FAILED"), "{said}");
    }
}

#[test]
fn fields_that_nobody_knows_yet_survive_being_stamped_shown_and_taken_out() {
    for version in versions() {
        let world = project(&version);
        // A sidecar with more than is known, in it and in its birthmark.
        let sidecar = "artifacts/plot.bin.birthmark.json";
        let mut text = world.json(sidecar);
        text["later"] = json!({"kept": [1, 2.50]});
        text["metadata"]["later_field"] = json!({"deep": "1.50"});
        world.repo.write(sidecar, text.to_string());
        let shown = world.birthmark_json(["show", "artifacts/plot.bin", "--json"]);
        assert_eq!(shown["metadata"]["later_field"], json!({"deep": "1.50"}));
        // A record of a later version goes through a rewrite of the file with its fields.
        let record = String::from_utf8(world.read("artifacts/data.jsonl")).unwrap();
        let later = record.replace(
            "\"birthmark\":\"birthmark/v1\"",
            "\"later_field\":{\"deep\":1.50},\"birthmark\":\"birthmark/v1\"",
        );
        assert_ne!(later, record);
        world.repo.write("artifacts/later.jsonl", &later);
        let shown = world.birthmark_json(["show", "artifacts/later.jsonl:2", "--json"]);
        assert_eq!(shown["metadata"]["later_field"]["deep"].to_string(), "1.50");
        let found = world.birthmark(["find", "has:later_field"]);
        assert!(found.contains("later.jsonl"), "{found}");
        let plain = std::fs::read(version.join("plain.jsonl")).unwrap();
        world.birthmark(["unstamp", "artifacts/later.jsonl", "--out", "out.jsonl"]);
        assert_eq!(
            world.read("out.jsonl"),
            plain,
            "a birthmark goes as a whole"
        );
    }
}
