//! `birthmark run`: a command inside a session.

use std::ffi::OsString;

use std::path::PathBuf;

use birthmark::run::{self, NotRun, RelayOptions, RunOptions};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Run a command in a session: which code ran, and how it ended
///
/// A session begins before the command and ends with it. Scripts under it that use
/// birthmark join the session. The command has the terminal to itself; what it says is
/// shown as ever and kept, without secrets, for `birthmark session log`. What you send into
/// a file (`> log.txt`) is that file, which is named instead of being copied. Files that it
/// makes in the artifacts folder are recorded. Its exit status is passed on: 128 + N
/// when signal N killed it, 127 when there is no such program, 126 when it cannot be
/// executed.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A file it means to make: 'sft_*.jsonl (200 examples)' (can be repeated)
    #[arg(long, value_name = "PLAN")]
    planned: Vec<String>,

    /// A field that everything it makes inherits: seed=42 (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// The same, with the value as text whatever it looks like (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set_text: Vec<String>,

    /// Keep nothing of what it says, and stay out of its way
    #[arg(long)]
    no_logs: bool,

    /// The command, after --
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// Runs it.
pub fn run(ui: &mut Ui, args: RunArgs) -> Answer {
    let options = RunOptions {
        given: super::fields(&args.set, &args.set_text)?,
        planned: args.planned,
        command: args.command,
        on_dirty: None,
        helper: std::env::current_exe().ok(),
        no_logs: args.no_logs,
        talk: if super::quiet() {
            None
        } else {
            Some(ui.talker())
        },
    };
    let finished = run::run(&options).map_err(|not_run| match not_run {
        NotRun::Program(code, error) => Failure {
            status: ExitStatus::Passed(code),
            ..Failure::from(error)
        },
        NotRun::Session(error) => Failure::from(error),
    })?;
    if let Some(reason) = finished.unrecorded {
        ui.talk(&format!(
            "warning: not all of session {} could be recorded: {reason}",
            finished.session.short()
        ));
    }
    Ok(ExitStatus::Passed(finished.code))
}

/// Pass a command's output on and keep a copy
#[derive(Debug, clap::Args)]
pub struct RelayArgs {
    logs: PathBuf,
    stem: String,
    limit: u64,
}

/// Does so until the output ends.
pub fn relay(args: RelayArgs) -> Answer {
    run::relay(RelayOptions {
        folder: args.logs,
        stem: args.stem,
        limit: args.limit,
    })?;
    Ok(ExitStatus::Yes)
}
