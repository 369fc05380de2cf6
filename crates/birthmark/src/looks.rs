//! What is seen when a run begins: the code and the machine, as fields.

use std::path::Path;

use birthmark_capture::git;
use birthmark_core::Finding;
use birthmark_core::birthmark::{self, Fields, Scope, note_unknown};
use birthmark_core::code::{ChangedFile, CodeState, FileState};
use birthmark_store::{atomic, digest};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::machine::{self, Interpreter};

/// The code of a run, as birthmarks tell it.
#[derive(Debug, Clone)]
pub struct CodeSeen {
    /// What was captured.
    pub state: CodeState,
    /// `git_*` and `script_*` fields, `unknown` with the reasons, `declared`.
    pub fields: Fields,
    /// Counts, changed files, submodules: what stands behind the fields.
    pub details: Fields,
    /// The snapshot that keeps a dirty tree; absent where none was needed or wanted.
    pub snapshot: Finding<SnapshotSeen>,
    /// How the script lay when it was digested, where that tells later edits for sure.
    script: Option<digest::FileState>,
}

/// Time stamps of a file come in ticks: one that changed less than this before it was looked at
/// may change once more within the same.
const TICK_NANOS: i128 = 1_000_000_000;

/// A snapshot, as the first lines of a session tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Its commit.
    pub commit: String,
    /// What keeps it from being exact, in a phrase.
    pub inexact: Option<String>,
}

impl CodeSeen {
    /// Turns what git knows of the repository, and of the script, into fields.
    pub fn new(state: CodeState, script: Option<&Path>) -> Self {
        let mut fields = Fields::new();
        put(
            &mut fields,
            "git_commit",
            state.commit.clone().map(Value::from),
        );
        put(
            &mut fields,
            "git_branch",
            state.branch.clone().map(Value::from),
        );
        put(
            &mut fields,
            "git_dirty",
            differs_from_commit(&state).map(Value::from),
        );
        put(&mut fields, "git_snapshot", Finding::Absent);
        put(
            &mut fields,
            "git_remote",
            state.remote.clone().map(Value::from),
        );
        put(&mut fields, "git_pushed", pushed(&state));
        let mut details = details(&state);
        let script_state = script.and_then(settled_state);
        if let Some(script) = script {
            let name = script
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            put(
                &mut fields,
                "script_name",
                Finding::from(name.map(Value::from)),
            );
            let file = git::file_state(script, script);
            put(
                &mut fields,
                "script_sha",
                file.blob_id.clone().map(Value::from),
            );
            details.insert("script".to_owned(), script_details(&file));
        } else {
            put(&mut fields, "script_name", Finding::Absent);
            put(&mut fields, "script_sha", Finding::Absent);
        }
        if let Some(declared) = crate::declare::read_declaration_for(script, &state) {
            fields = with_declared(fields, &declared);
            if let Some(files) = declared.get("changed_files").and_then(Value::as_array) {
                let files = files
                    .iter()
                    .map(|path| json!({ "path": path, "kind": "modified" }));
                let files: Vec<Value> = files.collect();
                details.insert("changed_total".to_owned(), Value::from(files.len()));
                details.insert("changed_files".to_owned(), Value::Array(files));
            }
        }
        Self {
            state,
            fields,
            details,
            snapshot: Finding::Absent,
            script: script_state,
        }
    }

    /// Whether the script surely is as it was, without a byte of it read.
    pub fn script_lies_as_it_did(&self, script: &Path) -> bool {
        self.script.is_some() && self.script == settled_state(script)
    }

    /// The same with the snapshot that was taken, or why none could be.
    #[must_use]
    pub fn with_snapshot(mut self, snapshot: Finding<SnapshotSeen>) -> Self {
        let commit = snapshot
            .as_ref()
            .map(|seen| Value::from(seen.commit.clone()));
        put(&mut self.fields, "git_snapshot", commit);
        self.snapshot = snapshot;
        self
    }

    /// The commit in short, for screens: seven digits, or nothing.
    pub fn short_commit(&self) -> Option<&str> {
        self.fields.get("git_commit")?.as_str()?.get(..7)
    }
}

fn settled_state(file: &Path) -> Option<digest::FileState> {
    let (_, state) = digest::open_still(file).ok()?;
    let now = i128::from(crate::session::now().micros()) * 1_000;
    (now - state.changed_ns > TICK_NANOS).then_some(state)
}

/// What git was told not to look at, and is another than in the commit, makes the code another all
/// the same.
fn differs_from_commit(state: &CodeState) -> Finding<bool> {
    match &state.dirty {
        Finding::Found(false) => Finding::Found(!state.hidden.is_empty()),
        dirty => dirty.clone(),
    }
}

/// No remote at all means that the commit is nowhere but here: that is known.
fn pushed(state: &CodeState) -> Finding<Value> {
    match (&state.commit, &state.pushed) {
        (Finding::Found(_), Finding::Absent) => Finding::Found(Value::from(false)),
        (_, pushed) => pushed.clone().map(Value::from),
    }
}

/// Puts a finding under `name`: its value, or null, with the reason if it is unknown.
pub fn put(fields: &mut Fields, name: &str, finding: Finding<Value>) {
    match finding {
        Finding::Found(value) => {
            fields.insert(name.to_owned(), value);
        }
        Finding::Absent => {
            fields.insert(name.to_owned(), Value::Null);
        }
        Finding::Unknown(reason) => {
            fields.insert(name.to_owned(), Value::Null);
            note_unknown(fields, name, &reason);
        }
    }
}

/// Fields that somebody declared for code without `.git`, each named in `declared`.
fn with_declared(mut fields: Fields, declared: &Fields) -> Fields {
    let mut names: Vec<Value> = Vec::new();
    for (name, value) in declared.iter().filter(|(name, _)| name.starts_with("git_")) {
        fields.insert(name.clone(), value.clone());
        names.push(Value::from(name.clone()));
        if let Some(Value::Object(reasons)) = fields.get_mut("unknown") {
            reasons.remove(name);
        }
    }
    let reasons = declared.get("unknown").and_then(Value::as_object);
    for (name, reason) in reasons.into_iter().flatten() {
        note_unknown(&mut fields, name, reason.as_str().unwrap_or("not told"));
    }
    fields.insert("declared".to_owned(), Value::Array(names));
    fields
}

fn script_details(file: &FileState) -> Value {
    json!({
        "tracked": file.tracked,
        "differs_from_commit": file.differs_from_commit.found(),
        "unknown": file.differs_from_commit.reason(),
    })
}

/// At most this many changed files are listed in an event.
const LISTED_FILES: usize = 200;

fn details(state: &CodeState) -> Map<String, Value> {
    let files: Vec<Value> = state
        .changed_files
        .iter()
        .take(LISTED_FILES)
        .map(changed)
        .collect();
    let submodules: Vec<Value> = state
        .submodules
        .iter()
        .map(|module| {
            json!({
                "path": module.path,
                "commit": module.commit.found(),
                "dirty": module.dirty.found(),
            })
        })
        .collect();
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| {
        details.insert(name.to_owned(), value);
    };
    put("staged", Value::from(state.staged));
    put("unstaged", Value::from(state.unstaged));
    put("untracked", Value::from(state.untracked));
    put(
        "untracked_artifacts",
        Value::from(state.untracked_artifacts),
    );
    put("counts_complete", Value::from(state.counts_complete));
    put("changed_files", Value::from(files));
    put("changed_total", Value::from(state.changed_total));
    put("hidden", Value::from(state.hidden.clone()));
    put("submodules", Value::from(submodules));
    for (name, flag) in [
        ("shallow", state.shallow),
        ("partial", state.partial),
        ("linked_worktree", state.linked_worktree),
        ("bare", state.bare),
        ("trusted", state.trusted),
    ] {
        put(name, Value::from(flag));
    }
    put("operation", Value::from(state.operation.clone()));
    put("object_format", Value::from(state.object_format.clone()));
    put(
        "git_environment",
        Value::from(state.git_environment.clone()),
    );
    details
}

fn changed(file: &ChangedFile) -> Value {
    json!({ "path": file.path, "kind": file.kind.as_str() })
}

/// The code at a script or folder, with no session.
pub fn code_at(anchor: &Path, status: bool) -> CodeSeen {
    code_of(anchor, anchor.is_file().then_some(anchor), status)
}

/// The code in the repository of `anchor`, for a script that may lie elsewhere.
fn code_of(anchor: &Path, script: Option<&Path>, status: bool) -> CodeSeen {
    let state = if status {
        let folder = if anchor.is_dir() {
            anchor
        } else {
            atomic::folder_of(anchor)
        };
        let options = crate::project::Project::find(folder)
            .map(|project| crate::session::status_options(&project, script))
            .unwrap_or_default();
        let options = git::StatusOptions {
            count_artifacts: true,
            ..options
        };
        git::capture_status(anchor, &options)
    } else {
        git::capture_head(anchor)
    };
    CodeSeen::new(state, script)
}

/// What a birthmark made here and now would hold, with no session; the environment under
/// `environment`.
pub fn capture(
    anchor: &Path,
    script: Option<&Path>,
    interpreter: Option<&Interpreter>,
    artifact_type: &str,
) -> Result<Fields> {
    let code = code_of(anchor, script, true);
    let mut context = Fields::new();
    context.insert(
        "timestamp".to_owned(),
        Value::from(crate::session::now().to_string()),
    );
    context.insert("artifact_type".to_owned(), Value::from(artifact_type));
    let mut captured = birthmark::compose([&code.fields, &context], Scope::Whole);
    captured.insert("code".to_owned(), Value::Object(code.details));
    captured.insert(
        "environment".to_owned(),
        Value::Object(machine::environment(interpreter)),
    );
    Ok(captured)
}
