//! What the tests of snapshots share: taking one, and holding it against what lies there.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use birthmark_capture::git::snapshot::{
    Changes, Lender, MakeBare, Part, SnapshotOptions, capture_status_and_changes, take,
};
use birthmark_capture::git::{Database, StatusOptions, StoredKind};
use birthmark_core::Finding;
use birthmark_testing::repo::{TestRepo, fingerprint};

pub(crate) fn no_bare(_: &Lender) -> Result<PathBuf, String> {
    Err("no bare repository in this test".to_owned())
}

pub(crate) fn changes(root: &Path) -> Changes {
    let options = StatusOptions {
        time_limit: Duration::from_mins(1),
        artifacts: vec![root.join("artifacts")],
        ..StatusOptions::default()
    };
    capture_status_and_changes(root, &options).1.unwrap()
}

/// Takes a snapshot and makes its reference, as a session does.
pub(crate) fn snapshot(root: &Path, run: &str) -> Vec<Part> {
    snapshot_within(root, run, 50_000_000, 500_000_000)
}

pub(crate) fn snapshot_within(root: &Path, run: &str, max_file: u64, max_total: u64) -> Vec<Part> {
    taken(root, run, (max_file, max_total), &no_bare)
}

/// The same where the objects go to a bare repository at `bare`.
pub(crate) fn snapshot_in(root: &Path, run: &str, bare: &Path) -> Vec<Part> {
    let make = |lender: &Lender| {
        for folder in ["objects/info", "objects/pack", "refs"] {
            std::fs::create_dir_all(bare.join(folder)).unwrap();
        }
        let objects = format!("{}\n", lender.objects.display());
        std::fs::write(bare.join("objects/info/alternates"), objects).unwrap();
        std::fs::write(bare.join("config"), "[core]\n\tbare = true\n").unwrap();
        std::fs::write(bare.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        Ok(bare.to_owned())
    };
    taken(root, run, (50_000_000, 500_000_000), &make)
}

/// The same from a look that was taken before.
pub(crate) fn take_from(look: &Changes, run: &str) -> Vec<Part> {
    settled(look, run, (50_000_000, 500_000_000), &no_bare)
}

fn taken(root: &Path, run: &str, limits: (u64, u64), make_bare: &MakeBare<'_>) -> Vec<Part> {
    settled(&changes(root), run, limits, make_bare)
}

fn settled(look: &Changes, run: &str, limits: (u64, u64), make_bare: &MakeBare<'_>) -> Vec<Part> {
    let options = SnapshotOptions {
        max_file: limits.0,
        max_total: limits.1,
        deadline: Instant::now() + Duration::from_mins(1),
        began: None,
        make_bare,
    };
    let mut parts = take(look, &options).unwrap();
    for part in &mut parts {
        part.settle(run).unwrap();
    }
    parts
}

/// A file as it lies: its bytes and mode, or where it points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lies {
    File(Vec<u8>, bool),
    Link(PathBuf),
}

pub(crate) type Tree = BTreeMap<Vec<u8>, Lies>;

/// Every file below a folder, but for git's own and the artifacts.
pub(crate) fn tree_of(root: &Path) -> Tree {
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
pub(crate) fn stored(objects: &Database, commit: &str) -> Tree {
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

pub(crate) fn open(root: &Path) -> Database {
    match Database::open(root) {
        Finding::Found(objects) => objects,
        other => panic!("{other:?}"),
    }
}

/// The whole promise for one repository: its tree comes back, git finds no fault, and
/// nothing of git's own changed but for new objects and the reference.
pub(crate) fn holds(repo: &TestRepo) -> Vec<Part> {
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
pub(crate) fn untouched(repo: &TestRepo, before: &[(PathBuf, std::time::SystemTime, Vec<u8>)]) {
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
