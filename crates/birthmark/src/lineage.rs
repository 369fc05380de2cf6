//! Lineage by itself: what a run read, made and loaded, without a call that says so.
//!
//! | seen by | what |
//! |---|---|
//! | `preload` | every opening of the command and its children, under `birthmark run` on Linux |
//! | `audit` | what a Python session opens through the interpreter, its forked children too |
//! | `maps` | what is mapped or open at its end |
//! | `call` | what a Python session loads by name, through `from_pretrained` and `load_dataset` |
//! | `folders` | files that are new or changed in the artifacts folder at the end |
//!
//! What was opened is sorted by `rules`: data become inputs (`artifact_used`), the
//! repository's own code becomes a list of modules (`modules_observed`), the rest is noise and
//! counted. How far all that reaches is said once (`lineage_observed`).
//!
//! A file that was there before and got another name is an input with its old one (`names`).
//!
//! What a writer of ours recorded stands in the journal already and is left alone. Files that a
//! run made otherwise are recorded as *observed*: with digest and birthmark in the journal, and
//! nothing written beside the file, since a program may take every file of a folder for its own.

mod caches;
pub(crate) mod folders;
pub(crate) mod inputs;
pub(crate) mod listed;
mod loads;
mod lost;
mod made;
mod modules;
mod names;
pub(crate) mod preload;
mod record;
mod removed;
pub(crate) mod rules;
mod seen;
pub(crate) mod told;

pub use loads::Load;
pub(crate) use made::{OBSERVED, size as size_of};
pub use record::{Watched, mapped};
pub use rules::source_opened;
pub use seen::{Naming, Seen};
