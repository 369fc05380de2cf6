//! Why an artifact cannot be made again.

use std::ffi::OsString;
use std::path::Path;

use birthmark_capture::redact;

use super::Options;
use super::around::{CHANGED, GONE};
use super::plan::{Input, InputState, Plan};
use super::share::Before;

/// What is said of an input that cannot be had.
pub(super) const LOST: &str = "which it read, is neither here as it was nor in the code";
/// And what to do about it.
pub(super) const BRING_IT: &str =
    "bring it back, name a store that has it (--store), or use --inexact";

/// Why it cannot be tried, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Why.
    pub text: String,
    /// What now.
    pub hint: String,
}

impl Input {
    /// Which of its files are not as they were, where that is known, behind a colon.
    pub(super) fn which(&self) -> String {
        let which = self.differing.as_ref();
        which.map_or_else(String::new, |which| format!(": {which}"))
    }
}

impl Plan {
    /// The command that will run: the given one, else the recorded one.
    pub fn command(&self, options: &Options) -> Vec<OsString> {
        if options.command.is_empty() {
            self.argv.iter().map(OsString::from).collect()
        } else {
            options.command.clone()
        }
    }

    /// Why it cannot be tried.
    pub fn blockers(&self, options: &Options) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        let mut put = |text: String, hint: &str| {
            blockers.push(Blocker {
                text,
                hint: hint.to_owned(),
            });
        };
        if options.command.is_empty() {
            self.command_blockers(&mut put);
        }
        let go_on = "--inexact goes on all the same, and the verdict then says less";
        if self.code.restore.is_none() {
            put(
                format!(
                    "the code that ran cannot be had: {}",
                    self.code.inexact.join("; ")
                ),
                self.code.hint.as_deref().unwrap_or(
                    "copy the artifacts folder of the machine that ran it into a clone of its remote",
                ),
            );
        } else if !options.inexact {
            for why in &self.code.inexact {
                put(format!("the code is not exactly what ran: {why}"), go_on);
            }
            for one in &self.beside {
                let root = crate::text::neutral(&one.root.to_string_lossy()).into_owned();
                for why in &one.inexact {
                    put(
                        format!("the code of {root} is not exactly what ran: {why}"),
                        go_on,
                    );
                }
            }
            for (file, state) in &self.around.modules {
                if matches!(*state, CHANGED | GONE) {
                    let name = crate::text::short(file, 100);
                    put(format!("`{name}`, which ran, is {state}"), go_on);
                }
            }
            for input in &self.inputs {
                let is_outside = Path::new(&input.name).is_absolute();
                let name = crate::text::short(&input.name, 100);
                if let InputState::NotAsItWas(why) = input.state
                    && is_outside
                {
                    put(format!("`{name}` is {why}{}", input.which()), go_on);
                } else if let InputState::Here(path) = &input.state
                    && is_outside
                    && path.canonicalize().ok() != Path::new(&input.name).canonicalize().ok()
                {
                    let now = crate::text::short(&self.project.stored_path(path), 100);
                    put(
                        format!(
                            "`{name}` is not as it was, and the run reads it there; its bytes lie at {now}"
                        ),
                        "put them back there, or --inexact goes on with what lies there",
                    );
                } else if input.lost {
                    put(format!("`{name}`, {LOST}{}", input.which()), BRING_IT);
                }
            }
        }
        if let Some(share) = &self.share
            && let Before::Lacking(why) = share.before
            && !options.inexact
        {
            let name = crate::text::short(&self.file, 100);
            put(
                format!("`{name}` as it was before this run cannot be had: {why}"),
                "bring it back, or --inexact: the run then begins the file anew",
            );
        }
        let outside =
            Path::new(&self.file).is_absolute() || self.file.split('/').any(|part| part == "..");
        if outside {
            put(
                format!(
                    "it was written outside of the project, to `{}`, and would be again",
                    self.file
                ),
                "let the script take its output from an argument",
            );
        }
        if self.recorded.sealed().is_none() {
            put(
                "it was never finished, so what it should be is not known".to_owned(),
                "run its script again: a file that was begun is gone on with",
            );
        }
        blockers
    }

    fn command_blockers(&self, put: &mut dyn FnMut(String, &str)) {
        let hint = "say the command yourself: birthmark reproduce ARTIFACT -- CMD";
        let is_notebook = self.argv.iter().any(|word| word.contains("ipykernel"));
        if self.argv.is_empty() || is_notebook {
            put(
                "no command line that could be run again was recorded".to_owned(),
                hint,
            );
        }
        for (place, word) in self.argv.iter().enumerate() {
            if word.contains(redact::BEGINS) {
                let word = crate::text::short(word, 60);
                put(
                    format!("argument {place} of the command was a secret: {word}"),
                    hint,
                );
            }
        }
    }
}
