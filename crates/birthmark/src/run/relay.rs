//! The relay: between a command and where its output goes, a process that passes every byte
//! on at once and keeps a copy.
//!
//! ```text
//! command ── pipe or pty ──> relay ──> the terminal, pipe or socket that `run` was started on
//!                              └─ thread: whole lines, secrets taken out ──> log
//! ```
//!
//! It is a process of its own, in a session of its own, so that neither Ctrl-C nor the death
//! of `birthmark run` cuts the command off from its output.
//!
//! # Invariants
//!
//! * What is passed on is what came, byte by byte and in order; it never waits for the log.
//! * When the reader goes away the command gets the same broken pipe that it would have got.
//! * Of a log that cannot keep up, or cannot be written, the rest is left out and counted.
//!
//! # Limits
//!
//! * A line that is written over (a progress bar's) is kept in its last state.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use birthmark_capture::process;
use birthmark_store::logs::LogWriter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::session::lock;

/// Bytes that wait for the log at most; what comes beyond is left out of it.
const WAITING: usize = 16 << 20;
/// A line longer than this is written in parts.
const LONGEST_LINE: usize = 1 << 20;
/// A secret of several lines is waited for up to this length.
const LONGEST_SECRET: usize = 1 << 16;
/// How long nothing must have come after the command's end for its output to be whole.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Where a relay keeps its copy.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The folder of logs.
    pub folder: PathBuf,
    /// `<run>.<stream>`.
    pub stem: String,
    /// Bytes that are kept.
    pub limit: u64,
}

/// What a relay says at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relayed {
    /// Bytes that were passed on.
    pub(super) bytes: u64,
    /// Bytes of the log that are not kept.
    pub(super) left_out: u64,
    /// Secrets that were taken out of the log.
    pub(super) redacted: u64,
    /// Whether the command's side was closed: otherwise a process that it left behind may
    /// go on speaking.
    pub(super) closed: bool,
    /// Why the log could not be written.
    pub(super) error: Option<String>,
}

/// Passes stdin on to stdout and keeps a copy; stderr is a socket to whoever started it.
pub fn relay(options: RelayOptions) -> io::Result<()> {
    // Already a leader where a shell with job control started it: that serves as well.
    let _ = rustix::process::setsid();
    for signal in super::signals::SENT_ON {
        // It ends when the last speaker does, and not before.
        let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register(signal, flag)?;
    }
    let mut control = UnixStream::from(io::stderr().as_fd().try_clone_to_owned()?);
    control.write_all(b"\n")?;
    let queue = Arc::new(Queue::default());
    let writer = {
        let queue = Arc::clone(&queue);
        std::thread::Builder::new().spawn(move || keep(&queue, &options))?
    };
    let mut report = |relayed: Relayed| {
        let mut line = serde_json::to_vec(&relayed).unwrap_or_default();
        line.push(b'\n');
        // Nobody may be there to hear it any more.
        let _ = control.write_all(&line);
    };
    let (bytes, live) = pass_on(&queue, &mut report);
    queue.close();
    let kept = writer.join().unwrap_or_default();
    if live {
        report(Relayed {
            bytes,
            closed: true,
            ..kept
        });
    }
    Ok(())
}

/// Passes on until the last speaker is gone. Answers the bytes, and whether somebody still
/// waits for the report.
fn pass_on(queue: &Queue, report: &mut impl FnMut(Relayed)) -> (u64, bool) {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut buffer = vec![0; 1 << 16];
    let (mut bytes, mut listens) = (0, true);
    // Whether the command has ended, as the other side of the socket tells by closing it.
    let mut ended = false;
    loop {
        match wait(stdin.as_fd(), stderr.as_fd(), ended) {
            Woken::Ended => {
                ended = true;
                continue;
            }
            Woken::Quiet => {
                if listens {
                    report(queue.drained(bytes));
                }
                (ended, listens) = (false, false);
                // From here on nobody is asked any more.
                let Ok(null) = std::fs::File::open("/dev/null") else {
                    return (bytes, listens);
                };
                let _ = rustix::stdio::dup2_stderr(null);
                continue;
            }
            Woken::Input => {}
        }
        let read = match rustix::io::read(stdin.as_fd(), &mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
            // A terminal whose last speaker is gone answers with an error.
            Err(_) => break,
        };
        let part = buffer.get(..read).unwrap_or_default();
        bytes += read as u64;
        let gone = write_all(stdout.as_fd(), part) == Err(rustix::io::Errno::PIPE);
        queue.put(part);
        if gone {
            break;
        }
    }
    (bytes, listens)
}

enum Woken {
    Input,
    Ended,
    Quiet,
}

fn wait(input: BorrowedFd<'_>, control: BorrowedFd<'_>, ended: bool) -> Woken {
    let mut fds = vec![PollFd::from_borrowed_fd(input, PollFlags::IN)];
    if !ended {
        fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
    }
    match poll(&mut fds, ended.then_some(&QUIET)) {
        Ok(0) if ended => Woken::Quiet,
        Ok(_) => {
            let woken = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            if woken(0) || !woken(1) {
                Woken::Input
            } else {
                Woken::Ended
            }
        }
        Err(_) => Woken::Input,
    }
}

/// Writes all; only a reader that is gone stops it. A terminal that hung up takes nothing any
/// more, and the command goes on.
fn write_all(out: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), rustix::io::Errno> {
    use rustix::io::Errno;
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(out, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What waits for the log.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Bytes that came after these and found no room.
    skipped: u64,
    closed: bool,
    /// Whether all that came was written, and what is known of it.
    idle: bool,
    kept: Relayed,
}

impl Queue {
    fn put(&self, bytes: &[u8]) {
        let mut waiting = lock(&self.waiting);
        if waiting.skipped > 0 || waiting.bytes.len() + bytes.len() > WAITING {
            waiting.skipped += bytes.len() as u64;
        } else {
            waiting.bytes.extend_from_slice(bytes);
        }
        waiting.idle = false;
        self.changed.notify_all();
    }

    fn close(&self) {
        lock(&self.waiting).closed = true;
        self.changed.notify_all();
    }

    /// Waits until all that came is written.
    fn drained(&self, bytes: u64) -> Relayed {
        let waiting = lock(&self.waiting);
        let waiting = self
            .changed
            .wait_while(waiting, |waiting| !waiting.idle && bytes > 0)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Relayed {
            bytes,
            ..waiting.kept.clone()
        }
    }

    /// What came since the last time; `None` at the end.
    fn take(&self, kept: &Relayed) -> Option<(Vec<u8>, u64)> {
        let mut waiting = lock(&self.waiting);
        waiting.kept = kept.clone();
        while waiting.bytes.is_empty() && waiting.skipped == 0 {
            waiting.idle = true;
            self.changed.notify_all();
            if waiting.closed {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let skipped = std::mem::take(&mut waiting.skipped);
        Some((std::mem::take(&mut waiting.bytes), skipped))
    }
}

/// The thread that writes the log.
fn keep(queue: &Queue, options: &RelayOptions) -> Relayed {
    let mut log = Log {
        writer: LogWriter::new(&options.folder, &options.stem, options.limit),
        line: Vec::new(),
        kept: Relayed::default(),
    };
    while let Some((bytes, skipped)) = queue.take(&log.kept) {
        log.take(&bytes);
        if skipped > 0 {
            log.flush();
            log.writer.skip(skipped);
        }
        log.kept.left_out = log.writer.left_out();
    }
    log.flush();
    log.kept.left_out = log.writer.left_out();
    log.kept
}

/// Makes lines of bytes, takes secrets out of them, and writes them.
struct Log {
    writer: LogWriter,
    /// The line that has no end yet.
    line: Vec<u8>,
    kept: Relayed,
}

impl Log {
    fn take(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        let end = memchr::memrchr(b'\n', &self.line).map_or(0, |at| at + 1);
        let end = self.before_open_secret(end);
        if end > 0 {
            let rest = self.line.split_off(end);
            let whole = std::mem::replace(&mut self.line, rest);
            self.write(&whole);
        }
        self.drop_written_over();
        if self.line.len() > LONGEST_LINE {
            self.flush();
        }
    }

    /// A key of several lines that has begun and not ended is not cut in two.
    fn before_open_secret(&self, end: usize) -> usize {
        let whole = self.line.get(..end).unwrap_or_default();
        let Some(begin) = memchr::memmem::rfind(whole, b"-----BEGIN ") else {
            return end;
        };
        let block = whole.get(begin..).unwrap_or_default();
        let is_open = memchr::memmem::find(block, b"-----END ").is_none()
            && memchr::memmem::find(block, b"PRIVATE KEY").is_some_and(|at| at < 40);
        if is_open && self.line.len() - begin < LONGEST_SECRET {
            begin
        } else {
            end
        }
    }

    /// Of a line that is written over again and again only the last state is needed.
    fn drop_written_over(&mut self) {
        let before_end = self.line.len().saturating_sub(1);
        let open = self.line.get(..before_end).unwrap_or_default();
        if !self.line.contains(&b'\n')
            && let Some(at) = memchr::memrchr(b'\r', open)
        {
            self.line.drain(..=at);
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.write(&line);
    }

    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let text = last_states(lines);
        let clean = process::redactor().text(&text);
        if let std::borrow::Cow::Owned(clean) = &clean {
            let marks = |text: &str| text.matches("[redacted:").count();
            self.kept.redacted += marks(clean).saturating_sub(marks(&text)) as u64;
        }
        if self.kept.error.is_some() {
            self.writer.skip(clean.len() as u64);
        } else if let Err(error) = self.writer.write(clean.as_bytes()) {
            self.kept.error = Some(error.to_string());
        }
    }
}

/// The lines, each as it stood when it ended.
fn last_states(lines: &[u8]) -> String {
    let text = String::from_utf8_lossy(lines);
    if memchr::memchr(b'\r', lines).is_none() {
        return text.into_owned();
    }
    let mut states = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        states.push_str(body.rsplit('\r').next().unwrap_or_default());
        if line.ends_with('\n') {
            states.push('\n');
        }
    }
    states
}

/// Waits for the line that says that the relay is there.
pub(super) fn is_ready(control: &mut UnixStream) -> bool {
    let mut byte = [0];
    loop {
        match control.read(&mut byte) {
            // A child of a look at the machine may end at any time, which wakes us.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.is_ok_and(|read| read == 1 && byte == *b"\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(parts: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::default();
        for part in parts {
            queue.put(part.as_bytes());
        }
        queue.close();
        let options = RelayOptions {
            folder: dir.path().to_owned(),
            stem: "r.output".to_owned(),
            limit: 1 << 20,
        };
        keep(&queue, &options);
        let mut all = Vec::new();
        for log in birthmark_store::logs::list(dir.path()).unwrap() {
            let take = |bytes: &[u8]| {
                all.extend_from_slice(bytes);
                Ok(())
            };
            log.read(|_| Ok(()), take).unwrap();
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn progress_is_kept_in_its_last_state() {
        assert_eq!(
            log_of(&["a\n 1%\r 2%", "\r 3%\r", "100%\nend\r\n"]),
            "a\n100%\nend\n"
        );
        assert_eq!(log_of(&["no end"]), "no end");
    }

    #[test]
    fn secrets_are_taken_out_wherever_the_bytes_were_cut() {
        let token = format!("hf_{}", "abcdefghijklmnopqrstuvwxyzABCDEFGH");
        let (head, tail) = token.split_at(9);
        let said = log_of(&["token ", head, tail, " used\n"]);
        assert!(!said.contains(&token), "{said}");
        assert!(said.contains("[redacted:"), "{said}");
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(2);
        let said = log_of(&[
            "-----BEGIN PRIVATE KEY-----\n",
            &format!("{body}\n"),
            &format!("{body}\n-----END PRIVATE KEY-----\nafter\n"),
        ]);
        assert!(!said.contains(&body), "{said}");
        assert!(said.ends_with("after\n"), "{said}");
    }
}
