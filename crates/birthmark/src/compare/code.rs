//! The code between two sides: commits, changed files, and what of them ran.

mod ran;

use std::path::Path;

use birthmark_capture::git::{Difference, Objects};
use birthmark_core::Finding;
use birthmark_core::compare::{Between, Changed, CodeBetween, Commit, Held, Side, version};

use crate::project::Project;

use ran::Parts;
pub(super) use ran::take_recorded;

/// What lies between the code of two sides, as the clone round the report tells. Each side learns
/// what the files were to its run that a dirty tree held and nothing kept.
pub(super) fn between(project: &Project, report: &Path, sides: &mut [Side; 2]) -> CodeBetween {
    let ids = [0, 1].map(|side| version(&sides[side]).map(str::to_owned));
    let same = ids[0].is_none() || ids[1].is_none() || ids[0] == ids[1];
    if same && !sides.iter().any(|side| side.unkept.is_some()) {
        return CodeBetween::NotAsked;
    }
    let objects = open(project, report);
    let here = objects.as_ref().ok();
    let full = ids.map(|id| Some(whole(here?, &id?)));
    let known = [0, 1].map(|side| full[side].as_ref()?.as_ref().ok().cloned());
    let parts = Parts::of(here, &known, sides);
    for side in &mut *sides {
        for file in side.unkept.iter_mut().flatten() {
            file.part = parts.part(&file.path);
        }
    }
    if same {
        return CodeBetween::NotAsked;
    }
    match (objects, full) {
        (Ok(objects), [Some(Ok(old)), Some(Ok(new))]) => of_commits(&objects, &parts, &old, &new),
        (Err(reason), _) | (_, [Some(Err(reason)), _] | [_, Some(Err(reason))]) => {
            CodeBetween::Unknown(reason)
        }
        _ => CodeBetween::NotAsked,
    }
}

fn of_commits(objects: &Objects, parts: &Parts, old: &str, new: &str) -> CodeBetween {
    if old == new {
        return CodeBetween::Told(Between {
            commits: Vec::new(),
            count: Finding::Found(0),
            files: Vec::new(),
        });
    }
    let short = |id: &str| id.get(..7).unwrap_or(id).to_owned();
    match objects.between(old, new) {
        Finding::Found(found) => CodeBetween::Told(told(parts, found)),
        Finding::Absent => {
            let is_missing = |id: &&str| !matches!(objects.kind(id), Finding::Found(_));
            let missing = [old, new].into_iter().find(is_missing).unwrap_or(old);
            CodeBetween::Unknown(format!("commit {} is not in this clone", short(missing)))
        }
        Finding::Unknown(reason) => CodeBetween::Unknown(reason),
    }
}

/// The modules that the two sides loaded, where that was recorded of both.
pub(super) fn held(sides: &[Side; 2]) -> Option<Held> {
    let [a, b] = [0, 1].map(|side| sides[side].ran.as_ref());
    Some(a?.hold(b?))
}

fn open(project: &Project, report: &Path) -> Result<Objects, String> {
    let folder = report
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut why = String::new();
    for anchor in [project.root(), folder.unwrap_or(Path::new("."))] {
        match Objects::open(anchor) {
            Finding::Found(objects) => return Ok(objects),
            Finding::Absent => "there is no git repository here".clone_into(&mut why),
            Finding::Unknown(reason) => why = reason,
        }
    }
    Err(why)
}

/// The whole id of a commit that may be written short.
fn whole(objects: &Objects, id: &str) -> Result<String, String> {
    if matches!(id.len(), 40 | 64) {
        return Ok(id.to_owned());
    }
    match objects.resolve_short(id) {
        Finding::Found(id) => Ok(id),
        Finding::Absent => Err(format!("no commit here begins with {id}")),
        Finding::Unknown(reason) => Err(format!("{id}: {reason}")),
    }
}

/// A session's manifest, or what lies in the store: that is written, and never read as code.
fn is_ours(path: &str) -> bool {
    use birthmark_core::schema::SIDECAR_SUFFIX;
    use birthmark_store::layout::{Layout, STORE_NAME};
    Layout::session_of_manifest(Path::new(path)).is_some()
        || path.ends_with(SIDECAR_SUFFIX)
        || path.split('/').any(|part| part == STORE_NAME)
}

fn told(parts: &Parts, found: Difference) -> Between {
    let files = found.files.into_iter().filter(|path| !is_ours(path));
    let files = files.map(|path| Changed {
        part: parts.part(&path),
        path,
    });
    let mut files: Vec<Changed> = files.collect();
    // What ran stands first.
    files.sort_by_key(|file| file.part);
    let commits = found.commits.into_iter().map(|commit| Commit {
        id: commit.id,
        title: commit.title,
        to_b: commit.to_new,
    });
    Between {
        files,
        commits: commits.collect(),
        count: found.count,
    }
}
