//! The code between two sides: commits, changed files, and what of them ran.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_capture::git::{Difference, Objects};
use birthmark_core::Finding;
use birthmark_core::compare::{
    Between, Changed, CodeBetween, Commit, Part, Side, is_prose, version,
};
use serde_json::Value;

use super::imports::{self, Code};
use crate::project::Project;

/// Larger files are not read for their imports.
const SOURCE_LIMIT: usize = 4 << 20;

/// What lies between the code of two sides, as the clone round the report tells.
pub(super) fn between(project: &Project, report: &Path, sides: [&Side; 2]) -> CodeBetween {
    let (Some(old), Some(new)) = (version(sides[0]), version(sides[1])) else {
        return CodeBetween::NotAsked;
    };
    if old == new {
        return CodeBetween::NotAsked;
    }
    let objects = match open(project, report) {
        Ok(objects) => objects,
        Err(reason) => return CodeBetween::Unknown(reason),
    };
    let mut full = [String::new(), String::new()];
    for (side, id) in [old, new].into_iter().enumerate() {
        full[side] = match whole(&objects, id) {
            Ok(id) => id,
            Err(reason) => return CodeBetween::Unknown(reason),
        };
    }
    if full[0] == full[1] {
        return CodeBetween::Told(Between {
            commits: Vec::new(),
            count: Finding::Found(0),
            files: Vec::new(),
            loaded_known: false,
        });
    }
    let short = |id: &str| id.get(..7).unwrap_or(id).to_owned();
    match objects.between(&full[0], &full[1]) {
        Finding::Found(found) => CodeBetween::Told(told(&objects, &full, sides, found)),
        Finding::Absent => {
            let missing = full
                .iter()
                .find(|id| !matches!(objects.kind(id), Finding::Found(_)))
                .unwrap_or(&full[0]);
            CodeBetween::Unknown(format!("commit {} is not in this clone", short(missing)))
        }
        Finding::Unknown(reason) => CodeBetween::Unknown(reason),
    }
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

fn told(objects: &Objects, ids: &[String; 2], sides: [&Side; 2], found: Difference) -> Between {
    let text = |name: &str| {
        sides.map(|side| {
            let value = side.birthmark.as_ref().and_then(|mark| mark.get(name));
            value.and_then(Value::as_str).map(str::to_owned)
        })
    };
    let scripts = text("script_name");
    let data: Vec<String> = sides
        .iter()
        .filter_map(|side| {
            let dataset = side.birthmark.as_ref()?.get("dataset")?;
            Some(dataset.get("source")?.as_str()?.to_owned())
        })
        .collect();
    let ran: Vec<Ran> = (0..2)
        .filter_map(|side| Some(Ran::of(objects, &ids[side], scripts[side].as_deref()?)))
        .collect();
    let files = found
        .files
        .into_iter()
        .map(|path| Changed {
            part: part(&path, &ran, &data),
            path,
        })
        .collect();
    Between {
        commits: found
            .commits
            .into_iter()
            .map(|commit| Commit {
                id: commit.id,
                title: commit.title,
                to_b: commit.to_new,
            })
            .collect(),
        count: found.count,
        files,
        loaded_known: false,
    }
}

/// What ran on one side, as far as the text of the code tells.
struct Ran {
    scripts: BTreeSet<String>,
    imported: BTreeSet<String>,
    /// The text of script and modules, to look for names of other files.
    text: String,
}

impl Ran {
    fn of(objects: &Objects, commit: &str, script: &str) -> Self {
        let files = objects.files_at(commit);
        let name = script.rsplit('/').next().unwrap_or(script);
        let scripts: BTreeSet<String> = files
            .iter()
            .filter(|file| file.rsplit('/').next() == Some(name))
            .cloned()
            .collect();
        let code = imports::follow(&scripts, &files, |path| {
            let bytes = objects.read_at(commit, path, SOURCE_LIMIT)?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        let Code { modules, text } = code;
        Self {
            imported: modules,
            scripts,
            text,
        }
    }
}

fn part(path: &str, ran: &[Ran], data: &[String]) -> Part {
    let name = path.rsplit('/').next().unwrap_or(path);
    let any = |has: &dyn Fn(&Ran) -> bool| ran.iter().any(has);
    if any(&|ran| ran.scripts.contains(path)) {
        Part::Script
    } else if any(&|ran| ran.imported.contains(path)) {
        Part::Imported
    } else if data.iter().any(|source| source == path) {
        Part::Judged
    } else if is_prose(path) {
        Part::Prose
    } else if ran.is_empty() || any(&|ran| ran.scripts.is_empty()) {
        Part::Untold
    } else if any(&|ran| ran.text.contains(name)) {
        Part::Named
    } else {
        Part::Apart
    }
}
