//! Looking through many sessions for the few that speak of something.

use std::path::Path;

use aho_corasick::AhoCorasick;
use birthmark_core::SessionId;
use birthmark_core::session::{self, Session};
use birthmark_store::atomic::{self, PathError};
use birthmark_store::journal;
use birthmark_store::layout::Layout;

/// A larger file is read, and not searched.
const SEARCH_LIMIT: u64 = 256 << 20;

/// Texts that are looked for, all at once where they are many.
pub(crate) struct Wanted {
    few: Vec<String>,
    many: Option<AhoCorasick>,
}

impl Wanted {
    /// Looks for these texts as JSON spells them, with their quotes.
    pub(crate) fn quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts = texts.into_iter();
        let quoted = texts.map(|text| serde_json::to_string(text.as_ref()));
        Self::spelled(quoted.filter_map(Result::ok).collect())
    }

    /// Looks for these very texts.
    pub(crate) fn spelled(few: Vec<String>) -> Self {
        // Each of a few is found quicker by itself.
        const FEW: usize = 8;
        let many = (few.len() > FEW).then(|| AhoCorasick::new(&few).ok());
        Self {
            many: many.flatten(),
            few,
        }
    }

    fn stands_in(&self, bytes: &[u8]) -> bool {
        let mut few = self.few.iter();
        match &self.many {
            Some(many) => many.is_match(bytes),
            None => few.any(|text| memchr::memmem::find(bytes, text.as_bytes()).is_some()),
        }
    }
}

/// Whether one of the texts stands in the journals of a session, or in its manifest where there
/// are none. What cannot be searched may hold it.
pub(crate) fn speaks_of(layout: &Layout, id: &SessionId, wanted: &Wanted) -> bool {
    let journals = journal::paths(layout, id).unwrap_or_default();
    if journals.is_empty() {
        return holds(&layout.manifest(id), wanted);
    }
    journals.iter().any(|path| holds(path, wanted))
}

fn holds(path: &Path, wanted: &Wanted) -> bool {
    match atomic::read_limited(path, SEARCH_LIMIT) {
        Ok(bytes) => wanted.stands_in(&bytes),
        Err(error) => !error.is_not_found(),
    }
}

/// A session as those of its journals tell it in which one of the texts stands, and that of
/// `own`: all that it says of them. The others are searched, and neither parsed nor proved.
pub(crate) fn told_of(
    layout: &Layout,
    id: &SessionId,
    own: &Path,
    wanted: &Wanted,
) -> Result<Session, PathError> {
    let mut journals = Vec::new();
    for path in journal::paths(layout, id)? {
        if path == own || holds(&path, wanted) {
            journals.extend(journal::read(&path).ok().map(|read| read.journal));
        }
    }
    Ok(session::fold(&journals))
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
