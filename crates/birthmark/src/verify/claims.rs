//! What the sessions of a store claim of each file.
//!
//! A file's *history* is put together from the events of all sessions, by time
//! ([`history`]). The last word is held against the whole file, each earlier count against
//! the bytes up to it.
//!
//! Where only some files are asked about, only the sessions that speak of them are read
//! ([`Scope`]); whether another session is here, and which commits it saw, is read when a
//! birthmark names it.
//!
//! # Invariants
//!
//! * No session is kept whole: of each only what files and other sessions are held against
//!   stays in memory, a few hundred bytes a file ([`told`]). What judging needs beyond that is
//!   read again, a session at a time.

mod digests;
mod history;
mod later;
mod told;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use birthmark_core::SessionId;
use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_core::event::Event;
use birthmark_core::order;
use birthmark_core::session::ArtifactState;
use serde_json::Value;

use super::meter::Meter;
use super::scope::Scope;
use crate::error::Result;
use crate::project::{Project, absolute};
use crate::sessions::{self, Loaded, Orphans};

use history::Kept;
pub(super) use history::{Count, History, Last};
use told::{At, Entry, Sum, Telling};

/// All claims of a store, or those on some files of it.
pub(super) struct Claims {
    /// The sessions that were read, by their ids: their numbers are their places here.
    names: Vec<SessionId>,
    pub unreadable: BTreeMap<SessionId, String>,
    /// What is asked about.
    scope: Scope,
    /// Of sessions that were read for their commits alone: none where it is not here.
    others: RefCell<HashMap<SessionId, Option<BTreeSet<String>>>>,
    project: Project,
    files: HashMap<PathBuf, u32>,
    kept: Vec<Kept>,
    by_digest: HashMap<Digest, u32>,
    /// The commits that each session saw, by their numbers.
    seen: Vec<Box<[u32]>>,
    /// Those with journals of which the end cannot be read, by their numbers.
    damaged: Vec<u32>,
    /// How large the journals of each are.
    sizes: Vec<u64>,
    commits: HashMap<String, u32>,
    /// The listed files of each folder, once somebody asks.
    folders: OnceCell<HashMap<PathBuf, Vec<PathBuf>>>,
    /// Files that a session shares with others, once somebody asks.
    shared: OnceCell<HashMap<u32, Vec<u32>>>,
    orphans: Orphans,
    /// The session that was read last.
    at_hand: RefCell<Option<(u32, Arc<Loaded>)>>,
    /// Where objects are kept.
    pub layout: birthmark_store::Layout,
}

impl Claims {
    /// Reads the sessions of a project that speak of what is asked about.
    pub(super) fn read(project: &Project, scope: Scope, meter: &Meter) -> Result<Self> {
        let mut names = sessions::ids(project)?;
        names.retain(|id| scope.holds(project, id));
        names.sort();
        let mut claims = Self {
            seen: vec![Box::default(); names.len()],
            sizes: names.iter().map(|id| size_of(project, id)).collect(),
            names,
            damaged: Vec::new(),
            unreadable: BTreeMap::new(),
            scope,
            others: RefCell::default(),
            project: project.clone(),
            files: HashMap::new(),
            kept: Vec::new(),
            by_digest: HashMap::new(),
            commits: HashMap::new(),
            folders: OnceCell::new(),
            shared: OnceCell::new(),
            orphans: Orphans::default(),
            at_hand: RefCell::default(),
            layout: project.layout.clone(),
        };
        claims.hear(meter);
        Ok(claims)
    }

    fn hear(&mut self, meter: &Meter) {
        let mut stored: HashMap<Box<str>, u32> = HashMap::new();
        let mut bytes: HashMap<u32, Box<str>> = HashMap::new();
        let mut entries = Vec::new();
        let names = std::mem::take(&mut self.names);
        let project = self.project.clone();
        let sizes = std::mem::take(&mut self.sizes);
        // They are read a second time when they are judged.
        meter.expect_more(2 * sizes.iter().sum::<u64>());
        let read = |number: u32| meter.done(sizes[number as usize]);
        told::each(&project, &names, read, |number, telling| match telling {
            Ok(Telling {
                entries: told,
                commits,
                damaged,
            }) => {
                self.damaged.extend(damaged.then_some(number));
                for (file, spelled, entry) in told {
                    let next = u32::try_from(stored.len()).unwrap_or(u32::MAX);
                    let file = *stored.entry(file).or_insert(next);
                    bytes.extend(spelled.map(|spelled| (file, spelled)));
                    entries.push((file, entry));
                }
                self.note_commits(number, commits);
            }
            Err(error) => {
                let id = names[number as usize].clone();
                self.unreadable.insert(id, error.whole());
            }
        });
        self.names = names;
        self.sizes = sizes;
        in_order(&mut entries);
        let mut texts: Vec<Box<str>> = vec![Box::default(); stored.len()];
        for (text, file) in stored {
            texts[file as usize] = text;
        }
        let mut last: Option<(u32, Option<Kept>)> = None;
        for (file, entry) in entries {
            match &mut last {
                Some((known, Some(kept))) if *known == file => kept.hear(entry),
                Some((known, none)) if *known == file => {
                    *none = Kept::begin(&texts[file as usize], entry);
                }
                _ => {
                    self.keep(last.take(), &bytes);
                    last = Some((file, Kept::begin(&texts[file as usize], entry)));
                }
            }
        }
        self.keep(last, &bytes);
    }

    fn note_commits(&mut self, session: u32, commits: Vec<String>) {
        let mut numbers = Vec::with_capacity(commits.len());
        for commit in commits {
            let next = u32::try_from(self.commits.len()).unwrap_or(u32::MAX);
            numbers.push(*self.commits.entry(commit).or_insert(next));
        }
        self.seen[session as usize] = numbers.into();
    }

    fn keep(&mut self, kept: Option<(u32, Option<Kept>)>, bytes: &HashMap<u32, Box<str>>) {
        let Some((file, Some(kept))) = kept else {
            return;
        };
        let number = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        for point in &kept.points {
            if let Some(Sum::Digest(digest)) = point.digest {
                self.by_digest.insert(digest, number);
            }
        }
        let spelled = bytes.get(&file).map(|bytes| &**bytes);
        let path = sessions::locate(&self.project, &kept.stored, spelled);
        self.files.insert(key(&path), number);
        self.kept.push(kept);
    }

    fn number_of(&self, path: &Path) -> Option<u32> {
        let found = self.files.get(&key(path)).or_else(|| {
            // The same file by another name of its folder.
            let folder = path.parent()?.canonicalize().ok()?;
            self.files.get(&folder.join(path.file_name()?))
        });
        found.copied()
    }

    fn kept_of(&self, path: &Path) -> Option<&Kept> {
        self.kept.get(self.number_of(path)? as usize)
    }

    /// Whether anything is claimed of the file at `path`.
    pub(super) fn lists(&self, path: &Path) -> bool {
        self.number_of(path).is_some()
    }

    /// The session that made the file at `path`, by the manifest beside journals that are damaged.
    pub(super) fn behind_damage(&self, path: &Path) -> Option<&SessionId> {
        let stored = self.project.stored_path(path);
        let damaged = self.damaged.iter();
        let mut damaged = damaged.filter_map(|number| self.names.get(*number as usize));
        damaged.find(|id| {
            let loaded = self.session(id).ok();
            loaded.is_some_and(|loaded| loaded.session.made().any(|one| one.file == stored))
        })
    }

    /// The session that holds what is claimed of the file at `path`: files of one session are
    /// best judged one after the other.
    pub(super) fn holder(&self, path: &Path) -> Option<&SessionId> {
        self.names.get(self.kept_of(path)?.said.session as usize)
    }

    /// What is claimed of the file at `path`.
    pub(super) fn of(&self, path: &Path) -> Option<History> {
        let kept = self.kept_of(path)?;
        let said = self.said(&kept.stored, kept.said);
        let lost = said.is_none();
        let (format, birthmark) = said.unwrap_or_default();
        Some(History {
            format,
            birthmark,
            counts: kept.points.iter().map(Count::of).collect(),
            last: kept.last,
            by: self.names[kept.by as usize].clone(),
            bound: kept.bound,
            uncounted: kept.uncounted,
            lost,
            renamed: kept.renamed.as_deref().map(str::to_owned),
            apart: kept
                .forked
                .iter()
                .map(|one| Count::of(&one.point))
                .collect(),
            forked: kept
                .forked
                .iter()
                .map(|one| {
                    let name = |number: u32| self.names[number as usize].clone();
                    (name(one.by), one.lost, name(one.stays))
                })
                .collect(),
        })
    }

    /// What was claimed of the file at `path` when it held these bytes, where another session wrote
    /// it anew, and whether that was surely later. The newest of several.
    pub(super) fn before(&self, path: &Path, digest: &str) -> Option<(History, bool)> {
        let kept = self.kept_of(path)?;
        let is_it = |former: &&history::Former| {
            let known = former.point.digest.as_ref();
            known.is_some_and(|known| known.text() == digest)
        };
        let former = kept.formers.iter().rev().find(is_it)?;
        let (format, birthmark) = self.said(&kept.stored, former.said)?;
        let is_earlier = former.moment.is_surely_before(kept.moment);
        let history = History {
            format,
            birthmark,
            counts: vec![Count::of(&former.point)],
            last: Last::Sealed,
            renamed: None,
            by: self.names[former.by as usize].clone(),
            bound: former.bound,
            uncounted: 0,
            lost: false,
            forked: Vec::new(),
            apart: Vec::new(),
        };
        Some((history, is_earlier))
    }

    /// Whether a file has such an earlier state.
    pub(super) fn has_formers(&self, path: &Path) -> bool {
        self.kept_of(path)
            .is_some_and(|kept| !kept.formers.is_empty())
    }

    /// The format and the birthmark of a file, as they were recorded.
    fn said(&self, stored: &str, at: At) -> Option<(String, Fields)> {
        let told = |file: &str, format: &str, birthmark: &Fields| {
            (file == stored).then(|| (format.to_owned(), birthmark.clone()))
        };
        self.event(at, |event| match event {
            Recorded::Event(Event::ArtifactOpened(one))
            | Recorded::Artifact(ArtifactState::Open(one)) => {
                told(&one.file, &one.format, &one.birthmark)
            }
            Recorded::Event(Event::ArtifactSealed(one))
            | Recorded::Artifact(ArtifactState::Sealed(one)) => {
                told(&one.file, &one.format, &one.birthmark)
            }
            Recorded::Event(_) => None,
        })
    }

    /// What tells which line changed, as the journal keeps it.
    pub(super) fn line_sums(&self, count: &Count) -> Option<Value> {
        self.event(count.at, |event| match event {
            Recorded::Event(Event::ArtifactSealed(sealed)) => {
                sealed.notes.get("line_sums").cloned()
            }
            _ => None,
        })
    }

    fn event<T>(&self, at: At, read: impl FnOnce(Recorded<'_>) -> Option<T>) -> Option<T> {
        let id = self.names.get(at.session as usize)?;
        let loaded = self.numbered(at.session, id).ok()?;
        if !loaded.has_journals {
            let artifact = loaded.session.artifacts.get(at.line as usize)?;
            return read(Recorded::Artifact(&artifact.state));
        }
        let journal = loaded.lines.get(at.journal as usize)?;
        read(Recorded::Event(&journal.lines.get(at.line as usize)?.event))
    }

    /// The sessions that were read.
    pub(super) fn ids(&self) -> &[SessionId] {
        &self.names
    }

    /// Whether the session is here and could not be read.
    pub(super) fn is_unreadable(&self, id: &SessionId) -> bool {
        self.unreadable.contains_key(id)
    }

    /// A session, read anew and whole.
    pub(super) fn session(&self, id: &SessionId) -> Result<Arc<Loaded>> {
        match self.session_number(id) {
            Some(number) => self.numbered(number, id),
            None => Ok(Arc::new(sessions::load_among(
                &self.project,
                id,
                &self.orphans,
            )?)),
        }
    }

    /// How large the journals of a session are.
    pub(super) fn size_of(&self, id: &SessionId) -> u64 {
        let number = self.session_number(id);
        let size = number.and_then(|number| self.sizes.get(number as usize));
        size.copied().unwrap_or(0)
    }

    fn session_number(&self, id: &SessionId) -> Option<u32> {
        let place = self.names.binary_search(id).ok()?;
        u32::try_from(place).ok()
    }

    fn numbered(&self, session: u32, id: &SessionId) -> Result<Arc<Loaded>> {
        if let Some((at_hand, loaded)) = &*self.at_hand.borrow()
            && *at_hand == session
        {
            return Ok(Arc::clone(loaded));
        }
        let loaded = sessions::load_among(&self.project, id, &self.orphans)?;
        let loaded = Arc::new(loaded);
        *self.at_hand.borrow_mut() = Some((session, Arc::clone(&loaded)));
        Ok(loaded)
    }

    /// Where files lie that are listed and were not removed.
    pub(super) fn listed(&self) -> impl Iterator<Item = &PathBuf> {
        let there = |number: &u32| self.kept[*number as usize].last != Last::Removed;
        let files = self.files.iter().filter(move |(_, number)| there(number));
        files.map(|(path, _)| path)
    }

    /// The same, directly in one folder.
    pub(super) fn listed_in(&self, folder: &Path) -> &[PathBuf] {
        let folders = self.folders.get_or_init(|| {
            let mut folders: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
            for path in self.listed() {
                let folder = path.parent().unwrap_or(path).to_owned();
                folders.entry(folder).or_default().push(path.clone());
            }
            folders
        });
        folders.get(folder).map_or(&[], Vec::as_slice)
    }

    /// Whether the session is here.
    pub(super) fn knows(&self, id: &SessionId) -> bool {
        match self.session_number(id) {
            Some(_) => !self.is_unreadable(id),
            None => self.other(id, |seen| seen.is_some()),
        }
    }

    /// Whether a session saw this commit; none where it told of no commit at all.
    pub(super) fn session_saw(&self, id: &SessionId, commit: &str) -> Option<bool> {
        if let Some(session) = self.session_number(id) {
            let seen = self.seen.get(session as usize)?;
            let number = self.commits.get(commit);
            return (!seen.is_empty()).then(|| number.is_some_and(|number| seen.contains(number)));
        }
        self.other(id, |seen: Option<&BTreeSet<String>>| {
            let seen = seen.filter(|seen| !seen.is_empty())?;
            Some(seen.contains(commit))
        })
    }

    /// The commits of a session that speaks of nothing that is asked about.
    fn other<T>(&self, id: &SessionId, ask: impl Fn(Option<&BTreeSet<String>>) -> T) -> T {
        if self.scope.is_all() {
            return ask(None);
        }
        let mut others = self.others.borrow_mut();
        if others.len() >= MOST_OTHERS && !others.contains_key(id) {
            others.clear();
        }
        let seen = others.entry(id.clone()).or_insert_with(|| {
            let is_here = self.layout.session(id).is_dir() || self.layout.manifest(id).exists();
            let told = is_here.then(|| sessions::told(&self.project, id).ok())??;
            Some(Telling::of(0, &told).commits.into_iter().collect())
        });
        ask(seen.as_ref())
    }
}

/// What a session recorded of an artifact: in a journal, or in a manifest alone.
enum Recorded<'a> {
    Event(&'a Event),
    Artifact(&'a ArtifactState),
}

/// Sessions that are kept in mind beside those that were asked about.
const MOST_OTHERS: usize = 10_000;

/// Puts what is told of each file in order; see [`birthmark_core::order`].
fn in_order(entries: &mut [(u32, Entry)]) {
    entries.sort_by_key(|(file, entry)| (*file, entry.time, entry.at));
    for of_one in entries.chunk_by_mut(|a, b| a.0 == b.0) {
        let first = of_one.first().and_then(|(_, entry)| entry.clock);
        if of_one.iter().all(|(_, entry)| entry.clock == first) {
            continue;
        }
        let moments: Vec<_> = of_one.iter().map(|(_, entry)| entry.moment()).collect();
        for ((_, entry), time) in of_one.iter_mut().zip(order::straight(&moments)) {
            entry.place = time;
        }
        of_one.sort_by_key(|(_, entry)| (entry.place, entry.at));
    }
}

fn key(path: &Path) -> PathBuf {
    absolute(path)
}

fn size_of(project: &Project, id: &SessionId) -> u64 {
    let journals = birthmark_store::journal::extent(&project.layout, id);
    journals.map_or(0, |found| found.iter().map(|(_, size)| size).sum())
}
