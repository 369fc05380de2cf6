//! What changed under a run: the code, the branch, its own script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git;
use birthmark_core::Finding;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::Drift;
use birthmark_core::lineage::RENAMED;
use birthmark_core::session::Artifact;
use birthmark_core::snapshot::commit_that_holds;
use birthmark_store::{Layout, atomic};
use serde_json::Value;

use super::Session;
use super::begin::status_options;
use super::scriptless::is_notebook;
use crate::error::Result;
use crate::lineage::OBSERVED;
use crate::looks::CodeSeen;
use crate::{snapshot, talk};

/// A larger notebook is not looked into, in bytes.
const NOTEBOOK_LIMIT: usize = 64 << 20;

impl Session {
    pub(super) fn record_drift(&self) -> Result<()> {
        let Some(before) = self.code_within(std::time::Duration::ZERO) else {
            return Ok(());
        };
        if before.state.commit.found().is_none() {
            return Ok(());
        }
        let options = status_options(self.project(), self.inner.script.as_deref());
        let state = git::capture_later(self.anchor(), &before.state, &options);
        let mut drift = before.state.drift_to(&state);
        self.forget_own_writes(&mut drift.files, &before)?;
        // A notebook is told of by its cells, and among the files.
        let script = self.inner.script.as_deref();
        let script = script.filter(|script| !is_notebook(script));
        let script_edited = script.and_then(|script| self.edited(script, &before));
        let mut changes = Vec::new();
        if drift.head_moved {
            let short = |finding: &Finding<String>| {
                finding
                    .found()
                    .map_or("unknown".to_owned(), |hex| hex.chars().take(7).collect())
            };
            changes.push(format!(
                "HEAD moved from {} to {}",
                short(&before.state.commit),
                short(&state.commit)
            ));
        } else if drift.branch_changed {
            let name = state.branch.found().map_or("no branch", String::as_str);
            changes.push(format!("the branch changed to {name}"));
        }
        changes.extend(drift.files.iter().map(|file| format!("{file} changed")));
        if let Some(script) = script_edited
            && !changes.iter().any(|change| change.starts_with(&script))
        {
            changes.push(format!("{script} changed"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.say(&format!(
            "birthmark: while it ran, {}",
            talk::some_of(&changes)
        ));
        let (state, tree) = git::snapshot::capture_status_and_changes(self.anchor(), &options);
        let kept = snapshot::take_at_end(self, tree);
        let fields: Fields = CodeSeen::new(state, None).with_snapshot(kept).fields;
        self.record(Drift { changes, fields })
    }

    /// What this session wrote itself is no drift: artifacts that git tracks, and their sidecars, also
    /// those that a script was seen to write, remove or rename. Nor are the outputs of a notebook's
    /// cells.
    fn forget_own_writes(&self, files: &mut Vec<String>, before: &CodeSeen) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let project = self.project();
        let folder = match self.anchor() {
            anchor if anchor.is_dir() => anchor,
            script => atomic::folder_of(script),
        };
        let repository = git::Objects::open(folder);
        let repository = repository.found();
        let top = repository.and_then(git::Objects::root);
        let top = top.unwrap_or_else(|| project.root()).to_owned();
        let told = self.folded()?;
        let mut own: BTreeSet<PathBuf> = BTreeSet::from([project.layout.manifest(self.id())]);
        // Where nobody saw who wrote a file, it was perhaps a hand.
        let is_own = |one: &&Artifact| {
            one.sealed().is_none_or(|one| {
                let by = one.notes.get("observed_by").and_then(Value::as_str);
                one.format != OBSERVED || by != Some("folder")
            })
        };
        for artifact in told.artifacts.iter().filter(is_own) {
            let path = project.resolve(&artifact.file);
            own.insert(Layout::sidecar(&path));
            own.insert(path);
        }
        own.extend(told.removals.iter().map(|one| project.resolve(&one.file)));
        // What it called otherwise is gone under its old name.
        let renamed = told
            .used
            .iter()
            .filter(|input| input.get("role").and_then(Value::as_str) == Some(RENAMED));
        let names = renamed.filter_map(|input| input.get("file")?.as_str());
        own.extend(names.map(|file| project.resolve(file)));
        let own: BTreeSet<PathBuf> = own.iter().map(|path| real(path)).collect();
        let commit = commit_that_holds(&before.fields);
        files.retain(|file| {
            let path = real(&top.join(file));
            let held = || repository?.read_at(commit?, file, NOTEBOOK_LIMIT);
            let is_output =
                || is_notebook(&path) && held().is_some_and(|then| has_its_cells(&path, &then));
            !path.ancestors().any(|up| own.contains(up)) && !is_output()
        });
        Ok(())
    }

    /// The script's name, if its bytes are no longer those that began to run.
    fn edited(&self, script: &Path, before: &CodeSeen) -> Option<String> {
        let then = before.fields.get("script_sha")?.as_str()?;
        if before.script_lies_as_it_did(script) {
            return None;
        }
        let now = git::file_state(script, script).blob_id;
        let edited = now.found().is_none_or(|now| now != then);
        edited.then(|| self.project().stored_path(script))
    }
}

/// Whether a notebook has the cells that it had, whatever they put out since.
fn has_its_cells(path: &Path, then: &[u8]) -> bool {
    let now = atomic::read_limited(path, NOTEBOOK_LIMIT as u64).unwrap_or_default();
    let (now, then) = (cells(&now), cells(then));
    now.is_some() && now == then
}

/// The kind and the source of each cell; nothing where it is no notebook.
fn cells(notebook: &[u8]) -> Option<Vec<(String, String)>> {
    let notebook: Value = serde_json::from_slice(notebook).ok()?;
    let cells = notebook.get("cells")?.as_array()?.iter();
    let lines = |source: &Value| match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    };
    let cell = |cell: &Value| {
        let kind = cell.get("cell_type")?.as_str()?.to_owned();
        Some((kind, lines(cell.get("source")?)))
    };
    cells.map(cell).collect()
}

/// The path with its folder's links followed, where the folder is there.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
