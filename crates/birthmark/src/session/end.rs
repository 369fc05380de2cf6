//! Ending: how the run came out, and the last fold.

use std::sync::atomic::Ordering;

use birthmark_core::event::{OpenedBy, SessionEnded};
use serde_json::Value;

use super::{RunEnd, Session, lock};
use crate::error::{Error, Result};
use crate::talk;

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

    /// The path, type and birthmark of what this session made so far, for doors.
    pub fn made(&self) -> Result<Vec<(String, Value)>> {
        let folded = self.folded()?;
        let entry = |one: &birthmark_core::session::Artifact| {
            (one.file.clone(), Value::Object(one.birthmark().clone()))
        };
        Ok(folded.made().map(entry).collect())
    }
}
