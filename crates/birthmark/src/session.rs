//! A session as its process lives it: begun or joined, written to, ended.
//!
//! ```text
//! begin ── writer_opened, session_started, run_started ── manifest
//!   │         └─ beside the run: code_observed, environment_observed ── manifest
//!   ├─ records, reports, files: artifact_opened, …_progress, …_sealed ── manifest
//! end ──── drift, run_ended, session_ended ── manifest
//! ```
//!
//! The journal is written first and is the truth; the manifest is folded from it.
//! What takes time (git status, packages, GPUs) is looked at beside the run; the
//! first birthmark waits for the code, within the time limit of the look.
//!
//! # Invariants
//!
//! * A forked child never writes to its parent's journal and never ends its session.
//! * Leaving a session that somebody else began ends the run only.
//! * A session within it, in the same process, is the same session with nearer fields: see
//!   `nearer`.
//! * Every event is in the journal before the caller is told that it happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use birthmark_capture::clock;
use birthmark_core::birthmark::{self, Fields, Scope};
use birthmark_core::event::{ArtifactSealed, Event, OpenedBy, Outcome, Planned, RunEnded};
use birthmark_core::{RunId, SessionId, Timestamp};
use birthmark_store::Durability;
use birthmark_store::config::OnDirty;
use birthmark_store::journal::{Followed, JournalWriter, Opening};
use serde_json::Value;

use crate::error::Result;
use crate::looks::CodeSeen;
use crate::project::Project;
use crate::talk::Talk;

mod before;
mod begin;
mod drift;
mod end;
mod folding;
mod join;
mod looker;
mod nearer;
pub(crate) mod scriptless;
mod shell;
mod told;

pub(crate) use begin::status_options;
pub use begin::{Begin, begin, refuse_reserved};
pub(crate) use folding::{fold_session, manifest_text, write_manifest};
pub use nearer::Nearer;
pub use shell::{end_from_shell, start_from_shell};

/// How long a birthmark waits for the code to be known: the limits of the look and of the
/// wait for a snapshot, and a little.
const CODE_WAIT: Duration = Duration::from_millis(8_500);

/// A session that this process takes part in. Clones are the same session.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
    /// What is inherited by what is made through it.
    given: Arc<Fields>,
}

struct Inner {
    id: SessionId,
    run: RunId,
    project: Project,
    /// What the process was given where it began or joined the session.
    given: Arc<Fields>,
    /// What it found given where it joined.
    joined_with: Fields,
    /// What sessions within this one were given otherwise.
    differing: Mutex<nearer::Differing>,
    rank: u32,
    opened_by: OpenedBy,
    on_dirty: OnDirty,
    joined: bool,
    of_launch: bool,
    owner: u32,
    started: Instant,
    script: Option<PathBuf>,
    /// Why there is none, where that is known.
    scriptless: Option<&'static str>,
    anchor: PathBuf,
    talk: Option<Talk>,
    /// Whether it says how it begins and ends: rank 0 does, and the one that started others.
    speaks: bool,
    journal: Mutex<JournalWriter>,
    code: Mutex<Option<Arc<CodeSeen>>>,
    code_known: Condvar,
    looker: Mutex<Option<JoinHandle<()>>>,
    last_fold: Mutex<Option<Instant>>,
    /// The session's journals, as far as this process read them.
    journals: Mutex<Followed>,
    /// Who began the session, where it was joined and that is known.
    opening: Option<Opening>,
    /// Whether it plans something itself.
    planned: AtomicBool,
    open_files: Mutex<Vec<Weak<dyn CloseWithSession>>>,
    /// Reports that were begun and not put together yet: their parts, and their own paths.
    begun_reports: Mutex<BTreeMap<PathBuf, PathBuf>>,
    ended: AtomicBool,
}

/// A file being written, which the end of its session closes.
pub(crate) trait CloseWithSession: Send + Sync {
    /// Closes it, if it is open, because its session ends.
    fn close_with_session(&self) -> Result<()>;
}

/// A lock whose holder panicked is taken over: the data behind each is whole at every step.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(clock::now_micros())
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &SessionId {
        &self.inner.id
    }

    /// The run of this process in it.
    pub fn run_id(&self) -> &RunId {
        &self.inner.run
    }

    /// The project it belongs to.
    pub fn project(&self) -> &Project {
        &self.inner.project
    }

    /// Fields given to the session, inherited by its artifacts.
    pub fn given(&self) -> &Fields {
        &self.given
    }

    /// When the run of this process began, by the wall clock of now.
    pub(crate) fn began(&self) -> Timestamp {
        let since = i64::try_from(self.inner.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(now().micros().saturating_sub(since))
    }

    /// Whether somebody else began it.
    pub fn is_joined(&self) -> bool {
        self.inner.joined
    }

    /// This process's rank in its launch, 0 when alone.
    pub fn rank(&self) -> u32 {
        self.inner.rank
    }

    /// Whether it was left or ended by this process, or this is a forked child.
    pub fn is_over(&self) -> bool {
        self.inner.ended.load(Ordering::Acquire) || self.is_fork()
    }

    pub(crate) fn is_fork(&self) -> bool {
        self.inner.owner != std::process::id()
    }

    /// What of it survives what.
    pub fn durability(&self) -> Durability {
        self.inner.project.config.durability.value
    }

    /// The code, waiting for it within the time limit of the look.
    pub fn code(&self) -> Arc<CodeSeen> {
        self.code_within(CODE_WAIT).unwrap_or_else(|| {
            let state =
                birthmark_core::code::CodeState::unknown("the look at the code did not answer");
            Arc::new(CodeSeen::new(state, self.inner.script.as_deref()))
        })
    }

    /// The code, if it is known within `limit`.
    pub fn code_within(&self, limit: Duration) -> Option<Arc<CodeSeen>> {
        let guard = lock(&self.inner.code);
        let waited = self
            .inner
            .code_known
            .wait_timeout_while(guard, limit, |code| code.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Records an event.
    pub(crate) fn record(&self, event: impl Into<Event>) -> Result<()> {
        lock(&self.inner.journal).append(now(), &event.into())?;
        Ok(())
    }

    /// Records the last words of a run, also where the disk is full.
    fn record_last(&self, event: impl Into<Event>) -> Result<()> {
        lock(&self.inner.journal).append_last(now(), &event.into())?;
        Ok(())
    }

    /// Records that an artifact is finished, and that it is one where it lies outside of the
    /// artifacts folder.
    pub(crate) fn record_sealed(&self, path: &Path, sealed: ArtifactSealed) -> Result<()> {
        let (size, digest) = (sealed.size, sealed.digest.clone());
        self.record(sealed)?;
        crate::generated::note_sealed(&self.project().layout, path, size, digest.as_deref());
        Ok(())
    }

    /// Adds plans.
    pub fn plan(&self, planned: &[String]) -> Result<()> {
        if !planned.is_empty() {
            self.inner.planned.store(true, Ordering::Release);
            self.record(Planned {
                planned_artifacts: without_secrets(planned),
            })?;
            self.fold_now();
        }
        Ok(())
    }

    /// The fields that an artifact's birthmark shares with all of this session: code,
    /// what was given (nearer wins), session and run.
    pub(crate) fn base_fields(&self, artifact_type: &str, given: &Fields) -> Fields {
        let mut context = Fields::new();
        context.insert("artifact_type".to_owned(), Value::from(artifact_type));
        context.insert("session_id".to_owned(), Value::from(self.id().as_str()));
        context.insert("run_id".to_owned(), Value::from(self.run_id().as_str()));
        let code = self.code();
        let mut base = Fields::new();
        for part in [&code.fields, &self.given, given, &context] {
            for (name, value) in part {
                match (name.as_str(), base.get_mut(name), value) {
                    ("unknown", Some(Value::Object(reasons)), Value::Object(more)) => {
                        reasons.extend(more.clone());
                    }
                    _ => {
                        base.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        base
    }

    /// A whole birthmark for an artifact made now.
    pub(crate) fn whole_birthmark(
        &self,
        artifact_type: &str,
        given: &Fields,
        time: Timestamp,
    ) -> Fields {
        let mut base = self.base_fields(artifact_type, given);
        base.insert("timestamp".to_owned(), Value::from(time.to_string()));
        birthmark::compose([&base], Scope::Whole)
    }

    /// As [`birthmark`](Self::birthmark), with what was given checked.
    pub fn checked_birthmark(&self, artifact_type: &str, given: &Fields) -> Result<Fields> {
        crate::template::check_given(given)?;
        Ok(self.birthmark(artifact_type, given))
    }

    /// What a birthmark made here and now would hold.
    pub fn birthmark(&self, artifact_type: &str, given: &Fields) -> Fields {
        self.whole_birthmark(artifact_type, given, now())
    }

    /// Has the end of the session close a file.
    pub(crate) fn close_at_end(&self, file: Weak<dyn CloseWithSession>) {
        let mut files = lock(&self.inner.open_files);
        files.retain(|file| file.strong_count() > 0);
        files.push(file);
    }

    /// The reports that were begun and neither put together nor told of as left, by their parts.
    pub(crate) fn begun_reports(&self) -> MutexGuard<'_, BTreeMap<PathBuf, PathBuf>> {
        lock(&self.inner.begun_reports)
    }

    pub(crate) fn speaks(&self) -> bool {
        self.inner.speaks
    }

    /// Says a line to the person, if there is one, or a line and its continuation. Names in it
    /// are neutral already, so that no line end of theirs can begin a line of ours.
    pub(crate) fn say(&self, text: &str) {
        if let Some(talk) = &self.inner.talk {
            let lines = text.split('\n').map(crate::text::neutral);
            talk(&lines.collect::<Vec<_>>().join("\n"));
        }
    }

    /// What its project wants to be done about uncommitted changes.
    pub(crate) fn on_dirty(&self) -> OnDirty {
        self.inner.on_dirty
    }

    /// The script, where one runs.
    pub(crate) fn script(&self) -> Option<&Path> {
        self.inner.script.as_deref()
    }

    /// The anchor of the code: the script, or the working folder.
    pub(crate) fn anchor(&self) -> &Path {
        &self.inner.anchor
    }
}

/// Plans as they are stored.
fn without_secrets(planned: &[String]) -> Vec<String> {
    let redactor = birthmark_capture::process::redactor();
    let plans = planned.iter().map(|plan| redactor.text(plan).into_owned());
    plans.collect()
}

/// How a run came out, as its door tells it.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Completed, failed or interrupted.
    pub outcome: Outcome,
    /// Exit status of a command.
    pub exit_code: Option<i32>,
    /// Process id of a command.
    pub command_pid: Option<u32>,
    /// The signal that ended a command, by name.
    pub signal: Option<String>,
    /// The error in one line; redacted before it is written.
    pub error: Option<String>,
    /// Why not all that it did could be recorded.
    pub unrecorded: Option<String>,
    /// Whether nobody will try again: then the last words go into the room held back for them.
    pub last: bool,
    /// What a command used.
    pub usage: Fields,
}

impl RunEnd {
    /// An end with nothing more to tell.
    pub fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            exit_code: None,
            command_pid: None,
            signal: None,
            error: None,
            unrecorded: None,
            last: false,
            usage: Fields::new(),
        }
    }

    fn event(self, duration: Duration) -> RunEnded {
        let redactor = birthmark_capture::process::redactor();
        RunEnded {
            outcome: self.outcome,
            duration_s: duration.as_secs_f64(),
            exit_code: self.exit_code,
            command_pid: self.command_pid,
            signal: self.signal,
            error: self.error.map(|text| redactor.text(&text).into_owned()),
            unrecorded: self.unrecorded,
            usage: self.usage,
        }
    }
}
