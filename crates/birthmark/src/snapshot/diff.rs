//! What differs between the code of two runs.

use birthmark_capture::git::{Database, StoredPlace, display_path, unified_diff};
use serde_json::{Value, json};

use super::source;
use super::wanted;
use crate::error::{Error, Kind, Result};
use crate::project::Project;

/// Texts of more bytes are not held against each other line by line.
const LARGEST_TEXT: usize = 4 << 20;

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the new one has it.
    Added,
    /// Only the old one has it.
    Removed,
    /// Both have it, with other bytes or another mode.
    Changed,
}

impl Change {
    /// The word, as stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The path, fit to be shown.
    pub path: String,
    /// How it differs.
    pub change: Change,
    /// The lines that differ, as `diff -u` has them, where it was asked for and both are text.
    pub lines: Option<String>,
}

impl Differing {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({"path": self.path, "change": self.change.word(), "lines": self.lines})
    }
}

/// The code of two runs.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The old commit.
    pub old: String,
    /// The new commit.
    pub new: String,
    /// What differs, by path.
    pub files: Vec<Differing>,
}

/// What differs between the code of any two artifacts, sessions or commits.
pub fn diff(project: &Project, old: &str, new: &str, with_lines: bool) -> Result<Diff> {
    let (old, new) = (wanted::find(project, old)?, wanted::find(project, new)?);
    let open = |wanted: &wanted::Wanted| {
        source::find(project, &wanted.commit, &wanted.hints)
            .map_err(|reason| Error::usage("commit-nowhere", reason))
    };
    let (before, after) = (open(&old)?.database, open(&new)?.database);
    let cannot = |reason: String| {
        let message = format!("cannot compare the code: {reason}");
        Error::new(Kind::Damaged, "commit-damaged", message)
    };
    let held = before.places(&old.commit).map_err(cannot)?;
    let holds = after.places(&new.commit).map_err(cannot)?;
    let files = merge(&held, &holds)
        .into_iter()
        .map(|(a, b)| {
            let mut differing = named(a, b);
            if with_lines {
                differing.lines = lines(&before, a, &after, b);
            }
            differing
        })
        .collect();
    Ok(Diff {
        old: old.commit,
        new: new.commit,
        files,
    })
}

/// What differs within one database; without an old commit, all that the new one holds.
pub(super) fn between(
    database: &Database,
    old: Option<&str>,
    new: &str,
) -> Result<Vec<Differing>, String> {
    let before = old.map_or_else(|| Ok(Vec::new()), |old| database.places(old))?;
    let after = database.places(new)?;
    let differing = merge(&before, &after);
    Ok(differing.into_iter().map(|(a, b)| named(a, b)).collect())
}

type Pair<'a> = (Option<&'a StoredPlace>, Option<&'a StoredPlace>);

/// The places that are not the same in two sorted lists.
fn merge<'a>(before: &'a [StoredPlace], after: &'a [StoredPlace]) -> Vec<Pair<'a>> {
    let (mut a, mut b) = (before.iter().peekable(), after.iter().peekable());
    let mut differing = Vec::new();
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return differing,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        let pair = match order {
            std::cmp::Ordering::Less => (a.next(), None),
            std::cmp::Ordering::Greater => (None, b.next()),
            std::cmp::Ordering::Equal => (a.next(), b.next()),
        };
        if pair.0 != pair.1 {
            differing.push(pair);
        }
    }
}

fn named(a: Option<&StoredPlace>, b: Option<&StoredPlace>) -> Differing {
    let change = match (a, b) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let path = a.or(b).map(|place| display_path(&place.path));
    Differing {
        path: path.unwrap_or_default(),
        change,
        lines: None,
    }
}

fn lines(
    before: &Database,
    a: Option<&StoredPlace>,
    after: &Database,
    b: Option<&StoredPlace>,
) -> Option<String> {
    let text = |database: &Database, place: Option<&StoredPlace>| -> Option<String> {
        let Some(place) = place else {
            return Some(String::new());
        };
        let bytes = database.blob(&place.id).ok()?;
        let fits = bytes.len() <= LARGEST_TEXT && !bytes.contains(&0);
        String::from_utf8(bytes).ok().filter(|_| fits)
    };
    let lines = unified_diff(&text(before, a)?, &text(after, b)?);
    (!lines.is_empty()).then_some(lines)
}
