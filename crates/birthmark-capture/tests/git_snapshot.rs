//! Snapshots against real git: what a fresh clone and a plain reader get out of them.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod snapshots;

use std::os::unix::fs::{PermissionsExt, symlink};

use birthmark_capture::git;
use birthmark_core::Finding;
use birthmark_core::code::ChangeKind;
use birthmark_testing::repo::{TestRepo, fingerprint};
use snapshots::{holds, open, snapshot, stored, tree_of};

#[test]
fn whole_tree_becomes_a_commit_and_nothing_else_changes() {
    let repo = TestRepo::with_commit();
    repo.write("old.py", "x = 1\n");
    repo.write("gone.py", "x = 2\n");
    repo.write("run.sh", "#!/bin/sh\n");
    repo.write(".gitignore", "*.log\n");
    repo.commit_all("more");
    repo.git(["mv", "old.py", "new name.py"]);
    repo.write("train.py", "lr = 2\n");
    repo.git(["add", "train.py"]);
    repo.write("train.py", "lr = 3\n");
    std::fs::remove_file(repo.path().join("gone.py")).unwrap();
    std::fs::set_permissions(repo.path().join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("train.py", repo.path().join("link")).unwrap();
    symlink("/nowhere/at/all", repo.path().join("data/dangling")).unwrap();
    repo.write("weights.bin", [0, 159, 146, 150, 0, 255]);
    repo.write("new/deep/ünï.py", "");
    let ignored = repo.write("x.log", "ignored");
    let artifact = repo.write("artifacts/out.jsonl", "{}\n");
    std::fs::remove_file(&ignored).unwrap();
    let parts = holds(&repo);
    assert!(artifact.exists());
    let taken = parts[0].taken.as_ref().unwrap();
    assert_eq!(taken.parent.as_deref(), Some(repo.head().as_str()));
    assert_eq!(
        repo.git(["rev-parse", "refs/birthmark/snapshots/r1"])
            .trim(),
        parts[0].commit
    );
    assert_eq!(
        repo.git(["cat-file", "-t", &parts[0].commit]).trim(),
        "commit"
    );
    // The same tree again is the same commit, and keeps its own reference.
    assert_eq!(snapshot(repo.path(), "r2")[0].commit, parts[0].commit);
}

#[test]
fn clean_tree_and_ignored_files_need_no_snapshot() {
    let repo = TestRepo::with_commit();
    repo.write(".gitignore", "*.log\n");
    let head = repo.commit_all("ignore");
    repo.write("x.log", "ignored");
    repo.write("artifacts/out.jsonl", "{}\n");
    let before = fingerprint(&repo.git_dir());
    let parts = snapshot(repo.path(), "r1");
    assert_eq!((parts.len(), &parts[0].commit), (1, &head));
    assert!(parts[0].taken.is_none());
    assert_eq!(before, fingerprint(&repo.git_dir()));
}

#[test]
fn before_the_first_commit_the_tree_is_kept_as_well() {
    let repo = TestRepo::unborn();
    assert!(snapshot(repo.path(), "r0").is_empty());
    repo.write("a.py", "1\n");
    repo.write("b/c.py", "2\n");
    repo.git(["add", "a.py"]);
    let parts = holds(&repo);
    assert_eq!(parts[0].taken.as_ref().unwrap().parent, None);
}

#[test]
fn other_formats_of_repositories_are_kept_as_well() {
    for repo in [
        TestRepo::sha256(),
        TestRepo::reftable(),
        TestRepo::separate_git_dir(),
    ] {
        repo.write("train.py", "lr = 2\n");
        repo.write("new.py", "n\n");
        let parts = snapshot(repo.path(), "r1");
        assert_eq!(
            stored(&open(repo.path()), &parts[0].commit),
            tree_of(repo.path())
        );
        let named = repo.git(["rev-parse", "refs/birthmark/snapshots/r1"]);
        assert_eq!(named.trim(), parts[0].commit);
    }
    let origin = TestRepo::with_commit();
    let linked = origin.add_worktree("side");
    std::fs::write(linked.join("train.py"), "lr = 9\n").unwrap();
    let parts = snapshot(&linked, "r1");
    assert_eq!(stored(&open(&linked), &parts[0].commit), tree_of(&linked));
}

#[test]
fn a_program_that_became_a_link_as_long_as_it_is_told_whatever_the_link_leads_to() {
    for leads_to in ["gone", "same", "pipe"] {
        let repo = TestRepo::with_commit();
        repo.write("run.sh", "same");
        repo.write("same", "same");
        repo.write("keep.sh", "kept");
        for name in ["run.sh", "keep.sh"] {
            let rights = PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(repo.path().join(name), rights).unwrap();
        }
        repo.commit_all("a program");
        std::fs::remove_file(repo.path().join("run.sh")).unwrap();
        if leads_to == "pipe" {
            let path = repo.path().join("run.sh");
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.unwrap().success());
        } else {
            symlink(leads_to, repo.path().join("run.sh")).unwrap();
        }
        let state = git::capture_status(repo.path(), &git::StatusOptions::default());
        assert_eq!(state.dirty, Finding::Found(true), "{leads_to}: {state:#?}");
        let changed: Vec<_> = state.changed_files.iter().map(|one| one.kind).collect();
        assert_eq!(changed, [ChangeKind::TypeChanged], "{leads_to}");
        assert_eq!(
            repo.git(["status", "--porcelain"]).split(' ').next(),
            Some("")
        );
        if leads_to != "pipe" {
            holds(&repo);
        }
    }
}
