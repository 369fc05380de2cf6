//! What is told of before it was looked at: its row is worked out once, when that was done, and not
//! twice. A first reading of a store tells of everything before it looks at anything.

use rusqlite::{Connection, params};

use super::Writer;

/// So many are worked out in one transaction.
const AT_ONCE: i64 = 1_000;

/// Whether anything was told of and is not worked out.
pub(in crate::engine::local) fn is_due(db: &Connection, project: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM _due WHERE project = ?)")?
        .query_row([project], |row| row.get(0))
}

impl Writer<'_> {
    /// Something else is told of a file than before.
    pub(super) fn told(&mut self, file: &str) -> rusqlite::Result<()> {
        if let Some(artifact) = self.known_artifact(file)? {
            self.derive(file)?;
            return self.look_again_if_edited(artifact);
        }
        self.due = Some(true);
        self.run(
            "INSERT OR IGNORE INTO _due (project, file) VALUES (?, ?)",
            params![self.project, file],
        )
        .map(drop)
    }

    /// Works out what was told of and not looked at since.
    pub(in crate::engine::local) fn settle(&mut self) -> rusqlite::Result<()> {
        let files: Vec<String> = self
            .db
            .prepare_cached("SELECT file FROM _due WHERE project = ? LIMIT ?")?
            .query_map([self.project, AT_ONCE], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        files.iter().try_for_each(|file| self.derive(file))
    }

    /// A file is worked out.
    pub(super) fn is_done(&mut self, file: &str) -> rusqlite::Result<()> {
        let due = match self.due {
            Some(due) => due,
            None => is_due(self.db, self.project)?,
        };
        self.due = Some(due);
        if due {
            self.run(
                "DELETE FROM _due WHERE project = ? AND file = ?",
                params![self.project, file],
            )?;
        }
        Ok(())
    }
}
