//! Giving a snapshot back: its files, byte for byte, in a folder.

use std::path::{Path, PathBuf};

use birthmark_capture::git::bundle::COMMITS;
use birthmark_capture::git::{self, Database, ReadFailure, StoredKind, display_path};
use birthmark_core::snapshot::{LeftOut, REFERENCES};
use birthmark_store::PathError;
use birthmark_store::tree::TreeWriter;
use serde_json::{Value, json};

use super::wanted::{self, Wanted};

use super::source::{self, Source};
use crate::error::{Error, Kind, Result};
use crate::project::Project;

/// Repositories in repositories are followed this deep.
pub(super) const DEEPEST: u32 = 8;

/// How to give a snapshot back.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions<'a> {
    /// The folder; without one, `<project>-<commit>` beside the project, since within it the
    /// files would make the tree dirty.
    pub into: Option<&'a Path>,
    /// Whether files that are there may be replaced.
    pub force: bool,
    /// Where the repository lay that it is of, where that is known.
    pub near: Option<&'a Path>,
    /// Repositories within that were not checked out then: they stay empty folders.
    pub absent: &'a [String],
}

/// A repository within, of which nothing is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Where it lay.
    pub path: String,
    /// Its commit.
    pub commit: String,
}

/// What was given back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The commit.
    pub commit: String,
    /// Whether it is a snapshot, and not the commit of a clean tree.
    pub is_snapshot: bool,
    /// The folder.
    pub folder: PathBuf,
    /// How many files.
    pub files: u64,
    /// Whether they came from the store.
    pub from_store: bool,
    /// Whether the commit is now in this clone, too.
    pub brought_in: bool,
    /// Files that the snapshot does not hold.
    pub left_out: Vec<LeftOut>,
    /// What else keeps it from being exact.
    pub inexact: Vec<String>,
    /// Repositories within that are not here.
    pub missing: Vec<Missing>,
    /// Repositories within that were given back, the outer before the inner.
    pub nested: Vec<Nested>,
}

/// A repository within that was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    /// Its folder, from the top.
    pub path: String,
    /// The commit that was given back.
    pub commit: String,
}

impl Restored {
    /// Whether every file is as it was.
    pub fn is_exact(&self) -> bool {
        self.left_out.is_empty() && self.inexact.is_empty() && self.missing.is_empty()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let missing: Vec<Value> = self
            .missing
            .iter()
            .map(|one| json!({"path": one.path, "commit": one.commit}))
            .collect();
        json!({
            "commit": self.commit,
            "snapshot": self.is_snapshot,
            "folder": self.folder.to_string_lossy(),
            "files": self.files,
            "exact": self.is_exact(),
            "from_store": self.from_store,
            "brought_in": self.brought_in,
            "left_out": self.left_out,
            "inexact": self.inexact,
            "missing": missing,
        })
    }
}

/// Gives back what a session ran, or what a commit holds. `what` is a session (as anywhere),
/// or a commit (7 digits or more).
pub fn restore(project: &Project, what: &str, options: &RestoreOptions<'_>) -> Result<Restored> {
    let mut wanted = wanted::find(project, what)?;
    let near = options.near.filter(|folder| folder.is_dir());
    wanted.hints.extend(near.map(Path::to_owned));
    let short = wanted.commit.get(..7).unwrap_or(&wanted.commit);
    let folder = match options.into {
        Some(folder) => folder.to_owned(),
        None => beside(project, short),
    };
    let writer = open_target(&folder, options.force)?;
    let source = source::find(project, &wanted.commit, &wanted.hints);
    let source = source.map_err(|reason| {
        let hint = brings(project, &reason, &wanted);
        Error::usage("commit-nowhere", reason).with_hint(hint)
    })?;
    let (left_out, mut inexact) = match &wanted.taken {
        Some(taken) => (taken.left_out.clone(), taken.inexact.clone()),
        None => (Vec::new(), Vec::new()),
    };
    inexact.extend(wanted.unkept.iter().cloned());
    let mut restored = Restored {
        commit: wanted.commit.clone(),
        is_snapshot: wanted.is_snapshot,
        folder,
        files: 0,
        from_store: source.from_bundles,
        brought_in: bring_in(project, &source, &wanted),
        left_out,
        inexact,
        missing: Vec::new(),
        nested: Vec::new(),
    };
    let filling = Filling {
        project,
        writer: &writer,
        hints: &wanted.hints,
        absent: options.absent,
    };
    filling.fill(&source, &wanted.commit, b"", 0, &mut restored)?;
    writer.finish()?;
    Ok(restored)
}

fn beside(project: &Project, short: &str) -> PathBuf {
    let name = project
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let name = format!("{name}-{short}");
    project.root().parent().unwrap_or(project.root()).join(name)
}

fn open_target(folder: &Path, force: bool) -> Result<TreeWriter> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(false) if force => Ok(TreeWriter::into_existing(folder)),
        Ok(false) => Err(Error::usage(
            "folder-exists",
            format!("`{}` is there and not empty", folder.display()),
        )
        .with_hint("--into another folder, or --force to replace files in this one")),
        Ok(true) => Ok(TreeWriter::new_folder(folder)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(TreeWriter::new_folder(folder)?)
        }
        Err(error) => Err(Error::usage(
            "folder-exists",
            format!("cannot restore into `{}`", folder.display()),
        )
        .with_source(error)),
    }
}

/// What brings a commit here that cannot be had for this reason.
pub(super) fn brings(project: &Project, reason: &str, wanted: &Wanted) -> String {
    let clone = Database::open(project.root());
    let clone = clone.found();
    let needs = source::lives(project, &wanted.commit).lacks;
    match &wanted.remote {
        Some(remote) if clone.is_none() => {
            format!("git clone {remote}, copy the artifacts folder into it, and try there")
        }
        _ if wanted.is_snapshot && reason.ends_with(source::NEITHER) => {
            "no remote has a snapshot: copy the artifacts folder of the machine that made it"
                .to_owned()
        }
        _ if clone.is_some_and(Database::is_shallow) => {
            "git fetch --unshallow: this clone is shallow, and has the newest commits alone"
                .to_owned()
        }
        // A remote still gives what no branch of it holds any more, for a while, to who asks by
        // its whole id.
        _ => format!(
            "git fetch origin {}, or copy the artifacts folder or the clone of the machine that \
             ran it; plain git fetch brings only what a branch still holds",
            needs.unwrap_or_else(|| wanted.commit.clone())
        ),
    }
}

/// Puts a commit that only the store had into this clone, so that git knows it. That it
/// cannot be is no failure: the files are given back all the same.
fn bring_in(project: &Project, source: &Source, wanted: &Wanted) -> bool {
    source.fits_clone && {
        let name = match &wanted.run {
            Some(run) => format!("{REFERENCES}{run}"),
            None => format!("{COMMITS}{}", wanted.commit),
        };
        git::snapshot::bring_into(project.root(), &source.database, &wanted.commit, &name).is_ok()
    }
}

/// Filling one folder, from as many repositories as the commit names.
struct Filling<'a> {
    project: &'a Project,
    writer: &'a TreeWriter,
    hints: &'a [PathBuf],
    absent: &'a [String],
}

impl Filling<'_> {
    fn fill(
        &self,
        source: &Source,
        commit: &str,
        prefix: &[u8],
        depth: u32,
        restored: &mut Restored,
    ) -> Result<()> {
        let mut nested = Vec::new();
        let put = |path: &[u8], kind: StoredKind| -> std::result::Result<(), PathError> {
            let path = [prefix, path].concat();
            match kind {
                StoredKind::File { bytes, executable } => {
                    self.writer.file(&path, &bytes, executable)?;
                    restored.files += 1;
                }
                StoredKind::Link(target) => {
                    self.writer.link(&path, &target)?;
                    restored.files += 1;
                }
                StoredKind::Nested(commit) => {
                    self.writer.folder(&path)?;
                    nested.push((path, commit));
                }
            }
            Ok(())
        };
        source
            .database
            .files(commit, put)
            .map_err(|failure| match failure {
                ReadFailure::Commit(reason) => {
                    let short = commit.get(..7).unwrap_or(commit);
                    let message = format!("cannot read what {short} holds: {reason}");
                    Error::new(Kind::Damaged, "commit-damaged", message)
                }
                ReadFailure::Caller(error) => error.into(),
            })?;
        for (path, commit) in nested {
            self.nested(&path, &commit, depth + 1, restored)?;
        }
        Ok(())
    }

    fn nested(&self, path: &[u8], commit: &str, depth: u32, restored: &mut Restored) -> Result<()> {
        let shown = display_path(path);
        if self.absent.contains(&shown) {
            return Ok(());
        }
        let hints = source::hints(self.project, self.hints, &shown);
        match source::find(self.project, commit, &hints) {
            Ok(source) if depth <= DEEPEST => {
                restored.nested.push(Nested {
                    path: shown,
                    commit: commit.to_owned(),
                });
                let prefix = [path, b"/"].concat();
                self.fill(&source, commit, &prefix, depth, restored)
            }
            _ => {
                restored.missing.push(Missing {
                    path: shown,
                    commit: commit.to_owned(),
                });
                Ok(())
            }
        }
    }
}
