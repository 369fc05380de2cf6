//! `birthmark trace`: exit status, forms and wiring; what it finds is tested in the hall.

use crate::world::World;

fn two_steps(world: &World) {
    world.repo.write("artifacts/a.csv", "a,b\n1,2\n");
    world.birthmark(["session", "start"]);
    world.birthmark(["stamp", "artifacts/a.csv", "--type", "dataset"]);
    world.repo.write("artifacts/b.csv", "b\n2\n");
    world.birthmark([
        "stamp",
        "artifacts/b.csv",
        "--type",
        "table",
        "--set",
        "inputs=[\"artifacts/a.csv\"]",
    ]);
    world.birthmark(["session", "end"]);
}

#[test]
fn a_tree_json_and_drawings_are_printed() {
    let world = World::new();
    two_steps(&world);
    let text = world.birthmark(["trace", "artifacts/b.csv"]);
    assert!(text.starts_with("exit status: 0"), "{text}");
    assert!(text.contains("artifacts/a.csv  dataset"), "{text}");
    let json = world.birthmark_json(["trace", "artifacts/b.csv", "--json"]);
    let derived = json["edges"].as_array().unwrap();
    let derived = derived
        .iter()
        .find(|edge| edge["relation"] == "was_derived_from");
    assert!(derived.is_some(), "{json:#}");
    assert!(
        world
            .birthmark(["trace", "artifacts/a.csv", "--dot", "--down"])
            .contains("digraph")
    );
    assert!(
        world
            .birthmark(["trace", "last", "--mermaid"])
            .contains("flowchart LR")
    );
}

#[test]
fn what_nobody_tells_of_is_2() {
    let world = World::new();
    world.snapshot("trace_no_session", ["trace", "data/a.txt"]);
    world.snapshot("trace_no_such_file", ["trace", "nix.jsonl"]);
    world.snapshot(
        "trace_no_such_store",
        ["trace", "data/a.txt", "--store", "/nowhere"],
    );
}
