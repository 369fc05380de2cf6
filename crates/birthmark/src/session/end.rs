//! Ending: what changed under the run, how it came out, and the last fold.

use std::sync::atomic::Ordering;

use birthmark_capture::git;
use birthmark_core::Finding;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{Drift, OpenedBy, SessionEnded};
use serde_json::Value;

use super::begin::status_options;
use super::{RunEnd, Session, fold_session, lock, write_manifest};
use crate::error::Result;
use crate::looks::CodeSeen;
use crate::talk;

impl Session {
    /// Ends the run of this process, and the session if it was begun here. Doing it twice,
    /// or in a forked child, does nothing. After a failure it is not over, and may be
    /// ended again.
    pub fn end(&self, end: RunEnd) -> Result<()> {
        if self.is_fork() || self.inner.ended.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let ended = self.end_now(end);
        if ended.is_err() {
            self.inner.ended.store(false, Ordering::Release);
        }
        ended
    }

    /// Waits until the looks beside the run are over, and recorded.
    pub(crate) fn finish_looks(&self) {
        if let Some(looker) = lock(&self.inner.looker).take() {
            // The looks have their own limits; a panic in one is a look that failed.
            let _ = looker.join();
        }
    }

    fn end_now(&self, end: RunEnd) -> Result<()> {
        let outcome = end.outcome;
        self.close_files();
        self.finish_looks();
        if self.rank() == 0 {
            self.record_drift()?;
        }
        self.record(end.event(self.inner.started.elapsed()))?;
        if !self.is_joined() && self.inner.opened_by != OpenedBy::Shell {
            self.record(SessionEnded { outcome })?;
        }
        write_manifest(self.project(), self.id(), self.durability())?;
        if self.speaks() {
            let folded = fold_session(self.project(), self.id())?;
            // What children and other ranks made is told here: they themselves are silent.
            let for_all =
                !self.is_joined() || self.inner.of_launch || self.inner.opened_by == OpenedBy::Run;
            for line in talk::closing(&folded, self.run_id(), for_all) {
                self.say(&line);
            }
        }
        Ok(())
    }

    fn close_files(&self) {
        let files = std::mem::take(&mut *lock(&self.inner.open_files));
        for file in files {
            if let Some(Err(error)) = file.upgrade().map(|file| file.close_with_session()) {
                self.say(&format!("birthmark: {}", error.whole()));
                // Tried once more if the session is ended once more.
                lock(&self.inner.open_files).push(file);
            }
        }
    }

    fn record_drift(&self) -> Result<()> {
        let Some(before) = self.code_within(std::time::Duration::ZERO) else {
            return Ok(());
        };
        if before.state.commit.found().is_none() {
            return Ok(());
        }
        let options = status_options(self.project());
        let state = git::capture_later(self.anchor(), &before.state, &options);
        let drift = before.state.drift_to(&state);
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
        self.say(&format!("birthmark: while it ran, {}", phrase(&changes)));
        let state = git::capture_status(self.anchor(), &options);
        let fields: Fields = CodeSeen::new(state, None).fields;
        self.record(Drift { changes, fields })
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
        let folded = fold_session(self.project(), self.id())?;
        let entry = |one: &birthmark_core::session::Artifact| {
            (one.file.clone(), Value::Object(one.birthmark().clone()))
        };
        Ok(folded.made().map(entry).collect())
    }
}

/// At most three changes in one line.
fn phrase(changes: &[String]) -> String {
    if changes.len() <= 3 {
        return changes.join(", ");
    }
    format!("{}, +{}", changes[..2].join(", "), changes.len() - 2)
}
