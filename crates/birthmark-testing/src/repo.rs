//! Throw-away real git repositories, in all the states that people get into.
//!
//! * Made by the git program itself, with a fixed identity, a date that goes up
//!   by a minute a command, and neither the machine's nor the user's settings: the same
//!   steps give the same ids everywhere.
//! * A step that fails panics: a test whose world is not as said proves nothing.
//!
//! ```
//! let repo = birthmark_testing::repo::TestRepo::with_commit();
//! repo.write("train.py", "lr = 2\n");
//! assert_eq!(repo.status(), " M train.py\n");
//! ```
//!
//! Limits: needs git 2.45 or later for [`TestRepo::reftable`].

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a test world that cannot be built must stop the test, and is no place of ours"
)]

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The moment of the first commit: 2026-01-01 00:00:00 UTC, in seconds since 1970.
const FIRST_COMMIT: u64 = 1_767_225_600;

/// A repository in a folder of its own that goes when this value goes.
#[derive(Debug)]
pub struct TestRepo {
    folder: TempDir,
    root: PathBuf,
    commands: Cell<u64>,
}

impl TestRepo {
    /// A repository on branch `main` without a commit.
    pub fn unborn() -> Self {
        Self::init(&[])
    }

    /// A repository with one commit on `main` that holds `train.py` and `data/a.txt`.
    pub fn with_commit() -> Self {
        Self::unborn().filled()
    }

    /// The same with SHA-256 ids.
    pub fn sha256() -> Self {
        Self::init(&["--object-format=sha256"]).filled()
    }

    /// The same with references in a reftable.
    pub fn reftable() -> Self {
        Self::init(&["--ref-format=reftable"]).filled()
    }

    /// The same with its git folder elsewhere (`.git` is a file).
    pub fn separate_git_dir() -> Self {
        Self::init(&["--separate-git-dir", "../elsewhere.git"]).filled()
    }

    /// A bare repository with the history of `origin`.
    pub fn bare_clone_of(origin: &Self) -> Self {
        Self::clone_of(origin, &["--bare"])
    }

    /// A clone with this many commits of history.
    pub fn shallow_clone_of(origin: &Self, depth: u32) -> Self {
        Self::clone_of(origin, &["--depth", &depth.to_string()])
    }

    /// A clone that has the blobs only of what is checked out.
    pub fn partial_clone_of(origin: &Self) -> Self {
        origin.git(["config", "uploadpack.allowFilter", "true"]);
        Self::clone_of(origin, &["--filter=blob:none"])
    }

    /// A clone that borrows the objects of `origin` (alternates).
    pub fn sharing_clone_of(origin: &Self) -> Self {
        Self::clone_of(origin, &["--shared"])
    }

    /// A clone by `git clone` with further arguments.
    pub fn clone_of(origin: &Self, args: &[&str]) -> Self {
        let repo = Self::empty();
        let address = format!("file://{}", origin.root.display());
        let mut all = vec!["-c", "protocol.file.allow=always", "clone", "-q"];
        all.extend(args);
        all.extend([address.as_str(), "repo"]);
        let output = repo.command(repo.folder.path()).args(all).output();
        check(&output.expect("git starts"), "clone");
        repo
    }

    /// Top level of the work tree (or the bare repository).
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A folder that belongs to this repository's test but lies outside of it.
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    /// The git folder, wherever it is.
    pub fn git_dir(&self) -> PathBuf {
        PathBuf::from(self.git(["rev-parse", "--absolute-git-dir"]).trim())
    }

    /// Writes a file, and its folders.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.join(path);
        let folder = path.parent().expect("a file has a folder");
        std::fs::create_dir_all(folder).expect("folder is made");
        std::fs::write(&path, content).expect("file is written");
        path
    }

    /// Adds everything, commits, and gives the commit's id.
    pub fn commit_all(&self, message: &str) -> String {
        self.git(["add", "-A"]);
        self.git(["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    /// What `git rev-parse HEAD` says.
    pub fn head(&self) -> String {
        self.git(["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// What `git status --porcelain` says.
    pub fn status(&self) -> String {
        self.git(["status", "--porcelain"])
    }

    /// Runs git in the work tree; panics unless it succeeds; gives its output.
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        self.git_in(&self.root, args)
    }

    /// The same in another folder.
    pub fn git_in<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> String {
        let output = self
            .command(folder)
            .args(args)
            .output()
            .expect("git starts");
        check(&output, "git");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs git in the work tree, whatever comes of it.
    pub fn try_git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.command(&self.root)
            .args(args)
            .output()
            .expect("git starts")
    }

    /// A git command with this world's identity, dates and settings, not yet run.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        let minute = self.commands.get();
        self.commands.set(minute + 1);
        let date = format!("{} +0000", FIRST_COMMIT + 60 * minute);
        command
            .current_dir(folder)
            .env("HOME", self.home())
            .env("XDG_CONFIG_HOME", self.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_EDITOR", "true")
            .env("LC_ALL", "C");
        command
    }

    /// The home folder of this world: write `.gitconfig` there for the user's settings.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("temp folder");
        let real = folder.path().canonicalize().expect("temp folder is there");
        let repo = Self {
            root: real.join("repo"),
            folder,
            commands: Cell::new(0),
        };
        std::fs::create_dir_all(repo.home()).expect("home is made");
        let settings = "[user]\n\tname = Test\n\temail = test@example.invalid\n\
             [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n\
             [commit]\n\tgpgSign = false\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
        std::fs::write(repo.home().join(".gitconfig"), settings).expect("settings are written");
        repo
    }

    fn init(args: &[&str]) -> Self {
        let repo = Self::empty();
        std::fs::create_dir_all(&repo.root).expect("work tree is made");
        let mut all = vec!["init", "-q", "-b", "main"];
        all.extend(args);
        repo.git(all);
        repo
    }

    fn filled(self) -> Self {
        self.write("train.py", "lr = 1\n");
        self.write("data/a.txt", "a\n");
        self.commit_all("first");
        self
    }
}

/// States that a work tree can get into, each from a repository with a commit.
impl TestRepo {
    /// Checks the commit out without a branch.
    pub fn detach(&self) {
        self.git(["checkout", "-q", "--detach"]);
    }

    /// A second work tree of this repository on its own branch; gives its folder.
    pub fn add_worktree(&self, branch: &str) -> PathBuf {
        let folder = self
            .folder
            .path()
            .canonicalize()
            .expect("temp folder")
            .join(branch);
        self.git([
            OsStr::new("worktree"),
            "add".as_ref(),
            "-q".as_ref(),
            "-b".as_ref(),
            branch.as_ref(),
            folder.as_ref(),
        ]);
        folder
    }

    /// Puts `origin` in as a submodule at `path`, and commits that.
    pub fn add_submodule(&self, origin: &Self, path: &str) -> PathBuf {
        let address = origin.root.to_str().expect("temp folders are UTF-8");
        self.git(["submodule", "--quiet", "add", address, path]);
        self.commit_all("submodule");
        self.root.join(path)
    }

    /// Two branches that changed the same line; the returned name is the other branch.
    pub fn diverge(&self) -> &'static str {
        self.git(["checkout", "-q", "-b", "other"]);
        self.write("train.py", "lr = 3\n");
        self.commit_all("other");
        self.git(["checkout", "-q", "main"]);
        self.write("train.py", "lr = 4\n");
        self.commit_all("main");
        "other"
    }

    /// Stops in the middle of `merge`, `rebase`, `cherry-pick` or `revert`, in conflict.
    pub fn stop_in(&self, operation: &str) {
        let other = self.diverge();
        let args: &[&str] = match operation {
            "revert" => &["revert", "--no-edit", "HEAD~1"],
            _ => &[operation, other],
        };
        let output = self.try_git(args);
        assert!(
            !output.status.success(),
            "{operation} was to stop in a conflict"
        );
    }

    /// Starts a bisection over three commits.
    pub fn start_bisect(&self) {
        let good = self.head();
        for step in 0..3 {
            self.write("train.py", format!("step = {step}\n"));
            self.commit_all("step");
        }
        self.git(["bisect", "start", "HEAD", &good]);
    }

    /// Gives the whole repository to another user (needs root).
    pub fn give_to(&self, user: u32) {
        let status = Command::new("chown")
            .arg("-R")
            .arg(user.to_string())
            .arg(&self.root)
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "chown needs root"
        );
    }

    /// Waits until a file that is written now is newer than the index, so that no entry
    /// is "racily clean".
    pub fn let_the_index_age(&self) {
        std::thread::sleep(std::time::Duration::from_millis(15));
        self.git(["update-index", "-q", "--refresh"]);
    }
}

/// Every file below `folder` with its bytes: equal before and after, nothing was written.
///
/// Modification times are part of it: a file that was rewritten with the same bytes
/// was written all the same.
pub fn fingerprint(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder is read") {
            let path = entry.expect("entry is read").path();
            let meta = path.symlink_metadata().expect("entry has metadata");
            let modified = meta.modified().expect("time is known");
            let bytes = if meta.is_file() {
                std::fs::read(&path).unwrap_or_default()
            } else {
                Vec::new()
            };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            found.push((path, modified, bytes));
        }
    }
    found.sort();
    found
}

/// Whether the tests run as root, who alone can give files to another user. Says so
/// where they do not, so that a skipped test is seen.
pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id starts");
    let root = id.stdout.trim_ascii() == b"0";
    if !root {
        use std::io::Write as _;
        let _seen = writeln!(
            std::io::stderr(),
            "SKIPPED: this test needs root, to give files to another user"
        );
    }
    root
}

fn check(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed: {said}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_steps_give_the_same_ids() {
        assert_eq!(
            TestRepo::with_commit().head(),
            TestRepo::with_commit().head()
        );
        assert_eq!(TestRepo::sha256().head().len(), 64);
    }

    #[test]
    fn a_fingerprint_sees_a_file_that_was_written_again() {
        let repo = TestRepo::with_commit();
        let before = fingerprint(&repo.git_dir());
        assert_eq!(before, fingerprint(&repo.git_dir()));
        std::thread::sleep(std::time::Duration::from_millis(15));
        let head = repo.git_dir().join("HEAD");
        std::fs::write(&head, std::fs::read(&head).expect("HEAD")).expect("written");
        assert_ne!(before, fingerprint(&repo.git_dir()));
    }

    #[test]
    fn every_stop_is_in_its_operation() {
        for (operation, mark) in [
            ("merge", "MERGE_HEAD"),
            ("cherry-pick", "CHERRY_PICK_HEAD"),
            ("revert", "REVERT_HEAD"),
            ("rebase", "rebase-merge"),
        ] {
            let repo = TestRepo::with_commit();
            repo.stop_in(operation);
            assert!(repo.git_dir().join(mark).exists(), "{operation}");
        }
    }
}
