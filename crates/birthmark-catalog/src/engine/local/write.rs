//! Taking over what was found: sessions, files, and what follows from both.
//!
//! A row of `_artifacts` joins what journals tell of a file with what the file itself
//! carries. It is derived anew whenever one of the two changes, by [`Writer::derive`], so
//! its content depends on what is there and not on the order in which it was found.

mod derive;
mod due;
mod files;
mod marks;
mod posts;
mod same;
mod sessions;
mod wrote;

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use crate::engine::{Change, ELSEWHERE};
use crate::value::Value;

pub(super) use due::is_due;
pub(super) use posts::unlist;
pub(super) use same::group_kin;
pub(super) use sessions::{liveness_of, waiting};
pub(super) use wrote::look_at_moved;

/// Facts that stand in columns of their own, since nearly every record has another.
const APART: [&str; 3] = ["timestamp", "session_id", "run_id"];
/// Entries that are kept in memory of what was written before.
const MEMORY: usize = 200_000;

type Facts = Vec<(String, Value)>;

/// Writes within one transaction.
pub(super) struct Writer<'a> {
    db: &'a Connection,
    project: i64,
    facts: HashMap<(String, Vec<u8>, String), i64>,
    marks: HashMap<[u8; 16], i64>,
    overlaid: HashMap<(i64, i64, u64), i64>,
    posts: posts::Posts,
    /// Whether anything may be due; not known at first.
    due: Option<bool>,
    /// Digests of what was made and carries nothing within, of which something else is told than before.
    rewritten: HashSet<String>,
    /// Kins of which one changed.
    parted: HashSet<[u8; 16]>,
    /// A file that another process read on meanwhile.
    overtaken: Option<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(db: &'a Connection, project: i64) -> Self {
        Self {
            db,
            project,
            facts: HashMap::new(),
            marks: HashMap::new(),
            overlaid: HashMap::new(),
            posts: posts::Posts::default(),
            due: None,
            rewritten: HashSet::new(),
            parted: HashSet::new(),
            overtaken: None,
        }
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    /// Writes what is only written once, at the end.
    pub(super) fn finish(&mut self) -> rusqlite::Result<()> {
        self.derive_moved()?;
        self.write_same()?;
        self.write_posts()
    }

    /// Takes over one change.
    pub(super) fn apply(&mut self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Session(facts) => self.session(facts),
            Change::SessionGone(id) => self.session_gone(id),
            Change::File(facts) => self.file(facts),
            Change::FileGone(file) => self.file_gone(file),
            Change::Seen {
                folder,
                name,
                state,
                file,
            } => {
                if self.overtaken.as_ref() == Some(file) {
                    return Ok(());
                }
                self.run(
                    "INSERT OR REPLACE INTO _files (project, folder, name, state, file) VALUES (?, ?, ?, ?, ?)",
                    params![self.project, folder, name, state, file],
                )?;
                self.elsewhere(file)
            }
            Change::Unseen { folder, name, file } => {
                self.run(
                    "DELETE FROM _files WHERE project = ? AND folder = ? AND name = ?",
                    params![self.project, folder, name],
                )?;
                self.elsewhere(file)
            }
            Change::Folder { folder, state } => self
                .run(
                    "INSERT OR REPLACE INTO _folders (project, folder, state) VALUES (?, ?, ?)",
                    params![self.project, folder, state],
                )
                .map(drop),
            Change::FolderGone(folder) => {
                self.run(
                    "DELETE FROM _folders WHERE project = ? AND folder = ?",
                    params![self.project, folder],
                )?;
                let files: Vec<String> = self
                    .db
                    .prepare_cached("SELECT file FROM _files WHERE project = ? AND folder = ?")?
                    .query_map(params![self.project, folder], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                self.run(
                    "DELETE FROM _files WHERE project = ? AND folder = ?",
                    params![self.project, folder],
                )?;
                files.iter().try_for_each(|file| self.elsewhere(file))
            }
        }
    }
}

impl Writer<'_> {
    /// Notes whether a file is told of and lies in no folder that was seen, so that a question
    /// need not look for such files among all.
    fn elsewhere(&self, file: &str) -> rusqlite::Result<()> {
        let told: Option<String> = self
            .db
            .prepare_cached(
                "SELECT max(timestamp) FROM _told WHERE project = ?1 AND file = ?2 AND NOT EXISTS (
                   SELECT 1 FROM _files WHERE project = ?1 AND file = ?2 AND folder <> ?3)",
            )?
            .query_row(params![self.project, file, ELSEWHERE], |row| row.get(0))?;
        match told {
            Some(time) => self.run(
                "INSERT OR REPLACE INTO _elsewhere (project, file, timestamp) VALUES (?, ?, ?)",
                params![self.project, file, time],
            ),
            None => self.run(
                "DELETE FROM _elsewhere WHERE project = ? AND file = ?",
                params![self.project, file],
            ),
        }
        .map(drop)
    }
}

/// A number as a float that SQL can calculate with.
fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
