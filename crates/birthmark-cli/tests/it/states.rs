//! Awkward repositories, each held against what git itself says, through the program: the
//! commands that only look give git's answer or an unknown with its reason, and write nothing
//! into `.git`.

use std::path::Path;

use birthmark_testing::repo::{TestRepo, fingerprint, is_root};
use serde_json::Value;

use crate::world::World;

/// What a birthmark would hold: from git where git answers, else null with a reason.
struct Expected {
    commit: Option<String>,
    branch: Option<String>,
    dirty: Option<bool>,
}

fn by_git(world: &World) -> Expected {
    let said = |args: &[&str]| {
        let output = world.repo.try_git(args);
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    Expected {
        commit: said(&["rev-parse", "-q", "--verify", "HEAD^{commit}"]),
        branch: said(&["symbolic-ref", "-q", "--short", "HEAD"]),
        dirty: said(&["status", "--porcelain"]).map(|status| !status.is_empty()),
    }
}

/// Runs every command that only looks, with these variables set, and holds `doctor` to `expected`.
fn looks_right(state: &str, world: &World, expected: &Expected, env: &[(&str, &Path)]) {
    let git = world.repo.path().join(".git");
    let folders = [git, world.repo.outside().join("elsewhere.git")];
    let fingerprints = || -> Vec<_> {
        let there = folders.iter().filter(|folder| folder.is_dir());
        there.map(|folder| fingerprint(folder)).collect()
    };
    let before = fingerprints();
    let run = |args: &[&str]| {
        let mut command = world.command(args);
        command.envs(env.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(before, fingerprints(), "{state}: {args:?} wrote into .git");
        output
    };
    for args in [
        &["doctor"][..],
        &["verify"],
        &["show", "train.py"],
        &["session", "list"],
        &["session", "status"],
    ] {
        let said = String::from_utf8_lossy(&run(args).stderr).into_owned();
        assert!(!said.contains("panicked"), "{state}: {args:?}: {said}");
    }
    let output = run(&["doctor", "--json"]);
    assert!(output.status.success(), "{state}: {output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mark = &told["metadata"];
    for (name, wanted) in [
        ("git_commit", expected.commit.clone().map(Value::from)),
        ("git_branch", expected.branch.clone().map(Value::from)),
        ("git_dirty", expected.dirty.map(Value::from)),
    ] {
        assert_eq!(
            mark[name],
            Value::from(wanted.clone()),
            "{state}: {name} in {mark:#}"
        );
        let reason = mark["unknown"][name].as_str().unwrap_or_default();
        let needs_none = wanted.is_some() || name == "git_branch";
        assert!(
            needs_none || !reason.is_empty(),
            "{state}: {name} has no reason"
        );
    }
}

fn agrees_with_git(state: &str, repo: TestRepo, prepare: impl FnOnce(&TestRepo)) {
    prepare(&repo);
    let world = World::of(repo);
    let expected = by_git(&world);
    looks_right(state, &world, &expected, &[]);
}

#[test]
fn every_state_of_a_work_tree_is_what_git_says() {
    type Prepare = fn(&TestRepo);
    let states: [(&str, Prepare); 19] = [
        ("clean", |_| {}),
        ("edited", |repo| drop(repo.write("train.py", "lr = 9\n"))),
        ("staged", |repo| {
            repo.write("train.py", "lr = 9\n");
            repo.git(["add", "-A"]);
        }),
        ("deleted", |repo| {
            std::fs::remove_file(repo.path().join("train.py")).unwrap();
        }),
        ("only untracked", |repo| {
            repo.write("new_module.py", "");
        }),
        ("only ignored", |repo| {
            repo.write(".git/info/exclude", "*.log\n");
            repo.write("a.log", "");
        }),
        ("only the mode", |repo| {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(repo.path().join("train.py"), mode).unwrap();
        }),
        ("only line ends, converted", |repo| {
            repo.git(["config", "core.autocrlf", "true"]);
            repo.let_the_index_age();
            repo.write("train.py", "lr = 1\r\n");
        }),
        ("only line ends, not converted", |repo| {
            repo.write("train.py", "lr = 1\r\n");
        }),
        ("intent to add", |repo| {
            repo.write("new.py", "x\n");
            repo.git(["add", "-N", "new.py"]);
        }),
        ("detached", TestRepo::detach),
        ("merge", |repo| repo.stop_in("merge")),
        ("rebase", |repo| repo.stop_in("rebase")),
        ("cherry-pick", |repo| repo.stop_in("cherry-pick")),
        ("revert", |repo| repo.stop_in("revert")),
        ("bisect", TestRepo::start_bisect),
        ("index.lock", |repo| drop(repo.write(".git/index.lock", ""))),
        ("no index", |repo| {
            std::fs::remove_file(repo.path().join(".git/index")).unwrap();
        }),
        ("nested repository", |repo| {
            repo.git(["init", "-q", "nested"]);
            repo.write("nested/a", "");
        }),
    ];
    for (state, prepare) in states {
        agrees_with_git(state, TestRepo::with_commit(), prepare);
    }
}

#[test]
fn an_edit_that_git_was_told_not_to_see_is_dirt_all_the_same() {
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let world = World::of(TestRepo::with_commit());
        world.repo.git(["update-index", flag, "train.py"]);
        world.repo.write("train.py", "lr = 9\n");
        let seen = by_git(&world);
        assert_eq!(seen.dirty, Some(false), "git sees nothing");
        let dirty = Expected {
            dirty: Some(true),
            ..seen
        };
        looks_right(flag, &world, &dirty, &[]);
    }
}

#[test]
fn every_form_of_a_repository_is_what_git_says() {
    let origin = TestRepo::with_commit();
    origin.write("train.py", "lr = 2\n");
    origin.commit_all("second");
    let nothing = |_: &TestRepo| {};
    agrees_with_git("SHA-256", TestRepo::sha256(), nothing);
    agrees_with_git("reftable", TestRepo::reftable(), nothing);
    agrees_with_git("separate git folder", TestRepo::separate_git_dir(), nothing);
    agrees_with_git("shallow", TestRepo::shallow_clone_of(&origin, 1), nothing);
    agrees_with_git("partial", TestRepo::partial_clone_of(&origin), nothing);
    agrees_with_git(
        "borrowed objects",
        TestRepo::sharing_clone_of(&origin),
        nothing,
    );
    agrees_with_git("submodule", TestRepo::with_commit(), |repo| {
        repo.add_submodule(&origin, "sub");
    });
    agrees_with_git("dirty submodule", TestRepo::with_commit(), |repo| {
        repo.add_submodule(&origin, "sub");
        repo.write("sub/train.py", "lr = 9\n");
    });
    agrees_with_git("missing submodule", TestRepo::with_commit(), |repo| {
        repo.add_submodule(&origin, "sub");
        repo.git(["submodule", "--quiet", "deinit", "-f", "sub"]);
    });
}

#[test]
fn what_git_cannot_answer_is_null_with_its_reason() {
    let world = World::of(TestRepo::unborn());
    let expected = by_git(&world);
    assert!(expected.commit.is_none() && expected.branch.is_some());
    looks_right("unborn", &world, &expected, &[]);

    let world = World::new();
    let whole = by_git(&world);
    world.repo.write(".git/index", "DIRC\0\0\0\x02 and no more");
    let expected = Expected {
        dirty: None,
        ..whole
    };
    looks_right("corrupt index", &world, &expected, &[]);

    let world = World::new();
    let gone = "0123456789".repeat(4);
    world
        .repo
        .write(".git/refs/heads/main", format!("{gone}\n"));
    let output = world.output(["doctor", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mark = &told["metadata"];
    assert_ne!(mark["git_dirty"], Value::Bool(false), "{mark:#}");
    assert!(mark["unknown"]["git_commit"].is_string(), "{mark:#}");
}

#[test]
fn variables_of_git_and_a_missing_git_program_change_no_answer() {
    let world = World::new();
    world.repo.write("train.py", "lr = 9\n");
    let other = TestRepo::with_commit();
    other.commit_all("another history");
    let expected = by_git(&world);
    let (git_dir, index) = (other.git_dir(), other.git_dir().join("index"));
    let env: [(&str, &Path); 3] = [
        ("GIT_DIR", &git_dir),
        ("GIT_WORK_TREE", other.path()),
        ("GIT_INDEX_FILE", &index),
    ];
    looks_right("variables", &world, &expected, &env);
    world.without("git");
    looks_right("no git program", &world, &expected, &[]);
}

#[test]
fn repository_of_another_user_is_read_and_nothing_of_it_runs() {
    if !is_root() {
        return;
    }
    for dirty in [false, true] {
        let repo = TestRepo::with_commit();
        let canary = repo.outside().join("canary");
        let trap = format!("touch {}; cat", canary.display());
        repo.git(["config", "core.fsmonitor", &trap]);
        repo.git(["config", "filter.trap.clean", &trap]);
        repo.write(".git/info/attributes", "*.py filter=trap\n");
        if dirty {
            repo.write("data/a.txt", "another\n");
        }
        let world = World::of(repo);
        let expected = Expected {
            commit: by_git(&world).commit,
            branch: Some("main".to_owned()),
            dirty: Some(dirty),
        };
        let _ = std::fs::remove_file(&canary);
        world.repo.give_to(1000);
        looks_right("another owner", &world, &expected, &[]);
        assert!(!canary.exists(), "something of the repository ran");
    }
}
