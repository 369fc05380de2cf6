//! The items of a report that was never put together.
//!
//! They wait for the script to be run again. Nobody sealed them, so nothing proves their bytes; that
//! they lie there is what a session told of, or what it had begun when it was killed.

use std::path::Path;

use super::mark::{Judge, Named};
use super::report::Reason;

/// What is said of the part of a report; nothing of a file that is none.
pub(super) fn waits(judge: &Judge<'_>, path: &Path, named: &Named) -> Option<Reason> {
    let stored = judge.eyes.inputs.project.stored_path(path);
    let is_part = |id: &&_| {
        let loaded = judge.claims.session(id).ok();
        loaded.is_some_and(|loaded| loaded.session.has_part(&stored))
    };
    named.sessions.iter().find(is_part)?;
    let text = "the items of a report that was not put together, which nothing seals: run the script \
                again, and it goes on with them";
    Some(Reason::caveat("unfinished-report", text))
}
