//! Which sessions are read: those that have to do with the answer, and no others.
//!
//! A store may hold many thousand sessions, and one file hangs together with a few. So each
//! journal is gone through once for the strings in it, of which sums are kept ([`Heard`]); read
//! as events are only those sessions in which a digest, path or name stands that is asked for:
//! first of what was named, then, step by step, of what is reached from there. Sums of two
//! strings that fall together cost that a session is read for nothing.
//!
//! # Invariants
//!
//! * The answer is that of all sessions together: what is reached, and who else made, read or
//!   left something under its digests and paths, is read. No index is asked, since that could
//!   be stale.
//! * What cannot be gone through is read.
//!
//! # Limitations
//!
//! * Of what only led to the answer, and was made under a known digest, it is not told when it was
//!   read elsewhere without a digest; nor, of a name alone, when others last named it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use birthmark_core::SessionId;
use birthmark_core::session::Session;
use birthmark_store::{atomic, journal};

use super::Told;
use super::strings::strings;
use super::wants::{First, Wants};
use crate::error::Result;
use crate::project::Project;
use crate::sessions::{self, in_parts};

/// A larger file is read, and not gone through.
const SEARCH_LIMIT: u64 = 256 << 20;

/// A session, and what stands in it.
struct Heard {
    store: usize,
    id: SessionId,
    /// Sums of its strings; nothing where it could not be gone through.
    strings: Option<Box<[u64]>>,
    is_first: bool,
    is_read: bool,
}

/// All sessions of the stores that are asked, and those of them that were read.
pub(super) struct Sources<'a> {
    projects: &'a [Project],
    all: Vec<Heard>,
    ids: BTreeSet<SessionId>,
    /// What was read, in the order of the stores and sessions; then what files told.
    pub(super) told: Vec<Told>,
    /// What could not be read.
    pub(super) problems: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Goes through all sessions, and reads those that speak of what is asked for first.
    pub(super) fn open(projects: &'a [Project], first: &First) -> Self {
        let mut sources = Self {
            projects,
            all: Vec::new(),
            ids: BTreeSet::new(),
            told: Vec::new(),
            problems: Vec::new(),
        };
        for (store, project) in projects.iter().enumerate() {
            match sessions::ids(project) {
                Ok(ids) => {
                    sources.ids.extend(ids.iter().cloned());
                    let heard = in_parts(ids, |id| hear(project, store, id, first));
                    sources.all.extend(heard);
                }
                Err(error) => sources.problems.push(error.whole()),
            }
        }
        sources.read(|heard| heard.is_first);
        sources
    }

    /// Whether a store has this session.
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.contains(&SessionId::from_text(id))
    }

    /// Reads those that speak of what is wanted by now; false where all of them were read.
    pub(super) fn take(&mut self, wants: &Wants) -> bool {
        let wanted: HashSet<u64> = wants.iter().map(|text| sum_of(text.as_bytes())).collect();
        self.read(|heard| {
            let mut sums = heard.strings.iter().flatten();
            sums.any(|sum| wanted.contains(sum))
        })
    }

    /// Reads all that was not read yet.
    pub(super) fn take_all(&mut self) -> bool {
        self.read(|_| true)
    }

    /// Takes in what the birthmarks of files tell of sessions that are in no store.
    pub(super) fn add(&mut self, told: Vec<Told>) {
        self.ids.extend(told.iter().map(|one| one.id.clone()));
        self.told.extend(told);
    }

    fn read(&mut self, is_wanted: impl Fn(&Heard) -> bool) -> bool {
        let mut by_store: BTreeMap<usize, Vec<SessionId>> = BTreeMap::new();
        for heard in self.all.iter_mut().filter(|heard| !heard.is_read) {
            if heard.strings.is_none() || is_wanted(heard) {
                heard.is_read = true;
                by_store
                    .entry(heard.store)
                    .or_default()
                    .push(heard.id.clone());
            }
        }
        let is_more = !by_store.is_empty();
        for (store, ids) in by_store {
            let project = &self.projects[store];
            let fold = |id: SessionId| {
                let folded = sessions::fold_of(project, &id);
                (id, folded)
            };
            for (id, folded) in in_parts(ids, fold) {
                self.note(store, id, folded);
            }
        }
        // The order in which they were read tells nothing; what files told comes last.
        self.told.sort_by(|one, other| {
            let key = |told: &Told| match told.unknown {
                Some(_) => (true, 0),
                None => (false, told.store),
            };
            let is_of_file = one.unknown.is_some();
            let newest = other.id.cmp(&one.id);
            let newest_first = if is_of_file { Ordering::Equal } else { newest };
            key(one).cmp(&key(other)).then(newest_first)
        });
        is_more
    }

    fn note(&mut self, store: usize, id: SessionId, folded: Result<Session>) {
        match folded {
            Ok(session) => self.told.push(Told {
                store,
                id,
                session,
                unknown: None,
            }),
            Err(error) => {
                let problem = format!("session {id}: {}", error.whole());
                self.problems.push(problem);
            }
        }
    }
}

fn sum_of(text: &[u8]) -> u64 {
    let mut sum = DefaultHasher::new();
    sum.write(text);
    sum.finish()
}

fn hear(project: &Project, store: usize, id: SessionId, first: &First) -> Heard {
    let mut heard = Heard {
        store,
        strings: None,
        is_first: first.is_session(&id),
        is_read: false,
        id,
    };
    let layout = &project.layout;
    let mut paths = match journal::paths(layout, &heard.id) {
        Ok(paths) => paths,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(_) => return heard,
    };
    if paths.is_empty() {
        paths.push(layout.manifest(&heard.id));
    }
    let mut sums = Vec::new();
    let all = paths.iter().all(|path| {
        go_through(path, |member, text| {
            sums.push(sum_of(text));
            heard.is_first |= first.is_in(member, text);
        })
    });
    if all {
        sums.sort_unstable();
        sums.dedup();
        heard.strings = Some(sums.into_boxed_slice());
    }
    heard
}

fn go_through(path: &Path, each: impl FnMut(&[u8], &[u8])) -> bool {
    let read = atomic::read_limited(path, SEARCH_LIMIT);
    read.is_ok_and(|text| strings(&text, each))
}
