//! Looking through many sessions for the few that speak of something.

use std::path::Path;

use birthmark_core::SessionId;
use birthmark_store::layout::Layout;
use birthmark_store::{atomic, journal};

/// A larger file is read, and not searched.
const SEARCH_LIMIT: u64 = 256 << 20;

/// Whether one of the texts stands in the journals of a session, or in its manifest where there
/// are none. What cannot be searched may hold it.
pub(crate) fn speaks_of<T: AsRef<str>>(layout: &Layout, id: &SessionId, texts: &[T]) -> bool {
    let journals = journal::paths(layout, id).unwrap_or_default();
    let holds = |path: &Path| match atomic::read_limited(path, SEARCH_LIMIT) {
        Ok(bytes) => texts
            .iter()
            .any(|text| memchr::memmem::find(&bytes, text.as_ref().as_bytes()).is_some()),
        Err(error) => !error.is_not_found(),
    };
    if journals.is_empty() {
        return holds(&layout.manifest(id));
    }
    journals.iter().any(|path| holds(path))
}

/// Looks at each of these sessions. Each has its own files: several threads look.
pub(crate) fn in_parts<T: Send>(
    ids: Vec<SessionId>,
    look: impl Fn(SessionId) -> T + Sync,
) -> Vec<T> {
    // Fewer are not divided among threads.
    const FEW: usize = 64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if ids.len() < FEW || threads < 2 {
        return ids.into_iter().map(look).collect();
    }
    let share = ids.len().div_ceil(threads.min(8));
    let look = &look;
    std::thread::scope(|scope| {
        let parts: Vec<_> = ids
            .chunks(share)
            .map(|part| {
                let part = part.to_vec();
                scope.spawn(move || part.into_iter().map(look).collect::<Vec<_>>())
            })
            .collect();
        let joined = parts.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .flat_map(std::result::Result::unwrap_or_default)
            .collect()
    })
}
