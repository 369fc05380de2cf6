//! Many files: found by globs and in folders, stamped by several threads, told in order.
//!
//! The code is looked at once, and an open session is joined once, for all of them.
//!
//! # Invariants
//!
//! * All files are looked at before the first is written: one that is unfit, as by a wrong
//!   name, stops everything.
//! * A file that fails, as by a bad line, stays as it was, is told, and stops no other.
//! * When the work is interrupted no other file is begun.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use birthmark_core::event::Outcome;
use birthmark_core::glob;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::config::Enforce;
use birthmark_store::format::FileKind;
use birthmark_store::stop;

use super::births::Births;
use super::compose::Code;
use super::{
    StampOptions, Stamped, Target, join_open, judged, prepared, recorded_path, refuse, stamp_known,
};
use crate::digests;
use crate::error::{Error, Kind, Result};
use crate::project::Project;
use crate::session::{RunEnd, Session};

/// Files that one call may name, at most.
const MOST_FILES: usize = 1_000_000;
/// More threads than this wait for the disk.
const MOST_THREADS: usize = 8;

/// The files that were named: a glob that no file is called by gives all that it matches;
/// a folder, if it is to be gone into, all files below it that carry birthmarks within.
pub fn find(named: &[PathBuf], into_folders: bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if path.symlink_metadata().is_err() && is_glob(path) {
            let found = matching(path)?;
            if found.is_empty() {
                let text = format!("`{}` matches no file", path.display());
                return Err(Error::usage("no-file", text));
            }
            files.extend(found);
        } else if into_folders && path.is_dir() {
            let mut below = Vec::new();
            walk(path, &mut below, &|file| FileKind::of(file).is_some())?;
            below.sort();
            if below.is_empty() {
                let text = format!(
                    "no file below `{}` carries birthmarks within",
                    path.display()
                );
                return Err(Error::usage("no-file", text));
            }
            files.extend(below);
        } else {
            files.push(path.clone());
        }
    }
    // One that is named twice is one file, and stamped once.
    let mut named = HashSet::new();
    let mut is_new = |file: &PathBuf| {
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        named.insert(crate::project::plain(&whole))
    };
    files.retain(&mut is_new);
    Ok(files)
}

fn is_glob(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|text| text.contains(['*', '?', '[', '{']))
}

fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = pattern.to_string_lossy();
    let matcher = glob::matcher(&text).map_err(|why| {
        let shown = crate::text::short(&text, 80);
        Error::usage("glob", format!("`{shown}` is no pattern: {why}"))
    })?;
    // The folder above the first part that is a pattern.
    let root: PathBuf = pattern
        .components()
        .take_while(|part| !is_glob(Path::new(part.as_os_str())))
        .collect();
    let from = if root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &root
    };
    let mut found = Vec::new();
    if !from.is_dir() {
        return Ok(found);
    }
    walk(from, &mut found, &|file| {
        let plain = file.strip_prefix("./").unwrap_or(file);
        matcher.is_match(plain)
    })?;
    let mut found: Vec<_> = found
        .into_iter()
        .map(|file| file.strip_prefix("./").map(Path::to_owned).unwrap_or(file))
        .collect();
    found.sort();
    Ok(found)
}

/// All files below a folder that are wanted: no links are followed, what is hidden is
/// left out, and so are sidecars.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    use birthmark_store::atomic::PathContext;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).at("read", &folder)? {
            let entry = entry.at("read", &folder)?;
            let kind = entry.file_type().at("read", &entry.path())?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") || bytes.ends_with(SIDECAR_SUFFIX.as_bytes()) {
                continue;
            }
            let path = folder.join(&name);
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && wanted(&path) {
                found.push(path);
            }
            if found.len() > MOST_FILES {
                return Err(Error::usage("too-many", "there are too many files"));
            }
        }
    }
    Ok(())
}

/// How many bytes are to be read, for whoever shows how far the work is: what carries a
/// birthmark within and gets a sidecar is read for its digest and for its content digest.
pub fn bytes_to_read(files: &[PathBuf], options: &StampOptions) -> u64 {
    let times = |file: &PathBuf| match options.target {
        Target::Sidecar => digests::times_to_describe(file, options.sha256),
        Target::InPlace | Target::Out(_) => 1,
    };
    let of = |file: &PathBuf| times(file) * digests::size_of(file);
    files.iter().map(of).sum()
}

/// Stamps all files. `told` gets the result of each, in the order of the files; what stops
/// everything before the first is the error.
pub fn stamp_all(
    project: &Project,
    files: &[PathBuf],
    options: &StampOptions,
    told: &mut dyn FnMut(&Path, Result<Stamped>),
) -> Result<()> {
    let options = prepared(project, options)?;
    for file in files {
        refuse::unfit(project, file, &options)?;
    }
    let births = Births::of(project);
    if let [only] = files {
        let birth = births.find(only)?;
        refuse::recorded(project, only, &options, birth.as_ref())?;
    }
    let work = Work {
        project,
        files,
        options: &options,
        joined: join_open(project, &options)?,
        code: Code::of(project),
        births,
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    if let Err(error) = work.obey() {
        if let Some(session) = &work.joined {
            session.end(RunEnd::plain(Outcome::Failed))?;
        }
        return Err(error);
    }
    let mut written = Vec::new();
    work.run(&mut |file, result| {
        if let Ok(stamped) = &result {
            let content = stamped.written.and_then(|written| written.content_digest);
            written.push((recorded_path(&options, stamped).to_owned(), content));
        }
        told(file, result);
    });
    let Some(session) = &work.joined else {
        crate::generated::note_stamped(project, &written);
        return Ok(());
    };
    let outcome = if work.failed.load(Ordering::Relaxed) {
        Outcome::Failed
    } else {
        Outcome::Completed
    };
    session.end(RunEnd::plain(outcome))?;
    // After the end, or the end would see a change in what counts as untracked.
    let written: Vec<PathBuf> = written.into_iter().map(|(path, _)| path).collect();
    crate::generated::note_all(&project.layout, &written);
    Ok(())
}

struct Work<'a> {
    project: &'a Project,
    files: &'a [PathBuf],
    options: &'a StampOptions,
    joined: Option<Session>,
    code: Code<'a>,
    births: Births<'a>,
    next: AtomicUsize,
    failed: AtomicBool,
}

impl Work<'_> {
    /// Of several files none is written where one would break a rule that refuses.
    fn obey(&self) -> Result<()> {
        let policy = &self.project.config.policy;
        if policy.rules.is_empty() || policy.enforce.value != Enforce::Refuse {
            return Ok(());
        }
        for file in self.files {
            let birth = self.births.find(file)?;
            let joined = self.joined.as_ref();
            judged(file, self.options, birth.as_ref(), joined, &self.code)?;
        }
        Ok(())
    }

    fn run(&self, told: &mut dyn FnMut(&Path, Result<Stamped>)) {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_THREADS)
            .min(self.files.len());
        let (give, results) = channel();
        let flag = stop::flag();
        let labour = |give: &std::sync::mpsc::Sender<_>| {
            stop::with(flag.clone(), || self.labour(give));
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let give = give.clone();
                // A thread that cannot be made is done without.
                let _ = std::thread::Builder::new().spawn_scoped(scope, move || labour(&give));
            }
            if threads <= 1 {
                labour(&give);
                drop(give);
            } else {
                let _ = std::thread::Builder::new().spawn_scoped(scope, move || labour(&give));
            }
            let mut waiting = BTreeMap::new();
            let mut next = 0;
            for (place, result) in results {
                waiting.insert(place, result);
                while let Some(result) = waiting.remove(&next) {
                    if let Some(file) = self.files.get(next) {
                        told(file, result);
                    }
                    next += 1;
                }
            }
            for (place, result) in waiting {
                if let Some(file) = self.files.get(place) {
                    told(file, result);
                }
            }
        });
        if self.next.load(Ordering::Relaxed) == 0 && !self.files.is_empty() {
            let stopped = stop::check().err().map(|stopped| stopped.to_string());
            let why = stopped.unwrap_or_else(|| "no thread could be made".to_owned());
            let error = Error::new(Kind::Io, "io", why);
            told(Path::new(""), Err(error));
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn labour(&self, give: &std::sync::mpsc::Sender<(usize, Result<Stamped>)>) {
        while stop::check().is_ok() {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(place) else {
                return;
            };
            let result = self.one(file);
            if result.is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            if give.send((place, result)).is_err() {
                return;
            }
        }
    }

    fn one(&self, file: &Path) -> Result<Stamped> {
        let birth = self.births.find(file)?;
        refuse::recorded(self.project, file, self.options, birth.as_ref())?;
        stamp_known(file, self.options, birth, self.joined.as_ref(), &self.code)
    }
}
