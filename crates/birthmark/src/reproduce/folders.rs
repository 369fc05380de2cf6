//! Folders that were there before a run and that no commit holds: what it writes is to find them.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use birthmark_core::session::Session;
use birthmark_core::{RunId, Timestamp};

use crate::project::{Project, is_within};

/// The folders within the project that runs wrote into, and that the file system tells were made
/// before: one that a run made itself it makes again.
pub(super) fn made_before(
    project: &Project,
    session: &Session,
    runs: &[RunId],
    began: Timestamp,
) -> Vec<PathBuf> {
    let own = session
        .made()
        .filter(|one| one.run.as_ref().is_some_and(|run| runs.contains(run)));
    let mut folders: Vec<PathBuf> = own
        .filter_map(|one| Path::new(&one.file).parent().map(Path::to_owned))
        .filter(|folder| folder != Path::new("") && is_within(folder))
        .collect();
    folders.sort();
    folders.dedup();
    folders.retain(|folder| is_older(&project.root().join(folder), began));
    folders
}

fn is_older(folder: &Path, than: Timestamp) -> bool {
    let found = folder.symlink_metadata().ok();
    let made = found.filter(std::fs::Metadata::is_dir);
    let made = made.and_then(|found| found.created().ok()?.duration_since(UNIX_EPOCH).ok());
    made.and_then(|made| i64::try_from(made.as_micros()).ok())
        .is_some_and(|made| made < than.micros())
}
