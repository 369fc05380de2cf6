//! What a run removed of what sessions had made: told apart from what is *missing*.
//!
//! # Limits
//!
//! * What the run itself wrote before it removed it counts only where this session recorded it:
//!   files that come and go are no artifacts.
//! * Of very many names that were removed, those in the artifacts folder are looked at first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use birthmark_core::event::ArtifactRemoved;
use birthmark_core::session::Artifact;

use super::made::OBSERVED;
use super::rules::{Class, Rules};
use super::seen::Seen;
use crate::error::Result;
use crate::session::Session;
use crate::wrote;

/// Names that are looked for in what other sessions tell.
const MOST: usize = 4_096;

const REASON: &str = "a run was seen to remove it";

impl Session {
    /// Records which artifacts of this session's writers the run called otherwise: its own renames
    /// of what it wrote are not told apart from writing, the bytes are.
    pub(super) fn record_renamed(&self) -> Result<()> {
        let own = self.told_here()?;
        let observed = own.artifacts.iter().filter_map(|one| {
            let is_observed = one.sealed()?.format == OBSERVED;
            (is_observed && one.run.as_ref() == Some(self.run_id()))
                .then_some((one.digest.as_deref()?, one.file.as_str()))
        });
        let observed: BTreeMap<&str, &str> = observed.collect();
        if observed.is_empty() {
            return Ok(());
        }
        let digests: Vec<&str> = observed.keys().copied().collect();
        let folded = self.told_of_files(std::iter::empty::<&Path>(), &digests)?;
        let is_gone = |one: &&Artifact| {
            one.removed.is_none()
                && one.sealed().is_some_and(|sealed| sealed.format != OBSERVED)
                && self
                    .project()
                    .resolve(&one.file)
                    .symlink_metadata()
                    .is_err()
        };
        for artifact in folded.artifacts.iter().filter(is_gone) {
            let digest = artifact.digest.as_deref();
            if let Some(name) = digest.and_then(|digest| observed.get(digest)) {
                self.record(ArtifactRemoved {
                    file: artifact.file.clone(),
                    reason: format!("a run called it {name}"),
                })?;
            }
        }
        Ok(())
    }

    /// Records which artifacts, of this session and of others, the run removed.
    pub(super) fn record_removed(&self, seen: &Seen, rules: &Rules) -> Result<()> {
        let project = self.project();
        let is_gone = |path: &&PathBuf| {
            path.starts_with(project.root())
                && matches!(rules.class(path), Class::Data)
                && path.symlink_metadata().is_err()
                && !seen.was_renamed(path)
        };
        let mut gone: Vec<&PathBuf> = seen.removed.iter().filter(is_gone).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let folded = self.told_of_files(&gone, &[])?;
        let own = |file: &String| {
            let mut own = folded.artifacts.iter();
            own.any(|one| one.file == *file && one.removed.is_none())
        };
        let artifacts = project.layout.artifacts();
        gone.sort_by_key(|path| !path.starts_with(artifacts));
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for path in gone {
            let file = project.stored_path(path);
            if own(&file) {
                files.push(file);
            } else if !seen.writes.contains(path) && others.len() < MOST {
                others.push(file);
            }
        }
        if !others.is_empty() {
            files.extend(wrote::told_among(project, &others));
        }
        for file in files {
            let reason = REASON.to_owned();
            self.record(ArtifactRemoved { file, reason })?;
        }
        Ok(())
    }
}
