//! Large files that no remote has stand in the store once, however many snapshots hold them.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod world;

use std::fs;
use std::path::Path;

use birthmark::Project;
use birthmark::snapshot;
use birthmark_testing::repo::TestRepo;
use world::{World, copy_folder, files_below, restore, run};

/// Bytes that do not get smaller when they are packed, others for each seed.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend(state.to_be_bytes().iter().take(4));
    }
    bytes
}

fn kept_bytes(artifacts: &Path) -> usize {
    let objects = files_below(&artifacts.join(".birthmark/objects"));
    let bundles = objects
        .iter()
        .filter(|(_, bytes)| bytes.starts_with(b"# v"));
    bundles.map(|(_, bytes)| bytes.len()).sum()
}

/// A large file, and a folder that is large by its many small ones.
fn add_data(repo: &TestRepo) {
    repo.write("data/train.bin", noise(1, 300_000));
    for number in 0..40 {
        repo.write(format!("prompts/{number}.txt"), noise(100 + number, 2_000));
    }
}

#[test]
fn untracked_data_is_kept_once_and_comes_back_with_every_snapshot() {
    let world = World::new();
    add_data(&world.repo);
    let mut ran = Vec::new();
    for number in 0..6 {
        world.repo.write("train.py", format!("lr = {number}\n"));
        if number == 3 {
            world.repo.write("data/more.bin", noise(2, 100_000));
        }
        ran.push(run(world.repo.path()));
    }
    let bytes = kept_bytes(&world.artifacts());
    assert!(bytes < 540_000, "{bytes} bytes for 480,000 of data");

    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    for (number, id) in ran.iter().enumerate().rev() {
        let into = fresh.outside().join(id.as_str());
        let back = restore(&project, id.as_str(), &into);
        assert!(back.is_exact());
        let read = |name: &str| fs::read(into.join(name)).ok();
        assert_eq!(
            read("train.py").unwrap(),
            format!("lr = {number}\n").as_bytes()
        );
        assert_eq!(read("data/train.bin"), Some(noise(1, 300_000)));
        assert_eq!(read("prompts/39.txt"), Some(noise(139, 2_000)));
        assert_eq!(
            read("data/more.bin"),
            (number >= 3).then(|| noise(2, 100_000))
        );
    }
    fresh.git(["fsck", "--strict", "--no-dangling", "--connectivity-only"]);
}

#[test]
fn git_takes_the_bundle_where_it_has_the_one_that_it_shares_with() {
    let world = World::new();
    add_data(&world.repo);
    run(world.repo.path());
    world.repo.write("train.py", "lr = 2\n");
    run(world.repo.path());
    let listed = snapshot::list(&world.project()).unwrap();
    let file_of = |commit: &str| {
        let note = fs::read(world.project().layout.bundle(commit)).unwrap();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
        let digest = note["bundle"].as_str().unwrap().parse().unwrap();
        (world.project().layout.object(&digest), note)
    };
    let [second, first] = &listed[..] else {
        panic!("two snapshots");
    };
    let (thin, note) = file_of(&second.taken.commit);
    assert_eq!(note["shares"], serde_json::json!([first.taken.commit]));
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    let refs = "refs/birthmark/*:refs/birthmark/*";
    for file in [file_of(&first.taken.commit).0, thin] {
        fresh.git(["bundle", "verify", file.to_str().unwrap()]);
        fresh.git(["fetch", "-q", file.to_str().unwrap(), refs]);
    }
    fresh.git(["fsck", "--strict", "--connectivity-only"]);
}

#[test]
fn commits_that_were_never_pushed_are_kept_once_below_all_snapshots() {
    let world = World::new();
    world.repo.write("weights.bin", noise(3, 300_000));
    world.repo.commit_all("not pushed");
    for number in 0..4 {
        world.repo.write("train.py", format!("lr = {number}\n"));
        run(world.repo.path());
    }
    let bytes = kept_bytes(&world.artifacts());
    assert!(bytes < 330_000, "{bytes}");
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(fresh.path()).unwrap();
    let into = fresh.outside().join("out");
    assert!(restore(&project, "last", &into).is_exact());
    assert_eq!(
        fs::read(into.join("weights.bin")).unwrap(),
        noise(3, 300_000)
    );
}

#[test]
fn files_alone_are_shared_where_the_history_is_cut_off() {
    let world = World::new();
    world.repo.write("lib.bin", noise(4, 300_000));
    world.repo.commit_all("large");
    let repo = TestRepo::clone_of(&world.repo, &["--depth", "1"]);
    repo.git(["remote", "remove", "origin"]);
    let mut ran = Vec::new();
    for number in 0..3 {
        repo.write("train.py", format!("lr = {number}\n"));
        ran.push(run(repo.path()));
    }
    let bytes = kept_bytes(&repo.path().join("artifacts"));
    assert!(bytes < 330_000, "{bytes}");
    let alone = tempfile::tempdir().unwrap();
    copy_folder(
        &repo.path().join("artifacts"),
        &alone.path().join("artifacts"),
    );
    fs::remove_dir_all(repo.path()).unwrap();
    let project = Project::find(alone.path()).unwrap();
    for id in &ran {
        let into = alone.path().join(id.as_str());
        assert!(restore(&project, id.as_str(), &into).is_exact());
        assert_eq!(fs::read(into.join("lib.bin")).unwrap(), noise(4, 300_000));
    }
}

#[test]
fn what_is_gone_from_the_store_is_not_counted_on() {
    let world = World::new();
    add_data(&world.repo);
    run(world.repo.path());
    let layout = world.project().layout;
    fs::remove_dir_all(layout.objects()).unwrap();
    world.repo.write("train.py", "lr = 2\n");
    let id = run(world.repo.path());
    let fresh = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &fresh.path().join("artifacts"));
    let project = Project::find(fresh.path()).unwrap();
    let into = fresh.outside().join("out");
    assert!(restore(&project, id.as_str(), &into).is_exact());

    // Of a snapshot that shares, it is said that it cannot be had.
    world.repo.write("train.py", "lr = 3\n");
    let id = run(world.repo.path());
    let listed = snapshot::list(&world.project()).unwrap();
    fs::remove_file(layout.bundle(&listed[1].taken.commit)).unwrap();
    let other = TestRepo::clone_of(&world.remote, &[]);
    copy_folder(&world.artifacts(), &other.path().join("artifacts"));
    fs::remove_dir_all(world.repo.path()).unwrap();
    let project = Project::find(other.path()).unwrap();
    let lives = snapshot::lives(&project, &listed[0].taken.commit);
    assert_eq!(lives.lacks.as_ref(), Some(&listed[1].taken.commit));
    assert!(
        snapshot::restore(&project, id.as_str(), &snapshot::RestoreOptions::default()).is_err()
    );
}
