//! What the sessions of a store claim of each file.
//!
//! A file's *history* is put together from the events of all sessions, by time: a file
//! that is begun anew wipes what was said before; one that goes on keeps it. The last
//! word is held against the whole file, each earlier count against the bytes up to it.
//!
//! Where only some files are asked about, only the sessions that speak of them are read
//! ([`Scope`]); whether another session is here, and which commits it saw, is read when a
//! birthmark names it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use birthmark_core::birthmark::Fields;
use birthmark_core::event::{ArtifactOpened, ArtifactSealed, Event};
use birthmark_core::{SessionId, Timestamp};
use serde_json::Value;

use crate::error::Result;
use crate::project::{Project, plain};
use crate::sessions::{self, Loaded};

use super::scope::Scope;

/// How far a file had come at some moment, as a session recorded it.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub session: SessionId,
    pub time: Timestamp,
    /// Bytes; none where another helper's manifest does not say.
    pub size: Option<u64>,
    pub records: Option<u64>,
    pub digest: Option<String>,
    pub content_digest: Option<String>,
    /// What tells which line changed, as the journal keeps it.
    pub line_sums: Option<Value>,
}

/// How the last session left a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Open,
    Sealed,
    Removed,
}

/// What is claimed of one file.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub stored: String,
    pub format: String,
    pub birthmark: Fields,
    /// In the order of time; the last is the newest.
    pub counts: Vec<Count>,
    pub last: Last,
    /// All sessions that wrote it and whose word still counts.
    pub sessions: BTreeSet<SessionId>,
    /// Sessions whose bytes were written over.
    pub overwritten: BTreeSet<SessionId>,
    /// The session that spoke last.
    pub by: SessionId,
    /// Whether journals say so, or a manifest alone.
    pub bound: bool,
}

/// All claims of a store, or those on some files of it.
pub(super) struct Claims {
    /// The sessions that were read.
    pub sessions: BTreeMap<SessionId, Arc<Loaded>>,
    pub unreadable: Vec<(SessionId, String)>,
    /// What is asked about.
    scope: Scope,
    /// Of sessions that were read for their commits alone: none where it is not here.
    others: RefCell<HashMap<SessionId, Option<BTreeSet<String>>>>,
    project: Project,
    files: HashMap<PathBuf, History>,
    by_digest: HashMap<String, String>,
    /// The commits that each session saw.
    commits: HashMap<SessionId, BTreeSet<String>>,
    /// Where objects are kept.
    pub layout: birthmark_store::Layout,
}

enum Told<'a> {
    Opened(&'a ArtifactOpened),
    Count(u64, u64, &'a str),
    Sealed(&'a ArtifactSealed),
    Removed,
}

impl Told<'_> {
    fn digest(&self) -> Option<&str> {
        match self {
            Self::Count(_, _, digest) => Some(digest),
            Self::Sealed(sealed) => sealed.digest.as_deref(),
            Self::Opened(_) | Self::Removed => None,
        }
    }
}

struct Entry<'a> {
    time: Timestamp,
    session: &'a SessionId,
    place: usize,
    bound: bool,
    file: &'a str,
    file_bytes: Option<&'a str>,
    told: Told<'a>,
}

impl Claims {
    /// Reads the sessions of a project that speak of what is asked about.
    pub(super) fn read(project: &Project, scope: Scope) -> Result<Self> {
        let mut loaded = BTreeMap::new();
        let mut unreadable = Vec::new();
        for id in sessions::ids(project)? {
            if !scope.holds(project, &id) {
                continue;
            }
            match sessions::load(project, &id) {
                Ok(session) => {
                    loaded.insert(id, Arc::new(session));
                }
                Err(error) => unreadable.push((id, error.whole())),
            }
        }
        let mut claims = Self {
            sessions: loaded,
            unreadable,
            scope,
            others: RefCell::default(),
            project: project.clone(),
            files: HashMap::new(),
            by_digest: HashMap::new(),
            commits: HashMap::new(),
            layout: project.layout.clone(),
        };
        claims.tell(project);
        Ok(claims)
    }

    fn tell(&mut self, project: &Project) {
        let sessions: Vec<Arc<Loaded>> = self.sessions.values().cloned().collect();
        let mut entries = Vec::new();
        for loaded in &sessions {
            entries_of(loaded, &mut entries);
            self.commits.insert(loaded.id.clone(), commits_of(loaded));
        }
        entries.sort_by(|a, b| (a.time, a.session, a.place).cmp(&(b.time, b.session, b.place)));
        let mut by_name: HashMap<&str, History> = HashMap::new();
        let mut bytes: HashMap<&str, &str> = HashMap::new();
        for entry in &entries {
            if let Some(name) = entry.file_bytes {
                bytes.insert(entry.file, name);
            }
            match by_name.get_mut(entry.file) {
                Some(history) => history.hear(entry),
                None => {
                    if let Some(history) = History::begin(entry) {
                        by_name.insert(entry.file, history);
                    }
                }
            }
        }
        for (name, history) in by_name {
            for digest in history
                .counts
                .iter()
                .filter_map(|count| count.digest.clone())
            {
                self.by_digest.insert(digest, name.to_owned());
            }
            let path = sessions::locate(project, name, bytes.get(name).copied());
            self.files.insert(key(&path), history);
        }
    }

    /// What is claimed of the file at `path`.
    pub(super) fn of(&self, path: &Path) -> Option<&History> {
        self.files.get(&key(path)).or_else(|| {
            // The same file by another name of its folder.
            let folder = path.parent()?.canonicalize().ok()?;
            self.files.get(&folder.join(path.file_name()?))
        })
    }

    /// The place and the claims of each file.
    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, &History)> {
        self.files.iter()
    }

    /// The file that was recorded with this digest.
    pub(super) fn with_digest(&self, digest: &str) -> Option<String> {
        if let Some(file) = self.by_digest.get(digest) {
            return Some(file.clone());
        }
        if self.scope == Scope::All {
            return None;
        }
        let needles = Scope::Of(BTreeSet::from([digest.to_owned()]));
        let ids = sessions::ids(&self.project).ok()?;
        let unread = |id: &&SessionId| !self.sessions.contains_key(*id);
        ids.iter().filter(unread).find_map(|id| {
            let holds = needles.holds(&self.project, id);
            let loaded = holds.then(|| sessions::load(&self.project, id).ok())??;
            let mut entries = Vec::new();
            entries_of(&loaded, &mut entries);
            let told = entries
                .iter()
                .find(|entry| entry.told.digest() == Some(digest));
            told.map(|entry| entry.file.to_owned())
        })
    }

    /// The same, of what was read alone.
    pub(super) fn read_with_digest(&self, digest: &str) -> Option<&str> {
        self.by_digest.get(digest).map(String::as_str)
    }

    /// Whether the session is here.
    pub(super) fn knows(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id) || self.other(id, |seen| seen.is_some())
    }

    /// Whether a session saw this commit; none where it told of no commit at all.
    pub(super) fn session_saw(&self, id: &SessionId, commit: &str) -> Option<bool> {
        let saw = |seen: Option<&BTreeSet<String>>| {
            let seen = seen.filter(|seen| !seen.is_empty())?;
            Some(seen.contains(commit))
        };
        match self.commits.get(id) {
            Some(seen) => saw(Some(seen)),
            None => self.other(id, saw),
        }
    }

    /// The commits of a session that speaks of nothing that is asked about.
    fn other<T>(&self, id: &SessionId, ask: impl Fn(Option<&BTreeSet<String>>) -> T) -> T {
        if self.scope == Scope::All {
            return ask(None);
        }
        let mut others = self.others.borrow_mut();
        if others.len() >= MOST_OTHERS && !others.contains_key(id) {
            others.clear();
        }
        let seen = others.entry(id.clone()).or_insert_with(|| {
            let loaded = sessions::load(&self.project, id).ok()?;
            Some(commits_of(&loaded))
        });
        ask(seen.as_ref())
    }
}

/// Sessions that are kept in mind beside those that were asked about.
const MOST_OTHERS: usize = 10_000;

fn key(path: &Path) -> PathBuf {
    plain(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

fn commits_of(loaded: &Loaded) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for line in loaded.lines.iter().flat_map(|journal| &journal.lines) {
        let fields = match &line.event {
            Event::CodeObserved(code) => &code.fields,
            Event::Drift(drift) => &drift.fields,
            Event::ArtifactSealed(sealed) => &sealed.birthmark,
            Event::ArtifactOpened(opened) => &opened.birthmark,
            _ => continue,
        };
        seen.extend(
            fields
                .get("git_commit")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    }
    seen
}

fn entries_of<'a>(loaded: &'a Loaded, out: &mut Vec<Entry<'a>>) {
    if !loaded.has_journals {
        told_by_manifest(loaded, out);
        return;
    }
    for journal in &loaded.lines {
        // The clock may be set back; a writer's own order stands.
        let mut latest = Timestamp::from_micros(i64::MIN);
        for line in &journal.lines {
            latest = latest.max(line.time);
            let (file, file_bytes, told) = match &line.event {
                Event::ArtifactOpened(opened) => (
                    &opened.file,
                    opened.file_bytes.as_deref(),
                    Told::Opened(opened),
                ),
                Event::ArtifactProgress(count) => (
                    &count.file,
                    None,
                    Told::Count(count.size, count.records, &count.digest),
                ),
                Event::ArtifactSealed(sealed) => (
                    &sealed.file,
                    sealed.file_bytes.as_deref(),
                    Told::Sealed(sealed),
                ),
                Event::ArtifactRemoved(removed) => (&removed.file, None, Told::Removed),
                _ => continue,
            };
            let session = &loaded.id;
            let place = out.len();
            out.push(Entry {
                time: latest,
                session,
                place,
                bound: true,
                file,
                file_bytes,
                told,
            });
        }
    }
}

fn told_by_manifest<'a>(loaded: &'a Loaded, out: &mut Vec<Entry<'a>>) {
    for artifact in &loaded.session.artifacts {
        let (time, session, file) = (artifact.time, &loaded.id, artifact.file.as_str());
        let sealed = artifact.sealed();
        let file_bytes = artifact.file_bytes();
        let told = match &artifact.state {
            birthmark_core::session::ArtifactState::Open(opened) => Told::Opened(opened),
            birthmark_core::session::ArtifactState::Sealed(sealed) => Told::Sealed(sealed),
        };
        let mut put = |told| {
            let place = out.len();
            out.push(Entry {
                time,
                session,
                place,
                bound: false,
                file,
                file_bytes,
                told,
            });
        };
        put(told);
        if let (None, Some(digest)) = (sealed, &artifact.digest) {
            put(Told::Count(
                artifact.size,
                artifact.records.unwrap_or(0),
                digest,
            ));
        }
        if artifact.removed.is_some() {
            put(Told::Removed);
        }
    }
}

impl History {
    fn begin(entry: &Entry<'_>) -> Option<Self> {
        let (format, birthmark) = match &entry.told {
            Told::Opened(opened) => (opened.format.clone(), opened.birthmark.clone()),
            Told::Sealed(sealed) => (sealed.format.clone(), sealed.birthmark.clone()),
            // Removed, or counted, without ever having been made here: nothing to hold on to.
            Told::Count(..) | Told::Removed => return None,
        };
        let mut history = Self {
            stored: entry.file.to_owned(),
            format,
            birthmark,
            counts: Vec::new(),
            last: Last::Open,
            sessions: BTreeSet::new(),
            overwritten: BTreeSet::new(),
            by: entry.session.clone(),
            bound: entry.bound,
        };
        history.hear(entry);
        Some(history)
    }

    fn hear(&mut self, entry: &Entry<'_>) {
        // What a manifest alone says never weakens what journals say.
        if self.bound && !entry.bound {
            return;
        }
        self.bound = entry.bound;
        self.sessions.insert(entry.session.clone());
        self.by = entry.session.clone();
        match &entry.told {
            Told::Opened(opened) => {
                if opened.continued_bytes == 0 {
                    self.wipe(entry.session);
                }
                self.format.clone_from(&opened.format);
                self.birthmark.clone_from(&opened.birthmark);
                self.last = Last::Open;
            }
            Told::Count(size, records, digest) => self.counts.push(Count {
                session: entry.session.clone(),
                time: entry.time,
                size: Some(*size),
                records: Some(*records),
                digest: Some((*digest).to_owned()),
                content_digest: None,
                line_sums: None,
            }),
            Told::Sealed(sealed) => {
                let goes_on = self.last == Last::Open && sealed.format == "jsonl";
                if !goes_on {
                    self.wipe(entry.session);
                }
                self.format.clone_from(&sealed.format);
                self.birthmark.clone_from(&sealed.birthmark);
                self.last = Last::Sealed;
                self.counts.push(of_sealed(entry, sealed));
            }
            Told::Removed => self.last = Last::Removed,
        }
    }

    fn wipe(&mut self, by: &SessionId) {
        self.counts.clear();
        let others = std::mem::take(&mut self.sessions);
        self.overwritten
            .extend(others.into_iter().filter(|other| other != by));
        self.sessions.insert(by.clone());
    }

    /// The newest count.
    pub(super) fn newest(&self) -> Option<&Count> {
        self.counts.last()
    }
}

fn of_sealed(entry: &Entry<'_>, sealed: &ArtifactSealed) -> Count {
    // Another helper's manifest names the file and no more.
    let says = entry.bound || sealed.digest.is_some() || sealed.size > 0;
    Count {
        session: entry.session.clone(),
        time: sealed.timestamp,
        size: says.then_some(sealed.size),
        records: sealed.records,
        digest: sealed.digest.clone(),
        content_digest: sealed.content_digest.clone(),
        line_sums: sealed.notes.get("line_sums").cloned(),
    }
}
