//! Processes of a command that go on after it has ended.
//!
//! What they open then is seen by nobody. They become children of ours when their parents end
//! (Linux), so that they can be found.

use std::path::Path;

use birthmark_store::atomic;

/// Has processes whose parents end become children of this one.
pub(super) fn adopt() {
    #[cfg(target_os = "linux")]
    {
        // Refused, they are not found.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// The processes that still run as children of this one.
pub(super) fn left() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let mut left: Vec<u32> = tasks
        .flatten()
        .filter_map(|task| atomic::read_kernel(&task.path().join("children")).ok())
        .flat_map(|text| {
            let text = String::from_utf8_lossy(&text).into_owned();
            let ids: Vec<u32> = text
                .split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect();
            ids
        })
        .filter(|id| is_running(*id))
        .collect();
    left.sort_unstable();
    left
}

/// Whether a process has not ended: one that nobody has waited for yet is none any more.
fn is_running(id: u32) -> bool {
    let stat = atomic::read_kernel(Path::new(&format!("/proc/{id}/stat")));
    let text = stat.map(|stat| String::from_utf8_lossy(&stat).into_owned());
    // The name before the state may hold anything, also parentheses.
    let state = text.ok().and_then(|text| {
        let (_, rest) = text.rsplit_once(") ")?;
        rest.chars().next()
    });
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
