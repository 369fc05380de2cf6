//! Snapshots: the code that ran, kept when a run begins and given back when it is wanted.
//!
//! * A dirty tree becomes a commit beside the run; the first birthmark waits for its id, the
//!   rest (syncing, the reference, the bundle for the store) goes on without anybody waiting.
//! * What no remote has is also written to the store as a bundle, so that copying the
//!   artifacts brings the code along.
//! * Giving back needs no git program and runs nothing. A commit is looked for in the clone,
//!   in the repositories that it was taken from, and in the store.
//! * Nothing that is there is replaced unless the person says so.

mod archive;
mod around;
mod beside;
mod diff;
mod keep;
mod list;
mod prune;
mod restore;
mod source;
mod take;
mod wanted;
mod whole;

pub use archive::{Archive, archive};
pub(crate) use around::{Head, make_repository};
pub(crate) use beside::{look_beside, note_code_beside};
pub use diff::{Change, Diff, Differing, diff};
pub(crate) use keep::check as check_kept;
pub use keep::kept_bytes;
pub use list::{Described, Listed, describe, list};
pub use prune::{Pruned, prune};
pub use restore::{Missing, Nested, RestoreOptions, Restored, restore};
pub use source::{Lives, lives};
pub(crate) use source::{is_restorable, stranded};
pub(crate) use take::{Taking, take_at_end};
pub(crate) use wanted::named;
pub(crate) use whole::{Held, lacking};
