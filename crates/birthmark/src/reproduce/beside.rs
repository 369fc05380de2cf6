//! The code of other repositories that ran: which there was, whether it can be had exactly, and
//! where Python is to find it instead of what lies there now.

use std::path::{Path, PathBuf};

use birthmark_core::event::{Module, ModulesObserved};
use serde_json::{Value, json};

use super::Options;
use super::lay::Laid;
use super::plan::Plan;
use crate::code_beside::CodeBeside;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::sessions;
use crate::snapshot::{Head, RestoreOptions, make_repository, restore};

/// Differences that are told.
const MOST: usize = 20;

/// A repository beside the script's own, whose code ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Where it lay.
    pub root: PathBuf,
    /// The commit that holds what ran, if there is one.
    pub restore: Option<String>,
    /// Its `HEAD`.
    pub commit: Option<String>,
    /// Where it came from.
    pub remote: Option<String>,
    /// Why it is not exactly what ran; empty where it is.
    pub inexact: Vec<String>,
    /// Its files that were loaded.
    pub files: Vec<String>,
}

impl From<CodeBeside> for Beside {
    fn from(told: CodeBeside) -> Self {
        Self {
            restore: told.restore().map(str::to_owned),
            inexact: told.lacks().into_iter().collect(),
            root: told.root,
            commit: told.commit,
            remote: told.remote,
            files: told.files,
        }
    }
}

impl Beside {
    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "root": self.root.to_string_lossy(),
            "git_commit": self.commit,
            "restore": self.restore,
            "inexact": self.inexact,
            "files": self.files.len(),
        })
    }

    /// Lays it out, and makes it a repository. Answers why that is not exactly what ran.
    fn lay(&self, project: &Project, folder: &Path) -> Result<Vec<String>> {
        let Some(commit) = &self.restore else {
            return Ok(vec!["its commit is not known".to_owned()]);
        };
        let into = RestoreOptions {
            into: Some(folder),
            near: Some(&self.root),
            ..RestoreOptions::default()
        };
        let restored = restore(project, commit, &into)?;
        let head = Head {
            commit: self.commit.as_deref().unwrap_or(commit),
            branch: None,
            remote: self.remote.as_deref(),
            pushed: false,
            unseen: &[],
            within: None,
        };
        // Code that only is imported needs no git.
        let _ = make_repository(project, folder, commit, &head);
        let left = restored.left_out.iter();
        let left = left.map(|one| format!("{} was left out", one.path));
        let missing = restored.missing.iter();
        let missing = missing.map(|one| format!("repository {} is not here", one.path));
        Ok(restored
            .inexact
            .iter()
            .cloned()
            .chain(left)
            .chain(missing)
            .collect())
    }
}

/// The folder beside `top` that other repositories are laid out in.
pub(super) fn place(top: &Path) -> PathBuf {
    let mut folder = top.file_name().unwrap_or_default().to_owned();
    folder.push("-beside");
    top.with_file_name(folder)
}

/// Lays out every repository beside the folder `top`: where each lies now, in the plan's order.
pub(super) fn lay(plan: &Plan, options: &Options, top: &Path) -> Result<Vec<PathBuf>> {
    let place = place(top);
    let mut laid = Vec::new();
    for one in &plan.beside {
        let name = one.root.file_name().unwrap_or_default().to_string_lossy();
        let folder = (1..=plan.beside.len())
            .map(|number| match number {
                1 => place.join(&*name),
                _ => place.join(format!("{name}-{number}")),
            })
            .find(|folder| !laid.contains(folder))
            .unwrap_or_default();
        let why = match one.lay(&plan.project, &folder) {
            Ok(why) => why,
            Err(error) => vec![error.whole()],
        };
        if !why.is_empty() && !options.inexact {
            let message = format!(
                "the code of `{}` is not exactly what ran: {}",
                crate::text::neutral(&one.root.to_string_lossy()),
                why.join("; ")
            );
            return Err(Error::usage("cannot-reproduce", message)
                .with_hint("--inexact goes on all the same"));
        }
        laid.push(folder);
    }
    Ok(laid)
}

/// What Python is told (see `run/python/birthmark_run/_moved.py`): old places with new ones, the
/// innermost first, and the folders that modules were imported from.
pub(super) fn moved(plan: &Plan, laid: &Laid) -> Value {
    let own = [Some(&plan.top), plan.old_top.as_ref()];
    let own = own.into_iter().flatten().map(|old| (old, &laid.top));
    let others = plan.beside.iter().map(|one| &one.root);
    let mut roots: Vec<(&PathBuf, &PathBuf)> = others.zip(&laid.beside).chain(own).collect();
    roots.sort_by_key(|(old, _)| std::cmp::Reverse(old.components().count()));
    roots.dedup();
    let mut folders: Vec<PathBuf> = Vec::new();
    for (one, new) in plan.beside.iter().zip(&laid.beside) {
        for folder in one.files.iter().flat_map(|file| import_folders(new, file)) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let pairs: Vec<[String; 2]> = roots
        .into_iter()
        .map(|(old, new)| [text(old), text(new)])
        .collect();
    json!({"roots": pairs, "folders": folders.iter().map(text).collect::<Vec<_>>()})
}

/// The folders that a module of this file may have been found from: above its outermost package,
/// and, since packages need no `__init__.py`, those above it in the repository.
fn import_folders(root: &Path, file: &str) -> Vec<PathBuf> {
    let path = root.join(file);
    let above = path.ancestors().skip(1);
    above
        .take_while(|folder| folder.starts_with(root))
        .filter(|folder| path.is_file() && !folder.join("__init__.py").is_file())
        .map(Path::to_owned)
        .collect()
}

/// A module's path from the top: a repository within is an own one then, and none where it was
/// laid out again.
fn below(top: &Path, root: &Path, file: &str) -> String {
    match root.strip_prefix(top) {
        Ok(rest) if rest != Path::new("") => format!("{}/{file}", rest.display()),
        _ => file.to_owned(),
    }
}

/// Whether the reproduction loaded the code that ran: what differs, or `None` where one of the
/// two runs did not tell what it loaded.
pub(super) fn differences(plan: &Plan, laid: &Laid, session: Option<&str>) -> Option<Vec<String>> {
    let project = laid.project();
    let id = birthmark_core::SessionId::from_text(session?);
    let again = sessions::fold_of(&project, &id).ok()?;
    let now: Vec<&ModulesObserved> = again
        .runs
        .iter()
        .flat_map(|run| &run.observed.modules)
        .collect();
    if plan.modules.is_empty() || now.is_empty() {
        return None;
    }
    let then = plan.modules.iter().flat_map(|one| {
        let root = plan.project.resolve(&one.root);
        let place = plan.beside.iter().position(|beside| beside.root == root);
        let top = if place.is_some() {
            root.clone()
        } else {
            plan.top.clone()
        };
        let name = move |file: &Module| below(&top, &root, &file.file);
        one.files.iter().map(move |file| (place, name(file), file))
    });
    let then: Vec<(Option<usize>, String, &Module)> = then.collect();
    let mut lines = Vec::new();
    for modules in now {
        let root = project.resolve(&modules.root);
        let place = laid.beside.iter().position(|folder| *folder == root);
        if place.is_none() && !root.starts_with(&laid.top) && !laid.top.starts_with(&root) {
            let shown = root.display();
            lines.push(format!(
                "{} files of {shown}, as they are now",
                modules.files.len()
            ));
            continue;
        }
        for file in &modules.files {
            let top = if place.is_some() { &root } else { &laid.top };
            let name = below(top, &root, &file.file);
            let before = then.iter().find(|one| one.0 == place && one.1 == name);
            match before.map(|one| one.2) {
                None if !plan.all_modules => {}
                None => lines.push(format!("{name}, which was not loaded then")),
                Some(old) if old.changed || old.blob.is_none() || old.blob == file.blob => {}
                Some(_) => lines.push(format!("{name}, with other content")),
            }
        }
    }
    lines.truncate(MOST);
    Some(lines)
}
