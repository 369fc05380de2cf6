//! Did two sessions add to a JSONL file apart, in two clones, and did git put both ends together?
//!
//! The file then begins with all that one session left, and what the other left is its beginning
//! and its end without what lies between: both have the digests that were recorded. That proves
//! every byte.
//!
//! # Limits
//!
//! * Two ends that were put behind one another. Lines of both that were mixed prove nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use birthmark_store::atomic;
use birthmark_store::digest::digest_stream;

use super::claims::{Count, History, Last};
use super::records::Scanned;
use super::report::Reason;
use crate::digests::beginnings;

/// What is said of such a file.
pub(crate) const APART: &str = "two sessions added to it apart, and their ends were put together";

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
    let other = (other.size?, other.digest.as_deref()?);
    is_both(path, found.size, first, other).then(|| {
        Reason::caveat(
            "merged",
            format!("{APART}: every record is as one of them recorded it"),
        )
    })
}

/// Whether a file is what two sessions left, of all the sizes and digests that were recorded at
/// its path.
pub(crate) fn is_merged(path: &Path, recorded: &BTreeMap<u64, BTreeSet<String>>) -> bool {
    let sizes: BTreeSet<u64> = recorded.keys().copied().collect();
    let begins = beginnings(path, &sizes);
    let holds = |size: &u64, digest: &String| begins.contains(&(*size, digest.clone()));
    let all = || {
        recorded
            .iter()
            .flat_map(|(size, digests)| digests.iter().map(move |one| (size, one)))
    };
    let first = all().rfind(|(size, digest)| holds(size, digest));
    let other = all().rfind(|(size, digest)| !holds(size, digest));
    let (Some((first, _)), Some((size, digest)), Ok(found)) = (first, other, path.metadata())
    else {
        return false;
    };
    found.is_file() && is_both(path, found.len(), *first, (*size, digest))
}

/// Whether a file is its first bytes, and behind them the end of the other.
fn is_both(path: &Path, size: u64, first: u64, (other, digest): (u64, &str)) -> bool {
    // What both have in common lies once in the file.
    let both = (first + other).checked_sub(size);
    let both = both.filter(|both| *both <= first && first < size);
    both.is_some_and(|both| without(path, both, first).is_ok_and(|found| found == digest))
}

/// The digest of a file without what lies from `from` up to `to`.
fn without(path: &Path, from: u64, to: u64) -> io::Result<String> {
    let head = atomic::open_regular(path)?.take(from);
    let mut tail = atomic::open_regular(path)?;
    tail.seek(SeekFrom::Start(to))?;
    Ok(digest_stream(&mut head.chain(tail))?.0.to_string())
}
