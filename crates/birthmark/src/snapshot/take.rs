//! Taking a snapshot beside the run.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use birthmark_capture::git::snapshot::{self, Changes, Lender, Part, SnapshotOptions, Taken};
use birthmark_capture::process;
use birthmark_core::Finding;
use birthmark_core::code::CodeState;
use birthmark_core::event::SnapshotTaken;
use birthmark_core::snapshot::lacks;
use birthmark_store::config::OnDirty;
use birthmark_store::{Layout, atomic, digest};

use crate::looks::SnapshotSeen;
use crate::session::Session;

/// How long a birthmark waits for the snapshot's id.
const WAIT: Duration = Duration::from_secs(5);
/// When a snapshot is given up: the end of a session waits for it.
const LIMIT: Duration = Duration::from_secs(30);
/// How the name of the reference ends that keeps the tree as it was in the end.
pub(super) const AT_END: &str = ".end";
/// Of files that are left out, so many bytes in all get a digest.
const MOST_DIGESTED: u64 = 4 << 30;

/// A snapshot that is being taken.
pub(crate) struct Taking {
    answer: Option<Receiver<Result<Option<SnapshotSeen>, String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Taking {
    /// Starts it, where the session wants snapshots.
    pub(crate) fn start(
        session: &Session,
        state: &CodeState,
        changes: Result<Changes, String>,
    ) -> Self {
        let nothing = Self {
            answer: None,
            thread: None,
        };
        // A clean tree has no snapshot; what else there is to do, nobody waits for.
        let is_clean = state.dirty == Finding::Found(false) && state.hidden.is_empty();
        let is_unwanted = session.on_dirty() == OnDirty::Warn && !is_clean;
        if is_unwanted || state.root.is_none() || state.bare {
            return nothing;
        }
        let (sender, receiver) = sync_channel(1);
        let answer = (!is_clean).then_some(receiver);
        let changes = match changes {
            Ok(changes) => changes,
            Err(reason) => {
                // The receiver is there: it is ours.
                let _ = sender.send(Err(reason));
                return Self { answer, ..nothing };
            }
        };
        let session = session.clone();
        let take = move || {
            let parts = take(&session, &changes);
            // Whoever waited may have given up.
            let _ = sender.send(
                parts
                    .as_ref()
                    .map(|parts| seen(parts))
                    .map_err(String::clone),
            );
            if let Ok(parts) = parts {
                settle(&session, parts);
            }
        };
        let thread = std::thread::Builder::new().name("birthmark-snapshot".to_owned());
        match thread.spawn(take) {
            Ok(thread) => Self {
                answer,
                thread: Some(thread),
            },
            // The sender is gone with the closure: whoever waits is told.
            Err(_) => Self { answer, ..nothing },
        }
    }

    /// The snapshot's id, or why there is none; absent where none was needed or wanted.
    pub(crate) fn wait(&self) -> Finding<SnapshotSeen> {
        let Some(answer) = &self.answer else {
            return Finding::Absent;
        };
        match answer.recv_timeout(WAIT) {
            Ok(Ok(seen)) => Finding::from(seen),
            Ok(Err(reason)) => Finding::Unknown(reason),
            Err(RecvTimeoutError::Timeout) => Finding::unknown(format!(
                "the snapshot took longer than {} s; the session has it when it is done",
                WAIT.as_secs()
            )),
            Err(RecvTimeoutError::Disconnected) => Finding::unknown("the snapshot failed inside"),
        }
    }

    /// Waits until all of it is done.
    pub(crate) fn finish(self) {
        if let Some(thread) = self.thread {
            // A panic is a snapshot that failed: whoever waited was told.
            let _ = thread.join();
        }
    }
}

pub(super) fn take(session: &Session, changes: &Changes) -> Result<Vec<Part>, String> {
    let project = session.project();
    let limits = &project.config.snapshot.value;
    let make_bare = |lender: &Lender| bare_repository(&project.layout, lender);
    let options = SnapshotOptions {
        max_file: limits.max_file,
        max_total: limits.max_total,
        deadline: Instant::now() + LIMIT,
        began: process::began_micros(),
        make_bare: &make_bare,
    };
    snapshot::take(changes, &options)
}

/// Keeps the tree as it is when a run ends, under which it changed: what was edited and then
/// imported ran, and is in no other snapshot.
pub(crate) fn take_at_end(
    session: &Session,
    changes: Result<Changes, String>,
) -> Finding<SnapshotSeen> {
    if session.on_dirty() == OnDirty::Warn {
        return Finding::Absent;
    }
    let parts = match changes.and_then(|changes| take(session, &changes)) {
        Ok(parts) => parts,
        Err(reason) => return Finding::Unknown(reason),
    };
    let dirty = parts.first().is_some_and(|part| part.taken.is_some());
    let seen = seen(&parts).filter(|_| dirty);
    let name = format!("{}{AT_END}", session.run_id());
    for mut part in parts {
        // The bundle in the store keeps it, too.
        let _ = part.settle(&name);
        super::keep::keep_pinned(session, &part);
    }
    Finding::from(seen)
}

/// What the first lines tell: of the script's own repository. Where only the index differs,
/// the commit that holds what ran is `HEAD` itself.
fn seen(parts: &[Part]) -> Option<SnapshotSeen> {
    let part = parts.first()?;
    let Some(taken) = &part.taken else {
        return Some(SnapshotSeen {
            commit: part.commit.clone(),
            inexact: None,
        });
    };
    Some(SnapshotSeen {
        commit: part.commit.clone(),
        inexact: lacks(&taken.left_out, &taken.inexact),
    })
}

/// Syncs, makes references, and records.
pub(super) fn settle(session: &Session, mut parts: Vec<Part>) {
    for part in &mut parts {
        let named = part.settle(session.run_id().as_str());
        if let Some(taken) = part.taken.clone() {
            let (reference, failure) = match named {
                Ok(reference) => (reference, None),
                Err(reason) => (None, Some(reason)),
            };
            // A failed event is told by the next one: capture never harms the run.
            let _ = session.record(event(part, taken, reference, failure));
        }
        super::keep::keep_pinned(session, part);
        super::keep::keep_what_left_the_remote(session, part);
    }
}

fn event(
    part: &Part,
    mut taken: Taken,
    reference: Option<String>,
    failure: Option<String>,
) -> SnapshotTaken {
    taken.inexact.extend(failure);
    let exact = taken.is_exact();
    digest_left_out(&part.root, &mut taken);
    SnapshotTaken {
        commit: part.commit.clone(),
        tree: taken.tree,
        parent: taken.parent,
        reference,
        path: part.path.clone(),
        root: part.root.to_string_lossy().into_owned(),
        remote: part.remote.clone(),
        kept_in: if part.in_store { "store" } else { "repository" }.to_owned(),
        exact,
        inexact: taken.inexact,
        left_out: taken.left_out,
        raw: taken.raw,
        changed_after: taken.changed_after,
        nested: taken.nested,
        files: taken.files,
        bytes: taken.bytes,
    }
}

/// Says of files that are left out what they were, as far as time allows. A name that was
/// escaped to be shown is no longer a path: such a file has none.
fn digest_left_out(root: &Path, taken: &mut Taken) {
    let mut left = MOST_DIGESTED;
    for file in &mut taken.left_out {
        let size = file.size.unwrap_or(u64::MAX);
        let is_secret = file.reason.starts_with("holds a secret");
        if size > left || is_secret {
            continue;
        }
        left -= size;
        let lies = root.join(&file.path);
        let is_file = lies.symlink_metadata().is_ok_and(|meta| meta.is_file());
        if is_file && let Ok(found) = digest::digest_file(&lies) {
            file.digest = Some(found.digest.to_string());
        }
    }
}

/// Makes the bare repository of the store that stands for one which cannot be written. It
/// borrows that one's objects, so that only new ones are kept here.
fn bare_repository(layout: &Layout, lender: &Lender) -> Result<PathBuf, String> {
    let name = lender.root.as_os_str().as_encoded_bytes();
    let key = digest::digest_bytes(name).to_string();
    let key = key.rsplit(':').next().and_then(|hex| hex.get(..16));
    let folder = layout.repository(key.unwrap_or("repository"));
    make_bare(&folder, Some(&lender.objects), &lender.object_format)
        .map_err(|error| crate::Error::from(error).whole())?;
    Ok(folder)
}

/// Makes an empty bare repository, unless it is there.
pub(super) fn make_bare(
    folder: &Path,
    borrows: Option<&Path>,
    object_format: &str,
) -> Result<(), birthmark_store::PathError> {
    use std::os::unix::ffi::OsStrExt;
    for inner in ["objects/info", "objects/pack", "refs"] {
        atomic::create_folder(&folder.join(inner))?;
    }
    let config = if object_format == "sha1" {
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n".to_owned()
    } else {
        format!(
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\
             [extensions]\n\tobjectFormat = {object_format}\n"
        )
    };
    if let Some(objects) = borrows {
        let mut line = objects.as_os_str().as_bytes().to_vec();
        line.push(b'\n');
        atomic::create_new(&folder.join("objects/info/alternates"), &line)?;
    }
    atomic::create_new(&folder.join("config"), config.as_bytes())?;
    // It makes a folder a repository, so it comes last.
    atomic::create_new(&folder.join("HEAD"), b"ref: refs/heads/main\n")?;
    Ok(())
}
