//! Which stores are asked, and what files tell beyond them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_store::Layout;

use super::Traced;
use super::carried::Carried;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::sessions;

/// The projects that are asked, those of the artifact first; and the project that relative
/// paths are meant from.
pub(super) fn find(artifact: &Path, more: &[PathBuf]) -> Result<(Vec<Project>, Project)> {
    let here = Project::here()?;
    let mut projects = Vec::new();
    // Also of a file that is gone: its folder tells whose it was.
    let folder = artifact.parent().filter(|folder| folder.is_dir());
    if artifact.symlink_metadata().is_ok() || folder.is_some() {
        add(&mut projects, sessions::project_of(artifact)?);
    }
    let nearest = projects.first().cloned().unwrap_or_else(|| here.clone());
    add(&mut projects, here);
    for folder in &nearest.config.stores.value {
        let from = nearest.config.stores.from.as_deref().unwrap_or("settings");
        let path = nearest.root().join(folder);
        add(&mut projects, store_at(&path, from)?);
    }
    for path in more {
        add(&mut projects, store_at(path, "--store")?);
    }
    Ok((projects, nearest))
}

fn add(projects: &mut Vec<Project>, project: Project) {
    let same = |known: &Project| {
        let (a, b) = (known.layout.artifacts(), project.layout.artifacts());
        a == b || birthmark_store::records::same_file(a, b)
    };
    if !projects.iter().any(same) {
        projects.push(project);
    }
}

/// The project of a store that was named: its artifacts folder, the store's own folder, or
/// the project's.
fn store_at(path: &Path, from: &str) -> Result<Project> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = if absolute.file_name() == Some(birthmark_store::layout::STORE_NAME.as_ref()) {
        absolute.parent().unwrap_or(&absolute).to_owned()
    } else {
        absolute
    };
    if folder.is_dir() {
        let project = sessions::project_of(&folder)?;
        if sessions::has_sessions(&project.layout) {
            return Ok(project);
        }
        let beside = folder.join("artifacts");
        let layout = Layout::new(&folder, &beside);
        if sessions::has_sessions(&layout) {
            return Ok(Project { layout, ..project });
        }
    }
    let message = format!("there is no store at `{}` ({from})", path.display());
    Err(Error::usage("no-store", message)
        .with_hint("name an artifacts folder that holds `.birthmark`, or a project that has one"))
}

/// What the files carry that are reached, and that nobody here made: it says one step more.
/// Each is looked into once.
pub(super) fn beyond(traced: &Traced, looked: &mut BTreeSet<PathBuf>) -> Vec<Carried> {
    let mut more = Vec::new();
    for artifact in super::wants::not_made(traced) {
        let artifact = &traced.lineage.artifacts[artifact];
        for seen_at in artifact.places.iter().filter(|place| place.is_path) {
            let Some(project) = traced.stores.get(seen_at.store) else {
                continue;
            };
            let path = sessions::locate(project, &seen_at.file, seen_at.file_bytes.as_deref());
            if !looked.insert(path.clone()) || path.symlink_metadata().is_err() {
                continue;
            }
            let carried = carried_by(project, &path, seen_at.store);
            let is_it = |carried: &Carried| {
                let mut digests = carried.digests();
                digests.any(|digest| artifact.digests.contains(digest))
            };
            more.extend(carried.filter(is_it));
        }
    }
    more
}

/// What a file carries, with its digests; `None` where it has no birthmark, or cannot be read.
fn carried_by(project: &Project, path: &Path, store: usize) -> Option<Carried> {
    let birthmark = crate::read::read(path, None).ok()??;
    birthmark.get("session_id")?;
    Carried::of(project, path, store, birthmark)
}
