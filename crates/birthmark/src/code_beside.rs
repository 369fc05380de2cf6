//! The code of other repositories that a run loaded: `show`, `verify` and `reproduce` ask here.

use std::path::PathBuf;

use birthmark_core::birthmark::Fields;
use birthmark_core::event::ModulesObserved;
use birthmark_core::session::Run;
use serde_json::{Value, json};

use crate::project::Project;
use crate::text;

/// Names of the environment under which other repositories are told.
const NAMES: [&str; 2] = ["editable_code", "local_code"];

/// A repository beside the script's own, whose code ran, as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodeBeside {
    /// Where it lay.
    pub root: PathBuf,
    /// Its `HEAD`.
    pub commit: Option<String>,
    /// Whether it was dirty; none is unknown.
    pub dirty: Option<bool>,
    /// The snapshot of it.
    pub snapshot: Option<String>,
    /// Where it came from.
    pub remote: Option<String>,
    /// Why something of that is not known.
    pub unknown: Option<String>,
    /// Its files that were loaded.
    pub files: Vec<String>,
}

/// The repositories of some runs, as far as something of them was loaded, or may have been.
pub(crate) fn of_runs(project: &Project, runs: &[&Run], environment: &Fields) -> Vec<CodeBeside> {
    let modules: Vec<&ModulesObserved> =
        runs.iter().flat_map(|run| &run.observed.modules).collect();
    let all_code = told_all(runs);
    let listed = NAMES
        .iter()
        .filter_map(|name| environment.get(*name)?.as_array())
        .flatten()
        .filter_map(Value::as_object);
    let later = modules.iter().map(|one| &one.code);
    let mut found: Vec<CodeBeside> = Vec::new();
    for fields in listed.chain(later) {
        let Some(root) = fields.get("root").and_then(Value::as_str) else {
            continue;
        };
        let root = PathBuf::from(root);
        let of_it = modules
            .iter()
            .filter(|one| project.resolve(&one.root) == root);
        let files: Vec<String> = of_it
            .flat_map(|one| one.files.iter().map(|module| module.file.clone()))
            .collect();
        let is_needed = !files.is_empty() || !all_code;
        if is_needed && found.iter().all(|known| known.root != root) {
            found.push(CodeBeside::of(root, fields, files));
        }
    }
    found
}

/// Whether one of the runs told all code that it loaded.
pub(crate) fn told_all(runs: &[&Run]) -> bool {
    let lineage = runs.iter().filter_map(|run| run.observed.lineage.as_ref());
    let mut complete = lineage.map(|lineage| lineage.code_complete == Some(true));
    complete.any(|complete| complete)
}

impl CodeBeside {
    fn of(root: PathBuf, fields: &Fields, files: Vec<String>) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            root,
            commit: text("git_commit"),
            dirty: fields.get("git_dirty").and_then(Value::as_bool),
            snapshot: text("git_snapshot"),
            remote: text("git_remote"),
            unknown: text("unknown"),
            files,
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "root": self.root.to_string_lossy(),
            "git_commit": self.commit,
            "git_dirty": self.dirty,
            "git_snapshot": self.snapshot,
            "git_remote": self.remote,
            "files": self.files,
        })
    }

    /// The commit that holds what ran, as nearly as it is known.
    pub(crate) fn restore(&self) -> Option<&str> {
        self.snapshot.as_deref().or(self.commit.as_deref())
    }

    /// Why that is not exactly what ran; none where it is.
    pub(crate) fn lacks(&self) -> Option<String> {
        let is_held = self.snapshot.is_some() || self.dirty == Some(false);
        let unknown = || self.unknown.clone();
        (!is_held).then(|| unknown().unwrap_or_else(|| "no snapshot of it was kept".to_owned()))
    }

    /// `/code/lib  f09d7da, dirty, snapshot 8c1d4e0`.
    pub(crate) fn phrase(&self) -> String {
        let short = |hex: &String| text::short(&hex.chars().take(7).collect::<String>(), 7);
        let commit = self
            .commit
            .as_ref()
            .map_or("commit unknown".to_owned(), short);
        let state = match (self.dirty, &self.snapshot) {
            (Some(false), _) => "clean".to_owned(),
            (Some(true), Some(snapshot)) => format!("dirty, snapshot {}", short(snapshot)),
            (Some(true), None) => "dirty, not kept".to_owned(),
            (None, _) => "dirty unknown".to_owned(),
        };
        let root = text::short(&self.root.to_string_lossy(), 100);
        format!("{root}  {commit}, {state}")
    }
}
