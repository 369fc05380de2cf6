//! Whether a session runs, and how it ended: derived from its events and from who is alive.

use super::Session;
use crate::event::{OpenedBy, Outcome, ProcessIdentity};
use crate::timestamp::Timestamp;

/// How long a session opened from the shell stays open without an end: 24 h.
const OPEN_FOR_SECONDS: f64 = 86_400.0;

/// The status of a session: derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A run of it is alive.
    Running,
    /// Opened from the shell, not ended, no writer now.
    Open,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Its runs died, or were stopped.
    Interrupted,
    /// On another machine: whether it lives cannot be seen from here.
    LastHeard,
}

impl Status {
    /// The word for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::LastHeard => "last heard",
        }
    }
}

impl Session {
    /// The status that follows from the events and from which runs are alive:
    /// `alive` answers for a process, `None` where it cannot tell.
    pub fn status(
        &self,
        now: Timestamp,
        alive: impl Fn(&ProcessIdentity) -> Option<bool>,
    ) -> Status {
        let open_runs: Vec<Option<bool>> = self
            .runs
            .iter()
            .filter(|run| run.end.is_none())
            .map(|run| alive(&run.process))
            .collect();
        // Also when the one who opened it has ended it: other ranks may still run.
        if open_runs.contains(&Some(true)) {
            return Status::Running;
        }
        if let Some((_, outcome)) = self.end {
            return match outcome {
                Outcome::Completed => Status::Completed,
                Outcome::Failed => Status::Failed,
                Outcome::Interrupted => Status::Interrupted,
            };
        }
        if open_runs.contains(&None) {
            return Status::LastHeard;
        }
        let same_boot = self.opener.as_ref().map(&alive);
        let young = self
            .start
            .is_some_and(|start| now.seconds_since(start) < OPEN_FOR_SECONDS);
        if self.opened_by == Some(OpenedBy::Shell) && young && same_boot != Some(None) {
            return Status::Open;
        }
        Status::Interrupted
    }
}
