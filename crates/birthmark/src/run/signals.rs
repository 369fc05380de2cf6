//! The signals that reach us while a command runs: those that somebody sends are sent on.

use std::path::Path;
use std::process::{Child, ExitStatus};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

/// Signals that are sent on.
pub(super) const SENT_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// The signals that we are sent while the command runs.
pub(super) struct Signals {
    /// None where the system gives no more descriptors: then the command is only awaited.
    signals: Option<SignalsInfo<WithOrigin>>,
}

impl Signals {
    /// Begins before the command does, so that none is missed.
    pub(super) fn watch() -> Self {
        let ignored = ignored_signals();
        let mut wanted: Vec<i32> = SENT_ON
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        wanted.extend([SIGCHLD, SIGWINCH]);
        Self {
            signals: SignalsInfo::<WithOrigin>::new(wanted).ok(),
        }
    }

    /// Waits for the command to end, and sends on what comes meanwhile; `resized` is called
    /// when the terminal has another size. Says how it ended, and whether it was told to stop.
    pub(super) fn wait(
        &mut self,
        child: &mut Child,
        resized: impl Fn() -> bool,
    ) -> (Option<ExitStatus>, bool) {
        let mut stopped = false;
        let Some(signals) = &mut self.signals else {
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
                match origin.signal {
                    SIGCHLD => {}
                    // The terminal told the command already, but the command asks its own
                    // terminal, which has the new size only now.
                    SIGWINCH if resized() => send(child, SIGWINCH),
                    SIGWINCH => send_on(child, &origin),
                    signal => {
                        stopped |= is_stop(signal);
                        send_on(child, &origin);
                    }
                }
            }
        }
    }

    /// Whether somebody wants an end since the last look.
    pub(super) fn is_told_to_stop(&mut self) -> bool {
        let pending = self.signals.as_mut().map(SignalsInfo::pending);
        pending.is_some_and(|mut pending| pending.any(|origin| is_stop(origin.signal)))
    }
}

fn is_stop(signal: i32) -> bool {
    matches!(signal, SIGHUP | SIGINT | SIGTERM)
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
    if !matches!(origin.cause, Cause::Kernel) {
        send(child, origin.signal);
    }
}

fn send(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let signal = rustix::process::Signal::from_named_raw(signal);
    if let (Some(pid), Some(signal)) = (pid, signal) {
        // Not reaped yet, so the number is still its own; gone is as good.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
