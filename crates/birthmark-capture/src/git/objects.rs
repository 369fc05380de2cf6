//! Questions about recorded commits, asked once each: for `verify`.
//!
//! * Opened with reduced trust, whoever owns the repository: nothing can run.
//! * Fifty commits cost one walk: it goes on where the last question left it.

use std::path::Path;
use std::time::{Duration, Instant};

use birthmark_core::Finding;
use birthmark_core::code::ObjectKind;
use birthmark_core::snapshot::COMMITS;
use gix::ObjectId;
use gix::sec::Trust;

use super::database::Database;
use super::history::{Reach, tips};
use super::open::Repository;
use super::snapshot::write::references;

/// How long all walks of one [`Objects`] may take together.
const WALK_LIMIT: Duration = Duration::from_secs(5);

/// The largest commit whose bytes are held against its id.
const LARGEST: u64 = 64 << 20;

/// The object database round a path, opened for reading only.
pub struct Objects {
    repository: Repository,
    branches: Option<Reach>,
    remotes: Option<Reach>,
    kept: Option<Reach>,
    left: Duration,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// Opens the repository that `anchor` lies in.
    pub fn open(anchor: &Path) -> Finding<Self> {
        Repository::discover_with(anchor, Trust::Reduced).map(|repository| Self {
            repository,
            branches: None,
            remotes: None,
            kept: None,
            left: WALK_LIMIT,
        })
    }

    /// Top level of the work tree; `None` in a bare repository.
    pub fn root(&self) -> Option<&Path> {
        self.repository.root()
    }

    /// Whether the clone has the newest part of its history alone.
    pub fn is_shallow(&self) -> bool {
        self.repository.git.is_shallow().unwrap_or(false)
    }

    /// What the full hex id names here. Absent: no such object in this clone.
    /// Unknown: not an id of this repository's format, or it cannot be read.
    pub fn kind(&self, hex: &str) -> Finding<ObjectKind> {
        let id = match self.parse(hex) {
            Finding::Found(id) => id,
            Finding::Absent => return Finding::Absent,
            Finding::Unknown(reason) => return Finding::Unknown(reason),
        };
        match self.repository.git.try_find_header(id) {
            Ok(Some(header)) => Finding::Found(match header.kind() {
                gix::objs::Kind::Commit => ObjectKind::Commit,
                gix::objs::Kind::Tree => ObjectKind::Tree,
                gix::objs::Kind::Blob => ObjectKind::Blob,
                gix::objs::Kind::Tag => ObjectKind::Tag,
            }),
            Ok(None) => Finding::Absent,
            Err(_) => Finding::unknown(format!("{id} cannot be read")),
        }
    }

    /// Whether the bytes that lie under this id have it: git itself looks when it writes them and
    /// in `fsck`, and not when it reads. What `git replace` puts in its place is not looked at.
    pub fn is_whole(&self, hex: &str) -> Finding<bool> {
        let id = match self.parse(hex) {
            Finding::Found(id) => id,
            Finding::Absent => return Finding::Absent,
            Finding::Unknown(reason) => return Finding::Unknown(reason),
        };
        let mut git = self.repository.git.clone();
        git.objects.ignore_replacements = true;
        match git.try_find_header(id) {
            Ok(Some(header)) if header.size() <= LARGEST => {}
            Ok(Some(_)) => return Finding::unknown(format!("{id} is too large to be read")),
            Ok(None) => return Finding::Absent,
            Err(_) => return Finding::unknown(format!("{id} cannot be read")),
        }
        match git.find_object(id) {
            Ok(object) => {
                let found = gix::objs::compute_hash(id.kind(), object.kind, &object.data);
                Finding::Found(found.is_ok_and(|found| found == id))
            }
            Err(_) => Finding::unknown(format!("{id} cannot be read")),
        }
    }

    /// Whether a local or remote-tracking branch holds the commit.
    pub fn reachable_from_branch(&mut self, hex: &str) -> Finding<bool> {
        self.ask(hex, Walk::Branches)
    }

    /// Whether a remote-tracking branch holds the commit, as of the last fetch or
    /// push. Absent if there is none and no remote either.
    pub fn on_remote(&mut self, hex: &str) -> Finding<bool> {
        self.ask(hex, Walk::Remotes)
    }

    /// Whether a tag, or a reference that Birthmark made, keeps the commit in this clone.
    pub fn kept_by_reference(&mut self, hex: &str) -> Finding<bool> {
        self.ask(hex, Walk::Kept)
    }

    /// The commit of the user's that a snapshot stands on, and of any other commit itself;
    /// `None` where it stands on none, or cannot be read.
    pub fn stands_on(&self, hex: &str) -> Option<String> {
        let database = Database::of(self.git());
        if !is_snapshot(&database.message(hex).ok()?) {
            return Some(hex.to_owned());
        }
        database.parents(hex).ok()?.into_iter().next()
    }

    /// The commits that Birthmark keeps here since runs stood on them.
    pub fn pinned(&self) -> Vec<String> {
        let pinned = references(&self.repository, COMMITS).unwrap_or_default();
        pinned.into_iter().map(|(_, commit)| commit).collect()
    }

    fn ask(&mut self, hex: &str, walk: Walk) -> Finding<bool> {
        let id = match self.parse(hex) {
            Finding::Found(id) => id,
            Finding::Absent => return Finding::Absent,
            Finding::Unknown(reason) => return Finding::Unknown(reason),
        };
        let started = Instant::now();
        let deadline = started + self.left;
        let place = match walk {
            Walk::Branches => &mut self.branches,
            Walk::Remotes => &mut self.remotes,
            Walk::Kept => &mut self.kept,
        };
        let reach = match place {
            Some(reach) => reach,
            None => match begin(&self.repository, walk) {
                Finding::Found(reach) => place.insert(reach),
                Finding::Absent => return Finding::Absent,
                Finding::Unknown(reason) => return Finding::Unknown(reason),
            },
        };
        let answer = reach.contains(&self.repository.git, id, deadline);
        self.left = self.left.saturating_sub(started.elapsed());
        answer
    }

    pub(super) fn git(&self) -> &gix::Repository {
        &self.repository.git
    }

    /// The commits that the references below these prefixes name; none where they cannot be read.
    pub(super) fn tips(&self, prefixes: &[&str]) -> Vec<ObjectId> {
        let found = tips(&self.repository, prefixes);
        found.found().cloned().unwrap_or_default()
    }

    /// A full id in this repository's format.
    pub(super) fn parse(&self, hex: &str) -> Finding<ObjectId> {
        let format = self.repository.git.object_hash();
        match ObjectId::from_hex(hex.as_bytes()) {
            Ok(id) if id.kind() == format => Finding::Found(id),
            Ok(_) => Finding::unknown(format!("not a {format} id, as this repository has")),
            Err(_) => Finding::unknown("not a full object id"),
        }
    }
}

/// Whether a commit's message says that it is a snapshot.
fn is_snapshot(message: &str) -> bool {
    message
        .lines()
        .any(|line| line.starts_with("Birthmark-Snapshot: "))
}

/// Which references a walk begins at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Branches,
    Remotes,
    Kept,
}

fn begin(repository: &Repository, walk: Walk) -> Finding<Reach> {
    let prefixes: &[&str] = match walk {
        Walk::Branches => &["refs/heads/", "refs/remotes/"],
        Walk::Remotes => &["refs/remotes/"],
        Walk::Kept => &["refs/birthmark/", "refs/tags/"],
    };
    let tips = match tips(repository, prefixes) {
        Finding::Found(tips) => tips,
        Finding::Absent => Vec::new(),
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    let git = &repository.git;
    if walk == Walk::Remotes && tips.is_empty() && super::head::remotes(git).is_empty() {
        return Finding::Absent;
    }
    Finding::Found(Reach::from_tips(git, tips))
}
