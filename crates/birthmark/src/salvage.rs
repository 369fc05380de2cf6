//! What a crash or a hand left: explained, and repaired where that loses nothing.
//!
//! The store needs no hand after a crash: readers leave a torn tail out, manifests are folded
//! again. What remains to be told is what lies about, and what only a person can decide.
//!
//! # Invariants
//!
//! * Without `repair` nothing is written.
//! * Whole lines are never touched, in no journal and no artifact; what is cut or replaced is
//!   kept aside.
//! * What a live process may be writing is left alone.

mod gone;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use birthmark_core::json;
use birthmark_core::session::Status;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::atomic::PathContext;
use birthmark_store::format::codec::Codec;
use birthmark_store::tail::{self, Tail};
use birthmark_store::{Durability, atomic, stop};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::lines::{self, Line, Sink};
use crate::meant;
use crate::project::Project;
use crate::session::write_manifest;
use crate::sessions::{self, Loaded, ManifestState};
use crate::text;

/// A temporary file younger than this may still be written.
const FRESH: Duration = Duration::from_hours(1);
/// How deep the artifacts folder is looked through.
const DEPTH: usize = 6;
/// What the temporary files of atomic writes are called.
const TEMPORARY: &str = ".birthmark-";

/// One thing that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// A stable name: `torn-tail`, `bad-line`, `torn-journal`, `journal`, `manifest`, `object`,
    /// `temporary`, `unfinished-report`, `interrupted`.
    pub code: &'static str,
    /// What it is about, for people.
    pub name: String,
    /// What is so, in one sentence.
    pub what: String,
    /// What is done about it by `--repair`, or by whom.
    pub remedy: String,
    /// Whether `--repair` does it.
    pub can_repair: bool,
    /// Whether it was done.
    pub repaired: bool,
}

impl Found {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "name": self.name,
            "what": self.what,
            "remedy": self.remedy,
            "can_repair": self.can_repair,
            "repaired": self.repaired,
        })
    }
}

/// Looks for what a crash or a hand left, in the store and its artifacts or, where paths are
/// given, at those files alone.
pub fn salvage(
    project: &Project,
    paths: &[PathBuf],
    repair: bool,
    now: Timestamp,
) -> Result<Vec<Found>> {
    let mut salvage = Salvage {
        project,
        repair,
        found: Vec::new(),
    };
    if paths.is_empty() {
        salvage.store(now)?;
    }
    for path in paths {
        not_stopped()?;
        let there = fs::symlink_metadata(path).at("read", path);
        meant::or_hint(project, path, there.map_err(Error::from))?;
        salvage.tail(path, false)?;
        salvage.lines(path)?;
    }
    Ok(salvage.found)
}

struct Salvage<'a> {
    project: &'a Project,
    repair: bool,
    found: Vec<Found>,
}

/// What is done, and by whom.
enum Remedy<'a> {
    /// By `--repair`.
    Ours(&'a str),
    /// By nobody, or the person.
    Theirs(&'a str),
}

impl Salvage<'_> {
    /// Notes what was found, and does what `work` does if it is to be repaired.
    fn note(
        &mut self,
        code: &'static str,
        name: &str,
        what: &str,
        remedy: &Remedy<'_>,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let (can_repair, remedy) = match *remedy {
            Remedy::Ours(remedy) => (true, remedy),
            Remedy::Theirs(remedy) => (false, remedy),
        };
        let repaired = self.repair && can_repair;
        if repaired {
            work()?;
        }
        self.found.push(Found {
            code,
            name: text::neutral(name).into_owned(),
            what: text::neutral(what).into_owned(),
            remedy: text::neutral(remedy).into_owned(),
            can_repair,
            repaired,
        });
        Ok(())
    }

    fn store(&mut self, now: Timestamp) -> Result<()> {
        let orphans = sessions::Orphans::default();
        for id in sessions::ids(self.project)? {
            not_stopped()?;
            let loaded = sessions::load_among(self.project, &id, &orphans)?;
            let live = matches!(loaded.status(now), Status::Running | Status::LastHeard);
            self.session(&id, &loaded, live, now)?;
        }
        let artifacts = self.project.layout.artifacts().to_owned();
        if artifacts.is_dir() {
            self.folder(&artifacts, DEPTH)?;
        }
        Ok(())
    }

    fn session(
        &mut self,
        id: &SessionId,
        loaded: &Loaded,
        live: bool,
        now: Timestamp,
    ) -> Result<()> {
        let name = format!("session {}", id.short());
        if loaded.status(now) == Status::Interrupted {
            let left_open = loaded.session.runs.iter().any(|run| run.end.is_none());
            let what = if left_open {
                "its last process died without a word"
            } else if loaded.session.end.is_some() {
                "it was stopped before it was through, and ended in order"
            } else {
                "it was never ended"
            };
            let remedy = Remedy::Theirs("run the script again: it goes on with what is there");
            self.note("interrupted", &name, what, &remedy, || Ok(()))?;
        }
        if loaded.torn_bytes() > 0 && !live {
            let bytes = text::bytes(loaded.torn_bytes());
            let what = format!("{bytes} of an event were never acknowledged");
            let remedy = Remedy::Theirs("nothing is to be done: every reader leaves them out");
            self.note("torn-journal", &name, &what, &remedy, || Ok(()))?;
        }
        for problem in &loaded.problems {
            let remedy = Remedy::Theirs(gone::of_journal(loaded));
            self.note("journal", &name, &problem.text, &remedy, || Ok(()))?;
        }
        if loaded.has_journals && !live {
            self.manifest(id, loaded, &name)?;
        }
        self.objects(loaded, &name, live)?;
        for artifact in &loaded.session.artifacts {
            if artifact.removed.is_some() || artifact.records.is_none() || live {
                continue;
            }
            let path = sessions::locate(self.project, &artifact.file, artifact.file_bytes());
            if path.is_file() && !self.is_told(&path) {
                self.tail(&path, true)?;
            }
        }
        Ok(())
    }

    fn is_told(&self, path: &Path) -> bool {
        let name = self.project.stored_path(path);
        self.found
            .iter()
            .any(|found| found.code == "torn-tail" && found.name == name)
    }

    fn manifest(&mut self, id: &SessionId, loaded: &Loaded, name: &str) -> Result<()> {
        let (what, aside) = match &loaded.manifest {
            ManifestState::Missing => ("its manifest is not there".to_owned(), false),
            ManifestState::Stale => ("its manifest is older than its journals".to_owned(), false),
            ManifestState::Edited { .. } => {
                let what = "its manifest is not what its journals say".to_owned();
                (what, true)
            }
            ManifestState::Unreadable { why } => {
                (format!("its manifest cannot be read: {why}"), true)
            }
            _ => return Ok(()),
        };
        let remedy = if aside {
            "keeps it as `.edited` and folds the journals into a new one"
        } else {
            "folds the journals into a new one"
        };
        let project = self.project;
        self.note("manifest", name, &what, &Remedy::Ours(remedy), || {
            if aside {
                let bytes = atomic::read_limited(&loaded.manifest_path, u64::MAX - 1)?;
                let mut kept = loaded.manifest_path.clone().into_os_string();
                kept.push(".edited");
                atomic::replace(Path::new(&kept), &bytes, Durability::Power)?;
            }
            write_manifest(project, id, Durability::Power)
        })
    }

    /// The end of a file of records.
    fn tail(&mut self, path: &Path, listed: bool) -> Result<()> {
        let Tail::Torn { offset, bytes } = tail::look(path)? else {
            return Ok(());
        };
        let name = self.project.stored_path(path);
        let bytes = text::bytes(bytes);
        let what = format!("its last line is torn: {bytes} from byte {offset} are no record");
        let remedy = if listed {
            "moves them into a file `.torn` beside it, as mode=\"a\" does"
        } else {
            "moves them into a file `.torn` beside it"
        };
        self.note("torn-tail", &name, &what, &Remedy::Ours(remedy), || {
            tail::set_aside(path)?;
            Ok(())
        })
    }

    /// Whole lines of a named file that are no records.
    fn lines(&mut self, path: &Path) -> Result<()> {
        if Codec::of(path) != Codec::Plain {
            return Ok(());
        }
        let mut found = BadLines::default();
        let mut file = atomic::open_regular(path).at("read", path)?;
        lines::read(&mut file, &mut found).at("read", path)?;
        let (bad, Some((line, why))) = (found.count, found.first) else {
            return Ok(());
        };
        let name = self.project.stored_path(path);
        let (count, verb) = match bad {
            1 => ("a line".to_owned(), "is no record"),
            _ => (text::count(bad, "line"), "are no records"),
        };
        let what = format!("{count} {verb}: line {line}: {why}");
        let remedy =
            Remedy::Theirs("a whole line is never touched: correct it, or take it out by hand");
        self.note("bad-line", &name, &what, &remedy, || Ok(()))
    }

    /// What lies about in a folder.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        // A folder that cannot be read is told by whoever needs it.
        let Ok(entries) = fs::read_dir(folder) else {
            return Ok(());
        };
        let mut entries: Vec<_> = entries.filter_map(std::io::Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            not_stopped()?;
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && depth > 0 {
                self.folder(&path, depth - 1)?;
            } else if kind.is_file() && name.starts_with(TEMPORARY) {
                self.temporary(&path)?;
            } else if kind.is_file() && name.ends_with(".part.jsonl") {
                self.unfinished(&path)?;
            }
        }
        Ok(())
    }

    fn temporary(&mut self, path: &Path) -> Result<()> {
        let name = self.project.stored_path(path);
        let age = path
            .metadata()
            .and_then(|found| found.modified())
            .ok()
            .and_then(age_of);
        let what = "it was never given its name: a write that did not end";
        let remedy = if age.is_some_and(|age| age > FRESH) {
            Remedy::Ours("removes it; the file that it was for is as it was")
        } else {
            Remedy::Theirs("wait: it is younger than an hour and may still be written")
        };
        self.note("temporary", &name, what, &remedy, || {
            Ok(atomic::remove(path)?)
        })
    }

    fn unfinished(&mut self, path: &Path) -> Result<()> {
        let name = self.project.stored_path(path);
        let what = "the results of a report that was never put together";
        let remedy = Remedy::Theirs("run the script again: it goes on with them");
        self.note("unfinished-report", &name, what, &remedy, || Ok(()))?;
        self.tail(path, true)
    }
}

/// What was repaired so far stays so, and what was not is as it was.
fn not_stopped() -> Result<()> {
    stop::check().map_err(|source| {
        let text = "salvage did not look at everything";
        Error::new(Kind::Io, "io", text)
            .with_source(source)
            .with_hint("run it again: it goes on")
    })
}

/// Lines of a file that have their end and are no records.
#[derive(Default)]
struct BadLines {
    count: u64,
    first: Option<(u64, String)>,
}

impl Sink for BadLines {
    fn bytes(&mut self, _bytes: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if line.is_blank() || !line.has_end() || line.too_long.is_some() {
            return true;
        }
        if let Err(error) = json::scan_object(line.record) {
            self.count += 1;
            self.first
                .get_or_insert_with(|| (line.number, lines::fault_of(&line, &error)));
        }
        true
    }
}

/// How long ago a moment was.
fn age_of(time: SystemTime) -> Option<Duration> {
    let micros = u64::try_from(birthmark_capture::clock::now_micros()).ok()?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    now.duration_since(time).ok()
}
