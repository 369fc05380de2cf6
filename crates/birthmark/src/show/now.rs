//! Does a file still lie as it was recorded?
//!
//! Small files are digested, which the cache of digests makes cheap the second time; of large
//! ones the size alone is looked at. What was not looked at is said so: `verify` looks.
//!
//! A file of records that grew is held against its recorded beginning alone.

use std::path::Path;

use birthmark_core::digest::Algorithm;

use super::{Shown, What};
use crate::add;
use crate::digests;
use crate::verify::pointer;

/// What is larger is not read by the way.
const READ_LIMIT: u64 = 64 << 20;

/// How a file lies, held against what was recorded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// Its bytes are those that were recorded.
    AsRecorded,
    /// It begins with what was recorded, and has more since.
    Grown,
    /// Its bytes are others.
    Edited,
    /// Without the birthmark that was put into it since, they are those that were recorded.
    StampedSince,
    /// It is not there.
    Gone,
    /// It was not looked at closely enough to tell.
    NotChecked,
    /// Its session is here, and recorded these bytes nowhere.
    NotRecorded,
}

impl Now {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::AsRecorded => "as recorded",
            Self::Grown => "grown",
            Self::Edited => "edited",
            Self::StampedSince => "stamped since",
            Self::Gone => "gone",
            Self::NotChecked => "not checked",
            Self::NotRecorded => "not recorded",
        }
    }
}

/// The digest of a file or folder as it lies; none where it is too large to be read by the way.
pub(super) fn digest_of(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    if digests::size_of(&real) > READ_LIMIT {
        return None;
    }
    let found = digests::digester().whole_as(&real, Algorithm::Blake3);
    found.ok().map(|digest| digest.to_string())
}

/// What a digest was recorded of.
struct Then<'a> {
    digest: &'a str,
    size: u64,
    may_grow: bool,
    /// Whether no writer of ours made it: it may have been stamped since.
    was_bare: bool,
}

/// Looks at the file or folder that is shown; nothing where no digest of its bytes is known.
pub(super) fn look(shown: &Shown, path: &Path) -> Option<Now> {
    let then = then(shown)?;
    let real = path.canonicalize().ok();
    let Some(real) = real.filter(|real| real.exists()) else {
        return Some(Now::Gone);
    };
    let is_folder = real.is_dir();
    if !is_folder && pointer::read(&real).is_some() && digests::size_of(&real) != then.size {
        return Some(Now::NotChecked);
    }
    let size = digests::size_of(&real);
    let edited = || {
        let is_stamped = then.was_bare
            && size <= READ_LIMIT
            && add::is_stamped_since(&real, then.digest, &digests::digester());
        if is_stamped {
            Now::StampedSince
        } else {
            Now::Edited
        }
    };
    let grown = !is_folder && size > then.size && then.may_grow;
    if !is_folder && size != then.size && !grown {
        return Some(edited());
    }
    if then.size.max(if is_folder { size } else { 0 }) > READ_LIMIT {
        return Some(Now::NotChecked);
    }
    let digest = if grown {
        digests::beginning(&real, then.size)
    } else {
        digest_of(&real)
    };
    Some(match digest {
        None => Now::NotChecked,
        Some(digest) if digest != then.digest => edited(),
        Some(_) if grown => Now::Grown,
        Some(_) => Now::AsRecorded,
    })
}

fn then(shown: &Shown) -> Option<Then<'_>> {
    if matches!(shown.what, What::Session | What::Unstamped) {
        return None;
    }
    if let Some(recorded) = &shown.recorded {
        return Some(Then {
            digest: recorded.digest.as_deref()?,
            size: recorded.size,
            may_grow: recorded.records.is_some(),
            was_bare: recorded.observed,
        });
    }
    // Without its session, a sidecar says of which bytes it is.
    let own = shown.birthmark.get("digest")?.as_str()?;
    (shown.place == Some("sidecar")).then_some(Then {
        digest: own,
        size: shown.size?,
        may_grow: false,
        was_bare: false,
    })
}
