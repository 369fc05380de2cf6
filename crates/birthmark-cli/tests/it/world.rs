//! A repository, and the program called in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use birthmark_testing::repo::TestRepo;
use serde_json::Value;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_birthmark");

/// A folder to work in, and its surroundings.
pub(crate) struct World {
    /// The repository; its top level is where the program is called.
    pub(crate) repo: TestRepo,
    /// A `PATH` with git, sh and the like, and no Python.
    bin: tempfile::TempDir,
}

impl World {
    /// A repository with one commit.
    pub(crate) fn new() -> Self {
        Self::of(TestRepo::with_commit())
    }

    /// Around a repository of one's own.
    pub(crate) fn of(repo: TestRepo) -> Self {
        let bin = tempfile::tempdir().expect("temp folder");
        for program in [
            "git", "sh", "cat", "sleep", "true", "kill", "head", "env", "nohup", "touch",
        ] {
            let found = ["/usr/local/bin", "/usr/bin", "/bin"]
                .iter()
                .map(|folder| Path::new(folder).join(program))
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("{program} is not installed"));
            std::os::unix::fs::symlink(found, bin.path().join(program)).expect("linked");
        }
        Self { repo, bin }
    }

    /// Top level of the repository.
    pub(crate) fn path(&self) -> &Path {
        self.repo.path()
    }

    /// A file's path.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// A file's bytes.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A JSON file.
    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.read(path)).expect("JSON")
    }

    /// Takes a program from this world's `PATH`.
    pub(crate) fn without(&self, program: &str) {
        std::fs::remove_file(self.bin.path().join(program)).expect("it was there");
    }

    /// A call of the program, not yet made, in an environment of its own.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.other(PROGRAM);
        command.args(args);
        command
    }

    /// The same of another program, which may call ours.
    pub(crate) fn other(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.repo.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("PATH", self.bin.path())
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// The same of a line of the shell.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = self.other("/bin/sh");
        command.args(["-c", line]);
        command
    }

    /// The same on a terminal that `script` makes; none where there is no such program.
    pub(crate) fn on_a_terminal(&self, line: &str) -> Option<Command> {
        let script = "/usr/bin/script";
        if !Path::new(script).exists() {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: this test needs `script`, to make a terminal"
            );
            return None;
        }
        let mut command = self.other(script);
        command.args(["-qec", line, "/dev/null"]);
        Some(command)
    }

    /// The same for a call that shall be interrupted: whoever runs the tests in the background
    /// ignores SIGINT, and so would the program.
    pub(crate) fn ignoring_nothing(&self, args: &[&str]) -> Command {
        let mut command = self.other("/usr/bin/env");
        command.args(["--default-signal=INT", PROGRAM]).args(args);
        command
    }

    /// A finished call.
    pub(crate) fn output<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// A call in one picture.
    pub(crate) fn birthmark<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        picture(&self.output(args))
    }

    /// What a call with `--json` prints; it must succeed.
    pub(crate) fn birthmark_json<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Value {
        let output = self.output(args);
        assert!(output.status.success(), "{}", picture(&output));
        serde_json::from_slice(&output.stdout).expect("stdout is JSON")
    }

    /// The id of the newest session.
    pub(crate) fn last_session(&self) -> String {
        let list = self.birthmark_json(["session", "list", "--json"]);
        list[0]["session_id"]
            .as_str()
            .expect("a session")
            .to_owned()
    }

    /// All events of the newest session, in the order of their journals' names.
    pub(crate) fn events(&self) -> Vec<Value> {
        let folder = self
            .at("artifacts/.birthmark/sessions")
            .join(self.last_session());
        let mut journals: Vec<PathBuf> = std::fs::read_dir(folder)
            .expect("journals")
            .map(|one| one.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
            .collect();
        journals.sort();
        let text: String = journals
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("journal"))
            .collect();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("an event"))
            .collect()
    }

    /// The one event of this kind.
    pub(crate) fn event(&self, kind: &str) -> Value {
        let found: Vec<Value> = self
            .events()
            .into_iter()
            .filter(|event| event["event"] == kind)
            .collect();
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        found[0].clone()
    }

    /// Holds a picture against its snapshot, without what differs from call to call.
    pub(crate) fn check(&self, name: &str, picture: &str) {
        let root = self.path().to_string_lossy().into_owned();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = format!(r"\b{}\b", host.trim());
        let filters = vec![
            (root.as_str(), "[root]"),
            (r"\d{8}_\d{6}_[0-9a-z]{13}", "[session]"),
            (r"\d{8}_\d{6}_[0-9a-z]{4}", "[short]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", "[time]"),
            (r"\d{1,2} [A-Z][a-z]{2} 20\d\d \d\d:\d\d", "[time]"),
            (r"just now|\d+ s ago", "[age]"),
            (r"blake3:[0-9a-f]{64}", "blake3:[digest]"),
            (r"blake3:[0-9a-f]{6,12}…", "blake3:[short]…"),
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
                "[uuid]",
            ),
            (r#""run_id": "[0-9a-z]{13}""#, r#""run_id": "[run]""#),
            (r"\d+(\.\d)? [kMGT]B free", "[space] free"),
            (
                r"(local disk|memory \(tmpfs\)), \[space\]",
                "[disk], [space]",
            ),
            (r"/tmp/\.tmp[0-9A-Za-z]+", "[temp]"),
            (host.as_str(), "[host]"),
        ];
        insta::with_settings!({
            filters => filters,
            snapshot_path => "snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, picture);
        });
    }

    /// Calls the program and holds the picture against its snapshot.
    pub(crate) fn snapshot<A: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = A>) {
        let args: Vec<_> = args.into_iter().collect();
        let mut picture = self.birthmark(&args);
        // A busy machine may not have seen the code when the first line is due.
        for _ in 0..20 {
            if !picture.contains("looking at the code") {
                break;
            }
            picture = self.birthmark(&args);
        }
        self.check(name, &picture);
    }
}

/// Exit status, stdout and stderr.
pub(crate) fn picture(output: &Output) -> String {
    let status = output
        .status
        .code()
        .map_or("signal".to_owned(), |code| code.to_string());
    format!(
        "exit status: {status}\n--- stdout ---\n{}\n--- stderr ---\n{}",
        String::from_utf8_lossy(&output.stdout).trim_end(),
        String::from_utf8_lossy(&output.stderr).trim_end()
    )
}
