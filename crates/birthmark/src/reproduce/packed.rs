//! Packed files held against each other: what is within counts, and how it was packed is told.
//!
//! Two packings of one text differ by the time in a gzip header, or by the program and its
//! level; none of this is content.

use std::io::Read;
use std::path::Path;

use birthmark_core::reproduce::Allowance;
use birthmark_store::format::codec::Codec;

use super::compare::{Compared, READ_LIMIT, Verdict, compared, first_other, texts};

/// What stands before the packed text: in gzip ten bytes, with the time it was packed.
const GZIP_HEADER: usize = 10;
/// Where that time stands there.
const GZIP_TIME: std::ops::Range<usize> = 4..8;

/// Compares what two packed files hold. `None` where they are not packed, or cannot be unpacked:
/// then their bytes must do.
pub(super) fn compare(
    original: &Path,
    was: &[u8],
    is: &[u8],
    allowance: &Allowance,
) -> Option<Compared> {
    let codec = Codec::of(original);
    if codec == Codec::Plain {
        return None;
    }
    let (old, new) = (text(codec, was)?, text(codec, is)?);
    let within = original.file_stem().map(Path::new);
    let ending = within.and_then(|name| name.extension()?.to_str());
    if old != new {
        let mut found = texts(ending, &old, &new, allowance);
        if found.verdict == Verdict::Differs
            && let Some(place) = found
                .place
                .clone()
                .filter(|place| place.starts_with("byte "))
        {
            found.place = Some(format!("{place} of what is packed"));
        }
        return Some(found);
    }
    let verdict = match ending {
        Some("jsonl" | "ndjson") => Verdict::EqualRecords,
        _ => Verdict::EqualContent,
    };
    let place = first_other(was, is);
    let part = match codec {
        Codec::Gzip if GZIP_TIME.contains(&place) => " (the time in its header)",
        Codec::Gzip if place < GZIP_HEADER => " (its header)",
        _ => "",
    };
    let told = format!("equal text, packed differently from byte {place}{part}");
    Some(compared(verdict, told))
}

/// The text within, up to the limit of what is compared.
fn text(codec: Codec, packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let unpacked = codec.unpack(Box::new(packed)).ok()?;
    let read = unpacked.take(READ_LIMIT + 1).read_to_end(&mut text).ok()?;
    (read as u64 <= READ_LIMIT).then_some(text)
}
