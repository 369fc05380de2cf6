//! Stamping a record and unstamping it.
//!
//! Where a record has no `metadata`, the birthmark becomes it. Where it has one
//! that is the user's own and no birthmark, the two are merged; where they
//! cannot be (it is no object, or a key stands in both), the birthmark goes
//! under `birthmark`. In each of the three, [`unstamp_record`] gives the record
//! back as it was, byte for byte. [`OnExisting`] says what else is allowed.

use std::collections::HashSet;

use super::error::ScanError;
use super::form::{Form, next_line};
use super::locate::{Where, locate_birthmark};
use super::read::{as_text_lossy, members};
use super::scan::{Member, Object, Span, scan_object, scan_text};
use super::splice::{Gap, cut, remove_member, splice_member, splice_member_tidily, with_comma};

/// What to do with a record that has a birthmark, ours or foreign, already. A
/// `metadata` of the user's own that is no birthmark is an error under `Error`
/// and is otherwise merged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExisting {
    /// Refuse.
    #[default]
    Error,
    /// Keep the old birthmark as if it were the user's own metadata; the new one
    /// goes under `birthmark`, in place of one of ours that may stand there.
    Merge,
    /// Take the old birthmark out, a foreign one with all of its `metadata`.
    Replace,
    /// Leave the record as it is.
    Keep,
}

impl std::str::FromStr for OnExisting {
    type Err = String;

    /// Reads `error`, `merge`, `replace` or `keep`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "error" => Ok(Self::Error),
            "merge" => Ok(Self::Merge),
            "replace" => Ok(Self::Replace),
            "keep" => Ok(Self::Keep),
            _ => Err(format!("`{text}` is none of error, merge, replace, keep")),
        }
    }
}

/// Where a birthmark was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Placed {
    /// As `metadata`.
    Metadata,
    /// Into the user's own `metadata`.
    Merged,
    /// Under `birthmark`, since `metadata` was taken.
    Beside,
    /// In place of an older one, which is gone.
    Replaced,
    /// Nowhere: the older one was kept.
    Kept,
}

/// Why a record could not be stamped or unstamped. The record is as it was, and
/// nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// The record is not a JSON object.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The record has a birthmark already.
    #[error("the record has a birthmark already")]
    AlreadyStamped,
    /// The record has a `metadata` of its own.
    #[error("the record has a `metadata` of its own")]
    HasMetadata,
    /// Both `metadata` and `birthmark` are the user's own.
    #[error("the record uses both `metadata` and `birthmark` for itself")]
    NoPlace,
    /// The `merged` of the birthmark was edited, so what is the user's and what
    /// is ours cannot be told.
    #[error("the birthmark in `metadata` cannot be told from the record's own keys")]
    Unclear,
}

impl StampError {
    /// What to do now.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Scan(_) => None,
            Self::AlreadyStamped => Some("say `--on-existing keep`, `replace` or `merge`"),
            Self::HasMetadata => Some("say `--on-existing merge` to keep its keys beside ours"),
            Self::NoPlace => Some("rename one of the two keys, or stamp the file by a sidecar"),
            Self::Unclear => Some("put `merged` back to the number of the record's own keys"),
        }
    }
}

/// Writes `record` to `out` with `birthmark`, which must pass
/// [`super::check_birthmark`]. After an error `out` is as it was.
pub fn stamp_record(
    out: &mut Vec<u8>,
    record: &[u8],
    birthmark: &[u8],
    existing: OnExisting,
) -> Result<Placed, StampError> {
    let object = scan_object(record)?;
    stamp_scanned(out, record, &object, birthmark, existing)
}

fn stamp_scanned(
    out: &mut Vec<u8>,
    record: &[u8],
    object: &Object,
    birthmark: &[u8],
    existing: OnExisting,
) -> Result<Placed, StampError> {
    Stamp {
        birthmark,
        existing,
        splice: splice_member,
    }
    .put(out, record, object)
}

/// What stamping makes of a record that is copied by whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamping {
    /// All of it stays, and the birthmark goes into the gap, as `metadata`.
    Fill(Gap),
    /// The record was written anew.
    Written(Placed),
}

/// Stamps records that follow each other: of most it is known where the birthmark goes from the
/// one before.
#[derive(Debug, Default)]
pub struct Stamper {
    form: Form,
}

impl Stamper {
    /// As [`stamp_record`], but where the birthmark is only put in, nothing is written, and it is
    /// said where it goes: who copies many records copies each once.
    pub fn stamp_or_point(
        &mut self,
        out: &mut Vec<u8>,
        record: &str,
        birthmark: &[u8],
        existing: OnExisting,
    ) -> Result<Stamping, StampError> {
        let bytes = record.as_bytes();
        if self.form.fits(bytes)
            && let Some(gap) = self.form.gap()
        {
            return Ok(Stamping::Fill(gap));
        }
        self.stamp_anew(out, record, birthmark, existing)
    }

    /// Points out where the birthmark goes in the records of `text` that follow each other line by
    /// line, the first of which begins at `at`, as long as they have the form that is known: each
    /// gap as a place in the text. Says where the first line begins that is left.
    pub fn run(&mut self, text: &str, mut at: usize, mut each: impl FnMut(Gap)) -> usize {
        let bytes = text.as_bytes();
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty())
            && let Some(length) = self.form.fits_line(rest)
            && let Some(gap) = self.form.gap()
        {
            each(Gap {
                at: at + gap.at,
                ..gap
            });
            at = next_line(bytes, at + length);
        }
        at
    }

    /// As [`Stamper::stamp_or_point`] for a record that has not the form of the one before.
    pub fn stamp_anew(
        &mut self,
        out: &mut Vec<u8>,
        record: &str,
        birthmark: &[u8],
        existing: OnExisting,
    ) -> Result<Stamping, StampError> {
        let bytes = record.as_bytes();
        let object = scan_text(record)?;
        if object.metadata.is_none() && object.birthmark.is_none() {
            self.form.learn(bytes, &object, std::iter::empty());
            return Ok(Stamping::Fill(Gap::of(&object)));
        }
        stamp_scanned(out, bytes, &object, birthmark, existing).map(Stamping::Written)
    }
}

/// As [`stamp_record`], for a report that people read: see [`splice_member_tidily`].
pub fn stamp_report(
    out: &mut Vec<u8>,
    report: &[u8],
    birthmark: &[u8],
    existing: OnExisting,
) -> Result<Placed, StampError> {
    let object = scan_object(report)?;
    Stamp {
        birthmark,
        existing,
        splice: splice_member_tidily,
    }
    .put(out, report, &object)
}

/// One stamping: what to put in, what to do where something stands, and how.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    birthmark: &'a [u8],
    existing: OnExisting,
    splice: fn(&mut Vec<u8>, &[u8], &Object, &str, &[u8]),
}

impl Stamp<'_> {
    fn put(self, out: &mut Vec<u8>, record: &[u8], object: &Object) -> Result<Placed, StampError> {
        let place = locate_birthmark(record, object);
        if place != Where::Absent {
            return self.put_over(out, record, object, place);
        }
        let Some(found) = object.metadata else {
            (self.splice)(out, record, object, "metadata", self.birthmark);
            return Ok(Placed::Metadata);
        };
        if self.existing == OnExisting::Error {
            return Err(StampError::HasMetadata);
        }
        let users = found.member.value.of(record);
        if found.times == 1 && can_merge(users, self.birthmark) {
            merge(out, record, users, found.member.value.start, self.birthmark);
            return Ok(Placed::Merged);
        }
        self.put_beside(out, record, object)
    }

    /// The record has a birthmark, ours or foreign, at `place`.
    fn put_over(
        self,
        out: &mut Vec<u8>,
        record: &[u8],
        object: &Object,
        place: Where,
    ) -> Result<Placed, StampError> {
        let bare = match (self.existing, place) {
            (OnExisting::Error, _) => return Err(StampError::AlreadyStamped),
            (OnExisting::Keep, _) => {
                out.extend_from_slice(record);
                return Ok(Placed::Kept);
            }
            (OnExisting::Merge, Where::Beside(member)) => removed(record, &member),
            (OnExisting::Merge, _) => return self.put_beside(out, record, object),
            (OnExisting::Replace, _) => take_all_out(record)?,
        };
        let object = scan_object(&bare)?;
        match locate_birthmark(&bare, &object) {
            Where::Absent => {
                Self {
                    existing: OnExisting::Merge,
                    ..self
                }
                .put(out, &bare, &object)?;
            }
            // The one under `metadata`, which the one beside it had followed.
            _ => drop(self.put_beside(out, &bare, &object)?),
        }
        Ok(Placed::Replaced)
    }

    fn put_beside(
        self,
        out: &mut Vec<u8>,
        record: &[u8],
        object: &Object,
    ) -> Result<Placed, StampError> {
        if object.birthmark.is_some() {
            return Err(StampError::NoPlace);
        }
        (self.splice)(out, record, object, "birthmark", self.birthmark);
        Ok(Placed::Beside)
    }
}

fn removed(record: &[u8], member: &Member) -> Vec<u8> {
    let mut bare = Vec::with_capacity(record.len());
    remove_member(&mut bare, record, member);
    bare
}

/// The record without any birthmark. There can be two, one under each key, and
/// more only where keys stand twice, which is given up on soon.
fn take_all_out(record: &[u8]) -> Result<Vec<u8>, StampError> {
    let mut bare = record.to_vec();
    for _ in 0..4 {
        let object = scan_object(&bare)?;
        let place = locate_birthmark(&bare, &object);
        if place == Where::Absent {
            return Ok(bare);
        }
        let mut less = Vec::with_capacity(bare.len());
        cut(&mut less, &bare, to_cut(&bare, place, true)?);
        bare = less;
    }
    Err(StampError::NoPlace)
}

/// Whether the user's metadata is an object that shares no key with ours.
fn can_merge(users: &[u8], birthmark: &[u8]) -> bool {
    if users.first() != Some(&b'{') || members(birthmark).next().is_none() {
        return false;
    }
    let mut ours: HashSet<_> = members(birthmark)
        .filter_map(|(key, _)| as_text_lossy(key))
        .collect();
    ours.insert("merged".into());
    members(users).all(|(key, _)| as_text_lossy(key).is_none_or(|key| !ours.contains(&key)))
}

/// Puts the members of `birthmark` and `merged` behind the user's.
fn merge(out: &mut Vec<u8>, record: &[u8], users: &[u8], start: usize, birthmark: &[u8]) {
    let count = members(users).count();
    let (head, tail) = record.split_at(start + users.len() - 1);
    out.reserve(record.len() + birthmark.len() + 24);
    out.extend_from_slice(head);
    if count > 0 {
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(inner(birthmark));
    out.extend_from_slice(format!(", \"merged\": {count}").as_bytes());
    out.extend_from_slice(tail);
}

/// What stands between the braces of an object.
fn inner(object: &[u8]) -> &[u8] {
    let object = object.trim_ascii();
    object
        .get(1..object.len().saturating_sub(1))
        .unwrap_or_default()
        .trim_ascii()
}

/// Writes `record` to `out` without its birthmark, and says where it stood. A
/// record without one, or with a foreign one, is written as it is.
pub fn unstamp_record(out: &mut Vec<u8>, record: &[u8]) -> Result<Where, StampError> {
    let (place, gone) = find_to_cut(record)?;
    cut(out, record, gone);
    Ok(place)
}

/// Where a record has its birthmark, and what goes when it is cut out: nothing of one that has
/// none, or a foreign one.
pub fn find_to_cut(record: &[u8]) -> Result<(Where, Span), StampError> {
    let object = scan_object(record)?;
    let place = locate_birthmark(record, &object);
    Ok((place, to_cut(record, place, false)?))
}

fn to_cut(record: &[u8], place: Where, foreign: bool) -> Result<Span, StampError> {
    match place {
        Where::Metadata(member) | Where::Beside(member) => Ok(with_comma(&member)),
        Where::Foreign(member) if foreign => Ok(with_comma(&member)),
        Where::Merged { ours, .. } => Ok(ours),
        Where::Absent | Where::Foreign(_) => Ok(Span {
            start: record.len(),
            end: record.len(),
        }),
        Where::Unclear(_) => Err(StampError::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spelled_member;
    use super::*;

    const MARK: &[u8] = br#"{"git_commit":"c0ffee","birthmark":"birthmark/v1"}"#;

    #[test]
    fn gap_that_is_filled_gives_the_bytes_of_stamping() {
        let member = spelled_member("metadata", MARK);
        let mut stamper = Stamper::default();
        for record in [
            "{}",
            " { } ",
            r#"{"a": [1, {"metadata": 2}]}"#,
            "{\"a\":1 }\t",
            r#"{"metadata": {"topic": 1}}"#,
            r#"{"a": 1, "metadata": {"git_commit": "d00d"}}"#,
            r#"{"birthmark": 7}"#,
        ] {
            let record = record.as_bytes();
            for existing in [
                OnExisting::Error,
                OnExisting::Merge,
                OnExisting::Replace,
                OnExisting::Keep,
            ] {
                let (mut whole, mut pointed) = (Vec::new(), Vec::new());
                let placed = stamp_record(&mut whole, record, MARK, existing);
                let text = std::str::from_utf8(record).unwrap();
                let stamping = stamper.stamp_or_point(&mut pointed, text, MARK, existing);
                let placed_by_us = stamping.map(|stamping| match stamping {
                    Stamping::Fill(gap) => {
                        assert!(pointed.is_empty());
                        pointed =
                            [&record[..gap.at], gap.fill(&member), &record[gap.at..]].concat();
                        Placed::Metadata
                    }
                    Stamping::Written(placed) => placed,
                });
                assert_eq!((placed_by_us, pointed), (placed, whole));
            }
        }
    }
}
