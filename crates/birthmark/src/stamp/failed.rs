//! The rooms' errors of reading and stamping, as errors of the hall.

use birthmark_store::digest;
use birthmark_store::format::FormatError;

use crate::error::{Error, Kind};

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        let hint = error.hint();
        let (kind, code) = match &error {
            FormatError::NotJson { .. } => (Kind::Usage, "not-json"),
            FormatError::Record { .. } => (Kind::Usage, "record"),
            FormatError::TooLong { .. } => (Kind::Usage, "too-long"),
            FormatError::Damaged { .. } => (Kind::Io, "damaged"),
            _ => (Kind::Io, "io"),
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let mut message = match &error {
            FormatError::Record {
                name,
                line,
                offset,
                source,
            } => {
                let name = name.display();
                format!("`{name}`, line {line}, byte {offset} of the file: {source}")
            }
            other => other.to_string(),
        };
        if let Some(cause) = cause.filter(|cause| kind == Kind::Io && !message.contains(cause)) {
            message = format!("{message}: {cause}");
        }
        let error = Self::new(kind, code, message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<digest::FileError> for Error {
    fn from(error: digest::FileError) -> Self {
        let hint = error.hint();
        let mut message = error
            .to_string()
            .replacen("cannot digest", "cannot read", 1);
        if let digest::FileError::Path(path) = &error {
            message = format!("{message}: {}", path.source);
        }
        let error = Self::new(Kind::Io, "io", message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
