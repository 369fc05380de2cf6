//! Making an artifact again: first what can be promised, then the run, then the comparison.
//!
//! ```text
//! trace ──> the run ──> Plan: code, inputs, environment, seeds, command
//!                         │ on a go
//!                         ├── a folder of its own: the code, the inputs, what git said
//!                         ├── beside it, the code of other repositories, which Python is led to
//!                         ├── `birthmark run -- CMD` in it, in a fresh session
//!                         └── compare ──> identical, equal records, differs; recorded
//! ```
//!
//! # Invariants
//!
//! * Nothing of the user's is overwritten: the folder is new, arguments that name the user's
//!   own tree are turned to the folder, and an artifact that was written to a path outside of
//!   the project is refused.
//! * Nothing is promised that is not known: what could not be told stands in the plan.
//! * The verdict is about what was recorded. A file that was named and is another by now is said
//!   to be so, and nothing confirms it.
//!
//! # Limitations
//!
//! * A script that writes to an absolute path of its own is refused it within the original
//!   where the system can (see `guard`); else it is looked at what changed. Outside of the
//!   original it writes there again.
//! * What a run read without anybody having recorded it is not brought along.
//! * Where the commit below a snapshot is not to be had, the folder is no repository: a script
//!   that asks git itself is told nothing, and that is said.

mod around;
mod beside;
mod blockers;
mod code;
mod compare;
mod environment;
mod folders;
mod guard;
mod hand;
mod inputs;
mod kept;
mod lay;
mod links;
mod maker;
mod mark;
mod own;
mod packed;
mod plan;
mod render;
mod seeds;
mod share;
mod variables;
mod venv;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use birthmark_capture::process;
use birthmark_core::reproduce::Allowance;
use birthmark_core::{Finding, Timestamp};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::text;

pub use around::Around;
pub use beside::Beside;
pub use blockers::Blocker;
pub use code::Code;
pub use compare::{Compared, Verdict};
pub use hand::{Holds, InHand};
pub use kept::Kept;
pub(crate) use kept::all as kept_in;
pub use maker::Renamed;
pub use plan::{Input, InputState, Plan, plan};
pub use render::render;
pub use share::{Before, Share};

/// How to make it again.
#[derive(Debug, Clone)]
pub struct Options {
    /// Other stores, as for trace.
    pub stores: Vec<PathBuf>,
    /// The folder; without one, a new one in the system's temporary folder.
    pub into: Option<PathBuf>,
    /// The command, where the recorded one is not to be used or cannot be.
    pub command: Vec<OsString>,
    /// Whether to go on although code or inputs are not what they were.
    pub inexact: bool,
    /// Whether to build a venv from the recorded pins; takes the network.
    pub venv: bool,
    /// What may differ.
    pub allowance: Allowance,
    /// Whether what the command says on stdout is only kept, not shown: stdout is the caller's.
    pub quiet: bool,
    /// The program `birthmark` itself, which runs the command in a session of its own.
    pub program: PathBuf,
    /// Now.
    pub now: Timestamp,
}

/// How it came out.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The folder it was made in.
    pub folder: PathBuf,
    /// What was made there.
    pub made: PathBuf,
    /// The session of the reproduction, if one began.
    pub session: Option<String>,
    /// Exit status of the command.
    pub exit_code: Option<i32>,
    /// The verdict, about what was recorded.
    pub compared: Compared,
    /// Whether the file that was named is what was recorded; nothing where none was.
    pub in_hand_as_recorded: Option<bool>,
    /// What code it loaded that the original did not; `None` where one of them did not tell.
    pub other_code: Option<Vec<String>>,
    /// What differs in the environment that was built, where one was; the error is why that
    /// cannot be told.
    pub built: Option<Result<Vec<String>, String>>,
    /// What the command changed of the original, where the system cannot refuse it.
    pub changed: Vec<String>,
    /// What could not be written down.
    pub unrecorded: Option<String>,
}

impl Outcome {
    /// Whether what was made again is what was made, and the file that was named is that too.
    pub fn is_confirmed(&self) -> bool {
        self.compared.verdict.is_equal() && self.in_hand_as_recorded != Some(false)
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "folder": self.folder.to_string_lossy(),
            "made": self.made.to_string_lossy(),
            "session_id": self.session,
            "exit_code": self.exit_code,
            "verdict": self.compared.verdict.word(),
            "place": self.compared.place,
            "in_hand_as_recorded": self.in_hand_as_recorded,
            "confirmed": self.is_confirmed(),
            "other_code": self.other_code,
            "original_changed": self.changed,
            "built_differs": self.built.as_ref().and_then(|built| built.as_ref().ok()),
            "built_unknown": self.built.as_ref().and_then(|built| built.as_ref().err()),
        })
    }
}

/// Does what a plan says. `say` takes lines for the person.
pub fn go(plan: &Plan, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    if let Some(blocker) = plan.blockers(options).first() {
        return Err(
            Error::usage("cannot-reproduce", blocker.text.clone()).with_hint(blocker.hint.clone())
        );
    }
    let laid = lay::lay(plan, options, say)?;
    let built = laid.python.as_ref().map(|python| {
        let python = python.to_string_lossy();
        environment::differences(&plan.project.layout, &plan.environment_fields, &python)
    });
    for line in built.iter().flatten().flatten() {
        say(&format!(
            "birthmark: the environment differs: {}",
            text::neutral(line)
        ));
    }
    say(&format!(
        "birthmark: running it in {}",
        laid.folder.display()
    ));
    if plan.around.stdin.as_deref() == Some("pipe") {
        say(
            "birthmark: its stdin was a pipe, which nobody records: where it read that, pipe it \
             into this command again, else what it makes will differ",
        );
    }
    let ran = lay::run(plan, options, &laid)?;
    let exit_code = ran.exit_code;
    for line in &ran.changed {
        say(&format!("birthmark: {}", text::neutral(line)));
    }
    let made = laid.folder.join(&plan.file);
    let session = lay::session_in(&laid);
    let wanted = compare::Wanted {
        recorded: &plan.recorded,
        original: ran.copy.as_deref().or(plan.original.as_deref()),
        share: plan.share.as_ref(),
    };
    let compared = compare::compare(&wanted, &made, session.as_deref(), &options.allowance)?;
    let refused = guard::refused_in(plan, &laid, session.as_deref());
    let mut compared = compared.settled(plan.had_ended, exit_code, refused.as_deref());
    let is_given = matches!(process::stdin(), Finding::Found(("pipe" | "file", _)));
    if plan.around.stdin.as_deref() == Some("pipe") && !is_given {
        compared = compared.without_its_pipe();
    }
    let other_code = beside::differences(plan, &laid, session.as_deref());
    for line in other_code.iter().flatten() {
        say(&format!(
            "birthmark: other code ran: {}",
            text::neutral(line)
        ));
    }
    let unrecorded = kept::keep(plan, &laid, &compared, session.as_deref(), options.now).err();
    Ok(Outcome {
        folder: laid.folder,
        made,
        session,
        exit_code,
        compared,
        in_hand_as_recorded: plan.in_hand.as_ref().map(InHand::as_recorded),
        other_code,
        built,
        unrecorded: unrecorded.map(|error| error.whole()),
        changed: ran.changed,
    })
}

fn io(path: &Path, what: &str, source: std::io::Error) -> Error {
    Error::new(
        Kind::Io,
        "io",
        format!("cannot {what} `{}`", path.display()),
    )
    .with_source(source)
}
