//! What a session lists and is not there: removed, renamed by a run, moved or packed by a hand, or
//! gone.
//!
//! A file whose very bytes lie under another name, of which no session tells, was moved, and
//! that is its one verdict: a *caveat* that says where it is. Where the bytes are nowhere it
//! failed; but what another branch of git holds as it was recorded is *not checked out*, a caveat.
//!
//! # Limitations
//!
//! * A file that a hand moved is looked for below the root under an end of its path, and beside
//!   where it lay; not on the whole disk, and not where sizes alone are compared (`--quick`).
//! * Of very many files that are gone, the last ones are not looked for.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use birthmark_core::digest::Digest;
use birthmark_store::digest::{digest_stream, open_still};
use birthmark_store::format::codec::Codec;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;

use super::claims::{Claims, History, Last};
use super::inputs;
use super::mark::Judge;
use super::report::{Item, ItemKind, Reason, Report, Word};
use super::{Options, Scope};
use crate::project::Project;
use crate::{sessions, text};

/// Renamings that are followed, one after the other.
const MOST_NAMES: usize = 64;
/// Files and folders that are read to find those that moved.
const MOST_TRIES: usize = 2_000;

/// Where moved files lie now: names of items.
#[derive(Default)]
pub(super) struct Places {
    /// What each place was recorded as, and whether it was moved or packed.
    now: BTreeMap<String, (String, &'static str)>,
    tries: usize,
}

impl Places {
    /// A place that nothing speaks of is what was moved there.
    pub(super) fn settle(&self, report: &mut Report) {
        for item in &mut report.items {
            if item.kind == ItemKind::Artifact
                && item.word == Word::Unstamped
                && let Some((was, how)) = self.now.get(&item.name)
            {
                let text = format!("it carries no birthmark: its bytes were recorded as {was}");
                let reason = Reason::caveat(how, text);
                let evidence = std::mem::take(&mut item.evidence);
                let name = item.name.clone();
                *item = Item::new(name, ItemKind::Artifact, evidence, vec![reason]);
            }
        }
    }

    /// Where a file or folder lies now that a hand moved.
    fn moved(&mut self, judge: &Judge<'_>, path: &Path, last: &Finished) -> Option<PathBuf> {
        let project = judge.eyes.inputs.project;
        let files = inputs::elsewhere(project, &project.stored_path(path), path, Some(last.size));
        let mut places = files.into_iter().chain(folders_beside(path));
        places.find(|place| {
            let is_there = place.symlink_metadata().is_ok() && place != path;
            if !is_there || crate::lineage::size_of(place) != last.size || self.tries >= MOST_TRIES
            {
                return false;
            }
            self.tries += 1;
            let read = || {
                judge
                    .eyes
                    .inputs
                    .digester
                    .whole_as(place, last.digest.algorithm)
            };
            let found = judge.eyes.meter.beside(last.size, read);
            found.is_ok_and(|found| found == last.digest) && !is_told(project, judge.claims, place)
        })
    }
}

/// Endings that programs give to what they pack.
const PACKED: [&str; 2] = ["gz", "zst"];

/// The packed file beside it that holds the bytes which a file last had, and of which no session
/// tells.
fn packed(judge: &Judge<'_>, path: &Path, last: &Finished) -> Option<PathBuf> {
    let with = |ending: &&str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let holds = |packed: &PathBuf| {
        let (file, _) = open_still(packed).ok()?;
        let text = Codec::of(packed).unpack(Box::new(file)).ok()?;
        // Of more than it was one byte is enough to tell.
        let (digest, size) = digest_stream(&mut text.take(last.size.saturating_add(1))).ok()?;
        Some(size == last.size && digest == last.digest)
    };
    let read = |packed: &PathBuf| judge.eyes.meter.beside(last.size, || holds(packed));
    let project = judge.eyes.inputs.project;
    PACKED.iter().map(with).find(|place| {
        place.is_file() && read(place) == Some(true) && !is_told(project, judge.claims, place)
    })
}

/// The last count of a file that was finished.
struct Finished {
    size: u64,
    digest: Digest,
}

impl Finished {
    fn of(history: &History) -> Option<Self> {
        let last = history.newest()?;
        Some(Self {
            size: last.size.filter(|_| history.last == Last::Sealed)?,
            digest: last.digest.as_ref()?.parse().ok()?,
        })
    }
}

/// Judges a file that a session lists and that is not there.
pub(super) fn missing(
    judge: &mut Judge<'_>,
    path: &Path,
    name: String,
    options: &Options,
    places: &mut Places,
) -> Item {
    let reason = match judge.claims.of(path) {
        Some(history) if history.last == Last::Removed => {
            Reason::caveat("removed", format!("session {} removed it", history.by))
        }
        Some(history) if history.renamed.is_some() => renamed(judge.claims, &history),
        Some(history) if history.counts.is_empty() => Reason::caveat(
            "file-missing",
            "it was opened, and nothing of it was ever counted",
        ),
        Some(history) => {
            let last = Finished::of(&history).filter(|_| !options.quick);
            let now = last.and_then(|last| {
                let moved = places.moved(judge, path, &last).map(|now| (now, "moved"));
                moved.or_else(|| packed(judge, path, &last).map(|now| (now, "packed")))
            });
            gone(judge, path, &history, now, &name, places)
        }
        None => without_its_file(judge, path, &name, options, places),
    };
    Item::new(name, ItemKind::Artifact, "", vec![reason])
}

/// A sidecar that was left where a hand moved its file.
fn without_its_file(
    judge: &Judge<'_>,
    path: &Path,
    name: &str,
    options: &Options,
    places: &mut Places,
) -> Reason {
    let sidecar = Layout::sidecar(path);
    let said = Sidecar::read(&sidecar).ok().filter(|_| !options.quick);
    let moved = said.and_then(|said| {
        let last = Finished {
            size: said.size,
            digest: said.digest,
        };
        places.moved(judge, path, &last)
    });
    let Some(moved) = moved else {
        return Reason::failed("file-missing", "its sidecar stands here without it");
    };
    let project = judge.eyes.inputs.project;
    let now = project.stored_path(&moved);
    let now = text::neutral(&now).into_owned();
    let (from, to) = (
        shell_path(project, &sidecar),
        shell_path(project, &Layout::sidecar(&moved)),
    );
    let text = format!("moved: {now} has the bytes that its sidecar tells of; `mv {from} {to}`");
    places.now.insert(now, (name.to_owned(), "moved"));
    Reason::caveat("moved", text)
}

fn shell_path(project: &Project, path: &Path) -> String {
    crate::talk::shell_word(&project.stored_path(path))
}

fn gone(
    judge: &Judge<'_>,
    path: &Path,
    history: &History,
    now: Option<(PathBuf, &'static str)>,
    name: &str,
    places: &mut Places,
) -> Reason {
    let Some((now, how)) = now else {
        let digest = history.newest().and_then(|newest| newest.digest.as_deref());
        if let Some(commit) =
            digest.and_then(|digest| judge.eyes.commits.branch_with(path, Some(digest)))
        {
            let text = format!(
                "it is not checked out: commit {commit}, the last of a branch, has it as session {} recorded it",
                history.by
            );
            return Reason::caveat("not-checked-out", text);
        }
        let text = format!("it is not there, but session {} lists it", history.by);
        return Reason::failed("file-missing", text);
    };
    let now = judge.eyes.inputs.project.stored_path(&now);
    let now = text::neutral(&now).into_owned();
    let text = format!(
        "{how}: {now} has the bytes that session {} recorded",
        history.by
    );
    places.now.insert(now, (name.to_owned(), how));
    Reason::caveat(how, text)
}

/// A run renamed it: under its last name it is judged by itself.
fn renamed(claims: &Claims, history: &History) -> Reason {
    let mut now = history.renamed.clone().unwrap_or_default();
    for _ in 0..MOST_NAMES {
        match claims.renamed_to(&now) {
            Some(next) => now = next,
            None => break,
        }
    }
    let now = text::neutral(&now);
    Reason::caveat("moved", format!("moved: a run renamed it, it is {now} now"))
}

/// Folders beside where a folder lay.
fn folders_beside(path: &Path) -> Vec<PathBuf> {
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let entries = entries.into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// Whether a session, also one that was not read, tells of what lies there: then it was made
/// there, and not moved.
fn is_told(project: &Project, claims: &Claims, place: &Path) -> bool {
    if claims.lists(place) {
        return true;
    }
    let scope = Scope::of(project, &[place.to_owned()]);
    let ids = sessions::ids(project).unwrap_or_default();
    ids.iter().filter(|id| scope.holds(project, id)).any(|id| {
        let session = sessions::load(project, id);
        session.is_ok_and(|loaded| {
            let mut artifacts = loaded.session.artifacts.iter();
            artifacts.any(|one| sessions::locate(project, &one.file, one.file_bytes()) == place)
        })
    })
}
