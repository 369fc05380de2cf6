//! Lineage by itself: which files a run made, without a call that says so.
//!
//! | seen by | what |
//! |---|---|
//! | [`folders`] | files that are new or changed in the artifacts folder at the end |
//!
//! What a writer of ours recorded stands in the journal already and is left alone. The rest is
//! recorded as *observed*: with digest and birthmark in the journal, and nothing written beside
//! the file, since a program may take every file of a folder for its own.

pub(crate) mod folders;
mod made;

pub(crate) use made::OBSERVED;
