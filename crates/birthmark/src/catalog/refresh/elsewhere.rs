//! Files that lie outside of the artifacts folder and that are known all the same: journals
//! tell of them, or they are on the list of what was stamped.

use std::collections::{HashMap, HashSet};

use birthmark_catalog::engine::{Change, ELSEWHERE, Engine};

use super::super::sessions::is_same;
use super::entries::subject_print;
use super::{Depth, LOOKS, Refresher};
use crate::error::Result;
use crate::{generated, sessions};

impl Refresher<'_> {
    /// Files that are known and lie in no folder of the artifacts.
    pub(super) fn elsewhere(&mut self) -> Result<()> {
        let most = if self.depth == Depth::All {
            usize::MAX
        } else {
            LOOKS / 4
        };
        let mut told = self.catalog.engine.told_elsewhere(self.row.id, most)?;
        told.extend(self.stamped(&told, most.saturating_sub(told.len())));
        let mut seen: HashMap<String, String> = self
            .catalog
            .engine
            .seen_files(self.row.id, ELSEWHERE)?
            .into_iter()
            .map(|file| (file.name, file.state))
            .collect();
        let complete = told.len() < most;
        for file in told {
            let path = sessions::locate(self.project, &file, None);
            let before = seen.remove(&file);
            match (before, subject_print(&path, self.now, true)) {
                (Some(before), Some(now))
                    if is_same(&before, &now) && !self.whole.contains(&file) => {}
                (_, Some(now)) => {
                    self.scan(&path, &file)?;
                    self.push(Change::Seen {
                        folder: ELSEWHERE.to_owned(),
                        name: file.clone(),
                        state: now,
                        file,
                    })?;
                }
                (Some(_), None) => self.elsewhere_gone(file)?,
                (None, None) => {}
            }
        }
        if complete {
            // Nobody tells of these any longer, or a folder that was listed holds them now.
            for file in seen.into_keys() {
                if sessions::locate(self.project, &file, None)
                    .starts_with(self.project.layout.artifacts())
                {
                    self.push(Change::Unseen {
                        folder: ELSEWHERE.to_owned(),
                        name: file.clone(),
                        file,
                    })?;
                } else {
                    self.elsewhere_gone(file)?;
                }
            }
        }
        Ok(())
    }

    /// What was stamped without a session, and is not among what journals tell of.
    fn stamped(&self, told: &[String], most: usize) -> Vec<String> {
        let listed = generated::stamped(&self.project.layout);
        if listed.is_empty() {
            return Vec::new();
        }
        let told: HashSet<&str> = told.iter().map(String::as_str).collect();
        let (root, artifacts) = (self.project.root(), self.project.layout.artifacts());
        let mut stamped: Vec<String> = listed
            .iter()
            .map(|path| root.join(path))
            .filter(|path| !path.starts_with(artifacts))
            .map(|path| self.project.stored_path(&path))
            .filter(|file| !told.contains(file.as_str()))
            .collect();
        stamped.sort();
        stamped.truncate(most);
        stamped
    }

    fn elsewhere_gone(&mut self, file: String) -> Result<()> {
        self.done.gone += 1;
        self.push(Change::FileGone(file.clone()))?;
        self.push(Change::Unseen {
            folder: ELSEWHERE.to_owned(),
            name: file.clone(),
            file,
        })
    }
}
