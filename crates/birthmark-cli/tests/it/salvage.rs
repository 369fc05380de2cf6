//! `birthmark salvage`.

use std::time::{Duration, SystemTime};

use crate::world::World;

fn ended_session(world: &World) {
    world.birthmark(["session", "start"]);
    world.repo.write("a.jsonl", "{\"a\": 1}\n");
    world.birthmark(["stamp", "a.jsonl", "--type", "t", "--in-place"]);
    world.birthmark(["session", "end"]);
}

#[test]
fn nothing_is_left_after_a_good_end() {
    let world = World::new();
    world.snapshot("salvage_no_store", ["salvage"]);
    ended_session(&world);
    world.snapshot("salvage_nothing", ["salvage"]);
    assert!(world.birthmark(["salvage", "--json"]).contains("[]"));
}

#[test]
fn torn_line_of_anybody_is_told_then_moved_aside() {
    let world = World::new();
    let text = "{\"a\": 1}\n{'bad': but whole}\n{\"b\": \"to";
    world.repo.write("theirs.jsonl", text);
    world.snapshot("salvage_torn", ["salvage", "theirs.jsonl"]);
    assert_eq!(world.read("theirs.jsonl"), text.as_bytes(), "only told");
    world.snapshot(
        "salvage_torn_repair",
        ["salvage", "theirs.jsonl", "--repair"],
    );
    assert_eq!(
        world.read("theirs.jsonl"),
        b"{\"a\": 1}\n{'bad': but whole}\n"
    );
    assert_eq!(world.read("theirs.jsonl.torn"), b"{\"b\": \"to\n");
    world.repo.write("whole.jsonl", "{\"a\": 1}");
    world.birthmark(["salvage", "whole.jsonl", "--repair"]);
    assert_eq!(
        world.read("whole.jsonl"),
        b"{\"a\": 1}",
        "a record without its end is whole"
    );
    world.snapshot("salvage_gone", ["salvage", "gone.jsonl"]);
}

#[test]
fn what_lies_about_in_the_store_is_told_and_repaired() {
    let world = World::new();
    ended_session(&world);
    let artifacts = world.at("artifacts");
    let manifest = std::fs::read_dir(&artifacts)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("session_manifest"))
        .unwrap();
    let whole = std::fs::read(&manifest).unwrap();
    let edited = String::from_utf8(whole.clone()).unwrap();
    let edited = edited.replace("\"sealed\"", "\"removed\"");
    std::fs::write(&manifest, &edited).unwrap();
    std::fs::write(artifacts.join(".birthmark-old"), "half").unwrap();
    std::fs::write(artifacts.join(".birthmark-new"), "half").unwrap();
    std::fs::write(artifacts.join("r.json.part.jsonl"), "{}\n{\"half").unwrap();
    let before = SystemTime::now() - Duration::from_hours(2);
    let old = std::fs::File::options()
        .write(true)
        .open(artifacts.join(".birthmark-old"))
        .unwrap();
    old.set_modified(before).unwrap();
    let told = world.birthmark(["salvage"]);
    assert!(told.starts_with("exit status: 1"), "{told}");
    for word in [
        "is not what its journals say",
        ".birthmark-old",
        "may still be written",
        "never put together",
        "its last line is torn",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(std::fs::read(&manifest).unwrap(), edited.as_bytes());
    let done = world.birthmark(["salvage", "--repair"]);
    assert!(done.starts_with("exit status: 0"), "{done}");
    assert_eq!(std::fs::read(&manifest).unwrap(), whole, "folded anew");
    let kept = manifest.to_string_lossy().into_owned() + ".edited";
    assert_eq!(std::fs::read(kept).unwrap(), edited.as_bytes());
    assert!(!artifacts.join(".birthmark-old").exists());
    assert!(artifacts.join(".birthmark-new").exists());
    assert_eq!(world.read("artifacts/r.json.part.jsonl"), b"{}\n");
}

#[test]
fn what_was_deleted_of_the_store_is_made_again_or_said_to_be_lost() {
    let world = World::new();
    ended_session(&world);
    let folder = world.at("artifacts/.birthmark/sessions");
    let session = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    for journal in std::fs::read_dir(session.path()).unwrap() {
        std::fs::remove_file(journal.unwrap().path()).unwrap();
    }
    let told = world.birthmark(["salvage"]);
    assert!(told.contains("nothing can make it anew"), "{told}");
    assert!(told.contains("its manifest is taken at its word"), "{told}");
}
