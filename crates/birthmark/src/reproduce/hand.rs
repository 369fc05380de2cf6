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
    /// Whether its bytes, or its content without birthmarks, are what was recorded.
    pub as_recorded: bool,
}

impl InHand {
    /// None where a digest was asked for, or a file that lies here no more.
    pub(super) fn of(target: &Target) -> Option<Self> {
        target.path.as_ref()?;
        Some(Self {
            name: target.name.clone(),
            digest: target.digests.0.clone(),
            as_recorded: matches!(target.found_by, FoundBy::Digest | FoundBy::Content),
        })
    }

    /// The line that stands above all, where the file is another than was recorded.
    pub fn warning(&self) -> Option<String> {
        let name = crate::text::short(&self.name, 100);
        (!self.as_recorded).then(|| format!("! {name} is not what was recorded"))
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({"file": self.name, "digest": self.digest, "as_recorded": self.as_recorded})
    }
}
