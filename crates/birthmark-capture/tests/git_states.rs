//! Every awkward repository, held against the git program's own answers.
//!
//! For each state: commit, branch and dirty are what git says, `.git` is byte for byte
//! as before, and no time of any file in it changed.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use birthmark_capture::git::{self, StatusOptions};
use birthmark_core::Finding;
use birthmark_core::code::{ChangeKind, CodeState};
use birthmark_testing::repo::{TestRepo, fingerprint};

fn look(path: &Path) -> CodeState {
    let options = StatusOptions {
        time_limit: Duration::from_secs(30),
        ..StatusOptions::default()
    };
    git::capture_status(path, &options)
}

/// Captures, and holds commit, branch and dirty against the git program.
fn agrees(repo: &TestRepo) -> CodeState {
    agrees_at(repo, repo.path())
}

fn agrees_at(repo: &TestRepo, root: &Path) -> CodeState {
    let git_dir = repo.git_in(root, ["rev-parse", "--absolute-git-dir"]);
    let before = fingerprint(Path::new(git_dir.trim()));
    let state = look(root);
    assert_eq!(
        before,
        fingerprint(Path::new(git_dir.trim())),
        "something was written into .git"
    );

    let said = |args: &[&str]| {
        let output = repo.command(root).args(args).output().expect("git starts");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said(&["rev-parse", "-q", "--verify", "HEAD"]);
    assert_eq!(state.commit.found(), commit.as_ref(), "{state:#?}");
    let branch = said(&["symbolic-ref", "-q", "--short", "HEAD"]);
    assert_eq!(state.branch.found(), branch.as_ref());
    let porcelain = said(&["status", "--porcelain"]).expect("status answers");
    assert_eq!(
        state.dirty,
        Finding::Found(!porcelain.is_empty()),
        "git says {porcelain:?}, {state:#?}"
    );
    assert!(state.counts_complete);
    state
}

/// The same for a state that must be clean, or must not.
fn agrees_on(repo: &TestRepo, dirty: bool) -> CodeState {
    let state = agrees(repo);
    assert_eq!(
        state.dirty,
        Finding::Found(dirty),
        "the test's own expectation"
    );
    state
}

fn kinds(state: &CodeState) -> Vec<(&str, ChangeKind)> {
    state
        .changed_files
        .iter()
        .map(|file| (file.path.as_str(), file.kind))
        .collect()
}

#[test]
fn a_clean_repository_is_clean() {
    let repo = TestRepo::with_commit();
    let state = agrees_on(&repo, false);
    assert_eq!(state.root.as_deref(), repo.path().to_str());
    assert_eq!(state.object_format.as_deref(), Some("sha1"));
    assert!(
        state.trusted && !state.shallow && !state.bare && !state.partial && !state.linked_worktree
    );
    assert_eq!(
        (state.remote, state.pushed),
        (Finding::Absent, Finding::Absent)
    );
}

#[test]
fn an_edited_a_staged_a_deleted_and_a_new_file_are_each_named() {
    let repo = TestRepo::with_commit();
    for name in ["edited", "staged", "deleted", "both"] {
        repo.write(name, "1\n");
    }
    repo.commit_all("files");
    repo.write("edited", "22\n");
    repo.write("staged", "22\n");
    repo.write("both", "22\n");
    repo.git(["add", "staged", "both"]);
    repo.write("both", "333\n");
    std::fs::remove_file(repo.path().join("deleted")).expect("removed");
    repo.write("new/file.py", "1\n");
    let state = agrees_on(&repo, true);
    assert_eq!(
        kinds(&state),
        [
            ("both", ChangeKind::Edited),
            ("deleted", ChangeKind::Deleted),
            ("edited", ChangeKind::Edited),
            ("new/file.py", ChangeKind::New),
            ("staged", ChangeKind::Staged),
        ]
    );
    assert_eq!((state.staged, state.unstaged, state.untracked), (2, 3, 1));
    assert_eq!(
        state.dirty_summary(),
        "2 edited, 1 staged, 1 new file, 1 deleted (both, deleted, +3)"
    );
}

#[test]
fn only_an_untracked_file_is_dirt_and_only_an_ignored_one_is_not() {
    let repo = TestRepo::with_commit();
    repo.write(".gitignore", "*.log\nout/\n");
    repo.commit_all("ignore");
    repo.write("x.log", "1");
    repo.write("out/deep/file", "1");
    agrees_on(&repo, false);
    repo.write("new_module.py", "1");
    assert_eq!(agrees_on(&repo, true).untracked, 1);
}

#[test]
fn ignore_rules_from_every_place_are_obeyed() {
    let repo = TestRepo::with_commit();
    repo.write("deep/.gitignore", "*\n!keep\n");
    repo.write("deep/a", "1");
    repo.write("deep/.hidden", "1");
    std::fs::write(repo.git_dir().join("info/exclude"), "b\n").expect("written");
    repo.write("b", "1");
    agrees_on(&repo, false);
    repo.write("deep/keep", "1");
    agrees_on(&repo, true);
}

#[test]
fn artifacts_and_sidecars_are_counted_apart() {
    let repo = TestRepo::with_commit();
    repo.write("artifacts/a.jsonl", "{}\n");
    repo.write("artifacts/deep/b.jsonl", "{}\n");
    repo.write("model.pt.birthmark.json", "{}");
    let generated = repo.write("eval.json", "{}");
    let options = StatusOptions {
        artifacts: vec![repo.path().join("artifacts")],
        generated: [generated].into(),
        ..StatusOptions::default()
    };
    let state = git::capture_status(repo.path(), &options);
    assert_eq!(
        (state.dirty, state.untracked, state.untracked_artifacts),
        (Finding::Found(false), 0, Some(4))
    );
    // A tracked file is dirt wherever it lies.
    repo.git(["add", "artifacts/a.jsonl"]);
    let state = git::capture_status(repo.path(), &options);
    assert_eq!(
        (state.dirty, state.staged, state.untracked_artifacts),
        (Finding::Found(true), 1, Some(3))
    );
}

#[test]
fn code_that_a_journal_names_as_generated_is_dirt_and_in_the_snapshot() {
    for (name, text, is_code) in [
        ("run.sh", "echo 1", true),
        ("weights/modeling_x.py", "x = 1", true),
        ("launch", "#!/bin/sh\necho 1", true),
        ("Makefile", "all:", true),
        ("predictions", "0.1", false),
        ("weights/config.json", "{}", false),
        ("out.jsonl", "{}\n", false),
    ] {
        let repo = TestRepo::with_commit();
        repo.write(name, text);
        let first = name.split('/').next().expect("a name").into();
        let options = StatusOptions {
            generated: [first].into(),
            generated_in: repo.path().to_owned(),
            ..StatusOptions::default()
        };
        let state = git::capture_status(repo.path(), &options);
        assert_eq!(state.dirty, Finding::Found(is_code), "{name}");
        assert_eq!(state.untracked, u64::from(is_code), "{name}");
        let options = StatusOptions {
            script: Some(repo.path().join(name)),
            ..options
        };
        let state = git::capture_status(repo.path(), &options);
        assert_eq!(
            state.dirty,
            Finding::Found(true),
            "what runs is code: {name}"
        );
    }
}

#[test]
fn how_dirty_it_is_is_told_without_a_walk_through_the_artifacts() {
    let repo = TestRepo::with_commit();
    repo.write("artifacts/kept/readme", "tracked");
    repo.commit_all("an artifact");
    repo.write("artifacts/a.jsonl", "{}\n");
    repo.write("artifacts/kept/b.jsonl", "{}\n");
    repo.write("model.pt.birthmark.json", "{}");
    let all = StatusOptions {
        artifacts: vec![repo.path().join("artifacts")],
        ..StatusOptions::default()
    };
    let but = StatusOptions {
        count_artifacts: false,
        ..all.clone()
    };
    let counts = |dirty| {
        let [all, but] = [&all, &but].map(|options| git::capture_status(repo.path(), options));
        assert_eq!([&all.dirty, &but.dirty], [&Finding::Found(dirty); 2]);
        assert_eq!(all.untracked, but.untracked);
        [all.untracked_artifacts, but.untracked_artifacts]
    };
    assert_eq!(counts(false), [Some(3), None]);
    repo.write("new.py", "1");
    assert_eq!(counts(true), [Some(3), None]);
    repo.write("artifacts/kept/readme", "edited");
    std::fs::remove_file(repo.path().join("new.py")).expect("removed");
    assert_eq!(counts(true), [Some(3), None]);
}

#[test]
fn among_very_many_files_that_came_the_tracked_ones_are_listed_and_are_no_drift() {
    let repo = TestRepo::with_commit();
    repo.write("zz.py", "1");
    repo.commit_all("tracked");
    repo.write("zz.py", "edited");
    for number in 0..1_100 {
        repo.write(format!("new/{number}"), "x");
    }
    let before = git::capture_status(repo.path(), &StatusOptions::default());
    assert!(before.changed_files.iter().any(|one| one.path == "zz.py"));
    assert_eq!(
        (before.changed_total, before.changed_files.len()),
        (1_101, 1_000)
    );
    let later = git::capture_later(repo.path(), &before, &StatusOptions::default());
    assert!(!before.drift_to(&later).any());
    repo.write("zz.py", "edited again");
    let later = git::capture_later(repo.path(), &before, &StatusOptions::default());
    assert_eq!(before.drift_to(&later).files, ["zz.py"]);
}

#[test]
fn environments_are_no_dirt_unless_git_tracks_them() {
    let repo = TestRepo::with_commit();
    repo.write("env/pyvenv.cfg", "home = /usr/bin");
    repo.write("env/lib/python3.11/site-packages/a.py", "1");
    repo.write("tools/conda/conda-meta/history", "");
    repo.write("tools/conda/bin/python", "");
    let state = git::capture_status(repo.path(), &StatusOptions::default());
    assert_eq!((state.dirty.found(), state.untracked), (Some(&false), 0));
    repo.write("tools/own.py", "1");
    let state = git::capture_status(repo.path(), &StatusOptions::default());
    assert_eq!(state.untracked, 1);
    repo.git(["add", "--force", "env"]);
    assert_eq!(
        git::capture_status(repo.path(), &StatusOptions::default()).staged,
        2
    );
}

#[test]
fn an_unborn_branch_has_a_name_and_no_commit() {
    let repo = TestRepo::unborn();
    let state = agrees_on(&repo, false);
    assert_eq!(state.commit.reason(), Some("no commit yet"));
    assert_eq!(state.branch, Finding::Found("main".to_owned()));
    repo.write("a", "1");
    agrees_on(&repo, true);
    repo.git(["add", "a"]);
    assert_eq!(agrees_on(&repo, true).staged, 1);
}

#[test]
fn a_detached_head_has_no_branch() {
    let repo = TestRepo::with_commit();
    repo.detach();
    assert_eq!(agrees_on(&repo, false).branch, Finding::Absent);
}

#[test]
fn a_branch_with_a_slash_keeps_it() {
    let repo = TestRepo::with_commit();
    repo.git(["checkout", "-q", "-b", "feature/sft/2"]);
    assert_eq!(
        agrees(&repo).branch,
        Finding::Found("feature/sft/2".to_owned())
    );
}

#[test]
fn a_bare_repository_has_no_dirt() {
    let origin = TestRepo::with_commit();
    let bare = TestRepo::bare_clone_of(&origin);
    let state = look(bare.path());
    assert_eq!(state.commit, Finding::Found(origin.head()));
    assert_eq!(
        (state.dirty, state.bare, state.root),
        (Finding::Absent, true, None)
    );
}

#[test]
fn no_repository_is_unknown_and_never_clean() {
    let folder = tempfile::tempdir().expect("temp");
    for state in [look(folder.path()), git::capture_head(folder.path())] {
        for reason in [
            state.commit.reason(),
            state.branch.reason(),
            state.dirty.reason(),
        ] {
            assert_eq!(reason, Some("not a git repository"));
        }
        assert!(!state.trusted && state.root.is_none());
    }
}

#[test]
fn a_shallow_clone_is_recorded_as_such() {
    let origin = TestRepo::with_commit();
    origin.commit_all("second");
    let state = agrees_on(&TestRepo::shallow_clone_of(&origin, 1), false);
    assert!(state.shallow);
    assert_eq!(state.pushed, Finding::Found(true));
}

#[test]
fn a_partial_clone_is_read_without_a_fetch() {
    let origin = TestRepo::with_commit();
    origin.write("train.py", "lr = 2\n");
    origin.commit_all("second");
    let clone = TestRepo::partial_clone_of(&origin);
    let state = agrees_on(&clone, false);
    assert!(state.partial);
    // The origin is gone: what is answered now is answered from here.
    std::fs::rename(origin.path(), origin.outside().join("gone")).expect("moved");
    clone.write("train.py", "lr = 9\n");
    assert_eq!(agrees_on(&clone, true).unstaged, 1);
}

#[test]
fn a_linked_work_tree_answers_for_itself() {
    let repo = TestRepo::with_commit();
    let folder = repo.add_worktree("side");
    let state = agrees_at(&repo, &folder);
    assert_eq!(state.branch, Finding::Found("side".to_owned()));
    assert!(state.linked_worktree);
    repo.write("train.py", "lr = 99\n");
    assert_eq!(agrees_at(&repo, &folder).dirty, Finding::Found(false));
    agrees_on(&repo, true);
}

#[test]
fn a_separate_git_folder_is_followed() {
    let repo = TestRepo::separate_git_dir();
    agrees_on(&repo, false);
    repo.write("train.py", "lr = 99\n");
    agrees_on(&repo, true);
}

#[test]
fn sha256_repositories_have_64_digits() {
    let repo = TestRepo::sha256();
    let state = agrees_on(&repo, false);
    assert_eq!(state.commit.found().map(String::len), Some(64));
    assert_eq!(state.object_format.as_deref(), Some("sha256"));
    repo.write("train.py", "lr = 99\n");
    agrees_on(&repo, true);
}

#[test]
fn a_reftable_is_asked_of_the_git_program() {
    let repo = TestRepo::reftable();
    agrees_on(&repo, false);
    repo.write("train.py", "lr = 99\n");
    agrees_on(&repo, true);
    repo.detach();
    assert_eq!(agrees(&repo).branch, Finding::Absent);
}

#[test]
fn objects_that_are_borrowed_are_found() {
    let origin = TestRepo::with_commit();
    agrees_on(&TestRepo::sharing_clone_of(&origin), false);
}

#[test]
fn many_packed_references_are_no_hindrance() {
    let repo = TestRepo::with_commit();
    let head = repo.head();
    let mut orders = String::new();
    for number in 0..5000 {
        writeln!(orders, "create refs/remotes/origin/b{number} {head}").expect("no limit");
    }
    std::fs::write(repo.outside().join("orders"), orders).expect("written");
    let orders = std::fs::File::open(repo.outside().join("orders")).expect("opened");
    let done = repo
        .command(repo.path())
        .args(["update-ref", "--stdin"])
        .stdin(orders)
        .status();
    assert!(done.is_ok_and(|status| status.success()));
    repo.git(["pack-refs", "--all"]);
    assert_eq!(agrees_on(&repo, false).pushed, Finding::Found(true));
}

#[test]
fn only_another_mode_is_a_change_unless_modes_are_not_watched() {
    let repo = TestRepo::with_commit();
    let mode = |bits| {
        let path = repo.path().join("train.py");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).expect("chmod");
    };
    mode(0o755);
    assert_eq!(
        kinds(&agrees_on(&repo, true)),
        [("train.py", ChangeKind::ModeChanged)]
    );
    repo.git(["config", "core.fileMode", "false"]);
    agrees_on(&repo, false);
}

#[test]
fn a_staged_mode_change_is_named_so() {
    let repo = TestRepo::with_commit();
    repo.git(["update-index", "--chmod=+x", "train.py"]);
    agrees_on(&repo, true);
}

#[test]
fn intent_to_add_is_a_new_file() {
    let repo = TestRepo::with_commit();
    repo.write("soon.py", "1\n");
    repo.git(["add", "-N", "soon.py"]);
    assert_eq!(
        kinds(&agrees_on(&repo, true)),
        [("soon.py", ChangeKind::New)]
    );
}

#[test]
fn a_file_that_was_only_touched_is_clean() {
    let repo = TestRepo::with_commit();
    repo.let_the_index_age();
    repo.write("train.py", "lr = 1\n");
    agrees_on(&repo, false);
}

#[test]
fn an_edit_of_the_same_size_in_the_same_instant_is_seen() {
    for _ in 0..20 {
        let repo = TestRepo::with_commit();
        repo.write("train.py", "lr = 2\n");
        agrees_on(&repo, true);
    }
}

#[test]
fn line_ends_are_judged_as_git_does() {
    for (setting, attributes) in [
        (Some("true"), None),
        (Some("input"), None),
        (None, Some("* text=auto\n")),
        (None, Some("*.py text eol=crlf\n")),
        (None, Some("*.py -text\n")),
        (None, None),
    ] {
        for (old, new) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\r\nb\n", "a\r\nb\n"),
        ] {
            let repo = TestRepo::with_commit();
            if let Some(value) = setting {
                repo.git(["config", "core.autocrlf", value]);
            }
            if let Some(attributes) = attributes {
                repo.write(".gitattributes", attributes);
            }
            repo.write("code.py", old);
            repo.commit_all("line ends");
            repo.let_the_index_age();
            agrees(&repo);
            repo.write("code.py", new);
            agrees(&repo);
            repo.write("code.py", "other\r\n");
            agrees_on(&repo, true);
        }
    }
}

#[test]
fn a_clean_filter_of_the_users_own_repository_is_obeyed() {
    let repo = TestRepo::with_commit();
    repo.git(["config", "filter.upper.clean", "tr a-z A-Z"]);
    repo.write(".gitattributes", "*.txt filter=upper\n");
    repo.write("b.txt", "abc\n");
    repo.commit_all("filtered");
    repo.let_the_index_age();
    agrees_on(&repo, false);
    repo.write("b.txt", "aBc\n");
    agrees_on(&repo, false);
    repo.write("b.txt", "xyz\n");
    agrees_on(&repo, true);
}

#[test]
fn a_change_that_git_was_told_not_to_see_is_named_as_hidden() {
    let repo = TestRepo::with_commit();
    repo.git(["update-index", "--assume-unchanged", "train.py"]);
    repo.git(["update-index", "--skip-worktree", "data/a.txt"]);
    assert!(agrees_on(&repo, false).hidden.is_empty());
    repo.write("train.py", "lr = 1000\n");
    assert_eq!(agrees_on(&repo, false).hidden, ["train.py"]);
    repo.write("data/a.txt", "secretly other\n");
    assert_eq!(agrees_on(&repo, false).hidden, ["data/a.txt", "train.py"]);
}

#[test]
fn a_sparse_checkout_is_clean_and_an_edit_outside_of_it_is_not() {
    for sparse_index in ["false", "true"] {
        let repo = TestRepo::with_commit();
        for folder in ["in", "out", "out/deep"] {
            repo.write(format!("{folder}/file"), "1\n");
        }
        repo.commit_all("folders");
        repo.git(["config", "index.sparse", sparse_index]);
        repo.git(["sparse-checkout", "set", "--cone", "in"]);
        assert!(!repo.path().join("out").exists());
        assert!(agrees_on(&repo, false).hidden.is_empty());
        repo.write("in/file", "22\n");
        agrees_on(&repo, true);
        repo.git(["checkout", "-q", "in/file"]);
        repo.write("out/file", "22\n");
        agrees_on(&repo, true);
        std::fs::remove_dir_all(repo.path().join("out")).expect("removed");
        repo.write("in/staged", "1\n");
        repo.git(["add", "in/staged"]);
        assert_eq!(agrees_on(&repo, true).staged, 1);
    }
}

#[test]
fn every_operation_that_was_stopped_is_named() {
    for operation in ["merge", "rebase", "cherry-pick", "revert"] {
        let repo = TestRepo::with_commit();
        repo.stop_in(operation);
        let state = agrees_on(&repo, true);
        assert_eq!(state.operation.as_deref(), Some(operation));
        assert!(
            kinds(&state).contains(&("train.py", ChangeKind::Conflicted)),
            "{operation}"
        );
    }
    let repo = TestRepo::with_commit();
    repo.start_bisect();
    assert_eq!(agrees_on(&repo, false).operation.as_deref(), Some("bisect"));
}

#[test]
fn a_foreign_index_lock_is_neither_waited_for_nor_touched() {
    let repo = TestRepo::with_commit();
    std::fs::write(repo.git_dir().join("index.lock"), "").expect("written");
    agrees_on(&repo, false);
}

#[test]
fn a_corrupt_index_leaves_dirty_unknown_and_commit_known() {
    let repo = TestRepo::with_commit();
    let index = repo.git_dir().join("index");
    let whole = std::fs::read(&index).expect("index");
    for damaged in [
        &b"nonsense"[..],
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
        b"",
    ] {
        std::fs::write(&index, damaged).expect("written");
        let state = look(repo.path());
        assert_eq!(state.commit, Finding::Found(repo.head()));
        assert!(
            state.dirty.reason().is_some(),
            "{} bytes: {state:#?}",
            damaged.len()
        );
    }
}

#[test]
fn a_missing_index_is_all_deleted() {
    let repo = TestRepo::with_commit();
    std::fs::remove_file(repo.git_dir().join("index")).expect("removed");
    agrees_on(&repo, true);
}

#[test]
fn a_head_whose_commit_is_gone_is_unknown() {
    let repo = TestRepo::with_commit();
    let head = repo.head();
    let object = repo
        .git_dir()
        .join("objects")
        .join(&head[..2])
        .join(&head[2..]);
    std::fs::remove_file(object).expect("removed");
    let state = look(repo.path());
    assert!(
        state
            .commit
            .reason()
            .is_some_and(|reason| reason.contains("not there"))
    );
    assert!(state.dirty.reason().is_some());
}

#[test]
fn a_head_that_is_no_reference_is_unknown() {
    for nonsense in [
        "",
        "nonsense\n",
        "ref: \n",
        "ref: refs/heads/../../x\n",
        "\0\0",
    ] {
        let repo = TestRepo::with_commit();
        std::fs::write(repo.git_dir().join("HEAD"), nonsense).expect("written");
        let state = look(repo.path());
        assert!(state.commit.reason().is_some(), "{nonsense:?}: {state:#?}");
        assert!(state.dirty.reason().is_some(), "{nonsense:?}");
    }
}

#[test]
fn a_submodule_is_dirty_when_it_is_dirty_moved_or_has_new_files() {
    let inner = TestRepo::with_commit();
    let repo = TestRepo::with_commit();
    let sub = repo.add_submodule(&inner, "lib");
    let state = agrees_on(&repo, false);
    assert_eq!(state.submodules.len(), 1);
    assert_eq!(state.submodules[0].commit, Finding::Found(inner.head()));
    assert_eq!(state.submodules[0].dirty, Finding::Found(false));

    std::fs::write(sub.join("new.py"), "1").expect("written");
    agrees_on(&repo, true);
    std::fs::remove_file(sub.join("new.py")).expect("removed");
    std::fs::write(sub.join("train.py"), "lr = 77\n").expect("written");
    let state = agrees_on(&repo, true);
    assert_eq!(kinds(&state), [("lib", ChangeKind::Submodule)]);
    assert_eq!(state.submodules[0].dirty, Finding::Found(true));
    repo.git_in(&sub, ["commit", "-qam", "moved"]);
    agrees_on(&repo, true);
}

#[test]
fn a_submodule_that_is_not_checked_out_is_clean_and_unknown() {
    let inner = TestRepo::with_commit();
    let repo = TestRepo::with_commit();
    repo.add_submodule(&inner, "lib");
    let clone = TestRepo::clone_of(&repo, &[]);
    let state = agrees_on(&clone, false);
    assert_eq!(state.submodules[0].commit.reason(), Some("not checked out"));
    std::fs::remove_dir_all(clone.path().join("lib")).expect("removed");
    agrees(&clone);
}

#[test]
fn an_ignored_submodule_is_judged_as_git_does_and_named_as_hidden() {
    for ignore in ["all", "dirty", "untracked", "none"] {
        let inner = TestRepo::with_commit();
        let repo = TestRepo::with_commit();
        let sub = repo.add_submodule(&inner, "lib");
        repo.git(["config", "submodule.lib.ignore", ignore]);
        std::fs::write(sub.join("new.py"), "1").expect("written");
        agrees(&repo);
        std::fs::write(sub.join("train.py"), "lr = 77\n").expect("written");
        let state = agrees(&repo);
        assert_eq!(
            state.hidden.is_empty(),
            state.dirty == Finding::Found(true),
            "{ignore}"
        );
    }
}

#[test]
fn a_nested_repository_is_untracked_dirt() {
    let repo = TestRepo::with_commit();
    repo.write("nested/file", "1");
    repo.git_in(&repo.path().join("nested"), ["init", "-q"]);
    agrees(&repo);
    repo.git_in(&repo.path().join("nested"), ["add", "-A"]);
    repo.git_in(&repo.path().join("nested"), ["commit", "-qm", "x"]);
    agrees_on(&repo, true);
    let inner = look(&repo.path().join("nested/file"));
    assert_eq!(inner.root.as_deref(), repo.path().join("nested").to_str());
}

#[test]
fn names_of_any_bytes_are_escaped_and_counted() {
    let repo = TestRepo::with_commit();
    let names: [&[u8]; 5] = [
        b"new\nline",
        b"\xff\xfe",
        b"-dash",
        b"\x1b[31mred",
        "é🎉".as_bytes(),
    ];
    for name in names {
        repo.write(std::ffi::OsStr::from_bytes(name), "1\n");
    }
    let state = agrees_on(&repo, true);
    assert_eq!(state.untracked, 5);
    assert!(
        state
            .changed_files
            .iter()
            .all(|file| !file.path.chars().any(char::is_control))
    );
    repo.commit_all("odd names");
    agrees_on(&repo, false);
    for name in names {
        repo.write(std::ffi::OsStr::from_bytes(name), "22\n");
    }
    assert_eq!(agrees_on(&repo, true).unstaged, 5);
}

#[test]
fn symlinks_pipes_and_folders_in_place_of_files_are_judged_as_git_does() {
    let repo = TestRepo::with_commit();
    symlink("train.py", repo.path().join("link")).expect("linked");
    symlink("nowhere", repo.path().join("dangling")).expect("linked");
    repo.commit_all("links");
    agrees_on(&repo, false);
    let pipe = repo.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .is_ok_and(|s| s.success())
    );
    agrees_on(&repo, false);
    std::fs::remove_file(repo.path().join("link")).expect("removed");
    repo.write("link", "train.py");
    assert_eq!(
        kinds(&agrees_on(&repo, true)),
        [("link", ChangeKind::TypeChanged)]
    );
    std::fs::remove_file(repo.path().join("train.py")).expect("removed");
    std::fs::create_dir(repo.path().join("train.py")).expect("made");
    agrees_on(&repo, true);
    repo.write("train.py/x", "1");
    agrees_on(&repo, true);
}

#[test]
fn an_empty_folder_is_no_dirt() {
    let repo = TestRepo::with_commit();
    std::fs::create_dir_all(repo.path().join("empty/deep")).expect("made");
    agrees_on(&repo, false);
}

#[test]
fn a_renamed_and_an_unstaged_removed_file_are_dirt() {
    let repo = TestRepo::with_commit();
    repo.git(["mv", "train.py", "moved.py"]);
    agrees_on(&repo, true);
    repo.git(["reset", "-q", "--hard"]);
    repo.git(["rm", "-q", "--cached", "train.py"]);
    agrees_on(&repo, true);
}

#[test]
fn split_untracked_cached_and_monitored_indexes_are_read() {
    for orders in [
        &["update-index", "--split-index"][..],
        &["update-index", "--untracked-cache"],
        &["update-index", "--index-version", "4"],
        &["config", "index.skipHash", "true"],
        &["update-index", "--fsmonitor-valid", "train.py"],
    ] {
        let repo = TestRepo::with_commit();
        repo.try_git(orders);
        repo.git(["add", "-A"]);
        agrees_on(&repo, false);
        repo.write("data/a.txt", "edited\n");
        repo.write("train.py", "lr = 100\n");
        agrees_on(&repo, true);
    }
}

#[test]
fn a_repository_behind_a_symlink_and_a_script_behind_one_are_found() {
    let repo = TestRepo::with_commit();
    let link = repo.outside().join("link");
    symlink(repo.path(), &link).expect("linked");
    assert_eq!(
        look(&link.join("train.py")).commit,
        Finding::Found(repo.head())
    );
    let script = repo.outside().join("run.py");
    symlink(repo.path().join("train.py"), &script).expect("linked");
    assert_eq!(look(&script).commit, Finding::Found(repo.head()));
    // A link in the repository to a file outside: where it seems to lie.
    std::fs::write(repo.outside().join("far.py"), "1").expect("written");
    symlink(repo.outside().join("far.py"), repo.path().join("near.py")).expect("linked");
    assert_eq!(
        look(&repo.path().join("near.py")).commit,
        Finding::Found(repo.head())
    );
    // A script that was deleted meanwhile, in a folder that was, too.
    assert_eq!(
        look(&repo.path().join("gone/deep/x.py")).commit,
        Finding::Found(repo.head())
    );
}

#[test]
fn the_head_look_knows_all_but_the_work_tree() {
    let repo = TestRepo::with_commit();
    let state = git::capture_head(&repo.path().join("train.py"));
    assert_eq!(state.commit, Finding::Found(repo.head()));
    assert_eq!(state.branch, Finding::Found("main".to_owned()));
    assert_eq!(state.dirty.reason(), Some("not looked at yet"));
}

#[test]
fn a_time_limit_of_nothing_is_unknown_and_a_seen_change_is_kept() {
    let repo = TestRepo::with_commit();
    let options = StatusOptions {
        time_limit: Duration::ZERO,
        ..StatusOptions::default()
    };
    let state = git::capture_status(repo.path(), &options);
    if state.dirty != Finding::Found(false) {
        assert_eq!(state.dirty.reason(), Some("status did not answer in 0 ms"));
        assert!(!state.counts_complete);
    }
}

#[test]
fn a_filter_that_hangs_leaves_dirty_unknown_in_time() {
    let repo = TestRepo::with_commit();
    repo.write(".gitattributes", "slow.txt filter=slow\n");
    repo.write("slow.txt", "1\n");
    repo.commit_all("slow");
    repo.let_the_index_age();
    repo.git(["config", "filter.slow.clean", "sleep 20"]);
    repo.write("slow.txt", "2\n");
    let options = StatusOptions {
        time_limit: Duration::from_millis(300),
        ..StatusOptions::default()
    };
    let start = std::time::Instant::now();
    let state = git::capture_status(repo.path(), &options);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(
        state.dirty.reason(),
        Some("status did not answer in 300 ms")
    );
    assert_eq!(state.commit, Finding::Found(repo.head()));
    // An untracked file that was seen before the limit is dirt all the same.
    repo.write("new.py", "1");
    let state = git::capture_status(repo.path(), &options);
    assert_eq!(
        (state.dirty, state.counts_complete),
        (Finding::Found(true), false)
    );
}

#[test]
fn drift_between_two_looks_is_named() {
    let repo = TestRepo::with_commit();
    repo.write("train.py", "lr = 22\n");
    let before = look(repo.path());
    assert!(!before.drift_to(&look(repo.path())).any());
    repo.write("train.py", "lr = 333\n");
    assert_eq!(before.drift_to(&look(repo.path())).files, ["train.py"]);
    repo.commit_all("moved");
    assert!(before.drift_to(&look(repo.path())).head_moved);
}

#[test]
fn a_later_look_sees_what_was_edited_and_walks_no_folder() {
    let repo = TestRepo::with_commit();
    repo.write("data/b.txt", "b\n");
    repo.commit_all("b");
    repo.write("train.py", "lr = 22\n");
    repo.write("notes.txt", "old");
    repo.write("gone.txt", "");
    let before = look(repo.path());
    let options = StatusOptions::default();
    let later = || {
        let git_dir = fingerprint(&repo.git_dir());
        let state = git::capture_later(repo.path(), &before, &options);
        assert_eq!(git_dir, fingerprint(&repo.git_dir()));
        before.drift_to(&state)
    };
    assert!(!later().any(), "{:?}", later());
    repo.write("came.txt", "made by the run");
    assert!(!later().any(), "{:?}", later());
    repo.write("notes.txt", "edited");
    repo.write("data/b.txt", "edited\n");
    std::fs::remove_file(repo.path().join("gone.txt")).expect("it was there");
    let drift = later();
    assert!(drift.files_known);
    assert_eq!(drift.files, ["data/b.txt", "gone.txt", "notes.txt"]);
    repo.commit_all("moved");
    assert!(later().head_moved);
}

/// A small generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("64-bit") % sides
    }
}

/// One random act of a person at work.
fn act(repo: &TestRepo, dice: &mut Dice) {
    const NAMES: [&str; 12] = [
        "a",
        "b.py",
        "c/d",
        "c/e.py",
        "c/f/g",
        "h",
        "artifacts/x",
        "artifacts/y/z",
        ".gitattributes",
        ".gitignore",
        "c/.gitignore",
        "k/l/m.py",
    ];
    let name = NAMES[dice.roll(NAMES.len())];
    let path = repo.path().join(name);
    match dice.roll(15) {
        0..=3 if name.ends_with(".gitignore") => {
            let lines = [
                "*.py\n",
                "c/\n",
                "/a\n!c/e.py\n",
                "artifacts\n",
                "*\n!b.py\n",
                "",
            ];
            // The folder may be gone, or a file.
            let _missing = std::fs::write(&path, lines[dice.roll(lines.len())]);
        }
        0..=3 if name == ".gitattributes" => {
            let lines = ["* text=auto\n", "*.py eol=crlf\n", "* -text\n"];
            repo.write(name, lines[dice.roll(lines.len())]);
        }
        0..=3 => {
            let content = ["1\n", "2\n", "1\r\n2\r\n", "longer\n", ""];
            // A name may be a folder by now; then nothing is written.
            let made = path
                .parent()
                .is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
            let _folder = made.then(|| std::fs::write(&path, content[dice.roll(content.len())]));
        }
        4 => drop(std::fs::remove_file(&path)),
        5 => {
            let bits = if dice.roll(2) == 0 { 0o755 } else { 0o644 };
            let _missing = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits));
        }
        6 => drop(symlink("a", &path)),
        7 | 8 => drop(repo.try_git(["add", "-A", "--", name])),
        9 => drop(repo.try_git(["rm", "-q", "--cached", "-r", "--", name])),
        10 => drop(repo.try_git(["commit", "-q", "-m", "act", "-a"])),
        11 => drop(repo.try_git(["add", "-N", "--", name])),
        12 => {
            // A folder that becomes a symlink, a file, another folder or nothing.
            let folder = repo
                .path()
                .join(["c", "k", "k/l", "artifacts"][dice.roll(4)]);
            let _missing = std::fs::remove_dir_all(&folder);
            let _other = match dice.roll(4) {
                0 => symlink("nowhere", &folder),
                1 => std::fs::write(&folder, "1\n"),
                2 => std::fs::create_dir(&folder),
                _ => Ok(()),
            };
        }
        13 => drop(repo.try_git(["init", "-q", ["k/l", "n"][dice.roll(2)]])),
        _ => {
            let value = ["true", "false", "input"][dice.roll(3)];
            repo.git(["config", "core.autocrlf", value]);
        }
    }
}

#[test]
fn after_any_acts_the_changed_paths_are_those_of_git() {
    let long = std::env::var_os("BIRTHMARK_LONG_TESTS").is_some();
    for seed in 0..if long { 400 } else { 16 } {
        let (repo, mut dice) = (TestRepo::with_commit(), Dice(seed));
        for step in 0..24 {
            act(&repo, &mut dice);
            if step % 3 != 2 {
                continue;
            }
            let state = agrees(&repo);
            let said = repo.git(["status", "--porcelain", "-z", "-uall", "--no-renames"]);
            let mut paths: Vec<&str> = said
                .split_terminator('\0')
                .map(|line| line[3..].trim_end_matches('/'))
                .collect();
            paths.sort_unstable();
            paths.dedup();
            let ours: Vec<&str> = state
                .changed_files
                .iter()
                .map(|f| f.path.as_str())
                .collect();
            assert_eq!(ours, paths, "seed {seed}, step {step}: git says {said:?}");
        }
    }
}

/// The shortest of many runs: what the work takes when nothing disturbs it.
fn shortest(mut run: impl FnMut()) -> Duration {
    let timed = (0..30).map(|_| {
        let start = std::time::Instant::now();
        run();
        start.elapsed()
    });
    timed.min().expect("thirty runs")
}

#[test]
fn a_small_repository_is_looked_at_in_milliseconds() {
    let repo = TestRepo::with_commit();
    for number in 0..100 {
        repo.write(format!("src/f{number}.py"), "1\n");
    }
    repo.commit_all("files");
    let head = shortest(|| drop(git::capture_head(repo.path())));
    let status = shortest(|| drop(look(repo.path())));
    println!("head {head:?}, status {status:?}");
    assert!(head < Duration::from_millis(5) && status < Duration::from_millis(10));
}

#[test]
fn a_file_that_is_not_in_its_encoding_is_edited_and_hides_no_other() {
    let repo = TestRepo::with_commit();
    repo.write(
        ".gitattributes",
        "*.sj text working-tree-encoding=SHIFT-JIS\n*.must filter=gone\n",
    );
    repo.write("a.sj", b"\x82\xa0\n");
    repo.write("b.must", b"x\n");
    repo.commit_all("encodings");
    repo.let_the_index_age();
    agrees_on(&repo, false);
    repo.write("a.sj", b"\xff\xff\n");
    repo.write("train.py", "lr = 99\n");
    repo.write("new.py", "");
    let state = agrees_on(&repo, true);
    let named: Vec<&str> = state
        .changed_files
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(named, ["a.sj", "new.py", "train.py"]);
    assert_eq!((state.unstaged, state.untracked), (2, 1));
}

#[test]
fn utf_16_with_its_mark_is_clean_in_a_fresh_clone() {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let repo = TestRepo::with_commit();
    repo.write(
        ".gitattributes",
        "*.u16 text working-tree-encoding=UTF-16LE-BOM eol=crlf\n",
    );
    repo.write("a.u16", utf16("gr\u{fc}n\r\n"));
    repo.commit_all("encodings");
    let clone = TestRepo::clone_of(&repo, &[]);
    // Other times than the index remembers: the content decides.
    let file = std::fs::File::options()
        .write(true)
        .open(clone.path().join("a.u16"));
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    file.and_then(|file| file.set_modified(old))
        .expect("times can be set");
    let state = look(clone.path());
    assert_eq!(state.dirty, Finding::Found(false), "{state:#?}");
    agrees_on(&clone, false);
    clone.write("a.u16", utf16("grau\r\n"));
    agrees_on(&clone, true);
}

#[test]
fn a_file_taken_from_the_index_that_stays_is_no_drift() {
    let repo = TestRepo::with_commit();
    repo.write("kept", "x");
    repo.commit_all("kept");
    repo.git(["rm", "-q", "--cached", "kept"]);
    let before = look(repo.path());
    let later = git::capture_later(repo.path(), &before, &StatusOptions::default());
    assert_eq!(later.changed_files, before.changed_files);
}
