//! What was made again, held against what was made: bytes, content, records, numbers.

use std::path::Path;

use birthmark_core::json;
use birthmark_core::reproduce::{Allowance, Difference};
use birthmark_core::session::Artifact;
use birthmark_store::atomic;
use birthmark_store::format::directory;
use serde_json::Value;

use crate::dataset;
use crate::error::Result;
use crate::text::short;

/// A file over this is not compared record by record.
const READ_LIMIT: u64 = 4 << 30;
/// Longest value in a message.
const LONGEST: usize = 60;

/// How a reproduction came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes.
    Identical,
    /// The same records (or report), but for their birthmarks, and numbers within the
    /// tolerance.
    EqualRecords,
    /// Something else.
    Differs,
    /// The command did not make it.
    NotMade,
}

impl Verdict {
    /// The word for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::EqualRecords => "equal records",
            Self::Differs => "differs",
            Self::NotMade => "not made",
        }
    }
}

/// A verdict, and where the first difference is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The verdict.
    pub verdict: Verdict,
    /// Where it differs first, or what the verdict rests on.
    pub place: Option<String>,
}

fn compared(verdict: Verdict, place: impl Into<Option<String>>) -> Compared {
    Compared {
        verdict,
        place: place.into(),
    }
}

/// Compares what lies at `made` with what was recorded; `original` is the recorded file, if
/// it is still here as it was.
pub(super) fn compare(
    recorded: &Artifact,
    original: Option<&Path>,
    made: &Path,
    allowance: &Allowance,
) -> Result<Compared> {
    if made.symlink_metadata().is_err() {
        return Ok(compared(Verdict::NotMade, None));
    }
    let (digest, content) = dataset::digests(made);
    let digest = digest.found().cloned();
    if digest.is_some() && digest == recorded.digest {
        return Ok(compared(Verdict::Identical, None));
    }
    let wanted = recorded
        .sealed()
        .and_then(|sealed| sealed.content_digest.clone());
    if wanted.is_some() && content.or(digest) == wanted {
        return Ok(compared(Verdict::EqualRecords, None));
    }
    let Some(original) = original else {
        let place = "where cannot be told: the original is not here as it was recorded";
        return Ok(compared(Verdict::Differs, place.to_owned()));
    };
    if original.is_dir() {
        return folders(original, made);
    }
    let ending = original.extension().and_then(|ending| ending.to_str());
    let (was, is) = (
        atomic::read_limited(original, READ_LIMIT)?,
        atomic::read_limited(made, READ_LIMIT)?,
    );
    Ok(match ending {
        Some("jsonl" | "ndjson") => records(&was, &is, allowance),
        Some("json") => report(&was, &is, allowance),
        _ => bytes(&was, &is),
    })
}

fn bytes(was: &[u8], is: &[u8]) -> Compared {
    let place = was.iter().zip(is).position(|(a, b)| a != b);
    let place = place.unwrap_or(was.len().min(is.len()));
    let sizes = if was.len() == is.len() {
        String::new()
    } else {
        format!(" ({} bytes, not {})", is.len(), was.len())
    };
    compared(Verdict::Differs, format!("byte {place}{sizes}"))
}

/// A record without its birthmark; `None` where it is none.
fn unstamped(line: &[u8]) -> Option<Value> {
    let mut out = Vec::with_capacity(line.len());
    json::unstamp_record(&mut out, line).ok()?;
    serde_json::from_slice(&out).ok()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    json::without_bom(text)
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
}

fn records(was: &[u8], is: &[u8], allowance: &Allowance) -> Compared {
    let count = |text: &[u8]| lines(text).filter(|line| !line.is_empty()).count();
    let filled = |text| {
        lines(text)
            .zip(1_u64..)
            .filter(|(line, _)| !line.is_empty())
    };
    for ((before, _), (after, line)) in filled(was).zip(filled(is)) {
        let (Some(old), Some(new)) = (unstamped(before), unstamped(after)) else {
            if before == after {
                continue;
            }
            return compared(Verdict::Differs, format!("line {line}: it is no record"));
        };
        if let Some(found) = allowance.first_difference(&old, &new) {
            return compared(Verdict::Differs, format!("line {line}, {}", told(&found)));
        }
    }
    let (before, after) = (count(was), count(is));
    if before == after {
        return compared(Verdict::EqualRecords, within(allowance));
    }
    let place = format!(
        "line {}: {after} records, not {before}",
        before.min(after) + 1
    );
    compared(Verdict::Differs, place)
}

fn report(was: &[u8], is: &[u8], allowance: &Allowance) -> Compared {
    let (Some(old), Some(new)) = (
        unstamped(json::without_bom(was)),
        unstamped(json::without_bom(is)),
    ) else {
        return bytes(was, is);
    };
    match allowance.first_difference(&old, &new) {
        None => compared(Verdict::EqualRecords, within(allowance)),
        Some(found) => compared(Verdict::Differs, told(&found)),
    }
}

/// Only reached where the content is not the same to the byte.
fn within(allowance: &Allowance) -> String {
    let mut parts = Vec::new();
    if allowance.tolerance > 0.0 {
        parts.push(format!("numbers within {}", allowance.tolerance));
    }
    if !allowance.ignored.is_empty() {
        parts.push(format!("without {}", allowance.ignored.join(", ")));
    }
    if parts.is_empty() {
        parts.push("spelled otherwise".to_owned());
    }
    parts.join(", ")
}

fn told(found: &Difference) -> String {
    let value = |value: &Option<String>| match value {
        Some(text) => short(text, LONGEST),
        None => "nothing".to_owned(),
    };
    let path = if found.path.is_empty() {
        "the whole".to_owned()
    } else {
        short(&found.path, LONGEST)
    };
    format!("{path}: {}, not {}", value(&found.is), value(&found.was))
}

fn folders(was: &Path, is: &Path) -> Result<Compared> {
    let read = |folder: &Path| {
        directory::digest_tree(folder)
            .map_err(|error| crate::Error::new(crate::Kind::Io, "io", error.to_string()))
    };
    let (old, new) = (read(was)?.members, read(is)?.members);
    let other = old.iter().find(|member| !new.contains(member));
    let added = || new.iter().find(|member| !old.contains(member));
    let place = other.or_else(added).map(|member| {
        let name = member.path.to_string_lossy();
        let word = match (
            old.iter().any(|known| known.path == member.path),
            new.iter().any(|known| known.path == member.path),
        ) {
            (true, false) => "is missing",
            (false, _) => "is new",
            _ => "is another",
        };
        format!("{} {word}", short(&name, LONGEST))
    });
    Ok(compared(Verdict::Differs, place))
}
