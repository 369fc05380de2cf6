//! `birthmark doctor`.

use birthmark_testing::repo::TestRepo;

use crate::world::World;

#[test]
fn clean_repository_without_a_remote_has_one_risk() {
    let world = World::new();
    world.snapshot("doctor", ["doctor"]);
    assert_eq!(world.output(["doctor", "--strict"]).status.code(), Some(1));
    assert!(!world.at("artifacts").exists(), "looking makes nothing");
}

#[test]
fn pushed_and_clean_code_has_no_risk() {
    let origin = TestRepo::with_commit();
    let world = World::of(TestRepo::clone_of(&origin, &[]));
    world.snapshot("doctor_pushed", ["doctor", "--strict"]);
}

#[test]
fn dirty_tree_and_left_open_session_are_risks() {
    let world = World::new();
    world.repo.write("train.py", "lr = 2\n");
    world.birthmark(["session", "start"]);
    world.snapshot("doctor_dirty_open", ["doctor"]);
}

#[test]
fn no_repository_and_no_commit_are_told_apart() {
    World::of(TestRepo::unborn()).snapshot("doctor_unborn", ["doctor"]);
    let world = World::new();
    std::fs::remove_dir_all(world.at(".git")).unwrap();
    world.snapshot("doctor_no_repository", ["doctor"]);
}

#[test]
fn json_holds_what_a_birthmark_would_hold() {
    let world = World::new();
    let seen = world.birthmark_json(["doctor", "--json"]);
    let metadata = &seen["metadata"];
    assert_eq!(metadata["git_commit"], world.repo.head());
    assert_eq!(metadata["git_dirty"], false);
    assert_eq!(metadata["timestamp"].as_str().unwrap().len(), 32);
    assert_eq!(metadata["birthmark"], "birthmark/v1");
    for name in [
        "loader_version",
        "model_name",
        "artifact_type",
        "session_id",
    ] {
        assert!(
            metadata[name].is_null() && metadata["unknown"][name].is_string(),
            "{name}"
        );
    }
    for part in ["code", "environment", "store", "installation", "risks"] {
        assert!(!seen[part].is_null(), "{part}");
    }
}

#[test]
fn git_program_is_not_needed() {
    let world = World::new();
    world.without("git");
    let seen = world.birthmark_json(["doctor", "--json"]);
    assert_eq!(seen["metadata"]["git_commit"], world.repo.head());
}

#[test]
fn other_program_of_our_name_on_the_path_is_a_risk() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let bin = world.repo.outside().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let other = bin.join("birthmark");
    std::fs::write(&other, "#!/bin/sh\necho birthmark 0.0.9\n").unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = world
        .command(["doctor", "--json"])
        .env("PATH", &bin)
        .output()
        .unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["installation"]["on_path_version"], "0.0.9");
    assert!(
        seen["risks"].to_string().contains("PATH has version 0.0.9"),
        "{seen}"
    );
}
