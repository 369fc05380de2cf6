//! Snapshots of repositories that nobody would wish for: attributes, repositories within,
//! owners that are somebody else, and random trees.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

mod snapshots;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use birthmark_capture::git::Database;
use birthmark_testing::repo::{TestRepo, fingerprint, is_root};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use snapshots::{
    changes, holds, open, snapshot, snapshot_in, snapshot_within, stored, take_from, tree_of,
};

/// Keeps what git would check out from what lies there: the awkward half of attributes.
const ATTRIBUTES: &str = "*.crlf text eol=crlf\n*.lf text eol=lf\n*.auto text=auto\n\
    *.id ident\n*.u16 working-tree-encoding=UTF-16LE eol=lf\n*.rot filter=rot\n*.bin -text\n";

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn with_attributes() -> TestRepo {
    let repo = TestRepo::unborn();
    repo.write(".gitattributes", ATTRIBUTES);
    // Written with the wrong line ends, and committed so: git says that they are clean.
    for (name, bytes) in [
        ("wrong.crlf", &b"a\nb\n"[..]),
        ("right.crlf", b"a\r\nb\r\n"),
        ("wrong.lf", b"a\r\nb\r\n"),
        ("mixed.auto", b"a\r\nb\nc\r\n"),
        ("old.id", b"# $Id$\n"),
        ("plain.bin", b"a\r\nb\n"),
    ] {
        repo.write(name, bytes);
    }
    repo.write("text.u16", utf16("gr\u{fc}n\n"));
    repo.commit_all("attributes");
    repo
}

#[test]
fn attributes_change_no_byte_of_what_ran() {
    let repo = with_attributes();
    assert_eq!(repo.status(), "", "git calls it clean");
    repo.write("train.py", "lr = 1\n");
    repo.write("new.crlf", "x\ny\n");
    repo.write("new.u16", utf16("\u{e9}t\u{e9}\n"));
    repo.write("new.id", "# $Id: not mine $\n");
    let parts = holds(&repo);
    let taken = parts[0].taken.as_ref().unwrap();
    // What a plain checkout would change is listed, and what git only complains of.
    let raw: Vec<&str> = taken.raw.iter().map(String::as_str).collect();
    let complains = |path: &str| path.rsplit('.').next() == Some("u16");
    let (complained, changed): (Vec<&str>, Vec<&str>) =
        raw.iter().partition(|path| complains(path));
    assert_eq!(changed, changed_by_checkout(&repo, &parts[0].commit));
    assert_eq!(complained, ["new.u16", "text.u16"]);
    assert!(
        raw.contains(&"wrong.crlf") && raw.contains(&"old.id"),
        "{raw:?}"
    );
    assert!(
        !raw.contains(&"right.crlf") && !raw.contains(&"plain.bin"),
        "{raw:?}"
    );
}

#[test]
fn bytes_that_are_none_of_their_encoding_are_kept_as_they_lie() {
    let repo = TestRepo::unborn();
    repo.write(
        ".gitattributes",
        "*.sj working-tree-encoding=SHIFT-JIS\n*.u16 working-tree-encoding=UTF-16LE-BOM\n",
    );
    repo.write("a.sj", b"\x82\xa0\n");
    repo.write("a.u16", [b"\xff\xfe".as_slice(), &utf16("a\n")].concat());
    repo.commit_all("encodings");
    repo.write("a.sj", b"\xff\xff\n");
    repo.write("a.u16", b"no pair");
    repo.write("train.py", "lr = 1\n");
    let parts = holds(&repo);
    let taken = parts[0].taken.as_ref().unwrap();
    assert!(
        taken.inexact.is_empty() && taken.raw == ["a.sj", "a.u16"],
        "{taken:?}"
    );
}

/// The files that git itself gives back otherwise than they lie.
fn changed_by_checkout(repo: &TestRepo, commit: &str) -> Vec<&'static str> {
    let clone = TestRepo::clone_of(repo, &["--no-checkout"]);
    clone.git(["fetch", "-q", "origin", "refs/birthmark/*:refs/birthmark/*"]);
    // An encoding that does not fit is an error for git, and the other files come all the same.
    let _told = clone.try_git(["checkout", "-q", "-f", commit]);
    let (ran, given) = (tree_of(repo.path()), tree_of(clone.path()));
    let mut changed: Vec<&'static str> = ran
        .iter()
        .filter(|(path, lies)| given.get(*path) != Some(*lies))
        .map(|(path, _)| &*String::from_utf8(path.clone()).unwrap().leak())
        .collect();
    changed.sort_unstable();
    changed
}

#[test]
fn settings_of_line_ends_change_no_byte_either() {
    for setting in ["true", "input"] {
        let repo = TestRepo::with_commit();
        repo.git(["config", "core.autocrlf", setting]);
        repo.write("a.txt", "1\r\n2\r\n");
        repo.commit_all("crlf");
        repo.write("train.py", "lr = 2\n");
        repo.write("b.txt", "1\r\n2\n");
        holds(&repo);
    }
}

#[test]
fn filters_of_the_user_are_not_run_and_pointers_stay() {
    let repo = TestRepo::unborn();
    let canary = repo.outside().join("ran");
    let program = format!("tee -a {} | tr a-z n-za-m", canary.display());
    repo.git(["config", "filter.rot.clean", &program]);
    repo.git(["config", "filter.rot.smudge", "tr a-z n-za-m"]);
    repo.write(".gitattributes", "*.rot filter=rot\n*.big filter=keep\n");
    repo.git(["config", "filter.keep.clean", "printf pointer"]);
    repo.write("a.rot", "hello\n");
    repo.write("b.big", vec![b'x'; 5000]);
    repo.commit_all("filtered");
    repo.write("train.py", "lr = 2\n");
    repo.let_the_index_age();
    // The look may run it, as `git status` does; what follows never does.
    let look = changes(repo.path());
    let before = std::fs::read(&canary).unwrap();
    let parts = take_from(&look, "r1");
    assert_eq!(std::fs::read(&canary).unwrap(), before, "the filter ran");
    let taken = parts[0].taken.as_ref().unwrap();
    // One that is small is kept as it lies; what stands elsewhere stays the pointer, by name.
    let tree = stored(&open(repo.path()), &parts[0].commit);
    let ran = tree_of(repo.path());
    assert_eq!(tree[&b"a.rot"[..]], ran[&b"a.rot"[..]]);
    assert_ne!(tree[&b"b.big"[..]], ran[&b"b.big"[..]]);
    let left: Vec<_> = taken
        .left_out
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(left, ["b.big"]);
}

#[test]
fn repositories_within_are_commits_of_their_own() {
    let inner = TestRepo::with_commit();
    let repo = TestRepo::with_commit();
    let module = repo.add_submodule(&inner, "modules/inner");
    std::fs::write(module.join("train.py"), "lr = 7\n").unwrap();
    std::fs::write(module.join("new.py"), "n\n").unwrap();
    // A repository that git does not know, with a commit, and one without.
    for (name, commits) in [("nested", true), ("fresh", false)] {
        let folder = repo.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        repo.git_in(&folder, ["init", "-q", "-b", "main"]);
        std::fs::write(folder.join("a.py"), "1\n").unwrap();
        if commits {
            repo.git_in(&folder, ["add", "a.py"]);
            repo.git_in(&folder, ["commit", "-q", "-m", "first"]);
            std::fs::write(folder.join("a.py"), "2\n").unwrap();
        }
    }
    let parts = snapshot(repo.path(), "r1");
    let top = parts[0].taken.as_ref().unwrap();
    assert!(top.is_exact(), "{top:?}");
    let mut paths: Vec<_> = parts.iter().map(|part| part.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["", "fresh", "modules/inner", "nested"]);
    for part in &parts[1..] {
        assert!(part.taken.is_some(), "{}", part.path);
        let lies = tree_of(&repo.path().join(&part.path));
        assert_eq!(
            stored(&open(&part.root), &part.commit),
            lies,
            "{}",
            part.path
        );
        let named = repo.git(["rev-parse", &format!("{}:{}", parts[0].commit, part.path)]);
        assert_eq!(named.trim(), part.commit);
        assert!(
            top.nested
                .iter()
                .any(|one| one.commit == part.commit && one.snapshot)
        );
    }
    repo.git(["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn hidden_changes_are_in_the_snapshot() {
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let repo = TestRepo::with_commit();
        repo.git(["update-index", flag, "train.py"]);
        repo.write("train.py", "lr = 5\n");
        assert_eq!(repo.status(), "");
        holds(&repo);
    }
}

#[test]
fn kinds_that_change_into_each_other_are_kept() {
    let repo = TestRepo::with_commit();
    repo.write("folder/a", "1\n");
    repo.write("file", "2\n");
    symlink("train.py", repo.path().join("link")).unwrap();
    repo.commit_all("kinds");
    std::fs::remove_dir_all(repo.path().join("folder")).unwrap();
    repo.write("folder", "now a file\n");
    std::fs::remove_file(repo.path().join("file")).unwrap();
    repo.write("file/inside", "now a folder\n");
    std::fs::remove_file(repo.path().join("link")).unwrap();
    repo.write("link", "now a file\n");
    std::fs::remove_file(repo.path().join("train.py")).unwrap();
    symlink("data", repo.path().join("train.py")).unwrap();
    holds(&repo);
}

#[test]
fn secrets_stay_out_unless_git_has_them_already() {
    let secret = "hf_abcdefghijklmnopqrstuvwxyzABCDEF12";
    let repo = TestRepo::with_commit();
    repo.write("known.py", format!("token = '{secret}'\n"));
    repo.commit_all("too late");
    repo.write("known.py", format!("token = '{secret}'  # still\n"));
    repo.write("leak.txt", format!("x {secret}9 y\n"));
    let mut hidden = vec![0, 1, 2];
    hidden.extend(format!("{secret}8").bytes());
    repo.write("leak.bin", hidden);
    let parts = snapshot(repo.path(), "r1");
    let taken = parts[0].taken.as_ref().unwrap();
    let left: Vec<_> = taken
        .left_out
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(left, ["leak.bin", "leak.txt"]);
    let all = repo.git(["cat-file", "--batch", "--batch-all-objects", "--buffer"]);
    assert!(!all.contains(&format!("{secret}9")) && !all.contains(&format!("{secret}8")));
    let message = repo.git(["log", "-1", "--format=%B", &parts[0].commit]);
    assert!(message.contains("Birthmark-Exact: false"), "{message}");
    assert!(message.contains("\"path\":\"leak.txt\""), "{message}");
}

#[test]
fn limits_leave_out_by_name_and_size() {
    let repo = TestRepo::with_commit();
    for (name, size) in [("a", 900), ("b", 1100), ("c", 900), ("d", 100)] {
        repo.write(name, vec![b'x'; size]);
    }
    let parts = snapshot_within(repo.path(), "r1", 1000, 1500);
    let taken = parts[0].taken.as_ref().unwrap();
    let left: Vec<_> = taken
        .left_out
        .iter()
        .map(|file| (file.path.as_str(), file.size))
        .collect();
    assert_eq!(left, [("b", Some(1100)), ("c", Some(900))]);
    assert_eq!((taken.files, taken.bytes), (4, 1000));
}

#[test]
fn repository_of_somebody_else_is_not_written_and_nothing_of_it_runs() {
    if !is_root() {
        return;
    }
    let repo = TestRepo::with_commit();
    let canary = repo.outside().join("canary");
    let program = format!("touch {}", canary.display());
    for (name, value) in [
        ("core.fsmonitor", program.as_str()),
        ("filter.evil.clean", &program),
        ("filter.evil.process", &program),
        ("diff.external", &program),
        ("core.hooksPath", "hooks"),
        ("core.logAllRefUpdates", "always"),
    ] {
        repo.git(["config", name, value]);
    }
    let hook = repo.write(
        "hooks/reference-transaction",
        format!("#!/bin/sh\n{program}\n"),
    );
    std::fs::set_permissions(hook, PermissionsExt::from_mode(0o755)).unwrap();
    repo.write(".gitattributes", "*.py filter=evil diff=evil\n");
    repo.write("train.py", "lr = 2\n");
    repo.write("secret-way/x", "1\n");
    repo.give_to(1000);
    let before = fingerprint(repo.path());
    let bare = repo.outside().join("bare.git");
    let parts = snapshot_in(repo.path(), "r1", &bare);
    assert_eq!(fingerprint(repo.path()), before);
    assert!(!canary.exists(), "something ran");
    assert!(parts[0].in_store);
    let database = Database::at(&bare);
    let database = database.found().expect("the bare repository opens");
    assert_eq!(stored(database, &parts[0].commit), tree_of(repo.path()));
}

#[test]
fn log_of_references_stays_as_it_was() {
    let repo = TestRepo::with_commit();
    repo.git(["config", "core.logAllRefUpdates", "always"]);
    repo.write("train.py", "lr = 2\n");
    holds(&repo);
    assert!(!repo.git_dir().join("logs/refs/birthmark").exists());
}

/// One thing that somebody does to a work tree.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, Vec<u8>),
    Remove(usize),
    Move(usize, usize),
    Link(usize, usize),
    Mode(usize, bool),
    Add(usize),
    AddAll,
    Unstage(usize),
}

/// Names that are no joke to somebody.
const NAMES: [&str; 14] = [
    "a.py",
    "b.txt",
    "d/a.py",
    "d/b",
    "d/e/f",
    "d.x",
    "d-x",
    "sp ace",
    "\u{fc}\u{4e2d}",
    "q\"uo'te",
    "new\nline",
    "-dash",
    "d/.hidden",
    "z/\u{1f600}",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[ab\r\n]{0,12}".prop_map(String::into_bytes),
    ];
    let step = prop_oneof![
        8 => (name.clone(), bytes).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        3 => name.clone().prop_map(Step::Remove),
        2 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Move(from, to)),
        2 => (name.clone(), name.clone()).prop_map(|(at, to)| Step::Link(at, to)),
        2 => (name.clone(), any::<bool>()).prop_map(|(at, on)| Step::Mode(at, on)),
        1 => name.clone().prop_map(Step::Add),
        1 => Just(Step::AddAll),
        1 => name.prop_map(Step::Unstage),
    ];
    proptest::collection::vec(step, 1..10)
}

/// Does it, as far as it can be done.
fn step(repo: &TestRepo, step: &Step) {
    let path = |at: usize| repo.path().join(NAMES[at]);
    let clear = |path: &Path| {
        let folder = path.parent().unwrap();
        let ancestors = folder.ancestors().take_while(|up| *up != repo.path());
        for up in ancestors {
            if up.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
                std::fs::remove_file(up).unwrap();
            }
        }
        std::fs::create_dir_all(folder).unwrap();
        let _there = std::fs::remove_file(path);
        let _folder = std::fs::remove_dir_all(path);
    };
    match step {
        Step::Write(at, bytes) => {
            clear(&path(*at));
            std::fs::write(path(*at), bytes).unwrap();
        }
        Step::Remove(at) => {
            let _not_there = std::fs::remove_file(path(*at));
        }
        Step::Move(from, to) => {
            if from != to && path(*from).is_file() {
                let bytes = std::fs::read(path(*from)).unwrap();
                std::fs::remove_file(path(*from)).unwrap();
                clear(&path(*to));
                std::fs::write(path(*to), bytes).unwrap();
            }
        }
        Step::Link(at, to) => {
            clear(&path(*at));
            symlink(NAMES[*to], path(*at)).unwrap();
        }
        Step::Mode(at, on) => {
            if path(*at)
                .symlink_metadata()
                .is_ok_and(|meta| meta.is_file())
            {
                let mode = if *on { 0o755 } else { 0o644 };
                std::fs::set_permissions(path(*at), PermissionsExt::from_mode(mode)).unwrap();
            }
        }
        Step::Add(at) => {
            let _not_there = repo.try_git(["add", "--", NAMES[*at]]);
        }
        Step::AddAll => {
            repo.git(["add", "-A"]);
        }
        Step::Unstage(at) => {
            let _not_there = repo.try_git(["rm", "-q", "--cached", "--", NAMES[*at]]);
        }
    }
}

/// Many random trees: each session of steps goes on where the last one left the work tree,
/// and now and then it is committed, so that 500 trees need few processes. The same trees each
/// time; with `BIRTHMARK_LONG_TESTS` others.
#[test]
fn five_hundred_random_trees_come_back_byte_for_byte() {
    let cases = 25;
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    };
    let mut runner = if std::env::var_os("BIRTHMARK_LONG_TESTS").is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let rounds = proptest::collection::vec((steps(), any::<bool>(), any::<bool>()), 20);
    let strategy = (any::<bool>(), rounds);
    runner
        .run(&strategy, |(attributes, rounds)| {
            let repo = if attributes {
                with_attributes()
            } else {
                TestRepo::with_commit()
            };
            let mut last = None;
            for (number, (steps, commit, _)) in rounds.iter().enumerate() {
                if *commit && number % 5 == 0 {
                    repo.git(["add", "-A"]);
                    repo.git(["commit", "-q", "--allow-empty", "-m", "on"]);
                }
                for one in steps {
                    step(&repo, one);
                }
                let parts = snapshot(repo.path(), &format!("r{number}"));
                let Some(part) = parts.first() else { continue };
                let tree = stored(&open(repo.path()), &part.commit);
                let ran = tree_of(repo.path());
                if part.taken.is_some() {
                    prop_assert_eq!(&tree, &ran);
                    last = Some((part.commit.clone(), tree));
                } else if !attributes {
                    // Whatever the index says: the work tree is what HEAD holds.
                    prop_assert_eq!(&tree, &ran);
                }
            }
            // Git itself gives the last one back in a fresh clone, and finds no fault.
            if let Some((commit, tree)) = last {
                repo.git(["fsck", "--strict", "--no-dangling"]);
                let clone = TestRepo::clone_of(&repo, &["--no-checkout"]);
                clone.git(["config", "core.attributesFile", "/dev/null"]);
                clone.git([
                    "fetch",
                    "-q",
                    "origin",
                    "+refs/birthmark/*:refs/birthmark/*",
                ]);
                prop_assert_eq!(stored(&open(clone.path()), &commit), tree.clone());
                if !attributes {
                    clone.git(["checkout", "-q", "-f", &commit]);
                    prop_assert_eq!(tree_of(clone.path()), tree);
                }
            }
            Ok(())
        })
        .unwrap();
}

/// Git does not look into a repository that it does not know, and neither runs its filters.
#[test]
fn no_filter_of_a_nested_repository_runs() {
    let repo = TestRepo::with_commit();
    let nested = repo.path().join("nested");
    let mark = repo.outside().join("mark");
    let filter = format!("touch {}; cat", mark.display());
    std::fs::create_dir(&nested).unwrap();
    repo.git_in(&nested, ["init", "-q"]);
    repo.write("nested/.gitattributes", "*.py filter=evil\n");
    repo.write("nested/a.py", "1\n");
    repo.git_in(&nested, ["add", "."]);
    repo.git_in(&nested, ["commit", "-qm", "first"]);
    repo.git_in(&nested, ["config", "filter.evil.clean", &filter]);
    let touch = || {
        std::thread::sleep(std::time::Duration::from_millis(15));
        repo.write("nested/a.py", "2\n");
    };
    touch();
    repo.git_in(&nested, ["status"]);
    assert!(mark.exists(), "git would run it there");
    std::fs::remove_file(&mark).unwrap();
    touch();
    let parts = snapshot(repo.path(), "r1");
    assert!(!mark.exists());
    let inner = parts.iter().find(|part| part.path == "nested").unwrap();
    assert_eq!(stored(&open(&nested), &inner.commit), tree_of(&nested));
    assert!(parts[0].taken.as_ref().unwrap().is_exact());
}

#[test]
fn every_file_that_a_plain_checkout_would_change_is_listed() {
    let repo = TestRepo::with_commit();
    let attributes = "*.id ident\n*.u16 working-tree-encoding=UTF-16LE\n*.l1 \
                      working-tree-encoding=ISO-8859-1\n*.crlf text eol=crlf\n";
    repo.write(".gitattributes", attributes);
    repo.commit_all("attributes");
    for (name, bytes) in [
        ("empty.id", &b"$Id$\n"[..]),
        ("filled.id", b"x $Id: 0123 $\n"),
        ("two lines.id", b"$Id: 0123\n$\n"),
        ("wide.u16", b"h\0i\0"),
        ("nothing.u16", b""),
        ("latin.l1", b"\xfc\n"),
        ("plain.l1", b"u\n"),
        ("lf.crlf", b"a\n"),
        ("crlf.crlf", b"a\r\n"),
    ] {
        repo.write(name, bytes);
    }
    let parts = snapshot(repo.path(), "r1");
    let clone = TestRepo::clone_of(&repo, &[]);
    clone.git(["fetch", "-q", "origin", "refs/birthmark/*:refs/birthmark/*"]);
    clone.git(["checkout", "-q", &parts[0].commit]);
    let (lies, checked_out) = (tree_of(repo.path()), tree_of(clone.path()));
    let changed = lies
        .iter()
        .filter(|(name, file)| checked_out.get(*name) != Some(file));
    let changed: Vec<_> = changed
        .map(|(name, _)| String::from_utf8_lossy(name))
        .collect();
    let taken = parts[0].taken.as_ref().unwrap();
    assert_eq!(changed, ["empty.id", "filled.id", "lf.crlf", "wide.u16"]);
    assert_eq!(
        taken.raw,
        ["empty.id", "filled.id", "latin.l1", "lf.crlf", "wide.u16"]
    );
    assert_eq!(stored(&open(repo.path()), &parts[0].commit), lies);
}
