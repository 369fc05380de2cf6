//! A real project for tests: a git repository with a remote, sessions by the hall's own
//! writers, and ways to spoil what they left.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use birthmark::project::Project;
use birthmark::records::RecordsOptions;
use birthmark::report::ReportOptions;
use birthmark::session::{Begin, RunEnd, Session, begin};
use birthmark::snapshot::{self, RestoreOptions, Restored};
use birthmark::verify::{Options, Report, Word, codes, verify};
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::records::Mode;
use birthmark_testing::repo::TestRepo;
use serde_json::Value;

pub(crate) struct World {
    pub(crate) repo: TestRepo,
    pub(crate) remote: TestRepo,
}

pub(crate) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => panic!("no object: {other}"),
    }
}

pub(crate) fn provenance() -> Fields {
    fields(serde_json::json!({
        "loader_version": "0123456789abcdef",
        "model_name": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "quantization": "Q4_1",
        "template_disabled": true,
        "sentinel_tests_passed": true,
        "sentinel_tests": "5 of 5",
        "add_special_tokens": false,
        "temperature": 0.7,
    }))
}

impl World {
    /// A repository with one pushed commit.
    pub(crate) fn new() -> Self {
        let repo = TestRepo::with_commit();
        let remote = TestRepo::bare_clone_of(&repo);
        let address = format!("file://{}", remote.path().display());
        repo.git(["remote", "add", "origin", &address]);
        repo.git([
            "-c",
            "protocol.file.allow=always",
            "push",
            "-q",
            "-u",
            "origin",
            "main",
        ]);
        Self { repo, remote }
    }

    pub(crate) fn project(&self) -> Project {
        Project::find(self.repo.path()).unwrap()
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.repo.path().join("artifacts")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.artifacts().join(name)
    }

    pub(crate) fn begin(&self, planned: &[&str]) -> Session {
        let mut options = Begin::at(self.repo.path(), OpenedBy::Script);
        options.script = Some(self.repo.path().join("train.py"));
        options.planned = planned.iter().map(|plan| (*plan).to_owned()).collect();
        options.given = provenance();
        begin(options).unwrap()
    }

    pub(crate) fn records(&self, session: &Session, name: &str, mode: Mode, count: u64) {
        let options = RecordsOptions {
            mode,
            artifact_type: "training_data".to_owned(),
            given: Fields::new(),
            all_fields: false,
        };
        let out = session.records(&self.path(name), options).unwrap();
        for number in 0..count {
            let record = format!(r#"{{"prompt": "p {number}", "response": "r {number}"}}"#);
            let seed = (42 + number).to_string();
            out.append(record.as_bytes(), &[("seed", seed.as_bytes())], &[])
                .unwrap();
        }
        out.close(None).unwrap();
    }

    pub(crate) fn report(&self, session: &Session, name: &str) {
        let options = ReportOptions {
            mode: Mode::New,
            artifact_type: "evaluation".to_owned(),
            given: fields(serde_json::json!({"eval_seed": 42})),
        };
        let body = b"{\n  \"summary\": {\"accuracy\": 0.5}\n}";
        session.report(&self.path(name), body, &options).unwrap();
    }

    /// One completed session with records, a report, a folder and a file.
    pub(crate) fn small(&self) -> SessionId {
        let session = self.begin(&[
            "sft_*.jsonl (4 examples)",
            "evaluation_*.json",
            "model checkpoint",
        ]);
        self.records(&session, "sft_a.jsonl", Mode::New, 4);
        self.report(&session, "evaluation_a.json");
        let model = self.path("model");
        fs::create_dir_all(model.join("sub")).unwrap();
        fs::write(model.join("config.json"), "{\"a\": 1}").unwrap();
        fs::write(model.join("sub/weights.bin"), [7_u8; 40]).unwrap();
        session.add(&model, "model", &Fields::new()).unwrap();
        fs::write(self.path("table.csv"), "a,b\n1,2\n").unwrap();
        session
            .add(&self.path("table.csv"), "table", &Fields::new())
            .unwrap();
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        session.id().clone()
    }

    pub(crate) fn verify(&self, paths: &[PathBuf]) -> Report {
        verify(&self.project(), paths, &Options::at(now())).unwrap()
    }

    pub(crate) fn verify_all(&self) -> Report {
        self.verify(&[self.artifacts()])
    }

    /// The journals of a session.
    pub(crate) fn journals(&self, id: &SessionId) -> Vec<PathBuf> {
        let folder = self.project().layout.session(id);
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    }

    pub(crate) fn manifest(&self, id: &SessionId) -> PathBuf {
        self.project().layout.manifest(id)
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(birthmark_capture::clock::now_micros())
}

/// Runs `train.py` below a root, as a script of its own would.
pub(crate) fn run(root: &Path) -> SessionId {
    let mut options = Begin::at(root, OpenedBy::Script);
    options.script = Some(root.join("train.py"));
    let session = begin(options).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    session.id().clone()
}

/// Gives the code of something back into a new folder.
pub(crate) fn restore(project: &Project, what: &str, into: &Path) -> Restored {
    let options = RestoreOptions {
        into: Some(into),
        ..RestoreOptions::default()
    };
    snapshot::restore(project, what, &options)
        .unwrap_or_else(|error| panic!("{}: {:?}", error.whole(), error.hint()))
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Everything in a folder, as bytes, to be put back.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// All reasons of a report, one a line, for messages.
pub(crate) fn told(report: &Report) -> String {
    birthmark::verify::render(report, 240)
}

/// The word of the item whose name ends so.
pub(crate) fn word_of(report: &Report, end: &str) -> Word {
    let mut items = report.items.iter().filter(|item| item.name.ends_with(end));
    items
        .next()
        .unwrap_or_else(|| panic!("no {end} in\n{}", told(report)))
        .word
}

pub(crate) fn has(report: &Report, code: &str) -> bool {
    codes(report).contains_key(code)
}

pub(crate) fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// A copy of a world's repository and store, to be spoiled beside others.
pub(crate) struct Twin {
    of: PathBuf,
    root: tempfile::TempDir,
    project: Project,
}

impl Twin {
    fn of(origin: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        copy_folder(origin, root.path());
        let project = Project::find(root.path()).unwrap();
        let of = origin.to_owned();
        Self { of, root, project }
    }

    /// The place of what lies at `path` in the world that this is a copy of.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        self.root.path().join(path.strip_prefix(&self.of).unwrap())
    }

    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Verifies a file of the artifacts folder.
    pub(crate) fn verify(&self, name: &str) -> Report {
        let path = self.project.layout.artifacts().join(name);
        verify(&self.project, &[path], &Options::at(now())).unwrap()
    }

    pub(crate) fn verify_all(&self) -> Report {
        self.verify("")
    }
}

/// Does each of these things on a copy of the world, by several threads, each with a copy of
/// its own, which it leaves as it was.
pub(crate) fn on_twins<T: Sync>(world: &World, things: &[T], each: impl Fn(&Twin, &T) + Sync) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (next, origin) = (AtomicUsize::new(0), world.repo.path().to_owned());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let twin = Twin::of(&origin);
                while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(&twin, thing);
                }
                let report = twin.verify_all();
                assert_ne!(report.exit_code(), 1, "left as it was\n{}", told(&report));
            });
        }
    });
}

/// Bytes in the place of a file's for a moment.
pub(crate) fn with_bytes<T>(path: &Path, bytes: &[u8], look: impl FnOnce() -> T) -> T {
    let whole = fs::read(path).unwrap();
    fs::write(path, bytes).unwrap();
    let seen = look();
    fs::write(path, whole).unwrap();
    seen
}

/// The same facts as a machine of another name and with another clock would have told them; as
/// this machine itself, after its clock was set, where no name is given.
pub(crate) fn tell_anew(value: &mut Value, host: &str, minutes: i64) {
    match value {
        Value::String(text) => {
            if let Ok(time) = text.parse::<Timestamp>() {
                *text = Timestamp::from_micros(time.micros() + minutes * 60_000_000).to_string();
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| tell_anew(one, host, minutes)),
        Value::Object(all) => {
            for (name, one) in all {
                if matches!(name.as_str(), "host" | "hostname" | "boot_id") && !host.is_empty() {
                    *one = Value::from(host);
                }
                tell_anew(one, host, minutes);
            }
        }
        _ => {}
    }
}

/// Tells a session anew in this way.
pub(crate) fn retold(world: &World, id: &SessionId, host: &str, minutes: i64) {
    for path in world.journals(id) {
        let (mut above, mut out) = (Value::Null, String::new());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let mut line: Value = serde_json::from_str(line).unwrap();
            tell_anew(&mut line, host, minutes);
            line.as_object_mut().unwrap().shift_remove("sum");
            line["prev"] = above;
            let text = line.to_string();
            let body = text.strip_suffix('}').unwrap();
            let sum = birthmark_store::digest::digest_bytes(body.as_bytes()).to_string();
            out.push_str(&format!("{body},\"sum\":\"{sum}\"}}\n"));
            above = Value::from(sum);
        }
        fs::write(&path, out).unwrap();
    }
    let _ = fs::remove_file(world.manifest(id));
}
