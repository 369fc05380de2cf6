//! Where a commit can be read from now: a clone, the repositories it was taken from, the
//! store's own repositories, and the store's bundles.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git::{Database, Objects};
use birthmark_core::Finding;
use birthmark_store::objects;

use super::keep::Note;
use super::wanted;
use crate::project::Project;

/// How the reason ends where nothing of a commit is here.
pub(super) const NEITHER: &str = "is neither in this clone nor in the store";

/// Where code lives now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lives {
    /// On a remote, as of the last fetch or push.
    pub remote: bool,
    /// In this clone.
    pub clone: bool,
    /// In the store, with all that is needed to give it back here.
    pub store: bool,
    /// The commit that what the store has builds on, where that is not here.
    pub lacks: Option<String>,
    /// The commit here that it stands on, or is, where no branch and no remote has that: a
    /// reference of Birthmark alone keeps it, or nothing.
    pub stranded: Option<String>,
}

impl Lives {
    /// The words for people.
    pub fn phrase(&self) -> String {
        let (place, _) = self.words();
        match self.stranded {
            Some(_) => format!("{place}; on no branch and no remote any more"),
            None => place,
        }
    }

    /// The same for a cell of a table: where it is, and no more.
    pub fn cell(&self) -> String {
        self.words().1
    }

    /// Where it is, in words and for a cell.
    fn words(&self) -> (String, String) {
        let (words, cell) = match (self.remote, self.clone, self.store, &self.lacks) {
            (true, _, _, _) => ("on the remote", "remote"),
            (_, true, true, _) => ("in this clone and the store", "clone+store"),
            (_, true, false, _) => ("in this clone only", "clone only"),
            (_, false, true, _) => ("in the store only", "store only"),
            (_, false, false, Some(below)) => {
                let below = below.get(..7).unwrap_or(below);
                return (
                    format!("in the store, on top of {below}, which is not here"),
                    format!("store, lacks {below}"),
                );
            }
            (_, false, false, None) => ("nowhere", "nowhere"),
        };
        (words.to_owned(), cell.to_owned())
    }

    /// Whether nothing of it is here.
    pub(crate) fn is_nowhere(&self) -> bool {
        !(self.remote || self.clone || self.store) && self.lacks.is_none()
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "remote": self.remote,
            "clone": self.clone,
            "store": self.store,
            "lacks": self.lacks,
            "stranded": self.stranded,
        })
    }
}

/// An object database that has a commit.
#[derive(Debug)]
pub(super) struct Source {
    /// The database.
    pub database: Database,
    /// Whether it had to be put together from bundles.
    pub from_bundles: bool,
    /// Whether the clone of the project has all that the bundles build on, so that they can
    /// be brought into it.
    pub fits_clone: bool,
}

/// Looks for a commit, first where `hints` say. `Err` says what is missing.
pub(super) fn find(project: &Project, commit: &str, hints: &[PathBuf]) -> Result<Source, String> {
    for database in databases(project, hints) {
        if database.has_commit(commit) {
            return Ok(Source {
                database,
                from_bundles: false,
                fits_clone: false,
            });
        }
    }
    from_bundles(project, commit, hints)
}

/// Every repository that is at hand.
fn databases<'a>(
    project: &'a Project,
    hints: &'a [PathBuf],
) -> impl Iterator<Item = Database> + 'a {
    let hinted = hints.iter().map(|folder| Database::at(folder));
    let clone = std::iter::once_with(|| Database::open(project.root()));
    let ours = repositories(project)
        .into_iter()
        .map(|folder| Database::at(&folder));
    hinted
        .chain(clone)
        .chain(ours)
        .filter_map(|database| match database {
            Finding::Found(database) => Some(database),
            Finding::Absent | Finding::Unknown(_) => None,
        })
}

/// Puts a commit together from the store's bundles, on top of a repository that has what
/// they need.
fn from_bundles(project: &Project, commit: &str, hints: &[PathBuf]) -> Result<Source, String> {
    let short = |commit: &str| commit.get(..7).unwrap_or(commit).to_owned();
    if Note::read(&project.layout, commit).is_none() {
        return Err(format!("{} {NEITHER}", short(commit)));
    }
    let (mut missing, mut files_only) = (None, None);
    let clone = match Database::open(project.root()) {
        Finding::Found(database) => Some((database, true)),
        Finding::Absent | Finding::Unknown(_) => None,
    };
    let others = databases(project, hints).map(|database| (database, false));
    let bases = clone.into_iter().chain(others);
    for (mut database, is_clone) in bases.chain([(Database::empty(commit), false)]) {
        match fill(project, commit, &mut database)? {
            Filled::Whole => {
                return Ok(Source {
                    database,
                    from_bundles: true,
                    fits_clone: is_clone,
                });
            }
            // Another one may have the history, too.
            Filled::FilesOnly => {
                files_only = files_only.or(Some(database));
            }
            Filled::Lacks(needed) => missing = missing.or(Some(needed)),
        }
    }
    if let Some(database) = files_only {
        return Ok(Source {
            database,
            from_bundles: true,
            fits_clone: false,
        });
    }
    Err(format!(
        "{} needs the commit {}, which is neither here nor in the store",
        short(commit),
        short(&missing.unwrap_or_default())
    ))
}

/// What came of adding bundles.
enum Filled {
    /// All is there.
    Whole,
    /// The files are there, the history is not.
    FilesOnly,
    /// This commit is needed and not to be had.
    Lacks(String),
}

/// Adds the bundles of a commit and of all that they need.
fn fill(project: &Project, commit: &str, database: &mut Database) -> Result<Filled, String> {
    let top = commit;
    let mut wanted = vec![commit.to_owned()];
    let mut filled = Filled::Whole;
    let mut seen = HashSet::new();
    let mut lacks = None;
    while let Some(commit) = wanted.pop() {
        if database.has_commit(&commit) || !seen.insert(commit.clone()) {
            continue;
        }
        let fits = database.object_format() == Database::empty(&commit).object_format();
        let note = Note::read(&project.layout, &commit).filter(|_| fits);
        let Some((note, digest)) = note.and_then(|note| note.digest().map(|digest| (note, digest)))
        else {
            lacks = lacks.or(Some(commit));
            continue;
        };
        let bytes = objects::get(&project.layout, &digest)
            .map_err(|error| crate::Error::from(error).whole())?;
        let head = database
            .add(&bytes)
            .map_err(|why| format!("the bundle {} cannot be read: {why}", note.bundle))?;
        // Of one without history the files are wanted, and not what lies below it.
        if note.without_history.is_none() {
            wanted.extend(head.prerequisites);
        } else {
            filled = Filled::FilesOnly;
            wanted.extend(note.shares);
        }
    }
    Ok(match lacks {
        None => filled,
        // A rebase makes commits anew, and leaves most files as they were: all may be here.
        Some(_) if database.has_commit(top) && check(database, top).is_ok() => Filled::FilesOnly,
        Some(lacks) => Filled::Lacks(lacks),
    })
}

/// Where a commit lives now. Notes of the store are believed; `verify` reads the bundles.
pub fn lives(project: &Project, commit: &str) -> Lives {
    let mut lives = lives_below(project, "", commit);
    if lives.lacks.is_some() && from_bundles(project, commit, &[]).is_ok() {
        (lives.store, lives.lacks) = (true, None);
    }
    lives
}

/// The commits that runs stood on and that this clone alone has: no branch and no remote has
/// them any more, nor has the store.
pub(crate) fn stranded(project: &Project) -> Vec<String> {
    let Finding::Found(mut objects) = Objects::open(project.root()) else {
        return Vec::new();
    };
    let mut pinned = objects.pinned();
    pinned.retain(|commit| {
        objects.reachable_from_branch(commit) == Finding::Found(false)
            && Note::read(&project.layout, commit).is_none()
    });
    pinned
}

/// The same of a repository that lies at `path` below the project's root, or beside it.
pub(super) fn lives_below(project: &Project, path: &str, commit: &str) -> Lives {
    let mut lives = Lives::default();
    let clone = match Objects::open(&project.root().join(path)) {
        Finding::Found(objects) => Some(objects),
        Finding::Absent | Finding::Unknown(_) => None,
    };
    let in_clone = |commit: &str| is_in(clone.as_ref(), commit);
    lives.clone = is_in(clone.as_ref(), commit);
    let noted = noted(project, commit, &in_clone);
    lives.store = noted.is_ok()
        || (!lives.clone
            && repositories(project)
                .iter()
                .any(|folder| has_commit(folder, commit)));
    let lacks = noted.err().filter(|lacks| lacks != commit);
    lives.lacks = lacks.filter(|_| !lives.clone && !lives.store);
    if let Some(mut objects) = clone.filter(|_| lives.clone) {
        lives.remote = objects.on_remote(commit) == Finding::Found(true);
        let base = objects.stands_on(commit).filter(|_| !lives.remote);
        lives.stranded =
            base.filter(|base| objects.reachable_from_branch(base) == Finding::Found(false));
    }
    lives
}

fn is_in(clone: Option<&Objects>, commit: &str) -> bool {
    clone.is_some_and(|objects| objects.kind(commit).found().is_some())
}

fn has_commit(folder: &Path, commit: &str) -> bool {
    let database = Database::at(folder);
    database
        .found()
        .is_some_and(|database| database.has_commit(commit))
}

/// Whether the store's notes lead from a commit to what this clone has, or to an end; `Err` is
/// the commit of which there is none.
fn noted(project: &Project, commit: &str, in_clone: &dyn Fn(&str) -> bool) -> Result<(), String> {
    let mut wanted = vec![commit.to_owned()];
    let mut seen = HashSet::new();
    while let Some(at) = wanted.pop() {
        if !seen.insert(at.clone()) || (at != commit && in_clone(&at)) {
            continue;
        }
        match Note::read(&project.layout, &at) {
            Some(note) => wanted.extend(note.needs()),
            None => return Err(at),
        }
    }
    Ok(())
}

/// Whether a commit can be given back, and by what: every object is there.
pub(crate) fn is_restorable(project: &Project, commit: &str) -> Result<(), String> {
    let hints = wanted::find(project, commit).map_or_else(|_| Vec::new(), |found| found.hints);
    let source = find(project, commit, &hints)?;
    check(&source.database, commit)
}

/// The same from the store's bundles alone, on top of this clone without the commit itself.
pub(super) fn is_restorable_from_store(project: &Project, commit: &str) -> bool {
    let Some(note) = Note::read(&project.layout, commit) else {
        return false;
    };
    let reads = |note: &Note| {
        let bytes = objects::get(&project.layout, &note.digest()?).ok()?;
        birthmark_capture::git::bundle::unpack(&bytes).ok()
    };
    let in_clone = |commit: &str| {
        Database::open(project.root())
            .found()
            .is_some_and(|database| database.has_commit(commit))
    };
    reads(&note).is_some() && noted(project, commit, &in_clone).is_ok()
}

/// Whether a remote has a commit, as of the last fetch or push, and nothing in the store builds
/// on it.
pub(super) fn is_needless(project: &Project, commit: &str) -> bool {
    let Finding::Found(mut objects) = Objects::open(project.root()) else {
        return false;
    };
    objects.on_remote(commit) == Finding::Found(true)
        && !Note::all(&project.layout)
            .any(|note| note.prerequisites.iter().any(|one| one == commit))
}

/// Whether every file of a commit can be read.
pub(super) fn check(database: &Database, commit: &str) -> Result<(), String> {
    let places = database.places(commit)?;
    let lacks = places
        .iter()
        .find(|place| place.mode != GITLINK && !database.has(&place.id));
    match lacks {
        None => Ok(()),
        Some(place) => {
            let path = birthmark_capture::git::display_path(&place.path);
            Err(format!("its file {path} is not there"))
        }
    }
}

/// The mode of a repository within.
pub(super) const GITLINK: u16 = 0o160_000;

/// The bare repositories of the store.
fn repositories(project: &Project) -> Vec<PathBuf> {
    let folder = project.layout.repositories();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "git"))
        .collect();
    folders.sort();
    folders
}

/// Where a repository within may be found: where it lay, and whatever is known besides.
pub(super) fn hints(project: &Project, roots: &[PathBuf], path: &str) -> Vec<PathBuf> {
    let tops = roots.iter().map(PathBuf::as_path).chain([project.root()]);
    let below = tops.map(|root| root.join(path));
    below.chain(roots.iter().cloned()).collect()
}
