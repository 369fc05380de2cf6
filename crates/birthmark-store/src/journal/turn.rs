//! Whose turn it is to fold a session: one process at a time, where the file system has locks.
//! Writing records and events waits for nobody, and asks for no turn.

use std::fs::File;

use birthmark_core::SessionId;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::layout::Layout;

/// The turn to fold a session, until it is dropped.
#[derive(Debug)]
pub enum Turn {
    /// It is this process's.
    Own(Held),
    /// Another process has it.
    Taken,
    /// There are no locks here.
    Nobody,
}

/// The folder of the journals, locked.
#[derive(Debug)]
pub struct Held(File);

impl Turn {
    /// Takes it, where nobody has it. Does not wait.
    pub fn take(layout: &Layout, id: &SessionId) -> Self {
        let Ok(folder) = File::open(layout.session(id)) else {
            return Self::Nobody;
        };
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Self::Own(Held(folder)),
            Err(Errno::WOULDBLOCK) => Self::Taken,
            Err(_) => Self::Nobody,
        }
    }
}

impl Drop for Held {
    /// Said to the system, since a child that was forked meanwhile holds the folder, too.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_turn() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        let id = SessionId::from_text("20261122_120000_k3f9");
        assert!(matches!(Turn::take(&layout, &id), Turn::Nobody));
        crate::atomic::create_folder(&layout.session(&id)).unwrap();
        let own = Turn::take(&layout, &id);
        assert!(matches!(own, Turn::Own(_)));
        assert!(matches!(Turn::take(&layout, &id), Turn::Taken));
        drop(own);
        assert!(matches!(Turn::take(&layout, &id), Turn::Own(_)));
    }
}
