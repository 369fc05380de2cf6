//! Long work that lets Ctrl-C through, and shows how far it is.
//!
//! Python notes a signal when it comes, and acts on it only when its main thread asks. So the
//! work is done by a thread of its own while the calling thread asks, and other threads run.
//! When a signal's handler raises, the work is told to stop, and the exception is raised once
//! it has: nothing goes on behind the caller's back.
//!
//! What the work reads is counted. When it takes over a second, Python is given a line to
//! draw, which it does on a terminal alone.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use birthmark::text;
use birthmark_store::reading::{self, Reading};
use birthmark_store::stop;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often signals are asked for.
const PATIENCE: Duration = Duration::from_millis(30);
/// What is quicker than this draws nothing.
const QUICK: Duration = Duration::from_secs(1);
/// How often the line is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// The value of `work`, or the exception of a signal that came meanwhile.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let flag = stop::Flag::default();
    let reading = Arc::new(Reading::default());
    let work = Mutex::new(Some(work));
    let body = |_done_when_dropped: Option<Sender<()>>| {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let counted = |work| reading::with(Some(Arc::clone(&reading)), work);
        work.map(|work| stop::with(Some(flag.clone()), || counted(work)))
    };
    std::thread::scope(|scope| {
        let (done, waiting) = channel::<()>();
        let thread = std::thread::Builder::new();
        let Ok(worker) = thread.spawn_scoped(scope, || body(Some(done))) else {
            // A limit of the machine: then without Ctrl-C.
            return Ok(py.detach(|| body(None)));
        };
        let mut wait = move || waiting.recv_timeout(PATIENCE);
        let mut raised = None;
        let mut line = Line::new(&reading);
        while py.detach(&mut wait) == Err(RecvTimeoutError::Timeout) {
            if let Err(exception) = py.check_signals() {
                flag.store(true, Ordering::Relaxed);
                raised.get_or_insert(exception);
            }
            line.draw(py);
        }
        line.clear(py);
        match (raised, py.detach(|| worker.join())) {
            (Some(exception), _) => Err(exception),
            (None, Ok(value)) => Ok(value),
            (None, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
    .and_then(|value| value.ok_or_else(|| PyRuntimeError::new_err("the work was done before")))
}

/// A line that says how far the work is.
struct Line<'a> {
    reading: &'a Reading,
    begun: Instant,
    drawn: Option<Instant>,
}

impl<'a> Line<'a> {
    fn new(reading: &'a Reading) -> Self {
        Self {
            reading,
            begun: Instant::now(),
            drawn: None,
        }
    }

    fn draw(&mut self, py: Python<'_>) {
        let soon = self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW);
        let (done, total) = self.reading.told();
        if soon || self.begun.elapsed() < QUICK || done == 0 {
            return;
        }
        self.drawn = Some(Instant::now());
        let elapsed = self.begun.elapsed().as_millis();
        let millis = u64::try_from(elapsed).map_or(u64::MAX, |millis| millis.max(1));
        let rate = done.saturating_mul(1_000) / millis;
        let bytes = text::bytes;
        let far = format!("{} of {}, {}/s", bytes(done), bytes(total), bytes(rate));
        put(py, &far, (total - done) / rate.max(1));
    }

    fn clear(&self, py: Python<'_>) {
        if self.drawn.is_some() {
            put(py, "", 0);
        }
    }
}

/// Python draws it over the line before; an empty one takes that away. What cannot be drawn is
/// not: talk must never harm the run.
fn put(py: Python<'_>, far: &str, seconds_left: u64) {
    let draw = |py: Python<'_>| {
        py.import("birthmark._talk")?
            .call_method1("draw_reading", (far, seconds_left))
            .map(|_| ())
    };
    drop(draw(py));
}
