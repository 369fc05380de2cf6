//! File names that were mistyped: which file was meant.

use crate::world::World;

fn world() -> World {
    let world = World::new();
    world
        .repo
        .write("artifacts/eval.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    world.repo.write("data/set one/train.jsonl", "{\"a\": 1}\n");
    world
}

#[test]
fn every_command_that_takes_a_file_says_which_was_meant() {
    let world = world();
    let near = "hint: did you mean `artifacts/eval.jsonl`?";
    for command in [
        &["show", "evl.jsonl"][..],
        &["show", "eval"],
        &["verify", "artefacts/eval.jsonl"],
        &["compare", "evl.jsonl", "data/a.txt"],
        &["trace", "Eval.jsonl"],
        &["reproduce", "artifacts/eval.json"],
        &["policy", "check", "aretfacts/eavl.jsonl"],
        &["stamp", "eval.jsonl", "--type", "evaluation"],
        &["unstamp", "evall.jsonl", "--in-place"],
        &["scan", "eval.jsonl"],
        &["salvage", "eval.jsonl"],
        &["import", "eval.jsonl"],
    ] {
        let said = world.birthmark(command);
        assert!(said.starts_with("exit status: 2"), "{command:?} {said}");
        assert!(said.contains(near), "{command:?} {said}");
    }
    let said = world.birthmark(["show", "Data/set one/trian.jsonl:1"]);
    assert!(
        said.contains("did you mean `data/set one/train.jsonl:1`?"),
        "{said}"
    );
}

#[test]
fn a_line_that_is_not_there_or_not_taken_is_told_and_what_is_far_is_not_offered() {
    let world = world();
    let said = world.birthmark(["show", "artifacts/eval.jsonl:500"]);
    assert!(said.contains("hint: it has 2 lines"), "{said}");
    let said = world.birthmark(["verify", "artifacts/eval.jsonl:500"]);
    assert!(said.contains("here name `artifacts/eval.jsonl`"), "{said}");
    let said = world.birthmark(["show", "something-else.jsonl"]);
    assert!(!said.contains("did you mean"), "{said}");
    // What is offered is named so that it can be typed, and acts on no terminal.
    world.repo.write("artifacts/lo\u{1b}ss.json", "{}");
    let said = world.birthmark(["show", "artifacts/loss.json"]);
    assert!(
        said.contains("did you mean") && !said.contains('\u{1b}'),
        "{said}"
    );
}
