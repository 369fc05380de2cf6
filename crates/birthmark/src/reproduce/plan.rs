//! What can be promised before anything runs.

use std::path::{Path, PathBuf};

use birthmark_capture::git::Repository;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{ModulesObserved, Outcome, SnapshotTaken};
use birthmark_core::lineage::RunNode;
use birthmark_core::session::{Artifact, Run, Session};
use birthmark_core::{Finding, RunId, SessionId};
use serde_json::{Value, json};

use super::around::Around;
use super::beside::Beside;
use super::code::{self, Code};
use super::hand::InHand;
use super::maker::{Made, Renamed};
use super::seeds::{self, seeds};
use super::share::Share;
use super::{Options, environment, folders, guard, inputs, maker};
use crate::code_beside;
use crate::error::{Error, Result};
use crate::lineage::listed::Listed;
use crate::project::Project;
use crate::session::scriptless::{is_kernel, is_notebook};
use crate::trace::{self, Traced};

/// Whether something that was read can be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputState {
    /// It lies here, as it was.
    Here(PathBuf),
    /// It lies here, and went on since: the beginning of so many bytes is what was read.
    Grown(PathBuf, u64),
    /// It does not lie here as it was; the code may hold it.
    NotAsItWas(&'static str),
    /// It was never known by more than its name.
    NameAlone,
    /// It does not lie here as it was, and the code holds it as it was.
    InCode(&'static str),
    /// Its digest is known, and not where it lay: the run finds it by itself.
    NoPlace,
}

/// Something that the run read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it was to the run.
    pub role: Option<String>,
    /// Its path as recorded, or its name.
    pub name: String,
    /// Its digests.
    pub digests: Vec<String>,
    /// Whether it is there.
    pub state: InputState,
    /// Of a folder, those of its files that were read.
    pub(super) listed: Option<Listed>,
    /// And which of these are not as they were where it lies.
    pub differing: Option<String>,
    /// Whether the code has nothing either that could be it.
    pub lost: bool,
    /// That what was read was not what a run had left there: in words, and for programs.
    pub changed_since: Option<(String, Value)>,
}

/// Everything that is known before it runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The project whose session made it.
    pub project: Project,
    /// The session.
    pub session: SessionId,
    /// The run.
    pub run: RunId,
    /// The script that made it, else the program.
    pub maker: String,
    /// The artifact's path from the project's root.
    pub file: String,
    /// The names that it was given since, the last one first.
    pub renamed: Vec<Renamed>,
    /// What was recorded of it.
    pub recorded: Artifact,
    /// Its file, if it is still as recorded.
    pub original: Option<PathBuf>,
    /// The file that was named, where one was.
    pub in_hand: Option<InHand>,
    /// Whether it is what the command said, which its caller had sent there.
    pub(super) is_output: bool,
    /// What of it is the run's, where others wrote to it too.
    pub share: Option<Share>,
    /// The line that was asked for.
    pub of_line: Option<u64>,
    /// The code.
    pub code: Code,
    /// The snapshots of its session.
    pub(super) snapshots: Vec<SnapshotTaken>,
    /// The code of other repositories that ran.
    pub beside: Vec<Beside>,
    /// The modules that were loaded, by repository.
    pub(super) modules: Vec<ModulesObserved>,
    /// Whether these are all.
    pub(super) all_modules: bool,
    /// The code fields as recorded.
    pub code_fields: Fields,
    /// The command line as recorded.
    pub argv: Vec<String>,
    /// The working folder as recorded.
    pub cwd: Option<PathBuf>,
    /// The top of the repository here, whose place the new folder takes.
    pub top: PathBuf,
    /// Its top on the machine where it ran, where that was told.
    pub old_top: Option<PathBuf>,
    /// What it read.
    pub inputs: Vec<Input>,
    /// Why it may have read more than that.
    pub gaps: Vec<String>,
    /// What differs in the environment; the error is why that cannot be told.
    pub environment: Result<Vec<String>, String>,
    /// The recorded environment.
    pub environment_fields: Fields,
    /// What stood around the run.
    pub around: Around,
    /// Folders that it wrote into, that were there before, from the project's root.
    pub(super) folders: Vec<PathBuf>,
    /// Whether its run ended without a failure.
    pub had_ended: bool,
    /// Seeds by name; empty where none was recorded.
    pub seeds: Vec<String>,
    /// What its runs made, by their stored paths.
    pub(super) outputs: Vec<String>,
}

/// Finds the run that made an artifact, and says what can be promised.
pub fn plan(artifact: &Path, options: &Options) -> Result<Plan> {
    let (traced, node) = trace(artifact, options)?;
    let Made {
        place,
        session: loaded,
        recorded,
        node,
        original,
        share,
        renamed,
    } = maker::find(&traced, node)?;
    let found = &traced.lineage.runs[place];
    let project = traced.stores[found.store].clone();
    let run = run_of(&loaded, &found.runs);
    let own = |fields: &Fields, all: &Fields| {
        if fields.is_empty() {
            all.clone()
        } else {
            fields.clone()
        }
    };
    let empty = Fields::new();
    let code_fields = own(&found.code, &loaded.code);
    let environment_fields = own(
        run.map_or(&empty, |run| &run.environment),
        &loaded.environment,
    );
    let outer = outer(&traced, &loaded, place);
    let argv = outer.argv.clone();
    let program = argv.first().map_or("", String::as_str);
    let environment = environment::differences(&project.layout, &environment_fields, program);
    let words = found.script.as_deref().or(argv.first().map(String::as_str));
    let maker = words.map_or("a run", |word| word.rsplit('/').next().unwrap_or(word));
    let maker = maker.to_owned();
    let own = loaded
        .runs
        .iter()
        .filter(|run| found.runs.contains(&run.id));
    let own: Vec<&Run> = own.collect();
    let mut plan = Plan {
        around: Around::of(&project, &own, &found.facts, &environment_fields),
        beside: code_beside::of_runs(&project, &own, &environment_fields)
            .into_iter()
            .map(Beside::from)
            .collect(),
        all_modules: code_beside::told_all(&own),
        modules: own
            .iter()
            .flat_map(|run| run.observed.modules.iter().cloned())
            .collect(),
        code: code::of(&loaded, &code_fields, &own, &recorded).with_what_is_here(&project, &loaded),
        cwd: cwd_of(outer),
        top: top(&project),
        old_top: top_of(&loaded),
        inputs: inputs::of(
            &traced,
            node,
            place,
            &recorded.file,
            &inputs::read_by(&project.layout, &loaded, &own, &recorded),
        ),
        seeds: seeds(
            &recorded,
            &loaded,
            &found.runs,
            &argv,
            &environment_fields,
            &seeds::Carrying::of(&traced.target, original.as_deref()),
        ),
        outputs: outputs(&loaded, &[found, outer]),
        snapshots: snapshots(&loaded),
        folders: folders::made_before(&project, &loaded, &found.runs, found.start),
        is_output: own
            .iter()
            .flat_map(|run| &run.logs)
            .any(|log| log.stream != "stderr" && log.file.as_ref() == Some(&recorded.file)),
        gaps: found.gaps.clone(),
        had_ended: found.outcome == Some(Outcome::Completed),
        session: found.session.clone(),
        run: found
            .runs
            .first()
            .cloned()
            .unwrap_or_else(|| RunId::from_text("")),
        maker,
        file: recorded.file.clone(),
        renamed,
        recorded,
        original,
        share,
        of_line: traced.target.line,
        in_hand: InHand::of(&traced.target),
        code_fields,
        argv,
        environment,
        environment_fields,
        project,
    };
    inputs::look_in_code(&mut plan);
    code::look_for_what_ran(&mut plan);
    Ok(plan)
}

/// The run whose command is run again: a notebook's kernel is started by the command that executes
/// the notebook.
fn outer<'a>(traced: &'a Traced, session: &Session, run: usize) -> &'a RunNode {
    let found = &traced.lineage.runs[run];
    let of_parent = || {
        let parent = run_of(session, &found.runs)?.parent.as_ref()?;
        let told = session.runs.iter().find(|one| one.id == *parent)?;
        let mut runs = traced.lineage.runs.iter();
        let is_it = |one: &&RunNode| one.session == found.session && one.runs.contains(parent);
        let names_a_notebook = |word: &String| is_notebook(Path::new(word));
        runs.find(is_it)
            .filter(|_| told.argv.iter().any(names_a_notebook))
    };
    let is_kernel = is_kernel(&found.argv);
    is_kernel.then(of_parent).flatten().unwrap_or(found)
}

fn cwd_of(run: &RunNode) -> Option<PathBuf> {
    let cwd = run.facts.get("cwd").and_then(Value::as_str);
    cwd.map(PathBuf::from)
}

/// The top of the repository on the machine where the session ran.
fn top_of(session: &Session) -> Option<PathBuf> {
    let own = session.own_snapshot();
    own.map(|one| PathBuf::from(&one.taken.root))
}

/// What these runs made, by its stored paths.
fn outputs(session: &Session, runs: &[&RunNode]) -> Vec<String> {
    let is_of = |run: &RunId| runs.iter().any(|node| node.runs.contains(run));
    let made = session.artifacts.iter();
    let made = made.filter(|one| one.run.as_ref().is_none_or(is_of));
    made.map(|one| one.file.clone()).collect()
}

fn snapshots(session: &Session) -> Vec<SnapshotTaken> {
    let all = session.snapshots.iter();
    all.map(|one| one.taken.clone()).collect()
}

/// The artifact in the lineage of everything.
fn trace(artifact: &Path, options: &Options) -> Result<(Traced, usize)> {
    let traced = trace::trace(
        artifact,
        &trace::Options {
            stores: options.stores.clone(),
            down: false,
            read_limit: u64::MAX,
            ..trace::Options::at(options.now)
        },
    )?;
    let node = traced.target.artifact.ok_or_else(|| {
        Error::usage(
            "not-an-artifact",
            "a session or run is not what can be made again",
        )
        .with_hint("name a file: `birthmark show SESSION` lists what it made")
    })?;
    if traced.lineage.artifacts[node].state == Some("open") {
        let text = "it was never finished, so what it should be is not known";
        return Err(Error::usage("unfinished", text)
            .with_hint("run its script again: a file that was begun is gone on with"));
    }
    Ok((traced, node))
}

fn top(project: &Project) -> PathBuf {
    let root = project.root();
    match Repository::discover(root) {
        Finding::Found(repository) => repository.root().map_or(root, |top| top).to_owned(),
        Finding::Absent | Finding::Unknown(_) => root.to_owned(),
    }
}

fn run_of<'a>(session: &'a Session, ids: &[RunId]) -> Option<&'a Run> {
    let seen = |run: &&Run| !run.environment.is_empty();
    let mut own = session.runs.iter().filter(|run| ids.contains(&run.id));
    let first = own.clone().next();
    own.find(seen).or(first)
}

impl Plan {
    /// For programs.
    pub fn to_json(&self, options: &Options) -> Value {
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|input| {
                let (state, path) = match &input.state {
                    InputState::Here(path) => ("here", Some(path.to_string_lossy())),
                    InputState::Grown(path, _) => ("grown since", Some(path.to_string_lossy())),
                    InputState::NotAsItWas(why) => (*why, None),
                    InputState::InCode(_) => ("in the code", None),
                    InputState::NameAlone => ("known by name alone", None),
                    InputState::NoPlace => ("where it lay is not known", None),
                };
                json!({
                    "role": input.role, "name": input.name, "digests": input.digests,
                    "state": state, "path": path, "differing": input.differing,
                    "changed_since": input.changed_since.as_ref().map(|(_, told)| told),
                })
            })
            .collect();
        let command: Vec<String> = self
            .command(options)
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        json!({
            "file": self.file,
            "renamed": self.renamed.iter().map(Renamed::to_json).collect::<Vec<_>>(),
            "digest": self.recorded.digest,
            "in_hand": self.in_hand.as_ref().map(InHand::to_json),
            "session_id": self.session.as_str(),
            "run_id": self.run.as_str(),
            "git_commit": self.code.commit,
            "restore": self.code.restore,
            "code_inexact": self.code.inexact,
            "code_beside": self.beside.iter().map(Beside::to_json).collect::<Vec<_>>(),
            "goes_on": self.share.as_ref().map(Share::to_json),
            "command": command,
            "cwd": self.cwd.as_ref().map(|cwd| cwd.to_string_lossy()),
            "inputs": inputs,
            "lineage_partial": self.gaps,
            "environment_differs": self.environment.as_ref().ok(),
            "environment_unknown": self.environment.as_ref().err(),
            "seeds": self.seeds,
            "around": self.around.to_json(),
            "original_kept": if guard::is_here() { "no writing" } else { "looked at after" },
            "blockers": self.blockers(options).iter().map(|blocker| &blocker.text).collect::<Vec<_>>(),
        })
    }
}
