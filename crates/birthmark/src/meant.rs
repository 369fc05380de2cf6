//! Which file was meant by a name that no file has.
//!
//! Looked for where the name says, in the current folder, in the artifacts folder, and among
//! what the catalog knows outside of it; a file of the very name in another folder is nearest.
//!
//! # Invariants
//!
//! * What is offered is there, and is spelt so that it can be typed where the user stands.
//! * Looking never fails and writes nothing: where nothing is near, nothing is offered.
//!
//! # Limitations
//!
//! * Of very many names the first `MOST` are looked at, and no hidden ones.

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::near;
use birthmark_core::schema::{PART_SUFFIX, SIDECAR_SUFFIX};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::{show, text};

/// Names that are looked at.
const MOST: usize = 20_000;
/// Where the names of sessions are to be had.
const SESSIONS: &str = "`birthmark session list` names the sessions";

/// The error for a name that is no file, nor a session. `hint` stands where no file is near.
pub(crate) fn no_file_or_session(
    project: &Project,
    named: &Path,
    line: Option<u64>,
    hint: Option<&str>,
) -> Error {
    absent("file or session", project, named, line, hint)
}

/// The same for a name that is no digest either.
pub(crate) fn no_artifact(project: &Project, named: &Path) -> Error {
    absent("file, digest or session", project, named, None, None)
}

fn absent(
    noun: &str,
    project: &Project,
    named: &Path,
    line: Option<u64>,
    hint: Option<&str>,
) -> Error {
    let mut name = named.to_string_lossy().into_owned();
    if let Some(line) = line {
        name.push_str(&format!(":{line}"));
    }
    let message = format!("no {noun} `{}`", text::neutral(&name));
    let near = file(project, Path::new(&name));
    let hint = near.unwrap_or_else(|| hint.unwrap_or(SESSIONS).to_owned());
    Error::usage("no-file", message).with_hint(hint)
}

/// The same result, and where it failed for want of that file, which one may have been meant.
pub(crate) fn or_hint<T>(project: &Project, named: &Path, result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        let is_there = named.symlink_metadata().is_ok();
        match file(project, named).filter(|_| error.hint().is_none() && !is_there) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })
}

/// What to say to somebody who named a file that is not there; nothing where none is near.
pub fn file(project: &Project, named: &Path) -> Option<String> {
    let (plain, line) = show::parse_target(named.to_str()?);
    if line.is_some() && plain.symlink_metadata().is_ok() {
        let name = text::neutral(&plain.to_string_lossy()).into_owned();
        return Some(format!(
            "a line is looked at by `show`, `trace` and `compare`; here name `{name}`"
        ));
    }
    let near = nearest(project, &plain)?;
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    Some(format!("did you mean `{}{line}`?", text::neutral(&near)))
}

fn nearest(project: &Project, named: &Path) -> Option<String> {
    let typed = Typed::of(named)?;
    let mut near: Vec<(Distance, String)> = Vec::new();
    candidates(project, named, &mut |path| {
        if let Some(distance) = typed.distance(&path) {
            near.push((distance, path));
        }
    });
    near.sort();
    let mut near = near.into_iter().map(|(_, path)| path);
    near.find(|path| Path::new(path).symlink_metadata().is_ok())
}

/// Edits in the name, then in the whole path.
type Distance = (usize, usize);

/// What was typed, without regard to case.
struct Typed {
    path: String,
    name: String,
    most: usize,
    /// Whether an ending may have been left out.
    bare: bool,
}

impl Typed {
    fn of(named: &Path) -> Option<Self> {
        let path = named.to_str()?.to_lowercase();
        let name = named.file_name()?.to_str()?.to_lowercase();
        Some(Self {
            most: near::most(&name),
            bare: !name.contains('.'),
            path,
            name,
        })
    }

    fn distance(&self, path: &str) -> Option<Distance> {
        let path = path.to_lowercase();
        let name = path.rsplit('/').next().unwrap_or_default();
        let known = match name.split_once('.') {
            Some((stem, _)) if self.bare => stem,
            _ => name,
        };
        if known.len().abs_diff(self.name.len()) > 4 * self.most {
            return None;
        }
        let edits = near::edits(&self.name, known);
        (edits <= self.most).then(|| (edits, near::edits(&self.path, &path)))
    }
}

/// Files and folders that may have been meant, as they can be typed here.
fn candidates(project: &Project, named: &Path, tell: &mut dyn FnMut(String)) {
    let mut left = MOST;
    let folder = folder_meant(named.parent().unwrap_or(Path::new("")));
    list(&folder, &folder, false, &mut left, tell);
    if !folder.as_os_str().is_empty() {
        list(Path::new(""), Path::new(""), false, &mut left, tell);
    }
    let artifacts = project.layout.artifacts();
    list(artifacts, &typeable(artifacts), true, &mut left, tell);
    let stamped = crate::generated::stamped(&project.layout);
    let stamped = stamped
        .iter()
        .filter_map(|path| path.to_str().map(str::to_owned));
    for file in told(project).into_iter().chain(stamped) {
        let path = crate::sessions::locate(project, &file, None);
        tell(typeable(&path).to_string_lossy().into_owned());
    }
}

/// The folder, with the parts of its path that are not there read as the nearest that are.
fn folder_meant(folder: &Path) -> PathBuf {
    let mut meant = PathBuf::new();
    for part in folder.components() {
        let next = meant.join(part);
        if next.is_dir() {
            meant = next;
            continue;
        }
        let typed = part.as_os_str().to_string_lossy().to_lowercase();
        let mut there: Vec<String> = Vec::new();
        let mut left = MOST;
        list(&meant, Path::new(""), false, &mut left, &mut |name| {
            there.push(name);
        });
        let alike =
            |name: &&String| near::edits(&typed, &name.to_lowercase()) <= near::most(&typed);
        let Some(near) = there.iter().filter(alike).min() else {
            return next;
        };
        meant.push(near);
    }
    meant
}

/// Tells the names in a folder, `shown` as it is typed, and in the folders below it.
fn list(folder: &Path, shown: &Path, deep: bool, left: &mut usize, tell: &mut dyn FnMut(String)) {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut open = vec![(here.to_owned(), shown.to_owned())];
    while let Some((folder, shown)) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let ours = name.ends_with(SIDECAR_SUFFIX) || name.ends_with(PART_SUFFIX);
            if ours || name.starts_with('.') {
                continue;
            }
            if *left == 0 {
                return;
            }
            *left -= 1;
            let path = shown.join(&name);
            if deep && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push((folder.join(&name), path.clone()));
            }
            if let Ok(path) = path.into_os_string().into_string() {
                tell(path);
            }
        }
    }
}

/// The path from the current folder, where it lies below.
fn typeable(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// What the catalog, as it is, knows outside of the artifacts folder.
#[cfg(feature = "catalog")]
fn told(project: &Project) -> Vec<String> {
    use birthmark_catalog::engine::Engine;
    let known = || {
        let catalog = crate::catalog::Catalog::open_there()?;
        let root = project.root().to_string_lossy().into_owned();
        let mut projects = catalog.projects().ok()?.into_iter();
        let row = projects.find(|row| row.root == root)?;
        catalog.engine.told_elsewhere(row.id, MOST / 4).ok()
    };
    known().unwrap_or_default()
}

#[cfg(not(feature = "catalog"))]
fn told(_: &Project) -> Vec<String> {
    Vec::new()
}
