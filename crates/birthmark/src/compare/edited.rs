//! What lies there is not what was recorded: what is compared then was edited by hand.

use std::path::Path;

use birthmark_core::Timestamp;
use birthmark_core::compare::{Reason, Weight};

use crate::project::Project;
use crate::show::{Now, Shown, What};
use crate::{talk, verify};

/// How it lies. Of a file that no session lists by its path, a copy perhaps, `verify` knows
/// whether the session that its birthmark names recorded these bytes at all.
pub(super) fn look(project: &Project, shown: &Shown, path: &Path, now: Timestamp) -> Option<Now> {
    let is_told = shown.now.is_some() || shown.session.is_none();
    if is_told || matches!(shown.what, What::Session | What::Unstamped) {
        return shown.now;
    }
    let paths = [path.to_owned()];
    let report = verify::verify(project, &paths, &verify::Options::at(now)).ok()?;
    let mut reasons = report.items.iter().flat_map(|item| &item.reasons);
    reasons
        .any(|reason| reason.code == "not-listed")
        .then_some(Now::NotRecorded)
}

/// The reason why a report cannot be taken for what its session made. What was too large to
/// be looked at by the way is a caveat.
pub(super) fn of_report(letter: &str, path: &Path, now: Option<Now>) -> Option<Reason> {
    of(letter, path, now, Weight::CannotTell)
}

/// Of records the content is compared as it lies: that it was edited is a caveat of what the
/// birthmarks say of it.
pub(super) fn of_records(letter: &str, path: &Path, now: Option<Now>) -> Option<Reason> {
    of(letter, path, now, Weight::Caveat)
}

fn of(letter: &str, path: &Path, now: Option<Now>, weight: Weight) -> Option<Reason> {
    let look = format!(
        "birthmark verify {}",
        talk::shell_word(&path.to_string_lossy())
    );
    let (weight, text) = match now? {
        Now::Edited | Now::Grown => (
            weight,
            format!("{letter} is not what was recorded ({look})"),
        ),
        Now::NotRecorded => (
            weight,
            format!("{letter} is nothing that its session recorded ({look})"),
        ),
        Now::NotChecked => (
            Weight::Caveat,
            format!("whether {letter} is what was recorded was not checked ({look})"),
        ),
        Now::AsRecorded | Now::StampedSince | Now::Gone => return None,
    };
    Some(Reason::new(weight, "not-as-recorded", "content", text))
}
