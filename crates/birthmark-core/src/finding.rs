//! What a look at the world can answer: found, absent, or unknown with its reason.
//!
//! A provenance tool that guesses is worse than none. Every probe therefore
//! answers with a [`Finding`], which cannot say "no" when it means "I could not
//! tell", and cannot say "I could not tell" without saying why.

/// The answer of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding<T> {
    /// The thing is there, and this is it.
    Found(T),
    /// The thing is known not to be there (no GPU, no branch on a detached HEAD).
    Absent,
    /// The probe could not tell, for this reason: a short phrase, lower case, no
    /// period, fit to stand behind the field's name ("status did not answer in 2 s").
    Unknown(String),
}

impl<T> Finding<T> {
    /// An unknown with its reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown(reason.into())
    }

    /// What was found, if anything was.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// Why it is unknown, if it is.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unknown(reason) => Some(reason),
            Self::Found(_) | Self::Absent => None,
        }
    }

    /// The same finding about something derived from what was found.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Finding<U> {
        match self {
            Self::Found(value) => Finding::Found(f(value)),
            Self::Absent => Finding::Absent,
            Self::Unknown(reason) => Finding::Unknown(reason),
        }
    }

    /// The same finding with what was found borrowed.
    pub fn as_ref(&self) -> Finding<&T> {
        match self {
            Self::Found(value) => Finding::Found(value),
            Self::Absent => Finding::Absent,
            Self::Unknown(reason) => Finding::Unknown(reason.clone()),
        }
    }
}

impl<T> From<Option<T>> for Finding<T> {
    /// `None` is *absent*: use it only where "none" is knowledge.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Found)
    }
}
