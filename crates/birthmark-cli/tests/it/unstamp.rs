//! `birthmark unstamp`: the original bytes, or nothing.

use crate::world::World;

const RECORDS: &str = "{\"a\": 1.50}\r\n{\"b\":[NaN, 1e400]}\n{}\n{\"last\": \"no line end\"}";
const REPORT: &str = "{\n  \"accuracy\": 0.50,\n  \"items\": [1, 2]\n}\n";

fn stamped(world: &World, name: &str, text: &str, more: &[&str]) {
    world.repo.write(name, text);
    let mut args = vec!["stamp", name, "--type", "evaluation", "--in-place"];
    args.extend(more);
    let picture = world.birthmark(&args);
    assert!(picture.starts_with("exit status: 0"), "{picture}");
    assert_ne!(world.read(name), text.as_bytes());
}

#[test]
fn stamped_and_unstamped_is_the_original_byte_for_byte() {
    let world = World::new();
    for (name, text) in [("a.jsonl", RECORDS), ("a.json", REPORT), ("b.json", "{}")] {
        stamped(&world, name, text, &[]);
        world.birthmark(["unstamp", name, "--out", "copy.out"]);
        assert_eq!(world.read("copy.out"), text.as_bytes(), "{name}");
        std::fs::remove_file(world.at("copy.out")).unwrap();
        world.birthmark(["unstamp", name, "--in-place"]);
        assert_eq!(world.read(name), text.as_bytes(), "{name}");
    }
}

#[test]
fn packed_text_comes_back_as_its_new_name_says() {
    let world = World::new();
    world.repo.write("a.jsonl", RECORDS);
    for packed in ["a.jsonl.gz", "a.jsonl.zst"] {
        let picture = world.birthmark(["stamp", "a.jsonl", "--type", "t", "--out", packed]);
        assert!(picture.starts_with("exit status: 0"), "{picture}");
        assert!(!world.read(packed).starts_with(b"{"), "{packed}");
        let shown = world.birthmark(["show", packed, "--json"]);
        assert!(shown.contains("\"records\": 4"), "{shown}");
        let line = world.birthmark(["show", &format!("{packed}:4"), "--json"]);
        assert!(line.contains("birthmark/v1"), "{line}");
        for (out, text) in [("b.jsonl", RECORDS), ("b", RECORDS), ("b.jsonl.gz", "")] {
            let picture = world.birthmark(["unstamp", packed, "--out", out]);
            assert!(picture.starts_with("exit status: 0"), "{picture}");
            assert!(text.is_empty() || world.read(out) == text.as_bytes());
            std::fs::remove_file(world.at(out)).unwrap();
        }
    }
}

#[test]
fn weights_come_back_byte_for_byte() {
    let world = World::new();
    let header =
        r#"{"__metadata__":{"format":"pt"},"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}} "#;
    let mut text = String::from_utf8((header.len() as u64).to_le_bytes().to_vec()).unwrap();
    text.push_str(header);
    text.push_str("abc");
    stamped(&world, "m.safetensors", &text, &[]);
    assert!(world.read("m.safetensors").ends_with(b"abc"));
    let shown = world.birthmark(["show", "m.safetensors", "--json"]);
    assert!(shown.contains(&world.repo.head()), "{shown}");
    let verdict = world.birthmark(["verify", "m.safetensors"]);
    assert!(verdict.contains("not bound to a session"), "{verdict}");
    world.birthmark(["unstamp", "m.safetensors", "--in-place"]);
    assert_eq!(world.read("m.safetensors"), text.as_bytes());
    world
        .repo
        .write("bad.safetensors", "\u{1}\0\0\0\0\0\0\u{7f}{}");
    world.snapshot(
        "stamp_weights_of_a_false_length",
        ["stamp", "bad.safetensors", "--type", "model", "--in-place"],
    );
}

#[test]
fn metadata_of_ones_own_comes_back_whole() {
    let world = World::new();
    let text = "{\"metadata\": {\"mine\": 1}, \"x\": 2}\n{\"metadata\": \"text\"}\n{\"metadata\": {\"seed\": 1}}\n";
    stamped(
        &world,
        "a.jsonl",
        text,
        &["--on-existing", "merge", "--set", "seed=2"],
    );
    world.snapshot("unstamp_merged", ["unstamp", "a.jsonl", "--in-place"]);
    assert_eq!(world.read("a.jsonl"), text.as_bytes());
}

#[test]
fn replaced_birthmark_cannot_be_brought_back_and_is_refused() {
    let world = World::new();
    stamped(&world, "a.jsonl", "{\"a\": 1}\n", &[]);
    world.birthmark([
        "stamp",
        "a.jsonl",
        "--type",
        "evaluation",
        "--in-place",
        "--on-existing",
        "replace",
    ]);
    let before = world.read("a.jsonl");
    world.snapshot("unstamp_replaced", ["unstamp", "a.jsonl", "--in-place"]);
    assert_eq!(world.read("a.jsonl"), before);
}

#[test]
fn file_that_is_not_there_is_said_to_be_missing() {
    let world = World::new();
    let said = world.birthmark(["unstamp", "nofile", "--out", "x.json"]);
    assert!(said.contains("exit status: 2"), "{said}");
    assert!(said.contains("it is not there"), "{said}");
    let said = world.birthmark(["show", "nofile"]);
    assert!(
        said.contains("error: no file or session `nofile`"),
        "{said}"
    );
}

#[test]
fn what_has_no_birthmark_within_is_left_alone() {
    let world = World::new();
    world.repo.write("a.jsonl", "{\"a\": 1}\n");
    world.snapshot("unstamp_unstamped", ["unstamp", "a.jsonl", "--in-place"]);
    world.birthmark(["stamp", "train.py", "--type", "code"]);
    world.snapshot("unstamp_sidecar", ["unstamp", "train.py", "--in-place"]);
    world.snapshot("unstamp_nowhere", ["unstamp", "a.jsonl"]);
    world.repo.write("b.jsonl", "mine");
    stamped(&world, "c.jsonl", "{}\n", &[]);
    world.snapshot(
        "unstamp_out_exists",
        ["unstamp", "c.jsonl", "--out", "b.jsonl"],
    );
    assert_eq!(world.read("b.jsonl"), b"mine");
}

#[test]
fn pipe_is_not_unstamped_and_a_file_is_asked_for() {
    let world = World::new();
    let picture = world.birthmark(["unstamp", "-", "--out", "x.jsonl"]);
    assert!(picture.contains("a pipe cannot be unstamped"), "{picture}");
    assert!(picture.contains("hint: name a file"), "{picture}");
}

fn shell(world: &World, line: &str) {
    let mut shell = std::process::Command::new("/bin/sh");
    let done = shell.args(["-c", line]).current_dir(world.path()).status();
    assert!(done.unwrap().success(), "{line}");
}

#[test]
fn what_was_edited_since_it_was_stamped_is_refused_unless_it_is_forced() {
    let world = World::new();
    let text = "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3}\n";
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    for name in ["a.jsonl", "artifacts/b.jsonl", "c.jsonl.gz"] {
        if name == "c.jsonl.gz" {
            world.repo.write("plain.jsonl", text);
            shell(&world, "gzip -c plain.jsonl > c.jsonl.gz");
            let picture = world.birthmark(["stamp", name, "--type", "t", "--in-place"]);
            assert!(picture.starts_with("exit status: 0"), "{picture}");
            let edited = "gzip -dc c.jsonl.gz | sed 's/\"a\": 2/\"a\": 7/' | gzip -c > n";
            shell(&world, &format!("{edited} && mv n c.jsonl.gz"));
        } else {
            stamped(&world, name, text, &[]);
            let edited = String::from_utf8(world.read(name)).unwrap();
            let edited = edited.replacen("\"a\": 2", "\"a\": 7", 1);
            std::fs::write(world.at(name), edited).unwrap();
        }
        let before = world.read(name);
        let said = world.birthmark(["unstamp", name, "--in-place"]);
        assert!(said.starts_with("exit status: 2"), "{said}");
        assert!(said.contains("was edited since it was stamped"), "{said}");
        assert!(said.contains("--force"), "{said}");
        assert_eq!(world.read(name), before);
        let said = world.birthmark(["unstamp", name, "--out", "out.jsonl", "--force"]);
        assert!(said.contains("warning: it was edited since"), "{said}");
        let forced = text.replacen("\"a\": 2", "\"a\": 7", 1);
        assert_eq!(world.read("out.jsonl"), forced.as_bytes());
        std::fs::remove_file(world.at("out.jsonl")).unwrap();
    }
    // What stands in the birthmark is no part of the original: it may be edited.
    stamped(&world, "d.jsonl", text, &["--set", "seed=41"]);
    let edited = String::from_utf8(world.read("d.jsonl")).unwrap();
    std::fs::write(world.at("d.jsonl"), edited.replace("41", "42")).unwrap();
    let said = world.birthmark(["unstamp", "d.jsonl", "--in-place"]);
    assert!(said.starts_with("exit status: 0"), "{said}");
    assert_eq!(world.read("d.jsonl"), text.as_bytes());
}

#[test]
fn what_was_stamped_elsewhere_is_given_back_and_not_called_proved() {
    let (there, here) = (World::new(), World::new());
    stamped(&there, "a.jsonl", RECORDS, &[]);
    std::fs::write(here.at("a.jsonl"), there.read("a.jsonl")).unwrap();
    for (world, proved) in [(&there, true), (&here, false)] {
        let said = world.birthmark(["unstamp", "a.jsonl", "--out", "b.jsonl", "--json"]);
        assert!(said.contains(&format!("\"proved\": {proved}")), "{said}");
        assert_eq!(world.read("b.jsonl"), RECORDS.as_bytes());
        assert_eq!(said.contains("nothing here recorded"), !proved, "{said}");
    }
}
