//! Which snapshots there are, and what is known of one.

use std::path::Path;

use birthmark_capture::git;
use birthmark_core::event::SnapshotTaken;
use birthmark_core::snapshot::REFERENCES;
use birthmark_core::{RunId, SessionId, Timestamp};
use serde_json::{Value, json};

use super::diff::{Differing, between};
use super::keep::Note;
use super::source::{self, Lives};
use super::wanted;
use crate::error::Result;
use crate::project::Project;
use crate::sessions;

/// One snapshot of a session.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The session.
    pub session: SessionId,
    /// The run in it.
    pub run: Option<RunId>,
    /// When it was taken.
    pub time: Timestamp,
    /// What was told of it.
    pub taken: SnapshotTaken,
    /// Where it lives now.
    pub lives: Lives,
    /// Bytes that the store takes for it, without what it shares with earlier ones.
    pub kept_bytes: Option<u64>,
}

impl Listed {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::to_value(&self.taken).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("session_id".to_owned(), Value::from(self.session.as_str()));
            let run = self.run.as_ref().map(RunId::as_str);
            fields.insert("run_id".to_owned(), Value::from(run));
            fields.insert("time".to_owned(), Value::from(self.time.to_string()));
            fields.insert("lives".to_owned(), self.lives.to_json());
            fields.insert("kept_bytes".to_owned(), Value::from(self.kept_bytes));
        }
        value
    }
}

/// All snapshots of a project, the newest first.
pub fn list(project: &Project) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for id in sessions::ids(project)? {
        // A session that cannot be read is `verify`'s to tell.
        let Ok(loaded) = sessions::load(project, &id) else {
            continue;
        };
        let own = loaded.session.own_snapshot();
        let own_root = own.map(|one| one.taken.root.clone());
        for snapshot in loaded.session.snapshots {
            let path = &snapshot.taken.path;
            // Code that was imported from a repository within lies within this one, too.
            let within = own_root.as_ref().and_then(|root| {
                let within = Path::new(path).strip_prefix(root).ok()?;
                within.to_str()
            });
            let lives =
                source::lives_below(project, within.unwrap_or(path), &snapshot.taken.commit);
            let note = Note::read(&project.layout, &snapshot.taken.commit);
            listed.push(Listed {
                kept_bytes: note.map(|note| note.bytes(&project.layout)),
                session: id.clone(),
                run: snapshot.run,
                time: snapshot.time,
                lives,
                taken: snapshot.taken,
            });
        }
    }
    listed.sort_by_key(|one| std::cmp::Reverse(one.time));
    Ok(listed)
}

/// One commit that somebody ran.
#[derive(Debug, Clone)]
pub struct Described {
    /// The commit.
    pub commit: String,
    /// The session that tells of it.
    pub session: Option<SessionId>,
    /// Whether it is a snapshot; else it is the commit of a clean tree.
    pub is_snapshot: bool,
    /// What was told when it was taken; `None` also where that is not here.
    pub taken: Option<SnapshotTaken>,
    /// What ran and is not in it, as reasons.
    pub unkept: Vec<String>,
    /// Where it lives now.
    pub lives: Lives,
    /// What differs from its parent, if both are here; else why not.
    pub changes: Result<Vec<Differing>, String>,
}

impl Described {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "commit": self.commit,
            "session_id": self.session.as_ref().map(SessionId::as_str),
            "is_snapshot": self.is_snapshot,
            "unkept": self.unkept,
            "snapshot": self.taken,
            "lives": self.lives.to_json(),
            "changes": self.changes.as_ref().ok().map(|changes| {
                changes.iter().map(Differing::to_json).collect::<Vec<_>>()
            }),
            "unknown": self.changes.as_ref().err(),
        })
    }
}

/// What is known of the code of a session, an artifact, or of a commit.
pub fn describe(project: &Project, what: &str) -> Result<Described> {
    let wanted = wanted::find(project, what)?;
    let parent = wanted.taken.as_ref().map(|taken| taken.parent.clone());
    let changes = match parent {
        Some(parent) => source::find(project, &wanted.commit, &wanted.hints)
            .and_then(|source| between(&source.database, parent.as_deref(), &wanted.commit)),
        None => Ok(Vec::new()),
    };
    // What no session here tells of is a snapshot where this clone keeps it as one.
    let is_kept_as_one = || {
        let kept = git::snapshot::references(project.root()).unwrap_or_default();
        let mut kept = kept.iter();
        kept.any(|(name, commit)| name.starts_with(REFERENCES) && *commit == wanted.commit)
    };
    let is_snapshot = wanted.is_snapshot || wanted.session.is_none() && is_kept_as_one();
    Ok(Described {
        lives: source::lives(project, &wanted.commit),
        commit: wanted.commit,
        session: wanted.session,
        is_snapshot,
        unkept: wanted.unkept,
        taken: wanted.taken,
        changes,
    })
}
