//! What was asked for, as far as it can be told by looking at it.

use std::path::{Path, PathBuf};

use birthmark_core::Timestamp;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::Layout;

use super::carried::{Carried, carried, digests};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::sessions;
use crate::show::{self, What};
use crate::wrote::Wrote;

/// What was asked for, as far as it can be told without the lineage.
pub(super) struct Wanted {
    pub(super) text: String,
    pub(super) path: Option<PathBuf>,
    pub(super) line: Option<u64>,
    pub(super) digests: (Option<String>, Option<String>),
    pub(super) carried: Option<Carried>,
    /// Whether it carries a birthmark, of whatever session or of none.
    pub(super) stamped: bool,
    /// Who wrote the file, where its birthmarks were born elsewhere.
    pub(super) wrote: Option<Wrote>,
    /// What was named within the folder that is asked for, which is one artifact.
    pub(super) part: Option<String>,
    pub(super) named: Project,
}

/// Looks at what was asked for: a file is digested, and its birthmark read.
pub(super) fn look(artifact: &Path, projects: &[Project], named: &Project) -> Result<Wanted> {
    let text = artifact.to_string_lossy().into_owned();
    let mut wanted = Wanted {
        text: text.clone(),
        path: None,
        line: None,
        digests: (None, None),
        carried: None,
        stamped: false,
        wrote: None,
        part: None,
        named: named.clone(),
    };
    let (mut path, line) = match artifact.to_str() {
        Some(text) => show::parse_target(text),
        None => (artifact.to_owned(), None),
    };
    let is_gone = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    if path.metadata().is_err_and(is_gone) || Layout::session_of_manifest(&path).is_some() {
        return Ok(wanted);
    }
    if let Some(subject) = text.strip_suffix(SIDECAR_SUFFIX) {
        path = PathBuf::from(subject);
    }
    refuse_projects(&path, projects)?;
    wanted.line = line;
    let project = projects.first().unwrap_or(named);
    wanted.digests = digests(&path);
    let now = Timestamp::default();
    // A file that cannot be shown is still found by its digest; one that has no line is not.
    match show::show(project, &path, line, now) {
        Ok(shown) if shown.part.is_some() => {
            let folder = sessions::locate(project, &shown.name, None);
            let part = shown.part.map(|part| part.file);
            return look(&folder, projects, named).map(|whole| Wanted { part, ..whole });
        }
        Ok(shown) => {
            wanted.carried = carried(&shown, &wanted.digests);
            wanted.stamped =
                !matches!(shown.what, What::Observed | What::Unstamped | What::Session);
            wanted.wrote = shown.wrote;
        }
        Err(error) if line.is_some() => return Err(error),
        Err(error) if wanted.digests.0.is_none() => return Err(error),
        Err(_) => {}
    }
    wanted.path = Some(path);
    Ok(wanted)
}

/// A folder that holds a store is no artifact, and digesting it could take hours.
fn refuse_projects(path: &Path, projects: &[Project]) -> Result<()> {
    let holds = |project: &Project| {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let artifacts = project.layout.artifacts();
        let artifacts = artifacts
            .canonicalize()
            .unwrap_or_else(|_| artifacts.to_owned());
        artifacts.starts_with(real)
    };
    if path.is_dir() && projects.iter().any(holds) {
        let message = format!(
            "`{}` is a project or an artifacts folder, and no artifact",
            crate::text::neutral(&path.to_string_lossy())
        );
        return Err(Error::usage("not-traced", message)
            .with_hint("name a file in it, a checkpoint's folder, or a session"));
    }
    Ok(())
}
