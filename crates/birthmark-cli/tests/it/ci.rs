//! docs/refuse-unstamped-data.md, word for word: its policy, its hook, its job.

use std::process::Command;

use crate::world::{PROGRAM, World};

const GUIDE: &str = include_str!("../../../../docs/refuse-unstamped-data.md");

/// The first block of a language in the guide.
fn block(language: &str) -> String {
    let open = format!("```{language}\n");
    let from = GUIDE.find(&open).expect(language) + open.len();
    let length = GUIDE[from..].find("```").expect("closed");
    GUIDE[from..from + length].to_owned()
}

/// A repository with the guide's policy and hook.
fn guarded() -> World {
    let world = World::new();
    world.repo.write("birthmark.toml", block("toml"));
    world.repo.git(["add", "birthmark.toml"]);
    world.repo.git(["commit", "-q", "-m", "Policy"]);
    world.repo.write(".git/hooks/pre-commit", block("sh"));
    let hook = world.at(".git/hooks/pre-commit");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(hook, mode).expect("executable");
    world
}

/// Whether git commits `file`, and what it says.
fn commit(world: &World, file: &str) -> (bool, String) {
    world.repo.git(["add", "-f", file]);
    let folder = std::path::Path::new(PROGRAM).parent().expect("folder");
    let done = Command::new("git")
        .args(["commit", "-q", "-m", "Data"])
        .current_dir(world.path())
        .env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()),
        )
        .env("HOME", world.repo.home())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|who| {
            [
                (format!("GIT_{who}_NAME"), "Test"),
                (format!("GIT_{who}_EMAIL"), "test@example.invalid"),
            ]
        }))
        .output()
        .expect("git runs");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn stamped(world: &World, text: &str, set: &[&str]) {
    // A file in the index makes the tree dirty until it is committed.
    let unstage = [
        "rm",
        "-q",
        "--cached",
        "--ignore-unmatch",
        "artifacts/a.jsonl",
    ];
    world.repo.git(unstage);
    world.repo.write("artifacts/a.jsonl", text);
    let said = stamp(world, set);
    assert!(said.starts_with("exit status: 0"), "{said}");
}

fn stamp(world: &World, set: &[&str]) -> String {
    let mut args = vec![
        "stamp",
        "artifacts/a.jsonl",
        "--in-place",
        "--type",
        "training_data",
    ];
    for pair in set {
        args.extend(["--set", pair]);
    }
    world.birthmark(args)
}

#[test]
fn the_hook_refuses_what_the_policy_refuses_and_takes_the_rest() {
    let world = guarded();
    world.repo.write("artifacts/a.jsonl", "{\"a\": 1}\n");
    let (taken, said) = commit(&world, "artifacts/a.jsonl");
    assert!(
        !taken && said.contains("FAILED") && said.contains("birthmark"),
        "{said}"
    );

    // The policy refuses at the stamping already; so the data is spoiled by hand.
    let refused = stamp(&world, &["seed=1", "template_disabled=false"]);
    assert!(
        refused.contains("refused") && refused.contains("template_disabled is false"),
        "{refused}"
    );
    let sound = ["seed=1", "template_disabled=true"];
    for (by, why) in [
        ("\"template_disabled\":false,", "template_disabled is false"),
        ("", "template_disabled is missing"),
    ] {
        stamped(&world, "{\"a\": 1}\n", &sound);
        let path = world.at("artifacts/a.jsonl");
        let text = std::fs::read_to_string(&path).expect("stamped");
        let spoiled = text.replace("\"template_disabled\":true,", by);
        assert_ne!(spoiled, text);
        world.repo.write("artifacts/a.jsonl", &spoiled);
        let (taken, said) = commit(&world, "artifacts/a.jsonl");
        assert!(!taken && said.contains(why), "{said}");
    }

    let leak = "{\"a\": \"hf_EXAMPLEexampleEXAMPLEexampleEXAMPLE\"}\n";
    stamped(&world, leak, &["seed=1", "template_disabled=true"]);
    let (taken, said) = commit(&world, "artifacts/a.jsonl");
    assert!(!taken && said.contains("huggingface-token"), "{said}");

    stamped(
        &world,
        "{\"a\": 1}\n",
        &["seed=1", "template_disabled=true"],
    );
    let (taken, said) = commit(&world, "artifacts/a.jsonl");
    assert!(taken, "{said}");
    // A commit without data asks nothing.
    world.repo.write("notes.md", "x\n");
    assert!(commit(&world, "notes.md").0);
}

#[test]
fn the_job_runs_as_it_stands() {
    let world = guarded();
    stamped(
        &world,
        "{\"a\": 1}\n",
        &["seed=1", "template_disabled=true"],
    );
    let workflow = GUIDE.split("```yaml\n").nth(2).expect("a workflow");
    let commands: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- run: birthmark "))
        .collect();
    assert_eq!(commands.len(), 3, "{workflow}");
    for command in commands {
        let said = world.birthmark(command.split(' '));
        assert!(said.starts_with("exit status: 0"), "{command}: {said}");
    }
    let xml = String::from_utf8(world.read("birthmark.xml")).expect("text");
    assert!(xml.contains("artifacts/a.jsonl"), "{xml}");
}
