//! Watching what a command reads and makes, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::Command;

use birthmark_capture::process;
use birthmark_core::{Finding, Timestamp};
use birthmark_store::atomic;

use super::program::{interpreter_of, interpreter_that_ran};
use super::{orphans, python};
use crate::error::Result;
use crate::lineage::folders::Folders;
use crate::lineage::inputs::{Budget, DIGEST_TIME};
use crate::lineage::rules::Rules;
use crate::lineage::{Seen, Watched, preload, told};
use crate::session::{Session, now};

/// That processes of the command have not ended with it: what they open from now on is not seen.
fn went_on(left: &[u32]) -> Option<String> {
    let first = left.first()?;
    Some(match left.len() {
        1 => format!(
            "process {first} of the command goes on after its end, and is not watched any more"
        ),
        more => format!(
            "{more} processes of the command go on after its end, and are not watched any more: {first} …"
        ),
    })
}

/// What is looked at, and what stood there before.
pub(super) struct Watch {
    command: PathBuf,
    start: Timestamp,
    folders: Vec<PathBuf>,
    before: Folders,
    /// Where this run's notes are kept; or why nowhere.
    notes: Result<PathBuf, String>,
    /// The preloaded library; or why there is none.
    preload: Result<PathBuf, String>,
    /// What Pythons are given, so that they tell what they load by name.
    python: Option<PathBuf>,
    on: bool,
}

impl Watch {
    /// Looks at the folders, before the command begins.
    pub(super) fn new(helper: Option<&Path>, session: &Session, command: PathBuf) -> Self {
        let project = session.project();
        let settings = &project.config.lineage.value;
        let mut folders = vec![project.layout.artifacts().to_owned()];
        folders.extend(settings.folders.iter().map(|one| project.root().join(one)));
        let notes = if settings.on {
            notes(session)
        } else {
            Err("it was not watched".to_owned())
        };
        let library = helper.and_then(preload::library);
        let preload = notes.clone().and_then(|_| {
            library.ok_or_else(|| "the library to be preloaded is not here".to_owned())
        });
        Self {
            command,
            start: now(),
            before: Folders::look(&folders),
            folders,
            python: notes.as_ref().ok().and_then(|notes| python::lay_out(notes)),
            notes,
            preload,
            on: settings.on,
        }
    }

    /// Has the command note what it opens, and its Pythons what they load.
    pub(super) fn give(&self, command: &mut Command) {
        let Ok(notes) = &self.notes else { return };
        if let Ok(library) = &self.preload {
            command.envs(preload::variables(library, notes));
        }
        if let Some(folder) = &self.python {
            python::give(folder, notes, command);
        }
    }

    /// Records what was seen, once the command has ended. Answers how many files that it made
    /// are not listed.
    pub(super) fn record(&self, session: &Session) -> Result<usize> {
        let mut budget = Budget::new(DIGEST_TIME);
        let told = match &self.notes {
            Ok(notes) => told::read(notes),
            Err(_) => told::Told::default(),
        };
        session.record_seeds(told.seeds)?;
        let loads = told.loads;
        let (Ok(notes), Ok(_)) = (&self.notes, &self.preload) else {
            let left_out = session.record_made(&self.folders, &self.before, None, &mut budget)?;
            if self.on {
                let watched = Watched {
                    loads,
                    ..self.unwatched()
                };
                session.record_watched(&watched, self.start)?;
            }
            self.forget();
            return Ok(left_out);
        };
        let mut seen = Seen::read(notes);
        seen.writes.extend(self.handed());
        seen.reads.extend(told.extensions);
        if let Finding::Found(("file", Some(file))) = process::stdin() {
            seen.reads.insert(file);
        }
        seen.enter_folders(&Rules::of(session.project()));
        // What is in the journal is not needed twice.
        self.forget();
        let mut gaps = preload::gaps(&seen, &self.command);
        gaps.extend(went_on(&orphans::left()));
        if interpreter_of(&self.command).is_none()
            && let Some(python) = interpreter_that_ran(&seen)
        {
            session.record_interpreter(&python)?;
        }
        let complete = gaps.is_empty().then_some(&seen);
        let left_out = session.record_made(&self.folders, &self.before, complete, &mut budget)?;
        let watched = Watched {
            by: vec!["preload".to_owned(), "folder".to_owned()],
            all_code: gaps.is_empty(),
            gaps,
            seen,
            loads,
        };
        session.record_watched(&watched, self.start)?;
        Ok(left_out)
    }

    /// Files among those that are looked at that the caller opened for the command's output.
    fn handed(&self) -> impl Iterator<Item = PathBuf> {
        let streams = ["/proc/self/fd/1", "/proc/self/fd/2"];
        let files = streams
            .into_iter()
            .filter_map(|place| std::fs::read_link(place).ok());
        files.filter(|file| self.folders.iter().any(|folder| file.starts_with(folder)))
    }

    fn forget(&self) {
        if let Ok(notes) = &self.notes {
            let _ = std::fs::remove_dir_all(notes);
        }
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

/// A folder of this run's own for its notes.
fn notes(session: &Session) -> Result<PathBuf, String> {
    let run = session.run_id().as_str();
    let folder = session.project().layout.session(session.id());
    let folder = folder.join(format!("seen-{run}"));
    // The folder's name stands in a variable of the command, whoever reads it.
    let text = folder.to_str().filter(|text| !text.contains(':'));
    text.ok_or("its notes would lie in a folder with an odd name")?;
    atomic::create_folder(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}
