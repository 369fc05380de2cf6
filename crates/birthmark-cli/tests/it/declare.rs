//! `birthmark declare` and `birthmark init`.

use birthmark_testing::repo::TestRepo;

use crate::world::World;

#[test]
fn clean_code_is_declared_and_stays_clean() {
    let world = World::new();
    world.snapshot("declare", ["declare"]);
    let told = world.json("declaration.birthmark.json");
    assert_eq!(told["git_commit"], world.repo.head());
    assert_eq!(told["birthmark"], "birthmark/declaration/v1");
    world.snapshot("declare_again", ["declare"]);
}

#[test]
fn dirty_code_is_declared_with_a_warning() {
    let world = World::new();
    world.repo.write("train.py", "lr = 2\n");
    world.snapshot("declare_dirty", ["declare"]);
    assert_eq!(world.json("declaration.birthmark.json")["git_dirty"], true);
}

#[test]
fn credentials_of_the_remote_never_get_into_a_declaration() {
    let world = World::new();
    world.repo.git([
        "remote",
        "add",
        "origin",
        "https://me:hunter2hunter2@example.com/r.git",
    ]);
    world.birthmark(["declare"]);
    let text = String::from_utf8(world.read("declaration.birthmark.json")).unwrap();
    assert!(
        text.contains("example.com/r.git") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn without_a_commit_nothing_is_declared() {
    let world = World::of(TestRepo::unborn());
    world.snapshot("declare_unborn", ["declare"]);
    let outside = World::of(TestRepo::unborn());
    std::fs::remove_dir_all(outside.at(".git")).unwrap();
    outside.snapshot("declare_no_repository", ["declare"]);
}

#[test]
fn code_deployed_without_git_is_told_as_declared() {
    let world = World::new();
    world.birthmark(["declare"]);
    std::fs::remove_dir_all(world.at(".git")).unwrap();
    let seen = world.birthmark_json(["doctor", "--json"]);
    assert_eq!(seen["metadata"]["git_branch"], "main");
    assert!(
        seen["metadata"]["declared"]
            .to_string()
            .contains("git_commit"),
        "{seen}"
    );
    world.snapshot("doctor_declared", ["doctor"]);
}

#[test]
fn settings_file_is_written_once() {
    let world = World::new();
    world.snapshot("init", ["init"]);
    let before = world.read("birthmark.toml");
    world.snapshot("init_again", ["init"]);
    assert_eq!(world.read("birthmark.toml"), before);
}
