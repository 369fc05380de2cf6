//! Ending: what changed under the run, how it came out, and the last fold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use birthmark_capture::git;
use birthmark_core::Finding;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{Drift, OpenedBy, SessionEnded};
use birthmark_core::session::Artifact;
use birthmark_store::{Layout, atomic};
use serde_json::Value;

use super::begin::status_options;
use super::{RunEnd, Session, lock};
use crate::error::{Error, Result};
use crate::lineage::OBSERVED;
use crate::looks::CodeSeen;
use crate::{snapshot, talk};

/// What the journal was told of an end.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    run: bool,
    session: bool,
}

impl Session {
    /// Ends the run of this process, and the session if it was begun here. Doing it twice,
    /// or in a forked child, does nothing. After a failure it is not over, and may be
    /// ended again.
    pub fn end(&self, end: RunEnd) -> Result<()> {
        if self.is_fork() || self.inner.ended.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let is_over = end.last;
        let ended = self.end_now(end);
        if ended.is_ok() || is_over {
            lock(&self.inner.journal).give_room_back();
        }
        if ended.is_err() {
            self.inner.ended.store(false, Ordering::Release);
        }
        ended
    }

    /// Waits until the looks beside the run are over, and recorded.
    pub fn finish_looks(&self) {
        if let Some(looker) = lock(&self.inner.looker).take() {
            // The looks have their own limits; a panic in one is a look that failed.
            let _ = looker.join();
        }
    }

    fn end_now(&self, mut end: RunEnd) -> Result<()> {
        let unclosed = self.close_files();
        self.finish_looks();
        let mut told = Told::default();
        if end.last {
            end.unrecorded = end.unrecorded.or(unclosed);
        }
        let ended = self.tell_end(end.clone(), &mut told);
        if let Err(error) = &ended
            && end.last
        {
            // They fail only where not even their room is left.
            let _ = self.last_words(end, error, told);
        }
        ended
    }

    fn tell_end(&self, end: RunEnd, told: &mut Told) -> Result<()> {
        let outcome = end.outcome;
        if self.rank() == 0 {
            self.record_drift()?;
        }
        self.record(end.event(self.inner.started.elapsed()))?;
        told.run = true;
        if self.ends_session() {
            self.record(SessionEnded { outcome })?;
        }
        told.session = true;
        self.last_fold().map_err(|error| {
            let hint = error
                .hint()
                .map(|_| "free some space; `birthmark salvage` writes it".to_owned());
            let text = "it stands in the journal, and not in the manifest";
            let unwritten = Error::new(error.kind(), error.code(), text).with_source(error);
            match hint {
                Some(hint) => unwritten.with_hint(hint),
                None => unwritten,
            }
        })?;
        if self.speaks() {
            // What children and other ranks made is told here: they themselves are silent.
            let for_all =
                !self.is_joined() || self.inner.of_launch || self.inner.opened_by == OpenedBy::Run;
            let folded = if for_all || self.has_plans() {
                self.folded()?
            } else {
                self.told_here()?
            };
            for line in talk::closing(&folded, self.run_id(), for_all, self.project().root()) {
                self.say(&line);
            }
        }
        Ok(())
    }

    /// That it ended, and how, where what stood before that could not be recorded.
    fn last_words(&self, mut end: RunEnd, error: &Error, told: Told) -> Result<()> {
        let outcome = end.outcome;
        if !told.run {
            end.unrecorded.get_or_insert_with(|| error.root());
            self.record_last(end.event(self.inner.started.elapsed()))?;
        }
        if !told.session && self.ends_session() {
            self.record_last(SessionEnded { outcome })?;
        }
        Ok(())
    }

    /// Whether the session ends with this run.
    fn ends_session(&self) -> bool {
        !self.is_joined() && self.inner.opened_by != OpenedBy::Shell
    }

    /// Whether who began the session, or this process, planned something.
    fn has_plans(&self) -> bool {
        let opening = self.inner.opening.as_ref();
        self.inner.planned.load(Ordering::Acquire)
            || opening.is_none_or(|told| !told.started.planned_artifacts.is_empty())
    }

    /// Closes what is open; why something could not be.
    fn close_files(&self) -> Option<String> {
        let mut unclosed = None;
        let files = std::mem::take(&mut *lock(&self.inner.open_files));
        for file in files {
            if let Some(Err(error)) = file.upgrade().map(|file| file.close_with_session()) {
                self.say(&format!("birthmark: {}", error.whole()));
                unclosed.get_or_insert_with(|| error.root());
                // Tried once more if the session is ended once more.
                lock(&self.inner.open_files).push(file);
            }
        }
        crate::report::tell_of_dropped(self);
        unclosed
    }

    fn record_drift(&self) -> Result<()> {
        let Some(before) = self.code_within(std::time::Duration::ZERO) else {
            return Ok(());
        };
        if before.state.commit.found().is_none() {
            return Ok(());
        }
        let options = status_options(self.project(), self.inner.script.as_deref());
        let state = git::capture_later(self.anchor(), &before.state, &options);
        let mut drift = before.state.drift_to(&state);
        self.forget_own_writes(&mut drift.files)?;
        let script_edited = self.script_edited(&before);
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

    /// What this session wrote itself is no drift: artifacts that git tracks, and their sidecars.
    fn forget_own_writes(&self, files: &mut Vec<String>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let project = self.project();
        let folder = match self.anchor() {
            anchor if anchor.is_dir() => anchor,
            script => atomic::folder_of(script),
        };
        let top = match git::Repository::discover(folder) {
            Finding::Found(repository) => repository.root().map(Path::to_owned),
            _ => None,
        };
        let top = top.unwrap_or_else(|| project.root().to_owned());
        let told = self.folded()?;
        let mut own: BTreeSet<PathBuf> = BTreeSet::from([project.layout.manifest(self.id())]);
        // What was only seen to be written was written by the script, and not by Birthmark.
        let seen = |one: &&Artifact| one.sealed().is_some_and(|one| one.format == OBSERVED);
        for artifact in told.artifacts.iter().filter(|one| !seen(one)) {
            let path = project.resolve(&artifact.file);
            own.insert(Layout::sidecar(&path));
            own.insert(path);
        }
        let own: BTreeSet<PathBuf> = own.iter().map(|path| real(path)).collect();
        files.retain(|file| {
            let file = real(&top.join(file));
            !file.ancestors().any(|up| own.contains(up))
        });
        Ok(())
    }

    /// The script's name, if its bytes are no longer those that began to run.
    fn script_edited(&self, before: &CodeSeen) -> Option<String> {
        let script = self.inner.script.as_deref()?;
        let then = before.fields.get("script_sha")?.as_str()?;
        if before.script_lies_as_it_did(script) {
            return None;
        }
        let now = git::file_state(script, script).blob_id;
        let edited = now.found().is_none_or(|now| now != then);
        edited.then(|| self.project().stored_path(script))
    }

    /// The path, type and birthmark of what this session made so far, for doors.
    pub fn made(&self) -> Result<Vec<(String, Value)>> {
        let folded = self.folded()?;
        let entry = |one: &birthmark_core::session::Artifact| {
            (one.file.clone(), Value::Object(one.birthmark().clone()))
        };
        Ok(folded.made().map(entry).collect())
    }
}

/// The path with its folder's links followed, where the folder is there.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
