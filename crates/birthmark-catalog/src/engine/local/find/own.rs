//! What sessions and runs are asked for that is no field of what they made: how they ended,
//! when, after how long.
//!
//! # Invariants
//!
//! * What a session or run made is asked together with these: `outcome=failed accuracy>0.9`
//!   are runs that failed and made such an artifact.

use std::collections::HashSet;

use rusqlite::params;
use rusqlite::types::Value as Sql;

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
    /// Whether a column of what is looked for is asked for.
    pub(super) fn asks_for_own(&self) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|field| own(self.query.what, field).is_some())
    }

    /// The numbers of runs that made nothing and match themselves, with what is known of
    /// their session.
    pub(super) fn barren_runs(&self) -> rusqlite::Result<Set> {
        let made: HashSet<i64> = owners::all(self.db, Owner::Run)?
            .into_iter()
            .map(|(_, number)| number)
            .collect();
        let columns: Vec<&Own> = COLUMNS
            .iter()
            .filter(|own| own.owner == Owner::Run)
            .collect();
        let cells: Vec<&str> = columns.iter().map(|own| own.sql).collect();
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT o.number, s.mark, o.run_id, s.session_id, o.script_name, o.host, p.root, {}
             FROM _runs o JOIN _sessions s ON s.id = o.session JOIN _projects p ON p.id = s.project
             WHERE o.project = coalesce(?, o.project)",
            cells.join(", ")
        ))?;
        let mut rows = statement.query(params![self.query.project])?;
        let mut out = Set::default();
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            if made.contains(&number) {
                continue;
            }
            let mark: i64 = row.get(1)?;
            let cell = |at: usize| row.get(at).ok().and_then(value_of);
            let known = |field: &str| -> Option<Value> {
                if let Some(at) = columns.iter().position(|own| own.name == field) {
                    return cell(at + 7);
                }
                let column = ["run_id", "session_id", "script_name", "host", "project"]
                    .iter()
                    .position(|name| *name == field);
                match (column, field) {
                    (Some(at), _) => cell(at + 2),
                    (None, "timestamp") => cell(7),
                    _ => match self.homes.of(field).ok()? {
                        Home::Fact(name) | Home::Session(name) => {
                            fact_of(self.db, mark, &name).ok().flatten()
                        }
                        _ => None,
                    },
                }
            };
            if self.query.filter.ask(&known) == Some(true) {
                out.insert(number);
            }
        }
        Ok(out)
    }
}
