//! Repositories of strangers, environments that point elsewhere, addresses with
//! secrets: nothing runs, nothing leaks, nothing misleads, nothing hangs.
//!
//! A canary is a program that leaves a mark when it runs. Each canary is first shown
//! to sing: the git program, run by hand, sets it off.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use birthmark_capture::git::{self, Objects, StatusOptions};
use birthmark_core::Finding;
use birthmark_core::code::{CodeState, ObjectKind};
use birthmark_testing::repo::{TestRepo, fingerprint, is_root};

/// A user that is not the one who runs the tests.
const STRANGER: u32 = 1000;

fn look(path: &Path) -> CodeState {
    let options = StatusOptions {
        time_limit: Duration::from_secs(10),
        ..StatusOptions::default()
    };
    git::capture_status(path, &options)
}

/// A program that leaves `mark` when it runs, and gives its input in capitals.
fn canary(repo: &TestRepo) -> (PathBuf, PathBuf) {
    let (program, mark) = (repo.outside().join("canary"), repo.outside().join("mark"));
    let script = format!(
        "#!/bin/sh\necho \"$0 $*\" >> {}\ntr a-z A-Z\n",
        mark.display()
    );
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("chmod");
    (program, mark)
}

/// A repository that has the canary in every place that git runs programs from.
fn trapped() -> (TestRepo, PathBuf) {
    let repo = TestRepo::with_commit();
    let (program, mark) = canary(&repo);
    let program = program.to_str().expect("UTF-8").to_owned();
    repo.write(".gitattributes", "*.py filter=evil diff=evil\n");
    repo.git(["config", "filter.evil.clean", &program]);
    repo.write("train.py", "lr = 1\n\n");
    repo.commit_all("attributes");
    for key in [
        "core.fsmonitor",
        "filter.evil.smudge",
        "diff.external",
        "diff.evil.textconv",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "gpg.program",
        "credential.helper",
        "core.gitProxy",
        "uploadpack.packObjectsHook",
        "core.alternateRefsCommand",
    ] {
        repo.git(["config", key, &program]);
    }
    repo.git(["config", "alias.status", &format!("!{program}")]);
    repo.git(["config", "log.showSignature", "true"]);
    let hooks = repo.git_dir().join("hooks");
    for hook in [
        "post-index-change",
        "pre-commit",
        "post-checkout",
        "reference-transaction",
    ] {
        std::fs::create_dir_all(&hooks).expect("made");
        std::fs::copy(&program, hooks.join(hook)).expect("copied");
    }
    touch(&repo);
    (repo, mark)
}

/// Writes the same bytes again, so that only they can tell: the filter is wanted.
fn touch(repo: &TestRepo) {
    std::thread::sleep(Duration::from_millis(15));
    repo.write("train.py", "lr = 1\n\n");
}

#[test]
fn nothing_runs_in_the_repository_of_another_user() {
    if !is_root() {
        return;
    }
    let (repo, mark) = trapped();
    repo.git(["status"]);
    assert!(
        mark.exists(),
        "the canary must sing for git, or this proves nothing"
    );
    touch(&repo);
    let head = repo.head();
    std::fs::remove_file(&mark).expect("removed");
    repo.give_to(STRANGER);

    let git_dir = repo.path().join(".git");
    let before = fingerprint(&git_dir);
    let state = look(repo.path());
    let file = git::file_state(repo.path(), Path::new("train.py"));
    let data = git::last_commit_touching(&repo.path().join("data/a.txt"), Duration::from_secs(5));
    assert!(
        !mark.exists(),
        "{}",
        std::fs::read_to_string(&mark).unwrap_or_default()
    );
    assert_eq!(before, fingerprint(&git_dir));

    assert!(!state.trusted);
    assert_eq!(state.commit, Finding::Found(head));
    assert_eq!(state.branch, Finding::Found("main".to_owned()));
    assert!(
        state
            .dirty
            .reason()
            .is_some_and(|reason| reason.contains("filter")),
        "{state:#?}"
    );
    assert!(file.blob_id.reason().is_some() && file.tracked);
    assert!(data.found().is_some());
}

#[test]
fn the_dirt_of_another_users_repository_is_found_in_process() {
    if !is_root() {
        return;
    }
    let repo = TestRepo::with_commit();
    repo.git(["config", "core.fileMode", "false"]);
    repo.give_to(STRANGER);
    assert_eq!(look(repo.path()).dirty, Finding::Found(false));
    std::fs::set_permissions(
        repo.path().join("train.py"),
        PermissionsExt::from_mode(0o755),
    )
    .expect("chmod");
    let state = look(repo.path());
    assert_eq!(
        state.dirty,
        Finding::Found(false),
        "its core.fileMode counts: {state:#?}"
    );
    repo.write("train.py", "lr = 2\n");
    let state = look(repo.path());
    assert_eq!(
        (state.dirty, state.unstaged, state.trusted),
        (Finding::Found(true), 1, false)
    );
}

#[test]
fn a_large_index_of_a_stranger_is_read_and_names_are_capped() {
    if !is_root() {
        return;
    }
    let repo = TestRepo::with_commit();
    let blob = repo.git(["rev-parse", "HEAD:train.py"]);
    let mut entries = String::new();
    for number in 0..150_000 {
        let folder = "a-folder-with-a-rather-long-name-to-make-the-index-large";
        writeln!(entries, "100644 {}\t{folder}/{number}", blob.trim()).expect("no limit");
    }
    std::fs::write(repo.outside().join("entries"), entries).expect("written");
    let entries = std::fs::File::open(repo.outside().join("entries")).expect("opened");
    let mut feed = repo.command(repo.path());
    let done = feed
        .args(["update-index", "--index-info"])
        .stdin(entries)
        .status();
    assert!(done.is_ok_and(|status| status.success()));
    assert!(
        repo.git_dir()
            .join("index")
            .metadata()
            .is_ok_and(|meta| meta.len() > 16 << 20)
    );
    repo.give_to(STRANGER);
    let state = look(repo.path());
    assert_eq!((state.staged, state.unstaged), (150_000, 150_000));
    assert_eq!(
        (state.changed_total, state.changed_files.len()),
        (150_000, 1000)
    );
    assert!(state.dirty_summary().starts_with("150000 changed files ("));
}

#[test]
fn a_filter_of_the_users_own_is_not_lent_to_a_stranger() {
    if !is_root() {
        return;
    }
    let repo = TestRepo::with_commit();
    let (program, mark) = canary(&repo);
    repo.git([
        "config",
        "--global",
        "filter.lfs.clean",
        program.to_str().expect("UTF-8"),
    ]);
    repo.write(".gitattributes", "*.py filter=lfs\n");
    // New content: what looks unchanged git hands to no filter.
    repo.write("train.py", "lr = 8\n");
    repo.commit_all("attributes");
    std::thread::sleep(Duration::from_millis(15));
    repo.write("train.py", "lr = 9\n");
    std::fs::remove_file(&mark).expect("git has run it");
    child(&repo, "dirty_in_a_child", &[]);
    std::fs::remove_file(&mark).expect("so do we, while the repository is the user's own");
    repo.give_to(STRANGER);
    child(&repo, "dirty_in_a_child", &[]);
    assert!(!mark.exists());
}

#[test]
fn a_repository_that_is_named_safe_is_trusted() {
    if !is_root() {
        return;
    }
    let repo = TestRepo::with_commit();
    repo.give_to(STRANGER);
    assert!(child(&repo, "dirty_in_a_child", &[]).contains("trusted=false"));
    let root = repo.path().to_str().expect("UTF-8");
    repo.git(["config", "--global", "safe.directory", root]);
    assert!(child(&repo, "dirty_in_a_child", &[]).contains("trusted=true"));
}

#[test]
fn in_the_users_own_repository_only_filters_run() {
    let (repo, mark) = trapped();
    let _gone = std::fs::remove_file(&mark);
    let state = look(repo.path());
    assert_eq!(state.dirty, Finding::Found(false));
    let ran = std::fs::read_to_string(&mark).unwrap_or_default();
    assert_eq!(ran.lines().count(), 1, "the clean filter, once: {ran}");
}

#[test]
fn verify_runs_nothing_even_in_the_users_own_repository() {
    let (repo, mark) = trapped();
    let head = repo.head();
    let _gone = std::fs::remove_file(&mark);
    let Finding::Found(mut objects) = Objects::open(repo.path()) else {
        panic!("opens")
    };
    assert_eq!(objects.kind(&head), Finding::Found(ObjectKind::Commit));
    assert_eq!(objects.reachable_from_branch(&head), Finding::Found(true));
    assert!(!mark.exists());
}

#[test]
fn exported_git_variables_are_noted_and_not_obeyed() {
    let repo = TestRepo::with_commit();
    repo.write("train.py", "lr = 7\n");
    let other = TestRepo::with_commit();
    let wrong = other.commit_all("elsewhere");
    let git_dir = other.git_dir();
    let index = git_dir.join("index");
    let said = child(
        &repo,
        "dirty_in_a_child",
        &[
            ("GIT_DIR", git_dir.as_os_str()),
            ("GIT_WORK_TREE", other.path().as_os_str()),
            ("GIT_INDEX_FILE", index.as_os_str()),
            ("GIT_CEILING_DIRECTORIES", repo.path().as_os_str()),
            ("GIT_OBJECT_DIRECTORY", "/nowhere".as_ref()),
        ],
    );
    assert!(said.contains(&format!("commit={}", repo.head())), "{said}");
    assert!(!said.contains(&wrong));
    assert!(said.contains("dirty=Found(true)"), "{said}");
    assert!(
        said.contains("GIT_DIR,GIT_WORK_TREE,GIT_INDEX_FILE"),
        "{said}"
    );
}

#[test]
fn the_current_folder_does_not_matter() {
    // `cd / && python /repo/train.py`, and the same inside another repository.
    let repo = TestRepo::with_commit();
    let said = child(&repo, "dirty_in_a_child", &[]);
    assert!(said.contains(&format!("commit={}", repo.head())), "{said}");
}

#[test]
fn no_git_program_is_needed() {
    let repo = TestRepo::with_commit();
    repo.write("train.py", "lr = 7\n");
    let said = child(
        &repo,
        "dirty_in_a_child",
        &[("PATH", "/nonexistent".as_ref())],
    );
    assert!(said.contains(&format!("commit={}", repo.head())), "{said}");
    assert!(said.contains("dirty=Found(true)"), "{said}");
}

#[test]
fn a_git_program_in_the_current_folder_is_not_run() {
    let repo = TestRepo::reftable();
    let (program, mark) = canary(&repo);
    let trap = repo.outside().join("trap");
    std::fs::create_dir(&trap).expect("made");
    std::fs::copy(program, trap.join("git")).expect("copied");
    let real = std::env::var_os("PATH").unwrap_or_default();
    let mut path = std::ffi::OsString::from(".:");
    path.push(&trap);
    path.push("::");
    path.push(real);
    let said = child_in(&repo, &trap, "dirty_in_a_child", &[("PATH", &path)]);
    assert!(said.contains(&format!("commit={}", repo.head())), "{said}");
    assert!(!mark.exists());
}

#[test]
fn a_token_in_the_address_of_the_remote_never_leaves() {
    let repo = TestRepo::with_commit();
    for address in [
        "https://user:ghp_SECRETsecret@github.com/o/r.git",
        "https://x-access-token:ghp_SECRETsecret@github.com/o/r.git",
        "https://ghp_SECRETsecret:x-oauth-basic@github.com/o/r.git",
        "https://github.com/o/r.git?token=ghp_SECRETsecret",
        "ghp_SECRETsecret@github.com:o/r.git",
    ] {
        let _first = repo.try_git(["remote", "remove", "origin"]);
        repo.git(["remote", "add", "origin", address]);
        repo.git(["config", "remote.origin.pushurl", address]);
        for state in [look(repo.path()), git::capture_head(repo.path())] {
            assert!(!format!("{state:?}").contains("SECRET"), "{address}");
            let remote = state.remote.found().expect("a remote");
            assert!(remote.ends_with("github.com/o/r.git") || remote == "github.com:o/r.git");
            assert!(state.pushed != Finding::Found(true));
        }
    }
}

#[test]
fn an_address_cannot_drive_a_terminal() {
    let repo = TestRepo::with_commit();
    repo.git([
        "config",
        "remote.origin.url",
        "https://h/\x1b]52;c;eA==\x07/r\nx<b>",
    ]);
    let remote = look(repo.path()).remote.found().expect("a remote").clone();
    assert!(!remote.chars().any(char::is_control), "{remote:?}");
}

#[test]
fn the_remote_is_that_of_the_branch_else_origin_else_the_first() {
    let repo = TestRepo::with_commit();
    repo.git(["remote", "add", "first", "https://h/first"]);
    assert_eq!(
        look(repo.path()).remote,
        Finding::Found("https://h/first".to_owned())
    );
    repo.git(["remote", "add", "origin", "https://h/origin"]);
    assert_eq!(
        look(repo.path()).remote,
        Finding::Found("https://h/origin".to_owned())
    );
    repo.git(["config", "branch.main.remote", "first"]);
    assert_eq!(
        look(repo.path()).remote,
        Finding::Found("https://h/first".to_owned())
    );
}

#[test]
fn a_commit_is_pushed_when_any_remote_branch_holds_it() {
    let origin = TestRepo::with_commit();
    let repo = TestRepo::clone_of(&origin, &[]);
    assert_eq!(look(repo.path()).pushed, Finding::Found(true));
    assert_eq!(git::capture_head(repo.path()).pushed, Finding::Found(true));
    repo.write("train.py", "lr = 5\n");
    repo.commit_all("local");
    assert_eq!(look(repo.path()).pushed, Finding::Found(false));
    repo.git(["push", "-q", "origin", "HEAD:refs/heads/side"]);
    assert_eq!(look(repo.path()).pushed, Finding::Found(true));
    repo.git(["checkout", "-q", "--detach", "HEAD~1"]);
    assert_eq!(look(repo.path()).pushed, Finding::Found(true));
}

#[test]
fn in_a_shallow_clone_unpushed_is_not_claimed() {
    let origin = TestRepo::with_commit();
    let old = origin.head();
    origin.commit_all("second");
    let clone = TestRepo::shallow_clone_of(&origin, 1);
    clone.git(["fetch", "-q", "--depth", "1", "origin", &old]);
    clone.git(["checkout", "-q", "--detach", &old]);
    let pushed = look(clone.path()).pushed;
    assert!(
        pushed
            .reason()
            .is_some_and(|reason| reason.contains("shallow")),
        "{pushed:?}"
    );
}

#[test]
fn recorded_commits_are_judged_one_by_one() {
    let origin = TestRepo::with_commit();
    let repo = TestRepo::clone_of(&origin, &[]);
    let pushed = repo.head();
    repo.write("train.py", "lr = 5\n");
    let local = repo.commit_all("local");
    repo.write("train.py", "lr = 6\n");
    let lost = repo.commit_all("lost");
    repo.git(["reset", "-q", "--hard", &local]);
    let blob = repo.git(["rev-parse", "HEAD:train.py"]);
    let Finding::Found(mut objects) = Objects::open(repo.path()) else {
        panic!("opens")
    };
    for (id, branch, remote) in [
        (&pushed, true, true),
        (&local, true, false),
        (&lost, false, false),
    ] {
        assert_eq!(objects.kind(id), Finding::Found(ObjectKind::Commit));
        assert_eq!(objects.reachable_from_branch(id), Finding::Found(branch));
        assert_eq!(objects.on_remote(id), Finding::Found(remote));
    }
    assert_eq!(objects.kind(blob.trim()), Finding::Found(ObjectKind::Blob));
    assert_eq!(objects.kind(&"0".repeat(40)), Finding::Absent);
    assert!(objects.kind(&"0".repeat(64)).reason().is_some());
    assert!(objects.kind("HEAD").reason().is_some());
    assert!(objects.kind(&pushed[..12]).reason().is_some());
}

#[test]
fn fifty_commits_of_a_long_history_cost_one_walk() {
    let repo = TestRepo::unborn();
    let mut stream = String::new();
    for number in 1..=20_000 {
        let minute = 1_767_225_600 + 60 * number;
        let commit = format!("commit refs/heads/main\nmark :{number}");
        writeln!(stream, "{commit}\ncommitter T <t@e> {minute} +0000\ndata 0").expect("no limit");
    }
    std::fs::write(repo.outside().join("stream"), stream).expect("written");
    let stream = std::fs::File::open(repo.outside().join("stream")).expect("opened");
    let done = repo
        .command(repo.path())
        .args(["fast-import", "--quiet"])
        .stdin(stream)
        .status();
    assert!(done.is_ok_and(|status| status.success()));
    let all = repo.git(["rev-list", "main"]);
    let all: Vec<&str> = all.lines().collect();
    let Finding::Found(mut objects) = Objects::open(repo.path()) else {
        panic!("opens")
    };
    let start = Instant::now();
    assert_eq!(
        objects.reachable_from_branch(all[all.len() - 1]),
        Finding::Found(true)
    );
    let first = start.elapsed();
    for id in all.iter().step_by(400) {
        assert_eq!(objects.reachable_from_branch(id), Finding::Found(true));
    }
    assert!(
        start.elapsed() < first * 2 + Duration::from_millis(20),
        "a second walk was made"
    );
}

#[test]
fn a_script_is_digested_as_git_stores_it() {
    let repo = TestRepo::with_commit();
    repo.write(".gitattributes", "*.py text eol=crlf\n");
    repo.write("crlf.py", "a\r\nb\r\n");
    repo.commit_all("crlf");
    for (name, tracked) in [("crlf.py", true), ("train.py", true), ("new.py", false)] {
        if !tracked {
            repo.write(name, "x\r\n");
        }
        let state = git::file_state(repo.path(), Path::new(name));
        let wanted = repo.git(["hash-object", "--path", name, name]);
        assert_eq!(
            state.blob_id,
            Finding::Found(wanted.trim().to_owned()),
            "{name}"
        );
        assert_eq!(
            (state.tracked, state.differs_from_commit),
            (tracked, Finding::Found(!tracked))
        );
    }
    repo.write("train.py", "lr = 2\n");
    let state = git::file_state(repo.path(), &repo.path().join("train.py"));
    assert_eq!(state.differs_from_commit, Finding::Found(true));
    let nowhere = tempfile::tempdir().expect("temp");
    let state = git::file_state(nowhere.path(), Path::new("x"));
    assert_eq!(state.blob_id.reason(), Some("not a git repository"));
}

#[test]
fn the_last_commit_of_a_dataset_is_that_of_git_log() {
    let limit = Duration::from_secs(5);
    let repo = TestRepo::with_commit();
    repo.diverge();
    repo.git(["checkout", "-q", "other"]);
    repo.write("data/a.txt", "from other\n");
    repo.commit_all("data");
    repo.git(["checkout", "-q", "main"]);
    let _conflict = repo.try_git(["merge", "other"]);
    repo.write("train.py", "merged\n");
    repo.commit_all("merge");
    repo.commit_all("empty");
    for name in ["data/a.txt", "train.py", "data"] {
        let wanted = repo.git(["log", "-1", "--format=%H", "--", name]);
        let answer = git::last_commit_touching(&repo.path().join(name), limit);
        assert_eq!(answer, Finding::Found(wanted.trim().to_owned()), "{name}");
    }
    repo.write("new.txt", "1");
    let reason = |name: &str| {
        let answer = git::last_commit_touching(&repo.path().join(name), limit);
        answer.reason().map(str::to_owned)
    };
    assert_eq!(reason("new.txt").as_deref(), Some("not tracked by git"));
    repo.write("data/b.txt", "1");
    assert_eq!(reason("data").as_deref(), Some("edited since the commit"));
    repo.write("train.py", "edited\n");
    assert_eq!(
        reason("train.py").as_deref(),
        Some("edited since the commit")
    );
    let nowhere = tempfile::tempdir().expect("temp");
    let answer = git::last_commit_touching(nowhere.path(), limit);
    assert_eq!(answer.reason(), Some("not a git repository"));
}

#[test]
fn malformed_repositories_end_in_an_answer_within_five_seconds() {
    let start = Instant::now();
    for (name, content) in [
        ("config", "[core\nbroken".to_owned()),
        ("config", "[include]\n\tpath = config\n".to_owned()),
        (
            "config",
            format!("[core]\n\tx = {}\n", "y".repeat(20 << 20)),
        ),
        ("packed-refs", "nonsense\n".repeat(1000)),
        ("commondir", "../../../../etc\n".to_owned()),
        ("objects/info/alternates", "/dev\n../objects\n".to_owned()),
        ("shallow", "nonsense\n".to_owned()),
    ] {
        let repo = TestRepo::with_commit();
        let path = repo.git_dir().join(name);
        std::fs::write(path, content).expect("written");
        let _any_answer = look(repo.path());
    }
    for target in [
        "gitdir: /etc\n",
        "gitdir: ..\n",
        "gitdir: .git\n",
        "gitdir: /dev/zero\n",
        "x",
    ] {
        let folder = tempfile::tempdir().expect("temp");
        std::fs::write(folder.path().join(".git"), target).expect("written");
        assert!(look(folder.path()).commit.reason().is_some(), "{target}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_pipe_in_the_place_of_a_file_does_not_hang_the_run() {
    for name in [
        "config",
        "HEAD",
        "index",
        "packed-refs",
        "info/exclude",
        "info/attributes",
    ] {
        let repo = TestRepo::with_commit();
        let path = repo.git_dir().join(name);
        let _gone = std::fs::remove_file(&path);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("made");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .is_ok_and(|status| status.success())
        );
        let start = Instant::now();
        let options = StatusOptions {
            time_limit: Duration::from_millis(500),
            ..StatusOptions::default()
        };
        let state = git::capture_status(repo.path(), &options);
        assert!(start.elapsed() < Duration::from_secs(2), "{name}");
        assert_ne!(state.dirty, Finding::Found(false), "{name}: {state:#?}");
    }
}

/// Not only the capture, which has its limit: whoever opens the repository at all.
#[test]
fn no_pipe_or_device_in_the_place_of_a_file_hangs_who_looks_commits_up() {
    let names = [
        "HEAD",
        "config",
        "index",
        "packed-refs",
        "shallow",
        "info/exclude",
        "objects/info/alternates",
    ];
    for name in names {
        for device in [false, true] {
            let repo = TestRepo::with_commit();
            let path = repo.git_dir().join(name);
            let _gone = std::fs::remove_file(&path);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("made");
            if device {
                std::os::unix::fs::symlink("/dev/zero", &path).expect("made");
            } else {
                let made = Command::new("mkfifo").arg(&path).status();
                assert!(made.is_ok_and(|status| status.success()));
            }
            let begun = Instant::now();
            let found = Objects::open(repo.path());
            let why = found.reason().unwrap_or_default().to_owned();
            assert!(why.contains("no regular file"), "{name}: {why}");
            assert!(begun.elapsed().as_secs() < 5, "{name}");
        }
    }
}

#[test]
fn an_include_of_a_pipe_does_not_hang_the_run() {
    let repo = TestRepo::with_commit();
    let pipe = repo.outside().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .is_ok_and(|status| status.success())
    );
    let head = repo.head();
    repo.git(["config", "include.path", pipe.to_str().expect("UTF-8")]);
    let start = Instant::now();
    let state = git::capture_head(repo.path());
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(state.commit.found().is_none_or(|commit| *commit == head));
    let start = Instant::now();
    let looked = git::last_commit_touching(&repo.path().join("a"), Duration::from_secs(1));
    assert!(looked.found().is_none());
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn trees_that_unfold_without_end_are_given_up_in_time() {
    let repo = TestRepo::with_commit();
    let blob = repo.git(["rev-parse", "HEAD:train.py"]);
    let mut line = format!("100644 blob {}", blob.trim());
    for _ in 0..12 {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let tree = names.map(|name| format!("{line}\t{name}\n")).concat();
        std::fs::write(repo.outside().join("tree"), tree).expect("written");
        let tree = std::fs::File::open(repo.outside().join("tree")).expect("opened");
        let made = repo
            .command(repo.path())
            .args(["mktree"])
            .stdin(tree)
            .output()
            .expect("runs");
        line = format!(
            "040000 tree {}",
            String::from_utf8_lossy(&made.stdout).trim()
        );
    }
    let tree = line.rsplit(' ').next().expect("an id");
    let commit = repo.git(["commit-tree", "-m", "bomb", tree]);
    repo.git(["update-ref", "HEAD", commit.trim()]);
    let options = StatusOptions {
        time_limit: Duration::from_millis(500),
        ..Default::default()
    };
    let start = Instant::now();
    let state = git::capture_status(repo.path(), &options);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        (&state.dirty, state.counts_complete),
        (&Finding::Found(true), false)
    );
    let limit = Duration::from_millis(500);
    let folder = git::last_commit_touching(&repo.path().join("a"), limit);
    assert!(folder.found().is_none() && start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_git_file_that_leads_nowhere_is_not_answered_by_the_repository_above() {
    let repo = TestRepo::with_commit();
    let file = repo.write("sub/.git", "gitdir: /nowhere\n");
    let git = repo
        .command(&repo.path().join("sub"))
        .args(["rev-parse", "HEAD"])
        .output();
    assert!(git.is_ok_and(|output| !output.status.success()));
    let state = look(&repo.path().join("sub/x.py"));
    let reason = format!("{} does not lead to a git repository", file.display());
    assert_eq!(state.commit.reason(), Some(reason.as_str()));
}

#[test]
fn a_current_folder_that_is_gone_is_named_as_the_reason() {
    let repo = TestRepo::with_commit();
    let gone = repo.outside().join("gone");
    std::fs::create_dir(&gone).expect("made");
    let mut command = Command::new("sh");
    command
        .args(["-c", "rmdir \"$PWD\"; exec \"$0\" \"$@\""])
        .current_dir(&gone);
    command.arg(std::env::current_exe().expect("this test"));
    command.args(["--exact", "dirty_in_a_child", "--ignored", "--nocapture"]);
    command.env("BIRTHMARK_TEST_ANCHOR", repo.path());
    let output = command.output().expect("child starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let known = said.contains(&format!("commit={}", repo.head()));
    assert!(
        known || said.contains("the current folder is gone"),
        "{said}"
    );
}

#[test]
fn a_branch_name_of_any_bytes_is_escaped() {
    let repo = TestRepo::with_commit();
    let head = repo.head();
    std::fs::write(repo.git_dir().join("HEAD"), b"ref: refs/heads/\xff\xfe\n").expect("written");
    let file = repo
        .git_dir()
        .join("refs/heads")
        .join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    std::fs::write(file, format!("{head}\n")).expect("written");
    assert_eq!(
        look(repo.path()).branch,
        Finding::Found("\\xff\\xfe".to_owned())
    );
}

/// Runs one of the child tests below in a process of its own, with the test world's
/// home folder, from `/`.
fn child(repo: &TestRepo, test: &str, env: &[(&str, &std::ffi::OsStr)]) -> String {
    child_in(repo, Path::new("/"), test, env)
}

fn child_in(
    repo: &TestRepo,
    folder: &Path,
    test: &str,
    env: &[(&str, &std::ffi::OsStr)],
) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .current_dir(folder);
    command
        .env("HOME", repo.home())
        .env("XDG_CONFIG_HOME", repo.home());
    command.env("BIRTHMARK_TEST_ANCHOR", repo.path().join("train.py"));
    let output = command
        .envs(env.iter().copied())
        .output()
        .expect("child starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "run by the tests above, in a process of its own"]
fn dirty_in_a_child() {
    let Some(anchor) = std::env::var_os("BIRTHMARK_TEST_ANCHOR") else {
        return;
    };
    let state = look(Path::new(&anchor));
    println!(
        "commit={}",
        state.commit.found().cloned().unwrap_or_default()
    );
    println!("dirty={:?} trusted={}", state.dirty, state.trusted);
    println!("variables={}", state.git_environment.join(","));
}

#[test]
fn a_program_that_we_run_gets_no_git_variable() {
    let repo = TestRepo::with_commit();
    let said = child(
        &repo,
        "environment_in_a_child",
        &[("GIT_DIR", "/nowhere".as_ref())],
    );
    assert!(said.contains("HOME=") && !said.contains("GIT_"), "{said}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn environment_in_a_child() {
    use birthmark_capture::probe::{Limits, run_limited};
    let none: [&str; 0] = [];
    let output = run_limited("env", none, Limits::default());
    println!(
        "{}",
        output
            .found()
            .map_or("", |output| std::str::from_utf8(&output.stdout)
                .unwrap_or(""))
    );
}
