//! Sessions and runs: those that made what matches, or that match themselves.

use std::collections::BTreeSet;

use rusqlite::types::Value as Sql;
use rusqlite::{params, params_from_iter};

use super::super::lower::{Home, home, lower};
use super::rows::{columns_from, fact_of};
use super::{Asking, OF_SESSIONS};
use crate::engine::{Cell, Found, FoundRow, Look, What};

impl Asking<'_> {
    pub(super) fn sessions(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let mut ids: BTreeSet<i64> = BTreeSet::new();
        let scope = self.scope(None);
        for candidate in self.candidates(&scope, false)? {
            if let Some(session) = &candidate.session
                && self.judge(&candidate, look)?.0
            {
                ids.extend(self.session_rows(session)?);
            }
        }
        let own = lower(self.db, &self.query.filter, true)?;
        let mut sql = format!("SELECT g.id FROM {OF_SESSIONS} WHERE {}", own.sql);
        let mut values = own.values;
        if let Some(project) = self.query.project {
            sql.push_str(" AND g.project = ?");
            values.push(Sql::Integer(project));
        }
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        for id in rows {
            ids.insert(id?);
        }
        let mut found = Found {
            total: ids.len() as u64,
            among: self.count_of("_sessions")?,
            ..Found::default()
        };
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.push(self.session_row(id)?);
        }
        self.settle(&mut found, rows);
        Ok(found)
    }

    pub(super) fn count_of(&self, table: &'static str) -> rusqlite::Result<u64> {
        match self.query.project {
            Some(project) => self.number(
                &format!("SELECT count(*) FROM {table} WHERE project = ?"),
                vec![Sql::Integer(project)],
            ),
            None => self.number(&format!("SELECT count(*) FROM {table}"), vec![]),
        }
    }

    pub(super) fn session_rows(&self, session: &str) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id FROM _sessions WHERE session_id = ?1 AND (?2 IS NULL OR project = ?2)",
        )?;
        let rows = statement.query_map(params![session, self.query.project], |row| row.get(0))?;
        rows.collect()
    }

    pub(super) fn session_row(&self, id: i64) -> rusqlite::Result<FoundRow> {
        let (root, mark, mut fields): (String, i64, Vec<(String, Cell)>) = self
            .db
            .prepare_cached(
                "SELECT p.root, s.mark, s.session_id, s.session_start, s.session_end, s.outcome, s.host,
                   (SELECT count(*) FROM _told t WHERE t.session = s.id AND t.state <> 'removed') AS artifacts
                 FROM _sessions s JOIN _projects p ON p.id = s.project WHERE s.id = ?",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, columns_from(row, 2)?)))?;
        let extra: Vec<&str> = self.query.columns.iter().map(String::as_str).collect();
        for name in ["git_commit", "git_dirty"].into_iter().chain(extra) {
            if fields.iter().any(|(known, _)| known == name) {
                continue;
            }
            let value = match home(self.db, name)? {
                Home::Session(machine) => fact_of(self.db, mark, &machine)?,
                _ => fact_of(self.db, mark, name)?,
            };
            fields.push((name.to_owned(), value.map_or(Cell::Missing, Cell::Value)));
        }
        Ok(FoundRow {
            id,
            root,
            fields,
            places: Vec::new(),
        })
    }

    pub(super) fn runs(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for candidate in self.candidates(&self.scope(None), false)? {
            if let Some(run) = &candidate.run
                && self.judge(&candidate, look)?.0
            {
                names.insert(run.clone());
            }
        }
        let mut rows = Vec::new();
        for name in names {
            rows.extend(self.run_rows(&name)?);
        }
        let among = match self.query.project {
            Some(project) => self.number(
                "SELECT count(*) FROM _runs r JOIN _sessions s ON s.id = r.session WHERE s.project = ?",
                vec![Sql::Integer(project)],
            )?,
            None => self.number("SELECT count(*) FROM _runs", vec![])?,
        };
        let mut found = Found {
            total: rows.len() as u64,
            among,
            ..Found::default()
        };
        self.settle(&mut found, rows);
        Ok(found)
    }

    pub(super) fn run_rows(&self, run: &str) -> rusqlite::Result<Vec<FoundRow>> {
        let mut statement = self.db.prepare_cached(
            "SELECT p.root, r.session, r.run_id, r.start AS run_start, r.end AS run_end, r.outcome, r.duration_s, r.exit_code,
               r.script_name, r.rank, r.host, s.session_id
             FROM _runs r JOIN _sessions s ON s.id = r.session JOIN _projects p ON p.id = s.project
             WHERE r.run_id = ?1 AND (?2 IS NULL OR s.project = ?2)",
        )?;
        let rows = statement.query_map(params![run, self.query.project], |row| {
            Ok(FoundRow {
                root: row.get(0)?,
                id: row.get(1)?,
                fields: columns_from(row, 2)?,
                places: Vec::new(),
            })
        })?;
        rows.collect()
    }

    /// Sorts rows that are all in memory, and cuts them to the limit.
    pub(super) fn settle(&self, found: &mut Found, mut rows: Vec<FoundRow>) {
        let (field, upwards) = &self.query.sort;
        let default = match self.query.what {
            What::Runs => "run_start",
            _ => "session_start",
        };
        let field = if field == "timestamp" { default } else { field };
        let key = |row: &FoundRow| {
            let cell = row.fields.iter().find(|(name, _)| name == field);
            match cell {
                Some((_, Cell::Value(value))) => Some(value.key()),
                _ => None,
            }
        };
        rows.sort_by(|a, b| {
            let (left, right) = (key(a), key(b));
            let nulls = left.is_none().cmp(&right.is_none());
            let order = left.cmp(&right).then(a.id.cmp(&b.id));
            nulls.then(if *upwards { order } else { order.reverse() })
        });
        rows.truncate(self.query.limit.unwrap_or(usize::MAX));
        found.rows = rows;
    }
}
