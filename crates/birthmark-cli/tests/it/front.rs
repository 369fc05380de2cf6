//! The front page, the help, and mistyped command lines.

use crate::world::World;

#[test]
fn bare_call_is_the_front_page() {
    World::new().snapshot("front_page", [] as [&str; 0]);
}

#[test]
fn version_is_that_of_the_workspace() {
    let output = World::new().output(["--version"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("birthmark {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn help_of_the_root_names_every_command() {
    World::new().snapshot("help", ["-h"]);
}

#[test]
fn mistyped_commands_and_options_are_answered_with_the_nearest() {
    let world = World::new();
    world.snapshot("mistyped_command", ["shwo", "x"]);
    world.snapshot("mistyped_option", ["verify", "--jsn"]);
    world.snapshot("missing_argument", ["show"]);
    world.snapshot("missing_type", ["stamp", "train.py"]);
    world.snapshot(
        "two_targets",
        ["stamp", "a", "--type", "t", "--in-place", "--out", "b"],
    );
}

#[test]
fn control_characters_of_the_command_line_are_escaped() {
    let output = World::new().output(["\x1b[31mshow\x07"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.chars().any(|c| c.is_control() && c != '\n'),
        "{said:?}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn folder_option_works_as_if_started_there() {
    let world = World::new();
    let text = world.birthmark(["-C", "data", "show", "a.txt"]);
    assert!(
        text.contains("data/a.txt: no birthmark"),
        "found from there: {text}"
    );
    assert!(
        text.starts_with("exit status: 1"),
        "no birthmark is no: {text}"
    );
    world.snapshot("no_such_folder", ["-C", "nowhere", "doctor"]);
}

#[test]
fn reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let world = World::new();
    let mut child = world
        .command(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

#[test]
fn full_disk_under_stdout_is_said() {
    let world = World::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = world
        .command(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    world.check("stdout_full", &crate::world::picture(&output));
}

#[test]
fn colour_is_asked_for_and_never_given_to_a_pipe() {
    let world = World::new();
    let stderr = |args: &[&str]| String::from_utf8(world.output(args).stderr).unwrap();
    assert!(!stderr(&["show", "nix.json"]).contains('\x1b'));
    assert!(
        stderr(&["--color", "always", "show", "nix.json"]).contains("\x1b[1m\x1b[31merror:\x1b[0m")
    );
    assert!(!stderr(&["--color=never", "show", "nix.json"]).contains('\x1b'));
}

#[test]
fn completions_and_manual_pages_are_made_for_every_command() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = world.output(["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && script.contains("unstamp"),
            "{shell}"
        );
    }
    let output = world.output(["completions", "bash"]);
    let checked = std::process::Command::new("bash")
        .args(["-n", "-c", std::str::from_utf8(&output.stdout).unwrap()])
        .output();
    assert!(
        checked.unwrap().status.success(),
        "bash reads its completions"
    );

    world.birthmark(["man", "--out", "man"]);
    for page in [
        "birthmark.1",
        "birthmark-stamp.1",
        "birthmark-session-start.1",
    ] {
        let text = String::from_utf8(world.read(&format!("man/{page}"))).unwrap();
        assert!(text.contains(".TH") && text.contains("SYNOPSIS"), "{page}");
    }
}
