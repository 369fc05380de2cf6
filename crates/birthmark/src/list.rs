//! What happened lately: the newest sessions, of this project or of all.

use birthmark_catalog::engine::{Engine, SessionRow};
use birthmark_core::Timestamp;
use birthmark_core::session::{CodeSeen, commit_of, dirty_of};
use serde_json::{Value, json};

use crate::catalog::{Catalog, Depth};
use crate::clocks::{Clocks, Told};
use crate::error::Result;
use crate::project::Project;

pub use birthmark_catalog::engine::SessionRow as Session;

/// The newest sessions.
#[derive(Debug)]
pub struct Lately {
    /// They, the newest first.
    pub sessions: Vec<SessionRow>,
    /// How many there are in all.
    pub total: u64,
    /// Lines for the person.
    pub said: Vec<String>,
    /// Clocks that disagree.
    pub clocks: Clocks,
}

/// Lists the newest sessions.
pub fn list(project: &Project, everywhere: bool, limit: usize, now: Timestamp) -> Result<Lately> {
    let mut catalog = Catalog::open()?;
    let row = if everywhere {
        crate::find::update_all(&mut catalog, project)?;
        None
    } else {
        catalog.refresh(project, Depth::Question)?;
        Some(catalog.row_of(project)?.id)
    };
    let (sessions, total) = catalog.engine.sessions(row, limit)?;
    let told: Vec<_> = sessions
        .iter()
        .map(|one| Told {
            session: one.id.to_string(),
            host: one.host.clone(),
            time: one.start,
            file: None,
        })
        .collect();
    let clocks = Clocks::of(&catalog, &told, now)?;
    Ok(Lately {
        sessions,
        total,
        said: std::mem::take(&mut catalog.said),
        clocks,
    })
}

/// Running, completed, interrupted …: seen at once, never stored.
pub fn status(row: &SessionRow, now: Timestamp) -> birthmark_core::session::Status {
    row.session.status(now, crate::machine::is_alive)
}

/// A session as JSON.
pub fn to_json(row: &SessionRow, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "session_id": row.id.as_str(),
        "project": row.root,
        "status": status(row, now).word(),
        "session_start": time(row.start),
        "session_end": row.end.as_ref().map(|(time, _)| time.to_string()),
        "last_heard": time(row.last_heard),
        "scripts": row.scripts,
        "commands": row.commands,
        "runs": row.runs,
        "artifacts": row.artifacts,
        "records": row.records,
        "planned": row.planned.0,
        "made": row.planned.1,
        "git_commit": commit_of(&row.codes),
        "git_dirty": dirty_of(&row.codes),
        "codes": codes_json(&row.codes),
        "drift": row.drift,
        "host": row.host,
    })
}

/// The codes that ran in a session, as JSON.
pub(crate) fn codes_json(codes: &[CodeSeen]) -> Value {
    let code = |one: &CodeSeen| json!({"git_commit": one.commit, "git_dirty": one.dirty, "git_snapshot": one.snapshot});
    codes.iter().map(code).collect()
}
