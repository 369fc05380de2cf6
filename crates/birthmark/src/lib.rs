//! The hall: what a user does, one file per verb.
//!
//! The rooms below each do one thing: capture looks, store keeps, core says what
//! it means. Here they are joined: a session begins by looking at the code and
//! the machine, writes what it saw to a journal, stamps what is made, and is
//! folded into a manifest. The doors (program, Python) only translate.
//!
//! | the user | room |
//! |---|---|
//! | begins, joins and ends a session | [`session`] |
//! | asks which sessions there are | [`sessions`] |
//! | asks of a file: who, when, which code, which model | [`show`] |
//! | asks: is it still what was recorded | [`verify`] |
//! | says what must be recorded | [`policy`] |
//! | asks: does a secret stand in what I made | [`scan`] |
//! | asks: may I compare these | [`compare`] |
//! | asks: what did a crash leave | [`salvage`] |
//! | wants the code back that ran | [`snapshot`] |
//! | asks: where did it come from, what came of it | [`trace`] |
//! | wants it made again | [`reproduce`] |
//! | wants birthmarks for what other tools wrote | [`import`] |
//! | asks for all that was made so, anywhere | `find`, `list`, `sql` (feature `catalog`) |

pub mod add;
#[cfg(feature = "catalog")]
pub mod catalog;
#[cfg(feature = "catalog")]
pub mod clocks;
pub(crate) mod code_beside;
pub mod compare;
pub mod dataset;
pub mod declare;
pub mod digests;
pub mod doctor;
pub mod error;
pub mod evaluation;
#[cfg(feature = "catalog")]
pub mod find;
mod generated;
mod held;
pub mod import;
pub mod init;
pub mod lineage;
mod lines;
#[cfg(feature = "catalog")]
pub mod list;
pub mod logs;
pub mod looks;
pub mod machine;
pub mod meant;
pub mod policy;
pub mod project;
mod projects;
pub mod read;
pub mod records;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod salvage;
pub mod scan;
pub mod seal;
pub mod session;
pub mod sessions;
pub mod show;
pub mod snapshot;
#[cfg(feature = "catalog")]
pub mod sql;
pub mod stamp;
pub mod talk;
pub mod template;
pub mod text;
pub mod trace;
pub mod verify;
pub mod weights;
pub mod wrote;

pub use error::{Error, Kind, Result};
pub use project::Project;

/// The version of the program, the same for the wheel and the command line.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
