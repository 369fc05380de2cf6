//! What is known of a snapshot: a commit that holds a whole working tree.
//!
//! * A snapshot is *exact* when it gives back every file that git does not ignore, byte
//!   for byte, as it was. What it leaves out stands in `left_out`, by name and reason, and
//!   then it is not exact.
//! * Paths are relative to the top level of their repository, with `/`, escaped where they
//!   could not be shown; the commit itself has the bytes.

use serde::{Deserialize, Serialize};

/// Where the references to snapshots stand in a repository; the run's id follows.
pub const REFERENCES: &str = "refs/birthmark/snapshots/";

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
