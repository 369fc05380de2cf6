//! What is known of a snapshot: a commit that holds a whole working tree.
//!
//! * A snapshot is *exact* when it gives back every file that git does not ignore, byte
//!   for byte, as it was. What it leaves out stands in `left_out`, by name and reason, and
//!   then it is not exact.
//! * Paths are relative to the top level of their repository, with `/`, escaped where they
//!   could not be shown; the commit itself has the bytes.

use serde::{Deserialize, Serialize};

use crate::birthmark::Fields;

/// Where the references to snapshots stand in a repository; the run's id follows.
pub const REFERENCES: &str = "refs/birthmark/snapshots/";
/// Where the references to commits stand that runs stood on, in a repository and in the bundles
/// of the store; the commit's id follows.
pub const COMMITS: &str = "refs/birthmark/commits/";

/// What tools make of themselves and make again where it is gone: names of folders and files that
/// are neither dirt nor in a snapshot where git does not track them, unless `birthmark.toml` says
/// others (`[snapshot] caches`).
pub const CACHES: [&str; 7] = [
    "__pycache__",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".DS_Store",
];

/// A file that a snapshot does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path.
    pub path: String,
    /// Its bytes; null where it is no file.
    pub size: Option<u64>,
    /// Digest of its bytes; null where it was not computed.
    #[serde(default)]
    pub digest: Option<String>,
    /// Why it is left out.
    pub reason: String,
}

/// A repository within the working tree, as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NestedCommit {
    /// Where it lies.
    pub path: String,
    /// Its commit: its own snapshot when it was dirty.
    pub commit: String,
    /// Whether that commit is a snapshot.
    pub snapshot: bool,
}

/// The commit that holds the tree which these fields tell of: its snapshot, or that of a clean tree.
pub fn commit_that_holds(fields: &Fields) -> Option<&str> {
    let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
    let is_clean = fields.get("git_dirty") == Some(&serde_json::Value::Bool(false));
    text("git_snapshot").or_else(|| text("git_commit").filter(|_| is_clean))
}

/// Why a snapshot does not give back every file as it was, in a phrase; none where it does.
pub fn lacks(left_out: &[LeftOut], inexact: &[String]) -> Option<String> {
    left_out_phrase(left_out).or_else(|| inexact.first().cloned())
}

/// What holds the code that a birthmark tells of, in short: `snapshot 5aaaf94`, `commit 01f2363`.
pub fn code_named(mark: &Fields) -> Option<String> {
    let text = |name: &str| mark.get(name).and_then(serde_json::Value::as_str);
    let (word, id) = match text("git_snapshot") {
        Some(snapshot) => ("snapshot", snapshot),
        None => ("commit", text("git_commit")?),
    };
    let short: String = id.chars().take(7).collect();
    Some(format!("{word} {}", short.escape_default()))
}

/// Why `script_name` is null where the code stood in no file.
pub const THROUGH_STDIN: &str = "no script: the code came through stdin, and is kept nowhere";
/// The same for a shell or notebook.
pub const TYPED_IN: &str =
    "no script: the code was typed into a shell or notebook, and is kept nowhere";

/// Why the code that a birthmark tells of is not the code that ran: that is kept nowhere.
pub fn kept_nowhere(mark: &Fields) -> Option<&'static str> {
    let why = mark.get("unknown")?.get("script_name")?.as_str()?;
    [THROUGH_STDIN, TYPED_IN]
        .into_iter()
        .find(|known| *known == why)
        .and_then(|known| known.strip_prefix("no script: "))
}

/// Why a snapshot is not exact, in one phrase: `1 file left out (big.bin: over 50 MB)`.
pub fn left_out_phrase(left_out: &[LeftOut]) -> Option<String> {
    let first = left_out.first()?;
    Some(match left_out.len() {
        1 => format!("left out {}: {}", first.path, first.reason),
        n => format!(
            "left out {n} files: {} ({}), +{}",
            first.path,
            first.reason,
            n - 1
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_named() {
        let one = LeftOut {
            path: "big.bin".to_owned(),
            size: Some(1),
            digest: None,
            reason: "over 50 MB".to_owned(),
        };
        assert_eq!(left_out_phrase(&[]), None);
        assert_eq!(
            left_out_phrase(std::slice::from_ref(&one)).as_deref(),
            Some("left out big.bin: over 50 MB")
        );
        assert_eq!(
            left_out_phrase(&[one.clone(), one]).as_deref(),
            Some("left out 2 files: big.bin (over 50 MB), +1")
        );
    }
}
