//! The one public error: what failed, why, and what to do now.
//!
//! Every room below has its own error enum. Here they become one, with a stable
//! `code` for programs, the sources for the *why*, and a `hint` for the reader.

use std::error::Error as StdError;
use std::fmt;

use birthmark_core::birthmark::FieldError;
use birthmark_store::PathError;
use birthmark_store::config::ConfigError;
use birthmark_store::journal::JournalError;
use birthmark_store::records::RecordsError;

/// What a handler would do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller asked for something that cannot be: a wrong field, an unknown session.
    Usage,
    /// The project's settings forbid it (`on_dirty = "refuse"`).
    Refused,
    /// The operating system did not let us.
    Io,
    /// A stored file is not what it must be.
    Damaged,
}

/// An error of the hall.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    code: &'static str,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of what the hall does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error in our own words. `message` is lower case, without a period.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Something the caller must change.
    pub fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, code, message)
    }

    /// The same error with what to do now.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What a handler would do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A stable name for programs; never renamed, only added to.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What to do now, if we know.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the system said beneath it all, without the path that it said it of.
    pub(crate) fn root(&self) -> String {
        let text = self.whole();
        let beneath = text
            .rsplit_once("`: ")
            .map(|(_, beneath)| beneath.to_owned());
        beneath.unwrap_or(text)
    }

    /// The message with its causes: `cannot write `x`: no space left on device`.
    pub fn whole(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.ends_with(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Takes over a room's error: its own words, its own cause.
fn from_room(
    kind: Kind,
    code: &'static str,
    hint: Option<String>,
    error: impl StdError + Send + Sync + 'static,
) -> Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let more = source.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    Error {
        kind,
        code,
        message: text,
        hint,
        source: None,
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        from_room(Kind::Io, "io", error.hint(), error)
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        let hint = match &error {
            JournalError::Io(error) => error.hint(),
            JournalError::Forked { .. } => Some("begin a session in the child".to_owned()),
            _ => None,
        };
        from_room(Kind::Io, "journal", hint, error)
    }
}

impl From<RecordsError> for Error {
    fn from(error: RecordsError) -> Self {
        let (kind, code) = match &error {
            RecordsError::Exists { .. } => (Kind::Usage, "file-exists"),
            RecordsError::InUse { .. } => (Kind::Usage, "file-in-use"),
            RecordsError::Forked { .. } => (Kind::Usage, "forked-child"),
            _ => (Kind::Io, "io"),
        };
        from_room(kind, code, error.hint(), error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        from_room(Kind::Usage, "config", None, error)
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        let hint = match &error {
            FieldError::Reserved(_) => Some("choose another name for your own field".to_owned()),
            _ => None,
        };
        from_room(Kind::Usage, "field", hint, error)
    }
}
