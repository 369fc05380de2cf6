//! The journals of one session, read again and again while they grow: each line is read and
//! proved once, so that a fold costs what came since the last one.
//!
//! # Invariants
//!
//! * It tells what [`read_session`](super::read_session) would of journals that are only appended
//!   to. One that got shorter, or is damaged, is read anew.
//! * Of a session with very long journals nothing is kept between two folds.
//!
//! # Limits
//!
//! * A line that somebody edits in a journal that was read already is not seen: that is for who
//!   verifies.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use birthmark_core::SessionId;
use birthmark_core::event::Event;
use birthmark_core::session::{self, Session};

use super::{JOURNAL_LIMIT, JournalContents, paths};
use crate::atomic::{self, PathError};
use crate::layout::Layout;

/// Journals of more bytes than this together are not kept in memory.
const MOST_KEPT: u64 = 16 << 20;

/// The journals of a session as far as they were read.
#[derive(Debug, Default)]
pub struct Followed {
    journals: BTreeMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    contents: JournalContents,
    /// Where its whole lines end.
    whole: u64,
}

impl Followed {
    /// Reads on, and folds. Damaged lines and what follows them are left out, and so are
    /// journals that cannot be read.
    pub fn fold(&mut self, layout: &Layout, id: &SessionId) -> Result<Session, PathError> {
        self.read_on(layout, id)?;
        let journals = self.journals.values().map(|known| &known.contents.journal);
        let folded = session::fold(journals);
        if self.journals.values().map(|known| known.whole).sum::<u64>() > MOST_KEPT {
            self.journals.clear();
        }
        Ok(folded)
    }

    /// The first event of each journal, as of the last fold.
    pub fn first_events(&self) -> impl Iterator<Item = &Event> {
        let journals = self.journals.values().map(|known| &known.contents.journal);
        journals.filter_map(|journal| Some(&journal.lines.first()?.event))
    }

    fn read_on(&mut self, layout: &Layout, id: &SessionId) -> Result<(), PathError> {
        let mut before = std::mem::take(&mut self.journals);
        for path in paths(layout, id)? {
            let known = before.remove(&path).unwrap_or_else(|| Known::of(&path));
            if let Ok(known) = known.read_on(&path) {
                self.journals.insert(path, known);
            }
        }
        Ok(())
    }
}

impl Known {
    fn of(path: &Path) -> Self {
        Self {
            contents: JournalContents::of(path),
            whole: 0,
        }
    }

    fn read_on(mut self, path: &Path) -> io::Result<Self> {
        let size = path.metadata()?.len();
        if size == self.whole && self.contents.damage.is_none() {
            return Ok(self);
        }
        if size < self.whole || self.contents.damage.is_some() {
            self = Self::of(path);
        }
        let mut file = atomic::open_regular(path)?;
        file.seek(SeekFrom::Start(self.whole))?;
        let mut bytes = Vec::new();
        file.take(JOURNAL_LIMIT).read_to_end(&mut bytes)?;
        self.contents.torn_bytes = 0;
        self.whole += self.contents.read_on(&bytes, self.whole) as u64;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use birthmark_core::event::{Outcome, SessionEnded};
    use birthmark_core::{Timestamp, WriterId};

    use super::super::JournalWriter;
    use super::*;
    use crate::atomic::Durability;

    fn layout(folder: &Path) -> (Layout, SessionId) {
        let layout = Layout::new(folder.to_owned(), folder.join("artifacts"));
        (layout, SessionId::from_text("20261122_120000_k3f9"))
    }

    fn append(writer: &mut JournalWriter, second: i64) {
        let outcome = Outcome::Completed;
        let time = Timestamp::from_micros(second);
        writer
            .append(time, &SessionEnded { outcome }.into())
            .unwrap();
    }

    #[test]
    fn what_is_followed_is_what_would_be_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, id) = layout(dir.path());
        let path = |name: &str| layout.journal(&id, &WriterId::from_text(name));
        let mut followed = Followed::default();
        let mut check = |what: &str| {
            let anew = Followed::default().fold(&layout, &id).unwrap();
            let read = followed.fold(&layout, &id).unwrap();
            assert_eq!(format!("{read:?}"), format!("{anew:?}"), "{what}");
            read.heads.values().map(|head| head.seq + 1).sum::<u64>()
        };
        let mut a = JournalWriter::create(&path("a"), Durability::Process).unwrap();
        append(&mut a, 0);
        assert_eq!(check("one line"), 1);
        let mut b = JournalWriter::create(&path("b"), Durability::Process).unwrap();
        append(&mut b, 1);
        append(&mut a, 2);
        assert_eq!(check("another writer, and a line more"), 3);
        assert_eq!(check("nothing new"), 3);
        let whole = std::fs::read(path("b")).unwrap();
        atomic::replace(&path("b"), &whole[..whole.len() - 5], Durability::Process).unwrap();
        assert_eq!(check("a journal that was cut"), 2);
        atomic::replace(&path("b"), &whole, Durability::Process).unwrap();
        assert_eq!(check("its torn line became whole"), 3);
        let damaged = [&whole[..], b"{}\n"].concat();
        atomic::replace(&path("b"), &damaged, Durability::Process).unwrap();
        assert_eq!(check("a line that is none"), 3);
        atomic::remove(&path("a")).unwrap();
        assert_eq!(check("a journal that is gone"), 1);
    }
}
