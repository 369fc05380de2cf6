//! Finding sessions: the store of a path, the ids in it, and which one a name means.

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::{SessionId, Timestamp};
use birthmark_store::layout::Layout;
use birthmark_store::{PathError, journal};

use super::{Summary, load};
use crate::error::{Error, Result};
use crate::project::Project;

/// The project that `path` belongs to. Where its own store is not there, a store
/// that was merely copied is looked for in the folders above: next to it stand the
/// artifacts, wherever they were before.
pub fn project_of(path: &Path) -> Result<Project> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = if path.is_dir() {
        path.as_path()
    } else {
        path.parent().unwrap_or(&path)
    };
    let project = Project::find(folder)?;
    if folder.starts_with(project.layout.artifacts()) && has_sessions(&project.layout) {
        return Ok(project);
    }
    let copied = folder.ancestors().find(|up| {
        let layout = Layout::new(*up, *up);
        has_sessions(&layout)
    });
    match copied {
        Some(artifacts) if artifacts != project.layout.artifacts() => {
            let root = artifacts.parent().unwrap_or(artifacts);
            Ok(Project {
                layout: Layout::new(root, artifacts),
                config: project.config,
            })
        }
        _ => Ok(project),
    }
}

fn has_sessions(layout: &Layout) -> bool {
    layout.exists() || !manifests(layout).unwrap_or_default().is_empty()
}

/// Where an artifact lies: at its stored path from the root or, where the artifacts
/// folder was copied under another name, at the end of that path within the folder.
pub fn locate(project: &Project, stored: &str, file_bytes: Option<&str>) -> PathBuf {
    let place = place_of(project, stored, file_bytes);
    if fs::symlink_metadata(&place).is_ok() || Path::new(stored).is_absolute() {
        return place;
    }
    let artifacts = project.layout.artifacts();
    if place.starts_with(artifacts) {
        return place;
    }
    let mut rest = stored;
    while let Some((_, tail)) = rest.split_once('/') {
        let moved = artifacts.join(tail);
        if fs::symlink_metadata(&moved).is_ok() {
            return moved;
        }
        rest = tail;
    }
    place
}

fn place_of(project: &Project, stored: &str, file_bytes: Option<&str>) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let bytes = file_bytes.and_then(birthmark_core::base64::decode);
    match bytes {
        Some(bytes) => project.root().join(std::ffi::OsStr::from_bytes(&bytes)),
        None => project.resolve(stored),
    }
}

/// The ids that have a manifest.
pub(super) fn manifests(layout: &Layout) -> Result<Vec<SessionId>, PathError> {
    use birthmark_store::atomic::PathContext;
    let folder = layout.artifacts();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at("read", folder),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths
        .filter_map(|path| Layout::session_of_manifest(&path))
        .collect())
}

/// The ids of all sessions, newest first: those with journals and those with a manifest.
pub fn ids(project: &Project) -> Result<Vec<SessionId>> {
    let mut ids = journal::list_sessions(&project.layout)?;
    ids.extend(manifests(&project.layout)?);
    ids.sort_by(|a, b| b.cmp(a));
    ids.dedup();
    Ok(ids)
}

/// All sessions, newest first.
pub fn list(project: &Project, now: Timestamp) -> Result<Vec<Summary>> {
    let ids = ids(project)?;
    ids.iter()
        .map(|id| Ok(Summary::of(&load(project, id)?, now)))
        .collect()
}

/// Finds the session that a name means: an id, a unique prefix or suffix of one, or `last`.
pub fn resolve(project: &Project, name: &str) -> Result<SessionId> {
    let ids = ids(project)?;
    if let Some(id) = ids.iter().find(|id| id.as_str() == name) {
        return Ok(id.clone());
    }
    if name == "last" {
        return last(project, &ids);
    }
    let fits = |id: &&SessionId| id.as_str().starts_with(name) || id.as_str().ends_with(name);
    let found: Vec<&SessionId> = ids
        .iter()
        .filter(fits)
        .filter(|_| !name.is_empty())
        .collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(unknown_session(name, &ids)),
        several => Err(Error::usage(
            "session-ambiguous",
            format!(
                "`{}` names {} sessions",
                crate::text::short(name, 60),
                several.len()
            ),
        )
        .with_hint(format!(
            "say more of one: {}",
            listed(several.iter().copied())
        ))),
    }
}

pub(super) fn unknown_session(name: &str, ids: &[SessionId]) -> Error {
    let error = Error::usage(
        "session-unknown",
        format!("no session `{}` here", crate::text::short(name, 60)),
    );
    if ids.is_empty() {
        return error.with_hint("there is no session in this project yet");
    }
    let mut near: Vec<&SessionId> = ids.iter().collect();
    near.sort_by_key(|id| distance(name, id.as_str()));
    error.with_hint(format!("the nearest: {}", listed(near.into_iter().take(3))))
}

fn listed<'a>(ids: impl Iterator<Item = &'a SessionId>) -> String {
    const MOST: usize = 6;
    let ids: Vec<&str> = ids.map(SessionId::as_str).collect();
    let mut text = ids
        .iter()
        .take(MOST)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if ids.len() > MOST {
        text.push_str(&format!(", +{}", ids.len() - MOST));
    }
    text
}

/// How many edits lie between what was typed and the best part of an id as long as it.
fn distance(name: &str, id: &str) -> usize {
    let (name, id): (Vec<char>, Vec<char>) = (
        name.chars().take(64).collect(),
        id.chars().take(64).collect(),
    );
    let head = &id[..name.len().min(id.len())];
    let tail = &id[id.len() - name.len().min(id.len())..];
    edits(&name, head).min(edits(&name, tail))
}

fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The newest session. Ids of one second do not tell which was first; their starts do.
fn last(project: &Project, ids: &[SessionId]) -> Result<SessionId> {
    let Some(newest) = ids.first() else {
        return Err(unknown_session("last", ids));
    };
    let second = |id: &SessionId| id.as_str().get(..15).map(str::to_owned);
    let rivals: Vec<&SessionId> = ids
        .iter()
        .take_while(|id| second(id) == second(newest))
        .collect();
    if rivals.len() < 2 {
        return Ok(newest.clone());
    }
    let mut best = (None, newest);
    for id in rivals {
        let start = load(project, id)?.session.start;
        if start > best.0 {
            best = (start, id);
        }
    }
    Ok(best.1.clone())
}
