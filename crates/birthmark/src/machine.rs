//! What the hall asks of the machine: who this process is, how it was launched, and the
//! environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_capture::{gpu, host, launcher, process, python};
use birthmark_core::Finding;
use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_core::environment::{Environment, Launch, Packages};
use birthmark_core::event::ProcessIdentity;
use birthmark_store::{Layout, objects};
use serde_json::{Value, json};

pub use birthmark_capture::python::{Interpreter, find_interpreter, interpreter_at};

use crate::looks::put;
use crate::project::Project;

/// How long the list of packages, and the look at the GPUs, may take.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// The Python that a door runs in.
pub fn interpreter(
    version: String,
    executable: Option<PathBuf>,
    implementation: String,
    sys_path: Vec<PathBuf>,
) -> Interpreter {
    Interpreter {
        version,
        implementation: Some(implementation),
        executable,
        sys_path,
    }
}

/// Everything that can be seen of the machine, within a few seconds at most.
pub fn see(interpreter: Option<&Interpreter>) -> Environment {
    Environment {
        host: host::host(),
        python: interpreter
            .map(|python| python::python(python, LOOK_LIMIT))
            .into(),
        gpus: gpu::gpus(LOOK_LIMIT),
        launch: launcher::launch(),
        pod: launcher::pod(),
        variables: process::variables(),
    }
}

/// The environment as fields, the origin's seven keys first.
pub fn environment(interpreter: Option<&Interpreter>) -> Fields {
    see(interpreter).to_json()
}

/// The environment for a session: the list of all packages is kept once, as an object,
/// and named by its digest.
pub(crate) fn look(
    project: &Project,
    folder: &Path,
    interpreter: Option<&Interpreter>,
    runtime: &Fields,
) -> Fields {
    let seen = see(interpreter);
    let mut fields = seen.to_json();
    let packages = match &seen.python {
        Finding::Found(python) => python.packages.as_ref(),
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::unknown(reason.clone()),
    };
    let kept = match packages {
        Finding::Found(packages) => keep(project, packages),
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    };
    put(&mut fields, "packages_object", kept);
    keep_way_back(project, folder, interpreter, &seen, &mut fields);
    add_runtime(&mut fields, runtime);
    fields
}

/// The lock file, if the project has one, and pins of what is installed: each kept once.
fn keep_way_back(
    project: &Project,
    folder: &Path,
    interpreter: Option<&Interpreter>,
    seen: &Environment,
    fields: &mut Fields,
) {
    let object = |text: &str| object(project, text.as_bytes());
    match python::lock_file(folder, project.root()) {
        Finding::Found(lock) => {
            fields.insert(
                "lock_file".to_owned(),
                Value::from(project.stored_path(&lock.path)),
            );
            put(fields, "lock_object", object(&lock.text));
            if lock.redacted {
                fields.insert("lock_redacted".to_owned(), Value::from(true));
            }
        }
        Finding::Absent => put(fields, "lock_file", Finding::Absent),
        Finding::Unknown(reason) => put(fields, "lock_file", Finding::Unknown(reason)),
    }
    let (Some(interpreter), Finding::Found(found)) = (interpreter, &seen.python) else {
        return;
    };
    let pins = match python::pins(interpreter, found) {
        Finding::Found(text) => object(&text),
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    };
    put(fields, "pins_object", pins);
}

/// What loaded libraries say stands beside what was found without them, and fills in what
/// was not found: a GPU that torch uses is there, whatever the driver's library says.
fn add_runtime(fields: &mut Fields, runtime: &Fields) {
    if runtime.is_empty() {
        return;
    }
    fields.insert("torch_runtime".to_owned(), Value::Object(runtime.clone()));
    let first = runtime.get("gpus").and_then(|gpus| gpus.get(0));
    let memory_gb = first
        .and_then(|gpu| gpu["memory_bytes"].as_f64())
        .map(|bytes| bytes / 1e9);
    let said = [
        ("torch", runtime.get("torch").cloned()),
        ("cuda", runtime.get("cuda").cloned()),
        ("gpu", first.map(|gpu| gpu["name"].clone())),
        ("gpu_memory_gb", memory_gb.map(Value::from)),
    ];
    for (name, value) in said {
        if let Some(value) = value.filter(|value| !value.is_null())
            && fields.get(name).is_none_or(Value::is_null)
        {
            fields.insert(name.to_owned(), value);
            if let Some(Value::Object(reasons)) = fields.get_mut("unknown") {
                reasons.remove(name);
            }
        }
    }
}

fn keep(project: &Project, packages: &Packages) -> Finding<Value> {
    let list: Vec<Value> = packages
        .by_name
        .iter()
        .map(|(name, package)| {
            let mut entry = json!({"name": name, "version": package.version});
            if package.editable {
                entry["editable"] = Value::from(true);
            }
            if let Some(source) = &package.source {
                entry["source"] = Value::from(source.clone());
            }
            entry
        })
        .collect();
    let mut text = Value::from(list).to_string().into_bytes();
    text.push(b'\n');
    object(project, &text)
}

/// Keeps what the journal will name by its digest: as durable as the journal.
fn object(project: &Project, bytes: &[u8]) -> Finding<Value> {
    match objects::put(&project.layout, bytes, project.config.durability.value) {
        Ok(digest) => Finding::Found(Value::from(digest.to_string())),
        Err(error) => Finding::unknown(error.to_string()),
    }
}

/// One line of the list of packages that was kept.
pub(crate) struct RecordedPackage {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where it was installed from, where that is no index.
    pub(crate) source: Option<String>,
}

/// The packages that a recorded environment had; the error is why they are not known.
pub(crate) fn recorded_packages(
    layout: &Layout,
    recorded: &Fields,
) -> Result<Vec<RecordedPackage>, String> {
    let digest = recorded.get("packages_object").and_then(Value::as_str);
    let digest: Digest = digest
        .and_then(|text| text.parse().ok())
        .ok_or("the packages were not recorded")?;
    let bytes = objects::get(layout, &digest)
        .map_err(|_| "the list of packages is not in the store".to_owned())?;
    let list: Vec<Value> = serde_json::from_slice(&bytes)
        .map_err(|_| "the list of packages cannot be read".to_owned())?;
    let text = |entry: &Value, name: &str| entry[name].as_str().map(str::to_owned);
    let package = |entry: &Value| {
        Some(RecordedPackage {
            name: text(entry, "name")?,
            version: text(entry, "version")?,
            source: text(entry, "source"),
        })
    };
    Ok(list.iter().filter_map(package).collect())
}

/// This process.
pub(crate) fn process_identity() -> ProcessIdentity {
    host::process_identity()
}

/// Whether a process is alive; `None` where this machine cannot see it.
pub fn is_alive(process: &ProcessIdentity) -> Option<bool> {
    host::is_alive(process).found().copied()
}

/// The launch that this process is a rank of, if its ranks can find each other.
pub(crate) fn launch() -> Option<Launch> {
    launcher::launch().found().cloned()
}

/// Working folder, user, parent: what a run tells of its process.
pub(crate) fn process_facts() -> Fields {
    let seen = process::process();
    let mut facts = Fields::new();
    put(&mut facts, "cwd", seen.folder.map(Value::from));
    put(&mut facts, "user", seen.user.map(Value::from));
    put(&mut facts, "parent_pid", seen.parent_pid.map(Value::from));
    let told = |(kind, file): (&str, Option<std::path::PathBuf>)| {
        let file = file.map(|file| {
            process::redactor()
                .text(&file.to_string_lossy())
                .into_owned()
        });
        json!({ "kind": kind, "file": file })
    };
    put(&mut facts, "stdin", process::stdin().map(told));
    put(
        &mut facts,
        "pid_started",
        seen.started_micros
            .map(|micros| Value::from(birthmark_core::Timestamp::from_micros(micros).to_string())),
    );
    facts
}
