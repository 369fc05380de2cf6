//! Signals that must not end the program halfway.
//!
//! * A limit on the size of files (`ulimit -f`) is an error of the write that met it, as a
//!   full disk is; by itself the system would kill the program.
//! * While files are read and written for long, an interrupt stops the reading, so that it
//!   ends as any error does, and nothing half-written remains. A second one kills.
//!
//! Programs that are started from here are not affected: they begin with the system's ways.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use birthmark_store::stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// Lets a write that would grow a file beyond the limit fail, instead of killing the program.
pub(crate) fn file_limit_is_an_error() {
    // Without it the system's way remains.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Does `work` so that an interrupt stops its reading soon, with an error.
pub(crate) fn stoppable<T>(work: impl FnOnce() -> T) -> T {
    let flag = stop::Flag::default();
    let mut known = Vec::new();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if is_ignored(signal) {
            continue;
        }
        // In this order: the first signal sets the flag, the second finds it set.
        let kill = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag));
        let tell = signal_hook::flag::register_usize(
            signal,
            Arc::clone(&STOPPED_BY),
            usize::try_from(signal).unwrap_or_default(),
        );
        let stop = signal_hook::flag::register(signal, Arc::clone(&flag));
        known.extend([kill, tell, stop].into_iter().flatten());
    }
    let done = stop::with(Some(flag), work);
    for id in known {
        signal_hook::low_level::unregister(id);
    }
    done
}

/// The signal that stopped something; none is 0.
static STOPPED_BY: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The signal that stopped something, if one did.
pub(crate) fn stopped_by() -> Option<i32> {
    let signal = STOPPED_BY.load(Ordering::Relaxed);
    i32::try_from(signal).ok().filter(|signal| *signal != 0)
}

/// Whether this program was started to ignore a signal, as by `nohup`.
fn is_ignored(signal: i32) -> bool {
    let status = birthmark_store::atomic::read_kernel(std::path::Path::new("/proc/self/status"));
    let status = String::from_utf8(status.unwrap_or_default()).unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
