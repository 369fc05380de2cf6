//! Where in a record its birthmark stands.
//!
//! ```text
//! Metadata  {…, "metadata": {"git_commit": …, "birthmark": "birthmark/v1"}}
//! Merged    {…, "metadata": {"topic": "x", "git_commit": …, "birthmark": "birthmark/v1", "merged": 1}}
//! Beside    {…, "metadata": 7, "birthmark": {"git_commit": …, "birthmark": "birthmark/v1"}}
//! Foreign   {…, "metadata": {"git_commit": …}}            made by hand or by another helper
//! Absent    {…}
//! ```
//!
//! In a merged one the user's members come first and ours follow; `merged` is
//! how many the user's are, so that ours can be cut from there to the end and
//! the user's object stands again as it was. A birthmark under `birthmark` was
//! put there because `metadata` was taken, so it is the younger of two and wins.

use super::error::{ScanError, ScanErrorKind};
use super::read::{as_text, as_u64, check_envelope, walk};
use super::scan::{Member, Object, Span, scan_object};

/// Where the birthmark of a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The record has none.
    Absent,
    /// The member `metadata` is the birthmark.
    Metadata(Member),
    /// The member `birthmark` is the birthmark, as `metadata` was taken.
    Beside(Member),
    /// The birthmark stands in the user's own `metadata`, after the user's keys.
    Merged {
        /// The member `metadata`, the user's keys and ours.
        member: Member,
        /// What [`super::stamp_record`] put in: a place in the record.
        ours: Span,
    },
    /// `metadata` has a `git_commit` but does not name our format.
    Foreign(Member),
    /// A birthmark that cannot be told from the user's keys: its `merged` was
    /// edited. It can be read but not cut out.
    Unclear(Member),
}

impl Where {
    /// The member that holds the birthmark; none when there is none.
    pub fn member(&self) -> Option<&Member> {
        match self {
            Self::Absent => None,
            Self::Metadata(member)
            | Self::Beside(member)
            | Self::Merged { member, .. }
            | Self::Foreign(member)
            | Self::Unclear(member) => Some(member),
        }
    }

    /// The object to read the birthmark from: with a merged one the user's own
    /// keys stand in it too.
    pub fn value<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        self.member().map(|member| member.value.of(record))
    }

    /// The birthmark without the user's own keys, put together in `memory` where they stand
    /// among each other; empty when there is none.
    pub fn own<'a>(&self, record: &'a [u8], memory: &'a mut Vec<u8>) -> &'a [u8] {
        let Self::Merged { ours, .. } = self else {
            return self.value(record).unwrap_or_default();
        };
        let text = ours.of(record).trim_ascii_start();
        let text = text.strip_prefix(b",").unwrap_or(text);
        memory.clear();
        memory.push(b'{');
        memory.extend_from_slice(text.trim_ascii());
        memory.push(b'}');
        memory
    }

    /// Whether it is a birthmark that names our format.
    pub fn is_ours(&self) -> bool {
        !matches!(self, Self::Absent | Self::Foreign(_))
    }
}

/// Whether a text names the format of a birthmark, of this version or another:
/// `birthmark/v1`.
pub fn is_birthmark_format(text: &str) -> bool {
    text.strip_prefix("birthmark/v").is_some_and(|version| {
        !version.is_empty() && version.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Whether an object is a birthmark: whether its member `birthmark` names the
/// format, of this version or another.
pub fn is_birthmark(object: &[u8]) -> bool {
    Inside::look(object).is_ours()
}

/// Proves that an object may be stamped into records: see [`check_envelope`],
/// and it must name its format and have no member `merged`, which is the mark
/// of a birthmark that stands among a user's own keys.
pub fn check_birthmark(birthmark: &[u8]) -> Result<(), ScanError> {
    check_envelope(birthmark)?;
    let inside = Inside::look(birthmark);
    if !inside.is_ours() || inside.merged {
        return Err(ScanError::new(0, ScanErrorKind::NotABirthmark));
    }
    Ok(())
}

/// Scans a record and says where its birthmark stands.
pub fn find_birthmark(record: &[u8]) -> Result<Where, ScanError> {
    scan_object(record).map(|object| locate_birthmark(record, &object))
}

/// Says where the birthmark of a scanned record stands.
pub fn locate_birthmark(record: &[u8], object: &Object) -> Where {
    if let Some(found) = object.birthmark
        && Inside::look(found.member.value.of(record)).is_ours()
    {
        return Where::Beside(found.member);
    }
    let Some(found) = object.metadata else {
        return Where::Absent;
    };
    let member = found.member;
    let inside = Inside::look(member.value.of(record));
    if !inside.is_ours() {
        return if inside.commit {
            Where::Foreign(member)
        } else {
            Where::Absent
        };
    }
    match (inside.merged, inside.ours()) {
        (false, _) => Where::Metadata(member),
        (true, None) => Where::Unclear(member),
        (true, Some(ours)) => {
            let from = member.value.start;
            Where::Merged {
                member,
                ours: Span {
                    start: from + ours.start,
                    end: from + ours.end,
                },
            }
        }
    }
}

/// What the members of a possible birthmark say about it.
#[derive(Default)]
struct Inside {
    /// The place of the member that names our format.
    format: Option<usize>,
    commit: bool,
    merged: bool,
    /// How many members are the user's, if `merged` is a number that can be.
    users: Option<usize>,
    start: usize,
    end: usize,
}

impl Inside {
    fn look(value: &[u8]) -> Self {
        let mut inside = Self::default();
        for (place, member) in walk(value).enumerate() {
            if member.is_named(value, "birthmark") {
                let text = as_text(member.value.of(value));
                inside.format = text.filter(|text| is_birthmark_format(text)).map(|_| place);
            } else if member.is_named(value, "git_commit") {
                inside.commit = true;
            } else if member.is_named(value, "merged") {
                inside.merged = true;
                inside.users = as_u64(member.value.of(value))
                    .and_then(|count| usize::try_from(count).ok())
                    .filter(|&count| count <= place);
            }
            inside.end = member.value.end;
        }
        if let Some(first) = inside.users.and_then(|users| walk(value).nth(users)) {
            inside.start = first.comma_before.unwrap_or(first.key.start);
        }
        inside
    }

    fn is_ours(&self) -> bool {
        self.format.is_some()
    }

    fn ours(&self) -> Option<Span> {
        let users = self.users?;
        self.format.filter(|&place| place >= users)?;
        Some(Span {
            start: self.start,
            end: self.end,
        })
    }
}
