//! Snapshots of many new files: one pack, and whatever git does meanwhile, nothing is lost and
//! nothing of ours is left over.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod snapshots;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use birthmark_capture::git::snapshot::{Part, SnapshotOptions, take};
use birthmark_testing::repo::TestRepo;
use snapshots::{changes, holds, no_bare, open, snapshot, snapshot_in, stored, tree_of};

/// Files enough for a pack, in two folders, some of them twice.
fn fill(repo: &TestRepo, many: usize) {
    for number in 0..many {
        let text = format!("x = {}\n", number / 2 * 2);
        repo.write(format!("new/{}/{number}.py", number % 2), text);
    }
}

/// The files among the packs of a repository whose name ends so.
fn packs(repo: &TestRepo, ending: &str) -> Vec<PathBuf> {
    let folder = repo.git_dir().join("objects/pack");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.filter(|path| name(path).ends_with(ending)).collect()
}

fn loose(repo: &TestRepo) -> usize {
    let said = repo.git(["count-objects"]);
    said.split(' ').next().unwrap().parse().unwrap()
}

/// A snapshot that no reference names yet.
fn taken(repo: &TestRepo) -> Vec<Part> {
    let options = SnapshotOptions {
        max_file: 50_000_000,
        max_total: 500_000_000,
        deadline: Instant::now() + Duration::from_mins(1),
        began: None,
        make_bare: &no_bare,
    };
    take(&changes(repo.path()), &options).unwrap()
}

#[test]
fn many_new_files_become_one_pack_that_git_reads() {
    for repo in [TestRepo::with_commit(), TestRepo::sha256()] {
        fill(&repo, 300);
        let before = loose(&repo);
        let parts = holds(&repo);
        assert_eq!(loose(&repo), before);
        let [index] = &packs(&repo, ".idx")[..] else {
            panic!("one pack")
        };
        repo.git(["verify-pack".as_ref(), index.as_os_str()]);
        repo.git(["fsck", "--strict", "--full", "--no-dangling"]);
        assert_eq!(
            packs(&repo, "").len(),
            2,
            "pack and index, and nothing else"
        );
        // The same again is there already.
        assert_eq!(snapshot(repo.path(), "r2")[0].commit, parts[0].commit);
        assert_eq!((loose(&repo), packs(&repo, "").len()), (before, 2));
        // And one file more is no pack.
        repo.write("one.py", "1\n");
        snapshot(repo.path(), "r3");
        assert_eq!((loose(&repo), packs(&repo, "").len()), (before + 3, 2));
    }
}

#[test]
fn a_repository_of_the_store_gets_a_pack_as_well() {
    let repo = TestRepo::with_commit();
    fill(&repo, 200);
    let bare = repo.outside().join("bare");
    let pack = repo.git_dir().join("objects");
    let rights = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    if birthmark_testing::repo::is_root() {
        repo.give_to(1000);
    } else {
        std::fs::set_permissions(&pack, rights(0o555)).unwrap();
    }
    let parts = snapshot_in(repo.path(), "r1", &bare);
    std::fs::set_permissions(&pack, rights(0o755)).unwrap();
    assert!(parts[0].in_store);
    assert_eq!(stored(&open(&bare), &parts[0].commit), tree_of(repo.path()));
    assert_eq!(
        std::fs::read_dir(bare.join("objects/pack"))
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn what_git_clears_away_meanwhile_is_never_a_pack_of_ours() {
    for clear in [
        &["gc", "-q", "--prune=now"][..],
        &["repack", "-q", "-a", "-d"],
        &["prune", "--expire=now"],
    ] {
        let repo = TestRepo::with_commit();
        fill(&repo, 200);
        let mut parts = taken(&repo);
        assert_eq!(packs(&repo, ".keep").len(), 1);
        repo.git(clear);
        let commit = parts[0].commit.clone();
        parts[0].settle("r1").unwrap();
        assert_eq!(stored(&open(repo.path()), &commit), tree_of(repo.path()));
        assert_eq!(packs(&repo, ".keep"), [] as [PathBuf; 0]);
        repo.git(["gc", "-q", "--prune=now"]);
        repo.git(["fsck", "--strict", "--no-dangling"]);
        assert_eq!(stored(&open(repo.path()), &commit), tree_of(repo.path()));
    }
}

#[test]
fn a_snapshot_that_is_given_up_leaves_nothing_that_stays() {
    let repo = TestRepo::with_commit();
    fill(&repo, 200);
    drop(taken(&repo));
    assert_eq!(packs(&repo, ".keep"), [] as [PathBuf; 0]);
    repo.git(["gc", "-q", "--prune=now"]);
    assert_eq!(
        repo.git(["cat-file", "--batch-all-objects", "--batch-check"])
            .lines()
            .count(),
        5
    );
}

#[test]
fn what_a_killed_process_left_does_no_harm_and_goes_in_time() {
    let repo = TestRepo::with_commit();
    let folder = repo.git_dir().join("objects/pack");
    let leftovers = [
        "tmp_pack_AbCdEf",
        "tmp_idx_AbCdEf",
        "pack-00.keep",
        "pack-11.keep",
    ];
    let ours = "birthmark: a snapshot is being made\n";
    let old = SystemTime::now() - Duration::from_hours(2);
    for name in leftovers {
        std::fs::write(folder.join(name), ours).unwrap();
    }
    std::fs::write(
        folder.join("pack-22.keep"),
        "somebody's own: leave it there!!!!!!\n",
    )
    .unwrap();
    for name in ["pack-00.keep", "pack-22.keep"] {
        let file = std::fs::File::options()
            .write(true)
            .open(folder.join(name))
            .unwrap();
        file.set_modified(old).unwrap();
    }
    fill(&repo, 200);
    snapshot(repo.path(), "r1");
    let mut left = packs(&repo, ".keep");
    left.sort();
    assert_eq!(
        left,
        [folder.join("pack-11.keep"), folder.join("pack-22.keep")]
    );
    repo.git(["gc", "-q", "--prune=now"]);
    assert!(!folder.join(leftovers[0]).exists() && !folder.join(leftovers[1]).exists());
    repo.git(["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn two_processes_that_keep_the_same_tree_at_once_make_one_pack() {
    let repo = TestRepo::with_commit();
    fill(&repo, 200);
    let (mut one, mut other) = (taken(&repo), taken(&repo));
    assert_eq!(one[0].commit, other[0].commit);
    one[0].settle("r1").unwrap();
    other[0].settle("r2").unwrap();
    assert_eq!(
        (packs(&repo, ".pack").len(), packs(&repo, ".keep").len()),
        (1, 0)
    );
    repo.git(["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn an_id_stands_for_its_own_bytes_whatever_git_replaces() {
    let repo = TestRepo::with_commit();
    let old = repo.head();
    repo.write("train.py", "lr = 2\n");
    let new = repo.commit_all("second");
    repo.git(["replace", &new, &old]);
    repo.git(["reset", "-q", "--hard"]);
    assert_eq!(
        repo.status(),
        "",
        "for git the old tree is that of the new commit"
    );
    // What lies there is not what a clone gives back by this id: so it is kept.
    let parts = snapshot(repo.path(), "r1");
    let taken = parts[0].taken.as_ref().unwrap();
    assert_eq!(taken.parent.as_ref(), Some(&new));
    let clone = TestRepo::clone_of(&repo, &[]);
    clone.git(["fetch", "-q", "origin", "refs/birthmark/*:refs/birthmark/*"]);
    assert_eq!(clone.git(["show", &format!("{new}:train.py")]), "lr = 2\n");
    assert_eq!(
        stored(&open(clone.path()), &parts[0].commit),
        tree_of(repo.path())
    );
    assert_eq!(
        stored(&open(repo.path()), &parts[0].commit),
        tree_of(repo.path())
    );
}
