//! How this crate touches what may hang, fail or fill the memory.
//!
//! * [`with_time_limit`] runs a look on a thread of its own and goes on without it
//!   when it is late; a panic inside is an answer too, *unknown*.
//! * [`run_limited`] runs a program: found by its absolute path only, with no input,
//!   without any `GIT_*` variable, with a cap on its output, and killed together with
//!   all that it started when its time is up.
//!
//! Limits: a thread that was abandoned lives on until its call returns; it holds what
//! it holds. Programs are looked up on `PATH` as it is now; a hostile absolute entry
//! in it is the user's own choice.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use birthmark_core::Finding;

use crate::process::environ;

/// What a program may take before it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time from start to end.
    pub time: Duration,
    /// Bytes kept of each of the two outputs; what is over is not read.
    pub output: usize,
}

impl Default for Limits {
    /// Two seconds and one mebibyte.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(2),
            output: 1 << 20,
        }
    }
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output, at most as long as the limit.
    pub stdout: Vec<u8>,
    /// Standard error, at most as long as the limit.
    pub stderr: Vec<u8>,
    /// Whether either output was longer than the limit.
    pub truncated: bool,
}

impl Output {
    /// Whether the program ended with status 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

/// A duration as people write it: `2 s`, `1.5 s`, `200 ms`.
pub fn spoken(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Runs `look` on a thread of its own and waits for at most `limit`.
///
/// A late or panicking look is `Unknown`: "{name} did not answer in 2 s",
/// "{name} failed inside". The thread of a late look is left to itself.
pub fn with_time_limit<T: Send + 'static>(
    name: &str,
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Finding<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name(format!("birthmark-{name}"));
    let spawned = thread.spawn(move || {
        // Nobody may be listening any more: that is what being late means.
        let _late = sender.send(catch_unwind(AssertUnwindSafe(look)));
    });
    if spawned.is_err() {
        return Finding::unknown(format!("no thread could be started for {name}"));
    }
    match receiver.recv_timeout(limit) {
        Ok(Ok(answer)) => Finding::Found(answer),
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
            Finding::unknown(format!("{name} failed inside"))
        }
        Err(RecvTimeoutError::Timeout) => {
            Finding::unknown(format!("{name} did not answer in {}", spoken(limit)))
        }
    }
}

/// Where `program` lies: an absolute path as given, or the first absolute entry of
/// `PATH` that holds it as an executable file. Relative entries, the empty entry and
/// the current folder are never looked into: a file there may be the material.
pub fn find_program(program: &str) -> Finding<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return if path.is_absolute() && is_program(&path) {
            Finding::Found(path)
        } else {
            Finding::unknown(format!("{program} is not the absolute path of a program"))
        };
    }
    let here = std::env::current_dir()
        .and_then(|dir| dir.canonicalize())
        .ok();
    let path = environ::value("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .filter(|dir| here.is_none() || dir.canonicalize().ok() != here)
        .map(|dir| dir.join(program))
        .find(|candidate| is_program(candidate))
        .map_or_else(
            || Finding::unknown(format!("{program} is not on PATH")),
            Finding::Found,
        )
}

/// A regular file with an executable bit.
fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Runs a program within `limits`, in the current folder. See [`run_limited_in`].
pub fn run_limited<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
    limits: Limits,
) -> Finding<Output> {
    run_limited_in(program, args, None, limits)
}

/// Runs a program within `limits` in `folder`; no shell is involved.
///
/// Found, whatever its exit status, once it ended in time. Unknown where it is not on
/// `PATH`, could not be started, or was late (then its process group is killed).
pub fn run_limited_in<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
    folder: Option<&Path>,
    limits: Limits,
) -> Finding<Output> {
    let path = match find_program(program) {
        Finding::Found(path) => path,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that runs programs"
    )]
    let mut command = Command::new(path);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, so that all that it starts can be stopped with it.
    command.process_group(0);
    // Given whole, so that the environment itself is not read here: see `process::environ`.
    command.env_clear();
    let inherited = environ::all().into_iter();
    command.envs(inherited.filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"GIT_")));
    command.env("LC_ALL", "C");
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    match command.spawn() {
        Ok(child) => watch(program, child, limits),
        Err(error) => Finding::unknown(format!("{program} could not be started: {error}")),
    }
}

/// Waits for a started program, and stops it at the limit.
fn watch(program: &str, mut child: Child, limits: Limits) -> Finding<Output> {
    let deadline = Instant::now() + limits.time;
    let stdout = child.stdout.take().map(|pipe| drain(pipe, limits.output));
    let stderr = child.stderr.take().map(|pipe| drain(pipe, limits.output));
    let read = collect(stdout, deadline).zip(collect(stderr, deadline));
    let status = wait_until(&mut child, deadline);
    let (Some(((stdout, out_cut), (stderr, err_cut))), Some(status)) = (read, status) else {
        stop(&mut child);
        return Finding::unknown(format!(
            "{program} did not answer in {}",
            spoken(limits.time)
        ));
    };
    Finding::Found(Output {
        status,
        stdout,
        stderr,
        truncated: out_cut || err_cut,
    })
}

type Drained = (Vec<u8>, bool);

/// Reads a pipe on a thread, up to `most` bytes; then the pipe is closed, and a
/// program that goes on talking is ended by the system.
fn drain(pipe: impl Read + Send + 'static, most: usize) -> Receiver<Drained> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Where no thread can be started the receiver is disconnected: "did not answer".
    let _spawned = thread::Builder::new()
        .name("birthmark-pipe".to_owned())
        .spawn(move || {
            let mut kept = Vec::new();
            let cap = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            let _broken_pipe = pipe.take(cap).read_to_end(&mut kept);
            let cut = kept.len() > most;
            kept.truncate(most);
            let _late = sender.send((kept, cut));
        });
    receiver
}

/// What a reader thread has, or `None` if it has not finished in time.
fn collect(reader: Option<Receiver<Drained>>, deadline: Instant) -> Option<Drained> {
    reader?
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .ok()
}

/// The exit status once the child ended: `Some(None)` after a signal, `None` if late.
#[expect(
    clippy::option_option,
    reason = "late and killed by a signal are two answers"
)]
fn wait_until(child: &mut Child, deadline: Instant) -> Option<Option<i32>> {
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code()),
            Ok(None) if Instant::now() < deadline => thread::sleep(pause),
            Ok(None) | Err(_) => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Kills the whole process group, and reaps the child.
fn stop(child: &mut Child) {
    // The group's number stays taken as long as a member lives, so this hits no other.
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _gone = child.kill();
    let _reaped = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(millis: u64, output: usize) -> Limits {
        Limits {
            time: Duration::from_millis(millis),
            output,
        }
    }

    #[test]
    fn a_late_look_is_unknown_with_its_limit() {
        let slow = || thread::sleep(Duration::from_secs(5));
        let start = Instant::now();
        let answer = with_time_limit("status", Duration::from_millis(50), slow);
        assert_eq!(answer.reason(), Some("status did not answer in 50 ms"));
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_panicking_look_is_unknown() {
        let answer: Finding<()> = with_time_limit("gpu", Duration::from_secs(5), || panic!("x"));
        assert_eq!(answer.reason(), Some("gpu failed inside"));
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(spoken(Duration::from_secs(2)), "2 s");
        assert_eq!(spoken(Duration::from_millis(200)), "200 ms");
        assert_eq!(spoken(Duration::from_millis(1500)), "1.5 s");
    }

    #[test]
    fn a_program_is_run_with_its_status_and_both_outputs() {
        let script = "echo out; echo err >&2; exit 3";
        let output = run_limited("sh", ["-c", script], Limits::default());
        let output = output.found().expect("ran");
        assert_eq!((output.status, output.success()), (Some(3), false));
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn endless_output_is_cut_at_the_cap() {
        let start = Instant::now();
        let output = run_limited("yes", [] as [&str; 0], limits(5000, 1000));
        let output = output.found().expect("ended by the closed pipe").clone();
        assert!(output.truncated && output.stdout.len() == 1000);
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_hanging_program_is_killed_with_its_children() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mark = dir.path().join("still-alive");
        let script = format!("(sleep 1; touch {}) & sleep 30", mark.display());
        let answer = run_limited("sh", ["-c", &script], limits(200, 100));
        assert_eq!(answer.reason(), Some("sh did not answer in 200 ms"));
        thread::sleep(Duration::from_millis(1500));
        assert!(!mark.exists(), "the grandchild outlived its group");
    }

    #[test]
    fn a_program_gets_no_input_and_no_git_variable() {
        let script = "cat; env | grep -c ^GIT_";
        let output = run_limited("sh", ["-c", script], Limits::default());
        assert_eq!(
            output.found().map(|out| out.stdout.clone()),
            Some(b"0\n".to_vec())
        );
    }

    #[test]
    fn a_missing_program_and_a_relative_path_are_unknown() {
        let none: [&str; 0] = [];
        assert!(
            run_limited("no-such-program-here", none, Limits::default())
                .reason()
                .is_some()
        );
        assert!(
            run_limited("./sh", none, Limits::default())
                .reason()
                .is_some()
        );
    }
}
