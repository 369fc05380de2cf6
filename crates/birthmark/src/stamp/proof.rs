//! Is what unstamping gives what the file was before it was stamped?
//!
//! The bytes without birthmarks tell nothing by themselves: a record that was edited since gives
//! another text, of the same looks. So their digest, which was recorded when the file was stamped
//! or written, is held against them.
//!
//! # Limits
//!
//! * Of what was stamped elsewhere, or was renamed and edited, nothing is recorded here.

use std::path::Path;

use birthmark_core::digest::{Algorithm, Digest};

use super::births::Births;
use crate::project::Project;
use crate::verify::{self, Word};
use crate::{digests, generated, session};

/// What `verify` says of bytes that are others.
const OF_THE_BYTES: [&str; 4] = [
    "bytes-changed",
    "content-digest",
    "record-count",
    "size-changed",
];

/// What is known of the bytes without birthmarks.
pub(super) enum Proof {
    /// They were recorded.
    Recorded,
    /// They are others than were recorded: since when, and where.
    Edited(String),
    /// Nothing here tells.
    Unknown,
}

/// What is known of a file whose bytes without birthmarks have this digest.
pub(super) fn of(project: &Project, births: &Births<'_>, file: &Path, content: Digest) -> Proof {
    if births.knows([content, content]) {
        return Proof::Recorded;
    }
    let mut digests = vec![content];
    let mut stamped = generated::was_stamped_as(project, file, &digests);
    if stamped != Some(true)
        && let Ok(lies) = digests::of(file, Algorithm::Blake3)
    {
        // A run that wrote the file with the birthmarks that it had read was seen to do so.
        if births.knows([lies, lies]) {
            return Proof::Recorded;
        }
        // What an unstamping gave back may have an older birthmark within.
        digests.push(lies);
        stamped = generated::was_stamped_as(project, file, &digests);
    }
    if stamped == Some(true) {
        return Proof::Recorded;
    }
    if let Some(why) = against_sessions(project, file) {
        return Proof::Edited(why);
    }
    match stamped {
        Some(_) => Proof::Edited("it is not what it was when it was stamped".to_owned()),
        None => Proof::Unknown,
    }
}

/// What the sessions that recorded the file say of its bytes, where these are others.
fn against_sessions(project: &Project, file: &Path) -> Option<String> {
    let options = verify::Options::at(session::now());
    let report = verify::verify(project, &[file.to_owned()], &options).ok()?;
    let mut reasons = report.items.into_iter().flat_map(|item| item.reasons);
    let reason =
        reasons.find(|reason| reason.word == Word::Failed && OF_THE_BYTES.contains(&reason.code));
    reason.map(|reason| reason.text)
}
