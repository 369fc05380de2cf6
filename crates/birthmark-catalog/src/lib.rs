//! Asks: an index over all that was ever made, which can always be built anew.
//!
//! ```text
//! journals, manifests ─┐
//! stamped files ───────┼─ hall: looks, reads ─> engine: apply ─> tables ─> find, sql
//! sidecars ────────────┘
//! ```
//!
//! Nothing here opens a journal or an artifact: the hall hands over folded sessions and
//! groups of records, and looks into files where the tables cannot tell.
//!
//! | question | room |
//! |---|---|
//! | what does a person type, and what does it mean? | [`filter`] |
//! | how do two values compare? | [`value`] |
//! | how are a million records one row? | [`groups`], [`zone`] |
//! | which tables are there? | `tables` |
//! | how are they written and asked? | [`engine`], [`engine::local`] |
//!
//! # Invariants
//!
//! * All of it can be built anew from the files: losing it costs time alone.
//! * No schema is inferred: each value keeps its kind, each number its text.

pub mod engine;
pub mod error;
pub mod filter;
pub mod groups;
mod tables;
pub mod value;
pub mod zone;

pub use engine::local::Local;
pub use error::CatalogError;
