//! Files that are looked at by their names: those of an answer, and those that are written to.

use birthmark_catalog::engine::{ELSEWHERE, Engine};

use super::Refresher;
use super::entries::Folder;
use crate::error::Result;

impl Refresher<'_> {
    /// Looks at these files in folders that are as they were, by their paths as stored; whether any
    /// is not as it was.
    pub(super) fn named(&mut self, files: &[String]) -> Result<bool> {
        let mut is_changed = false;
        for file in files {
            let seen = self.catalog.engine.seen_file(self.row.id, file)?;
            // What lies elsewhere is looked at by every question.
            let Some((folder, seen)) = seen.filter(|(folder, _)| folder != ELSEWHERE) else {
                continue;
            };
            let path = self.path_of(&folder);
            if Folder::open(&path).is_as_before(&seen.name, &seen.state, self.now) {
                continue;
            }
            is_changed = true;
            let names = vec![seen.name.clone()];
            self.files(&folder, vec![seen], names)?;
        }
        Ok(is_changed)
    }
}
