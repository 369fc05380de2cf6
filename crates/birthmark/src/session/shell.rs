//! Sessions opened from the shell: open until they are ended, joined by every script of
//! the project that runs meanwhile.

use birthmark_core::SessionId;
use birthmark_core::event::{OpenedBy, Outcome, SessionEnded};
use birthmark_core::id::WriterId;
use birthmark_store::atomic::{self, Durability};

use super::begin::{Begin, begin};
use super::{RunEnd, Session, join, write_manifest};
use crate::error::{Error, Result};
use crate::machine;
use crate::project::Project;

/// Opens a session for the project of `options.anchor`.
pub fn start_from_shell(mut options: Begin) -> Result<Session> {
    options.opened_by = OpenedBy::Shell;
    // What is wrong with its settings is said when the session begins.
    let (project, _) = Project::find_leniently(&options.anchor)?;
    if let Some((open, _)) = join::open_session(&project) {
        let message = format!("session {} is open already", open.short());
        return Err(Error::usage("session-open", message)
            .with_hint("end it with `birthmark session end`, or go on in it"));
    }
    let session = begin(options)?;
    if session.is_joined() {
        let message = format!(
            "this process belongs to session {} already",
            session.id().short()
        );
        return Err(Error::usage("session-open", message).with_hint("unset BIRTHMARK_SESSION"));
    }
    let pointer = format!("{}\n", session.id());
    atomic::replace(
        &project.layout.open_session(),
        pointer.as_bytes(),
        session.durability(),
    )?;
    session.end(RunEnd::plain(Outcome::Completed))?;
    Ok(session)
}

/// Ends the session that is open here, or the named one. Returns its id.
pub fn end_from_shell(
    project: &Project,
    id: Option<SessionId>,
    outcome: Outcome,
) -> Result<SessionId> {
    let open = join::pointed_at(&project.layout);
    let Some(id) = id.or_else(|| open.clone()) else {
        return Err(Error::usage("no-session", "no session is open here")
            .with_hint("`birthmark session list` shows those that were"));
    };
    let folded = super::fold_session(project, &id)?;
    if folded.end.is_some() {
        return Err(Error::usage(
            "session-ended",
            format!("session {} has ended already", id.short()),
        ));
    }
    let identity = machine::process_identity();
    let writer = WriterId::new(&identity.host, identity.pid, u64::from(identity.pid));
    let path = project.layout.journal(&id, &writer);
    let mut journal =
        birthmark_store::journal::JournalWriter::create(&path, project.config.durability.value)?;
    let time = super::now();
    let opened = birthmark_core::event::WriterOpened {
        format: birthmark_core::schema::JOURNAL_FORMAT.to_owned(),
        program: crate::VERSION.to_owned(),
        session_id: id.clone(),
        session_uuid: folded.uuid.clone(),
        run_id: None,
        process: identity,
        parent_run: None,
        since_boot_us: birthmark_capture::clock::since_boot_micros(),
    };
    journal.append(time, &opened.into())?;
    // First: who joins goes by the pointer, and does not read all that was written in a session
    // to see whether it was ended.
    if open.as_ref() == Some(&id) {
        atomic::replace(&project.layout.open_session(), b"", Durability::Process)?;
    }
    journal.append(time, &SessionEnded { outcome }.into())?;
    write_manifest(project, &id, project.config.durability.value)?;
    Ok(id)
}
