//! How far long reading is, for whoever shows it to a person.
//!
//! A call that digests hundreds of gigabytes says nothing for minutes. Whoever makes such
//! calls for a person does the work [`with`] a [`Reading`] and looks at it from another
//! thread; whoever reads says before how much it will be, and raises what is done. It belongs
//! to the thread, as the flag of [`stop`](crate::stop) does.
//!
//! * Without one nothing is counted, and nobody asks how large anything is.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are to be read, and those that were.
#[derive(Debug, Default)]
pub struct Reading {
    total: AtomicU64,
    done: Arc<AtomicU64>,
}

impl Reading {
    /// So many bytes more are to be read.
    pub fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is to be raised by the bytes that were read.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.done)
    }

    /// Bytes that were read, and bytes in all, which are never fewer.
    pub fn told(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.total.load(Ordering::Relaxed).max(done))
    }
}

thread_local! {
    static READING: RefCell<Option<Arc<Reading>>> = const { RefCell::new(None) };
}

/// Does `work` so that what it reads is counted.
pub fn with<T>(reading: Option<Arc<Reading>>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<Reading>>);
    impl Drop for Before {
        fn drop(&mut self) {
            READING.set(self.0.take());
        }
    }
    let _before = Before(READING.replace(reading));
    work()
}

/// Says that this thread will read so many bytes: what is to be raised by them, if anything
/// counts its reading.
pub fn expect(bytes: u64) -> Option<Arc<AtomicU64>> {
    let reading = current()?;
    reading.expect(bytes);
    Some(reading.counter())
}

/// What counts the reading of this thread, if anything does.
pub fn current() -> Option<Arc<Reading>> {
    READING.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_counted_while_it_is_asked_for_and_no_longer() {
        let reading = Arc::new(Reading::default());
        with(Some(Arc::clone(&reading)), || {
            let counts = current().unwrap();
            counts.expect(10);
            counts.counter().fetch_add(4, Ordering::Relaxed);
            with(None, || assert!(current().is_none()));
            assert!(current().is_some());
        });
        assert!(current().is_none());
        assert_eq!(reading.told(), (4, 10));
        reading.counter().fetch_add(8, Ordering::Relaxed);
        assert_eq!(reading.told(), (12, 12), "more came than was expected");
    }
}
