//! `birthmark stamp` of many files, of which some are not as they should be.

use crate::world::World;

const BROKEN: &str = "{\"a\": 1}\n{\"a\": 2,}\n";

fn world() -> World {
    let world = World::new();
    for number in 0..9 {
        let text = if number % 4 == 1 { BROKEN } else { "{}\n" };
        world.repo.write(format!("many/{number}.jsonl"), text);
    }
    world
}

#[test]
fn each_broken_file_of_many_is_named_and_stops_no_other() {
    let world = world();
    let args = ["stamp", "-r", "many", "--type", "t", "--in-place"];
    let picture = world.birthmark(args);
    world.check("stamp_many_of_which_two_are_broken", &picture);
    for number in 0..9 {
        let text = world.read(&format!("many/{number}.jsonl"));
        let is_broken = number % 4 == 1;
        assert_eq!(text == BROKEN.as_bytes(), is_broken, "{number}");
        assert_eq!(text.ends_with(b"}}\n"), !is_broken, "{number}");
    }
    let left = std::fs::read_dir(world.at("many")).unwrap().count();
    assert_eq!(left, 9, "nothing lies beside them");
}

#[test]
fn broken_files_of_many_are_in_the_json_too() {
    let world = world();
    let args = ["stamp", "-r", "many", "--type", "t", "--in-place", "--json"];
    let output = world.output(args);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = |one: &&serde_json::Value| !one["error"].is_null();
    let all = told.as_array().unwrap();
    assert_eq!(all.len(), 9);
    assert_eq!(all.iter().filter(failed).count(), 2);
    assert_eq!(all[1]["error"]["code"], "not-json");
    assert_eq!(all[1]["file"], "many/1.jsonl");
}

#[test]
fn file_of_empty_lines_alone_is_not_called_stamped() {
    let world = World::new();
    world.repo.write("a.jsonl", "\n \n\n");
    for place in [["--in-place", "--force"], ["--out", "b.jsonl"]] {
        let mut args = vec!["stamp", "a.jsonl", "--type", "t"];
        args.extend(place);
        let picture = world.birthmark(&args);
        assert!(picture.starts_with("exit status: 2"), "{picture}");
        assert!(picture.contains("it holds no record"), "{picture}");
        assert_eq!(world.read("a.jsonl"), b"\n \n\n");
        assert!(!world.at("b.jsonl").exists());
    }
}

#[test]
fn birthmark_over_an_older_one_counts_and_the_older_one_is_told_of() {
    let world = World::new();
    let stamp = |more: &[&str]| {
        let mut args = vec!["stamp", "a.jsonl", "--type", "t", "--in-place"];
        args.extend(more);
        let picture = world.birthmark(&args);
        assert!(picture.starts_with("exit status: 0"), "{picture}");
        world.read("a.jsonl")
    };
    world.repo.write("a.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    let once = stamp(&["--set", "temperature=0.5"]);
    stamp(&["--set", "seed=1", "--on-existing", "merge"]);
    let found = world.birthmark(["find", "seed=1", "--json"]);
    assert!(found.contains("a.jsonl"), "{found}");
    let first = world.birthmark(["unstamp", "a.jsonl", "--in-place"]);
    assert!(first.contains("older birthmark lay beneath"), "{first}");
    assert_eq!(world.read("a.jsonl"), once);
    let second = world.birthmark(["unstamp", "a.jsonl", "--in-place"]);
    assert!(!second.contains("beneath"), "{second}");
    assert_eq!(world.read("a.jsonl"), b"{\"a\": 1}\n{\"a\": 2}\n");
}

#[test]
fn way_out_of_stamping_is_told_to_who_stamps_alone() {
    let world = World::new();
    world.repo.write("a.safetensors", "abc");
    let out = ["stamp", "a.safetensors", "--type", "t", "--in-place"];
    assert!(world.birthmark(out).contains("leave out --in-place"));
    for args in [
        &["show", "a.safetensors"][..],
        &["unstamp", "a.safetensors", "--in-place"],
    ] {
        let picture = world.birthmark(args);
        assert!(picture.contains("shorter than 8 bytes"), "{picture}");
        assert!(!picture.contains("--in-place and --out"), "{picture}");
    }
    std::os::unix::fs::symlink("nowhere", world.at("link.jsonl")).unwrap();
    let picture = world.birthmark(["stamp", "link.jsonl", "--type", "t"]);
    assert!(picture.contains("a symbolic link to nothing"), "{picture}");
}

#[test]
fn line_too_long_to_unstamp_is_refused_before_it_is_held() {
    let world = World::new();
    let line = format!("{{\"a\": \"{}\"}}\n", "x".repeat(65 << 20));
    world.repo.write("a.jsonl", &line);
    let picture = world.birthmark(["unstamp", "a.jsonl", "--in-place"]);
    assert!(picture.contains("--longest-line"), "{picture}");
}
