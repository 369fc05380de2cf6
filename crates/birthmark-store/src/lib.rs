//! Keeps: journals, manifests, objects and stamped files, safe against crashes.
//!
//! | question | room |
//! |---|---|
//! | where does a file stand? | [`layout`] |
//! | how is a file written so that a crash cannot halve it? | [`atomic`] |
//! | how is written beside a file of the user's? | [`beside`] |
//! | how is a large file written at the speed of the disk? | [`bulk`] |
//! | how are events recorded and read back? | [`journal`] |
//! | how far is long reading, and is it to stop? | [`reading`], [`stop`] |
//! | does a long line end soon? | [`ahead`] |
//! | is the last line of a file whole? | [`tail`] |
//! | how are records appended, and an interrupted file gone on with? | [`records`] |
//! | what did a command say? | [`logs`] |
//! | how do the ranks of one launch find one session? | [`launches`] |
//! | what does the project want? | [`config`] |
//! | what were the bytes of a file or folder? | [`digest`], [`format::directory`] |
//! | how does a commit become a folder again? | [`tree`] |
//! | how does a file carry its birthmarks? | [`mod@format`] |
//!
//! Durability: what is acknowledged survives the death of the process at any
//! instruction; with [`Durability::Power`](atomic::Durability) also a power cut.

pub mod ahead;
pub mod atomic;
pub mod beside;
pub mod bulk;
pub mod config;
pub mod digest;
mod folder;
pub mod format;
pub mod journal;
pub mod launches;
pub mod layout;
pub mod line_sums;
pub mod logs;
#[cfg(test)]
mod model;
pub mod modes;
pub mod objects;
pub mod reading;
pub mod records;
pub mod running;
pub mod seam;
pub mod stop;
pub mod tail;
pub mod tree;

pub use atomic::{Durability, PathError};
pub use layout::Layout;
