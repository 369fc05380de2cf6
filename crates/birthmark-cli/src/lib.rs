//! The door of the terminal: translates between a shell and the hall, and decides
//! nothing.
//!
//! ```text
//! main ── cli::Cli ── commands::<verb>::run(ui, args) ── birthmark::<verb>
//!           │                 │
//!           │                 └ ui: stdout is data, stderr is talk
//!           └ exit: 0 yes, 1 no, 2 could not tell or misused
//! ```
//!
//! # Invariants
//!
//! * One file a command; its doc comment is its help. Help lists only what exists.
//! * No raw control character of any data reaches the terminal.
//! * A reader that goes away (`| head`) is no error and changes no verdict.

pub mod cli;
pub mod commands;
pub mod csv;
pub mod exit;
pub mod failure;
mod progress;
pub mod reference;
mod signals;
pub mod table;
pub mod ui;
mod wrap;

use std::process::ExitCode;

/// The program, from its arguments to its exit status.
pub fn main() -> ExitCode {
    signals::file_limit_is_an_error();
    cli::run(std::env::args_os())
}
