//! One file against the commit: what git would store, and what it holds.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use birthmark_core::Finding;
use birthmark_core::code::FileState;
use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::filter::plumbing::pipeline::convert::ToGitOutcome;
use gix::index::entry::Mode;
use gix::worktree::stack::state::attributes::Source;

use super::history::entry_id;
use super::open::Repository;
use super::{head, status};

/// A file of which nothing is known.
pub(super) fn unknown(reason: &str) -> FileState {
    FileState {
        blob_id: Finding::unknown(reason),
        differs_from_commit: Finding::unknown(reason),
        tracked: false,
    }
}

/// See [`super::file_state`].
pub(super) fn state(anchor: &Path, path: &Path) -> FileState {
    let path = anchor.join(path);
    let repository = match Repository::discover(anchor) {
        Finding::Found(repository) => repository,
        other => return unknown(other.reason().unwrap_or(super::open::NOT_A_REPOSITORY)),
    };
    let Some(inside) = relative_path(&repository, &path) else {
        return unknown("outside the repository");
    };
    let name = slashed(&inside);
    let index = match status::read_index(&repository) {
        Ok(index) => index,
        Err(reason) => return unknown(&reason),
    };
    let tracked = index.entry_by_path(name.as_ref()).is_some();
    let blob_id = blob_id(&repository, &index, &inside);
    let differs_from_commit = match head::read_head(&repository).commit {
        Finding::Found(commit) => differs(&repository, commit, &inside, &blob_id),
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    };
    FileState {
        blob_id: blob_id.map(|id| id.to_string()),
        differs_from_commit,
        tracked,
    }
}

fn differs(
    repository: &Repository,
    commit: ObjectId,
    inside: &Path,
    blob: &Finding<ObjectId>,
) -> Finding<bool> {
    let held = repository.git.find_commit(commit);
    if held.and_then(|commit| commit.tree()).is_err() {
        return Finding::unknown("the commit's tree cannot be read");
    }
    blob.as_ref()
        .map(|id| entry_id(&repository.git, commit, inside).is_none_or(|(held, _)| held != *id))
}

/// See [`super::blob_ids`].
pub(super) fn blobs(anchor: &Path, paths: &[PathBuf]) -> Finding<(PathBuf, Vec<Finding<String>>)> {
    let repository = match Repository::discover(anchor) {
        Finding::Found(repository) => repository,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    let Some(root) = repository.root().map(Path::to_owned) else {
        return Finding::Absent;
    };
    let index = match status::read_index(&repository) {
        Ok(index) => index,
        Err(reason) => return Finding::Unknown(reason),
    };
    let blob = |path: &PathBuf| match relative_path(&repository, path) {
        Some(inside) => blob_id(&repository, &index, &inside).map(|id| id.to_string()),
        None => Finding::unknown("outside the repository"),
    };
    Finding::Found((root, paths.iter().map(blob).collect()))
}

/// The path below the top level, symlinks resolved; `None` outside.
pub(super) fn relative_path(repository: &Repository, path: &Path) -> Option<PathBuf> {
    let root = repository.root()?.canonicalize().ok()?;
    Some(
        path.canonicalize()
            .ok()?
            .strip_prefix(root)
            .ok()?
            .to_owned(),
    )
}

/// A relative path as git writes it.
fn slashed(path: &Path) -> BString {
    use std::os::unix::ffi::OsStrExt;
    BString::from(path.as_os_str().as_bytes())
}

/// The id of the blob that `git add` would make of the file at this path.
fn blob_id(repository: &Repository, index: &gix::index::File, inside: &Path) -> Finding<ObjectId> {
    let git = &repository.git;
    let Some(path) = git.workdir().map(|root| root.join(inside)) else {
        return Finding::unknown("no work tree");
    };
    if !path.is_file() {
        return Finding::unknown("not a regular file");
    }
    if refused_filter(repository, index, slashed(inside).as_ref()) {
        return Finding::unknown("a filter of an untrusted repository was not run");
    }
    match hash_as_git(git, index, inside, &path) {
        Ok(id) => Finding::Found(id),
        Err(_) => Finding::unknown("the file cannot be read as git would store it"),
    }
}

/// The bytes of the file at this path, and why git could not store them as its attributes want
/// it; `None` where it could, or there is no such file.
pub(super) fn unstorable(
    repository: &Repository,
    index: &gix::index::File,
    path: &BStr,
) -> Option<(Vec<u8>, String)> {
    let inside = gix::path::from_bstr(path).ok()?;
    let lies = repository.root()?.join(&inside);
    if !lies.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        return None;
    }
    let error = hash_as_git(&repository.git, index, &inside, &lies).err()?;
    Some((std::fs::read(&lies).ok()?, format!("{error:?}")))
}

fn hash_as_git(
    git: &gix::Repository,
    index: &gix::index::File,
    inside: &Path,
    path: &Path,
) -> gix::Result<ObjectId> {
    use std::io::Read as _;
    // gix's own way to a pipeline reads the index once more.
    let attributes = git.attributes_only(index, Source::WorktreeThenIdMapping)?;
    let mut pipeline = gix::filter::Pipeline::new(git, attributes.detach())?;
    let format = git.object_hash();
    let io = gix::hash::io::from_std_io;
    let file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    match pipeline.convert_to_git(file, inside, index)? {
        ToGitOutcome::Unchanged(mut file) => gix::objs::compute_stream_hash(
            format,
            gix::objs::Kind::Blob,
            &mut file,
            length,
            &mut gix::progress::Discard,
            &AtomicBool::new(false),
        ),
        ToGitOutcome::Buffer(bytes) => {
            gix::objs::compute_hash(format, gix::objs::Kind::Blob, bytes)
        }
        ToGitOutcome::Process(mut output) => {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).map_err(io)?;
            gix::objs::compute_hash(format, gix::objs::Kind::Blob, &bytes)
        }
    }
}

/// Whether the attributes ask for a filter here that is not run, for want of trust.
pub(super) fn refused_filter(
    repository: &Repository,
    index: &gix::index::State,
    path: &BStr,
) -> bool {
    if repository.refused_filters.is_empty() {
        return false;
    }
    let Ok(mut stack) = repository
        .git
        .attributes_only(index, Source::WorktreeThenIdMapping)
    else {
        return true;
    };
    let mut outcome = stack.selected_attribute_matches(["filter"]);
    let Ok(platform) = stack.at_entry(path, Some(Mode::FILE)) else {
        return true;
    };
    platform.matching_attributes(&mut outcome);
    outcome
        .iter_selected()
        .any(|found| match found.assignment.state {
            gix::attrs::StateRef::Value(value) => {
                let name: &[u8] = value.as_bstr();
                repository
                    .refused_filters
                    .iter()
                    .any(|refused| refused == name)
            }
            _ => false,
        })
}

/// Whether a file or folder is what the commit holds, untracked files in a folder
/// included. Absent: the commit does not know it.
pub(super) fn is_as_committed(
    repository: &Repository,
    commit: ObjectId,
    path: &Path,
    inside: &Path,
    deadline: Instant,
) -> Finding<bool> {
    if entry_id(&repository.git, commit, inside).is_none() {
        return Finding::Absent;
    }
    if path.is_dir() {
        return status::folder_is_clean(repository, slashed(inside).as_ref(), deadline);
    }
    let index = match status::read_index(repository) {
        Ok(index) => index,
        Err(reason) => return Finding::Unknown(reason),
    };
    let blob = blob_id(repository, &index, inside);
    differs(repository, commit, inside, &blob).map(|differs| !differs)
}
