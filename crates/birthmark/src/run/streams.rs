//! Where a command's output goes: past a relay that keeps a copy, a terminal staying one.
//!
//! | our stream is | the command gets | kept |
//! |---|---|---|
//! | a terminal | a pseudo terminal of the same size and settings | yes |
//! | a pipe, a socket, `/dev/null` | a pipe | yes |
//! | a regular file | that file itself | it is a log already, and perhaps the artifact |
//!
//! stdout and stderr that go to the same place share one pipe or terminal, so that their
//! order is kept. stdin, the controlling terminal and the process group stay those of the
//! caller: Ctrl-C, Ctrl-Z, password prompts and line editing are between the command and
//! the real terminal, which is never put into another mode by us.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use birthmark_core::event::LogKept;
use birthmark_store::logs;
use rustix::fs::{FileType, fstat};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    OptionalActions, OutputModes, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::relay::{self, Relayed};
use super::signals::Signals;
use crate::session::Session;

/// How long a relay may take to start.
const START: Duration = Duration::from_secs(5);
/// Between two looks at whether somebody wants an end while output is still passed on.
const LOOK: Duration = Duration::from_millis(100);

/// The two output streams of a command.
#[derive(Default)]
pub(super) struct Streams {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    relays: Vec<Running>,
    terminals: Vec<Terminal>,
    /// What is known already: streams that are not kept, and why.
    events: Vec<LogKept>,
}

struct Running {
    stream: &'static str,
    file: String,
    child: Child,
    control: UnixStream,
}

/// A pseudo terminal that follows a real one.
struct Terminal {
    real: OwnedFd,
    copy: OwnedFd,
}

impl Streams {
    /// Puts relays between; without a helper to run them the streams are left as they are.
    /// Where one cannot be put its stream is left as it is too, and that is noted.
    pub(super) fn new(helper: Option<&Path>, session: &Session) -> Self {
        let mut streams = Self::default();
        let Some(helper) = helper else { return streams };
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let (first, second) = (identity(out.as_fd()), identity(err.as_fd()));
        if first.is_some() && first == second {
            streams.stdout = streams.between(helper, session, "output", out.as_fd());
            let twin = streams.stdout.as_ref().and_then(|fd| fd.try_clone().ok());
            streams.stderr = twin;
        } else {
            streams.stdout = streams.between(helper, session, "stdout", out.as_fd());
            streams.stderr = streams.between(helper, session, "stderr", err.as_fd());
        }
        streams
    }

    /// What the command is to write to, in the place of `target`.
    fn between(
        &mut self,
        helper: &Path,
        session: &Session,
        stream: &'static str,
        target: BorrowedFd<'_>,
    ) -> Option<OwnedFd> {
        let kind = fstat(target).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            // Closed, or a folder or disk that somebody wanted so.
            Err(_) | Ok(FileType::Directory | FileType::BlockDevice) => return None,
            Ok(FileType::RegularFile) => {
                self.events.push(in_a_file(session, stream, target));
                return None;
            }
            Ok(_) => {}
        }
        match self.start(helper, session, stream, target) {
            Ok(end) => Some(end),
            Err(reason) => {
                self.events.push(LogKept {
                    reason: Some(format!("the relay could not be started: {reason}")),
                    ..not_kept(stream)
                });
                None
            }
        }
    }

    fn start(
        &mut self,
        helper: &Path,
        session: &Session,
        stream: &'static str,
        target: BorrowedFd<'_>,
    ) -> std::io::Result<OwnedFd> {
        let (source, end, terminal) = if isatty(target) {
            let (copy, end) = terminal_like(target)?;
            let real = target.try_clone_to_owned()?;
            let kept = copy.try_clone()?;
            (copy, end, Some(Terminal { real, copy: kept }))
        } else {
            let (source, end) = std::io::pipe()?;
            (OwnedFd::from(source), OwnedFd::from(end), None)
        };
        let stem = format!("{}.{stream}", session.run_id());
        let folder = session.project().layout.logs(session.id());
        let (mut control, theirs) = UnixStream::pair()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this very program, which ends with the command's output"
        )]
        let child = Command::new(helper)
            .arg(RELAY)
            .arg(&folder)
            .args([&stem, &logs::LIMIT.to_string()])
            .stdin(Stdio::from(source))
            .stdout(Stdio::from(target.try_clone_to_owned()?))
            .stderr(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        control.set_read_timeout(Some(START))?;
        if !relay::is_ready(&mut control) {
            return Err(std::io::Error::other("it did not answer"));
        }
        self.terminals.extend(terminal);
        self.relays.push(Running {
            stream,
            file: log_name(session, &folder.join(&stem)),
            child,
            control,
        });
        Ok(end)
    }

    /// Gives the command its streams.
    pub(super) fn give(&mut self, command: &mut Command) {
        if let Some(end) = self.stdout.take() {
            command.stdout(end);
        }
        if let Some(end) = self.stderr.take() {
            command.stderr(end);
        }
    }

    /// Gives the pseudo terminals the size that the real ones have now.
    pub(super) fn resize(&self) -> bool {
        for terminal in &self.terminals {
            if let Ok(size) = tcgetwinsize(&terminal.real) {
                // A terminal that is gone has no size; nothing is lost.
                let _ = tcsetwinsize(&terminal.copy, size);
            }
        }
        !self.terminals.is_empty()
    }

    /// Once the command has ended: waits until its output is passed on, unless somebody
    /// wants an end. What it left behind may go on speaking through the relay.
    pub(super) fn finish(mut self, signals: &mut Signals) -> Vec<LogKept> {
        // A pseudo terminal ends when nobody holds it any more.
        self.terminals.clear();
        let mut events = self.events;
        for relay in &self.relays {
            let _ = relay.control.shutdown(std::net::Shutdown::Write);
        }
        for mut relay in self.relays {
            let said = hear(&mut relay.control, signals);
            if said.as_ref().is_some_and(|said| said.closed) {
                // It has nothing left to do; else it outlives us.
                let _ = relay.child.wait();
            }
            events.push(event_of(&relay, said));
        }
        events
    }
}

/// The word that makes this program a relay.
pub const RELAY: &str = "__relay";

fn hear(control: &mut UnixStream, signals: &mut Signals) -> Option<Relayed> {
    control.set_read_timeout(Some(LOOK)).ok()?;
    let mut line = Vec::new();
    let mut part = [0; 1024];
    while !line.contains(&b'\n') {
        match control.read(&mut part) {
            Ok(0) => return None,
            Ok(read) => line.extend_from_slice(part.get(..read)?),
            Err(_) if signals.is_told_to_stop() => return None,
            Err(error) if is_nothing_yet(&error) => {}
            Err(_) => return None,
        }
    }
    serde_json::from_slice(&line).ok()
}

fn is_nothing_yet(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

fn event_of(relay: &Running, said: Option<Relayed>) -> LogKept {
    let Some(said) = said else {
        return LogKept {
            file: Some(relay.file.clone()),
            reason: Some("how much it keeps was not heard".to_owned()),
            ..not_kept(relay.stream)
        };
    };
    let reason = said.error.map(|error| format!("not kept whole: {error}"));
    LogKept {
        file: (said.bytes > 0).then(|| relay.file.clone()),
        bytes: Some(said.bytes),
        left_out: said.left_out,
        redacted: said.redacted,
        reason: reason.or_else(|| {
            let left = "a process that the command left behind still holds it";
            (!said.closed).then(|| left.to_owned())
        }),
        ..not_kept(relay.stream)
    }
}

fn not_kept(stream: &str) -> LogKept {
    LogKept {
        stream: stream.to_owned(),
        file: None,
        bytes: None,
        left_out: 0,
        redacted: 0,
        reason: None,
    }
}

/// A stream that the caller sent into a file.
fn in_a_file(session: &Session, stream: &str, target: BorrowedFd<'_>) -> LogKept {
    let place = format!("/proc/self/fd/{}", target.as_raw_fd());
    let file = std::fs::read_link(place).ok();
    LogKept {
        file: file.map(|file| session.project().stored_path(&file)),
        reason: Some("not kept here: the caller sent it into a file".to_owned()),
        ..not_kept(stream)
    }
}

/// The log as an event names it: from the store, with `/`.
fn log_name(session: &Session, path: &Path) -> String {
    let store = session.project().layout.store();
    let path = path.strip_prefix(&store).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

/// The same for two descriptors of one file, pipe or terminal.
fn identity(fd: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = fstat(fd).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// A pseudo terminal with the size and settings of `real`, but for its output, which the
/// real one processes: what is written comes through byte by byte.
fn terminal_like(real: BorrowedFd<'_>) -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let copy = openpt(flags)?;
    unlockpt(&copy)?;
    let end = ioctl_tiocgptpeer(&copy, flags)?;
    let mut settings = tcgetattr(real)?;
    settings.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&end, OptionalActions::Now, &settings)?;
    if let Ok(size) = tcgetwinsize(real) {
        tcsetwinsize(&copy, size)?;
    }
    Ok((copy, end))
}
