//! Long work that lets Ctrl-C through.
//!
//! Python notes a signal when it comes, and acts on it only when its main thread asks. So the
//! work is done by a thread of its own while the calling thread asks, and other threads run.
//! When a signal's handler raises, the work is told to stop, and the exception is raised once
//! it has: nothing goes on behind the caller's back.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use birthmark_store::stop;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often signals are asked for.
const PATIENCE: Duration = Duration::from_millis(30);

/// The value of `work`, or the exception of a signal that came meanwhile.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let flag = stop::Flag::default();
    let work = Mutex::new(Some(work));
    let body = |_done_when_dropped: Option<Sender<()>>| {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.map(|work| stop::with(Some(flag.clone()), work))
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
        while py.detach(&mut wait) == Err(RecvTimeoutError::Timeout) {
            if let Err(exception) = py.check_signals() {
                flag.store(true, Ordering::Relaxed);
                raised.get_or_insert(exception);
            }
        }
        match (raised, py.detach(|| worker.join())) {
            (Some(exception), _) => Err(exception),
            (None, Ok(value)) => Ok(value),
            (None, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
    .and_then(|value| value.ok_or_else(|| PyRuntimeError::new_err("the work was done before")))
}
