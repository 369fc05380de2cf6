//! Names and versions of everything that is stored.
//!
//! A stored format is forever: its version stands in its name, a later version
//! gets another name, and every reader goes on reading the older ones.

/// The provenance block that an artifact carries.
pub const BIRTHMARK_FORMAT: &str = "birthmark/v1";
/// One journal: the first event of each names it.
pub const JOURNAL_FORMAT: &str = "birthmark/journal/v1";
/// The manifest of a session.
pub const MANIFEST_FORMAT: &str = "birthmark/manifest/v1";
/// The file that `birthmark declare` writes beside code deployed without `.git`.
pub const DECLARATION_FORMAT: &str = "birthmark/declaration/v1";
/// The key under which a birthmark stands in a record or report.
pub const METADATA_KEY: &str = "metadata";
/// The end of a sidecar's name: `<file>.birthmark.json`.
pub const SIDECAR_SUFFIX: &str = ".birthmark.json";
/// The end of the name of a report's items while it is being made.
pub const PART_SUFFIX: &str = ".part.jsonl";
