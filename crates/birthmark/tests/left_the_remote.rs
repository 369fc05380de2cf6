//! A rebase and a force push take commits off every branch, and `git gc` throws away what no
//! reference names: what ran is kept all the same. So is what was edited while it ran.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod world;

use std::fs;

use birthmark::Project;
use birthmark::session::{Begin, RunEnd, begin};
use birthmark::snapshot;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_core::{SessionId, Timestamp};
use birthmark_testing::repo::TestRepo;
use world::{World, copy_folder, restore, run};

/// A pushed commit and one that was not pushed; a run on each.
fn two_runs() -> (World, [(SessionId, String); 2]) {
    let world = World::new();
    world.repo.write(".gitignore", "artifacts/\n");
    world.repo.write("train.py", "print('a')\n");
    let a = world.repo.commit_all("A");
    push(&world, &[]);
    let ran_a = run(world.repo.path());
    world.repo.write("train.py", "print('b')\n");
    let b = world.repo.commit_all("B");
    let ran_b = run(world.repo.path());
    (world, [(ran_a, a), (ran_b, b)])
}

fn push(world: &World, more: &[&str]) {
    let words = ["-c", "protocol.file.allow=always", "push", "-q"];
    let to = ["origin", "main"];
    world.repo.git(words.iter().chain(more).chain(&to));
}

/// Every commit is made anew, and the remote has the new ones alone.
fn rewrite(world: &World) {
    let again = "git commit -q --amend --no-edit --date=2020-01-01T00:00:00Z";
    world.repo.git(["rebase", "-q", "--root", "--exec", again]);
    push(world, &["--force"]);
    // The remote forgets, too.
    world.remote.git(["gc", "-q", "--prune=now"]);
}

fn throw_away(repo: &TestRepo) {
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
}

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn references(repo: &TestRepo) -> Vec<String> {
    let all = repo.git([
        "for-each-ref",
        "--format=%(refname)",
        "refs/birthmark/commits/",
    ]);
    all.lines().map(str::to_owned).collect()
}

#[test]
fn commits_that_ran_outlive_a_rebase_a_force_push_and_gc() {
    let (world, ran) = two_runs();
    rewrite(&world);
    for (_, commit) in &ran {
        let phrase = snapshot::lives(&world.project(), commit).phrase();
        assert!(
            phrase.ends_with("; on no branch and no remote any more"),
            "{phrase}"
        );
    }
    throw_away(&world.repo);
    for ((id, commit), text) in ran.iter().zip(["print('a')\n", "print('b')\n"]) {
        let into = world.repo.outside().join(commit);
        restore(&world.project(), id.as_str(), &into);
        assert_eq!(fs::read_to_string(into.join("train.py")).unwrap(), text);
    }
}

#[test]
fn next_run_puts_into_the_store_what_has_left_the_remote() {
    let (world, ran) = two_runs();
    assert!(!snapshot::lives(&world.project(), &ran[0].1).store);
    rewrite(&world);
    run(world.repo.path());
    // The machine is gone: the artifacts and the remote remain.
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    for (id, commit) in &ran {
        assert!(snapshot::lives(&project, commit).store);
        let into = fresh.outside().join(commit);
        let back = restore(&project, id.as_str(), &into);
        assert!(back.is_exact() && back.from_store);
    }
    let gone = fresh.outside().join(&ran[0].1).join("train.py");
    assert_eq!(fs::read_to_string(gone).unwrap(), "print('a')\n");
}

#[test]
fn files_of_a_snapshot_come_back_where_only_the_commit_below_it_is_gone() {
    let world = World::new();
    world.repo.write(".gitignore", "artifacts/\n");
    world.repo.commit_all("A");
    push(&world, &[]);
    world.repo.write("train.py", "print('edited')\n");
    let id = run(world.repo.path());
    world.repo.git(["checkout", "-q", "--", "train.py"]);
    rewrite(&world);
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    let into = fresh.outside().join("back");
    let back = restore(&project, id.as_str(), &into);
    assert!(back.from_store && !back.brought_in);
    let text = fs::read_to_string(into.join("train.py")).unwrap();
    assert_eq!(text, "print('edited')\n");
    let lives = snapshot::lives(&project, &back.commit);
    assert_eq!(lives.phrase(), "in the store only");
}

#[test]
fn one_reference_a_commit_keeps_it_and_nothing_of_the_users_sees_it() {
    let (world, ran) = two_runs();
    run(world.repo.path());
    world.repo.write("train.py", "print('dirty')\n");
    run(world.repo.path());
    let mut kept: Vec<String> = ran
        .iter()
        .map(|(_, commit)| format!("refs/birthmark/commits/{commit}"))
        .collect();
    kept.sort();
    assert_eq!(references(&world.repo), kept);
    assert_eq!(world.repo.status().trim(), "M train.py");
    assert_eq!(world.repo.git(["branch", "-a"]).lines().count(), 2);
    let words = [
        "-c",
        "protocol.file.allow=always",
        "push",
        "-q",
        "--all",
        "origin",
    ];
    world.repo.git(words);
    assert_eq!(references(&world.remote), Vec::<String>::new());
}

#[test]
fn old_reference_goes_only_where_what_it_keeps_can_be_had_otherwise() {
    let (world, ran) = two_runs();
    let later = Timestamp::from_micros(now() + 40 * 86_400_000_000);
    let kept = |dry| {
        let pruned = snapshot::prune(&world.project(), 30, later, dry).unwrap();
        let of = |commit: &str| pruned.iter().find(|one| one.commit == commit).cloned();
        ran.each_ref().map(|(_, commit)| of(commit).unwrap().kept)
    };
    // A is on the remote; what the store has of B builds on it.
    let [a, b] = kept(true);
    assert_eq!(a.as_deref(), Some("the store does not have it"));
    assert_eq!(b, None);
    rewrite(&world);
    run(world.repo.path());
    assert_eq!(kept(false), [None, None]);
    throw_away(&world.repo);
    for (id, commit) in &ran {
        let into = world.repo.outside().join(commit);
        assert!(restore(&world.project(), id.as_str(), &into).from_store);
    }
}

#[test]
fn what_was_edited_while_it_ran_is_kept_and_restoring_what_it_began_with_says_so() {
    let world = World::new();
    let mut options = Begin::at(world.repo.path(), OpenedBy::Script);
    options.script = Some(world.repo.path().join("train.py"));
    let session = begin(options).unwrap();
    session.code();
    world.repo.write("data/a.txt", "edited\n");
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    world.repo.git(["checkout", "-q", "--", "data/a.txt"]);
    throw_away(&world.repo);

    let project = world.project();
    let began = world.repo.outside().join("began");
    let back = restore(&project, session.id().as_str(), &began);
    assert!(!back.is_exact() && !back.is_snapshot);
    let [why] = &back.inexact[..] else {
        panic!("{:?}", back.inexact);
    };
    let before = "data/a.txt changed while it ran: as it was in the end it is in ";
    let commit = why.strip_prefix(before).unwrap();
    let ended = world.repo.outside().join("ended");
    restore(&project, commit, &ended);
    let text = fs::read_to_string(ended.join("data/a.txt")).unwrap();
    assert_eq!(text, "edited\n");
}

#[test]
fn caches_of_tools_are_neither_dirt_nor_in_a_snapshot_unless_git_tracks_them() {
    let world = World::new();
    world
        .repo
        .write("lib/__pycache__/a.cpython-311.pyc", [0, 1]);
    world.repo.write(".pytest_cache/v/last", "x");
    world.repo.write("train.pyc", [2]);
    assert_eq!(code(&world).dirty.found(), Some(&false));
    // Bytecode alone is code, and so is what git tracks.
    world.repo.write("alone.pyc", [3]);
    let state = code(&world);
    assert_eq!((state.dirty.found(), state.untracked), (Some(&true), 1));
    world.repo.git(["add", "-f", "lib"]);
    assert_eq!(code(&world).staged, 1);
    // A project says for itself what its caches are.
    world
        .repo
        .write("birthmark.toml", "[snapshot]\ncaches = [\"alone.pyc\"]\n");
    world.repo.commit_all("with settings and caches");
    world.repo.write("alone.pyc", [4]);
    assert_eq!(code(&world).unstaged, 1);
    world.repo.git(["checkout", "-q", "--", "."]);
    world.repo.write("new/alone.pyc", [4]);
    assert_eq!(code(&world).untracked, 0);
    world.repo.write(".ruff_cache/x", "x");
    assert_eq!(code(&world).untracked, 1);
}

fn code(world: &World) -> birthmark_core::code::CodeState {
    birthmark::looks::code_at(&world.repo.path().join("train.py"), true).state
}
