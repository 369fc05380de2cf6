//! Supervising a command inside a session: it is left alone, and remembered.
//!
//! ```text
//! shell ── birthmark run ──┬── session: begun, ended, how it came out
//!                          └── the command: same terminal, same group, same streams
//! ```
//!
//! # Invariants
//!
//! * The command has the terminal, stdin, stdout and stderr of its caller untouched,
//!   and stays in the caller's process group: Ctrl-C and Ctrl-Z reach it from the
//!   terminal as if nobody stood between.
//! * Its exit code is passed on; killed by signal N it is 128 + N, as in shells.
//! * A signal that somebody sends to us is sent on to it. One that comes from the
//!   terminal is not: the terminal sends it to the whole group already.
//! * A signal that we were started to ignore (`nohup`) stays ignored for it.
//! * Once the command runs, nothing that fails on our side stops it or changes its
//!   exit code.
//!
//! # Limits
//!
//! * A signal sent to the whole group by a program, not by the terminal, reaches the
//!   command twice.
//! * When we are killed with -9 the command goes on, and so does the session while a
//!   run of it lives. A command that begins no run of its own is then told
//!   *interrupted*.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use birthmark_capture::process;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_core::{Fields, Finding, RunId, SessionId};
use birthmark_store::config::OnDirty;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

use crate::error::{Error, Kind, Result};
use crate::machine::{self, Interpreter};
use crate::session::{self, Begin, RunEnd, Session};
use crate::talk::Talk;

/// Signals that are sent on.
const SENT_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// Endings of files that a command runs as a script.
const SCRIPTS: [&str; 8] = ["py", "sh", "bash", "R", "r", "jl", "ipynb", "pl"];
/// What shells answer when there is no such program.
pub const NOT_FOUND: u8 = 127;
/// What shells answer when it cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;

/// What to run, and what is known of it.
pub struct RunOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Plans, word for word.
    pub planned: Vec<String>,
    /// Fields inherited by every artifact.
    pub given: Fields,
    /// What to do about uncommitted changes, when the caller says so himself.
    pub on_dirty: Option<OnDirty>,
    /// Where lines for the person go.
    pub talk: Option<Talk>,
}

/// How a command came out.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit status to pass on.
    pub code: u8,
    /// The session it ran in.
    pub session: SessionId,
    /// The run in it.
    pub run: RunId,
    /// What our side could not write down at the end.
    pub unrecorded: Option<String>,
}

/// Why a command was not started.
#[derive(Debug)]
pub enum NotRun {
    /// There is no such program, or it cannot be executed: what to answer, and why.
    Program(u8, Error),
    /// The session could not begin.
    Session(Error),
}

/// Runs a command inside a session.
pub fn run(options: &RunOptions) -> Result<Finished, NotRun> {
    let program = options.command.first().cloned().unwrap_or_default();
    let path = find(&program)?;
    let session = session::begin(begin(options, &path)?).map_err(NotRun::Session)?;
    let signals = Signals::watch();
    let started = command(&path, &options.command, &session).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Err(not_started(&session, &program, &error)),
    };
    let (status, stopped) = signals.wait(&mut child);
    let end = end_of(status, stopped);
    let unrecorded = session.end(end).err().map(|error| error.whole());
    Ok(Finished {
        code: code_of(status),
        session: session.id().clone(),
        run: session.run_id().clone(),
        unrecorded,
    })
}

fn begin(options: &RunOptions, program: &Path) -> Result<Begin, NotRun> {
    let folder = match process::working_folder() {
        Finding::Found(folder) => folder,
        Finding::Absent | Finding::Unknown(_) => {
            let error = Error::usage("no-folder", "cannot tell the working folder");
            return Err(NotRun::Session(
                error.with_hint("change to a folder that exists"),
            ));
        }
    };
    let script = script_of(&options.command, &folder);
    let anchor = script.clone().unwrap_or(folder);
    Ok(Begin {
        script,
        interpreter: interpreter_of(program),
        argv: options
            .command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        planned: options.planned.clone(),
        given: options.given.clone(),
        on_dirty: options.on_dirty,
        talk: options.talk.clone(),
        ..Begin::at(anchor, OpenedBy::Run)
    })
}

/// The script that a command runs: its first word that is a file with a script's ending.
/// Its folder is where the script itself would look for the project.
fn script_of(command: &[OsString], folder: &Path) -> Option<PathBuf> {
    let is_script = |path: &PathBuf| {
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        SCRIPTS.contains(&ending) && path.is_file()
    };
    command.iter().map(|word| folder.join(word)).find(is_script)
}

/// The Python that a program surely runs in: itself, or the one whose folder it stands in
/// (`torchrun`, `pytest`). For any other program none is named.
fn interpreter_of(program: &Path) -> Option<Interpreter> {
    let interpreter = machine::find_interpreter().found().cloned()?;
    let beside = interpreter.executable.as_deref()?.parent()?;
    let is_python = |name: &str| {
        ["python", "torchrun", "accelerate", "deepspeed", "pytest"]
            .iter()
            .any(|known| name.starts_with(known))
    };
    let name = program.file_name()?.to_str()?;
    (is_python(name) && program.parent()? == beside).then_some(interpreter)
}

/// Where a program lies, as a shell would find it.
fn find(program: &OsStr) -> Result<PathBuf, NotRun> {
    let name = program.to_string_lossy();
    let missing = || {
        let error = Error::usage("no-program", format!("there is no program `{name}`"));
        NotRun::Program(
            NOT_FOUND,
            error.with_hint("nothing was run and nothing was recorded"),
        )
    };
    let refused = |path: &Path| {
        let message = format!("`{}` cannot be executed", path.display());
        let hint = format!(
            "chmod +x {0}, or name its interpreter: python {0}",
            path.display()
        );
        NotRun::Program(
            NOT_EXECUTABLE,
            Error::usage("no-program", message).with_hint(hint),
        )
    };
    if program.as_encoded_bytes().contains(&b'/') {
        let path = PathBuf::from(program);
        return match path.metadata() {
            Err(_) => Err(missing()),
            Ok(metadata) if is_executable(&metadata) => Ok(path),
            Ok(_) => Err(refused(&path)),
        };
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut unusable = None;
    for folder in std::env::split_paths(&places) {
        let path = folder.join(program);
        match path.metadata() {
            Ok(metadata) if is_executable(&metadata) => return Ok(path),
            Ok(metadata) if metadata.is_file() => unusable = unusable.or(Some(path)),
            _ => {}
        }
    }
    Err(unusable.map_or_else(missing, |path| refused(&path)))
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

/// The command with what its own session needs to join this one.
fn command(path: &Path, words: &[OsString], session: &Session) -> Command {
    use std::os::unix::process::CommandExt;
    #[expect(
        clippy::disallowed_methods,
        reason = "the command is the user's own, and has no limit"
    )]
    let mut command = Command::new(path);
    if let Some(name) = words.first() {
        command.arg0(name);
    }
    command.args(words.iter().skip(1));
    command.env("BIRTHMARK_SESSION", session.id().as_str());
    command.env("BIRTHMARK_DIR", session.project().layout.artifacts());
    command.env("BIRTHMARK_PARENT_RUN", session.run_id().as_str());
    command
}

fn not_started(session: &Session, program: &OsStr, error: &std::io::Error) -> NotRun {
    let message = format!("cannot run `{}`: {error}", program.to_string_lossy());
    let end = RunEnd {
        error: Some(message.clone()),
        ..RunEnd::plain(Outcome::Failed)
    };
    let answer = NotRun::Program(NOT_EXECUTABLE, Error::new(Kind::Io, "no-program", message));
    match session.end(end) {
        Ok(()) => answer,
        Err(error) => NotRun::Session(error),
    }
}

/// The signals that we are sent while the command runs.
struct Signals {
    /// None where the system gives no more descriptors: then the command is only awaited.
    signals: Option<SignalsInfo<WithOrigin>>,
}

impl Signals {
    /// Begins before the command does, so that none is missed.
    fn watch() -> Self {
        let ignored = ignored_signals();
        let mut wanted: Vec<i32> = SENT_ON
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        wanted.push(SIGCHLD);
        Self {
            signals: SignalsInfo::<WithOrigin>::new(wanted).ok(),
        }
    }

    /// Waits for the command to end, and sends on what comes meanwhile. Says how it
    /// ended, and whether it was told to stop.
    fn wait(self, child: &mut Child) -> (Option<ExitStatus>, bool) {
        let mut stopped = false;
        let Some(mut signals) = self.signals else {
            return (child.wait().ok(), stopped);
        };
        loop {
            // Asked first: the command may have ended before anybody listened.
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return (Some(status), stopped),
                Err(_) => return (None, stopped),
            }
            for origin in signals.wait() {
                if origin.signal != SIGCHLD {
                    stopped |= matches!(origin.signal, SIGHUP | SIGINT | SIGTERM);
                    send_on(child, &origin);
                }
            }
        }
    }
}

/// Signals that this process was started to ignore, as bits from 0. A handler of ours
/// would end that for the command too.
fn ignored_signals() -> u64 {
    let status = birthmark_store::atomic::read_limited(Path::new("/proc/self/status"), 1 << 16);
    let status = status.unwrap_or_default();
    let text = String::from_utf8_lossy(&status);
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn send_on(child: &Child, origin: &Origin) {
    if matches!(origin.cause, Cause::Kernel) {
        return;
    }
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let signal = rustix::process::Signal::from_named_raw(origin.signal);
    if let (Some(pid), Some(signal)) = (pid, signal) {
        // Not reaped yet, so the number is still its own; gone is as good.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// The exit code, or 128 and the signal, as shells tell it.
fn code_of(status: Option<ExitStatus>) -> u8 {
    let Some(status) = status else { return 2 };
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(2)
}

fn end_of(status: Option<ExitStatus>, stopped: bool) -> RunEnd {
    let Some(status) = status else {
        let error = Some("how the command ended cannot be told".to_owned());
        return RunEnd {
            error,
            ..RunEnd::plain(Outcome::Failed)
        };
    };
    let signal = status.signal();
    let from_outside = signal.is_some_and(is_from_outside);
    let outcome = match status.code() {
        Some(0) => Outcome::Completed,
        _ if stopped || from_outside => Outcome::Interrupted,
        _ => Outcome::Failed,
    };
    RunEnd {
        exit_code: status.code(),
        signal: signal.map(signal_name),
        ..RunEnd::plain(outcome)
    }
}

/// Signals that somebody sends, and none that a program's own fault raises.
fn is_from_outside(signal: i32) -> bool {
    use signal_hook::consts::{SIGALRM, SIGKILL, SIGXCPU};
    SENT_ON.contains(&signal) || [SIGKILL, SIGALRM, SIGXCPU].contains(&signal)
}

fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), str::to_owned)
}

#[cfg(test)]
mod tests;
