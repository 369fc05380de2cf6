//! What lay there before a session began.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use birthmark_store::journal;

use super::Session;

/// Clocks of files tick more coarsely than ours.
const TICK_MICROS: i64 = 50_000;

impl Session {
    /// Whether a file or folder was last touched before this run, and its session, began: the run
    /// cannot have written it. Where that cannot be told it is said to have.
    pub(crate) fn was_there_before(&self, path: &Path) -> bool {
        let Ok(found) = path.symlink_metadata() else {
            return false;
        };
        if !found.is_file() {
            return false;
        }
        let touched = found.ctime().saturating_mul(1_000_000) + found.ctime_nsec() / 1_000;
        if touched + TICK_MICROS >= self.began().micros() {
            return false;
        }
        // The command around a script, and what it did before it, is in the same session.
        if !self.is_joined() {
            return true;
        }
        let known = self.inner.opening.clone();
        let opening = known.or_else(|| journal::opening(&self.project().layout, self.id()));
        opening
            .is_some_and(|opening| touched + TICK_MICROS < opening.started.session_start.micros())
    }
}
