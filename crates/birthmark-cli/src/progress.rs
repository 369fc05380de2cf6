//! A bar on stderr for what takes over a second: how far, how fast, how long still.
//!
//! It is drawn on a terminal alone, and never where silence was asked for.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use birthmark_store::reading::{self, Reading};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::columns_as_told;

/// What is quicker than this draws nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);
/// Columns of a terminal that does not tell.
const USUAL: usize = 80;

/// A bar, drawn while this lives.
pub(crate) struct Progress {
    counter: Arc<AtomicU64>,
    bar: ProgressBar,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// For so many bytes in all.
    pub(crate) fn of(total: u64) -> Self {
        let counter = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&counter);
        let mut progress = Self::watching(move || (read.load(Ordering::Relaxed), total));
        progress.counter = counter;
        progress
    }

    /// For work that tells how many bytes are done, and how many there are in all.
    pub(crate) fn watching(told: impl Fn() -> (u64, u64) + Send + 'static) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let wanted = std::io::stderr().is_terminal() && !crate::commands::quiet();
        let drawing = wanted.then(|| draw(bar.clone(), told)).flatten();
        Self {
            counter: Arc::default(),
            bar,
            drawing,
        }
    }

    /// Does `work` with a bar for what it reads on this thread.
    pub(crate) fn around<T>(work: impl FnOnce() -> T) -> T {
        let reading = Arc::new(Reading::default());
        let watched = Arc::clone(&reading);
        let _drawn = Self::watching(move || watched.told());
        reading::with(Some(reading), work)
    }

    /// What is to be raised by the bytes that are done.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.counter)
    }

    /// Prints while the bar is out of the way.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

/// What is drawn in so many columns, however long the numbers get: a line that runs over its
/// terminal is drawn over by none of the next, and fills it.
fn template(columns: usize) -> &'static str {
    match columns {
        78.. => "{bar:24} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        54.. => "{bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        32.. => "{percent}%, {bytes_per_sec}, {eta} left",
        _ => "{percent}%",
    }
}

fn draw(
    bar: ProgressBar,
    told: impl Fn() -> (u64, u64) + Send + 'static,
) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let body = move || {
        let mut wait = PATIENCE;
        let mut drawn = "";
        while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            let (done, total) = told();
            bar.set_length(total);
            bar.set_position(done);
            // Somebody may make the window smaller.
            let wanted = template(columns_as_told(std::io::stderr()).unwrap_or(USUAL));
            if drawn != wanted
                && let Ok(style) = ProgressStyle::with_template(wanted)
            {
                bar.set_style(style.progress_chars("=> "));
                drawn = wanted;
            }
            if wait == PATIENCE {
                bar.set_draw_target(ProgressDrawTarget::stderr());
                wait = TICK;
            }
        }
        bar.finish_and_clear();
    };
    let thread = std::thread::Builder::new().spawn(body).ok()?;
    Some((stop, thread))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.drawing.take() {
            drop(stop);
            // A thread that died drew nothing.
            let _ = thread.join();
        }
    }
}
