//! What a pass over a JSONL file found.

use birthmark_store::line_sums::LineSums;

use super::super::mark::Named;
use super::super::report::Reason;
use super::MOST_PLACES;

/// A digest to be taken after so many bytes.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Mark {
    pub size: u64,
    /// Filled in: the digest of the bytes so far; none where the file is shorter.
    pub digest: Option<String>,
    /// Filled in: the records that end within these bytes.
    pub records: u64,
    pub lines: u64,
}

/// Some places, and how many there are in all.
#[derive(Debug, Default)]
pub(in crate::verify) struct Places {
    pub first: Vec<(u64, String)>,
    pub count: u64,
}

impl Places {
    pub(super) fn add(&mut self, line: u64, why: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < MOST_PLACES {
            self.first.push((line, why()));
        }
    }
}

/// What a pass found.
#[derive(Debug, Default)]
pub(in crate::verify) struct Scanned {
    pub size: u64,
    pub records: u64,
    pub stamped: u64,
    pub foreign: u64,
    pub digest: String,
    pub content_digest: String,
    pub line_sums: LineSums,
    pub marks: Vec<Mark>,
    pub reasons: Vec<Reason>,
    pub named: Named,
    pub bad: Places,
    pub unstamped: Places,
    pub unordered: Places,
    pub odd: Places,
    /// A last line without its end that is no record: where it begins, and its number.
    pub torn: Option<(u64, u64)>,
    /// Whether a line was too long to be looked into.
    pub too_long: bool,
}
