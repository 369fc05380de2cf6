//! The state of the work tree: is it what the commit would give back?
//!
//! * Read in one pass over the index and one over the folders, in parallel; nothing
//!   is written back.
//! * What is seen is kept as it comes, so that a look that is cut short still knows
//!   what it saw: one seen change proves "dirty", and only a whole look proves "clean".
//! * Files that git was told not to look at are looked at, and named as hidden.
//!
//! Limits: a single file that is being hashed is not interrupted; the look is then
//! abandoned with what it saw.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use birthmark_core::Finding;
use birthmark_core::code::{ChangeKind, ChangedFile, CodeState, MOST_CHANGED_FILES};
use gix::bstr::{BStr, BString};

use super::head::{self, Head};
use super::open::Repository;
use super::seen::{INTERRUPTED, Look, Own, Seen, Stop};
use super::text::display_path;
use super::walk::Where;
use super::{StatusOptions, history, index, outside, submodule, unconverted, visit, walk};
use crate::probe::spoken;

pub(super) use super::index::read_index;

/// How long a look may still hand over what it has after its time is up.
const GRACE: Duration = Duration::from_millis(60);

/// What the looking thread hands over, in this order.
enum Message {
    Head(Box<CodeState>, PathBuf),
    Done(Result<Arc<gix::index::File>, String>),
    Pushed(Finding<bool>),
}

/// See [`super::capture_status`].
pub(super) fn capture(anchor: &Path, options: &StatusOptions) -> CodeState {
    capture_with_changes(anchor, options).0
}

/// The same, and what a snapshot is made from; `Err` says why none can be.
pub(super) fn capture_with_changes(
    anchor: &Path,
    options: &StatusOptions,
) -> (CodeState, Result<Look, String>) {
    let deadline = Instant::now() + options.time_limit;
    let late = format!("status did not answer in {}", spoken(options.time_limit));
    let stop = Stop::at(deadline);
    let interrupt = Arc::clone(&stop.flag);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let receiver = start(anchor, options, deadline, stop, &seen);
    let Some(receiver) = receiver else {
        let reason = "no thread could be started for status";
        return (outside(reason), Err(reason.to_owned()));
    };
    let mut state = None;
    let mut outcome = None;
    let mut pushed = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = if interrupt.load(Ordering::Relaxed) {
            GRACE
        } else {
            left
        };
        match receiver.recv_timeout(left) {
            Ok(Message::Head(head, root)) => state = Some((*head, root)),
            Ok(Message::Done(done)) => outcome = Some(done),
            Ok(Message::Pushed(answer)) => pushed = Some(answer),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                if interrupt.swap(true, Ordering::Relaxed) {
                    break;
                }
            }
        }
    }
    let stopped = matches!(&outcome, Some(Err(reason)) if reason == INTERRUPTED);
    let cut_short = stopped || interrupt.load(Ordering::Relaxed);
    let Some((mut state, root)) = state else {
        let reason = if cut_short {
            late.as_str()
        } else {
            "git failed inside"
        };
        return (outside(reason), Err(reason.to_owned()));
    };
    let looked = match outcome {
        Some(Ok(index)) => Ok(index),
        Some(Err(_)) | None if cut_short => Err(late.clone()),
        Some(Err(reason)) => Err(reason),
        None => Err("status failed inside".to_owned()),
    };
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    if !state.bare && state.object_format.is_some() {
        state.untracked_artifacts = options.count_artifacts.then_some(seen.untracked_artifacts);
        fill(
            &mut state,
            &root,
            seen.clone(),
            looked.as_ref().err().cloned(),
        );
    }
    settle_pushed(&mut state, pushed, &late);
    let look = looked.map(|index| Look { seen, index });
    (state, look)
}

/// See [`super::capture_later`].
pub(super) fn capture_later(
    anchor: &Path,
    before: &CodeState,
    options: &StatusOptions,
) -> CodeState {
    let options = StatusOptions {
        untracked: false,
        ..options.clone()
    };
    let mut later = capture(anchor, &options);
    let Finding::Found(repository) = Repository::discover(anchor) else {
        return later;
    };
    let root = repository.root().map(PathBuf::from).unwrap_or_default();
    for file in before
        .changed_files
        .iter()
        .filter(|file| is_untracked(file))
    {
        let now = changed_file(&root, file.path.as_str().into(), (file.kind, String::new()));
        // An escaped name leads to no file: then nothing is claimed.
        let escaped = file.path.contains('\\');
        let now = if escaped { file.clone() } else { now };
        // One that was taken from the index and is still there is told as deleted by git.
        let same = |one: &ChangedFile| one.path == now.path && one.kind == ChangeKind::Deleted;
        match later.changed_files.iter().position(same) {
            Some(at) => later.changed_files[at] = now,
            None if escaped || now.mark != NOWHERE => later.changed_files.push(now),
            None => {}
        }
    }
    later
}

/// The mark of a file that is neither in the index nor in the work tree.
const NOWHERE: &str = "/";

fn is_untracked(file: &ChangedFile) -> bool {
    file.kind == ChangeKind::New && file.mark.starts_with(NOWHERE)
}

/// A walk that did not answer leaves the glance, if that one knew.
fn settle_pushed(state: &mut CodeState, pushed: Option<Finding<bool>>, late: &str) {
    match pushed {
        Some(pushed) => state.pushed = pushed,
        None if state.pushed.reason().is_some() && state.object_format.is_some() => {
            state.pushed = Finding::unknown(late);
        }
        None => {}
    }
}

/// Starts the looking thread; `None` where the system gives none.
fn start(
    anchor: &Path,
    options: &StatusOptions,
    deadline: Instant,
    stop: Stop,
    seen: &Arc<Mutex<Seen>>,
) -> Option<Receiver<Message>> {
    let (sender, receiver) = sync_channel(3);
    let (anchor, own) = (anchor.to_owned(), Own::new(options));
    let seen = Arc::clone(seen);
    let look_at_all = move || {
        // A receiver that is gone has given up waiting: there is nobody to tell.
        let tell = |message| drop(sender.send(message));
        let repository = match Repository::discover(&anchor) {
            Finding::Found(repository) => repository,
            other => {
                let reason = other.reason().unwrap_or(super::open::NOT_A_REPOSITORY);
                return tell(Message::Head(Box::new(outside(reason)), PathBuf::new()));
            }
        };
        let head = head::read_head(&repository);
        let root = repository.root().map(PathBuf::from).unwrap_or_default();
        tell(Message::Head(
            Box::new(head::describe_with(&repository, &head)),
            root,
        ));
        if repository.root().is_some() {
            tell(Message::Done(look(
                &repository,
                &head,
                &own,
                &stop,
                &seen,
                0,
            )));
        }
        tell(Message::Pushed(history::pushed(
            &repository,
            &head,
            deadline,
        )));
    };
    let thread = std::thread::Builder::new().name("birthmark-status".to_owned());
    thread.spawn(look_at_all).ok().map(|_| receiver)
}

/// Puts what was seen into the state.
fn fill(state: &mut CodeState, root: &Path, mut seen: Seen, failure: Option<String>) {
    state.counts_complete = failure.is_none();
    state.dirty = seen.verdict(failure);
    state.staged = seen.staged;
    state.unstaged = seen.unstaged;
    state.untracked = seen.untracked;
    state.changed_total = seen.total();
    let mut named: Vec<_> = std::mem::take(&mut seen.changes).into_iter().collect();
    if named.len() > MOST_CHANGED_FILES {
        // Those that git tracks are never lost among many that came.
        named.sort_by(|(a, (of_a, _)), (b, (of_b, _))| {
            let is_new = |kind: &ChangeKind| *kind == ChangeKind::New;
            (is_new(of_a), a).cmp(&(is_new(of_b), b))
        });
        named.truncate(MOST_CHANGED_FILES);
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let named = named.into_iter();
    state.changed_files = named
        .map(|(path, change)| changed_file(root, path.as_ref(), change))
        .collect();
    seen.hidden.sort_unstable();
    seen.hidden.dedup();
    seen.hidden.truncate(MOST_CHANGED_FILES);
    state.hidden = seen.hidden;
    seen.submodules.sort_by(|a, b| a.path.cmp(&b.path));
    state.submodules = seen.submodules;
}

/// A change with its mark: the id in the index, and size and time of the file.
fn changed_file(root: &Path, path: &BStr, (kind, staged): (ChangeKind, String)) -> ChangedFile {
    use std::os::unix::fs::MetadataExt;
    let relative = gix::path::from_bstr(path)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default();
    let lies = root.join(relative).symlink_metadata().ok().map(|meta| {
        format!(
            "{}:{}.{:09}:{:o}",
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.mode()
        )
    });
    let mark = format!("{staged}/{}", lies.unwrap_or_default());
    ChangedFile {
        path: display_path(path),
        kind,
        mark,
    }
}

/// Looks at everything; `Err` says why not all was seen. What was is in `seen`.
pub(super) fn look(
    repository: &Repository,
    head: &Head,
    own: &Own,
    stop: &Stop,
    seen: &Arc<Mutex<Seen>>,
    depth: u32,
) -> Result<Arc<gix::index::File>, String> {
    let index = read_index(repository)?;
    index::staged(repository, head, &index, stop, seen)?;
    let (mut index, flagged) = index::with_hidden_made_visible(repository, index);
    let walk = walk::plan(repository, &mut index, own, stop).map_err(|error| reason(&error))?;
    index::with_lost_programs_as_files(repository.root().unwrap_or(Path::new("")), &mut index);
    let submodules = submodule::Submodules::new(repository, depth, stop, seen);
    let mut visitor = visit::Visitor::new(repository, own, &flagged, seen);
    // First: a filter that hangs must not hide a new file.
    if let Where::Below(paths) = &walk {
        let walked = walk::below(repository, &index, paths, &mut visitor, stop);
        walked.map_err(|error| reason(&error))?;
    }
    let before = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    let mut looked = pass(repository, &index, &walk, visitor, submodules, stop);
    if looked.is_err() && !stop.flag.load(Ordering::Relaxed) {
        let odd = unconverted::set_aside(repository, &mut index, stop);
        if !odd.is_empty() {
            if let Ok(mut seen) = seen.lock() {
                *seen = before;
                odd.note(&mut seen);
            }
            let submodules = submodule::Submodules::new(repository, depth, stop, seen);
            let visitor = visit::Visitor::new(repository, own, &flagged, seen);
            looked = pass(repository, &index, &walk, visitor, submodules, stop);
        }
    }
    let unfiltered = looked?;
    visit::settle_suspects(repository, &index, unfiltered, seen);
    if stop.flag.load(Ordering::Relaxed) {
        return Err(INTERRUPTED.to_owned());
    }
    Ok(Arc::new(index))
}

/// gix's pass over what is not known to be unchanged; the files that only a refused filter could
/// judge.
fn pass(
    repository: &Repository,
    index: &gix::index::File,
    walk: &Where,
    mut visitor: visit::Visitor<'_>,
    submodules: submodule::Submodules,
    stop: &Stop,
) -> Result<Vec<visit::Suspect>, String> {
    let options = options(repository, walk).map_err(|error| reason(&error))?;
    let looked = repository.git.index_worktree_status(
        index,
        None::<&BStr>,
        &mut visitor,
        gix::status::plumbing::index_as_worktree::traits::FastEq,
        submodules,
        &mut gix::progress::Discard,
        &stop.flag,
        options,
    );
    looked.map_err(|error| reason(&error))?;
    Ok(visitor.into_suspects())
}

fn reason(error: &gix::Error) -> String {
    format!(
        "the work tree cannot be read: {}",
        display_path(error.to_string().as_bytes())
    )
}

fn options(
    repository: &Repository,
    walk: &Where,
) -> gix::Result<gix::status::index_worktree::Options> {
    let everywhere = matches!(walk, Where::Everywhere);
    Ok(gix::status::index_worktree::Options {
        sorting: None,
        dirwalk_options: everywhere.then(|| walk::options(repository)).transpose()?,
        rewrites: None,
        thread_limit: None,
    })
}

/// Whether nothing below the folder differs from the commit.
pub(super) fn folder_is_clean(
    repository: &Repository,
    folder: &BStr,
    deadline: Instant,
) -> Finding<bool> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let head = head::read_head(repository);
    let outcome = look(
        repository,
        &head,
        &Own::default(),
        &Stop::at(deadline),
        &seen,
        0,
    );
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    let inside = |path: &BString| {
        folder.is_empty() || (path.starts_with(folder) && path.get(folder.len()) == Some(&b'/'))
    };
    if seen.changes.keys().any(inside) {
        return Finding::Found(false);
    }
    match outcome.err().or(seen.unclear) {
        Some(reason) => Finding::Unknown(reason),
        None => Finding::Found(true),
    }
}
