//! How far a verification has come, for whoever watches it from another thread.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are to be read, and those that were. A file that is read twice counts once.
#[derive(Debug, Default)]
pub struct Meter {
    total: AtomicU64,
    before: AtomicU64,
    /// The size of the file at hand, and what was read of it.
    size: AtomicU64,
    now: Arc<AtomicU64>,
}

impl Meter {
    /// Bytes that were read, and bytes in all; the second is 0 until it is known.
    pub fn told(&self) -> (u64, u64) {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let now = get(&self.now).min(get(&self.size));
        (get(&self.before) + now, get(&self.total))
    }

    /// What will be read, before the first file is.
    pub(super) fn expect<'a>(&self, paths: impl Iterator<Item = &'a Path>) {
        let total = paths.map(size_of).sum();
        self.expect_more(total);
    }

    /// Something beside the files will be read.
    pub(super) fn expect_more(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So much of that was read.
    pub(super) fn done(&self, bytes: u64) {
        self.before.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, path: &Path) {
        self.size.store(size_of(path), Ordering::Relaxed);
        self.now.store(0, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        let size = self.size.swap(0, Ordering::Relaxed);
        self.before.fetch_add(size, Ordering::Relaxed);
    }

    /// Reads something beside the files that were expected.
    pub(super) fn beside<T>(&self, bytes: u64, read: impl FnOnce() -> T) -> T {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        let result = read();
        self.before.fetch_add(bytes, Ordering::Relaxed);
        result
    }

    pub(super) fn add(&self, bytes: usize) {
        self.now.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What is raised by the bytes that are read.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.now)
    }
}

fn size_of(path: &Path) -> u64 {
    crate::lineage::size_of(path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make their own files")]

    use super::*;

    #[test]
    fn a_file_that_is_read_twice_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "0123456789").unwrap();
        let meter = Meter::default();
        meter.expect([path.as_path(), path.as_path()].into_iter());
        assert_eq!(meter.told(), (0, 20));
        meter.begin(&path);
        meter.add(4);
        assert_eq!(meter.told(), (4, 20));
        meter.add(14);
        assert_eq!(meter.told(), (10, 20));
        meter.end();
        assert_eq!(meter.told(), (10, 20));
        meter.beside(5, || assert_eq!(meter.told(), (10, 25)));
        assert_eq!(meter.told(), (15, 25));
    }
}
