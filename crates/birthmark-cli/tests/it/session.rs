//! `birthmark session`.

use crate::world::World;

#[test]
fn session_from_the_shell_is_started_shown_ended_and_listed() {
    let world = World::new();
    world.snapshot("session_none", ["session", "status"]);
    world.snapshot("session_list_none", ["session", "list"]);
    world.snapshot(
        "session_start",
        [
            "session",
            "start",
            "--planned",
            "a.jsonl (2 examples)",
            "--set",
            "seed=42",
        ],
    );
    world.snapshot("session_status", ["session", "status"]);
    world.snapshot("session_start_twice", ["session", "start"]);
    world.snapshot("session_end", ["session", "end"]);
    world.snapshot("session_end_twice", ["session", "end"]);
    world.snapshot("session_list", ["session", "list"]);
    let event = world
        .events()
        .into_iter()
        .find(|event| event["event"] == "session_started")
        .unwrap();
    assert_eq!(event["opened_by"], "shell");
    assert_eq!(event["given"]["seed"], 42);
    let seen = world.birthmark_json(["doctor", "--json"]);
    assert_eq!(
        seen["metadata"]["git_dirty"], false,
        "artifacts never make the tree dirty"
    );
}

#[test]
fn commands_join_the_open_session_and_do_not_end_it() {
    let world = World::new();
    world.birthmark(["session", "start"]);
    let text = world.birthmark(["run", "--", "true"]);
    assert!(text.contains("joined session"), "{text}");
    let id = world.last_session();
    let list = world.birthmark_json(["session", "list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["status"], "open");
    assert!(
        world
            .birthmark(["session", "end", &id])
            .starts_with("exit status: 0")
    );
}

#[test]
fn failed_is_told() {
    let world = World::new();
    world.birthmark(["session", "start"]);
    let ended = world.birthmark_json(["session", "end", "--failed", "--json"]);
    assert_eq!(ended["status"], "failed");
}

#[test]
fn reserved_and_mistyped_fields_open_nothing() {
    let world = World::new();
    world.snapshot(
        "session_reserved",
        ["session", "start", "--set", "git_commit=abc"],
    );
    world.snapshot("session_mistyped", ["session", "start", "--set", "seed=x"]);
    world.snapshot("session_nameless", ["session", "start", "--set", "seed"]);
    assert!(!world.at("artifacts").exists());
}

#[test]
fn unknown_and_ambiguous_sessions_are_told() {
    let world = World::new();
    world.snapshot("session_unknown_none", ["session", "status", "zzz"]);
    for _ in 0..2 {
        world.birthmark(["run", "--", "true"]);
    }
    world.snapshot("session_unknown", ["session", "end", "zzz"]);
    let text = world.birthmark(["session", "status", "20"]);
    assert!(text.contains("names 2 sessions"), "{text}");
}
