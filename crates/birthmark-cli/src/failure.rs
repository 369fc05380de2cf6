//! Errors as the terminal shows them: what failed, why, and what to do now.
//!
//! ```text
//! error: cannot write `artifacts/eval.json`
//! cause: no space left on device
//! hint: free some space; nothing of yours was changed
//! ```

use std::error::Error as _;
use std::io;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::ExitStatus;

/// Why a command could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed; lower case, without a period.
    pub message: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do now.
    pub hint: Option<String>,
    /// What the shell is told.
    pub status: ExitStatus,
}

/// What a command answers.
pub type Answer = Result<ExitStatus, Failure>;

impl Failure {
    /// Something that could not be done or told.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            status: ExitStatus::CannotTell,
        }
    }

    /// The same with what to do now.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong with the command line. `None` where clap only has something to
    /// show: a help page, the version.
    pub fn of_usage(error: &clap::Error) -> Option<Self> {
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        ) {
            return None;
        }
        let rendered = error.render().to_string();
        let mut lines = rendered
            .lines()
            .take_while(|line| !line.starts_with("Usage:"));
        let first = lines.next().unwrap_or_default();
        let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
        let mut hint = None;
        let told = |line: &&str| !line.is_empty() && !line.starts_with("For more information");
        for line in lines.map(str::trim).filter(told) {
            match line.strip_prefix("tip: ") {
                Some(tip) => hint = hint.or_else(|| Some(tip.to_owned())),
                None => message = format!("{message} {line}"),
            }
        }
        let hint = hint.or_else(|| usage_of(error));
        Some(Self {
            message,
            causes: Vec::new(),
            hint,
            status: ExitStatus::CannotTell,
        })
    }
}

/// `usage: birthmark show [OPTIONS] <FILE>`.
fn usage_of(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let text = usage.to_string();
            let text = text.trim();
            Some(
                text.strip_prefix("Usage:")
                    .map_or(text.to_owned(), |rest| format!("usage:{rest}")),
            )
        }
        _ => None,
    }
}

impl From<birthmark::Error> for Failure {
    fn from(error: birthmark::Error) -> Self {
        let mut causes: Vec<String> = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // A room's error may repeat its source word for word, or be the message itself.
            if !causes.iter().any(|said| said.contains(&text)) && !error.to_string().contains(&text)
            {
                causes.push(text);
            }
            cause = inner.source();
        }
        Self {
            message: error.to_string(),
            causes,
            hint: error.hint().map(str::to_owned),
            status: ExitStatus::CannotTell,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("cannot write to standard output").caused_by(error.to_string())
    }
}

impl Failure {
    fn caused_by(mut self, cause: String) -> Self {
        self.causes.push(cause);
        self
    }
}
