//! Which session a process belongs to.
//!
//! In this order: the one that `BIRTHMARK_SESSION` names; the one that the ranks of
//! its launch agree on; the one that `birthmark session start` opened for this
//! project on this machine; else one of its own.

use birthmark_capture::process;
use birthmark_core::environment::Launch;
use birthmark_core::session::{Session as Folded, Status};
use birthmark_core::{Fields, SessionId, Timestamp};
use birthmark_store::journal::{self, Opening};
use birthmark_store::{Layout, atomic, launches};

use super::begin::new_id;
use super::nearer::handed_down;
use super::{fold_session, now};
use crate::error::{Error, Result};
use crate::machine;
use crate::project::Project;

/// The session to be part of.
pub(super) struct Joining {
    pub(super) id: SessionId,
    pub(super) uuid: Option<String>,
    /// When it begins, if it is ours to begin.
    pub(super) start: Timestamp,
    /// Whether this process must begin it.
    pub(super) ours: bool,
    /// Whether it is shared by the ranks of one launch.
    pub(super) of_launch: bool,
    /// What is inherited: what was given to it, or to the nearest session that handed it on.
    pub(super) given: Fields,
    /// What its journals say was given to it.
    pub(super) recorded: Fields,
    /// Who began it, where another did and that is known.
    pub(super) opening: Option<Opening>,
}

pub(super) fn decide(project: &Project, launch: Option<&Launch>) -> Result<Joining> {
    if let Some(name) = process::variable("BIRTHMARK_SESSION").filter(|name| !name.is_empty()) {
        return named(project, &name);
    }
    if let Some(launch) = launch.filter(|launch| launch.world_size.is_none_or(|size| size > 1))
        && let Some(key) = &launch.key
    {
        return of_launch(project, key, launch.rank);
    }
    if let Some((id, opening)) = open_session(project) {
        return joined(project, id, opening);
    }
    let (id, uuid, start) = new_id()?;
    Ok(Joining {
        id,
        uuid: Some(uuid),
        start,
        ours: true,
        of_launch: false,
        given: Fields::new(),
        recorded: Fields::new(),
        opening: None,
    })
}

fn named(project: &Project, name: &str) -> Result<Joining> {
    let known = SessionId::is_well_formed(name)
        && project.layout.session(&SessionId::from_text(name)).is_dir();
    if !known {
        let store = project.layout.store();
        let message = format!(
            "BIRTHMARK_SESSION names no session in `{}`: `{name}`",
            store.display()
        );
        return Err(Error::usage("unknown-session", message).with_hint(
            "unset BIRTHMARK_SESSION, or set BIRTHMARK_DIR to the session's artifacts folder",
        ));
    }
    let id = SessionId::from_text(name);
    let opening = journal::opening(&project.layout, &id);
    let joining = joined(project, id, opening)?;
    let given = handed_down(joining.id.as_str()).unwrap_or(joining.given);
    Ok(Joining { given, ..joining })
}

fn joined(project: &Project, id: SessionId, opening: Option<Opening>) -> Result<Joining> {
    let (uuid, given) = if let Some(told) = &opening {
        (told.opened.session_uuid.clone(), told.started.given.clone())
    } else {
        let session = fold_session(project, &id)?;
        (session.uuid, session.given)
    };
    Ok(Joining {
        id,
        uuid,
        start: now(),
        ours: false,
        of_launch: false,
        recorded: given.clone(),
        given,
        opening,
    })
}

fn of_launch(project: &Project, key: &str, rank: u32) -> Result<Joining> {
    atomic::create_folder(&project.layout.store())?;
    let (proposed, uuid, start) = new_id()?;
    let agreed = launches::agree(&project.layout, key, rank, &proposed)?;
    // Another rank's uuid stands in that rank's journal; the fold finds it there.
    let uuid = agreed.ours.then_some(uuid);
    Ok(Joining {
        id: agreed.session,
        uuid,
        start,
        ours: agreed.ours,
        of_launch: true,
        given: Fields::new(),
        recorded: Fields::new(),
        opening: None,
    })
}

/// The session that `birthmark session start` opened here and that is still open, and who began
/// it.
pub(super) fn open_session(project: &Project) -> Option<(SessionId, Option<Opening>)> {
    let id = pointed_at(&project.layout)?;
    let opening = journal::opening(&project.layout, &id);
    // Its end takes the pointer away first: what it still names was not ended. What the others
    // say matters only where it would have grown too old.
    let is_open = |told: &Opening| {
        let alone = Folded::begun(&told.opened, &told.started);
        alone.status(now(), machine::is_alive) == Status::Open
    };
    if opening.as_ref().is_some_and(is_open) {
        return Some((id, opening));
    }
    let session = fold_session(project, &id).ok()?;
    match session.status(now(), machine::is_alive) {
        Status::Open | Status::Running => Some((id, opening)),
        _ => None,
    }
}

/// The session that the `open` file names.
pub(super) fn pointed_at(layout: &Layout) -> Option<SessionId> {
    let text = atomic::read_limited(&layout.open_session(), 1 << 10).ok()?;
    let name = String::from_utf8(text).ok()?.trim().to_owned();
    let id = SessionId::is_well_formed(&name).then(|| SessionId::from_text(name))?;
    journal::paths(layout, &id).ok().map(|_| id)
}
