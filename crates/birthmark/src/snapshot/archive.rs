//! `birthmark bundle`: the code of a session with all of its history, in one file that git
//! takes, for a colleague or an archive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_capture::git::bundle::{BundleOptions, bundle_whole};
use birthmark_core::snapshot::REFERENCES;
use birthmark_store::{atomic, stop};
use serde_json::{Value, json};

use super::source::{self, Source};
use super::wanted;
use crate::error::{Error, Kind, Result};
use crate::project::Project;

/// No archive is larger: it is put together in memory.
const LIMIT: u64 = 2 << 30;
/// When it is given up.
const TIME: Duration = Duration::from_mins(10);

/// What was written.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// The commit that ran.
    pub commit: String,
    /// Whether it is a snapshot.
    pub is_snapshot: bool,
    /// Bytes of the file.
    pub size: u64,
    /// Repositories within: where each lies, and the reference under which it is in the file.
    pub within: Vec<(String, String)>,
    /// Repositories within that are not here, and so not in it.
    pub missing: Vec<String>,
}

impl Archive {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.path.to_string_lossy(),
            "commit": self.commit,
            "snapshot": self.is_snapshot,
            "size": self.size,
            "within": self.within.iter().map(|(path, reference)| json!({"path": path, "reference": reference})).collect::<Vec<_>>(),
            "missing": self.missing,
        })
    }
}

/// Writes the code of `what` to a file that needs nothing else.
pub fn archive(project: &Project, what: &str, out: Option<&Path>, force: bool) -> Result<Archive> {
    let wanted = wanted::find(project, what)?;
    let short = wanted.commit.get(..7).unwrap_or(&wanted.commit);
    let name = match &wanted.session {
        Some(session) => format!("{}.bundle", session.short()),
        None => format!("{short}.bundle"),
    };
    let path = out.map_or_else(|| PathBuf::from(name), Path::to_owned);
    if path.exists() && !force {
        let message = format!("`{}` is there", path.display());
        return Err(
            Error::usage("file-exists", message).with_hint("--out another file, or --force")
        );
    }
    let find = |commit: &str, hints: &[PathBuf]| source::find(project, commit, hints);
    let top = find(&wanted.commit, &wanted.hints)
        .map_err(|reason| Error::usage("commit-nowhere", reason))?;
    let mut named = vec![
        ("HEAD".to_owned(), wanted.commit.clone()),
        ("refs/heads/birthmark".to_owned(), wanted.commit.clone()),
    ];
    if let Some(run) = &wanted.run {
        named.push((format!("{REFERENCES}{run}"), wanted.commit.clone()));
    }
    let mut within: Vec<(Source, Vec<(String, String)>)> = Vec::new();
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    let nested = wanted.taken.iter().flat_map(|taken| &taken.nested);
    for (number, nested) in nested.enumerate() {
        let hints = source::hints(project, &wanted.hints, &nested.path);
        match find(&nested.commit, &hints) {
            Ok(source) => {
                let name = format!("refs/birthmark/nested/{number}");
                places.push((nested.path.clone(), name.clone()));
                within.push((source, vec![(name, nested.commit.clone())]));
            }
            Err(_) => missing.push(nested.path.clone()),
        }
    }
    let mut commits = vec![(&top.database, named)];
    commits.extend(
        within
            .iter()
            .map(|(source, named)| (&source.database, named.clone())),
    );
    let options = BundleOptions {
        limit: LIMIT,
        time: TIME,
        is_kept: &|_| false,
        holder: &|_| None,
        is_stopped: &|| stop::check().is_err(),
    };
    let bundle = bundle_whole(&commits, &options).map_err(|reason| {
        let message = format!("cannot bundle {short}: {reason}");
        Error::new(Kind::Io, "bundle", message)
    })?;
    atomic::replace(&path, &bundle.bytes, atomic::Durability::Power)?;
    // It is no code: the tree is not dirty by it, and the next snapshot does not carry this one.
    if project.layout.exists() {
        crate::generated::note_all(&project.layout, std::slice::from_ref(&path));
    }
    Ok(Archive {
        path,
        commit: wanted.commit,
        is_snapshot: wanted.is_snapshot,
        size: bundle.bytes.len() as u64,
        within: places,
        missing,
    })
}
