//! What a terminal of 80 columns shows: no line runs over it.

use crate::world::{PROGRAM, World};

/// What a command shows on a terminal of 80 columns; none where there is no `script`.
fn on_screen(world: &World, line: &str) -> Option<String> {
    on_screen_of(world, 80, line)
}

fn on_screen_of(world: &World, columns: usize, line: &str) -> Option<String> {
    let line = format!("stty cols {columns} rows 24; exec {PROGRAM} --color never {line}");
    let mut pty = world.on_a_terminal(&line)?;
    let output = pty.env("PATH", "/usr/bin:/bin").output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[test]
fn no_line_runs_over_a_terminal_of_eighty_columns() {
    let world = World::new();
    world
        .repo
        .write("a_script_with_quite_a_long_name_that_is_new.py", "");
    let long = "sh -c ': a command that is much longer than any terminal is wide, by far'";
    world.repo.write(
        "birthmark.toml",
        "[policy]\nevaluation = [\"temperature >= 0 and temperature <= 2 and top_p set and seed set\"]\n",
    );
    world.birthmark(["run", "--", "sh", "-c", long]);
    world.repo.write("artifacts/weights.bin", [0_u8; 40]);
    world.birthmark([
        "stamp",
        "artifacts/weights.bin",
        "--type",
        "checkpoint",
        "--set",
        "model_name=a",
    ]);
    // What was interrupted, with a plan that was not met, has the longest words.
    world.output([
        "run",
        "--planned",
        "a.json",
        "--planned",
        "b.json",
        "--",
        "sh",
        "-c",
        "kill -9 $PPID",
    ]);
    for line in [
        "list",
        "session list",
        "snapshot list",
        "declare --out declared.json",
        "scan",
        "policy list",
        "doctor",
        "show artifacts/weights.bin",
        "verify artifacts",
        "find",
        "find --all",
        "find --runs",
        "find --sessions",
        "list --all",
        "catalog list",
    ] {
        let Some(shown) = on_screen(&world, line) else {
            return;
        };
        for shown in shown.lines() {
            assert!(shown.chars().count() <= 80, "{line}: {shown}");
        }
        assert!(shown.lines().count() > 1, "{line}: {shown}");
    }
    let shown = on_screen(&world, "list").unwrap_or_default();
    assert!(shown.contains("sh -c"), "{shown}");
}

#[test]
fn progress_runs_over_no_terminal_however_narrow() {
    let world = World::new();
    let line = format!("{{\"text\": \"{}\"}}\n", "x".repeat(1_000));
    world.repo.write("large.jsonl", line.repeat(200_000));
    for columns in [80, 60, 40, 20] {
        let words = "stamp --type t --force --out copy.jsonl large.jsonl";
        let Some(shown) = on_screen_of(&world, columns, words) else {
            return;
        };
        // What is quick on this machine draws nothing, and nothing is seen of it.
        for drawn in shown
            .split("\u{1b}[2K")
            .filter(|drawn| drawn.contains('%') || drawn.contains(" left"))
        {
            let drawn = drawn.split(['\n', '\u{1b}']).next().unwrap_or_default();
            let width = drawn.trim_end().chars().count();
            assert!(width <= columns, "{columns}: {drawn}");
        }
    }
}
