//! What can be wrong with a piece of JSON, and where.

/// Why bytes are not the JSON that was asked for, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct ScanError {
    /// Bytes from the start of what was scanned to the fault.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ScanErrorKind,
}

/// What is wrong with a piece of JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanErrorKind {
    /// Bytes that are no UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// A byte order mark where a value should begin.
    #[error("a byte order mark")]
    ByteOrderMark,
    /// The bytes end too early: what a torn line looks like.
    #[error("the text ends where {expected} should stand")]
    Ended {
        /// What should have come.
        expected: &'static str,
    },
    /// Another byte than the grammar allows.
    #[error("`{}` where {expected} should stand", found.escape_ascii())]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// What came.
        found: u8,
    },
    /// A raw control character in a string.
    #[error("the raw control character 0x{0:02x} in a string")]
    ControlCharacter(u8),
    /// A backslash followed by something that is no escape.
    #[error("a bad escape in a string")]
    BadEscape,
    /// Something like a number that is none: `01`, `1.`, `-`, `1e`.
    #[error("a malformed number")]
    BadNumber,
    /// Deeper than [`super::MAX_DEPTH`], or than the limit of an envelope.
    #[error("more than {0} levels of nesting")]
    TooDeep(usize),
    /// A whole value, and then something else.
    #[error("more data after the end of the value")]
    TrailingData,
    /// A whole JSON value perhaps, but no object.
    #[error("something other than a JSON object")]
    NotAnObject,
    /// Two equal keys in an envelope.
    #[error("the key {0:?} for the second time")]
    DuplicateKey(String),
    /// `NaN` or an infinity in an envelope.
    #[error("NaN or an infinity, which no birthmark holds,")]
    NotFinite,
    /// An object that does not name the format `birthmark/v1`, or has `merged`.
    #[error("an object that is no birthmark")]
    NotABirthmark,
}

impl ScanError {
    pub(super) fn new(offset: usize, kind: ScanErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Whether more bytes could have made it right: the mark of a torn line.
    pub fn is_cut_short(&self) -> bool {
        matches!(self.kind, ScanErrorKind::Ended { .. })
    }

    /// The same error, seen from `by` bytes further to the left.
    #[must_use]
    pub fn shifted(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }
}
