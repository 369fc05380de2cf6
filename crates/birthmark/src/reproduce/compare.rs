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
use crate::talk::count;
use crate::text::short;

use super::own::{self, Line};
use super::packed;
use super::share::Share;

/// A file over this is not compared record by record.
pub(super) const READ_LIMIT: u64 = 4 << 30;
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
    /// The same text within, packed into other bytes.
    EqualContent,
    /// Something else.
    Differs,
    /// The command did not make it.
    NotMade,
    /// The command failed, and had not failed before; it had not made it as it was.
    Failed,
    /// The command failed, and had not failed before; by then it had made it as it was.
    MadeAndFailed,
    /// It came out as another, and had not been given all that it had read then.
    CannotTell,
}

impl Verdict {
    /// The word for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::EqualRecords => "equal records",
            Self::EqualContent => "equal content",
            Self::Differs => "differs",
            Self::NotMade => "not made",
            Self::Failed => "could not be made",
            Self::MadeAndFailed => "made, but failed",
            Self::CannotTell => "cannot tell",
        }
    }
}

impl Verdict {
    /// Whether it is what it was: nothing of its content is another.
    pub fn is_equal(self) -> bool {
        matches!(
            self,
            Self::Identical | Self::EqualRecords | Self::EqualContent
        )
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

impl Compared {
    /// With how the command ended, where that says more: it failed and `had_ended` well before,
    /// or it was `refused` to write to the original.
    pub(super) fn settled(
        self,
        had_ended: bool,
        exit_code: Option<i32>,
        refused: Option<&str>,
    ) -> Self {
        let has_failed = exit_code != Some(0);
        let refused = refused
            .map(|path| format!("it writes to {path}, which lies in the original: not allowed"));
        let failed = match exit_code {
            Some(code) => format!("the command failed (exit {code})"),
            None => "the command was stopped".to_owned(),
        };
        let is_new = has_failed && (had_ended || refused.is_some());
        let is_made = self.verdict != Verdict::NotMade;
        let why = match refused {
            Some(refused) if has_failed => format!("{failed}: {refused}"),
            Some(refused) => refused,
            None if has_failed => failed,
            None => return self,
        };
        if !is_made {
            return compared(Verdict::Failed, why);
        }
        if !is_new {
            return self;
        }
        if !self.verdict.is_equal() {
            return compared(Verdict::Failed, format!("{why}; what it left is another"));
        }
        let rests_on = self
            .place
            .map_or(String::new(), |place| format!(": {place}"));
        let word = self.verdict.word();
        let left = format!("what it had made by then is {word}{rests_on}");
        compared(Verdict::MadeAndFailed, format!("{why}; {left}"))
    }

    /// Where it had read a pipe, which nobody records, and was not given one again: that something
    /// else came out says nothing.
    pub(super) fn without_its_pipe(self) -> Self {
        if self.verdict.is_equal() {
            return self;
        }
        let place = self
            .place
            .map_or(String::new(), |place| format!(": {place}"));
        let word = self.verdict.word();
        let why = "its stdin was a pipe, and what came through it was not given again";
        compared(Verdict::CannotTell, format!("{why} ({word}{place})"))
    }
}

pub(super) fn compared(verdict: Verdict, place: impl Into<Option<String>>) -> Compared {
    Compared {
        verdict,
        place: place.into(),
    }
}

/// What a reproduction is held against.
pub(super) struct Wanted<'a> {
    /// What was recorded.
    pub(super) recorded: &'a Artifact,
    /// The recorded file, if it is still here as it was.
    pub(super) original: Option<&'a Path>,
    /// The run's share, where others wrote to the file too.
    pub(super) share: Option<&'a Share>,
}

/// Compares what lies at `made` with what was recorded; `session` is that of the reproduction.
pub(super) fn compare(
    wanted: &Wanted<'_>,
    made: &Path,
    session: Option<&str>,
    allowance: &Allowance,
) -> Result<Compared> {
    let Wanted {
        recorded,
        original,
        share,
    } = wanted;
    if made.symlink_metadata().is_err() {
        return Ok(compared(Verdict::NotMade, None));
    }
    let (digest, content) = dataset::digests(made);
    let digest = digest.found().cloned();
    if digest.is_some() && digest == recorded.digest {
        return Ok(compared(Verdict::Identical, None));
    }
    let content_was = recorded
        .sealed()
        .and_then(|sealed| sealed.content_digest.clone());
    if content_was.is_some() && content.or(digest) == content_was {
        let is_other = share.is_some_and(|share| share.proved.is_none());
        let place = is_other.then(|| "as it was recorded; the file was changed since".to_owned());
        return Ok(compared(Verdict::EqualRecords, place));
    }
    if let Some(share) = share {
        return own::compare(share, made, session, allowance);
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
    if let Some(compared) = packed::compare(original, &was, &is, allowance) {
        return Ok(compared);
    }
    Ok(texts(ending, &was, &is, allowance))
}

/// Compares what files with this ending hold.
pub(super) fn texts(
    ending: Option<&str>,
    was: &[u8],
    is: &[u8],
    allowance: &Allowance,
) -> Compared {
    match ending {
        Some("jsonl" | "ndjson") => {
            spelled(records(&filled(was), &filled(is), allowance), allowance)
        }
        Some("json") => report(was, is, allowance),
        _ => bytes(was, is),
    }
}

fn bytes(was: &[u8], is: &[u8]) -> Compared {
    let place = first_other(was, is);
    let sizes = if was.len() == is.len() {
        String::new()
    } else {
        format!(" ({} bytes, not {})", is.len(), was.len())
    };
    compared(Verdict::Differs, format!("byte {place}{sizes}"))
}

/// The first byte that is another.
pub(super) fn first_other(was: &[u8], is: &[u8]) -> usize {
    let place = was.iter().zip(is).position(|(a, b)| a != b);
    place.unwrap_or(was.len().min(is.len()))
}

/// A record without its birthmark; `None` where it is none.
fn unstamped(line: &[u8]) -> Option<Value> {
    let mut out = Vec::with_capacity(line.len());
    json::unstamp_record(&mut out, line).ok()?;
    birthmark_core::reproduce::read(&out)
}

/// The lines that are not empty, with their numbers.
fn filled(text: &[u8]) -> Vec<Line<'_>> {
    json::without_bom(text)
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .zip(1_u64..)
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| (number, line))
        .collect()
}

/// Compares records one by one; of equal ones no place is told.
pub(super) fn records(was: &[Line<'_>], is: &[Line<'_>], allowance: &Allowance) -> Compared {
    for ((number, before), (_, after)) in was.iter().zip(is) {
        let (Some(old), Some(new)) = (unstamped(before), unstamped(after)) else {
            if before == after {
                continue;
            }
            return compared(Verdict::Differs, format!("line {number}: it is no record"));
        };
        if let Some(found) = allowance.first_difference(&old, &new) {
            return compared(Verdict::Differs, format!("line {number}, {}", told(&found)));
        }
    }
    if was.len() == is.len() {
        return compared(Verdict::EqualRecords, None);
    }
    let first = was.len().min(is.len());
    let place = match (was.get(first), was.last()) {
        (Some((number, _)), _) => *number,
        (None, last) => last.map_or(1, |(number, _)| number + 1),
    };
    let records = count(is.len() as u64, "record");
    compared(
        Verdict::Differs,
        format!("line {place}: {records}, not {}", was.len()),
    )
}

/// Equal records whose content is not the same to the byte: why.
fn spelled(mut result: Compared, allowance: &Allowance) -> Compared {
    if result.verdict == Verdict::EqualRecords {
        result.place = Some(within(allowance));
    }
    result
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
    within_told(allowance).unwrap_or_else(|| "spelled otherwise".to_owned())
}

/// What may differ, where something may.
pub(super) fn within_told(allowance: &Allowance) -> Option<String> {
    let mut parts = Vec::new();
    if allowance.tolerance > 0.0 {
        parts.push(format!("numbers within {}", allowance.tolerance));
    }
    if !allowance.ignored.is_empty() {
        parts.push(format!("without {}", allowance.ignored.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
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
