//! Supervising a command inside a session: it is left alone, and remembered.
//!
//! ```text
//! shell ── birthmark run ──┬── session: begun, ended, how it came out
//!                          ├── the command: same terminal, same group, same stdin
//!                          └── relays: its stdout and stderr, shown and kept
//! ```
//!
//! # Invariants
//!
//! * The command has the terminal and stdin of its caller untouched, and stays in the
//!   caller's process group: Ctrl-C and Ctrl-Z reach it from the terminal as if nobody
//!   stood between. What it writes passes a relay that keeps a copy (see `streams`):
//!   a terminal stays a terminal, and every byte comes through, in order.
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
//! * When we are killed with -9 the command goes on, with its output shown and kept, and so
//!   does the session while a run of it lives. A command that begins no run of its own is
//!   then told *interrupted*.
//! * A program that sets its terminal through stdout instead of stdin (as curses does) sets
//!   its own: start it with `--no-logs`.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use birthmark_capture::process;
use birthmark_core::event::{LogKept, OpenedBy, Outcome};
use birthmark_core::{Fields, Finding, RunId, SessionId};
use birthmark_store::config::OnDirty;

use crate::error::{Error, Kind, Result};
use crate::session::{self, Begin, RunEnd, Session};
use crate::talk::Talk;

mod orphans;
mod program;
mod python;
mod relay;
mod signals;
mod streams;
mod usage;
mod watch;

pub use relay::{RelayOptions, relay};
pub use streams::RELAY;

use crate::session::scriptless::{NOTEBOOK, is_notebook};
use program::{find, interpreter_of, script_of};
use signals::{SENT_ON, Signals};
use streams::Streams;
use usage::Usage;
use watch::Watch;

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
    /// The program whose hidden command [`RELAY`] calls [`relay()`], and beside which the
    /// library to be preloaded lies. Without it there are no logs, and what is read is not seen.
    pub helper: Option<PathBuf>,
    /// Whether nothing of what it says is kept.
    pub no_logs: bool,
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
    let watch = Watch::new(options.helper.as_deref(), &session, path.clone());
    let mut signals = Signals::watch();
    let mut streams = Streams::new(
        options.helper.as_deref().filter(|_| !options.no_logs),
        &session,
    );
    let mut command = command(&path, &options.command, &session);
    streams.give(&mut command);
    watch.give(&mut command);
    orphans::adopt();
    let started = command.spawn();
    // It holds our ends of the pipes: as long as it lives they are not at their end.
    drop(command);
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Err(not_started(&session, &program, &error)),
    };
    let pid = child.id();
    let usage = Usage::watch(pid);
    let (status, stopped) = signals.wait(&mut child, || streams.resize());
    let end = RunEnd {
        usage: usage.finish(),
        command_pid: Some(pid),
        ..end_of(status, stopped)
    };
    let logs = streams.finish(&mut signals);
    let unrecorded = record_end(&session, logs, &watch, end);
    Ok(Finished {
        code: code_of(status),
        session: session.id().clone(),
        run: session.run_id().clone(),
        unrecorded: unrecorded.err().map(|error| error.whole()),
    })
}

/// The end is recorded, whatever could not be: it says what is missing.
fn record_end(session: &Session, logs: Vec<LogKept>, watch: &Watch, end: RunEnd) -> Result<()> {
    let logs: Result<()> = logs.into_iter().try_for_each(|log| session.record(log));
    let watched = watch.record(session);
    let lost = logs.as_ref().err().or(watched.as_ref().err());
    session.end(RunEnd {
        unrecorded: lost.map(Error::root),
        last: true,
        ..end
    })?;
    logs?;
    let left_out = watched?;
    if left_out > 0 {
        session.say(&format!(
            "birthmark: it made {left_out} files more than are listed"
        ));
    }
    Ok(())
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
    let anchor = script.clone().unwrap_or_else(|| folder.clone());
    Ok(Begin {
        script,
        interpreter: interpreter_of(program),
        modules: program::searched_for_modules(&folder),
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
    command.env_remove(NOTEBOOK);
    if let Some(notebook) = session.script().filter(|path| is_notebook(path)) {
        command.env(NOTEBOOK, notebook);
    }
    command.envs(session.handed_on());
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
