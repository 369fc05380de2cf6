//! What an input may not take: for ever, or all memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread.
pub(crate) fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// The most memory that the process ever had, in bytes; 0 where the system does not tell.
pub(crate) fn peak_memory() -> u64 {
    let told = birthmark_store::atomic::read_kernel(Path::new("/proc/self/status"));
    let told = told.unwrap_or_default();
    let text = String::from_utf8_lossy(&told);
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes << 10)
}

/// Keeps an input; where it cannot be, the message must do.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    let durability = birthmark_store::Durability::Process;
    let _ = birthmark_store::atomic::replace(path, bytes, durability);
}

type Running = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Ends the process when an input hangs: nothing else could.
pub(crate) struct Watch {
    running: Running,
}

impl Watch {
    pub(crate) fn begin(keep: PathBuf) -> Self {
        let running: Running = Arc::default();
        let watched = Arc::downgrade(&running);
        thread::spawn(move || {
            while let Some(running) = watched.upgrade() {
                let hangs = {
                    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
                    let since = running
                        .as_ref()
                        .filter(|(since, _)| since.elapsed() > super::HANG);
                    since.map(|(_, input)| input.clone())
                };
                if let Some(input) = hangs {
                    write(&keep, &input);
                    std::process::abort();
                }
                drop(running);
                thread::sleep(Duration::from_millis(500));
            }
        });
        Self { running }
    }

    pub(crate) fn enter(&self, input: &[u8]) {
        self.set(Some((Instant::now(), input.to_vec())));
    }

    pub(crate) fn leave(&self) {
        self.set(None);
    }

    fn set(&self, to: Option<(Instant, Vec<u8>)>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}
