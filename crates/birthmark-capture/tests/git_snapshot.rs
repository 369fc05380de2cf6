//! Snapshots against real git: what a fresh clone and a plain reader get out of them.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use birthmark_capture::git::snapshot::{
    Changes, Lender, Part, SnapshotOptions, capture_status_and_changes, take,
};
use birthmark_capture::git::{Objects, StatusOptions, StoredKind};
use birthmark_core::Finding;
use birthmark_testing::repo::{TestRepo, fingerprint};

fn no_bare(_: &Lender) -> Result<PathBuf, String> {
    Err("no bare repository in this test".to_owned())
}

fn changes(root: &Path) -> Changes {
    let options = StatusOptions {
        time_limit: Duration::from_mins(1),
        artifacts: vec![root.join("artifacts")],
        ..StatusOptions::default()
    };
    capture_status_and_changes(root, &options).1.unwrap()
}

/// Takes a snapshot and makes its reference, as a session does.
fn snapshot(root: &Path, run: &str) -> Vec<Part> {
    snapshot_within(root, run, 50_000_000, 500_000_000)
}

fn snapshot_within(root: &Path, run: &str, max_file: u64, max_total: u64) -> Vec<Part> {
    let options = SnapshotOptions {
        max_file,
        max_total,
        deadline: Instant::now() + Duration::from_mins(1),
        began: None,
        make_bare: &no_bare,
    };
    let mut parts = take(&changes(root), &options).unwrap();
    for part in &mut parts {
        part.settle(run).unwrap();
    }
    parts
}

/// A file as it lies: its bytes and mode, or where it points.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lies {
    File(Vec<u8>, bool),
    Link(PathBuf),
}

type Tree = BTreeMap<Vec<u8>, Lies>;

/// Every file below a folder, but for git's own and the artifacts.
fn tree_of(root: &Path) -> Tree {
    use std::os::unix::ffi::OsStrExt;
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec();
            let meta = path.symlink_metadata().unwrap();
            if path.file_name().unwrap() == ".git" || name == b"artifacts" {
                continue;
            }
            if meta.is_symlink() {
                tree.insert(name, Lies::Link(std::fs::read_link(&path).unwrap()));
            } else if meta.is_dir() {
                folders.push(path);
            } else if meta.is_file() {
                let executable = meta.permissions().mode() & 0o100 != 0;
                tree.insert(name, Lies::File(std::fs::read(&path).unwrap(), executable));
            }
        }
    }
    tree
}

/// What our reader gives back of a commit.
fn stored(objects: &Objects, commit: &str) -> Tree {
    use std::os::unix::ffi::OsStrExt;
    let mut tree = Tree::new();
    let put = |path: &[u8], kind: StoredKind| -> Result<(), ()> {
        let lies = match kind {
            StoredKind::File { bytes, executable } => Lies::File(bytes, executable),
            StoredKind::Link(target) => {
                Lies::Link(PathBuf::from(std::ffi::OsStr::from_bytes(&target)))
            }
            StoredKind::Nested(_) => return Ok(()),
        };
        tree.insert(path.to_vec(), lies);
        Ok(())
    };
    objects.files(commit, put).unwrap();
    tree
}

fn open(root: &Path) -> Objects {
    match Objects::open(root) {
        Finding::Found(objects) => objects,
        other => panic!("{other:?}"),
    }
}

/// The whole promise for one repository: its tree comes back, git finds no fault, and
/// nothing of git's own changed but for new objects and the reference.
fn holds(repo: &TestRepo) -> Vec<Part> {
    let before = fingerprint(&repo.git_dir());
    let work = fingerprint(repo.path());
    let parts = snapshot(repo.path(), "r1");
    let snapshot = parts[0].taken.as_ref().expect("the tree is dirty");
    assert!(snapshot.is_exact(), "{snapshot:?}");
    assert_eq!(
        stored(&open(repo.path()), &parts[0].commit),
        tree_of(repo.path())
    );
    untouched(repo, &before);
    for (path, time, bytes) in work {
        let meta = path.symlink_metadata().unwrap();
        if !path.starts_with(repo.git_dir()) && meta.is_file() {
            let now = meta.modified().unwrap();
            assert_eq!(
                (now, std::fs::read(&path).unwrap()),
                (time, bytes),
                "{}",
                path.display()
            );
        }
    }
    repo.git(["fsck", "--strict", "--no-dangling"]);
    parts
}

/// Git's own files are as before, but for new objects and our references.
fn untouched(repo: &TestRepo, before: &[(PathBuf, std::time::SystemTime, Vec<u8>)]) {
    let git_dir = repo.git_dir();
    let known: BTreeMap<_, _> = before
        .iter()
        .map(|(path, time, bytes)| (path, (time, bytes)))
        .collect();
    for (path, time, bytes) in fingerprint(&git_dir) {
        let is_ours =
            path.starts_with(git_dir.join("objects")) || path.starts_with(git_dir.join("refs"));
        match known.get(&path) {
            Some((old_time, old_bytes)) if path.is_file() => {
                assert_eq!(
                    (&time, &bytes),
                    (*old_time, *old_bytes),
                    "{} was changed",
                    path.display()
                );
            }
            Some(_) => {}
            None => assert!(is_ours, "{} is new", path.display()),
        }
    }
    assert_eq!(
        known
            .keys()
            .filter(|path| path.symlink_metadata().is_err())
            .count(),
        0
    );
}

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
