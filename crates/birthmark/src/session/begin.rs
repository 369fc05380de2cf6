//! Beginning: the first events, then the looks beside the run.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::machine::Interpreter;
use birthmark_capture::git::{self, Listed, StatusOptions};
use birthmark_capture::{chance, clock, process};
use birthmark_core::Finding;
use birthmark_core::birthmark::{self, Fields, overlaid};
use birthmark_core::event::{OpenedBy, RunStarted, SessionStarted, WriterOpened};
use birthmark_core::id::session_uuid;
use birthmark_core::schema::JOURNAL_FORMAT;
use birthmark_core::{RunId, SessionId, WriterId};
use birthmark_store::Durability;
use birthmark_store::atomic;
use birthmark_store::config::OnDirty;
use birthmark_store::journal::JournalWriter;
use serde_json::Value;

use super::join::{self, Joining};
use super::{Inner, Session, looker, now, scriptless};
use crate::error::{Error, Kind, Result};
use crate::looks::CodeSeen;
use crate::machine;
use crate::project::{Project, is_in_a_project};
use crate::talk::{self, Talk};

/// How long a beginning may take in all to wait for the look at the code, so that its first line
/// can tell; and how long it waits for that where it took long itself. In a small repository the
/// look takes a third of that; in a very large one nobody waits more than 50 ms for it.
const FIRST_LOOK: Duration = Duration::from_millis(28);
const AT_LEAST: Duration = Duration::from_millis(18);

/// The variable that wins over a setting, and over the script, for once.
const ON_DIRTY_VARIABLE: &str = "BIRTHMARK_ON_DIRTY";

/// What a door knows when a session begins.
pub struct Begin {
    /// The script, or the working folder of a shell or notebook: whose repository counts.
    pub anchor: PathBuf,
    /// The script, if one runs.
    pub script: Option<PathBuf>,
    /// Command line; redacted before it is written.
    pub argv: Vec<String>,
    /// The Python that runs, if one does.
    pub interpreter: Option<Interpreter>,
    /// Files of modules that are loaded already, or folders that they will be searched in: their
    /// repositories are code that runs.
    pub modules: Vec<PathBuf>,
    /// What libraries that are loaded already say of the machine: `torch`, `cuda`, `gpus`.
    pub runtime: Fields,
    /// Plans, word for word.
    pub planned: Vec<String>,
    /// Provenance, params and own fields, inherited by every artifact.
    pub given: Fields,
    /// Why some of them are null, by name.
    pub reasons: Fields,
    /// Who opens it.
    pub opened_by: OpenedBy,
    /// What to do about uncommitted changes, when the caller says so himself.
    pub on_dirty: Option<OnDirty>,
    /// What must survive, when the caller says so himself.
    pub durability: Option<Durability>,
    /// Where lines for the person go; none for a silent session.
    pub talk: Option<Talk>,
}

impl Begin {
    /// A session for what runs at `anchor`, with nothing given.
    pub fn at(anchor: impl Into<PathBuf>, opened_by: OpenedBy) -> Self {
        Self {
            anchor: anchor.into(),
            script: None,
            argv: Vec::new(),
            interpreter: None,
            modules: Vec::new(),
            runtime: Fields::new(),
            planned: Vec::new(),
            given: Fields::new(),
            reasons: Fields::new(),
            opened_by,
            on_dirty: None,
            durability: None,
            talk: None,
        }
    }

    fn folder(&self) -> &Path {
        if self.anchor.is_dir() {
            &self.anchor
        } else {
            atomic::folder_of(&self.anchor)
        }
    }
}

/// Begins a session, or joins the one that this process belongs to.
pub fn begin(mut begin: Begin) -> Result<Session> {
    let started = Instant::now();
    refuse_reserved(&begin.given)?;
    begin.script = begin
        .script
        .or_else(|| scriptless::notebook_of(&begin.argv));
    let elsewhere = stay_in_the_working_project(&mut begin);
    let (mut project, wrong) = Project::find_leniently(begin.folder())?;
    if let Some(durability) = begin.durability {
        project.config.durability.value = durability;
    }
    if let (Some(wrong), Some(talk)) = (&wrong, &begin.talk) {
        talk(&format!(
            "birthmark: WARNING: {}",
            crate::text::neutral(wrong)
        ));
    }
    settle_given(&mut begin.given, &begin.reasons, &project)?;
    let (wanted, from) = on_dirty_of(begin.on_dirty, &project);
    if wanted == OnDirty::Refuse {
        refuse_uncommitted(&begin.anchor, begin.script.as_deref(), &project, from)?;
    }
    let launch = machine::launch();
    let joining = join::decide(&project, launch.as_ref())?;
    let rank = launch.as_ref().map_or(0, |launch| launch.rank);
    let session = open(
        begin,
        project,
        joining,
        rank,
        launch.and_then(|launch| launch.world_size).unwrap_or(1),
        started,
    )?;
    let (session, machine) = session;
    looker::start(&session, &machine);
    // Also in silence: what follows may set variables, and git's own library reads some.
    let code = session.code_within(FIRST_LOOK.saturating_sub(started.elapsed()).max(AT_LEAST));
    if session.speaks() {
        say_opening(&session, code.as_deref());
        session.say_missing(session.given());
        if let Some(script) = elsewhere {
            session.say(&format!(
                "birthmark: {} lies in no project: that of the working folder counts, {}",
                crate::text::neutral(&script.display().to_string()),
                crate::text::neutral(&session.project().root().display().to_string())
            ));
        }
    }
    Ok(session)
}

/// A script that lies in no project works for the one of the working folder, where there is one:
/// that is where its files go. Answers the script.
fn stay_in_the_working_project(begin: &mut Begin) -> Option<PathBuf> {
    let script = begin.script.clone()?;
    if begin.anchor != script || is_in_a_project(begin.folder()) {
        return None;
    }
    let here = process::working_folder().found()?.clone();
    if !is_in_a_project(&here) {
        return None;
    }
    begin.anchor = here;
    Some(script)
}

/// Refuses fields that only Birthmark may say.
pub fn refuse_reserved(given: &Fields) -> Result<()> {
    match given.keys().find(|name| birthmark::is_reserved(name)) {
        Some(name) => Err(birthmark::FieldError::Reserved(name.clone()).into()),
        None => Ok(()),
    }
}

/// What was given, with what files can tell filled in, the reasons of its nulls beside it, and
/// no secrets.
pub(super) fn settle_given(given: &mut Fields, reasons: &Fields, project: &Project) -> Result<()> {
    let folder = std::path::absolute(".").unwrap_or_default();
    crate::dataset::fill(project, given, &folder)?;
    for (name, reason) in reasons {
        birthmark::note_unknown(given, name, reason.as_str().unwrap_or_default());
    }
    crate::template::check_given(given)?;
    redact(given);
    Ok(())
}

/// Secrets in what was given never reach the disk.
fn redact(given: &mut Fields) {
    let mut value = Value::Object(std::mem::take(given));
    process::redactor().json(&mut value);
    if let Value::Object(fields) = value {
        *given = fields;
    }
}

/// What to do about uncommitted changes, and who said so: the variable, else the caller,
/// else the settings.
pub(super) fn on_dirty_of(own: Option<OnDirty>, project: &Project) -> (OnDirty, &str) {
    let setting = &project.config.on_dirty;
    let for_once = setting.from.as_deref() == Some(ON_DIRTY_VARIABLE);
    match own {
        Some(own) if !for_once => (own, "the session"),
        _ => (
            setting.value,
            setting.from.as_deref().unwrap_or("the default"),
        ),
    }
}

/// Fails before anything is made, so that nothing is wasted.
pub(super) fn refuse_uncommitted(
    anchor: &Path,
    script: Option<&Path>,
    project: &Project,
    from: &str,
) -> Result<()> {
    let options = status_options(project, script);
    let state = git::capture_status(anchor, &options);
    let why = match &state.dirty {
        Finding::Found(false) if state.hidden.is_empty() => return Ok(()),
        Finding::Found(false) => format!("dirty: {}", talk::hidden_changes(&state)),
        Finding::Found(true) => format!("dirty: {}", state.dirty_summary()),
        Finding::Absent => "there is no work tree".to_owned(),
        Finding::Unknown(reason) => format!("whether the tree is dirty is unknown: {reason}"),
    };
    let message = format!(
        "refused: {from} says on_dirty = \"refuse\"; commit, or {ON_DIRTY_VARIABLE}=warn for once"
    );
    Err(Error::new(Kind::Refused, "dirty", message).with_hint(why))
}

/// What the look at the tree takes for Birthmark's own. What earlier runs left is no dirt, and
/// grows: it is not walked through, unless somebody wants to know how much there is. The script
/// is code, whoever lists it.
pub(crate) fn status_options(project: &Project, script: Option<&Path>) -> StatusOptions {
    let layout = project.layout.clone();
    StatusOptions {
        artifacts: vec![project.layout.artifacts().to_owned()],
        count_artifacts: false,
        generated: Listed::when_asked(
            move || crate::generated::read(&layout),
            crate::generated::digest_of,
        ),
        generated_in: project.root().to_owned(),
        script: script.map(Path::to_owned),
        caches: project.config.snapshot.value.caches.clone(),
        outputs: process::outputs(),
        ..StatusOptions::default()
    }
}

fn open(
    begin: Begin,
    project: Project,
    joining: Joining,
    rank: u32,
    world_size: u32,
    started: Instant,
) -> Result<(Session, looker::Machine)> {
    let layout = &project.layout;
    let parent_run = process::variable("BIRTHMARK_PARENT_RUN").map(RunId::from_text);
    let is_child = parent_run.is_some();
    crate::generated::begin_store(layout)?;
    if rank == 0 && !is_child {
        crate::projects::note(layout);
    }
    let identity = machine::process_identity();
    let run = RunId::new(random()?);
    let writer = WriterId::new(&identity.host, identity.pid, random()?);
    let mut journal = JournalWriter::create(
        &layout.journal(&joining.id, &writer),
        project.config.durability.value,
    )?;
    let time = now();
    journal.append(
        time,
        &WriterOpened {
            format: JOURNAL_FORMAT.to_owned(),
            program: crate::VERSION.to_owned(),
            session_id: joining.id.clone(),
            session_uuid: joining.uuid.clone(),
            run_id: Some(run.clone()),
            process: identity,
            parent_run,
            since_boot_us: clock::since_boot_micros(),
        }
        .into(),
    )?;
    if joining.ours {
        journal.append(
            time,
            &SessionStarted {
                session_start: joining.start,
                opened_by: begin.opened_by,
                planned_artifacts: super::without_secrets(&begin.planned),
                given: begin.given.clone(),
            }
            .into(),
        )?;
    }
    let given = Arc::new(overlaid(&joining.given, &begin.given));
    let mut started_run = run_started(&begin, rank, world_size);
    if !joining.ours {
        started_run.given = brought(&joining.recorded, &given);
    }
    journal.append(time, &started_run.into())?;
    let (on_dirty, _) = on_dirty_of(begin.on_dirty, &project);
    let session = Session {
        inner: Arc::new(Inner {
            on_dirty,
            id: joining.id,
            run,
            given: Arc::clone(&given),
            joined_with: joining.given,
            differing: Mutex::default(),
            rank,
            opened_by: begin.opened_by,
            joined: !joining.ours,
            of_launch: joining.of_launch,
            owner: std::process::id(),
            started,
            scriptless: match begin.script {
                None => scriptless::reason(&begin.argv, stdin_kind()),
                Some(_) => None,
            },
            script: begin.script,
            anchor: begin.anchor,
            speaks: rank == 0 && begin.talk.is_some() && (joining.ours || !is_child),
            talk: begin.talk,
            journal: Mutex::new(journal),
            code: Mutex::new(None),
            code_known: Condvar::new(),
            looker: Mutex::new(None),
            last_fold: Mutex::new(None),
            journals: Mutex::default(),
            opening: joining.opening,
            planned: AtomicBool::new(!begin.planned.is_empty()),
            open_files: Mutex::new(Vec::new()),
            begun_reports: Mutex::default(),
            ended: AtomicBool::new(false),
            project,
        }),
        given,
    };
    if session.is_joined() && rank == 0 {
        session.plan(&begin.planned)?;
    }
    session.fold_now();
    Ok((
        session,
        looker::Machine {
            interpreter: begin.interpreter,
            modules: begin.modules,
            runtime: begin.runtime,
        },
    ))
}

fn run_started(begin: &Begin, rank: u32, world_size: u32) -> RunStarted {
    let name = begin.script.as_ref().and_then(|script| script.file_name());
    RunStarted {
        script_name: name.map(|name| name.to_string_lossy().into_owned()),
        argv: process::redactor().argv(&begin.argv),
        process: machine::process_facts(),
        rank,
        world_size,
        given: Fields::new(),
    }
}

/// What a run that joins was given otherwise than its session: also where it makes nothing, it is
/// asked for by that.
fn brought(session: &Fields, run: &Fields) -> Fields {
    let own = run
        .iter()
        .filter(|(name, value)| session.get(*name) != Some(value));
    let mut own: Fields = own
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for name in session
        .keys()
        .filter(|name| !run.contains_key(*name) && *name != "unknown")
    {
        own.insert(name.clone(), Value::Null);
        birthmark::note_unknown(&mut own, name, "this run was not given it");
    }
    own
}

fn stdin_kind() -> Option<&'static str> {
    process::stdin().found().map(|(kind, _)| *kind)
}

fn random() -> Result<u64> {
    let bytes = chance::random_bytes::<8>().map_err(|reason| {
        Error::new(
            Kind::Io,
            "no-random",
            format!("cannot make an id: {reason}"),
        )
    })?;
    Ok(u64::from_be_bytes(bytes))
}

/// A new session's id, its `UUIDv7` and its start.
pub(super) fn new_id() -> Result<(SessionId, String, birthmark_core::Timestamp)> {
    let (start, bits) = (now(), random()?);
    let ten_more = u16::try_from(random()? & 0x3ff).unwrap_or(0);
    Ok((
        SessionId::new(start, bits),
        session_uuid(start, bits, ten_more),
        start,
    ))
}

/// The first lines; when the look at the code takes longer, the looker says them.
fn say_opening(session: &Session, code: Option<&CodeSeen>) {
    if let Some(code) = code {
        say_code(session, code);
    } else {
        let joined = session.is_joined() && !session.inner.of_launch;
        let verb = if joined { "joined session" } else { "session" };
        session.say(&format!(
            "birthmark: {verb} {} · looking at the code",
            session.id().short()
        ));
        let session = session.clone();
        let wait = move || {
            let code = session.code();
            let line = talk::dirty_line(&code);
            session.say(&line.unwrap_or_else(|| talk::code_line(&code)));
        };
        // The line is talk: without a thread for it nothing is lost.
        let _ = std::thread::Builder::new()
            .name("birthmark-talk".to_owned())
            .spawn(wait);
    }
}

fn say_code(session: &Session, code: &CodeSeen) {
    // Which rank came first and began the session is nobody's business.
    let joined = session.is_joined() && !session.inner.of_launch;
    for line in talk::opening(session.id().short(), joined, code) {
        session.say(&line);
    }
}
