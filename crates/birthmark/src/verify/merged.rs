//! Did two sessions add to a JSONL file apart, in two clones, and did git put both ends together?
//!
//! The file then begins with all that one session left, and what the other left is its beginning
//! and its end without what lies between: both have the digests that were recorded. That proves
//! every byte.
//!
//! # Limits
//!
//! * Two ends that were put behind one another. Lines of both that were mixed prove nothing.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use birthmark_store::atomic;
use birthmark_store::digest::digest_stream;

use super::claims::{Count, History, Last};
use super::records::Scanned;
use super::report::Reason;

/// The caveat of such a file; none where it is no such.
pub(super) fn look(path: &Path, history: &History, found: &Scanned) -> Option<Reason> {
    if history.last != Last::Sealed {
        return None;
    }
    let holds = |count: &&Count| {
        let mut marks = found.marks.iter();
        let mark = marks.find(|mark| Some(mark.size) == count.size);
        count.digest.is_some()
            && mark.and_then(|mark| mark.digest.as_ref()) == count.digest.as_ref()
    };
    let (good, broken): (Vec<&Count>, Vec<&Count>) =
        history.counts.iter().chain(&history.apart).partition(holds);
    let first = good.into_iter().filter_map(|count| count.size).max()?;
    let other = broken.into_iter().max_by_key(|count| count.size)?;
    // What both have in common lies once in the file.
    let both = (first + other.size?).checked_sub(found.size)?;
    if both > first || first >= found.size {
        return None;
    }
    let digest = without(path, both, first).ok()?;
    (Some(&digest) == other.digest.as_ref()).then(|| {
        let text = "two sessions added to it apart, and their ends were put together: every record \
                    is as one of them recorded it";
        Reason::caveat("merged", text)
    })
}

/// The digest of a file without what lies from `from` up to `to`.
fn without(path: &Path, from: u64, to: u64) -> io::Result<String> {
    let head = atomic::open_regular(path)?.take(from);
    let mut tail = atomic::open_regular(path)?;
    tail.seek(SeekFrom::Start(to))?;
    Ok(digest_stream(&mut head.chain(tail))?.0.to_string())
}
