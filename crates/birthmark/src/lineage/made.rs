//! Recording what a run made without a writer of ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_core::Fields;
use birthmark_core::Finding;
use birthmark_core::event::ArtifactSealed;
use birthmark_core::plan::Plan;
use birthmark_core::session::{Artifact, Session as Folded};
use serde_json::Value;

use super::Seen;
use super::folders::Folders;
use super::inputs::Budget;
use crate::add;
use crate::error::Result;
use crate::session::{Session, now};

/// A new folder with more files than this is one artifact.
const MANY: usize = 256;
/// Files of which more are made are listed up to here; the rest is counted.
const MOST: usize = 2_000;
/// What makes a folder of weights a model.
pub(super) const WEIGHTS: [&str; 5] = ["safetensors", "gguf", "bin", "pt", "pth"];

impl Session {
    /// Records the files that `before` did not know or knew otherwise, and that nobody
    /// recorded. Where `seen` is all that was written, it must have been written by this run.
    /// Answers how many were left out.
    pub(crate) fn record_made(
        &self,
        folders: &[PathBuf],
        before: &Folders,
        seen: Option<&Seen>,
        budget: &mut Budget,
    ) -> Result<usize> {
        let after = Folders::look(folders);
        let folded = self.folded()?;
        let known = Known::of(self, &folded);
        let changed: Vec<PathBuf> = after
            .changed_since(before)
            .into_iter()
            .filter(|path| !known.has(path))
            .filter(|path| seen.is_none_or(|seen| seen.writes.contains(path)))
            .collect();
        let by = if seen.is_some() { "preload" } else { "folder" };
        let artifacts = group(&changed, folders, before, |folder| {
            self.is_one(&folded, folder, &changed)
        });
        let left_out = artifacts.len().saturating_sub(MOST);
        for path in artifacts.iter().take(MOST) {
            self.record_observed(path, by, budget)?;
        }
        Ok(left_out)
    }

    /// Files that were written outside of the folders that are looked at: a model's are one.
    pub(super) fn as_artifacts(&self, told: &Folded, made: &[PathBuf]) -> BTreeSet<PathBuf> {
        let whole = |path: &&PathBuf| {
            let folder = path.parent()?;
            let root = folder == self.project().root();
            (!root && self.is_one(told, folder, made) && folder.join("config.json").is_file())
                .then(|| folder.to_owned())
        };
        let artifacts = made.iter().map(|path| whole(&path).unwrap_or(path.clone()));
        artifacts.take(MOST).collect()
    }

    /// Whether a new folder is one artifact: planned as such, a model, or of very many files.
    fn is_one(&self, told: &Folded, folder: &Path, changed: &[PathBuf]) -> bool {
        let stored = self.project().stored_path(folder);
        let planned = |text: &String| Plan::parse(text).matches(&stored);
        if told.planned.iter().any(planned) {
            return true;
        }
        let inside: Vec<&PathBuf> = changed
            .iter()
            .filter(|path| path.starts_with(folder))
            .collect();
        let ends_in = |path: &Path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            WEIGHTS.contains(&&*ending)
        };
        let is_model = inside.contains(&&folder.join("config.json"))
            && inside.iter().any(|path| ends_in(path));
        is_model || inside.len() > MANY
    }

    /// Records one file or folder that was seen to be made.
    pub(super) fn record_observed(
        &self,
        path: &Path,
        observed_by: &str,
        budget: &mut Budget,
    ) -> Result<()> {
        let (time, size) = (now(), size(path));
        let mut notes = Fields::new();
        notes.insert("observed_by".to_owned(), Value::from(observed_by));
        let (digest, content) = match budget.digests(path, size) {
            (Finding::Found(digest), content) => (Some(digest), content),
            (Finding::Unknown(reason), _) => {
                notes.insert("digest_unknown".to_owned(), Value::from(reason));
                (None, None)
            }
            (Finding::Absent, _) => (None, None),
        };
        let (file, file_bytes) = self.project().stored_name(path);
        self.record_sealed(
            path,
            ArtifactSealed {
                file,
                file_bytes,
                artifact_type: "artifact".to_owned(),
                format: OBSERVED.to_owned(),
                timestamp: time,
                size,
                records: add::records(path, None),
                content_digest: content.or_else(|| digest.clone()),
                digest,
                birthmark: self.whole_birthmark("artifact", &self.differing(), time),
                notes,
            },
        )?;
        Ok(())
    }
}

/// The format of an artifact that no writer of ours made.
pub(crate) use birthmark_core::wrote::OBSERVED;

/// Paths that the session's journals tell of.
pub(super) struct Known {
    paths: BTreeSet<PathBuf>,
}

impl Known {
    pub(super) fn of(session: &Session, folded: &Folded) -> Self {
        let project = session.project();
        let paths = folded.artifacts.iter();
        Self {
            paths: paths.map(|one| project.resolve(&one.file)).collect(),
        }
    }

    /// Those of writers of ours, and those that were added.
    pub(super) fn by_writers(session: &Session, folded: &Folded) -> Self {
        let project = session.project();
        let told = |one: &&Artifact| one.sealed().is_none_or(|one| one.format != OBSERVED);
        let paths = folded.artifacts.iter().filter(told);
        Self {
            paths: paths.map(|one| project.resolve(&one.file)).collect(),
        }
    }

    /// Also what lies in a folder that was recorded, and the parts of a report.
    pub(super) fn has(&self, path: &Path) -> bool {
        let part = path.to_string_lossy();
        let report = part.strip_suffix(".part.jsonl");
        path.ancestors().any(|up| self.paths.contains(up))
            || report.is_some_and(|report| self.paths.contains(Path::new(report)))
    }
}

/// Files, and in the place of those that belong together their folder: the outermost new one
/// that `is_one`.
fn group(
    changed: &[PathBuf],
    roots: &[PathBuf],
    before: &Folders,
    is_one: impl Fn(&Path) -> bool,
) -> BTreeSet<PathBuf> {
    let mut asked = std::collections::HashMap::new();
    let mut whole = |folder: &Path| {
        *asked
            .entry(folder.to_owned())
            .or_insert_with(|| !before.had(folder) && is_one(folder))
    };
    let mut artifacts = BTreeSet::new();
    for path in changed {
        let root = roots.iter().find(|root| path.starts_with(root));
        let within = path
            .ancestors()
            .skip(1)
            .take_while(|up| Some(*up) != root.map(PathBuf::as_path));
        let outermost = within.filter(|folder| whole(folder)).last();
        artifacts.insert(outermost.unwrap_or(path).to_owned());
    }
    artifacts
}

/// Bytes of a file, or of all files in a folder.
pub(crate) fn size(path: &Path) -> u64 {
    if path.is_dir() {
        let files = Folders::look(&[path.to_owned()]);
        return files.bytes();
    }
    path.metadata().map_or(0, |found| found.len())
}
