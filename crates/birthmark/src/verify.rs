//! Is it still what was recorded?
//!
//! The opposite of capture: it fails closed. Every claim of a birthmark is followed as
//! far as this machine allows, and each thing gets one word:
//!
//! | word | means | exit |
//! |---|---|---|
//! | failed | bytes changed, a required field missing, no commit, manifest edited, journal damaged | 1 |
//! | cannot tell | a claim that cannot be followed: commit or session not here | 2 |
//! | caveat | as recorded, but: not pushed, dirty, declared, not bound … | 0 |
//! | unstamped | carries no birthmark, and nothing lists it: not judged | 0; 2 where nothing else was judged |
//! | verified | as recorded | 0 |
//!
//! # Invariants
//!
//! * Nothing is written, executed or followed through a link.
//! * Nothing is called verified by default: what was not proved is always said.
//! * Memory does not grow with the number of records.
//!
//! # Limitations
//!
//! * Nothing is signed: whoever rewrites a file, its journals and its manifest together
//!   is not noticed.
//! * A plan that was not met fails a session that says it completed, and is a caveat of
//!   one that was cut short.

mod artifact;
mod claims;
mod commits;
mod counts;
mod folder;
mod inputs;
mod jsonl;
mod junit;
mod kept;
mod keyed;
mod linked;
mod mark;
mod merged;
mod meter;
mod moved;
mod not_proved;
mod objects;
mod packed;
mod part;
pub(crate) mod pointer;
mod records;
pub mod render;
pub mod report;
mod sample;
mod scope;
mod session;
mod sidecar;
mod single;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::digest::Digester;
use birthmark_store::layout::{Layout, STORE_NAME};

use crate::error::Result;
use crate::meant;
use crate::project::{PASSED_BY, Project, absolute, plain};
use crate::sessions;
use crate::text;

use claims::Claims;
use commits::Commits;
use inputs::Inputs;
pub(crate) use inputs::elsewhere;
use kept::Kept;
use mark::{Eyes, Judge};
pub(crate) use merged::{APART, is_merged};
use scope::Scope;

pub use junit::junit;
pub use meter::Meter;
pub use render::render;
pub use report::{Item, ItemKind, Reason, Report, Word};
pub use sample::Sample;

/// How far `verify` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A file without a birthmark fails.
    pub require_stamped: bool,
    /// Compare sizes alone; the report says so.
    pub quick: bool,
    /// Read the store's blobs and large inputs too, and every file anew.
    pub deep: bool,
    /// Read only these files, and of the others compare sizes alone.
    pub sample: Option<Sample>,
    /// The moment of asking: which sessions still run depends on it.
    pub now: Timestamp,
}

impl Options {
    /// The usual: read everything, judge what is stamped.
    pub fn at(now: Timestamp) -> Self {
        Self {
            require_stamped: false,
            quick: false,
            deep: false,
            sample: None,
            now,
        }
    }
}

/// Verifies files, folders, manifests and sessions (by id, prefix, or `last`).
pub fn verify(project: &Project, paths: &[PathBuf], options: &Options) -> Result<Report> {
    verify_watched(project, paths, options, &Meter::default())
}

/// What was stamped outside of the artifacts folder without a session and still lies there, from
/// the project's root: who names nothing asks for the artifacts folder alone.
pub fn elsewhere_stamped(project: &Project) -> Vec<PathBuf> {
    let listed = crate::generated::stamped(&project.layout).into_iter();
    let mut there: Vec<PathBuf> = listed
        .filter(|path| project.root().join(path).exists())
        .collect();
    there.sort();
    there
}

/// The same as [`verify`], while somebody watches how far it has come.
pub fn verify_watched(
    project: &Project,
    paths: &[PathBuf],
    options: &Options,
    meter: &Meter,
) -> Result<Report> {
    let links = paths.iter().filter(|path| path.is_symlink());
    let told_of: Vec<PathBuf> = links
        .filter_map(|link| link.canonicalize().ok())
        .chain(paths.iter().cloned())
        .collect();
    let claims = Claims::read(project, Scope::of(project, &told_of), meter)?;
    let mut wanted = Wanted {
        project,
        claims: &claims,
        files: BTreeSet::new(),
        sessions: BTreeSet::new(),
        whole: false,
    };
    for path in paths {
        wanted.add(path)?;
    }
    let Wanted {
        files,
        sessions,
        whole,
        ..
    } = wanted;
    if !options.quick {
        let read = files.iter().map(PathBuf::as_path);
        meter.expect(read.filter(|path| options.sample.is_none_or(|sample| sample.takes(path))));
    }
    let digester = || {
        if options.deep {
            Digester::default()
        } else {
            crate::digests::digester()
        }
    };
    let inputs = Inputs::new(project, &claims, options, digester(), meter);
    let eyes = Eyes {
        commits: Commits::open(project),
        digester: digester().telling(Some(meter.counter())),
        inputs,
        kept: Kept::new(options),
        meter,
    };
    let mut judge = Judge::new(&claims, eyes, &project.config.policy);
    let mut report = Report::default();
    let mut places = moved::Places::default();
    for (session, (asked, files)) in in_turns(&claims, sessions, files) {
        judge.session_asked = asked;
        if let (Some(id), true) = (session, asked) {
            report.items.push(judge_session(&mut judge, &id, options));
            meter.done(claims.size_of(&id));
        }
        for path in files {
            let item = judge_file(&mut judge, &path, options, &mut places);
            report.items.push(item);
        }
    }
    places.settle(&mut report);
    if whole {
        for (id, why) in &claims.unreadable {
            report.items.push(unreadable(id, why));
        }
    }
    if options.deep {
        report.items.extend(objects::verify(&project.layout));
    }
    report
        .items
        .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    // Several files of one folder are judged with it, once.
    report
        .items
        .dedup_by(|a, b| (a.kind, &a.name) == (b.kind, &b.name));
    report.not_proved = not_proved::lines(&report, options, judge.eyes.inputs.left_out);
    let lists = judge.eyes.kept.not_read();
    report.not_proved.splice(0..0, not_proved::lists(lists));
    let known = judge.eyes.digester.known() + judge.eyes.inputs.digester.known();
    if let Some(line) = not_proved::not_read(known) {
        report.not_proved.insert(0, line);
    }
    Ok(report)
}

/// A session, whether it is asked about, and the files that it holds the last word on.
type Turns = BTreeMap<Option<SessionId>, (bool, Vec<PathBuf>)>;

/// Puts what is asked about in turns, so that each session is read once for itself and its
/// files, and forgotten.
fn in_turns(claims: &Claims, sessions: BTreeSet<SessionId>, files: BTreeSet<PathBuf>) -> Turns {
    let mut turns = Turns::new();
    for path in files {
        let holder = claims.holder(&path).cloned();
        turns.entry(holder).or_default().1.push(path);
    }
    for id in sessions {
        turns.entry(Some(id)).or_default().0 = true;
    }
    turns
}

fn judge_file(
    judge: &mut Judge<'_>,
    path: &Path,
    options: &Options,
    places: &mut moved::Places,
) -> Item {
    let name = text::neutral(&judge.eyes.inputs.project.stored_path(path)).into_owned();
    let left_out = options.sample.is_some_and(|sample| !sample.takes(path));
    let options = &Options {
        quick: options.quick || left_out,
        ..*options
    };
    if path.symlink_metadata().is_err() {
        return moved::missing(judge, path, name, options, places);
    }
    let item = artifact::verify(judge, path, &name, options);
    // What carries nothing and is part of a folder that is one artifact is judged with it.
    if item.word == Word::Unstamped
        && let Some(folder) = folder_of(judge, path)
    {
        let project = judge.eyes.inputs.project;
        let name = text::neutral(&project.stored_path(&folder)).into_owned();
        return artifact::verify(judge, &folder, &name, options);
    }
    item
}

/// The nearest folder above a file that a session lists, or beside which a sidecar stands.
fn folder_of(judge: &Judge<'_>, path: &Path) -> Option<PathBuf> {
    let mut folders = judge.eyes.inputs.project.folders_above(path).into_iter();
    folders.find(|folder| judge.claims.lists(folder) || Layout::sidecar(folder).is_file())
}

fn judge_session(judge: &mut Judge<'_>, id: &SessionId, options: &Options) -> Item {
    match judge.claims.session(id) {
        Ok(loaded) => session::verify(judge, &loaded, options.now),
        Err(error) => unreadable(id, &error.whole()),
    }
}

fn unreadable(id: &SessionId, why: &str) -> Item {
    let reason = Reason::failed("session-unreadable", text::neutral(why));
    Item::new(id.as_str(), ItemKind::Session, "", vec![reason])
}

/// What is to be judged, each thing once.
struct Wanted<'a> {
    project: &'a Project,
    claims: &'a Claims,
    files: BTreeSet<PathBuf>,
    sessions: BTreeSet<SessionId>,
    whole: bool,
}

impl Wanted<'_> {
    fn add(&mut self, path: &Path) -> Result<()> {
        let whole = absolute(path);
        if whole.symlink_metadata().is_err() {
            return self.add_absent(path, &whole);
        }
        // A link that nobody recorded stands for what it leads to.
        let leads_to = whole.canonicalize().ok();
        let leads_to = leads_to.filter(|_| whole.is_symlink() && !self.claims.lists(&whole));
        self.add_path(&self.as_recorded(leads_to.unwrap_or(whole)));
        Ok(())
    }

    /// What lies in the artifacts folder under the name that sessions know it by: the folder may
    /// be a link to another disk.
    fn as_recorded(&self, path: PathBuf) -> PathBuf {
        let artifacts = self.project.layout.artifacts();
        if path.starts_with(artifacts) {
            return path;
        }
        let top = artifacts.canonicalize().ok();
        let within = top.and_then(|top| Some(path.strip_prefix(top).ok()?.to_owned()));
        match within {
            // Joined part by part: an empty path would only add a slash.
            Some(within) => artifacts.components().chain(within.components()).collect(),
            None => path,
        }
    }

    /// A path where nothing is: a listed file that is gone, or the name of a session.
    fn add_absent(&mut self, given: &Path, whole: &Path) -> Result<()> {
        if self.claims.lists(whole) {
            self.files.insert(whole.to_owned());
            return Ok(());
        }
        let name = given.to_string_lossy();
        match sessions::resolve(self.project, &name) {
            Ok(id) => self.add_session(&id),
            Err(error) if error.code() == "session-ambiguous" => return Err(error),
            Err(_) => return Err(meant::no_file_or_session(self.project, given, None, None)),
        }
        Ok(())
    }

    fn add_session(&mut self, id: &SessionId) {
        if !self.sessions.insert(id.clone()) || self.whole {
            return;
        }
        let Ok(loaded) = self.claims.session(id) else {
            return;
        };
        for artifact in loaded
            .session
            .artifacts
            .iter()
            .filter(|a| a.removed.is_none())
        {
            let path = sessions::locate(self.project, &artifact.file, artifact.file_bytes());
            self.files.insert(plain(&path));
        }
    }

    fn add_path(&mut self, path: &Path) {
        if let Some(id) = Layout::session_of_manifest(path)
            && self.project.layout.manifest(&id) == path
        {
            return self.add_session(&id);
        }
        if let Some(subject) = subject_of(path) {
            self.files.insert(subject);
            return;
        }
        let sidecar = Layout::sidecar(path).symlink_metadata().is_ok();
        let is_link = path.is_symlink() && path != self.project.layout.artifacts();
        if !path.is_dir() || is_link || sidecar || self.claims.lists(path) {
            self.files.insert(path.to_owned());
            return;
        }
        self.add_folder(path);
    }

    fn add_folder(&mut self, folder: &Path) {
        if folder == self.project.layout.artifacts() {
            self.add_store();
        }
        for entry in fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(std::result::Result::ok)
        {
            let name = entry.file_name();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let passed = name == STORE_NAME || PASSED_BY.iter().any(|passed| name == *passed);
            if is_dir && passed || self.is_met_elsewhere(&entry.path(), folder) {
                continue;
            }
            self.add_path(&entry.path());
        }
        // What a session lists here and is gone.
        let listed = self.claims.listed_in(folder).iter();
        let gone = listed.filter(|path| path.symlink_metadata().is_err());
        self.files.extend(gone.cloned());
    }

    /// A link that nobody recorded, to what is met where it lies.
    fn is_met_elsewhere(&self, path: &Path, folder: &Path) -> bool {
        if !path.is_symlink() || self.claims.lists(path) {
            return false;
        }
        let (target, folder) = (path.canonicalize(), folder.canonicalize());
        matches!((target, folder), (Ok(target), Ok(folder)) if target.starts_with(&folder))
    }

    /// The whole artifacts folder: every session, whether or not it has a manifest.
    fn add_store(&mut self) {
        self.whole = true;
        let read = self
            .claims
            .ids()
            .iter()
            .filter(|id| !self.claims.is_unreadable(id));
        self.sessions.extend(read.cloned());
        self.files.extend(self.claims.listed().cloned());
    }
}

/// The file or folder that a sidecar is of.
fn subject_of(path: &Path) -> Option<PathBuf> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    bytes
        .strip_suffix(SIDECAR_SUFFIX.as_bytes())
        .map(|subject| PathBuf::from(OsStr::from_bytes(subject)))
}

/// Counts of reasons by their code, for programs and tests.
pub fn codes(report: &Report) -> BTreeMap<&'static str, usize> {
    let mut codes = BTreeMap::new();
    for reason in report.items.iter().flat_map(|item| &item.reasons) {
        *codes.entry(reason.code).or_default() += 1;
    }
    codes
}
