//! `birthmark verify`: exit status and wiring; what it finds is tested in the hall.

use crate::world::World;

fn made_in_a_session(world: &World) {
    world.birthmark(["session", "start"]);
    world
        .repo
        .write("artifacts/a.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    world.birthmark([
        "stamp",
        "artifacts/a.jsonl",
        "--type",
        "training_data",
        "--in-place",
    ]);
    world.birthmark(["session", "end"]);
}

#[test]
fn what_is_as_recorded_is_0_and_a_changed_byte_is_1() {
    let world = World::new();
    made_in_a_session(&world);
    assert_eq!(
        world.output(["verify"]).status.code(),
        Some(0),
        "{}",
        world.birthmark(["verify"])
    );
    let text = String::from_utf8(world.read("artifacts/a.jsonl")).unwrap();
    world
        .repo
        .write("artifacts/a.jsonl", text.replace("\"a\": 2", "\"a\": 3"));
    let picture = world.birthmark(["verify"]);
    assert!(
        picture.starts_with("exit status: 1") && picture.contains("FAILED"),
        "{picture}"
    );
    let report: serde_json::Value =
        serde_json::from_slice(&world.output(["verify", "--json"]).stdout).unwrap();
    assert_eq!(report["exit_code"], 1);
}

#[test]
fn manifest_edited_by_hand_fails() {
    let world = World::new();
    made_in_a_session(&world);
    let manifest = format!("artifacts/session_manifest_{}.json", world.last_session());
    let text = String::from_utf8(world.read(&manifest)).unwrap();
    world.repo.write(
        &manifest,
        text.replace("\"training_data\"", "\"evaluation\""),
    );
    let picture = world.birthmark(["verify"]);
    assert!(
        picture.starts_with("exit status: 1") && picture.contains("edited"),
        "{picture}"
    );
}

#[test]
fn nothing_to_verify_is_2() {
    let world = World::new();
    world.snapshot("verify_nothing", ["verify"]);
    world.snapshot("verify_no_such_file", ["verify", "nix.jsonl"]);
    world.snapshot("verify_no_such_session", ["verify", "zzz"]);
}
