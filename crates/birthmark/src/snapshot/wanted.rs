//! What a person means who names code: a session, an artifact, or a commit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git::Database;
use birthmark_core::event::SnapshotTaken;
use birthmark_core::session::{Run, Session};
use birthmark_core::{Finding, RunId, SessionId};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::project::Project;
use crate::{sessions, show, text};

/// A commit that was named, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) commit: String,
    /// What was told when it was taken, if it is a snapshot.
    pub(super) taken: Option<SnapshotTaken>,
    /// Whether it is a snapshot, also where nobody here tells what it holds.
    pub(super) is_snapshot: bool,
    pub(super) run: Option<RunId>,
    pub(super) session: Option<SessionId>,
    /// The remote of its repository then.
    pub(super) remote: Option<String>,
    /// What ran and is not in it, as reasons.
    pub(super) unkept: Vec<String>,
    /// Folders of repositories that may have it.
    pub(super) hints: Vec<PathBuf>,
}

/// What `what` names: an artifact that is there, else a session, else a commit.
pub(super) fn find(project: &Project, what: &str) -> Result<Wanted> {
    let (path, line) = show::parse_target(what);
    if path.exists() && sessions::resolve(project, what).is_err() {
        return of_artifact(project, &path, line);
    }
    match sessions::resolve(project, what) {
        Ok(id) => of_session(project, &id),
        Err(error) => of_commit(project, what)
            .or_else(|| of_commit(project, &named(project, what)?))
            .ok_or(error),
    }
}

/// The code of an artifact, as its birthmark tells it.
fn of_artifact(project: &Project, path: &Path, line: Option<u64>) -> Result<Wanted> {
    let shown = show::show(project, path, line, crate::session::now())?;
    // A record is where it was born; a file is of who wrote it.
    if let Some(wrote) = shown.wrote.as_ref().filter(|_| line.is_none()) {
        let get = |name: &str| wrote.birthmark().get(name);
        return of_fields(project, path, wrote.commit(), &get, Some(&wrote.session));
    }
    let get = |name: &str| shown.get(name);
    let session = get("session_id").and_then(Value::as_str);
    let session = session.map(SessionId::from_text);
    of_fields(project, path, shown.commit(), &get, session.as_ref())
}

/// The code that these fields name.
fn of_fields<'a>(
    project: &Project,
    path: &Path,
    commit: Option<&str>,
    get: &dyn Fn(&str) -> Option<&'a Value>,
    session: Option<&SessionId>,
) -> Result<Wanted> {
    let snapshot = get("git_snapshot").and_then(Value::as_str);
    let Some(commit) = commit else {
        let message = format!("`{}` names no one commit", path.display());
        return Err(
            Error::usage("no-commit", message).with_hint("name one record of it: FILE:LINE")
        );
    };
    if snapshot.is_none() && get("git_dirty") != Some(&Value::Bool(false)) {
        return Err(without_snapshot(&format!("`{}`", path.display()), commit));
    }
    let told = session.and_then(|id| {
        let run = get("run_id").and_then(Value::as_str);
        of_session_commit(project, id, commit, run)
    });
    Ok(told.unwrap_or_else(|| Wanted {
        is_snapshot: snapshot == Some(commit),
        ..plain(commit)
    }))
}

fn of_session(project: &Project, id: &SessionId) -> Result<Wanted> {
    let session = sessions::load(project, id)?.session;
    if let Some(snapshot) = session.own_snapshot() {
        let commit = snapshot.taken.commit.clone();
        return Ok(told(&session, id, &commit, None).unwrap_or_else(|| plain(&commit)));
    }
    let text = |name: &str| session.code.get(name).and_then(Value::as_str);
    // The session may have died before it told of its snapshot: the birthmarks name it.
    if let Some(commit) = text("git_snapshot") {
        return Ok(Wanted {
            is_snapshot: true,
            ..plain(commit)
        });
    }
    let dirty = session.code.get("git_dirty") != Some(&Value::Bool(false));
    match text("git_commit") {
        Some(commit) if !dirty => {
            Ok(told(&session, id, commit, None).unwrap_or_else(|| plain(commit)))
        }
        Some(commit) => Err(without_snapshot(&format!("session {}", id.short()), commit)),
        None => {
            let message = format!("session {} has neither snapshot nor commit", id.short());
            Err(Error::usage("no-snapshot", message))
        }
    }
}

fn without_snapshot(whose: &str, commit: &str) -> Error {
    let short = commit.get(..7).unwrap_or(commit);
    let message = format!("{whose} ran with changes to {short}, and no snapshot was taken");
    Error::usage("no-snapshot", message).with_hint(format!(
        "the commit without the changes can be had: {short}"
    ))
}

fn of_session_commit(
    project: &Project,
    id: &SessionId,
    commit: &str,
    run: Option<&str>,
) -> Option<Wanted> {
    let session = sessions::load(project, id).ok()?.session;
    told(&session, id, commit, run)
}

/// What a session tells of a commit that begins so, and of what `of`, the run that is asked of,
/// ran beside it.
fn told(session: &Session, id: &SessionId, prefix: &str, of: Option<&str>) -> Option<Wanted> {
    let mut snapshots = session.snapshots.iter();
    let snapshot = snapshots.find(|one| one.taken.commit.starts_with(prefix));
    let own = session.code.get("git_commit").and_then(Value::as_str);
    let commit = match snapshot {
        Some(snapshot) => snapshot.taken.commit.as_str(),
        None => own.filter(|commit| commit.starts_with(prefix))?,
    };
    let remote = snapshot.and_then(|one| one.taken.remote.clone());
    let told = session.code.get("git_remote").and_then(Value::as_str);
    let run = snapshot.and_then(|one| one.run.clone());
    let runs = session.runs.iter();
    let own: Vec<&Run> = match of {
        Some(of) => runs.filter(|one| one.id.as_str() == of).collect(),
        None => runs
            .filter(|one| run.as_ref().is_none_or(|run| one.id == *run))
            .collect(),
    };
    let unkept: BTreeSet<&str> = own.iter().flat_map(|run| run.unkept()).collect();
    let unkept = unkept.into_iter().map(|file| text::short(file, 100));
    let unkept = unkept.map(|file| format!("{file} ran, and is not in it"));
    let drift: BTreeSet<String> = own.iter().flat_map(|run| run.drift_told()).collect();
    Some(Wanted {
        unkept: unkept.chain(drift).collect(),
        remote: remote.or_else(|| told.map(str::to_owned)),
        commit: commit.to_owned(),
        taken: snapshot.map(|one| one.taken.clone()),
        is_snapshot: snapshot.is_some(),
        run,
        session: Some(id.clone()),
        hints: roots(session),
    })
}

fn plain(commit: &str) -> Wanted {
    Wanted {
        commit: commit.to_owned(),
        taken: None,
        is_snapshot: false,
        run: None,
        session: None,
        remote: None,
        unkept: Vec::new(),
        hints: Vec::new(),
    }
}

/// The commit that `HEAD`, a branch or a tag is in this clone.
pub(crate) fn named(project: &Project, name: &str) -> Option<String> {
    match Database::open(project.root()) {
        Finding::Found(clone) => clone.named(name),
        Finding::Absent | Finding::Unknown(_) => None,
    }
}

/// A commit that some session tells of, or that is in this clone.
fn of_commit(project: &Project, what: &str) -> Option<Wanted> {
    let is_hex = what.len() >= 7 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return None;
    }
    let what = what.to_ascii_lowercase();
    let ids = sessions::ids(project).unwrap_or_default();
    let told = ids
        .iter()
        .rev()
        .find_map(|id| of_session_commit(project, id, &what, None));
    told.or_else(|| {
        let clone = match Database::open(project.root()) {
            Finding::Found(clone) => clone.complete(&what),
            Finding::Absent | Finding::Unknown(_) => None,
        };
        let commit = clone.or_else(|| matches!(what.len(), 40 | 64).then(|| what.clone()));
        commit.map(|commit| plain(&commit))
    })
}

/// Where the repositories lay that a session took snapshots of.
pub(super) fn roots(session: &birthmark_core::session::Session) -> Vec<PathBuf> {
    let roots = session
        .snapshots
        .iter()
        .map(|one| PathBuf::from(&one.taken.root));
    roots.filter(|root| root.is_dir()).collect()
}
