//! Watching what a command reads and makes, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::Command;

use birthmark_core::Timestamp;
use birthmark_store::atomic;

use crate::error::Result;
use crate::lineage::folders::Folders;
use crate::lineage::inputs::{Budget, DIGEST_TIME};
use crate::lineage::{Seen, Watched, preload};
use crate::session::{Session, now};

/// What is looked at, and what stood there before.
pub(super) struct Watch {
    command: PathBuf,
    start: Timestamp,
    folders: Vec<PathBuf>,
    before: Folders,
    /// The preloaded library and where it notes; or why there is none.
    preload: Result<(PathBuf, PathBuf), String>,
    on: bool,
}

impl Watch {
    /// Looks at the folders, before the command begins.
    pub(super) fn new(helper: Option<&Path>, session: &Session, command: PathBuf) -> Self {
        let project = session.project();
        let settings = &project.config.lineage.value;
        let mut folders = vec![project.layout.artifacts().to_owned()];
        folders.extend(settings.folders.iter().map(|one| project.root().join(one)));
        Self {
            command,
            start: now(),
            before: Folders::look(&folders),
            folders,
            preload: notes(helper, session),
            on: settings.on,
        }
    }

    /// Has the command note what it opens.
    pub(super) fn give(&self, command: &mut Command) {
        if let (Ok((library, folder)), true) = (&self.preload, self.on) {
            command.envs(preload::variables(library, folder));
        }
    }

    /// Records what was seen, once the command has ended. Answers how many files that it made
    /// are not listed.
    pub(super) fn record(&self, session: &Session) -> Result<usize> {
        let mut budget = Budget::new(DIGEST_TIME);
        let (Ok((_, folder)), true) = (&self.preload, self.on) else {
            let left_out = session.record_made(&self.folders, &self.before, None, &mut budget)?;
            if self.on {
                session.record_watched(&self.unwatched(), self.start)?;
            }
            return Ok(left_out);
        };
        let seen = Seen::read(folder);
        // What is in the journal is not needed twice.
        let _ = std::fs::remove_dir_all(folder);
        let gaps = preload::gaps(&seen, &self.command);
        let complete = gaps.is_empty().then_some(&seen);
        let left_out = session.record_made(&self.folders, &self.before, complete, &mut budget)?;
        let watched = Watched {
            by: vec!["preload".to_owned(), "folder".to_owned()],
            all_code: gaps.is_empty(),
            gaps,
            seen,
            ..Watched::default()
        };
        session.record_watched(&watched, self.start)?;
        Ok(left_out)
    }

    fn unwatched(&self) -> Watched {
        let reason = self.preload.as_ref().err();
        Watched {
            seen: Seen::default(),
            by: vec!["folder".to_owned()],
            all_code: false,
            gaps: vec![format!(
                "what was read was not seen: {}",
                reason.map_or("it was not watched", String::as_str)
            )],
            ..Watched::default()
        }
    }
}

/// The library, and a folder of this run's own for its notes.
fn notes(helper: Option<&Path>, session: &Session) -> Result<(PathBuf, PathBuf), String> {
    let library = helper
        .and_then(preload::library)
        .ok_or("the library to be preloaded is not here")?;
    let run = session.run_id().as_str();
    let folder = session.project().layout.session(session.id());
    let folder = folder.join(format!("seen-{run}"));
    // The folder's name stands in a variable of the command, whoever reads it.
    let text = folder.to_str().filter(|text| !text.contains(':'));
    text.ok_or("its notes would lie in a folder with an odd name")?;
    atomic::create_folder(&folder).map_err(|error| error.to_string())?;
    Ok((library, folder))
}
