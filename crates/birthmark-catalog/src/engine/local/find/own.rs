//! What sessions and runs are asked for that is no field of what they made: how they ended,
//! when, after how long.
//!
//! # Invariants
//!
//! * What a session or run made is asked together with these: `outcome=failed accuracy>0.9`
//!   are runs that failed and made such an artifact.

use rusqlite::types::Value as Sql;
use rusqlite::{Row, params};

use super::super::owners::{self, Owner};
use super::super::sets::Set;
use super::home::Home;
use super::rows::fact_of;
use super::{Asking, Ground, Of};
use crate::engine::What;
use crate::value::Value;

/// A column of sessions or of runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// Its name.
    name: &'static str,
    /// Where it stands, in the table `o`.
    sql: &'static str,
    /// Whose it is.
    owner: Owner,
}

const fn of(owner: Owner, name: &'static str, sql: &'static str) -> Own {
    Own { name, sql, owner }
}

static COLUMNS: &[Own] = &[
    of(Owner::Session, "session_start", "o.session_start"),
    of(Owner::Session, "session_end", "o.session_end"),
    of(Owner::Session, "outcome", "o.outcome"),
    of(
        Owner::Session,
        "artifacts",
        "(SELECT count(*) FROM _told t WHERE t.session = o.id AND t.state <> 'removed')",
    ),
    of(Owner::Run, "run_start", "o.start"),
    of(Owner::Run, "run_end", "o.end"),
    of(Owner::Run, "outcome", "o.outcome"),
    of(Owner::Run, "duration_s", "o.duration_s"),
    of(Owner::Run, "exit_code", "o.exit_code"),
    of(Owner::Run, "rank", "o.rank"),
    of(Owner::Run, "error", "o.error"),
];

/// The column of this name of what is looked for.
pub(super) fn own(what: What, name: &str) -> Option<&'static Own> {
    let owner = match what {
        What::Artifacts => return None,
        What::Sessions => Owner::Session,
        What::Runs => Owner::Run,
    };
    let mut all = COLUMNS.iter();
    all.find(|own| own.owner == owner && own.name == name)
}

impl Own {
    fn table(&self) -> &'static str {
        match self.owner {
            Owner::Session => "_sessions",
            Owner::Run => "_runs",
        }
    }

    /// The value of the session or run that made a group.
    pub(super) fn of_group(&self) -> String {
        let (table, sql, id) = (self.table(), self.sql, self.owner.field());
        format!(
            "SELECT (SELECT {sql} FROM {table} o WHERE o.{id} = g.{id} LIMIT 1) FROM _groups g WHERE g.id = ?"
        )
    }
}

fn value_of(cell: Sql) -> Option<Value> {
    match cell {
        Sql::Null | Sql::Blob(_) => None,
        Sql::Integer(number) => Value::number(&number.to_string()),
        Sql::Real(number) => Value::number(&number.to_string()),
        Sql::Text(text) => Some(Value::text(text)),
    }
}

impl Ground<'_> {
    /// The rows whose value of a column fits.
    pub(super) fn owned(&self, own: &Own, fits: &dyn Fn(&Value) -> bool) -> rusqlite::Result<Set> {
        let id = if self.of == Of::Sessions {
            "id"
        } else {
            "number"
        };
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT o.{id}, {} FROM {} o",
            own.sql,
            own.table()
        ))?;
        let mut rows = statement.query([])?;
        let mut numbers = Set::default();
        while let Some(row) = rows.next()? {
            if value_of(row.get(1)?).is_some_and(|value| fits(&value)) {
                numbers.insert(row.get(0)?);
            }
        }
        if self.of == Of::Sessions {
            return Ok(numbers);
        }
        let groups = owners::all(self.db, own.owner)?.into_iter();
        Ok(groups
            .filter(|(_, number)| numbers.contains(*number))
            .map(|(group, _)| group)
            .collect())
    }
}

impl Asking<'_> {
    /// Whether something is asked for that a run has itself, and not only what it made.
    pub(super) fn asks_for_runs(&self) -> rusqlite::Result<bool> {
        for field in &self.fields {
            let is_of_runs = match self.homes.of(field)? {
                Home::Own(_) | Home::Group(_) | Home::Time | Home::Session(_) => true,
                Home::Fact(name) => name.starts_with("git_") || name == "script_name",
                _ => false,
            };
            if is_of_runs {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The numbers of runs that made nothing and match themselves, with what is known of
    /// their session.
    pub(super) fn barren_runs(&self) -> rusqlite::Result<Set> {
        let made: Set = owners::all(self.db, Owner::Run)?
            .into_iter()
            .map(|(_, number)| number)
            .collect();
        let is_barren = |row: &Row<'_>| Ok(!made.contains(row.get(0)?));
        self.that_hold(Owner::Run, "FROM _runs o WHERE o.project = ?1", &is_barren)
    }

    /// Sessions in which several codes ran.
    pub(super) fn mixed_sessions(&self) -> rusqlite::Result<Set> {
        let mut statement = self.db.prepare_cached(
            "SELECT DISTINCT session FROM _runs INDEXED BY _runs_apart WHERE apart",
        )?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    }

    /// Those of them that match with one of their codes.
    pub(super) fn mixed_that_hold(&self) -> rusqlite::Result<Set> {
        let from = "FROM (SELECT session, mark FROM _runs INDEXED BY _runs_apart WHERE apart
                UNION SELECT id, mark FROM _sessions WHERE id IN (SELECT session FROM _runs INDEXED BY _runs_apart WHERE apart)) c
              CROSS JOIN _sessions o ON o.id = c.session WHERE o.project = ?1";
        self.that_hold(Owner::Session, from, &|_| Ok(true))
    }

    /// The numbers of runs, or the rows of sessions, that match themselves, one after the other:
    /// each is `o`, and the mark of its code is that of `o` or `c`.
    fn that_hold(
        &self,
        owner: Owner,
        from: &str,
        is_wanted: &dyn Fn(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<Set> {
        let columns: Vec<&Own> = COLUMNS.iter().filter(|own| own.owner == owner).collect();
        let (head, other): (_, &[(&str, &str)]) = match owner {
            Owner::Run => ("o.number, o.mark, o.start", &RUN_FIELDS),
            Owner::Session => ("o.id, c.mark, o.session_start", &SESSION_FIELDS),
        };
        let other = other.iter().copied();
        let own = columns.iter().map(|own| (own.name, own.sql));
        // What nobody asks for is not looked up.
        let asked: Vec<(&str, &str)> = other
            .chain(own)
            .filter(|(name, _)| self.fields.iter().any(|field| field == name))
            .collect();
        let mut cells = vec![head];
        cells.extend(asked.iter().map(|(_, sql)| *sql));
        let sql = format!("SELECT {} {from}", cells.join(", "));
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut out = Set::default();
        for project in self.projects()? {
            let mut rows = statement.query(params![project])?;
            while let Some(row) = rows.next()? {
                if !is_wanted(row)? {
                    continue;
                }
                let mark: i64 = row.get(1)?;
                let cell = |at: usize| row.get(at).ok().and_then(value_of);
                let known = |field: &str| -> Option<Value> {
                    if field == "timestamp" {
                        return cell(2);
                    }
                    if let Some(at) = asked.iter().position(|(name, _)| *name == field) {
                        return cell(3 + at);
                    }
                    match self.homes.of(field).ok()? {
                        Home::Fact(name) | Home::Session(name) => {
                            fact_of(self.db, mark, &name).ok().flatten()
                        }
                        _ => None,
                    }
                };
                if self.query.filter.ask(&known) == Some(true) {
                    out.insert(row.get(0)?);
                }
            }
        }
        Ok(out)
    }
}

/// What a run is asked for beside its columns.
const RUN_FIELDS: [(&str, &str); 5] = [
    ("run_id", "o.run_id"),
    (
        "session_id",
        "(SELECT s.session_id FROM _sessions s WHERE s.id = o.session)",
    ),
    ("script_name", "o.script_name"),
    ("host", "o.host"),
    (
        "project",
        "(SELECT p.root FROM _projects p WHERE p.id = o.project)",
    ),
];
/// What a session is asked for beside its columns.
const SESSION_FIELDS: [(&str, &str); 3] = [
    ("session_id", "o.session_id"),
    ("host", "o.host"),
    (
        "project",
        "(SELECT p.root FROM _projects p WHERE p.id = o.project)",
    ),
];
