//! What files with key-values have in common (weights, tables): the birthmark is the
//! text of one key, `birthmark`.

use std::path::Path;

use birthmark_core::json::{self, Where};

use super::replaced::replaces;
use super::{Birthmarks, Each, FormatError, Mark, OnExisting, Placed};

/// The key.
pub(super) const KEY: &str = "birthmark";

/// What stands under the key.
pub(super) enum Standing {
    /// The key is not there.
    Nothing,
    /// A birthmark: its JSON, without space around it.
    Birthmark(Vec<u8>),
    /// Something of somebody else.
    Foreign,
}

impl Standing {
    /// What the text under the key is.
    pub(super) fn of(text: Option<&[u8]>) -> Self {
        match text.map(<[u8]>::trim_ascii) {
            None => Self::Nothing,
            Some(text) if json::check_envelope(text).is_ok() && json::is_birthmark(text) => {
                Self::Birthmark(text.to_vec())
            }
            Some(_) => Self::Foreign,
        }
    }

    /// The object that stands for the file: `{}`, or `{"metadata": …}`.
    fn record(&self) -> Vec<u8> {
        match self {
            Self::Birthmark(text) => [b"{\"metadata\": ", text.as_slice(), b"}"].concat(),
            Self::Nothing | Self::Foreign => b"{}".to_vec(),
        }
    }

    /// Hands the one record over.
    pub(super) fn hand_over(&self, each: &mut Each<'_>) -> u64 {
        let record = self.record();
        let place = json::find_birthmark(&record).unwrap_or(Where::Absent);
        each(Ok(Mark {
            line: 1,
            offset: 0,
            record: &record,
            place,
            changes: None,
        }));
        1
    }

    /// The birthmark to put in and what becomes of the older one; none where that one
    /// is to stay.
    pub(super) fn next(
        &self,
        name: &Path,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Option<(Vec<u8>, Placed)>, FormatError> {
        let placed = match (self, existing) {
            (Self::Foreign, _) => {
                return Err(FormatError::NoPlace {
                    name: name.to_owned(),
                    what: "its key `birthmark` is in use by somebody else".to_owned(),
                });
            }
            (Self::Nothing, _) => Placed::Metadata,
            (Self::Birthmark(_), OnExisting::Keep) => return Ok(None),
            (Self::Birthmark(_), OnExisting::Replace) => Placed::Replaced,
            (Self::Birthmark(_), OnExisting::Error | OnExisting::Merge) => {
                return Err(FormatError::AlreadyStamped {
                    name: name.to_owned(),
                });
            }
        };
        let mut mark = Vec::new();
        birthmarks.write(1, &self.record(), &mut mark);
        Ok(Some((mark, placed)))
    }

    /// Whether our birthmark took the place of an older one.
    pub(super) fn replaces(&self) -> bool {
        let record = self.record();
        json::find_birthmark(&record).is_ok_and(|place| replaces(&record, &place))
    }

    /// Whether a birthmark of ours stands there.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Birthmark(_))
    }
}
