//! `birthmark policy`: the rules in words, and where one goes wrong.

use crate::world::World;

const POLICY: &str = "[policy]\nenforce = \"refuse\"\n\
    training_data = [\"template_disabled = true\", \"seed required\"]\n\
    \"*\" = [\"git_dirty = false or git_snapshot set\"]\n";

#[test]
fn rules_are_listed_with_their_lines() {
    let world = World::new();
    world.repo.write("birthmark.toml", POLICY);
    world.snapshot("policy_rules", ["policy", "check"]);
    let listed: serde_json::Value =
        serde_json::from_slice(&world.output(["policy", "check", "--json"]).stdout).unwrap();
    assert_eq!(listed["enforce"], "refuse");
    assert_eq!(listed["rules"].as_array().unwrap().len(), 6);
}

#[test]
fn unstamped_data_is_refused() {
    let world = World::new();
    world.repo.write("artifacts/old.jsonl", "{\"a\": 1}\n");
    world.snapshot("policy_unstamped", ["policy", "check", "artifacts"]);
}

#[test]
fn broken_rule_is_named_with_its_line() {
    let world = World::new();
    world.repo.write("artifacts/a.json", "{\"a\": 1}\n");
    world.repo.write("notes.md", "a dirty tree\n");
    world.birthmark([
        "stamp",
        "artifacts/a.json",
        "--type",
        "training_data",
        "--in-place",
    ]);
    world.repo.write("birthmark.toml", POLICY);
    world.snapshot("policy_broken", ["policy", "check", "artifacts"]);
}

#[test]
fn what_is_no_rule_is_pointed_at() {
    let world = World::new();
    world.snapshot(
        "policy_explain",
        ["policy", "explain", "seed set or git_dirty=false"],
    );
    world.snapshot("policy_no_rule", ["policy", "explain", "seed requird"]);
    world.repo.write(
        "birthmark.toml",
        "[policy]\nevaluation = [\n\"seed requird\"]\n",
    );
    world.snapshot("policy_no_rule_in_file", ["policy", "check"]);
}
