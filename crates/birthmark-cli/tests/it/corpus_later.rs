//! What a later version adds to a stored format survives this one, and is told from an edit.

use std::path::PathBuf;

use birthmark_core::digest::Digest;
use birthmark_store::digest::digest_bytes;
use serde_json::{Value, json};

use crate::corpus::{project, versions};
use crate::world::World;

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

/// The journal with another program's version, each line with the sums that it then has; and the
/// last sum.
fn by_program(journal: &[u8], program: &str) -> (String, String) {
    let (mut prev, mut out) = (Value::Null, String::new());
    for line in std::str::from_utf8(journal).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["prev"] = prev;
        if line["event"] == "writer_opened" {
            line["program"] = json!(program);
        }
        line.as_object_mut().unwrap().shift_remove("sum");
        let body = line.to_string();
        let body = body.strip_suffix('}').unwrap();
        let sum = digest_bytes(body.as_bytes()).to_string();
        out.push_str(&format!("{body},\"sum\":\"{sum}\"}}\n"));
        prev = json!(sum);
    }
    (out, prev.as_str().unwrap().to_owned())
}

#[test]
fn a_manifest_of_a_later_version_is_not_called_edited_and_not_written_over() {
    for version in versions() {
        for program in ["0.0.9", "99.1.0"] {
            let world = project(&version);
            let path = journal(&world);
            let (text, sum) = by_program(&std::fs::read(&path).unwrap(), program);
            std::fs::write(&path, text).unwrap();
            let session = path.parent().unwrap().file_name().unwrap();
            let name = format!(
                "artifacts/session_manifest_{}.json",
                session.to_string_lossy()
            );
            let mut manifest = world.json(&name);
            let head = manifest["heads"].as_object_mut().unwrap().values_mut();
            head.for_each(|head| head["sum"] = json!(sum));
            manifest["later_field"] = json!({"deep": [1, 2.50]});
            let later = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
            world.repo.write(&name, &later);
            let said = world.birthmark(["verify", "artifacts"]);
            if program == "0.0.9" {
                assert!(said.contains("edited: later_field: it was added"), "{said}");
                continue;
            }
            assert!(said.contains("cannot tell session"), "{said}");
            assert!(said.contains("of a later version"), "{said}");
            assert!(!said.contains("FAILED"), "{said}");
            let repaired = world.birthmark(["salvage", "--repair"]);
            assert!(repaired.starts_with("exit status: 0"), "{repaired}");
            assert_eq!(world.read(&name), later.as_bytes());
            // What is wrong in what this version knows is an edit, whoever wrote it.
            let edited = later.replacen("\"seed\"", "\"need\"", 1);
            let edited = edited.replacen("\"type\": \"model\"", "\"type\": \"modem\"", 1);
            assert_ne!(edited, later);
            world.repo.write(&name, &edited);
            let said = world.birthmark(["verify", "artifacts"]);
            assert!(said.contains("FAILED") && said.contains("edited"), "{said}");
        }
    }
}

#[test]
fn what_nobody_knows_yet_of_a_sidecar_survives_another_stamp() {
    for version in versions() {
        let world = project(&version);
        let sidecar = "artifacts/plot.bin.birthmark.json";
        let mut text = world.json(sidecar);
        text["later"] = json!({"kept": [1, 2.50]});
        world.repo.write(sidecar, text.to_string());
        let said = world.birthmark(["verify", "artifacts/plot.bin"]);
        assert!(
            said.contains("caveat"),
            "an added member is no matter of course: {said}"
        );
        let stamp = |how: &str| {
            let args = [
                "stamp",
                "artifacts/plot.bin",
                "--type",
                "plot",
                "--force",
                "--on-existing",
                how,
            ];
            world.birthmark(args)
        };
        let refused = stamp("merge");
        assert!(refused.contains("is there already"), "{refused}");
        let said = stamp("replace");
        assert!(said.starts_with("exit status: 0"), "{said}");
        assert_eq!(
            world.json(sidecar)["later"].to_string(),
            r#"{"kept":[1,2.5]}"#
        );
        // Of other bytes it says nothing.
        world.repo.write("artifacts/plot.bin", "other bytes");
        stamp("replace");
        assert_eq!(world.json(sidecar)["later"], Value::Null);
        // Merging into records leaves the older birthmark with all its fields, and the younger wins.
        let text = String::from_utf8(world.read("artifacts/data.jsonl")).unwrap();
        let later = text.replace(
            "\"birthmark\":\"birthmark/v1\"",
            "\"later_field\":1.50,\"birthmark\":\"birthmark/v1\"",
        );
        world.repo.write("later.jsonl", &later);
        let said = world.birthmark([
            "stamp",
            "later.jsonl",
            "--type",
            "again",
            "--in-place",
            "--on-existing",
            "merge",
        ]);
        assert!(said.starts_with("exit status: 0"), "{said}");
        let merged = String::from_utf8(world.read("later.jsonl")).unwrap();
        assert!(
            merged
                .lines()
                .all(|line| line.contains("\"later_field\":1.50")),
            "{merged}"
        );
        let shown = world.birthmark_json(["show", "later.jsonl:1", "--json"]);
        assert_eq!(shown["metadata"]["artifact_type"], "again");
    }
}
