//! The file that was named, held against what was recorded: that is what the person means.

use serde_json::{Value, json};

use crate::trace::{FoundBy, Target};

/// The file that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// Its path from the project's root.
    pub name: String,
    /// The digest of its bytes now.
    pub digest: Option<String>,
    /// What of it is as it was recorded.
    pub holds: Holds,
}

/// What a file is to what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Its bytes; or its content, of which the birthmarks were taken out.
    AsRecorded,
    /// Its content, under birthmarks that were not recorded.
    OtherBirthmarks,
    /// Neither.
    Another,
}

impl InHand {
    /// None where a digest was asked for, or a file that lies here no more.
    pub(super) fn of(target: &Target) -> Option<Self> {
        target.path.as_ref()?;
        let holds = match target.found_by {
            FoundBy::Content if target.stamped => Holds::OtherBirthmarks,
            FoundBy::Digest | FoundBy::Content => Holds::AsRecorded,
            _ => Holds::Another,
        };
        Some(Self {
            name: target.name.clone(),
            digest: target.digests.0.clone(),
            holds,
        })
    }

    /// Whether it is what was recorded, as far as it says anything.
    pub fn as_recorded(&self) -> bool {
        self.holds == Holds::AsRecorded
    }

    /// The line that stands above all, where the file is another than was recorded.
    pub fn warning(&self) -> Option<String> {
        let name = crate::text::short(&self.name, 100);
        match self.holds {
            Holds::AsRecorded => None,
            Holds::OtherBirthmarks => Some(format!(
                "! the birthmarks of {name} are not those that were recorded"
            )),
            Holds::Another => Some(format!("! {name} is not what was recorded")),
        }
    }

    /// The same below a verdict.
    pub fn verdict_is_not_about(&self) -> Option<String> {
        let them = match self.holds {
            Holds::OtherBirthmarks => "them",
            Holds::AsRecorded | Holds::Another => "it",
        };
        let warning = self.warning()?;
        Some(format!("{warning}: the verdict is not about {them}"))
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "file": self.name,
            "digest": self.digest,
            "as_recorded": self.as_recorded(),
            "other_birthmarks": self.holds == Holds::OtherBirthmarks,
        })
    }
}
