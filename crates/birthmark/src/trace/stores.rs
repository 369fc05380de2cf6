//! Which stores are asked, and what their sessions tell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_core::SessionId;
use birthmark_core::lineage::{Direction, Lineage, NodeId};
use birthmark_store::Layout;

use super::Told;
use super::carried::{Carried, not_here};
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

/// All sessions of all stores. One that cannot be read is a problem, and hides no other.
pub(super) fn sessions(projects: &[Project], problems: &mut Vec<String>) -> Vec<Told> {
    let mut told = Vec::new();
    for (store, project) in projects.iter().enumerate() {
        let ids = match sessions::ids(project) {
            Ok(ids) => ids,
            Err(error) => {
                problems.push(error.whole());
                continue;
            }
        };
        for (id, read) in fold_all(project, ids) {
            match read {
                Ok(session) => told.push(Told {
                    store,
                    id,
                    session,
                    unknown: None,
                }),
                Err(error) => problems.push(format!("session {id}: {}", error.whole())),
            }
        }
    }
    told
}

type Folded = (SessionId, Result<birthmark_core::session::Session>);

/// Reading is most of the work, and each session has its own files: several threads read.
fn fold_all(project: &Project, ids: Vec<SessionId>) -> Vec<Folded> {
    const FEW: usize = 64;
    let fold = |id: SessionId| {
        let folded = sessions::fold_of(project, &id);
        (id, folded)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if ids.len() < FEW || threads < 2 {
        return ids.into_iter().map(fold).collect();
    }
    let share = ids.len().div_ceil(threads.min(8));
    std::thread::scope(|scope| {
        let parts: Vec<_> = ids
            .chunks(share)
            .map(|part| {
                let part = part.to_vec();
                scope.spawn(move || part.into_iter().map(fold).collect::<Vec<_>>())
            })
            .collect();
        let joined = parts.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .flat_map(std::result::Result::unwrap_or_default)
            .collect()
    })
}

/// What files carry that are inputs here and were made in sessions that are not: they say
/// one step more.
pub(super) fn beyond(lineage: &Lineage, projects: &[Project], told: &[Told]) -> Vec<Told> {
    let mut seen = BTreeSet::new();
    let mut more: Vec<Told> = Vec::new();
    let all: Vec<NodeId> = (0..lineage.artifacts.len()).map(NodeId::Artifact).collect();
    for node in all {
        let NodeId::Artifact(place) = node else {
            continue;
        };
        let is_made = lineage
            .origins(node)
            .any(|edge| edge.relation == birthmark_core::lineage::Relation::WasGeneratedBy);
        if is_made || lineage.reach(&[node], Direction::Down).len() < 2 {
            continue;
        }
        for seen_at in lineage.artifacts[place]
            .places
            .iter()
            .filter(|place| place.is_path)
        {
            let Some(project) = projects.get(seen_at.store) else {
                continue;
            };
            let path = sessions::locate(project, &seen_at.file, seen_at.file_bytes.as_deref());
            if !seen.insert(path.clone()) || path.symlink_metadata().is_err() {
                continue;
            }
            let Some(carried) = carried_by(project, &path, seen_at.store) else {
                continue;
            };
            let is_it = carried
                .digests()
                .any(|digest| lineage.artifacts[place].digests.contains(digest));
            if is_it {
                more.extend(not_here(&carried, told));
            }
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
