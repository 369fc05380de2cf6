//! SQLite in a file of the user's cache folder.
//!
//! # Invariants
//!
//! * A change is taken over whole or not at all: a kill at any instant leaves what was
//!   there before, and the files that were not yet taken over count as changed.
//! * Writers take turns; readers see what was last committed.

mod clocks;
mod dump;
mod find;
mod functions;
mod growing;
mod known;
mod lately;
mod lists;
mod names;
mod owners;
mod place;
mod recorded;
mod rolls;
mod sets;
pub mod sql;
mod state;
mod values;
mod write;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{
    By, Change, Counts, Disagreement, Engine, Extent, Found, Growing, Known, Look, ProjectRow,
    Query, Sealed, SeenFile, SeenSession, SessionRow, Stretch,
};
use crate::error::CatalogError;

/// A stretch from seven columns: artifact, root, file, line, start, end, and the state of the
/// artifact, which is the last.
fn stretch_of(row: &Row<'_>, group: i64, all: bool) -> rusqlite::Result<Stretch> {
    let last = row.as_ref().column_count().saturating_sub(1);
    Ok(Stretch {
        artifact: row.get(0)?,
        group,
        root: row.get(1)?,
        file: row.get(2)?,
        line: number(row, 3)?,
        start: number(row, 4)?,
        end: number(row, 5)?,
        all,
        edited: row.get_ref(last)?.as_str_or_null()? == Some("edited"),
    })
}

/// A count; what is not known counts as none.
fn number(row: &Row<'_>, place: usize) -> rusqlite::Result<u64> {
    let number = row.get::<_, Option<i64>>(place)?;
    Ok(number.unwrap_or(0).unsigned_abs())
}

/// Changes at once that are those of a first reading, or nearly.
const MANY: usize = 200;

/// The catalog in a file.
#[derive(Debug)]
pub struct Local {
    opened: place::Opened,
}

impl Local {
    /// Opens the catalog in `folder`, made where there is none.
    pub fn open(folder: &Path) -> Result<Self, CatalogError> {
        Ok(Self {
            opened: place::open(folder)?,
        })
    }

    /// Whether there is one in a folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(place::NAME).exists()
    }

    /// A catalog in memory, for tests.
    pub fn in_memory() -> Result<Self, CatalogError> {
        Ok(Self {
            opened: place::in_memory()?,
        })
    }

    /// Removes a catalog that turned out to be damaged. Nobody else may be using it.
    pub fn discard(folder: &Path) -> Result<(), CatalogError> {
        place::discard(folder)
    }

    /// Why the file was begun anew when it was opened, if it was.
    pub fn renewed(&self) -> Option<&'static str> {
        self.opened.renewed
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> CatalogError {
        let path: PathBuf = self.opened.path.clone();
        move |source| CatalogError::Engine {
            path: path.clone(),
            source,
        }
    }

    fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, CatalogError> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.opened.connection.prepare_cached(sql)?;
            let rows = statement.query_map(values, row)?;
            rows.collect()
        };
        read().map_err(self.failed())
    }

    /// Reads all of it as it was at one moment, whatever others write meanwhile.
    fn at_once<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let attempt = || -> rusqlite::Result<T> {
            let moment = self.opened.connection.unchecked_transaction()?;
            read(&moment)
        };
        attempt().map_err(self.failed())
    }

    fn in_turn<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let attempt = || -> rusqlite::Result<T> {
            let transaction = Transaction::new_unchecked(
                &self.opened.connection,
                TransactionBehavior::Immediate,
            )?;
            let made = work(&transaction)?;
            transaction.commit()?;
            Ok(made)
        };
        attempt().map_err(self.failed())
    }
}

impl Engine for Local {
    fn project(&mut self, root: &str, artifacts: &str) -> Result<ProjectRow, CatalogError> {
        let known = self.rows(
            "SELECT id, root, artifacts FROM _projects WHERE artifacts = ?",
            [artifacts],
            project_of,
        )?;
        if let Some(known) = known.into_iter().find(|known| known.root == root) {
            return Ok(known);
        }
        self.in_turn(|transaction| {
            transaction.query_row(
                "INSERT INTO _projects (root, artifacts) VALUES (?, ?)
                 ON CONFLICT (artifacts) DO UPDATE SET root = excluded.root RETURNING id, root, artifacts",
                [root, artifacts],
                project_of,
            )
        })
    }

    fn projects(&self) -> Result<Vec<ProjectRow>, CatalogError> {
        self.rows(
            "SELECT id, root, artifacts FROM _projects ORDER BY root, artifacts",
            [],
            project_of,
        )
    }

    fn extents(&self) -> Result<Vec<Extent>, CatalogError> {
        let projects = self.projects()?;
        self.at_once(|db| {
            let sessions = rolls::numbers(db, owners::Owner::Session, "project")?;
            let of = |project: ProjectRow| -> rusqlite::Result<Extent> {
                let artifacts = lists::label(db, lists::HERE, &lists::here(project.id, 1))?;
                let own = sessions.iter().filter(|of| **of == project.id);
                let looked = db
                    .prepare_cached("SELECT time FROM _looked WHERE project = ?")?
                    .query_row([project.id], |row| row.get(0))
                    .optional()?;
                Ok(Extent {
                    sessions: own.count() as u64,
                    artifacts: find::artifacts_of(db, artifacts)?,
                    looked,
                })
            };
            projects.into_iter().map(of).collect()
        })
    }

    fn looked(&mut self, project: i64, since: &str, now: &str) -> Result<(), CatalogError> {
        let is_known = self.rows(
            "SELECT 1 FROM _looked WHERE project = ?1 AND time BETWEEN ?2 AND ?3",
            [&project.to_string(), since, now],
            |_| Ok(()),
        )?;
        if !is_known.is_empty() {
            return Ok(());
        }
        self.in_turn(|transaction| {
            let sql = "INSERT OR REPLACE INTO _looked (project, time) VALUES (?, ?)";
            transaction.execute(sql, params![project, now])
        })?;
        Ok(())
    }

    fn forget(&mut self, project: i64) -> Result<(), CatalogError> {
        self.clear(project)?;
        self.in_turn(|transaction| {
            transaction.execute("DELETE FROM _looked WHERE project = ?", [project])?;
            transaction.execute("DELETE FROM _projects WHERE id = ?", [project])
        })?;
        Ok(())
    }

    fn clear(&mut self, project: i64) -> Result<(), CatalogError> {
        self.in_turn(|transaction| {
            write::unlist(transaction, project)?;
            // Others may have been one with what goes.
            let kins: Vec<[u8; 16]> = transaction
                .prepare(
                    "SELECT DISTINCT kin FROM _artifacts a WHERE project = ?1 AND kin IS NOT NULL AND EXISTS (
                       SELECT 1 FROM _artifacts b WHERE b.kin = a.kin AND b.project <> ?1)",
                )?
                .query_map([project], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut rolls = rolls::Edits::default();
            transaction
                .prepare("SELECT id FROM _sessions WHERE project = ?")?
                .query_map([project], |row| row.get(0))?
                .try_for_each(|id| id.map(|id| rolls.touch(id)))?;
            let groups = "SELECT g.id FROM _groups g JOIN _artifacts a ON a.id = g.artifact WHERE a.project = ?";
            for sql in [
                &format!("DELETE FROM _zones WHERE grp IN ({groups})"),
                "DELETE FROM _groups WHERE artifact IN (SELECT id FROM _artifacts WHERE project = ?)",
                "DELETE FROM _metrics WHERE artifact IN (SELECT id FROM _artifacts WHERE project = ?)",
                "DELETE FROM _runs WHERE session IN (SELECT id FROM _sessions WHERE project = ?)",
                "DELETE FROM _used WHERE session IN (SELECT id FROM _sessions WHERE project = ?)",
                "DELETE FROM _told WHERE project = ?",
                "DELETE FROM _elsewhere WHERE project = ?",
                "DELETE FROM _due WHERE project = ?",
                "DELETE FROM _artifacts WHERE project = ?",
                "DELETE FROM _sessions WHERE project = ?",
                "DELETE FROM _files WHERE project = ?",
                "DELETE FROM _folders WHERE project = ?",
            ] {
                transaction.execute(sql, [project])?;
            }
            rolls.write(transaction)?;
            for kin in kins {
                write::group_kin(transaction, kin)?;
            }
            tidy(transaction)
        })
    }

    fn seen_sessions(&self, project: i64, others: usize) -> Result<Vec<SeenSession>, CatalogError> {
        let most = i64::try_from(others).unwrap_or(i64::MAX);
        self.rows(
            "SELECT session_id, extent, open, outcome, session_start, session_end, processes FROM _sessions WHERE project = ?1 AND open = 1
             UNION ALL SELECT * FROM (SELECT session_id, extent, open, NULL, NULL, NULL, NULL FROM _sessions
               WHERE project = ?1 AND open = 0 ORDER BY session_id DESC LIMIT ?2)",
            params![project, most],
            |row| {
                Ok(SeenSession {
                    id: row.get(0)?,
                    extent: row.get(1)?,
                    open: row.get(2)?,
                    waiting: write::waiting(row)?.map(Box::new),
                })
            },
        )
    }

    fn session_ids(&self, project: i64) -> Result<Vec<String>, CatalogError> {
        self.rows(
            "SELECT session_id FROM _sessions WHERE project = ?",
            [project],
            |row| row.get(0),
        )
    }

    fn seen_folders(&self, project: i64) -> Result<Vec<(String, String)>, CatalogError> {
        self.rows(
            "SELECT folder, state FROM _folders WHERE project = ?",
            [project],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    fn seen_files(&self, project: i64, folder: &str) -> Result<Vec<SeenFile>, CatalogError> {
        self.rows(
            "SELECT name, state FROM _files WHERE project = ? AND folder = ?",
            params![project, folder],
            |row| {
                Ok(SeenFile {
                    name: row.get(0)?,
                    state: row.get(1)?,
                })
            },
        )
    }

    fn each_file(
        &self,
        project: i64,
        folder: &str,
        take: &mut dyn FnMut(&str, &str),
    ) -> Result<(), CatalogError> {
        let read = |take: &mut dyn FnMut(&str, &str)| -> rusqlite::Result<()> {
            let mut statement = self.opened.connection.prepare_cached(
                "SELECT name, state FROM _files WHERE project = ? AND folder = ?",
            )?;
            let mut rows = statement.query(params![project, folder])?;
            while let Some(row) = rows.next()? {
                take(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            }
            Ok(())
        };
        read(take).map_err(self.failed())
    }

    fn seen_file(
        &self,
        project: i64,
        file: &str,
    ) -> Result<Option<(String, SeenFile)>, CatalogError> {
        // Where it was seen as one of a folder, that comes last.
        let rows = self.rows(
            "SELECT folder, name, state FROM _files INDEXED BY _files_file WHERE project = ? AND file = ? ORDER BY folder",
            params![project, file],
            |row| {
                let (name, state) = (row.get(1)?, row.get(2)?);
                Ok((row.get(0)?, SeenFile { name, state }))
            },
        )?;
        Ok(rows.into_iter().next_back())
    }

    fn written_to(&self, project: i64) -> Result<Vec<String>, CatalogError> {
        self.rows(
            "SELECT t.file FROM _sessions s CROSS JOIN _told t ON t.session = s.id
             WHERE s.project = ? AND s.open = 1 AND t.state = 'open'",
            [project],
            |row| row.get(0),
        )
    }

    fn count_files(&self, project: i64, most: u64) -> Result<u64, CatalogError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows: Vec<i64> = self.rows(
            "SELECT count(*) FROM (SELECT 1 FROM _files WHERE project = ? LIMIT ?)",
            [project, most],
            |row| row.get(0),
        )?;
        Ok(rows.first().map_or(0, |count| count.unsigned_abs()))
    }

    fn told_elsewhere(&self, project: i64, most: usize) -> Result<Vec<String>, CatalogError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.rows(
            "SELECT file FROM _elsewhere WHERE project = ? ORDER BY timestamp DESC LIMIT ?",
            params![project, most],
            |row| row.get(0),
        )
    }

    fn growing(&self, project: i64, file: &str) -> Result<Option<Growing>, CatalogError> {
        growing::growing(&self.opened.connection, project, file).map_err(self.failed())
    }

    fn sealed(&self, project: i64, file: &str) -> Result<Option<Sealed>, CatalogError> {
        recorded::sealed(&self.opened.connection, project, file).map_err(self.failed())
    }

    fn unread(&self, project: i64) -> Result<Vec<String>, CatalogError> {
        let mut unread = self.rows(
            "SELECT file FROM _artifacts WHERE project = ?1 AND read_on
             UNION SELECT file FROM _artifacts WHERE project = ?1 AND state = 'unchecked'",
            [project],
            |row| row.get(0),
        )?;
        let db = &self.opened.connection;
        unread.extend(recorded::maybe_moved(db, project).map_err(self.failed())?);
        Ok(unread)
    }

    fn plain_of(&self, project: i64, size: u64) -> Result<Option<String>, CatalogError> {
        recorded::plain_of(&self.opened.connection, project, size).map_err(self.failed())
    }

    fn table_columns(&self) -> Result<Vec<String>, CatalogError> {
        known::table_columns(&self.opened.connection).map_err(self.failed())
    }

    fn apply(&mut self, project: i64, changes: &[Change]) -> Result<(), CatalogError> {
        if changes.len() > MANY {
            let connection = &self.opened.connection;
            let more = connection.pragma_update(None, "cache_size", place::ROOMY);
            more.map_err(self.failed())?;
        }
        self.in_turn(|transaction| {
            let mut writer = write::Writer::new(transaction, project);
            changes.iter().try_for_each(|change| writer.apply(change))?;
            writer.finish()
        })
    }

    fn settle(&mut self, project: i64) -> Result<(), CatalogError> {
        while write::is_due(&self.opened.connection, project).map_err(self.failed())? {
            self.in_turn(|transaction| {
                let mut writer = write::Writer::new(transaction, project);
                writer.settle()?;
                writer.finish()
            })?;
        }
        Ok(())
    }

    fn find(&self, query: &Query, look: &mut Look<'_>) -> Result<Found, CatalogError> {
        self.at_once(|db| find::Asking::new(db, query).answer(look))
    }

    fn total(&self, query: &Query, look: &mut Look<'_>) -> Result<u64, CatalogError> {
        self.at_once(|db| find::Asking::new(db, query).total(look))
    }

    fn group_by(
        &self,
        query: &Query,
        fields: &[By],
        look: &mut Look<'_>,
    ) -> Result<(Found, Counts), CatalogError> {
        self.at_once(|db| find::Asking::new(db, query).group_by(fields, look))
    }

    fn stretches(&self, query: &Query) -> Result<Vec<(Stretch, Known)>, CatalogError> {
        self.at_once(|db| find::Asking::new(db, query).stretches())
    }

    fn unsure(&self, query: &Query) -> Result<(u64, Vec<(Stretch, Known)>), CatalogError> {
        find::Asking::new(&self.opened.connection, query)
            .unsure()
            .map_err(self.failed())
    }

    fn sessions(
        &self,
        project: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<SessionRow>, u64), CatalogError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        // Two forms: so that each goes along an index of its own.
        let scope = if project.is_some() {
            "s.project = ?1"
        } else {
            "?1 IS NULL"
        };
        let rows = self.rows(
            &format!(
                "SELECT s.session_id, p.root, s.session_start, s.last_heard, s.session_end, s.outcome, s.host, s.mark, s.planned,
                   s.made, s.processes, s.id
                 FROM _sessions s CROSS JOIN _projects p ON p.id = s.project WHERE {scope}
                 ORDER BY s.session_start DESC, s.session_id DESC LIMIT ?2"
            ),
            params![project, most],
            |row| self.session_of(row),
        )?;
        let all = self.at_once(|db| rolls::sessions_of(db, project))?;
        Ok((rows, all.count()))
    }

    fn disagreements(&self, sessions: &[String]) -> Result<Vec<Disagreement>, CatalogError> {
        clocks::disagreements(&self.opened.connection, sessions).map_err(self.failed())
    }

    fn host(&self, session: &str) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT host FROM _sessions WHERE session_id = ? AND host IS NOT NULL ORDER BY id LIMIT 1";
        let found = self.rows(sql, [session], |row| row.get(0))?;
        Ok(found.into_iter().next())
    }

    fn names(&self, project: Option<i64>) -> Result<(Vec<String>, Vec<String>), CatalogError> {
        known::names_of(&self.opened.connection, project).map_err(self.failed())
    }

    fn values(
        &self,
        project: Option<i64>,
        field: &str,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<String>, CatalogError> {
        values::values(&self.opened.connection, project, field, prefix, most).map_err(self.failed())
    }

    fn tidy(&mut self) -> Result<(), CatalogError> {
        self.in_turn(tidy)
    }

    fn dump(&self) -> Result<String, CatalogError> {
        dump::dump(&self.opened.connection).map_err(self.failed())
    }
}

fn project_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<ProjectRow> {
    Ok(ProjectRow {
        id: row.get(0)?,
        root: row.get(1)?,
        artifacts: row.get(2)?,
    })
}

/// Removes marks and facts that nothing names any longer.
fn tidy(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "DELETE FROM _marks WHERE id NOT IN (
           SELECT mark FROM _groups UNION SELECT raw FROM _groups UNION SELECT mark FROM _told
           UNION SELECT mark FROM _sessions UNION SELECT mark FROM _runs UNION SELECT mark FROM _artifacts);
         DELETE FROM _mark_facts WHERE mark NOT IN (SELECT id FROM _marks);
         DELETE FROM _facts WHERE id NOT IN (SELECT fact FROM _mark_facts);
         DELETE FROM _packages WHERE list NOT IN (SELECT packages FROM _sessions WHERE packages IS NOT NULL);",
    )?;
    let mut names = names::Edits::default();
    transaction
        .prepare(
            "DELETE FROM _labels WHERE id NOT IN (
               SELECT (row >> 26) / 4 FROM _postings WHERE (row >> 26) % 4 = 3 UNION SELECT number FROM _sessions UNION SELECT number FROM _runs)
             RETURNING id, name",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
        .try_for_each(|label| {
            label.map(|(id, name)| {
                if name == owners::Owner::Session.field() {
                    names.set(names::Named::Session, id, "");
                }
            })
        })?;
    names.write(transaction)
}
