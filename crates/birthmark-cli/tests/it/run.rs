//! `birthmark run`: the command is left alone, and remembered.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::world::World;

#[test]
fn exit_code_streams_and_stdin_pass_through() {
    let world = World::new();
    let script = "read line; echo \"out $line\"; echo err >&2; exit 7";
    let mut child = world
        .command(["run", "--", "sh", "-c", script])
        .env("BIRTHMARK_QUIET", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"out hello\n"[..], &b"err\n"[..])
    );
    let ended = world.event("run_ended");
    assert_eq!(
        (&ended["outcome"], &ended["exit_code"]),
        (&"failed".into(), &7.into())
    );
    assert!(ended["duration_s"].as_f64().unwrap() > 0.0);
    assert_eq!(world.event("session_ended")["outcome"], "failed");
}

#[test]
fn two_lines_are_said_and_the_run_is_recorded() {
    let world = World::new();
    world.snapshot("run", ["run", "--planned", "a.json", "--", "true"]);
    let started = world.event("run_started");
    assert_eq!(started["argv"], serde_json::json!(["true"]));
    assert_eq!(world.event("session_started")["opened_by"], "run");
    assert_eq!(world.event("session_ended")["outcome"], "completed");
}

#[test]
fn what_a_plain_command_made_lacks_two_things_and_not_seven() {
    let world = World::new();
    world.birthmark(["run", "--", "sh", "-c", "echo 1 > artifacts/x.txt"]);
    let page = world.birthmark(["show", "artifacts/x.txt"]);
    let unknown = page
        .lines()
        .skip_while(|line| !line.starts_with("unknown"))
        .take_while(|line| !line.starts_with("---"));
    let parts = unknown.flat_map(|line| line.split("  ")).map(str::trim);
    let unknown: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    assert_eq!(
        unknown,
        [
            "unknown",
            "script_name (no script: the code is in the command line)",
            "model and template (not given)"
        ],
        "{page}"
    );
}

#[test]
fn script_of_the_command_is_named() {
    let world = World::new();
    world.repo.write("work.sh", "exit 0\n");
    world.birthmark(["run", "--", "sh", "work.sh", "--lr", "1"]);
    assert_eq!(world.event("run_started")["script_name"], "work.sh");
}

#[test]
fn secrets_of_the_command_line_are_not_recorded() {
    let world = World::new();
    world.birthmark(["run", "--", "true", "--api-key", "hunter2hunter2hunter2"]);
    let text = format!("{:?}", world.events());
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_runs_under_it_joins_its_session() {
    let world = World::new();
    world.repo.write("a.json", "{}");
    let script = format!(
        "{} stamp a.json --type evaluation --in-place",
        crate::world::PROGRAM
    );
    world.birthmark(["run", "--", "sh", "-c", &script]);
    let mark = &world.json("a.json")["metadata"];
    assert_eq!(mark["session_id"], world.last_session());
    let runs: Vec<_> = world
        .events()
        .into_iter()
        .filter(|event| event["event"] == "writer_opened")
        .collect();
    assert_eq!(runs.len(), 2);
    let child = runs
        .iter()
        .find(|run| !run["parent_run"].is_null())
        .expect("a run under a run");
    let parent = runs.iter().find(|run| run["parent_run"].is_null()).unwrap();
    assert_eq!(child["parent_run"], parent["run_id"]);
}

#[test]
fn unknown_program_is_127_and_leaves_nothing_behind() {
    let world = World::new();
    world.snapshot("run_no_program", ["run", "--", "no-such-program"]);
    world.snapshot("run_not_executable", ["run", "--", "./train.py"]);
    assert!(!world.at("artifacts").exists());
}

/// A supervised command that says when it is ready.
struct Supervised {
    child: Child,
    command: Pid,
}

impl Supervised {
    /// Runs `script` with `sh`; it must print its pid first.
    fn start(world: &World, script: &str) -> Self {
        let mut command = world.command(["run", "--", "sh", "-c", script]);
        command
            .env("BIRTHMARK_QUIET", "1")
            .stdout(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let mut byte = [0];
        let out = child.stdout.as_mut().unwrap();
        while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            said.push(char::from(byte[0]));
        }
        let command = said
            .trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .expect("a pid");
        Self { child, command }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn code(mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end");
    }
}

#[test]
fn command_killed_by_a_signal_is_128_and_its_number() {
    for (signal, code, name) in [
        (Signal::KILL, 137, "SIGKILL"),
        (Signal::TERM, 143, "SIGTERM"),
    ] {
        let world = World::new();
        let run = Supervised::start(&world, "echo $$; exec sleep 30");
        kill_process(run.command, signal).unwrap();
        assert_eq!(run.code(), Some(code));
        let ended = world.event("run_ended");
        assert_eq!(
            (&ended["outcome"], &ended["signal"]),
            (&"interrupted".into(), &name.into())
        );
        assert_eq!(world.event("session_ended")["outcome"], "interrupted");
    }
}

/// Whether this process was started to ignore a signal, which its children then do too.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn signals_sent_to_the_supervisor_reach_the_command_once() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::USR1, "USR1"),
    ] {
        if is_ignored(signal) {
            // These tests run under nohup: no shell can hear such a signal.
            continue;
        }
        let world = World::new();
        // Counts what it gets, and ends a while after the first.
        let script = format!(
            "trap 'echo got >> got' {name}; echo $$; \
             n=0; while [ ! -e got ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done; sleep 0.3; exit 5"
        );
        let run = Supervised::start(&world, &script);
        kill_process(run.pid(), signal).unwrap();
        assert_eq!(run.code(), Some(5), "{name}");
        assert_eq!(world.read("got"), b"got\n", "{name}");
        let outcome = if name == "USR1" {
            "failed"
        } else {
            "interrupted"
        };
        assert_eq!(world.event("run_ended")["outcome"], outcome, "{name}");
    }
}

#[test]
fn hang_up_that_was_ignored_stays_ignored() {
    let world = World::new();
    let script = "echo $$; sleep 0.5; exit 3";
    // Started by a shell that ignores the signal, as nohup does.
    let mut shell = world.shell("trap '' HUP; exec \"$0\" run -- sh -c \"$1\"");
    shell
        .args([crate::world::PROGRAM, script])
        .env("BIRTHMARK_QUIET", "1");
    let mut child = shell
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut byte = [0];
    while child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {}
    kill_process_group(Pid::from_child(&child), Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(world.event("run_ended")["outcome"], "failed");
}

#[test]
fn killed_supervisor_leaves_the_command_and_a_right_record() {
    let world = World::new();
    let script = format!(
        "echo $$; while [ ! -e go ]; do sleep 0.05; done; {} stamp a.json --type t --in-place; touch done",
        crate::world::PROGRAM
    );
    world.repo.write("a.json", "{}");
    let run = Supervised::start(&world, &script);
    kill_process(run.pid(), Signal::KILL).unwrap();
    assert_eq!(run.code(), None);
    world.repo.write("go", "");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.at("done").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(world.at("done").exists(), "the command goes on");
    assert_eq!(
        world.json("a.json")["metadata"]["session_id"],
        world.last_session()
    );
    let list = world.birthmark_json(["session", "list", "--json"]);
    assert_eq!(list[0]["status"], "interrupted");
    let verify = world.birthmark(["verify", "a.json", "last"]);
    assert!(!verify.contains("FAILED"), "{verify}");
    let torn = world.birthmark(["session", "status", "last"]);
    assert!(torn.starts_with("exit status: 0"), "{torn}");
}

#[test]
fn interrupt_of_the_terminal_reaches_the_command_once() {
    // What a terminal does: the signal goes to the whole group, from the kernel. Without a
    // terminal of our own the nearest is a pty made by `script`.
    let world = World::new();
    world.repo.write(
        "count.sh",
        "trap 'echo got >> got' INT\necho ready > ready\n\
         n=0; while [ ! -e got ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done\nsleep 0.4\nexit 5\n",
    );
    let line = format!("exec {} run -- sh count.sh", crate::world::PROGRAM);
    let Some(mut pty) = world.on_a_terminal(&line) else {
        return;
    };
    let mut child = pty
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.at("ready").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(world.read("got"), b"got\n");
}
