//! Whether long reading is to stop, since the person said so.
//!
//! Digests of hundreds of gigabytes take minutes. Whoever starts such work for a person
//! who may press Ctrl-C runs it [`with`] a flag; every loop here that reads without end
//! asks [`check`] between two pieces. The flag belongs to the thread, and to the threads
//! that this crate makes for it.
//!
//! * What is stopped ends in an error, and so leaves files as any error does.
//! * Without a flag nothing stops.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set to true from another thread, the work ends soon.
pub type Flag = Arc<AtomicBool>;

thread_local! {
    static FLAG: RefCell<Option<Flag>> = const { RefCell::new(None) };
}

/// Does `work` so that it ends soon, with an error, when the flag is set.
pub fn with<T>(flag: Option<Flag>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Flag>);
    impl Drop for Before {
        fn drop(&mut self) {
            FLAG.set(self.0.take());
        }
    }
    let _before = Before(FLAG.replace(flag));
    work()
}

/// The flag of this thread, for another that works for it.
pub fn flag() -> Option<Flag> {
    FLAG.with_borrow(Clone::clone)
}

/// An error if this thread's work is to stop.
pub fn check() -> io::Result<()> {
    let asked = FLAG.with_borrow(|flag| {
        flag.as_ref()
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    });
    if asked {
        return Err(io::Error::other("it was interrupted"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_a_large_file_stops_soon_after_the_flag_is_set() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 40).unwrap();
        let flag = Flag::default();
        let digest = std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                with(Some(flag.clone()), || {
                    crate::digest::digest_file(file.path())
                })
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            flag.store(true, Ordering::Relaxed);
            work.join().unwrap()
        });
        assert!(digest.unwrap_err().to_string().contains("cannot read"));
        assert!(check().is_ok(), "this thread has no flag");
    }

    #[test]
    fn flag_is_that_of_before_when_the_work_is_done() {
        let outer = Flag::default();
        with(Some(outer.clone()), || {
            with(Some(Flag::new(true.into())), || assert!(check().is_err()));
            assert!(check().is_ok());
            outer.store(true, Ordering::Relaxed);
            assert!(check().is_err());
        });
        assert!(flag().is_none());
    }
}
