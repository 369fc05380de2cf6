//! What a run read and nobody can read any more: it wrote the file anew, removed it, or somebody
//! else changed it meanwhile.
//!
//! Such a file is an input all the same, without a digest and with the reason; what lies at its
//! path in the end are not the bytes that were read. The lineage is then *partial*.
//!
//! # Limits
//!
//! * Of several processes it is known which came first where the notes of both tell their times:
//!   of one that opens more than some hundred files, and writes none after, not when it read.
//! * Where openings are noted before they are tried (in a session of Python's own), a file that is
//!   gone counts as read only where another session recorded it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_core::Timestamp;
use birthmark_core::event::ArtifactUsed;

use super::inputs::Input;
use super::loads::Told;
use super::made::Known;
use super::record::{CLOCK_STEP, Watched, has_changed, was_born};
use super::rules::{Class, Rules};
use super::{caches, modules};
use crate::error::Result;
use crate::session::Session;
use crate::wrote;

/// How the parts of a report are called that is being put together.
const PART: &str = ".part.jsonl";
/// Files that are named in a reason.
const NAMED: usize = 3;
/// Lost inputs that are recorded, each.
const MOST: usize = 256;

const WRITTEN: &str = "the run wrote it anew after it had read it";
const REMOVED: &str = "it was gone before a digest could be made";
/// Why there is no digest of what somebody else changed.
pub(super) const CHANGED: &str = "it changed while the run went on";

impl Session {
    /// Records what was read and is gone; gives the reasons why the lineage is partial.
    pub(super) fn record_lost(
        &self,
        watched: &Watched,
        rules: &Rules,
        start: Timestamp,
    ) -> Result<Vec<String>> {
        let seen = &watched.seen;
        let is_data = |path: &&PathBuf| rules.class(path) == Class::Data;
        let rewritten = seen.rewritten.iter().filter(is_data);
        let gone = seen.reads.iter().filter(|path| {
            let is_own = seen.writes.contains(*path) && !seen.rewritten.contains(*path);
            !is_own && path.symlink_metadata().is_err() && !seen.was_renamed(path)
        });
        let gone: BTreeSet<&PathBuf> = gone.filter(is_data).collect();
        let rewritten: Vec<&PathBuf> = rewritten.filter(|path| !gone.contains(path)).collect();
        if gone.is_empty() && rewritten.is_empty() {
            return Ok(Vec::new());
        }
        let since = start.micros() - CLOCK_STEP;
        // Openings that failed are noted by the hook of Python, too.
        let is_sure = watched.by.iter().any(|by| by == "preload");
        let is_told =
            |path: &Path| wrote::is_told_by_another(self.project(), path, self.id().as_str());
        let was_there = |path: &Path| {
            let is_older = path.exists() && !was_born(path, since);
            is_older || is_sure && seen.is_of_one(path) || is_told(path)
        };
        let folded = self.told_of_files(rewritten.iter().chain(&gone), &[])?;
        // A writer of ours that went on with a file has all that was read.
        let went_on = folded
            .artifacts
            .iter()
            .filter(|one| one.continued.bytes > 0);
        let went_on: BTreeSet<PathBuf> = went_on
            .map(|one| self.project().resolve(&one.file))
            .collect();
        let is_kept = |path: &Path| {
            let part = path.to_string_lossy().ends_with(PART);
            part || went_on.contains(path) || seen.updates.contains(path)
        };
        let rewritten = rewritten
            .into_iter()
            .take(MOST)
            .filter(|path| has_changed(path, since) && !is_kept(path) && was_there(path));
        let rewritten: Vec<&PathBuf> = rewritten.collect();
        let gone = gone.into_iter().take(MOST);
        let gone = gone.filter(|path| !is_kept(path) && (is_sure || is_told(path)));
        let gone: Vec<&PathBuf> = gone.collect();
        let told = Told::of(&folded.used);
        let by = watched.by.first().map_or("watch", String::as_str);
        let mut reasons = Vec::new();
        for (paths, why, text) in [
            (
                rewritten,
                WRITTEN,
                "what was read of a file that was written, too, is not known",
            ),
            (gone, REMOVED, "what was read is no longer there"),
        ] {
            let names: Vec<String> = paths
                .iter()
                .map(|path| self.project().stored_path(path))
                .collect();
            for (path, name) in paths.iter().zip(&names) {
                if !told.has(name) {
                    let input = Input::at((*path).clone()).lost(self.project(), by, why);
                    self.record(ArtifactUsed { input })?;
                }
            }
            reasons.extend(named(text, names));
        }
        Ok(reasons)
    }

    /// Of what was read, the files that somebody else changed since the run began.
    pub(super) fn changed_by_others(
        &self,
        watched: &Watched,
        reads: &BTreeSet<PathBuf>,
        start: Timestamp,
    ) -> Result<BTreeSet<PathBuf>> {
        let is_sure = watched.by.iter().any(|by| by == "preload");
        let start = start.micros();
        let is_other = |path: &&PathBuf| {
            // What a cache holds is named by its content, and fetched by whoever needs it.
            let seen = &watched.seen;
            !seen.writes.contains(*path)
                && !seen.names.iter().any(|naming| naming.old == **path)
                && has_changed(path, start)
                && caches::named(path).is_none()
                && (is_sure || !was_born(path, start) && modules::written(path) >= start)
        };
        let changed: BTreeSet<PathBuf> = reads.iter().filter(is_other).cloned().collect();
        if changed.is_empty() {
            return Ok(changed);
        }
        let folded = self.told_of_files(&changed, &[])?;
        let known = Known::of(self, &folded);
        Ok(changed
            .into_iter()
            .filter(|path| !known.has(path))
            .collect())
    }
}

/// A reason with the first of the names.
pub(super) fn named(text: &str, mut names: Vec<String>) -> Option<String> {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    (!names.is_empty()).then(|| format!("{text}: {}", names.join(", ")))
}
