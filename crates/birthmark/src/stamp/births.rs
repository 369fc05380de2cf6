//! What the journals of a project know of the births of files: asked by digest.
//!
//! A store may hold many thousand sessions, and each file was made in one of them at most. So
//! the journals are searched once, as bytes, for the digests that stand in them, and a session
//! is read only when a file with one of its digests is met; and then once, for all files.
//!
//! # Invariants
//!
//! * What was found by searching proves nothing: only a journal that was read, with its sums,
//!   vouches for a file.
//! * A file that was only stamped by hand in a session was not born there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use birthmark_core::digest::Digest;
use birthmark_core::event::ArtifactSealed;
use birthmark_core::session::{self, Artifact};
use birthmark_core::{Fields, SessionId};
use birthmark_store::{atomic, journal};

use crate::add;
use crate::error::Result;
use crate::project::Project;

/// A journal larger than this is read for every file, and not searched.
const SEARCH_LIMIT: u64 = 256 << 20;
/// How the digests of an artifact end their name and begin, as journals spell them; the sums
/// of lines are called otherwise.
const DIGEST: &[u8] = b"digest\":\"";
/// Bytes of a digest as text.
const DIGEST_LENGTH: usize = "blake3:".len() + 64;

/// What a journal knows of a file's birth.
#[derive(Debug, Clone)]
pub(super) struct Birth {
    /// The session that made it.
    pub(super) session: SessionId,
    /// Its stored path there.
    pub(super) file: String,
    /// The birthmark that it was born with.
    pub(super) birthmark: Fields,
}

/// The births that one command asks for; the journals are searched when it first asks.
pub(super) struct Births<'a> {
    project: &'a Project,
    index: OnceLock<Option<Index>>,
    /// What was asked already. A command names a file more than once.
    asked: Mutex<HashMap<PathBuf, Option<Birth>>>,
}

impl<'a> Births<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        Self {
            project,
            index: OnceLock::new(),
            asked: Mutex::new(HashMap::new()),
        }
    }

    /// The birth of a file, if a journal of this project holds its digest. Of several the
    /// one with the same path counts, else the newest.
    pub(super) fn find(&self, path: &Path) -> Result<Option<Birth>> {
        let Some(index) = self.index.get_or_init(|| Index::of(self.project)) else {
            return Ok(None);
        };
        let asked = || self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(birth) = asked().get(path) {
            return Ok(birth.clone());
        }
        let described = add::describe(path, Vec::new(), &crate::digests::digester())?;
        let content = described.content_digest.unwrap_or(described.digest);
        let stored = self.project.stored_path(path);
        let found = index.find(self.project, &[described.digest, content], &stored);
        asked().insert(path.to_owned(), found.clone());
        Ok(found)
    }

    /// Whether a journal of this project holds the digest: the first of a file as it lies, or the
    /// second of one without birthmarks, born or stamped there.
    pub(super) fn knows(&self, digests: [Digest; 2]) -> bool {
        let index = self.index.get_or_init(|| Index::of(self.project));
        let holds = |index: &Index| index.with(self.project, &digests).next().is_some();
        index.as_ref().is_some_and(holds)
    }

    /// The birth of a file that has this digest without its birthmarks, which is not read.
    pub(super) fn with_content(&self, path: &Path, content: Digest) -> Option<Birth> {
        let index = self
            .index
            .get_or_init(|| Index::of(self.project))
            .as_ref()?;
        let stored = self.project.stored_path(path);
        index.find(self.project, &[content, content], &stored)
    }
}

/// Which sessions may have made what has a digest.
struct Index {
    /// Newest first.
    sessions: Vec<Made>,
    /// Places in `sessions`, rising.
    by_digest: HashMap<Digest, Vec<usize>>,
    /// Those that were not searched.
    unsearched: Vec<usize>,
}

/// What a session made, once it was read.
struct Made {
    id: SessionId,
    artifacts: OnceLock<Vec<Artifact>>,
}

impl Index {
    /// Searches all journals; none where there is no session.
    fn of(project: &Project) -> Option<Self> {
        let mut ids = journal::list_sessions(&project.layout).ok()?;
        ids.reverse();
        let mut index = Self {
            sessions: Vec::with_capacity(ids.len()),
            by_digest: HashMap::new(),
            unsearched: Vec::new(),
        };
        for (place, id) in ids.into_iter().enumerate() {
            let paths = journal::paths(&project.layout, &id).unwrap_or_default();
            if !paths.iter().all(|path| index.search(path, place)) {
                index.unsearched.push(place);
            }
            index.sessions.push(Made {
                id,
                artifacts: OnceLock::new(),
            });
        }
        (!index.sessions.is_empty()).then_some(index)
    }

    /// Notes the digests in a journal; false where it could not be searched.
    fn search(&mut self, path: &Path, place: usize) -> bool {
        let Ok(bytes) = atomic::read_limited(path, SEARCH_LIMIT) else {
            return false;
        };
        for at in memchr::memmem::find_iter(&bytes, DIGEST) {
            let start = at + DIGEST.len();
            let text = bytes.get(start..start + DIGEST_LENGTH).unwrap_or_default();
            let Some(digest) = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()) else {
                continue;
            };
            let places = self.by_digest.entry(digest).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        true
    }

    /// What was born with the first digest as it lies, or the second without birthmarks.
    fn find(&self, project: &Project, digests: &[Digest; 2], stored: &str) -> Option<Birth> {
        let mut found = None;
        for (session, artifact, sealed) in self.with(project, digests) {
            if sealed.notes.contains_key("stamped") {
                continue;
            }
            let birth = || Birth {
                session: session.clone(),
                file: artifact.file.clone(),
                birthmark: sealed.birthmark.clone(),
            };
            if artifact.file == stored {
                return Some(birth());
            }
            found.get_or_insert_with(birth);
        }
        found
    }

    /// What a session made, or stamped, with one of these digests.
    fn with<'s>(
        &'s self,
        project: &'s Project,
        digests: &[Digest; 2],
    ) -> impl Iterator<Item = (&'s SessionId, &'s Artifact, &'s ArtifactSealed)> {
        let known = digests.iter().filter_map(|one| self.by_digest.get(one));
        let mut places: Vec<usize> = known.flatten().chain(&self.unsearched).copied().collect();
        places.sort_unstable();
        places.dedup();
        let [lies, content] = digests.map(|digest| Some(digest.to_string()));
        let sessions = places
            .into_iter()
            .filter_map(move |place| self.sessions.get(place));
        let all = sessions.flat_map(move |made| {
            let artifacts = made.artifacts(project).iter();
            artifacts.filter_map(|artifact| Some((&made.id, artifact, artifact.sealed()?)))
        });
        all.filter(move |(_, _, sealed)| sealed.digest == lies || sealed.content_digest == content)
    }
}

impl Made {
    /// What the session made, by those of its journals that can be read.
    fn artifacts(&self, project: &Project) -> &[Artifact] {
        self.artifacts.get_or_init(|| {
            let read = journal::read_session(&project.layout, &self.id).unwrap_or_default();
            let journals: Vec<_> = read
                .into_iter()
                .filter_map(|contents| Some(contents.ok()?.journal))
                .collect();
            session::fold(&journals).made().cloned().collect()
        })
    }
}
