//! How members change from record to record.

/// A member that changes twice within so many records is not compared, but scanned at once.
const RECENT: u64 = 64;

/// How a member changes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Habit {
    /// The record with which it last did.
    last: u64,
    /// Whether it had done so a little before.
    often: bool,
}

impl Habit {
    pub(super) fn change(&mut self, record: u64) {
        self.often = self.is_recent(record) && self.last > 0;
        self.last = record;
    }

    fn is_recent(self, record: u64) -> bool {
        record - self.last <= RECENT
    }

    /// Whether it changes so often, up to this record, that it is not worth a comparison.
    pub(super) fn is_restless(self, record: u64) -> bool {
        self.often && self.is_recent(record)
    }
}
