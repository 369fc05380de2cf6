//! `birthmark scan`: what it says, and what it never shows.

use crate::world::World;

#[test]
fn secret_in_a_record_is_named_and_never_printed() {
    let world = World::new();
    let token = "hf_EXAMPLEexampleEXAMPLEexampleEXAMPLE";
    world.repo.write(
        "artifacts/a.jsonl",
        format!("{{\"a\": 1}}\n{{\"t\": \"{token}\"}}\n"),
    );
    world.snapshot("scan_leak", ["scan"]);
    assert!(!world.birthmark(["scan", "--json"]).contains(token));
}

#[test]
fn what_holds_none_says_what_was_not_looked_at() {
    let world = World::new();
    world.repo.write("artifacts/a.jsonl", "{\"a\": 1}\n");
    world.snapshot("scan_none", ["scan", "artifacts"]);
    world.snapshot("scan_nothing", ["scan", "nowhere"]);
}
