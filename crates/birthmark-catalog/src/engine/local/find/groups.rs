//! Groups whose records differ: what their zones tell, and where only the file knows.

use std::collections::{HashMap, HashSet};

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::super::lower::{Condition, Home, home, lower};
use super::super::state::GroupView;
use super::super::stretch_of;
use super::Asking;
use super::rows::{value_at, zone_of};
use crate::engine::{Known, Look, Query, Stretch};
use crate::filter::Filter;
use crate::zone::{State, Zone};

impl Asking<'_> {
    pub(super) fn candidates(
        &self,
        scope: &Condition,
        want_unknown: bool,
    ) -> rusqlite::Result<Vec<Candidate>> {
        let mut could = lower(self.db, &self.query.filter, true)?;
        if want_unknown {
            let not = lower(self.db, &self.query.filter, false)?;
            could.sql = format!(
                "NOT coalesce({}, 0) AND NOT coalesce({}, 0)",
                could.sql, not.sql
            );
            could.values.extend(not.values);
        }
        let marks = vec!["?"; self.fields.len()].join(", ");
        let time = if self.fields.iter().any(|field| field == "timestamp") {
            "coalesce(g.time_min <> g.time_max, 0) OR "
        } else {
            ""
        };
        let source = self.source()?;
        let sql = format!(
            "SELECT a.id, a.same, g.id, g.session_id, g.run_id,
               {time}(g.zoned AND EXISTS (SELECT 1 FROM _zones z WHERE z.grp = g.id AND z.name IN ({marks})))
             FROM {source} WHERE {} AND {} ORDER BY a.id, g.number",
            scope.sql, could.sql
        );
        let names = self
            .fields
            .iter()
            .map(|field| Sql::Text(bare(field).to_owned()))
            .collect();
        let values = [names, scope.values.clone(), could.values].concat();
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            Ok(Candidate {
                artifact: row.get(0)?,
                same: row.get(1)?,
                group: row.get(2)?,
                session: row.get(3)?,
                run: row.get(4)?,
                involved: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    /// The artifacts that match and those of which it is unknown, each with what it is the
    /// same as.
    pub(super) fn closely(
        &self,
        scope: &Condition,
        look: &mut Look<'_>,
    ) -> rusqlite::Result<(HashMap<i64, i64>, HashMap<i64, i64>)> {
        let (mut holding, mut unknown) = (HashMap::new(), HashMap::new());
        for candidate in self.candidates(scope, false)? {
            if holding.contains_key(&candidate.artifact) {
                continue;
            }
            let (holds, is_unknown) = self.judge(&candidate, look)?;
            if holds {
                holding.insert(candidate.artifact, candidate.same);
            } else if is_unknown {
                unknown.insert(candidate.artifact, candidate.same);
            }
        }
        if self.is_three_valued() {
            for candidate in self.candidates(scope, true)? {
                unknown.insert(candidate.artifact, candidate.same);
            }
            // What could not match may vary, and be unknown in some records.
            for candidate in self.false_candidates(scope)? {
                if self.judge(&candidate, look)?.1 {
                    unknown.insert(candidate.artifact, candidate.same);
                }
            }
        }
        unknown.retain(|artifact, _| !holding.contains_key(artifact));
        Ok((holding, unknown))
    }

    /// Groups in which no record can match, in some of which it may be unknown.
    pub(super) fn false_candidates(&self, scope: &Condition) -> rusqlite::Result<Vec<Candidate>> {
        let negated = Query {
            filter: Filter::Not(Box::new(self.query.filter.clone())),
            ..self.query.clone()
        };
        let not = Asking {
            db: self.db,
            query: &negated,
            fields: self.fields.clone(),
        }
        .candidates(scope, false)?;
        let could: HashSet<i64> = self
            .candidates(scope, false)?
            .into_iter()
            .map(|candidate| candidate.group)
            .collect();
        Ok(not
            .into_iter()
            .filter(|candidate| candidate.involved && !could.contains(&candidate.group))
            .collect())
    }

    /// Whether a record of the group matches, and if not, whether one is unknown.
    pub(super) fn judge(
        &self,
        candidate: &Candidate,
        look: &mut Look<'_>,
    ) -> rusqlite::Result<(bool, bool)> {
        if !candidate.involved {
            return Ok((true, false));
        }
        let view = self.view(candidate.group)?;
        match view.state(&self.query.filter, true) {
            State::Some | State::All => Ok((true, false)),
            State::None if !view.may_be_unknown(&self.query.filter) => Ok((false, false)),
            State::None if view.state(&self.query.filter, false) == State::All => {
                Ok((false, false))
            }
            State::None if view.state(&self.query.filter, false) == State::None => {
                Ok((false, true))
            }
            State::None | State::Maybe => {
                let stretch = self.stretch(candidate.group, false)?;
                let looked = look(&stretch, &view.known);
                Ok((looked.holds, looked.unknown))
            }
        }
    }

    /// What is known of a group, under the names that the filter has.
    pub(super) fn view(&self, group: i64) -> rusqlite::Result<GroupView> {
        let mut view = GroupView::default();
        for field in &self.fields {
            let place = home(self.db, field)?;
            let name = match &place {
                Home::Fact(name) => name.clone(),
                _ => field.clone(),
            };
            if let Some(zone) = self.zone(group, &name, &place)? {
                view.zones.push((field.clone(), zone));
            } else if let Some(value) = value_at(self.db, group, &place)? {
                view.known.insert(field.clone(), value);
            }
        }
        Ok(view)
    }

    pub(super) fn zone(
        &self,
        group: i64,
        name: &str,
        place: &Home,
    ) -> rusqlite::Result<Option<Zone>> {
        if *place == Home::Time {
            let (low, high, records): (Option<String>, Option<String>, Option<i64>) = self
                .db
                .prepare_cached("SELECT time_min, time_max, records FROM _groups WHERE id = ?")?
                .query_row([group], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            if let (Some(low), Some(high)) = (low, high)
                && low != high
            {
                let records = records.unwrap_or(2).unsigned_abs();
                return Ok(Some(Zone::of_texts(&low, &high, records)));
            }
        }
        if !matches!(place, Home::Fact(_) | Home::Group(_) | Home::Time) {
            return Ok(None);
        }
        zone_of(self.db, group, name)
    }

    pub(super) fn stretch(&self, group: i64, all: bool) -> rusqlite::Result<Stretch> {
        self.db
            .prepare_cached(
                "SELECT a.id, p.root, a.file, g.line, g.start, g.end FROM _groups g
                 JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
            )?
            .query_row([group], |row| stretch_of(row, group, all))
    }

    /// The stretches of files in which records may match, in the order of the files.
    pub(in crate::engine::local) fn stretches(&self) -> rusqlite::Result<Vec<(Stretch, Known)>> {
        let mut scope = self.here();
        scope
            .sql
            .push_str(" AND g.carried AND a.format LIKE 'jsonl%'");
        let mut out = Vec::new();
        for candidate in self.candidates(&scope, false)? {
            let view = self.view(candidate.group)?;
            let state = view.state(&self.query.filter, true);
            if state == State::None {
                continue;
            }
            out.push((
                self.stretch(candidate.group, state == State::All)?,
                view.known,
            ));
        }
        out.sort_by(|a, b| {
            (&a.0.root, &a.0.file, a.0.start).cmp(&(&b.0.root, &b.0.file, b.0.start))
        });
        Ok(out)
    }
}

/// A group in which a record could match.
pub(super) struct Candidate {
    pub(super) artifact: i64,
    pub(super) same: i64,
    pub(super) group: i64,
    pub(super) session: Option<String>,
    pub(super) run: Option<String>,
    pub(super) involved: bool,
}

pub(super) fn bare(field: &str) -> &str {
    field.strip_prefix("field.").unwrap_or(field)
}
