//! Keeping in the store what no remote has, so that it leaves with the artifacts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use birthmark_capture::git::bundle::{Bundle, BundleOptions};
use birthmark_capture::git::snapshot::Part;
use birthmark_core::digest::Digest;
use birthmark_core::event::CodeKept;
use birthmark_store::atomic::{self, Durability};
use birthmark_store::{Layout, PathError, objects};
use serde::{Deserialize, Serialize};

use crate::session::Session;

/// When a bundle is given up: the end of a session waits for it.
const LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to see what has left the remotes, and to keep that.
const LOOK: Duration = Duration::from_secs(3);
/// So many commits that have left the remotes are kept by one run.
const MOST: usize = 16;
/// What the store says of a commit is no longer than this.
const NOTE_LIMIT: u64 = 1 << 20;
/// Of one bundle no more files and folders are named that later ones can leave to it.
const MOST_HELD: usize = 4_096;

/// Which object holds a commit: the file `bundles/<commit>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Digest of the bundle.
    pub(super) bundle: String,
    /// Commits that it needs.
    pub(super) prerequisites: Vec<String>,
    /// Those of them that have files of this commit, which are not in its bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shares: Vec<String>,
    /// Why it holds no history, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) without_history: Option<String>,
}

impl Note {
    /// What the store says of a commit; `None` where the bundle is not there.
    pub(super) fn read(layout: &Layout, commit: &str) -> Option<Self> {
        let is_hex = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes = is_hex.then(|| atomic::read_limited(&layout.bundle(commit), NOTE_LIMIT));
        let note: Self = serde_json::from_slice(&bytes?.ok()?).ok()?;
        note.digest()
            .filter(|digest| layout.object(digest).is_file())?;
        Some(note)
    }

    /// All that the store says of commits.
    pub(super) fn all(layout: &Layout) -> impl Iterator<Item = Self> {
        let entries = std::fs::read_dir(layout.bundles()).into_iter().flatten();
        let bytes = entries
            .flatten()
            .filter_map(|entry| atomic::read_limited(&entry.path(), NOTE_LIMIT).ok());
        bytes.filter_map(|bytes| serde_json::from_slice(&bytes).ok())
    }

    /// The commits without which the files of this one cannot be given back: where its bundle
    /// has no history, those below it are none.
    pub(super) fn needs(self) -> Vec<String> {
        match self.without_history {
            None => self.prerequisites,
            Some(_) => self.shares,
        }
    }

    /// How many bytes its bundle takes; 0 where that is not there.
    pub(super) fn bytes(&self, layout: &Layout) -> u64 {
        let bundle = self.digest().map(|digest| layout.object(&digest));
        let file = bundle.and_then(|path| path.metadata().ok());
        file.map_or(0, |file| file.len())
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        self.bundle.parse().ok()
    }

    fn write(&self, layout: &Layout, commit: &str) -> Result<(), PathError> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        atomic::create_folder_safely(&layout.bundles(), Durability::Power)?;
        atomic::replace(&layout.bundle(commit), &text, Durability::Power)
    }
}

/// Whether the note of a kept commit is right: the object that it names is a bundle of that
/// commit, and needs what the note says; else what is wrong.
pub(crate) fn check(layout: &Layout, commit: &str) -> Result<(), &'static str> {
    let bytes = atomic::read_limited(&layout.bundle(commit), NOTE_LIMIT);
    let note: Option<Note> = serde_json::from_slice(&bytes.unwrap_or_default()).ok();
    let note = note.ok_or("it cannot be read")?;
    let digest = note.digest().ok_or("it names no object")?;
    let head = bundle_head(&layout.object(&digest)).ok_or("its object is no bundle")?;
    if note.without_history.is_some() {
        return Ok(());
    }
    let lines = || head.lines().skip(1);
    let ids = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    if !lines().any(|line| ids(line) == commit) {
        return Err("its object is not of this commit");
    }
    let needs: BTreeSet<String> = lines()
        .filter_map(|line| line.strip_prefix('-').map(ids))
        .collect();
    if needs != note.prerequisites.into_iter().collect() {
        return Err("its object needs other commits than it says");
    }
    Ok(())
}

/// The text before the pack of a bundle.
fn bundle_head(path: &Path) -> Option<String> {
    use std::io::Read;
    let (file, _) = birthmark_store::digest::open_still(path).ok()?;
    let mut bytes = Vec::new();
    file.take(NOTE_LIMIT).read_to_end(&mut bytes).ok()?;
    let end = bytes.windows(2).position(|two| two == b"\n\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    head.starts_with("# v").then(|| head.to_owned())
}

/// How many bytes the store takes for commits that no remote has.
pub fn kept_bytes(layout: &Layout) -> u64 {
    Note::all(layout).map(|note| note.bytes(layout)).sum()
}

/// Keeps the part's commit in its repository, and in the store where no remote has it.
pub(super) fn keep_pinned(session: &Session, part: &Part) {
    // One that cannot be made is no failure: `verify` says what git may throw away.
    let _ = part.pin();
    keep(session, part);
}

/// Writes the part's commit to the store unless a remote has it, and records that.
fn keep(session: &Session, part: &Part) {
    let layout = &session.project().layout;
    let limit = session.project().config.snapshot.value.max_total;
    let kept = kept(layout, part, &part.commit, (limit, LIMIT));
    let (note, unknown) = match kept {
        Ok(None) => return,
        Ok(Some(note)) => (Some(note), None),
        Err(reason) => (None, Some(reason)),
    };
    tell(session, part, &part.commit, note, unknown);
}

/// Writes to the store what earlier runs stood on and no remote has any more: it was pushed then,
/// and a rebase and a force push have taken it away since. What lies on top of it in the store
/// needs it.
pub(super) fn keep_what_left_the_remote(session: &Session, part: &Part) {
    let layout = &session.project().layout;
    let limit = session.project().config.snapshot.value.max_total;
    let deadline = Instant::now() + LOOK;
    let off = part.pinned_off_remotes(deadline);
    let new = off
        .iter()
        .filter(|commit| Note::read(layout, commit).is_none());
    for commit in new.take(MOST) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // What cannot be kept now is tried again by the next run: its reference stays.
        if let Ok(Some(note)) = kept(layout, part, commit, (limit, left)) {
            tell(session, part, commit, Some(note), None);
        }
    }
}

fn tell(session: &Session, part: &Part, commit: &str, note: Option<Note>, unknown: Option<String>) {
    let event = CodeKept {
        commit: commit.to_owned(),
        path: part.path.clone(),
        remote: part.remote.clone(),
        bundle: note.as_ref().map(|note| note.bundle.clone()),
        unknown: unknown.or_else(|| note.as_ref()?.without_history.clone()),
        prerequisites: note.map(|note| note.prerequisites).unwrap_or_default(),
    };
    // A failed event is told by the next one: capture never harms the run.
    let _ = session.record(event);
}

fn kept(
    layout: &Layout,
    part: &Part,
    commit: &str,
    (limit, time): (u64, Duration),
) -> Result<Option<Note>, String> {
    if let Some(note) = Note::read(layout, commit) {
        return Ok(Some(note));
    }
    let is_kept = |commit: &str| {
        Note::read(layout, commit).is_some_and(|note| note.without_history.is_none())
    };
    let whole_holder = |id: &str| holder(layout, id).filter(|commit| is_kept(commit));
    let options = BundleOptions {
        limit,
        time,
        is_kept: &is_kept,
        holder: &whole_holder,
        is_stopped: &|| false,
    };
    let below = below(layout, part, commit, &options);
    match below.and_then(|()| part.bundle(commit, &options)) {
        Ok(None) => Ok(None),
        Ok(Some(bundle)) => write(layout, commit, bundle).map(Some),
        Err(reason) => {
            let holder =
                |id: &str| holder(layout, id).filter(|commit| Note::read(layout, commit).is_some());
            let options = BundleOptions {
                holder: &holder,
                ..options
            };
            let bundle = part.bundle_files(commit, &reason, &options)?;
            write(layout, commit, bundle).map(Some)
        }
    }
}

/// The kept commit that is said to have a large file or folder.
fn holder(layout: &Layout, id: &str) -> Option<String> {
    let bytes = atomic::read_limited(&layout.held(id), NOTE_LIMIT).ok()?;
    Some(String::from_utf8(bytes).ok()?.trim_end().to_owned())
}

/// What no remote has of the history is kept once, and the snapshots on top of it.
fn below(
    layout: &Layout,
    part: &Part,
    commit: &str,
    options: &BundleOptions<'_>,
) -> Result<(), String> {
    let taken = part.taken.as_ref().filter(|_| part.commit == commit);
    let parent = taken.and_then(|taken| taken.parent.as_ref());
    let is_new = parent.filter(|parent| !(options.is_kept)(parent));
    let is_whole = !part.knows_a_remote();
    if is_whole && part.packed_bytes() > options.limit && (is_new.is_some() || taken.is_none()) {
        let megabytes = options.limit / 1_000_000;
        return Err(format!(
            "the history is over {megabytes} MB, and there is no remote"
        ));
    }
    if let Some(parent) = is_new
        && let Some(bundle) = part.bundle(parent, options)?
    {
        write(layout, parent, bundle)?;
    }
    Ok(())
}

fn write(layout: &Layout, commit: &str, bundle: Bundle) -> Result<Note, String> {
    let write = || {
        let large = bundle.large.clone();
        let note = put(layout, bundle)?;
        note.write(layout, commit)?;
        for id in large.iter().take(MOST_HELD) {
            let path = layout.held(id);
            atomic::create_folder(atomic::folder_of(&path))?;
            // Lost, it costs room: the next bundle holds the object again.
            atomic::replace(&path, format!("{commit}\n").as_bytes(), Durability::Process)?;
        }
        Ok(note)
    };
    write().map_err(|error: PathError| crate::Error::from(error).whole())
}

/// Puts a bundle among the objects, synced: the machine may vanish at any moment.
fn put(layout: &Layout, bundle: Bundle) -> Result<Note, PathError> {
    let digest = objects::put(layout, &bundle.bytes, Durability::Power)?;
    Ok(Note {
        bundle: digest.to_string(),
        prerequisites: bundle.prerequisites,
        shares: bundle.shares,
        without_history: bundle.without_history,
    })
}
