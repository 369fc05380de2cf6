//! The index: read whole, held against the commit, and made to hide nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use birthmark_core::Finding;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::Flags;

use super::head::{Head, NO_COMMIT};
use super::open::Repository;
use super::seen::{Seen, Stop};
use super::staged::{Comparison, note_in};
use super::text::display_path;

/// Reads the index; a work tree without one has an empty one.
pub(super) fn read_index(repository: &Repository) -> Result<gix::index::File, String> {
    let git = &repository.git;
    let path = git.index_path();
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let empty = gix::index::State::new(git.object_hash());
            return Ok(gix::index::File::from_state(empty, path));
        }
        Ok(meta) if meta.is_file() || meta.is_symlink() => {}
        _ => return Err("the index cannot be read".to_owned()),
    }
    let index = read_checked(git, &path).map_err(|error| {
        let error = display_path(error.to_string().as_bytes());
        format!("the index cannot be read: {error}")
    })?;
    if !index.is_sparse() {
        return Ok(index);
    }
    // Its trees could unfold without end, and this is no place to stop at.
    if !repository.trusted {
        return Err("the sparse index of an untrusted repository is not unfolded".to_owned());
    }
    expand(git, &index)
}

/// The files that were read whole and agreed with their own checksum, as they lay then.
static CHECKED: Mutex<Vec<(PathBuf, Lies)>> = Mutex::new(Vec::new());
const MOST_CHECKED: usize = 16;

/// By what a file is known to be the very same: git puts a new one in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lies {
    device: u64,
    inode: u64,
    size: u64,
    changed: [(i64, i64); 2],
}

impl Lies {
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = path.metadata().ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            changed: [
                (meta.mtime(), meta.mtime_nsec()),
                (meta.ctime(), meta.ctime_nsec()),
            ],
        })
    }
}

/// Reads the index. Its checksum, half of the work, is made once a process for the same file.
fn read_checked(git: &gix::Repository, path: &Path) -> gix::Result<gix::index::File> {
    let lies = Lies::of(path);
    let known = |checked: &Vec<(PathBuf, Lies)>| {
        let mut known = checked.iter();
        known.any(|(other, was)| other == path && Some(*was) == lies)
    };
    if CHECKED.lock().is_ok_and(|checked| known(&checked)) {
        let options = gix::index::decode::Options::default();
        return gix::index::File::at(path, git.object_hash(), true, options);
    }
    let index = git.open_index()?;
    if let (Some(lies), Ok(mut checked)) = (lies, CHECKED.lock())
        && Lies::of(path) == Some(lies)
    {
        checked.retain(|(other, _)| other != path);
        if checked.len() == MOST_CHECKED {
            checked.remove(0);
        }
        checked.push((path.to_owned(), lies));
    }
    Ok(index)
}

/// The same index with the files of its folders in their place, not checked out.
fn expand(git: &gix::Repository, sparse: &gix::index::File) -> Result<gix::index::File, String> {
    let mut whole = gix::index::State::new(git.object_hash());
    whole.set_timestamp(sparse.timestamp());
    for entry in sparse.entries() {
        let path = entry.path(sparse);
        if !entry.mode.is_sparse() {
            whole.dangerously_push_entry(entry.stat, entry.id, entry.flags, entry.mode, path);
            continue;
        }
        let inner = git.index_from_tree(&entry.id);
        let inner = inner.map_err(|_| "the sparse index cannot be expanded".to_owned())?;
        for file in inner.entries() {
            let path = BString::from([path.as_bytes(), file.path(&inner).as_bytes()].concat());
            let flags = Flags::SKIP_WORKTREE | Flags::EXTENDED;
            whole.dangerously_push_entry(file.stat, file.id, flags, file.mode, path.as_ref());
        }
    }
    whole.sort_entries();
    Ok(gix::index::File::from_state(
        whole,
        sparse.path().to_owned(),
    ))
}

/// Holds the index against the commit.
pub(super) fn staged(
    repository: &Repository,
    head: &Head,
    index: &gix::index::File,
    stop: &Stop,
    seen: &Arc<Mutex<Seen>>,
) -> Result<(), String> {
    let git = &repository.git;
    let tree = match &head.commit {
        Finding::Found(commit) => {
            let tree = git
                .find_commit(*commit)
                .and_then(|commit| Ok(commit.tree_id()?.detach()));
            tree.map_err(|_| "the commit's tree cannot be read".to_owned())?
        }
        Finding::Unknown(reason) if reason == NO_COMMIT => git.empty_tree().id,
        Finding::Unknown(reason) => return Err(reason.clone()),
        Finding::Absent => return Err("HEAD names nothing".to_owned()),
    };
    let comparison = Comparison {
        git,
        index,
        believe: repository.trusted,
        stop,
    };
    comparison.run(tree, &mut |path, kind, id| {
        if let Ok(mut seen) = seen.lock() {
            note_in(&mut seen, path, kind, id);
        }
    })
}

/// What an entry was flagged with, by its path.
pub(super) type Flagged = HashMap<BString, Flags>;

/// Takes the flags away by which git is told not to look at a file, and says whose.
///
/// A file of a sparse checkout that is not there stays flagged: it is meant to be gone.
/// One that is there counts as any other, as git has it since 2.36.
pub(super) fn with_hidden_made_visible(
    repository: &Repository,
    mut index: gix::index::File,
) -> (gix::index::File, Flagged) {
    let git = &repository.git;
    let root = git.workdir().map(PathBuf::from).unwrap_or_default();
    let config = git.config_snapshot();
    let sparse = config.boolean("core.sparseCheckout").unwrap_or(false)
        && !config
            .boolean("sparse.expectFilesOutsideOfPatterns")
            .unwrap_or(false);
    let watched = Flags::ASSUME_VALID | Flags::SKIP_WORKTREE;
    let mut flagged = Flagged::new();
    let mut folders = Folders::new(root);
    for (entry, path) in index.entries_mut_with_paths() {
        entry.flags.remove(Flags::UPTODATE | Flags::FSMONITOR_VALID);
        let flags = entry.flags & watched;
        if flags.is_empty() {
            continue;
        }
        let skipped = flags.contains(Flags::SKIP_WORKTREE);
        if skipped && !folders.has(path) {
            continue;
        }
        entry.flags.remove(watched);
        if !skipped || !sparse || flags.contains(Flags::ASSUME_VALID) {
            flagged.insert(path.to_owned(), flags);
        }
    }
    (index, flagged)
}

/// Calls an entry for a program a plain file where something that is no file took its place.
///
/// For plain files gix notices that; for programs it does not, and reads through the link, or
/// from the pipe.
pub(super) fn with_lost_programs_as_files(root: &Path, index: &mut gix::index::File) {
    use gix::index::entry::Mode;
    for (entry, path) in index.entries_mut_with_paths() {
        if entry.mode != Mode::FILE_EXECUTABLE || entry.flags.contains(Flags::UPTODATE) {
            continue;
        }
        let lies = gix::path::from_bstr(path).map(|relative| root.join(relative));
        let meta = lies.ok().and_then(|lies| lies.symlink_metadata().ok());
        if meta.is_some_and(|meta| !meta.is_file() && !meta.is_dir()) {
            entry.mode = Mode::FILE;
        }
    }
}

/// Which files are there, with one question for a whole folder that is not.
struct Folders {
    root: PathBuf,
    missing: Option<BString>,
}

impl Folders {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            missing: None,
        }
    }

    fn has(&mut self, path: &BStr) -> bool {
        if self
            .missing
            .as_ref()
            .is_some_and(|missing| path.starts_with(missing))
        {
            return false;
        }
        let Ok(relative) = gix::path::from_bstr(path) else {
            return true;
        };
        let lies = self.root.join(&relative);
        if lies.symlink_metadata().is_ok() {
            return true;
        }
        let gone = relative
            .ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty());
        let gone = gone
            .take_while(|folder| !self.root.join(folder).is_dir())
            .last();
        if let Some(folder) = gone {
            let mut prefix = BString::from(folder.as_os_str().as_encoded_bytes());
            prefix.push(b'/');
            self.missing = Some(prefix);
        }
        false
    }
}
