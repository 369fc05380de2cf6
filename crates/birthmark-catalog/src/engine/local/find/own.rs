//! What sessions and runs are asked for that is no field of what they made: how they ended,
//! when, after how long, and what became of their code meanwhile; the last also of artifacts.
//!
//! # Invariants
//!
//! * What a session or run made is asked together with these: `outcome=failed accuracy>0.9`
//!   are runs that failed and made such an artifact.

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Row, params_from_iter};

use super::super::lists::Class;
use super::super::owners::{self, Owner};
use super::super::rolls;
use super::super::sets::{Filling, Set};
use super::home::Home;
use super::owners::RunKey;
use super::rows::fact_of;
use super::{Asking, Ground, Of};
use crate::engine::What;
use crate::value::{Kind, Value};

/// Runs are looked up one by one where they are less than this share of all, else all are gone through.
const SHARE: u64 = 16;

/// A run that made nothing, by its number.
pub(super) type Barren = (i64, RunKey);

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
    of(Owner::Run, DRIFT, "o.drift"),
    of(
        Owner::Session,
        DRIFT,
        "(SELECT json_group_array(change) FROM (SELECT DISTINCT j.value AS change FROM _runs r, json_each(r.drift) j
           WHERE r.session = o.id AND r.drift <> '[]'))",
    ),
];

/// What changed in the code while it ran: a list, or nothing.
pub(super) const DRIFT: &str = "drift";

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

/// The column of the run that made an artifact, where no artifact has a field of that name.
pub(super) fn of_maker(what: What, name: &str) -> Option<&'static Own> {
    (what == What::Artifacts && name == DRIFT)
        .then(|| own(What::Runs, name))
        .flatten()
}

impl Own {
    fn table(&self) -> &'static str {
        match self.owner {
            Owner::Session => "_sessions",
            Owner::Run => "_runs",
        }
    }

    /// The value that a cell of this column holds.
    pub(super) fn value(&self, cell: Sql) -> Option<Value> {
        match cell {
            Sql::Text(text) if self.name == DRIFT => drift(&text),
            other => value_of(other),
        }
    }

    /// The cell of the session or run that made a group.
    pub(super) fn of_group(&self) -> String {
        let (table, sql, id) = (self.table(), self.sql, self.owner.field());
        format!(
            "SELECT (SELECT {sql} FROM {table} o WHERE o.{id} = g.{id} LIMIT 1) FROM _groups g WHERE g.id = ?"
        )
    }
}

/// What changed, as it is stored; nothing did, where that is an empty list.
pub(super) fn drift(stored: &str) -> Option<Value> {
    (stored != "[]").then(|| Value::of_json(stored.as_bytes()))
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
    /// The rows whose value of a column fits, and those whose value is of one of these classes.
    pub(super) fn owned(
        &self,
        own: &Own,
        fits: &dyn Fn(&Value) -> bool,
        classes: &[Class],
    ) -> rusqlite::Result<(Set, Set)> {
        let told = |cell: Sql| {
            let value = own.value(cell);
            let is_such = |value: &Value| {
                let key = match value.kind() {
                    Kind::Number => value.key(),
                    _ => Vec::new(),
                };
                classes.contains(&Class::of(value.kind(), &key))
            };
            (
                value.as_ref().is_some_and(fits),
                value.as_ref().is_some_and(is_such),
            )
        };
        let (mut fitting, mut such) = (Filling::default(), Filling::default());
        let mut take = |id: i64, (fits, is_such): (bool, bool)| {
            if fits {
                fitting.insert(id);
            }
            if is_such {
                such.insert(id);
            }
        };
        if rolls::have(own.owner, own.name) {
            let mut judge = |cell: ValueRef<'_>| told(cell.try_into().unwrap_or(Sql::Null));
            let judged = rolls::each(self.db, own.owner, own.name, &mut judge)?;
            let id = if self.of == Of::Sessions {
                "row"
            } else {
                "number"
            };
            let ids = rolls::numbers(self.db, own.owner, id)?;
            ids.into_iter()
                .zip(judged)
                .for_each(|(id, told)| take(id, told));
        } else {
            let id = if self.of == Of::Sessions {
                "id"
            } else {
                "number"
            };
            let (sql, table) = (own.sql, own.table());
            let sql = format!("SELECT o.{id}, {sql} FROM {table} o");
            let mut statement = self.db.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                take(row.get(0)?, told(row.get(1)?));
            }
        }
        let (fitting, such) = (fitting.done(), such.done());
        if self.of != Of::Groups {
            return Ok((fitting, such));
        }
        let groups = owners::groups_of(self.db, own.owner, &fitting)?;
        if such == fitting {
            return Ok((groups.clone(), groups));
        }
        let others = owners::groups_of(self.db, own.owner, &such)?;
        Ok((groups, others))
    }
}

impl Asking<'_> {
    /// Those of the runs that made nothing that match themselves, with what is known of their
    /// session.
    pub(super) fn that_hold_alone(
        &self,
        mut barren: Vec<Barren>,
        among: u64,
    ) -> rusqlite::Result<Vec<Barren>> {
        if barren.len() as u64 > among / SHARE {
            let made = owners::all(self.db, Owner::Run)?;
            let is_barren = |row: &Row<'_>| Ok(!made.contains(row.get(0)?));
            let from = "FROM _runs o WHERE o.project = ?1";
            let hold = self.that_hold(Owner::Run, from, &self.each_project()?, &is_barren)?;
            barren.retain(|(number, _)| hold.contains(*number));
            return Ok(barren);
        }
        let mut out = Vec::new();
        for one in barren {
            let (_, (_, session, run)) = &one;
            let which = [vec![Sql::Integer(*session), Sql::Text(run.clone())]];
            let from = "FROM _runs o WHERE o.session = ?1 AND o.run_id = ?2";
            let hold = self.that_hold(Owner::Run, from, &which, &|_| Ok(true))?;
            if !hold.is_empty() {
                out.push(one);
            }
        }
        Ok(out)
    }

    fn each_project(&self) -> rusqlite::Result<Vec<Vec<Sql>>> {
        let projects = self.projects()?.into_iter();
        Ok(projects
            .map(|project| vec![Sql::Integer(project)])
            .collect())
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
        self.that_hold(Owner::Session, from, &self.each_project()?, &|_| Ok(true))
    }

    /// The numbers of runs, or the rows of sessions, that match themselves, one after the other:
    /// each is `o`, and the mark of its code is that of `o` or `c`. `from` is asked for `each`.
    fn that_hold(
        &self,
        owner: Owner,
        from: &str,
        each: &[Vec<Sql>],
        is_wanted: &dyn Fn(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<Set> {
        let columns: Vec<&Own> = COLUMNS.iter().filter(|own| own.owner == owner).collect();
        let (head, other): (_, &[(&str, &str)]) = match owner {
            Owner::Run => ("o.number, o.mark, o.start", &RUN_FIELDS),
            Owner::Session => ("o.id, c.mark, o.session_start", &SESSION_FIELDS),
        };
        let other = other.iter().copied();
        let other = other.map(|(name, sql)| (name, sql, None));
        let own = columns.iter().map(|own| (own.name, own.sql, Some(*own)));
        // What nobody asks for is not looked up.
        let asked: Vec<(&str, &str, Option<&Own>)> = other
            .chain(own)
            .filter(|(name, ..)| self.fields.iter().any(|field| field == name))
            .collect();
        let mut cells = vec![head];
        cells.extend(asked.iter().map(|(_, sql, _)| *sql));
        let sql = format!("SELECT {} {from}", cells.join(", "));
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut out = Set::default();
        for values in each {
            let mut rows = statement.query(params_from_iter(values))?;
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
                    let mut each = asked.iter().enumerate();
                    if let Some((at, (.., own))) = each.find(|(_, (name, ..))| *name == field) {
                        let stored = row.get(3 + at).ok()?;
                        return match own {
                            Some(own) => own.value(stored),
                            None => value_of(stored),
                        };
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
