//! Who else writes a file: told by the journals of sessions that still run.
//!
//! # Limits
//!
//! * The newest sessions are asked alone, and those of this project.
//! * Of a report that is put together item by item no journal tells before it is whole.

use std::path::Path;

use birthmark_core::event::ProcessIdentity;
use birthmark_core::session::{ArtifactState, Status};
use birthmark_store::records::RecordsError;

use crate::error::Error;
use crate::project::Project;
use crate::{session, sessions};

/// So many sessions are asked.
const ASKED: usize = 100;

/// The error of a file that could not be opened to write records; where another writer has it,
/// with the session and the process, if they can be told.
pub(crate) fn explain(project: &Project, path: &Path, error: RecordsError) -> Error {
    let in_use = matches!(error, RecordsError::InUse { .. });
    match in_use.then(|| writer(project, path)).flatten() {
        Some(who) => {
            let hint = error.hint();
            let told = Error::usage("file-in-use", format!("{error}: {who}"));
            match hint {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        }
        None => error.into(),
    }
}

/// The session and the process that opened the file and have not finished it.
fn writer(project: &Project, path: &Path) -> Option<String> {
    let stored = project.stored_path(path);
    for id in sessions::ids(project).ok()?.iter().take(ASKED) {
        let Ok(loaded) = sessions::load(project, id) else {
            continue;
        };
        let status = loaded.status(session::now());
        if !matches!(status, Status::Open | Status::Running | Status::LastHeard) {
            continue;
        }
        let open = loaded.session.artifacts.iter().rev().find(|artifact| {
            artifact.file == stored && matches!(artifact.state, ArtifactState::Open(_))
        });
        let Some(artifact) = open else { continue };
        let run = loaded.session.runs.iter();
        let run = run.rev().find(|run| Some(&run.id) == artifact.run.as_ref());
        let short = id.short();
        return Some(match run.map(|run| &run.process) {
            Some(ProcessIdentity { pid, host, .. }) => {
                let host = crate::text::neutral(host);
                format!("session {short}, process {pid} on {host}")
            }
            None => format!("session {short}"),
        });
    }
    None
}
