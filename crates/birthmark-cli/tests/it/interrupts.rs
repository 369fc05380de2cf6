//! Ctrl-C in the middle of the work: a clean end, the files as they were, and nothing
//! half-written beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::world::World;

/// All files below a folder, without what git keeps.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != ".git" {
                open.push(path);
            } else if path.is_file() {
                found.insert(path.to_string_lossy().into_owned(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Whether a process has a handler of its own for SIGINT.
fn catches_interrupts(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> 1 & 1 == 1)
}

/// Begins a command, and interrupts it once `when` holds.
fn interrupted(world: &World, args: &[&str], when: impl Fn(&Child) -> bool) -> (Output, String) {
    let mut child = world
        .ignoring_nothing(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !when(&child) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        assert!(begin.elapsed() < Duration::from_mins(1), "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    let process = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{args:?}: {said}");
    assert!(said.contains("it was interrupted"), "{args:?}: {said}");
    (output, said)
}

#[test]
fn of_many_files_each_is_as_it_was_or_stamped() {
    let world = World::new();
    let line = format!("{{\"text\": \"{}\"}}\n", "x".repeat(1000));
    for number in 0..12 {
        let name = format!("many/{number:02}.jsonl");
        world.repo.write(name, line.repeat(4_000));
    }
    let before = files(world.path());
    let command = ["stamp", "-r", "many", "--type", "t", "--in-place"];
    let first = world.at("many/00.jsonl");
    let length = fs::metadata(&first).unwrap().len();
    let (output, _) = interrupted(&world, &command, |_| {
        fs::metadata(&first).unwrap().len() > length
    });
    let mut after = files(world.path());
    after.retain(|name, _| !name.contains("/.birthmark/"));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>(),
        "nothing lies beside them"
    );
    let changed = after
        .iter()
        .filter(|(name, bytes)| before[*name] != **bytes);
    let changed: Vec<_> = changed.collect();
    assert!(changed.len() < 12, "it was not interrupted in between");
    assert_eq!(changed.len(), told.lines().count(), "{told}");
    for (name, bytes) in changed {
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 4_000, "{name}");
        assert!(lines.iter().all(|line| line.ends_with(b"}}\n")), "{name}");
    }
}

#[test]
fn import_goes_on_from_there_when_it_is_run_again() {
    let world = World::new();
    let mut names = Vec::new();
    for number in 0..400 {
        let name = format!("logs/{number:03}.json");
        world
            .repo
            .write(&name, r#"{"summary": {"accuracy": 0.5}, "results": []}"#);
        names.push(name);
    }
    let command: Vec<&str> = ["import"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let first = world.at("logs/000.json.birthmark.json");
    let (_, said) = interrupted(&world, &command, |_| first.exists());
    assert!(said.contains("files left"), "{said}");
    let written = files(&world.at("logs"));
    let hidden = written.keys().filter(|name| name.contains("/.birthmark-"));
    assert_eq!(hidden.count(), 0);
    for (name, bytes) in &written {
        let whole: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
        assert!(whole.is_ok(), "{name}");
    }
    let said = world.birthmark(&command);
    assert!(said.starts_with("exit status: 0"), "{said}");
    assert_eq!(files(&world.at("logs")).len(), 800);
}

#[test]
fn bundle_that_is_interrupted_leaves_no_file() {
    let world = World::new();
    let mut state = 1_u64;
    for number in 0..24 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(1 << 20)
        .collect();
        world.repo.write(format!("noise/{number}"), noise);
    }
    let commit = world.repo.commit_all("Noise");
    let before = files(world.path());
    interrupted(&world, &["bundle", &commit], catches_interrupts);
    assert!(files(world.path()) == before);
}

#[test]
fn salvage_repairs_nothing_after_an_interrupt() {
    let world = World::new();
    let mut command = vec!["salvage".to_owned(), "--repair".to_owned()];
    for number in 0..3_000 {
        let name = format!("torn/{number:04}.jsonl");
        world.repo.write(&name, "{\"a\": 1}\n{\"b\": \"to");
        command.push(name);
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let first = world.at("torn/0000.jsonl.torn");
    interrupted(&world, &command, |_| first.exists());
    let after = files(&world.at("torn"));
    let (mut repaired, mut left) = (0, 0);
    for number in 0..3_000 {
        let name = format!("{}/{number:04}.jsonl", world.at("torn").display());
        let bytes = &after[&name];
        if *bytes == b"{\"a\": 1}\n" {
            assert_eq!(after[&format!("{name}.torn")], b"{\"b\": \"to\n");
            repaired += 1;
        } else {
            assert_eq!(*bytes, b"{\"a\": 1}\n{\"b\": \"to");
            left += 1;
        }
    }
    assert!(repaired > 0 && left > 0, "{repaired} {left}");
}
