//! How a file or folder lies that is not read for its birthmarks: so that what was edited is
//! not called sealed.
//!
//! What has another size than was recorded was edited. What was last changed before it was
//! recorded is what was recorded, unless it may be of another session whose clock was another. All
//! else is read, as far as a question may.
//!
//! # Invariants
//!
//! * What was not looked at closely enough is told as that, and nothing is guessed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use birthmark_catalog::engine::{FileFacts, Sealed};
use birthmark_core::digest::Digest;

use super::sessions::TICK_NANOS;
use super::tree::Tree;
use crate::digests;

/// What is larger is not read for a question.
const LARGEST: u64 = 64 << 20;
/// Bytes that are read for one question.
const MOST: u64 = 512 << 20;

/// How much may be read.
pub(super) struct Room {
    largest: u64,
    left: u64,
}

impl Room {
    /// For a question.
    pub(super) const QUESTION: Self = Self {
        largest: LARGEST,
        left: MOST,
    };
    /// Whatever there is.
    pub(super) const ALL: Self = Self {
        largest: u64::MAX,
        left: u64::MAX,
    };
}

/// Whether a file is to be looked at here: its digest is not known from reading it, and there
/// is one to hold it against.
pub(super) fn is_needed(facts: &FileFacts, sealed: Option<&Sealed>) -> bool {
    let is_beside = is_beside(facts);
    is_beside || (facts.digest.is_none() && sealed.is_some())
}

fn is_beside(facts: &FileFacts) -> bool {
    matches!(facts.format, Some("file" | "folder"))
}

/// Looks at it; bytes that were read are returned.
pub(super) fn look(
    path: &Path,
    facts: &mut FileFacts,
    sealed: Option<&Sealed>,
    room: &mut Room,
) -> u64 {
    facts.looked = true;
    let Some((size, changed)) = like(path) else {
        return 0;
    };
    facts.lies_size = Some(size);
    let (digest, then) = match sealed {
        Some(sealed) => (sealed.digest.clone(), sealed.size),
        None => (facts.digest.clone().unwrap_or_default(), facts.size),
    };
    let others = sealed.map_or(&[][..], |sealed| &sealed.others);
    if size != then && !others.iter().any(|(_, other)| *other == size) {
        return 0;
    }
    if others.is_empty()
        && sealed
            .is_some_and(|sealed| changed + TICK_NANOS < i128::from(sealed.time.micros()) * 1_000)
    {
        facts.lies = Some(digest);
        return 0;
    }
    digest_as(path, facts, (&digest, size), room)
}

/// Reads a file of which nobody tells, and that may be what has this digest; bytes that were read
/// are returned.
pub(super) fn read(path: &Path, facts: &mut FileFacts, digest: &str, room: &mut Room) -> u64 {
    let read = digest_as(path, facts, (digest, facts.size), room);
    facts.looked = facts.lies.is_some();
    facts.lies_size = facts.lies.as_ref().map(|_| facts.size);
    read
}

/// Digests what has this size as this digest was made, if there is room for it.
fn digest_as(
    path: &Path,
    facts: &mut FileFacts,
    (digest, size): (&str, u64),
    room: &mut Room,
) -> u64 {
    let (Ok(digest), Ok(real)) = (digest.parse::<Digest>(), path.canonicalize()) else {
        return 0;
    };
    if size > room.largest || size > room.left {
        return 0;
    }
    room.left -= size;
    let found = digests::digester().whole_as(&real, digest.algorithm);
    facts.lies = found.ok().map(|found| found.to_string());
    size
}

/// Of what was read and is not what was recorded: whether it is that without its birthmarks.
pub(super) fn look_for_birthmark(path: &Path, facts: &mut FileFacts, sealed: &Sealed) {
    let digest = facts.lies.as_ref().or(facts.digest.as_ref());
    let is_other = !facts.groups.is_empty()
        && !is_beside(facts)
        && digest.is_none_or(|digest| *digest != sealed.digest);
    let found = if is_other && facts.size <= LARGEST {
        digests::digester().content(path)
    } else {
        None
    };
    let content = found.map(|found| found.digest.to_string());
    facts.content_digest = content.filter(|content| *content == sealed.digest);
}

/// Its size, and when it was last changed.
fn like(path: &Path) -> Option<(u64, i128)> {
    let found = path.metadata().ok()?;
    if found.is_dir() {
        return Tree::look(path).map(|tree| (tree.size, tree.changed));
    }
    let changed = i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec());
    Some((found.len(), changed))
}
