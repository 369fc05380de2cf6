//! The program as a person uses it: real folders, real git, real processes. Exit status,
//! stdout and stderr of each call stand in one picture.
//!
//! A changed word shows as a changed snapshot: look at it, then accept it with
//! `INSTA_UPDATE=always cargo test -p birthmark-cli`.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests build their own world, and stop when it cannot be built"
)]

mod world;

mod bad_input;
mod bundle;
mod ci;
mod compare;
mod compare_guide;
mod completions;
mod corpus;
mod corpus_later;
mod damaged;
mod declare;
mod doctor;
mod find;
mod find_groups;
mod front;
mod hostile;
mod interrupts;
mod limits;
mod meant;
mod policy;
mod private;
mod reference;
mod run;
mod run_output;
mod salvage;
mod scan;
mod screen;
mod session;
mod show;
mod sql;
mod stamp;
mod stamp_many;
mod states;
mod trace;
mod unstamp;
mod verify;
