//! Events of artifacts: written, finished, read, removed, and how much of that was seen.

use serde::{Deserialize, Serialize};

use crate::birthmark::Fields;
use crate::timestamp::Timestamp;

/// An artifact is being written, from here on under its final name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactOpened {
    /// Path relative to the project's root, with `/`; escaped when not UTF-8.
    pub file: String,
    /// The path's own bytes in base64, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<String>,
    /// The artifact's type.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// How it is written: `jsonl`, `report`, `file`, `folder`.
    pub format: String,
    /// Whole birthmark at the opening.
    pub birthmark: Fields,
    /// Bytes that were there before, when an existing file goes on.
    pub continued_bytes: u64,
    /// Records that were there before.
    pub continued_records: u64,
    /// Digest of the bytes that were there before; nothing in older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_digest: Option<String>,
    /// The same without their birthmarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_content_digest: Option<String>,
}

/// How far an artifact has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactProgress {
    /// Path as in `artifact_opened`.
    pub file: String,
    /// Bytes so far.
    pub size: u64,
    /// Records so far.
    pub records: u64,
    /// Digest of these bytes.
    pub digest: String,
}

/// An artifact is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactSealed {
    /// Path relative to the project's root, with `/`; escaped when not UTF-8.
    pub file: String,
    /// The path's own bytes in base64, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<String>,
    /// The artifact's type.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// `jsonl`, `report`, `file`, `folder`.
    pub format: String,
    /// When it was finished.
    pub timestamp: Timestamp,
    /// Bytes.
    pub size: u64,
    /// Records, where it has records.
    pub records: Option<u64>,
    /// Digest of the bytes as they lie; null while it is being computed.
    pub digest: Option<String>,
    /// Digest of the bytes with birthmarks removed.
    pub content_digest: Option<String>,
    /// Whole birthmark.
    pub birthmark: Fields,
    /// Facts of the writing: NaN counts, cut tails, that it was stopped by an error.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub notes: Fields,
}

/// Something was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactUsed {
    /// The input: `role`, `file` or `name`, `digest`, …
    pub input: Fields,
}

/// An artifact was removed on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRemoved {
    /// Path as it was sealed.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A report is being made item by item: its items stand in its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBegun {
    /// The report's path, as it would be sealed.
    pub file: String,
    /// Where its items are.
    pub part: String,
}

/// A report was left before it was put together: its items wait in its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportLeft {
    /// The report's path, as it would be sealed.
    pub file: String,
    /// Where its items are.
    pub part: String,
    /// How many.
    pub items: u64,
}

/// How much was seen of what a run read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageObserved {
    /// `complete`, or `partial` with the reasons.
    pub state: String,
    /// Why it is partial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// How it was seen: `preload`, `audit`, `maps`, `folder`.
    pub observed_by: Vec<String>,
    /// Files that were opened to be read, once each.
    pub read: u64,
    /// Files that were opened to be written, once each.
    pub written: u64,
    /// Inputs that are listed, each in an `artifact_used`.
    pub inputs: u64,
    /// Files that rules leave out, by the name of the rule.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub left_out: Fields,
    /// Whether all code that ran was seen, which may be so where not all data was; nothing in
    /// older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_complete: Option<bool>,
    /// Code that was loaded from neither a package nor a repository: `file` and `digest` of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loose_code: Vec<Fields>,
}
