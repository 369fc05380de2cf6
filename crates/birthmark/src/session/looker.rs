//! The looks beside the run: code first, since birthmarks wait for it, then the machine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use birthmark_capture::git;
use birthmark_core::birthmark::{Fields, note_unknown};
use birthmark_core::code::CodeState;
use birthmark_core::event::{CodeObserved, EnvironmentObserved};

use super::begin::status_options;
use super::{Session, lock};
use crate::error::Result;
use crate::looks::CodeSeen;
use crate::machine::{self, Interpreter};
use crate::snapshot;

/// How long other ranks wait for what rank 0 saw.
const RANK_WAIT: Duration = Duration::from_secs(2);
const RANK_POLL: Duration = Duration::from_millis(20);

/// What the door knows of the machine.
#[derive(Clone, Default)]
pub(super) struct Machine {
    /// The Python that runs.
    pub(super) interpreter: Option<Interpreter>,
    /// Files and folders of modules.
    pub(super) modules: Vec<std::path::PathBuf>,
    /// What its libraries say.
    pub(super) runtime: Fields,
}

/// Starts the looks. Without a thread to be had they are made at once.
pub(super) fn start(session: &Session, machine: &Machine) {
    let (own, looks) = (session.clone(), machine.clone());
    let thread = std::thread::Builder::new()
        .name("birthmark-look".to_owned())
        .spawn(move || look(&own, &looks));
    match thread {
        Ok(thread) => *lock(&session.inner.looker) = Some(thread),
        Err(_) => look(session, machine),
    }
}

fn look(session: &Session, machine: &Machine) {
    if session.rank() > 0 {
        publish(session, code_of_rank_0(session));
        return;
    }
    let options = status_options(session.project(), session.inner.script.as_deref());
    let (state, changes) = git::snapshot::capture_status_and_changes(session.anchor(), &options);
    let taking = snapshot::Taking::start(session, &state, changes);
    let mut code = CodeSeen::new(state, session.inner.script.as_deref());
    if let Some(why) = session.inner.scriptless {
        note_unknown(&mut code.fields, "script_name", why);
    }
    let code = code.with_snapshot(taking.wait());
    let observed = CodeObserved {
        fields: code.fields.clone(),
        details: code.details.clone(),
    };
    // The event stands before any birthmark that tells it. A failed event is told by the
    // next one: capture never harms the run.
    let _ = session.record(observed);
    let own = code.state.clone();
    publish(session, code);
    let mut environment = machine::look(
        session.project(),
        folder_of(session),
        machine.interpreter.as_ref(),
        &machine.runtime,
    );
    snapshot::note_code_beside(session, &mut environment, &machine.modules, &own);
    let _ = session.record(EnvironmentObserved { environment });
    taking.finish();
    session.fold_now();
}

/// The folder of the script, or that it runs in.
fn folder_of(session: &Session) -> &Path {
    let anchor = session.anchor();
    if anchor.is_dir() {
        anchor
    } else {
        birthmark_store::atomic::folder_of(anchor)
    }
}

impl Session {
    /// Records the environment of a Python that was met when the run had begun, as one that a shell
    /// or `make` started: it takes the place of one that knows of none.
    pub(crate) fn record_interpreter(&self, interpreter: &Interpreter) -> Result<()> {
        // That of the machine is recorded before.
        self.finish_looks();
        let folder = folder_of(self);
        let environment = machine::look(self.project(), folder, Some(interpreter), &Fields::new());
        self.record(EnvironmentObserved { environment })
    }
}

fn publish(session: &Session, code: CodeSeen) {
    *lock(&session.inner.code) = Some(Arc::new(code));
    session.inner.code_known.notify_all();
}

/// Other ranks do not ask git for the tree: they read what rank 0 saw.
fn code_of_rank_0(session: &Session) -> CodeSeen {
    let deadline = Instant::now() + RANK_WAIT;
    let mut head = CodeSeen::new(
        git::capture_head(session.anchor()),
        session.inner.script.as_deref(),
    );
    while Instant::now() < deadline {
        if let Some(fields) = told(session) {
            head.fields = fields;
            return head;
        }
        std::thread::sleep(RANK_POLL);
    }
    let reason = "rank 0 did not tell within 2 s";
    head.state.dirty = CodeState::unknown(reason).dirty;
    head.fields
        .insert("git_dirty".to_owned(), serde_json::Value::Null);
    if let Some(serde_json::Value::Object(reasons)) = head.fields.get_mut("unknown") {
        reasons.remove("git_dirty");
    }
    birthmark_core::birthmark::note_unknown(&mut head.fields, "git_dirty", reason);
    head
}

fn told(session: &Session) -> Option<Fields> {
    let folded = session.folded().ok()?;
    (!folded.code.is_empty()).then_some(folded.code)
}
