//! Sessions and runs: those that made what matches, or that match themselves.

use std::collections::HashSet;

use rusqlite::types::Value as Sql;
use rusqlite::{params, params_from_iter};

use super::super::lists::{Whose, number_of};
use super::super::sets::Set;
use super::home::{Home, home};
use super::rows::{columns_from, fact_of};
use super::{Asking, Ground, Of};
use crate::engine::{Cell, Found, FoundRow, Look, What};
use crate::filter::Filter;

/// Groups of which each is asked for its session, rather than each session for its groups.
const FEW: u64 = 100_000;

impl Asking<'_> {
    pub(super) fn sessions(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let all = self.all_sessions()?;
        let among = all.count();
        let mut ids = Ground {
            db: self.db,
            of: Of::Sessions,
            all: all.clone(),
        }
        .ask(&self.query.filter)?
        .could;
        if self.query.filter != Filter::All {
            for session in self.owners("session_id", &self.holding_groups(look)?)? {
                ids |= &self.session_rows(&session)?;
            }
        }
        ids &= &all;
        let mut found = Found {
            total: ids.count(),
            among,
            ..Found::default()
        };
        if self.query.sort.0 == "timestamp" {
            for id in self.newest_sessions(&ids)? {
                found.rows.push(self.session_row(id)?);
            }
            return Ok(found);
        }
        let rows: Vec<FoundRow> = ids
            .iter()
            .map(|id| self.session_row(id))
            .collect::<rusqlite::Result<_>>()?;
        self.settle(&mut found, rows);
        Ok(found)
    }

    fn all_sessions(&self) -> rusqlite::Result<Set> {
        let mut statement = self.db.prepare_cached(match self.query.project {
            Some(_) => "SELECT id FROM _sessions WHERE project = ?1",
            None => "SELECT id FROM _sessions WHERE ?1 IS NULL",
        })?;
        let rows = statement.query_map([self.query.project], |row| row.get(0))?;
        rows.collect()
    }

    /// Sessions in the order of their beginning, up to the limit; those without come last.
    fn newest_sessions(&self, ids: &Set) -> rusqlite::Result<Vec<i64>> {
        let limit = self.query.limit.unwrap_or(usize::MAX);
        let (scope, way) = (
            if self.query.project.is_some() {
                "project = ?1"
            } else {
                "?1 IS NULL"
            },
            if self.query.sort.1 { "ASC" } else { "DESC" },
        );
        let mut out = Vec::new();
        for is_null in ["IS NOT NULL", "IS NULL"] {
            let mut statement = self.db.prepare_cached(&format!(
                "SELECT id FROM _sessions WHERE {scope} AND session_start {is_null}
                 ORDER BY session_start {way}, session_id {way}"
            ))?;
            let mut rows = statement.query([self.query.project])?;
            while out.len() < limit
                && let Some(row) = rows.next()?
            {
                let id = row.get(0)?;
                if ids.contains(id) {
                    out.push(id);
                }
            }
        }
        Ok(out)
    }

    /// Groups of which a record matches, also of artifacts that are gone.
    fn holding_groups(&self, look: &mut Look<'_>) -> rusqlite::Result<Set> {
        let scope = self.scope(&[true, false])?;
        let sets = self.ask(&scope)?;
        let doubtful = (sets.could.clone() & &self.involved()?) - &sets.surely;
        let mut holding = sets.could - &doubtful;
        for group in doubtful.iter() {
            if self.judge(group, look)?.0 {
                holding.insert(group);
            }
        }
        Ok(holding)
    }

    /// The sessions, or the runs, of these groups.
    fn owners(&self, column: &'static str, groups: &Set) -> rusqlite::Result<HashSet<String>> {
        let mut out = HashSet::new();
        if groups.count() <= FEW {
            let mut statement = self
                .db
                .prepare_cached(&format!("SELECT {column} FROM _groups WHERE id = ?"))?;
            for group in groups.iter() {
                let owner: Option<String> = statement.query_row([group], |row| row.get(0))?;
                out.extend(owner);
            }
            return Ok(out);
        }
        let mut statement = self.db.prepare_cached(
            "SELECT l.id, l.value, p.stretch, p.bits FROM _labels l CROSS JOIN _postings p ON p.list = l.id * 4 + 3 WHERE l.name = ?",
        )?;
        debug_assert_eq!(number_of(1, Whose::Label), 7);
        let mut rows = statement.query([column])?;
        while let Some(row) = rows.next()? {
            if groups.meets(row.get(2)?, row.get_ref(3)?.as_blob()?) {
                out.insert(row.get(1)?);
            }
        }
        Ok(out)
    }

    fn session_rows(&self, session: &str) -> rusqlite::Result<Set> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM _sessions WHERE session_id = ?")?;
        let rows = statement.query_map([session], |row| row.get(0))?;
        rows.collect()
    }

    fn session_row(&self, id: i64) -> rusqlite::Result<FoundRow> {
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
        let wanted = match self.query.filter {
            Filter::All => None,
            _ => Some(self.owners("run_id", &self.holding_groups(look)?)?),
        };
        let (scope, values) = match self.query.project {
            Some(project) => ("s.project = ?", vec![Sql::Integer(project)]),
            None => ("1", vec![]),
        };
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT r.session, r.run_id, r.start FROM _sessions s CROSS JOIN _runs r ON r.session = s.id WHERE {scope}"
        ))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let (mut among, mut all) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            among += 1;
            let run: String = row.get(1)?;
            if wanted.as_ref().is_none_or(|wanted| wanted.contains(&run)) {
                all.push((row.get::<_, Option<String>>(2)?, row.get::<_, i64>(0)?, run));
            }
        }
        let mut found = Found {
            total: all.len() as u64,
            among,
            ..Found::default()
        };
        if self.query.sort.0 == "timestamp" {
            self.newest(&mut all);
        }
        let rows: Vec<FoundRow> = all
            .into_iter()
            .map(|(_, session, run)| self.run_row(session, &run))
            .collect::<rusqlite::Result<_>>()?;
        self.settle(&mut found, rows);
        Ok(found)
    }

    /// The first by their beginning, up to the limit.
    fn newest(&self, all: &mut Vec<(Option<String>, i64, String)>) {
        let upwards = self.query.sort.1;
        all.sort_by(|a, b| {
            let nulls = a.0.is_none().cmp(&b.0.is_none());
            let order = a.cmp(b);
            nulls.then(if upwards { order } else { order.reverse() })
        });
        all.truncate(self.query.limit.unwrap_or(usize::MAX));
    }

    fn run_row(&self, session: i64, run: &str) -> rusqlite::Result<FoundRow> {
        self.db
            .prepare_cached(
                "SELECT p.root, r.session, r.run_id, r.start AS run_start, r.end AS run_end, r.outcome, r.duration_s, r.exit_code,
                   r.script_name, r.rank, r.host, s.session_id
                 FROM _runs r JOIN _sessions s ON s.id = r.session JOIN _projects p ON p.id = s.project
                 WHERE r.session = ? AND r.run_id = ?",
            )?
            .query_row(params![session, run], |row| {
                Ok(FoundRow {
                    root: row.get(0)?,
                    id: row.get(1)?,
                    fields: columns_from(row, 2)?,
                    places: Vec::new(),
                })
            })
    }

    /// Sorts rows that are all in memory, and cuts them to the limit.
    fn settle(&self, found: &mut Found, mut rows: Vec<FoundRow>) {
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
