//! Whether all of what ran can be given back now, and what of it a file is, without giving it
//! back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use birthmark_capture::git::{Database, display_path};
use birthmark_store::running::RunningDigest;

use super::restore::{DEEPEST, brings};
use super::source::{self, GITLINK, Source};
use super::wanted;
use crate::project::Project;

/// The modes of plain files, with and without the executable bit.
const FILES: [u16; 2] = [0o100_644, 0o100_755];

/// Why a commit, or a file of it, cannot be had here, and what brings it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nowhere {
    pub(crate) reason: String,
    /// What to do now, where that is known.
    pub(crate) hint: Option<String>,
}

/// What of a commit is not here: the repositories within, as reasons. Those that were `absent`
/// when it ran are not lacking.
pub(crate) fn lacking(
    project: &Project,
    commit: &str,
    absent: &[String],
) -> Result<Vec<String>, Nowhere> {
    let wanted = wanted::find(project, commit).ok();
    let hints = wanted.as_ref().map_or(&[][..], |found| &found.hints);
    let look = || {
        let source = source::find(project, commit, hints)?;
        source::check(&source.database, commit)?;
        let mut reasons = Vec::new();
        within(project, hints, &source, commit, "", 0, &mut reasons)?;
        reasons.retain(|(path, _)| !absent.contains(path));
        Ok(reasons.into_iter().map(|(_, reason)| reason).collect())
    };
    look().map_err(|reason: String| Nowhere {
        hint: wanted.as_ref().map(|one| brings(project, &reason, one)),
        reason,
    })
}

fn within(
    project: &Project,
    hints: &[PathBuf],
    source: &Source,
    commit: &str,
    prefix: &str,
    depth: u32,
    reasons: &mut Vec<(String, String)>,
) -> Result<(), String> {
    for place in source.database.places(commit)? {
        if place.mode != GITLINK {
            continue;
        }
        let path = format!("{prefix}{}", display_path(&place.path));
        match source::find(project, &place.id, &source::hints(project, hints, &path)) {
            Ok(inner) if depth < DEEPEST => {
                let prefix = format!("{path}/");
                within(
                    project,
                    hints,
                    &inner,
                    &place.id,
                    &prefix,
                    depth + 1,
                    reasons,
                )?;
            }
            Ok(_) => {
                let reason = format!("repository {path} is not here");
                reasons.push((path, reason));
            }
            Err(why) => {
                let reason = format!("repository {path} is not here: {why}");
                reasons.push((path, reason));
            }
        }
    }
    Ok(())
}

/// The files of a commit, to be looked up by their paths.
pub(crate) struct Held {
    database: Database,
    files: BTreeMap<Vec<u8>, String>,
    /// Symlinks, and repositories within.
    others: BTreeSet<Vec<u8>>,
}

impl Held {
    /// Opens a commit; `None` where it cannot be read.
    pub(crate) fn open(project: &Project, commit: &str) -> Option<Self> {
        let hints = wanted::find(project, commit).map_or_else(|_| Vec::new(), |found| found.hints);
        let database = source::find(project, commit, &hints).ok()?.database;
        let places = database.places(commit).ok()?;
        let (files, others): (Vec<_>, Vec<_>) = places
            .into_iter()
            .partition(|place| FILES.contains(&place.mode));
        Some(Self {
            database,
            files: files
                .into_iter()
                .map(|place| (place.path, place.id))
                .collect(),
            others: others.into_iter().map(|place| place.path).collect(),
        })
    }

    /// The id of the file at a path from the top; `None` where there is none.
    pub(crate) fn blob(&self, path: &str) -> Option<&str> {
        self.files.get(path.as_bytes()).map(String::as_str)
    }

    /// Whether a path leads through a symlink or a repository within: what lies there then is
    /// not told by this tree.
    pub(crate) fn leads_elsewhere(&self, path: &str) -> bool {
        let ups = std::path::Path::new(path).ancestors();
        let mut ups = ups.map(|up| up.as_os_str().as_encoded_bytes());
        ups.any(|up| self.others.contains(up))
    }

    /// Whether something lies at a path, or may.
    pub(crate) fn may_hold(&self, path: &str) -> bool {
        let within = format!("{path}/").into_bytes();
        let mut below = self.files.range(within.clone()..);
        self.blob(path).is_some()
            || self.leads_elsewhere(path)
            || below
                .next()
                .is_some_and(|(name, _)| name.starts_with(&within))
    }

    /// The digest of the file at a path from the top; `None` where there is none.
    pub(crate) fn digest(&self, path: &str) -> Option<String> {
        let id = self.files.get(path.as_bytes())?;
        let mut running = RunningDigest::default();
        running.update(&self.database.blob(id).ok()?);
        Some(running.digest().to_string())
    }
}
