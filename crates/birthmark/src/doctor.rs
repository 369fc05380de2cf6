//! What a birthmark made here and now would hold, and what could go wrong with it.
//!
//! # Invariants
//!
//! * Looking changes nothing, but for a file without content that is made in the store
//!   and gone at once: nothing else proves that the store can be written.
//! * Nothing fails: what cannot be seen is *unknown* with its reason, and a risk where
//!   it matters.
//! * A risk says what follows from it, and what to do.

mod installation;
pub mod render;
mod store;

use birthmark_capture::git;
use birthmark_core::birthmark::{self, Scope, note_unknown};
use birthmark_core::environment::{Gpus, Python};
use birthmark_core::event::OpenedBy;
use birthmark_core::session::Status;
use birthmark_core::{Fields, Finding, SessionId, Timestamp};
use birthmark_store::config::OnDirty;
use serde_json::{Value, json};

use crate::looks::CodeSeen;
use crate::project::Project;
use crate::snapshot::Lives;
use crate::{declare, machine, session, sessions, stamp, talk};

pub use installation::Installation;
pub use render::render;
pub use store::Store;

/// Two clocks that differ by more than this do not tell the same time, in microseconds.
const CLOCK_SKEW: i64 = 5_000_000;
/// No clock that is right says less: 2026-01-01, in microseconds since 1970.
const EARLIEST: i64 = 1_767_225_600_000_000;

/// Something that could go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The line of the screen that it belongs to: `code`, `pushed`, `store` …
    pub about: &'static str,
    /// What follows from it, in a few words.
    pub text: String,
    /// What to do, as an imperative.
    pub advice: String,
}

impl Risk {
    fn new(about: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            about,
            text: text.into(),
            advice: advice.into(),
        }
    }
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The code.
    pub code: CodeSeen,
    /// Where its commit lives now.
    pub lives: Option<Lives>,
    /// The interpreter that the command line would use.
    pub python: Finding<Python>,
    /// The accelerators.
    pub gpus: Finding<Gpus>,
    /// The store.
    pub store: Store,
    /// The session that is open here.
    pub open: Option<SessionId>,
    /// Sessions that were started from a shell and never ended.
    pub left_open: Vec<SessionId>,
    /// The program and the wheel.
    pub installation: Installation,
    /// The environment as a session would record it.
    pub environment: Fields,
    /// What a birthmark made here and now would hold.
    pub metadata: Fields,
    /// What could go wrong, in the order of the screen.
    pub risks: Vec<Risk>,
}

/// Looks at everything.
pub fn doctor(project: &Project) -> Doctor {
    let options = git::StatusOptions {
        count_artifacts: true,
        ..session::status_options(project, None)
    };
    let state = git::capture_status(project.root(), &options);
    let code = CodeSeen::new(state, None);
    let interpreter = machine::find_interpreter();
    let seen = machine::see(interpreter.found());
    let environment = seen.to_json();
    let python = match &interpreter {
        Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        _ => seen.python,
    };
    let store = Store::look(project);
    let now = session::now();
    let (left_open, newest) = sessions_here(project, now);
    let installation = Installation::look(&python);
    let commit = state_commit(&code);
    let lives = commit.map(|commit| crate::snapshot::lives(project, commit));
    let mut risks = code_risks(project, &code, lives.as_ref());
    risks.extend(store.risks());
    let others = project.other_stores();
    if !others.is_empty() {
        let advice = "no command asks them";
        risks.push(Risk::new("store", talk::other_stores(&others), advice));
    }
    risks.extend(left_open.iter().map(left_open_risk));
    risks.extend(clock_risks(now, newest, store.clock_ahead_micros));
    risks.extend(installation.risks());
    let open = stamp::open_here(project);
    let metadata = metadata(&code, open.as_ref(), now);
    Doctor {
        environment,
        code,
        lives,
        python,
        gpus: seen.gpus,
        store,
        open,
        left_open,
        installation,
        metadata,
        risks,
    }
}

impl Doctor {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let risks: Vec<Value> = self
            .risks
            .iter()
            .map(|risk| json!({"about": risk.about, "risk": risk.text, "advice": risk.advice}))
            .collect();
        json!({
            "metadata": self.metadata,
            "code": self.code.details,
            "code_lives": self.lives.as_ref().map(Lives::to_json),
            "environment": self.environment,
            "store": self.store.to_json(),
            "session": self.open.as_ref().map(SessionId::as_str),
            "left_open": self.left_open.iter().map(SessionId::as_str).collect::<Vec<_>>(),
            "installation": self.installation.to_json(),
            "risks": risks,
        })
    }
}

fn metadata(code: &CodeSeen, open: Option<&SessionId>, now: Timestamp) -> Fields {
    let mut context = Fields::new();
    context.insert("timestamp".to_owned(), Value::from(now.to_string()));
    context.insert("artifact_type".to_owned(), Value::Null);
    context.insert(
        "session_id".to_owned(),
        Value::from(open.map(SessionId::as_str)),
    );
    context.insert("run_id".to_owned(), Value::Null);
    note_unknown(
        &mut context,
        "artifact_type",
        "said when an artifact is made",
    );
    note_unknown(&mut context, "session_id", "no session is open");
    note_unknown(&mut context, "run_id", "no run here: this is the doctor");
    note_unknown(&mut context, "script_name", "no script runs");
    note_unknown(&mut context, "script_sha", "no script runs");
    birthmark::compose([&code.fields, &context], Scope::Whole)
}

/// Sessions of a shell that nobody ended, and the start of the newest session of all.
fn sessions_here(project: &Project, now: Timestamp) -> (Vec<SessionId>, Option<Timestamp>) {
    let mut left_open = Vec::new();
    let mut newest = None;
    for id in sessions::ids(project).unwrap_or_default() {
        let Ok(loaded) = sessions::load(project, &id) else {
            continue;
        };
        newest = newest.max(loaded.session.start);
        let from_shell = loaded.session.opened_by == Some(OpenedBy::Shell);
        let gone = !matches!(loaded.status(now), Status::Open | Status::Running);
        if from_shell && loaded.session.end.is_none() && gone {
            left_open.push(id);
        }
    }
    (left_open, newest)
}

fn left_open_risk(id: &SessionId) -> Risk {
    let text = format!("{} was started and never ended", id.short());
    Risk::new(
        "session",
        text,
        format!("birthmark session end {}", id.short()),
    )
}

/// The commit that was found here, and not only declared.
fn state_commit(code: &CodeSeen) -> Option<&str> {
    code.state.commit.found().map(String::as_str)
}

fn code_risks(project: &Project, code: &CodeSeen, lives: Option<&Lives>) -> Vec<Risk> {
    let mut risks = Vec::new();
    let state = &code.state;
    if code.short_commit().is_none() {
        let told = declare::find_declaration(project.root());
        let advice = match told {
            Some((path, Err(reason))) => {
                format!("mend `{}`: {reason}", path.display())
            }
            _ if state.object_format.is_some() => "commit".to_owned(),
            _ => "git init and commit, or birthmark declare where the repository is".to_owned(),
        };
        risks.push(Risk::new(
            "code",
            "nothing could give this code back",
            advice,
        ));
        return risks;
    }
    if code.fields.contains_key("declared") {
        risks.push(Risk::new(
            "code",
            "declared, not observed",
            "deploy the code by git",
        ));
        return risks;
    }
    match &state.dirty {
        Finding::Found(true) => {
            let advice = match project.config.on_dirty.value {
                OnDirty::Snapshot => "commit, or count on the snapshot that a run takes",
                OnDirty::Warn | OnDirty::Refuse => "commit",
            };
            risks.push(Risk::new("code", "not what git would give back", advice));
        }
        Finding::Unknown(_) => {
            risks.push(Risk::new(
                "code",
                "may not be what git would give back",
                "ask git status",
            ));
        }
        Finding::Found(false) | Finding::Absent => {}
    }
    if !state.hidden.is_empty() {
        let text = format!(
            "git is told not to look at {} changed files",
            state.hidden.len()
        );
        risks.push(Risk::new(
            "code",
            text,
            "git update-index --no-assume-unchanged",
        ));
    }
    risks.extend(stranded_risk(project));
    if state.shallow {
        let text = "a shallow clone: what earlier runs ran may not be in it";
        risks.push(Risk::new("code", text, "git fetch --unshallow"));
    }
    let is_kept = lives.is_some_and(|lives| lives.store);
    if code.fields.get("git_pushed") == Some(&Value::from(false)) && !is_kept {
        let no_remote = matches!(state.remote, Finding::Absent);
        let advice = if no_remote {
            "git remote add, then push"
        } else {
            "push"
        };
        risks.push(Risk::new("pushed", "lost with this machine", advice));
    }
    risks
}

/// Commits that ran and that a rebase and a force push have taken off every branch since.
fn stranded_risk(project: &Project) -> Option<Risk> {
    let stranded = crate::snapshot::stranded(project);
    let short = stranded.first()?.get(..7)?;
    let (verb, them) = if stranded.len() == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    let count = crate::talk::count(stranded.len() as u64, "commit");
    Some(Risk::new(
        "code",
        format!("{count} that ran {verb} on no branch and no remote any more: {short}"),
        format!("run anything: that puts {them} into the store"),
    ))
}

fn clock_risks(now: Timestamp, newest: Option<Timestamp>, ahead: Option<i64>) -> Vec<Risk> {
    let mut risks = Vec::new();
    if now.micros() < EARLIEST {
        risks.push(Risk::new("clock", "it was never set", "set the clock"));
    }
    if newest.is_some_and(|newest| newest.micros() > now.micros() + CLOCK_SKEW) {
        let text = "a session here began in its future";
        risks.push(Risk::new("clock", text, "set the clock"));
    }
    if let Some(ahead) = ahead.filter(|ahead| ahead.abs() > CLOCK_SKEW) {
        let seconds = ahead.abs() / 1_000_000;
        let word = if ahead > 0 { "ahead" } else { "behind" };
        let text = format!("the store's is {seconds} s {word}");
        risks.push(Risk::new("clock", text, "set the clock"));
    }
    risks
}
