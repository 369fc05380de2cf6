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

#[test]
fn what_was_stamped_elsewhere_is_named_to_who_names_nothing() {
    let world = World::new();
    world.repo.write("data/a.jsonl", "{}\n");
    world.repo.write("data/b c.bin", "b");
    for (file, place) in [("data/a.jsonl", Some("--in-place")), ("data/b c.bin", None)] {
        let words = ["stamp", file, "--type", "dataset"]
            .into_iter()
            .chain(place);
        let done = world.output(words.collect::<Vec<_>>());
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    }
    let said = |words: &[&str]| String::from_utf8(world.output(words.to_vec()).stderr).unwrap();
    assert_eq!(
        said(&["verify"]),
        "2 files stamped elsewhere were not checked: birthmark verify data/a.jsonl 'data/b c.bin'\n"
    );
    assert_eq!(said(&["verify", "data"]), "");
    std::fs::remove_file(world.at("data/b c.bin")).unwrap();
    made_in_a_session(&world);
    let one = said(&["verify"]);
    assert!(
        one.contains("1 file stamped elsewhere was not checked"),
        "{one}"
    );
}
