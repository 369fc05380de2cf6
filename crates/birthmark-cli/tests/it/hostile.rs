//! A repository full of programs that git would run: no command of ours runs one.
//!
//! Every canary leaves its name when it runs. In the user's own repository filters may run,
//! as `git status` runs them, to tell whether a file was edited; in a stranger's, nothing does.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use birthmark_testing::repo::{TestRepo, is_root};

use crate::world::{World, picture};

/// A user that is not the one who runs the tests.
const STRANGER: u32 = 1000;

/// Settings that name a program, `{}`.
const PROGRAMS: [&str; 28] = [
    "[core]\nfsmonitor = {}",
    "[core]\nsshCommand = {}",
    "[core]\neditor = {}",
    "[core]\npager = {}",
    "[core]\naskPass = {}",
    "[core]\ngitProxy = {}",
    "[core]\nalternateRefsCommand = {}",
    "[sequence]\neditor = {}",
    "[diff]\nexternal = {}",
    "[diff \"evil\"]\ntextconv = {}\ncommand = {}",
    "[merge \"evil\"]\ndriver = {}",
    "[credential]\nhelper = {}",
    "[gpg]\nprogram = {}",
    "[gpg \"ssh\"]\nprogram = {}",
    "[commit]\ngpgSign = true",
    "[log]\nshowSignature = true",
    "[uploadpack]\npackObjectsHook = {}",
    "[remote \"origin\"]\nurl = ext::{} %S\nuploadpack = {}\nreceivepack = {}\nvcs = evil",
    "[remote \"other\"]\nurl = ssh://host/repo",
    "[protocol \"ext\"]\nallow = always",
    "[alias]\nstatus = !{}\nlog = !{}\nrev-parse = !{}\nbundle = !{}\ncat-file = !{}",
    "[submodule \"sub\"]\nupdate = !{}\nurl = ext::{}",
    "[submodule]\nrecurse = true",
    "[interactive]\ndiffFilter = {}",
    "[browser \"x\"]\ncmd = {}",
    "[trailer \"x\"]\ncommand = {}",
    "[pager]\nlog = {}\nshow = {}",
    "[include]\npath = more",
];

const HOOKS: [&str; 9] = [
    "applypatch-msg",
    "pre-commit",
    "post-commit",
    "post-checkout",
    "pre-auto-gc",
    "post-index-change",
    "reference-transaction",
    "post-update",
    "fsmonitor-watchman",
];

/// A world with a dirty tree, and the canary wherever git takes programs from.
fn trapped() -> (World, PathBuf) {
    let origin = TestRepo::with_commit();
    let world = World::new();
    let repo = &world.repo;
    let (canary, mark) = (repo.outside().join("canary"), repo.outside().join("mark"));
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\ncat\n", mark.display());
    std::fs::write(&canary, script).unwrap();
    std::fs::set_permissions(&canary, PermissionsExt::from_mode(0o755)).unwrap();
    repo.add_submodule(&origin, "sub");
    repo.write(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n");
    repo.write(".gitignore", "artifacts/\n");
    repo.commit_all("attributes");
    let program = canary.to_str().unwrap();
    let mut config = std::fs::read_to_string(repo.git_dir().join("config")).unwrap();
    for setting in PROGRAMS {
        writeln!(config, "{}", setting.replace("{}", program)).unwrap();
    }
    let filter =
        "[filter \"evil\"]\nclean = {0} filter\nsmudge = {0} filter\nprocess = {0} filter\n";
    config.push_str(&filter.replace("{0}", program));
    for git_dir in [repo.git_dir(), repo.git_dir().join("modules/sub")] {
        let hooks = git_dir.join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        for hook in HOOKS {
            std::fs::copy(&canary, hooks.join(hook)).unwrap();
        }
    }
    let more = format!("[core]\nfsmonitor = {program}\nsshCommand = {program}\n");
    std::fs::write(repo.git_dir().join("more"), more).unwrap();
    std::fs::write(repo.git_dir().join("config"), config).unwrap();
    repo.write("train.py", "lr = 2\n");
    repo.write("data/a.txt", "edited\n");
    repo.write("new.txt", "new\n");
    repo.write("sub/train.py", "lr = 3\n");
    (world, mark)
}

/// What anybody may call in a project that came from elsewhere.
fn call_everything(world: &World) -> Vec<(String, String)> {
    let there = |name: &str| world.repo.outside().join(name).display().to_string();
    let (restored, again, bundle) = (there("restored"), there("again"), there("b.bundle"));
    let made = "artifacts/out.txt";
    let commands: [&[&str]; 24] = [
        &["doctor"],
        &[
            "run",
            "--",
            "sh",
            "-c",
            "cat data/a.txt > artifacts/out.txt",
        ],
        &["session", "list"],
        &["session", "start"],
        &["session", "end"],
        &["show", made],
        &["verify", "--deep"],
        &["snapshot", "list"],
        &["snapshot", "show", "last"],
        &["snapshot", "diff", "last", made],
        &["snapshot", "restore", "last", "--into", &restored],
        &["bundle", made, "--out", &bundle],
        &["compare", made, made],
        &["trace", made],
        &["reproduce", made, "--dry-run"],
        &["reproduce", made, "--yes", "--inexact", "--into", &again],
        &["find", "dirty=true"],
        &["list"],
        &["catalog", "refresh"],
        &["policy", "check", "artifacts"],
        &["scan"],
        &["stamp", made, "--type", "data"],
        &["salvage"],
        &["snapshot", "prune", "--older-than", "0"],
    ];
    let call = |words: &&[&str]| (words.join(" "), picture(&world.output(*words)));
    commands.iter().map(call).collect()
}

#[test]
fn no_command_runs_a_program_that_a_strangers_repository_names() {
    if !is_root() {
        return;
    }
    let (world, mark) = trapped();
    let git = world.repo.try_git(["status"]);
    assert!(mark.exists(), "the canary must sing for git: {git:?}");
    std::fs::remove_file(&mark).unwrap();
    std::fs::create_dir_all(world.at("artifacts")).unwrap();
    world.repo.give_to(STRANGER);
    let said = call_everything(&world);
    let ran = std::fs::read_to_string(&mark).unwrap_or_default();
    assert_eq!(ran, "", "{said:#?}");
    let restored = world.repo.outside().join("restored/new.txt");
    assert_eq!(
        std::fs::read_to_string(restored).unwrap_or_default(),
        "new\n",
        "{said:#?}"
    );
}

#[test]
fn in_the_users_own_repository_no_command_runs_more_than_filters() {
    let (world, mark) = trapped();
    let said = call_everything(&world);
    let ran = std::fs::read_to_string(&mark).unwrap_or_default();
    let others: Vec<&str> = ran
        .lines()
        .filter(|line| !line.starts_with("filter"))
        .collect();
    assert_eq!(others, [] as [&str; 0], "{said:#?}");
    let restored = world.repo.outside().join("restored/data/a.txt");
    assert_eq!(
        std::fs::read_to_string(restored).unwrap_or_default(),
        "edited\n",
        "{said:#?}"
    );
    let again = world.repo.outside().join("again/artifacts/out.txt");
    assert_eq!(
        std::fs::read_to_string(again).unwrap_or_default(),
        "edited\n",
        "{said:#?}"
    );
}
