//! Files by the digests that were recorded of them.

use birthmark_core::SessionId;

use super::told::Telling;
use super::{Claims, Scope};
use crate::sessions::{self, Wanted};

impl Claims {
    /// The file that was recorded with this digest.
    pub(in crate::verify) fn with_digest(&self, digest: &str) -> Option<String> {
        if let Some(file) = self.read_with_digest(digest) {
            return Some(file.to_owned());
        }
        if self.scope.is_all() {
            return None;
        }
        let needles = Scope::Of(Wanted::spelled(vec![digest.to_owned()]));
        let ids = sessions::ids(&self.project).ok()?;
        let unread = |id: &&SessionId| self.session_number(id).is_none();
        ids.iter().filter(unread).find_map(|id| {
            let holds = needles.holds(&self.project, id);
            let told = holds.then(|| sessions::told(&self.project, id).ok())??;
            let telling = Telling::of(0, &told);
            let mut entries = telling.entries.into_iter();
            let found = entries.find(|(_, _, entry)| entry.digest().as_deref() == Some(digest));
            found.map(|(file, _, _)| file.into_string())
        })
    }

    /// The same, of what was read alone.
    pub(in crate::verify) fn read_with_digest(&self, digest: &str) -> Option<&str> {
        let number = self.by_digest.get(&digest.parse().ok()?)?;
        Some(&self.kept.get(*number as usize)?.stored)
    }
}
