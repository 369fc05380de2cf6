//! What a command used: time, memory, and memory of GPUs.
//!
//! Time and the largest process come from the kernel at the end. What all processes of the
//! command had in memory together is looked at while it runs, first after 20 ms, then
//! more and more seldom, down to once a second: a peak between two looks is not seen.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use birthmark_capture::gpu::GpuMemory;
use birthmark_capture::process::tree;
use birthmark_core::Fields;
use serde_json::{Value, json};

use crate::session::lock;

const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// A thread that looks at a command while it runs.
pub(super) struct Usage {
    before: Option<tree::ChildrenUsage>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    over: Condvar,
}

#[derive(Default)]
struct Seen {
    over: bool,
    memory: Option<u64>,
    gpu_memory: Option<u64>,
}

impl Usage {
    /// Begins to look at the process and its descendants.
    pub(super) fn watch(pid: u32) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("birthmark-usage".to_owned())
            .spawn(move || look(&theirs, pid));
        Self {
            before: tree::of_children(),
            shared,
            thread: thread.ok(),
        }
    }

    /// What was used, once the command has ended.
    pub(super) fn finish(mut self) -> Fields {
        lock(&self.shared.seen).over = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            // A look that failed has seen less; nothing else follows.
            let _ = thread.join();
        }
        let seen = lock(&self.shared.seen);
        let mut fields = Fields::new();
        let mut put = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        if let (Some(after), Some(before)) = (tree::of_children(), self.before) {
            put("cpu_user_s", json!(rounded(after.user_s - before.user_s)));
            put(
                "cpu_system_s",
                json!(rounded(after.system_s - before.system_s)),
            );
            put("largest_process_bytes", json!(after.largest));
        }
        if let Some(memory) = seen.memory {
            put("memory_bytes", json!(memory));
        }
        if let Some(memory) = seen.gpu_memory {
            put("gpu_memory_bytes", json!(memory));
        }
        fields
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn look(shared: &Shared, pid: u32) {
    let gpus = GpuMemory::open();
    let mut pause = FIRST_LOOK;
    loop {
        let seen = lock(&shared.seen);
        let waited = shared
            .over
            .wait_timeout_while(seen, pause, |seen| !seen.over);
        let over = waited.map_or(true, |(seen, _)| seen.over);
        if over {
            return;
        }
        let pids = tree::tree(pid);
        let memory = tree::resident(&pids);
        let gpu_memory = gpus.as_ref().and_then(|gpus| gpus.used_by(&pids));
        let mut seen = lock(&shared.seen);
        seen.memory = seen.memory.max(memory);
        seen.gpu_memory = seen.gpu_memory.max(gpu_memory);
        drop(seen);
        pause = (pause * 2).min(LAST_LOOK);
    }
}
