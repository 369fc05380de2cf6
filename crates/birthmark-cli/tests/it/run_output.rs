//! `birthmark run`: what a command says is shown as ever, and kept; what it makes is found.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{PROGRAM, World};

fn log(world: &World) -> String {
    let output = world.command(["session", "log"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn secrets_are_shown_and_not_kept() {
    let world = World::new();
    let token = format!("hf_{}", "abcdefghijklmnopqrstuvwxyzABCDEFGH");
    let output = world
        .command([
            "run",
            "--",
            "sh",
            "-c",
            "echo \"using $0\"; printf 'no end'",
        ])
        .arg(&token)
        .env("BIRTHMARK_QUIET", "1")
        .output()
        .unwrap();
    let shown = format!("using {token}\nno end");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);
    let kept = log(&world);
    assert!(kept.starts_with("using [redacted:"), "{kept}");
    assert!(kept.ends_with("\nno end"), "{kept}");
    let events = world.events();
    let mut logs = events.iter().filter(|event| event["event"] == "log_kept");
    let stdout = logs.find(|event| event["stream"] == "stdout").unwrap();
    assert_eq!(stdout["redacted"], 1);
}

#[test]
fn a_file_in_artifacts_that_the_shell_opened_for_the_output_is_an_artifact() {
    let world = World::new();
    std::fs::create_dir_all(world.path().join("artifacts")).unwrap();
    let line = format!("\"{PROGRAM}\" run -- sh -c 'echo 1; echo 2' > artifacts/out.txt");
    let mut shell = world.shell(&line);
    let status = shell.env("BIRTHMARK_QUIET", "1").status();
    assert!(status.unwrap().success());
    let page = world.birthmark(["show", "artifacts/out.txt"]);
    assert!(
        page.contains("observed") && page.contains("as recorded"),
        "{page}"
    );
}

#[test]
fn streams_that_go_the_same_way_keep_their_order() {
    let world = World::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done";
    let line = format!("exec \"{PROGRAM}\" run -- sh -c '{script}' 2>&1");
    let mut shell = world.shell(&line);
    let output = shell.env("BIRTHMARK_QUIET", "1").output().unwrap();
    let lines: Vec<String> = (1..10).map(|i| format!("out {i}\nerr {i}\n")).collect();
    let wanted = lines.concat();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted);
    assert_eq!(log(&world), wanted);
    assert_eq!(world.event("log_kept")["stream"], "output");
}

#[test]
fn reader_that_goes_away_breaks_the_pipe_of_the_command() {
    let world = World::new();
    let mut child = world
        .command(["run", "--", "/usr/bin/yes"])
        .env("BIRTHMARK_QUIET", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut two = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut two).unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!((&two, code), (b"y\n", Some(141)));
    assert_eq!(world.event("run_ended")["signal"], "SIGPIPE");
}

#[test]
fn what_a_command_leaves_behind_does_not_hold_its_end() {
    let world = World::new();
    let begun = Instant::now();
    let output = world
        .command(["run", "--", "sh", "-c", "/bin/sleep 4 & echo done"])
        .env("BIRTHMARK_QUIET", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = output;
    assert!(output.wait().unwrap().success());
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(log(&world), "done\n");
}

#[test]
fn output_goes_on_and_is_kept_when_the_supervisor_is_killed() {
    let world = World::new();
    let script =
        "echo $$; while [ ! -e go ]; do /bin/sleep 0.05; done; echo after; /bin/touch done";
    let mut child = world
        .command(["run", "--", "sh", "-c", script])
        .env("BIRTHMARK_QUIET", "1")
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {}
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    world.repo.write("go", "");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "after\n");
    assert!(world.at("done").exists());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !log(&world).ends_with("after\n") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(log(&world).ends_with("after\n"), "{}", log(&world));
}

#[test]
fn terminal_stays_a_terminal_and_what_is_said_is_kept() {
    let world = World::new();
    let test = "test -t 0 && test -t 1 && test -t 2 && echo terminal; /bin/stty size <&1";
    world.repo.write("tty.sh", format!("{test}\n"));
    let line = format!("/bin/stty rows 31 cols 99; exec {PROGRAM} run -- sh tty.sh");
    let Some(mut pty) = world.on_a_terminal(&line) else {
        return;
    };
    let output = pty
        .env("BIRTHMARK_QUIET", "1")
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("terminal\r\n31 99\r\n"), "{shown:?}");
    assert_eq!(log(&world), "terminal\n31 99\n");
}

#[test]
fn files_that_a_plain_command_made_are_listed_and_plans_are_met() {
    let world = World::new();
    let script = "/bin/mkdir -p artifacts/model; echo '{\"x\":1}' > artifacts/a.jsonl; \
                  echo {} > artifacts/model/config.json; echo w > artifacts/model/m.safetensors";
    let plans = [
        "--planned",
        "a.jsonl (1 record)",
        "--planned",
        "model checkpoint",
    ];
    let mut words = vec!["run"];
    words.extend(plans);
    words.extend(["--", "sh", "-c", script]);
    let said = world.birthmark(words);
    assert!(said.contains("planned 2, made 2"), "{said}");
    let sealed: Vec<_> = world
        .events()
        .into_iter()
        .filter(|event| event["event"] == "artifact_sealed")
        .collect();
    let files: Vec<_> = sealed
        .iter()
        .map(|event| event["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["artifacts/a.jsonl", "artifacts/model"]);
    let by = sealed[0]["notes"]["observed_by"].as_str().unwrap();
    assert!(by == "folder" || by == "preload", "{by}");
    assert_eq!(sealed[0]["records"], 1);
    assert!(!world.at("artifacts/a.jsonl.birthmark.json").exists());
    let shown = world.birthmark(["show", "artifacts/model"]);
    assert!(shown.contains("observed"), "{shown}");
    let verified = world.birthmark(["verify"]);
    assert!(verified.starts_with("exit status: 0"), "{verified}");
    world.repo.write("artifacts/a.jsonl", "{\"x\":2}\n");
    let verified = world.birthmark(["verify", "artifacts/a.jsonl"]);
    assert!(verified.starts_with("exit status: 1"), "{verified}");
}

#[test]
fn memory_of_the_command_is_recorded() {
    let world = World::new();
    let script = "import time; x = bytearray(200 << 20); time.sleep(0.5)";
    let output = world
        .command(["run", "--", "/usr/bin/python3", "-c", script])
        .output()
        .unwrap();
    if output.status.code() == Some(127) {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this test needs `python3`");
        return;
    }
    let usage = &world.event("run_ended")["usage"];
    let most = 200 << 20;
    assert!(
        usage["largest_process_bytes"].as_u64().unwrap() > most,
        "{usage}"
    );
    // Looked at now and then: how much of it was seen depends on how busy the machine is.
    assert!(usage["memory_bytes"].as_u64().unwrap() > 0, "{usage}");
}
