//! Artifacts: counted, sorted and cut to the limit.

use std::collections::{HashMap, HashSet};

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::super::lower::{Condition, Home, has_zone, home, lower};
use super::Asking;
use crate::engine::{Found, Look};
use crate::filter::Filter;

impl Asking<'_> {
    pub(super) fn artifacts(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let mut found = Found {
            among: self.among()?,
            ..Found::default()
        };
        let mut ids = Vec::new();
        if self.may_vary()? {
            let (holding, unknown) = self.closely(&self.here(), look)?;
            found.total = distinct(&holding);
            found.unknown = distinct_unknown(&holding, &unknown);
            ids = self.sorted(&holding)?;
            if found.unknown > 0 {
                let left: Vec<i64> = unknown.keys().copied().collect();
                found.lacking = self.lacking_among(&left)?;
            }
        } else {
            let could = lower(self.db, &self.query.filter, true)?;
            found.total = self.count(&could)?;
            if found.total > 0 && self.query.limit != Some(0) {
                ids = self.first(&could, found.total, found.among)?;
            }
            (found.unknown, found.lacking) = self.unknown(&could, found.total, found.among)?;
        }
        if !self.query.gone {
            found.gone = self.gone()?;
        }
        for id in ids {
            found.rows.push(self.row(id)?);
        }
        Ok(found)
    }

    pub(super) fn among(&self) -> rusqlite::Result<u64> {
        let scope = self.here();
        let doubles = self.number(
            "SELECT EXISTS (SELECT 1 FROM _artifacts WHERE same <> id)",
            vec![],
        )?;
        let what = if doubles > 0 {
            "count(DISTINCT a.same)"
        } else {
            "count(*)"
        };
        self.number(
            &format!("SELECT {what} FROM _artifacts a WHERE {}", scope.sql),
            scope.values,
        )
    }

    /// Whether some group has records that differ in a field that is asked for.
    pub(super) fn may_vary(&self) -> rusqlite::Result<bool> {
        for field in &self.fields {
            let vary = match home(self.db, field)? {
                Home::Time => {
                    self.number(
                        "SELECT EXISTS (SELECT 1 FROM _groups WHERE time_min <> time_max)",
                        vec![],
                    )? > 0
                        || has_zone(self.db, "timestamp")?
                }
                Home::Fact(name) => has_zone(self.db, &name)?,
                Home::Group(name) => has_zone(self.db, name)?,
                _ => false,
            };
            if vary {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn count(&self, could: &Condition) -> rusqlite::Result<u64> {
        if self.query.filter == Filter::All {
            return self.among();
        }
        let scope = self.here();
        let source = self.source()?;
        self.number(
            &format!(
                "SELECT count(DISTINCT a.same) FROM {source} WHERE {} AND {}",
                scope.sql, could.sql
            ),
            [scope.values, could.values.clone()].concat(),
        )
    }

    /// The ids of the first artifacts, as they are to be sorted.
    pub(super) fn first(
        &self,
        could: &Condition,
        total: u64,
        among: u64,
    ) -> rusqlite::Result<Vec<i64>> {
        let scope = self.here();
        let (order, order_values) = self.order()?;
        let source = self.source()?;
        let limit = self
            .query
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        // Where much matches, the artifacts are gone through in their order; where
        // little does, what matches is sorted.
        let dense = total.saturating_mul(20) > among;
        let sql = if dense {
            format!(
                "SELECT a.id FROM _artifacts a WHERE {} AND NOT EXISTS (SELECT 1 FROM _artifacts b WHERE b.same = a.same AND b.id < a.id AND a.same <> a.id)
                 AND EXISTS (SELECT 1 FROM _groups g WHERE g.artifact = a.id AND {}) ORDER BY {order} LIMIT ?",
                scope.sql, could.sql
            )
        } else {
            format!(
                "SELECT a.id FROM _artifacts a WHERE a.id IN (SELECT min(a.id) FROM {source} WHERE {} AND {} GROUP BY a.same)
                 ORDER BY {order} LIMIT ?",
                scope.sql, could.sql
            )
        };
        let values = [
            scope.values,
            could.values.clone(),
            order_values,
            vec![Sql::Integer(limit)],
        ]
        .concat();
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        rows.collect()
    }

    /// `ORDER BY` what. Artifacts without the field come last, either way.
    pub(super) fn order(&self) -> rusqlite::Result<(String, Vec<Sql>)> {
        let (field, upwards) = &self.query.sort;
        let way = if *upwards { "ASC" } else { "DESC" };
        let (key, values) = self.sort_key(field)?;
        let last = if key == "a.timestamp" {
            String::new()
        } else {
            format!("{key} IS NULL, ")
        };
        let times = if last.is_empty() { 1 } else { 2 };
        let all = std::iter::repeat_n(values, times).flatten().collect();
        Ok((format!("{last}{key} {way}, a.id {way}"), all))
    }

    pub(super) fn sort_key(&self, field: &str) -> rusqlite::Result<(String, Vec<Sql>)> {
        let of_mark = |mark: &str, name: String| {
            (
                format!(
                    "(SELECT f.key FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = {mark} AND f.name = ? AND f.kind <> 'null')"
                ),
                vec![Sql::Text(name)],
            )
        };
        Ok(match home(self.db, field)? {
            Home::Time | Home::Words => ("a.timestamp".to_owned(), vec![]),
            Home::Artifact(column) | Home::Group(column) => (format!("a.{column}"), vec![]),
            Home::Project => (
                "(SELECT root FROM _projects WHERE id = a.project)".to_owned(),
                vec![],
            ),
            Home::Fact(name) => of_mark("a.mark", name),
            Home::Metric(name) => (
                "(SELECT key FROM _metrics x WHERE x.artifact = a.id AND x.name = ?)".to_owned(),
                vec![Sql::Text(name)],
            ),
            Home::Session(name) => of_mark(
                "(SELECT s.mark FROM _sessions s WHERE s.session_id = a.session_id LIMIT 1)",
                name,
            ),
        })
    }

    /// The artifacts, by id, in the order that was asked for, up to the limit.
    pub(super) fn sorted(&self, holding: &HashMap<i64, i64>) -> rusqlite::Result<Vec<i64>> {
        let (key, values) = self.sort_key(&self.query.sort.0)?;
        let mut statement = self
            .db
            .prepare_cached(&format!("SELECT {key} FROM _artifacts a WHERE a.id = ?"))?;
        let mut first: HashMap<i64, i64> = HashMap::new();
        for (artifact, same) in holding {
            let known = first.entry(*same).or_insert(*artifact);
            *known = (*known).min(*artifact);
        }
        let mut keyed = Vec::with_capacity(first.len());
        for id in first.into_values() {
            let all = values.iter().cloned().chain([Sql::Integer(id)]);
            let key: Sql = statement.query_row(params_from_iter(all), |row| row.get(0))?;
            keyed.push((key, id));
        }
        let upwards = self.query.sort.1;
        keyed.sort_by(|a, b| {
            let nulls = (a.0 == Sql::Null).cmp(&(b.0 == Sql::Null));
            let mut order = compare(&a.0, &b.0).then(a.1.cmp(&b.1));
            if !upwards {
                order = order.reverse();
            }
            nulls.then(order)
        });
        keyed.truncate(self.query.limit.unwrap_or(usize::MAX));
        Ok(keyed.into_iter().map(|(_, id)| id).collect())
    }
}

pub(super) fn distinct(holding: &HashMap<i64, i64>) -> u64 {
    holding.values().collect::<HashSet<_>>().len() as u64
}

pub(super) fn distinct_unknown(holding: &HashMap<i64, i64>, unknown: &HashMap<i64, i64>) -> u64 {
    let known: HashSet<&i64> = holding.values().collect();
    let left: HashSet<&i64> = unknown
        .values()
        .filter(|same| !known.contains(same))
        .collect();
    left.len() as u64
}

pub(super) fn compare(a: &Sql, b: &Sql) -> std::cmp::Ordering {
    match (a, b) {
        (Sql::Integer(a), Sql::Integer(b)) => a.cmp(b),
        (Sql::Text(a), Sql::Text(b)) => a.cmp(b),
        (Sql::Blob(a), Sql::Blob(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}
