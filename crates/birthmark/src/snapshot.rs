//! Snapshots: the code that ran, kept when a run begins and given back when it is wanted.
//!
//! * A dirty tree becomes a commit beside the run; the first birthmark waits for its id, the
//!   rest (syncing, the reference, the bundle for the store) goes on without anybody waiting.
//! * Giving back needs no git program and runs nothing. A commit is looked for in the clone,
//!   in the repositories that it was taken from, and in the store.
//! * Nothing that is there is replaced unless the person says so.

mod restore;
mod source;
mod take;

pub use restore::{Missing, RestoreOptions, Restored, restore};
pub use source::{Place, Source};
pub(crate) use take::Taking;
