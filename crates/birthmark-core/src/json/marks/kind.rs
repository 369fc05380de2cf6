//! What kinds of birthmarks there are.

use crate::json::locate::Where;

/// What kind of birthmark a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// Ours, under `metadata`.
    Metadata,
    /// Ours, under `birthmark`, since `metadata` was taken.
    Beside,
    /// Ours, among the user's own keys in `metadata`.
    Merged,
    /// Ours, but it cannot be told from the user's keys.
    Unclear,
    /// A `git_commit` under `metadata` that names no format of ours.
    Foreign,
}

impl MarkKind {
    /// The kind of what stands there; none where nothing does.
    pub fn of(place: &Where) -> Option<Self> {
        match place {
            Where::Absent => None,
            Where::Metadata(_) => Some(Self::Metadata),
            Where::Beside(_) => Some(Self::Beside),
            Where::Merged { .. } => Some(Self::Merged),
            Where::Unclear(_) => Some(Self::Unclear),
            Where::Foreign(_) => Some(Self::Foreign),
        }
    }

    /// Whether it names our format.
    pub fn is_ours(self) -> bool {
        self != Self::Foreign
    }

    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Beside => "birthmark",
            Self::Merged => "metadata, merged",
            Self::Unclear => "metadata, merged unclearly",
            Self::Foreign => "metadata, foreign",
        }
    }

    /// The key under which a birthmark can be laid over one of this kind: none where what is
    /// the user's and what is ours must be told apart anew.
    pub(super) fn key(self) -> Option<&'static str> {
        match self {
            Self::Metadata | Self::Foreign => Some("metadata"),
            Self::Beside => Some("birthmark"),
            Self::Merged | Self::Unclear => None,
        }
    }
}
