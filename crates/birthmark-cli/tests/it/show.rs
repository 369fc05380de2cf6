//! `birthmark show` and its terminal safety.

use crate::world::World;

#[test]
fn stamped_file_one_record_and_unstamped_file_are_shown() {
    let world = World::new();
    world.repo.write("a.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    world.birthmark([
        "stamp",
        "a.jsonl",
        "--type",
        "training_data",
        "--in-place",
        "--set",
        "seed=42",
    ]);
    let shown = world.birthmark_json(["show", "a.jsonl", "--json"]);
    assert_eq!(shown["records"], 2);
    assert_eq!(shown["metadata"]["seed"], 42);
    let record = world.birthmark_json(["show", "a.jsonl:2", "--json"]);
    assert_eq!(record["line"], 2);
    assert!(
        world
            .birthmark(["show", "data/a.txt"])
            .contains("no birthmark")
    );
    let text = world.birthmark(["show", "a.jsonl:7"]);
    assert!(text.starts_with("exit status: 2"), "{text}");
}

#[test]
fn the_way_back_to_the_environment_is_named_and_kept() {
    let world = World::new();
    world.repo.write("uv.lock", "version = 1\n");
    world.repo.git(["add", "uv.lock"]);
    world.repo.git(["commit", "-qm", "lock"]);
    world.birthmark(["run", "--", "true"]);
    let seen = world.event("environment_observed");
    assert_eq!(seen["environment"]["lock_file"], "uv.lock");
    let text = world.birthmark(["show", "last", "--environment"]);
    let kept = text
        .lines()
        .find_map(|line| line.strip_prefix("  kept in  "));
    let kept = kept.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(world.read(kept), b"version = 1\n");
    world.repo.write("a.json", "{}");
    assert!(
        world
            .birthmark(["show", "a.json", "--environment"])
            .starts_with("exit status: 2")
    );
}

#[test]
fn nothing_in_a_file_acts_on_the_terminal() {
    let world = World::new();
    let hostile = "\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}";
    world.repo.write("a.json", "{}");
    let set = format!("note={hostile}");
    let name = format!("model_name=m{hostile}");
    world.birthmark([
        "stamp",
        "a.json",
        "--type",
        "evaluation",
        "--in-place",
        "--set",
        &set,
        "--set",
        &name,
    ]);
    for args in [
        &["show", "a.json"][..],
        &["show", "a.json", "--json"],
        &["verify", "a.json"],
    ] {
        let output = world.output(args);
        let text = String::from_utf8(output.stdout).unwrap();
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.chars().any(acts), "{args:?}: {text:?}");
    }
    let shown = world.birthmark_json(["show", "a.json", "--json"]);
    assert_eq!(
        shown["metadata"]["note"], hostile,
        "a program reads the same value"
    );
}

#[test]
fn file_under_another_name_is_led_to_its_origin() {
    let world = World::new();
    world.birthmark(["session", "start"]);
    world.repo.write("a.bin", "0123");
    world.birthmark(["stamp", "a.bin", "--type", "model"]);
    world.birthmark(["session", "end"]);
    std::fs::rename(world.at("a.bin"), world.at("b.bin")).unwrap();
    let shown = world.birthmark(["show", "b.bin"]);
    assert!(
        shown.contains("its bytes were recorded as a.bin"),
        "{shown}"
    );
    world.repo.write("c.bin", "4567");
    let shown = world.birthmark(["show", "c.bin"]);
    assert!(shown.contains("c.bin: no birthmark"), "{shown}");
    let next = "try: birthmark trace c.bin, if it was made under another name\n";
    assert!(shown.contains(next), "{shown}");
    let traced = world.birthmark(["trace", "b.bin"]);
    assert!(traced.contains("recorded as  a.bin"), "{traced}");
}

#[test]
fn file_of_which_a_line_is_no_record_is_not_told_as_merely_unstamped() {
    let world = World::new();
    world
        .repo
        .write("a.jsonl", "{\"a\": 1}\n{\"a\": 2}\n{\"a\": no}\n");
    let picture = world.birthmark(["show", "a.jsonl"]);
    let flat = picture.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "no record carries one; 1 line cannot be read as such, line 3 first";
    assert!(flat.contains(wanted), "{picture}");
}
