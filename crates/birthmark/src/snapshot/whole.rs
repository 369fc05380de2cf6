//! Whether all of what ran can be given back now, without giving it back.

use std::path::PathBuf;

use birthmark_capture::git::display_path;

use super::restore::DEEPEST;
use super::source::{self, GITLINK, Source};
use super::wanted;
use crate::project::Project;

/// What of a commit is not here: the repositories within, as reasons. `Err` says why the commit
/// itself, or a file of it, cannot be had.
pub(crate) fn lacking(project: &Project, commit: &str) -> Result<Vec<String>, String> {
    let hints = wanted::find(project, commit).map_or_else(|_| Vec::new(), |found| found.hints);
    let source = source::find(project, commit, &hints)?;
    source::check(&source.database, commit)?;
    let mut reasons = Vec::new();
    within(project, &hints, &source, commit, "", 0, &mut reasons)?;
    Ok(reasons)
}

fn within(
    project: &Project,
    hints: &[PathBuf],
    source: &Source,
    commit: &str,
    prefix: &str,
    depth: u32,
    reasons: &mut Vec<String>,
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
            _ => reasons.push(format!("repository {path} is not here")),
        }
    }
    Ok(())
}
