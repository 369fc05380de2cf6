//! The code that ran comes back: from the clone, from a fresh clone and the artifacts, and
//! from the artifacts alone.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use birthmark::Project;
use birthmark::session::{Begin, RunEnd, begin};
use birthmark::snapshot::{self, RestoreOptions};
use birthmark_core::Timestamp;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_testing::repo::TestRepo;
use world::{World, copy_folder, restore, run};

type Tree = BTreeMap<PathBuf, (Vec<u8>, bool)>;

/// Every file below a folder with its bytes and executable bit; of a symlink, its target.
fn tree_of(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let meta = path.symlink_metadata().unwrap();
            if path.ends_with(".git") || name.starts_with("artifacts") {
                continue;
            }
            if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                tree.insert(name, (target.as_os_str().as_encoded_bytes().to_vec(), true));
            } else if meta.is_dir() {
                folders.push(path);
            } else {
                let executable = meta.permissions().mode() & 0o100 != 0;
                tree.insert(name, (fs::read(&path).unwrap(), executable));
            }
        }
    }
    tree
}

fn edit(repo: &TestRepo) {
    repo.write("train.py", "lr = 10\n");
    repo.write("new/ü.py", "x\r\n");
    repo.write("weights.bin", [0, 159, 255]);
    symlink("train.py", repo.path().join("link")).unwrap();
    fs::remove_file(repo.path().join("data/a.txt")).unwrap();
    let run = repo.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(run, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn code_comes_back_from_a_fresh_clone_and_the_artifacts() {
    let world = World::new();
    // A commit that was never pushed, and changes on top of it.
    world.repo.write("more.py", "1\n");
    world.repo.commit_all("not pushed");
    edit(&world.repo);
    let ran = tree_of(world.repo.path());
    let id = run(world.repo.path());
    let out = tempfile::tempdir().unwrap();
    let here = restore(&world.project(), id.as_str(), &out.path().join("here"));
    assert!(here.is_exact() && !here.from_store);
    assert_eq!(tree_of(&out.path().join("here")), ran);

    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    // The machine of the run is gone.
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    let lives = snapshot::lives(&project, &here.commit);
    assert!(!lives.clone && lives.store, "{lives:?}");
    let there = restore(&project, "last", &out.path().join("there"));
    assert!(there.is_exact() && there.from_store && there.brought_in);
    assert_eq!(tree_of(&out.path().join("there")), ran);
    // Git knows it now, whole.
    assert_eq!(fresh.git(["cat-file", "-t", &here.commit]).trim(), "commit");
    fresh.git(["fsck", "--strict", "--no-dangling", "--connectivity-only"]);
    assert!(snapshot::lives(&project, &here.commit).clone);
}

#[test]
fn artifacts_alone_say_which_commit_of_which_remote_is_needed() {
    let world = World::new();
    // A file that the snapshot does not touch: its bytes are on the remote alone.
    world.repo.write("lib.py", "1\n");
    let below = world.repo.commit_all("pushed");
    let push = [
        "-c",
        "protocol.file.allow=always",
        "push",
        "-q",
        "origin",
        "main",
    ];
    world.repo.git(push);
    edit(&world.repo);
    let id = run(world.repo.path());
    let commit = snapshot::list(&world.project()).unwrap()[0]
        .taken
        .commit
        .clone();
    let alone = tempfile::tempdir().unwrap();
    copy_folder(&world.artifacts(), &alone.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(alone.path()).unwrap();
    let lives = snapshot::lives(&project, &commit);
    assert_eq!(lives.lacks.as_ref(), Some(&below));
    let phrase = format!("in the store, on top of {}, which is not here", &below[..7]);
    assert_eq!(lives.phrase(), phrase);
    let into = alone.path().join("back");
    let options = RestoreOptions {
        into: Some(&into),
        ..RestoreOptions::default()
    };
    let error = snapshot::restore(&project, id.as_str(), &options).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.starts_with("git clone ") && hint.contains("artifacts folder"),
        "{hint}"
    );
    assert!(!into.exists());
}

#[test]
fn code_comes_back_from_the_artifacts_alone_where_there_was_no_remote() {
    for repo in [
        TestRepo::with_commit(),
        TestRepo::sha256(),
        TestRepo::unborn(),
    ] {
        edit_or_fill(&repo);
        let ran = tree_of(repo.path());
        let id = run(repo.path());
        let alone = tempfile::tempdir().unwrap();
        copy_folder(
            &repo.path().join("artifacts"),
            &alone.path().join("artifacts"),
        );
        fs::remove_dir_all(repo.path()).unwrap();
        let project = Project::find(alone.path()).unwrap();
        let back = restore(&project, id.as_str(), &alone.path().join("back"));
        assert!(back.is_exact() && back.from_store && !back.brought_in);
        assert_eq!(tree_of(&alone.path().join("back")), ran);
        // And with its history, for git alone.
        let file = alone.path().join("x.bundle");
        snapshot::archive(&project, id.as_str(), Some(&file), false).unwrap();
        let helper = TestRepo::unborn();
        let clone = alone.path().join("clone");
        helper.git([
            "clone",
            "-q",
            file.to_str().unwrap(),
            clone.to_str().unwrap(),
        ]);
        assert_eq!(tree_of(&clone), ran);
        helper.git_in(&clone, ["fsck", "--strict"]);
    }
}

fn edit_or_fill(repo: &TestRepo) {
    if !repo.path().join("data/a.txt").exists() {
        repo.write("data/a.txt", "a\n");
    }
    edit(repo);
}

#[test]
fn store_keeps_bundles_that_git_takes() {
    let world = World::new();
    edit(&world.repo);
    run(world.repo.path());
    let [bundle] = &bundles(&world.artifacts())[..] else {
        panic!("one bundle");
    };
    // Its only prerequisite is what the remote has.
    let said = world
        .repo
        .git(["bundle", "verify", bundle.to_str().unwrap()]);
    assert!(said.contains(&world.repo.head()), "{said}");
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    let refs = "refs/birthmark/*:refs/birthmark/*";
    fresh.git(["fetch", "-q", bundle.to_str().unwrap(), refs]);
    let names = fresh.git(["for-each-ref", "--format=%(objectname)", "refs/birthmark"]);
    let snapshot = &snapshot::list(&world.project()).unwrap()[0];
    assert_eq!(names.trim(), snapshot.taken.commit);
    assert!(
        fs::metadata(bundle).unwrap().len() < 4096,
        "only what is new"
    );

    // The same code again is kept once; the next snapshot without a remote is thin as well.
    run(world.repo.path());
    assert_eq!(bundles(&world.artifacts()).len(), 1);
    assert_eq!(snapshot::list(&world.project()).unwrap().len(), 2);
}

fn bundles(artifacts: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let objects = artifacts.join(".birthmark/objects");
    for folder in fs::read_dir(objects).into_iter().flatten() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if fs::read(&path).unwrap().starts_with(b"# v") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn commit_that_was_never_pushed_is_kept_though_the_tree_was_clean() {
    let world = World::new();
    run(world.repo.path());
    assert_eq!(bundles(&world.artifacts()).len(), 0);
    world.repo.write(".gitignore", "artifacts/\n");
    world.repo.write("more.py", "1\n");
    let head = world.repo.commit_all("not pushed");
    let id = run(world.repo.path());
    assert!(snapshot::lives(&world.project(), &head).store);
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    let project = Project::find(fresh.path()).unwrap();
    let into = fresh.outside().join("out");
    let back = restore(&project, id.as_str(), &into);
    assert!(!back.is_snapshot && back.brought_in);
    assert_eq!(tree_of(&into), tree_of(world.repo.path()));
}

#[test]
fn nothing_that_is_there_is_replaced_unless_it_is_said() {
    let world = World::new();
    edit(&world.repo);
    let id = run(world.repo.path());
    let out = world.repo.outside().join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("train.py"), "mine\n").unwrap();
    fs::write(out.join("other.py"), "mine too\n").unwrap();
    let mut options = RestoreOptions {
        into: Some(&out),
        force: false,
        ..RestoreOptions::default()
    };
    let error = snapshot::restore(&world.project(), id.as_str(), &options).unwrap_err();
    assert_eq!(error.code(), "folder-exists");
    assert_eq!(fs::read(out.join("train.py")).unwrap(), b"mine\n");
    options.force = true;
    snapshot::restore(&world.project(), id.as_str(), &options).unwrap();
    assert_eq!(fs::read(out.join("train.py")).unwrap(), b"lr = 10\n");
    assert_eq!(fs::read(out.join("other.py")).unwrap(), b"mine too\n");
}

#[test]
fn what_is_over_the_limit_is_left_out_by_name() {
    let world = World::new();
    world
        .repo
        .write("birthmark.toml", "[snapshot]\nmax_file_mb = 1\n");
    world.repo.write("big.bin", vec![7; 1_000_001]);
    let id = run(world.repo.path());
    let listed = &snapshot::list(&world.project()).unwrap()[0];
    assert!(!listed.taken.exact);
    let [file] = &listed.taken.left_out[..] else {
        panic!("{:?}", listed.taken.left_out);
    };
    assert_eq!(
        (file.path.as_str(), file.size),
        ("big.bin", Some(1_000_001))
    );
    assert!(file.digest.as_ref().unwrap().starts_with("blake3:"));
    let back = restore(
        &world.project(),
        id.as_str(),
        &world.repo.outside().join("out"),
    );
    assert!(!back.is_exact());
}

#[test]
fn code_of_two_runs_is_held_against_each_other() {
    let world = World::new();
    world.repo.write("train.py", "lr = 1\nseed = 1\n");
    let first = run(world.repo.path());
    world.repo.write("train.py", "lr = 2\nseed = 1\n");
    world.repo.write("new.py", "n\n");
    let second = run(world.repo.path());
    let project = world.project();
    let diff = snapshot::diff(&project, first.as_str(), second.as_str(), true).unwrap();
    let told: Vec<_> = diff
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.change.word()))
        .collect();
    assert_eq!(told, [("new.py", "added"), ("train.py", "changed")]);
    assert_eq!(
        diff.files[1].lines.as_deref(),
        Some("@@ -1,2 +1,2 @@\n-lr = 1\n+lr = 2\n seed = 1\n")
    );
    let same = snapshot::diff(&project, first.as_str(), first.as_str(), false).unwrap();
    assert!(same.files.is_empty());
}

#[test]
fn old_snapshots_go_only_where_the_store_has_them() {
    let world = World::new();
    edit(&world.repo);
    let id = run(world.repo.path());
    let later =
        Timestamp::from_micros(birthmark_capture::clock::now_micros() + 40 * 86_400_000_000);
    let project = world.project();
    let now = Timestamp::from_micros(birthmark_capture::clock::now_micros());
    let young = snapshot::prune(&project, 30, now, false).unwrap();
    assert!(young[0].kept.as_ref().unwrap().contains("younger"));
    let bundle = bundles(&world.artifacts()).remove(0);
    let aside = world.repo.outside().join("aside");
    fs::rename(&bundle, &aside).unwrap();
    let only_here = snapshot::prune(&project, 30, later, false).unwrap();
    assert!(only_here[0].kept.as_ref().unwrap().contains("store"));
    fs::rename(&aside, &bundle).unwrap();
    assert!(
        snapshot::prune(&project, 30, later, true).unwrap()[0]
            .kept
            .is_none()
    );
    assert!(
        !world
            .repo
            .git(["for-each-ref", "refs/birthmark/snapshots"])
            .is_empty()
    );
    assert!(
        snapshot::prune(&project, 30, later, false).unwrap()[0]
            .kept
            .is_none()
    );
    assert!(
        world
            .repo
            .git(["for-each-ref", "refs/birthmark/snapshots"])
            .is_empty()
    );
    world.repo.git(["prune", "--expire=now"]);
    let back = restore(&project, id.as_str(), &world.repo.outside().join("out"));
    assert!(back.from_store && back.is_exact());
}

#[test]
fn damaged_bundle_is_told_and_verify_sees_it() {
    let world = World::new();
    edit(&world.repo);
    world.small();
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    let now = Timestamp::from_micros(birthmark_capture::clock::now_micros());
    let options = birthmark::verify::Options::at(now);
    let targets = [fresh.path().join("artifacts")];
    let all = || birthmark::verify::verify(&project, &targets, &options);
    let report = all().unwrap();
    assert_eq!(
        report.exit_code(),
        0,
        "the store can give it back: {report:#?}"
    );
    let bundle = bundles(&fresh.path().join("artifacts")).remove(0);
    let mut bytes = fs::read(&bundle).unwrap();
    let at = bytes.len() - 30;
    bytes[at] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    assert_eq!(all().unwrap().exit_code(), 2, "and now it cannot");
    let options = RestoreOptions::default();
    let error = snapshot::restore(&project, "last", &options).unwrap_err();
    assert!(
        error.whole().contains("not what its name says"),
        "{}",
        error.whole()
    );
}

#[test]
fn artifact_that_a_hand_changed_is_in_the_snapshot_of_what_reads_it_next() {
    let repo = TestRepo::with_commit();
    let data = repo.path().join("data/d.csv");
    let make = |bytes: &str| {
        let session = begin(Begin::at(repo.path(), OpenedBy::Script)).unwrap();
        repo.write("data/d.csv", bytes);
        session.add(&data, "table", &Fields::new()).unwrap();
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    };
    let snapshots = || {
        repo.git(["for-each-ref", "refs/birthmark/snapshots"])
            .lines()
            .count()
    };
    make("1,2\n");
    run(repo.path());
    assert_eq!(snapshots(), 0, "what a session made is no dirt");
    let file = fs::File::options().write(true).open(&data).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    run(repo.path());
    assert_eq!(
        snapshots(),
        0,
        "the same bytes are, whenever they were written"
    );
    for edited in ["1,3\n", "1,2\n9,9\n"] {
        let before = snapshots();
        repo.write("data/d.csv", edited);
        let session = run(repo.path());
        assert_eq!(
            snapshots(),
            before + 1,
            "{edited}: no store has these bytes"
        );
        let out = tempfile::tempdir().unwrap();
        let project = Project::find(repo.path()).unwrap();
        restore(&project, session.as_str(), &out.path().join("out"));
        let kept = fs::read_to_string(out.path().join("out/data/d.csv")).unwrap();
        assert_eq!(kept, edited);
    }
    let before = snapshots();
    make("4,5\n");
    let again = snapshots();
    run(repo.path());
    assert_eq!(snapshots(), again, "a session made it anew");
    assert!(again <= before + 1);
}
