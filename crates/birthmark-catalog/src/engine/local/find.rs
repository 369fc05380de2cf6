//! Answering questions.
//!
//! SQL gives the groups in which a record could match. Where all fields that are asked
//! for are the same in all records of the group, that is the answer. Where one varies, its
//! zone is asked, and only if that cannot tell, the records themselves.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params, params_from_iter};

use super::lower::{Condition, Home, home, lower};
use super::state::GroupView;
use crate::engine::{Cell, Found, FoundRow, Known, Look, Query, Stretch, What};
use crate::filter::{Filter, Span, Term, Test, WORDS, searched_by_words};
use crate::value::{Kind, Value};
use crate::zone::{State, Zone};

/// Groups of one artifact that are looked at to fill a cell.
const MOST_GROUPS: i64 = 64;

/// The sessions themselves, with the columns of groups, so that the same conditions hold.
const OF_SESSIONS: &str = "(SELECT s.id, s.project, NULL AS artifact, s.session_id, NULL AS run_id, s.session_start AS time_min,
   s.session_start AS time_max, 0 AS zoned, s.mark FROM _sessions s) g LEFT JOIN _artifacts a ON a.id = g.artifact";
const OF_ARTIFACTS: &str = "_groups g JOIN _artifacts a ON a.id = g.artifact";

/// One question, being answered.
pub(super) struct Asking<'a> {
    db: &'a Connection,
    query: &'a Query,
    fields: Vec<String>,
}

/// A group in which a record could match.
struct Candidate {
    artifact: i64,
    same: i64,
    group: i64,
    session: Option<String>,
    run: Option<String>,
    involved: bool,
}

impl<'a> Asking<'a> {
    pub(super) fn new(db: &'a Connection, query: &'a Query) -> Self {
        let mut fields: Vec<String> = Vec::new();
        for field in query.filter.fields() {
            if field == WORDS {
                fields.extend(searched_by_words().map(str::to_owned));
            } else {
                fields.push(field.to_owned());
            }
        }
        fields.sort();
        fields.dedup();
        Self { db, query, fields }
    }

    /// The whole answer.
    pub(super) fn answer(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        match self.query.what {
            What::Artifacts => self.artifacts(look),
            What::Sessions => self.sessions(look),
            What::Runs => self.runs(look),
        }
    }

    fn scope(&self, there: Option<bool>) -> Condition {
        let mut out = Condition {
            sql: "a.there < 2".to_owned(),
            values: Vec::new(),
        };
        if let Some(project) = self.query.project {
            out.sql.push_str(" AND a.project = ?");
            out.values.push(Sql::Integer(project));
        }
        if let Some(there) = there {
            // The artifacts that are there are walked along an index: one condition alone.
            out.sql = out.sql.replacen("a.there < 2", "1", 1);
            out.sql.push_str(" AND a.there = ?");
            out.values.push(Sql::Integer(i64::from(there)));
        }
        out
    }

    fn here(&self) -> Condition {
        self.scope((!self.query.gone).then_some(true))
    }

    fn number(&self, sql: &str, values: Vec<Sql>) -> rusqlite::Result<u64> {
        let count: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    // ---- artifacts -------------------------------------------------------

    fn artifacts(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
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
            (found.unknown, found.lacking) = self.unknown(&could)?;
        }
        if !self.query.gone {
            found.gone = self.gone()?;
        }
        for id in ids {
            found.rows.push(self.row(id)?);
        }
        Ok(found)
    }

    fn among(&self) -> rusqlite::Result<u64> {
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
    fn may_vary(&self) -> rusqlite::Result<bool> {
        for field in &self.fields {
            let vary = match home(self.db, field)? {
                Home::Time => {
                    self.number(
                        "SELECT EXISTS (SELECT 1 FROM _groups WHERE time_min <> time_max)",
                        vec![],
                    )? > 0
                        || self.has_zone("timestamp")?
                }
                Home::Fact(name) => self.has_zone(&name)?,
                Home::Group(name) => self.has_zone(name)?,
                _ => false,
            };
            if vary {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has_zone(&self, name: &str) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM _zones WHERE name = ?)";
        Ok(self.number(sql, vec![Sql::Text(name.to_owned())])? > 0)
    }

    fn count(&self, could: &Condition) -> rusqlite::Result<u64> {
        if self.query.filter == Filter::All {
            return self.among();
        }
        let scope = self.here();
        self.number(
            &format!(
                "SELECT count(DISTINCT a.same) FROM {OF_ARTIFACTS} WHERE {} AND {}",
                scope.sql, could.sql
            ),
            [scope.values, could.values.clone()].concat(),
        )
    }

    /// The ids of the first artifacts, as they are to be sorted.
    fn first(&self, could: &Condition, total: u64, among: u64) -> rusqlite::Result<Vec<i64>> {
        let scope = self.here();
        let (order, order_values) = self.order()?;
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
                "SELECT a.id FROM _artifacts a WHERE a.id IN (SELECT min(a.id) FROM {OF_ARTIFACTS} WHERE {} AND {} GROUP BY a.same)
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
    fn order(&self) -> rusqlite::Result<(String, Vec<Sql>)> {
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

    fn sort_key(&self, field: &str) -> rusqlite::Result<(String, Vec<Sql>)> {
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
    fn sorted(&self, holding: &HashMap<i64, i64>) -> rusqlite::Result<Vec<i64>> {
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

    // ---- what is unknown, what is gone -----------------------------------

    /// Whether the filter can be unknown at all.
    fn is_three_valued(&self) -> bool {
        let two_valued = |term: &&Term| {
            matches!(term.test, Test::Has | Test::IsNull)
                || term.field == WORDS
                || matches!(term.field.as_str(), "file" | "project")
        };
        !self.query.filter.terms().iter().all(two_valued)
    }

    fn unknown(&self, could: &Condition) -> rusqlite::Result<(u64, Vec<(String, u64)>)> {
        if !self.is_three_valued() {
            return Ok((0, Vec::new()));
        }
        let count = self.left_out(could, None)?;
        let mut lacking = Vec::new();
        if count > 0 {
            for field in &self.fields {
                let number = self.left_out(could, Some(field))?;
                if number > 0 {
                    lacking.push((field.clone(), number));
                }
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok((count, lacking))
    }

    /// Artifacts of which no record matches and of which some may; those without the field.
    fn left_out(&self, could: &Condition, without: Option<&str>) -> rusqlite::Result<u64> {
        let not = lower(self.db, &self.query.filter, false)?;
        let scope = self.here();
        let lacks = match without {
            Some(field) => lower(self.db, &has(field), false)?,
            None => Condition {
                sql: "1".to_owned(),
                values: Vec::new(),
            },
        };
        self.number(
            &format!(
                "SELECT count(*) FROM (SELECT a.same FROM {OF_ARTIFACTS} WHERE {} AND NOT {} AND NOT {} AND {}
                 EXCEPT SELECT a.same FROM {OF_ARTIFACTS} WHERE {} AND {})",
                scope.sql, could.sql, not.sql, lacks.sql, scope.sql, could.sql
            ),
            [
                scope.values.clone(),
                could.values.clone(),
                not.values,
                lacks.values,
                scope.values,
                could.values.clone(),
            ]
            .concat(),
        )
    }

    fn lacking_among(&self, artifacts: &[i64]) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut lacking = Vec::new();
        for field in &self.fields {
            let lacks = lower(self.db, &has(field), false)?;
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {OF_ARTIFACTS} WHERE a.id = ? AND {})",
                lacks.sql
            );
            let mut count = 0;
            for artifact in artifacts {
                let values = std::iter::once(Sql::Integer(*artifact)).chain(lacks.values.clone());
                count += self.number(&sql, values.collect())?;
            }
            if count > 0 {
                lacking.push((field.clone(), count));
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok(lacking)
    }

    fn gone(&self) -> rusqlite::Result<u64> {
        let scope = self.scope(Some(false));
        let any = self.number(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM _artifacts a WHERE {})",
                scope.sql
            ),
            scope.values.clone(),
        )?;
        if any == 0 {
            return Ok(0);
        }
        // Of what is gone only what journals told is known, so nothing varies.
        let could = lower(self.db, &self.query.filter, true)?;
        self.number(
            &format!(
                "SELECT count(DISTINCT a.same) FROM {OF_ARTIFACTS} WHERE {} AND {}",
                scope.sql, could.sql
            ),
            [scope.values, could.values].concat(),
        )
    }

    // ---- groups whose records differ -------------------------------------

    fn candidates(
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
        let sql = format!(
            "SELECT a.id, a.same, g.id, g.session_id, g.run_id,
               {time}(g.zoned AND EXISTS (SELECT 1 FROM _zones z WHERE z.grp = g.id AND z.name IN ({marks})))
             FROM {OF_ARTIFACTS} WHERE {} AND {} ORDER BY a.id, g.number",
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
    fn closely(
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
    fn false_candidates(&self, scope: &Condition) -> rusqlite::Result<Vec<Candidate>> {
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
    fn judge(&self, candidate: &Candidate, look: &mut Look<'_>) -> rusqlite::Result<(bool, bool)> {
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
    fn view(&self, group: i64) -> rusqlite::Result<GroupView> {
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

    fn zone(&self, group: i64, name: &str, place: &Home) -> rusqlite::Result<Option<Zone>> {
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

    fn stretch(&self, group: i64, all: bool) -> rusqlite::Result<Stretch> {
        self.db
            .prepare_cached(
                "SELECT a.id, p.root, a.file, g.line, g.start, g.end FROM _groups g
                 JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
            )?
            .query_row([group], |row| {
                let number = |place: usize| -> rusqlite::Result<u64> {
                    Ok(row.get::<_, Option<i64>>(place)?.unwrap_or(0).unsigned_abs())
                };
                Ok(Stretch {
                    artifact: row.get(0)?,
                    group,
                    root: row.get(1)?,
                    file: row.get(2)?,
                    line: number(3)?,
                    start: number(4)?,
                    end: number(5)?,
                    all,
                })
            })
    }

    /// The stretches of files in which records may match, in the order of the files.
    pub(super) fn stretches(&self) -> rusqlite::Result<Vec<(Stretch, Known)>> {
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

    // ---- sessions and runs -----------------------------------------------

    fn sessions(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
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

    fn count_of(&self, table: &'static str) -> rusqlite::Result<u64> {
        match self.query.project {
            Some(project) => self.number(
                &format!("SELECT count(*) FROM {table} WHERE project = ?"),
                vec![Sql::Integer(project)],
            ),
            None => self.number(&format!("SELECT count(*) FROM {table}"), vec![]),
        }
    }

    fn session_rows(&self, session: &str) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id FROM _sessions WHERE session_id = ?1 AND (?2 IS NULL OR project = ?2)",
        )?;
        let rows = statement.query_map(params![session, self.query.project], |row| row.get(0))?;
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

    fn runs(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
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

    fn run_rows(&self, run: &str) -> rusqlite::Result<Vec<FoundRow>> {
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

    // ---- rows --------------------------------------------------------------

    fn row(&self, id: i64) -> rusqlite::Result<FoundRow> {
        let (root, same, fields): (String, i64, Vec<(String, Cell)>) = self
            .db
            .prepare_cached(
                "SELECT p.root, a.same, a.file, a.format, a.state, a.there, a.timestamp, a.size, a.records, a.digest,
                   a.content_digest, a.session_id, a.run_id
                 FROM _artifacts a JOIN _projects p ON p.id = a.project WHERE a.id = ?",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, columns_from(row, 2)?)))?;
        let mut fields: Vec<(String, Cell)> = fields
            .into_iter()
            .map(|(name, cell)| {
                if name == "there" {
                    (name, as_flag(cell))
                } else {
                    (name, cell)
                }
            })
            .collect();
        let always = ["artifact_type", "git_commit", "git_dirty", "model_name"];
        let extra = self.query.columns.iter().map(String::as_str);
        let wanted: Vec<&str> = always.into_iter().chain(extra).collect();
        for name in wanted {
            if !fields.iter().any(|(known, _)| known == name) {
                let cell = self.cell(id, name)?;
                fields.push((name.to_owned(), cell));
            }
        }
        let mut statement = self.db.prepare_cached(
            "SELECT p.root || '/' || a.file FROM _artifacts a JOIN _projects p ON p.id = a.project
             WHERE a.same = ?1 AND a.id <> ?2 AND a.there ORDER BY 1",
        )?;
        let places = if same == id && !self.has_doubles(same)? {
            Vec::new()
        } else {
            let rows = statement.query_map([same, id], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        Ok(FoundRow {
            id,
            root,
            fields,
            places,
        })
    }

    fn has_doubles(&self, same: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM _artifacts WHERE same = ? AND same <> id)";
        Ok(self.number(sql, vec![Sql::Integer(same)])? > 0)
    }

    /// The value of a field over all groups of an artifact.
    fn cell(&self, artifact: i64, name: &str) -> rusqlite::Result<Cell> {
        let place = home(self.db, name)?;
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM _groups WHERE artifact = ? ORDER BY number LIMIT ?")?;
        let rows = statement.query_map(params![artifact, MOST_GROUPS], |row| row.get(0))?;
        let groups: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        let mut cell = Cell::Missing;
        for group in groups {
            let bare = match &place {
                Home::Fact(name) => name.as_str(),
                _ => name,
            };
            let next = match self.zone(group, bare, &place)? {
                Some(zone) => match zone.ends() {
                    Some((low, high)) => Cell::Range(low.clone(), high.clone()),
                    None => Cell::Several,
                },
                None => value_at(self.db, group, &place)?.map_or(Cell::Missing, Cell::Value),
            };
            cell = join(cell, next);
        }
        Ok(cell)
    }
}

fn has(field: &str) -> Filter {
    Filter::Term(Term {
        field: field.to_owned(),
        test: Test::Has,
        span: Span::default(),
    })
}

fn bare(field: &str) -> &str {
    field.strip_prefix("field.").unwrap_or(field)
}

fn distinct(holding: &HashMap<i64, i64>) -> u64 {
    holding.values().collect::<HashSet<_>>().len() as u64
}

fn distinct_unknown(holding: &HashMap<i64, i64>, unknown: &HashMap<i64, i64>) -> u64 {
    let known: HashSet<&i64> = holding.values().collect();
    let left: HashSet<&i64> = unknown
        .values()
        .filter(|same| !known.contains(same))
        .collect();
    left.len() as u64
}

fn compare(a: &Sql, b: &Sql) -> std::cmp::Ordering {
    match (a, b) {
        (Sql::Integer(a), Sql::Integer(b)) => a.cmp(b),
        (Sql::Text(a), Sql::Text(b)) => a.cmp(b),
        (Sql::Blob(a), Sql::Blob(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

fn join(a: Cell, b: Cell) -> Cell {
    match (a, b) {
        (Cell::Missing, other) | (other, Cell::Missing) => other,
        (a, b) if a == b => a,
        (Cell::Several, _) | (_, Cell::Several) => Cell::Several,
        (a, b) => {
            let ends = |cell: Cell| match cell {
                Cell::Value(value) => (value.clone(), value),
                Cell::Range(low, high) => (low, high),
                Cell::Missing | Cell::Several => (Value::null(), Value::null()),
            };
            let ((low, high), (other_low, other_high)) = (ends(a), ends(b));
            if low.compare(&other_low).is_none() {
                return Cell::Several;
            }
            let least = if other_low.key() < low.key() {
                other_low
            } else {
                low
            };
            let most = if other_high.key() > high.key() {
                other_high
            } else {
                high
            };
            Cell::Range(least, most)
        }
    }
}

fn as_flag(cell: Cell) -> Cell {
    match cell {
        Cell::Value(value) => Cell::Value(Value::boolean(value.as_str() == "1")),
        other => other,
    }
}

/// The columns of a row from `from` on, with their names.
fn columns_from(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Vec<(String, Cell)>> {
    let statement = row.as_ref();
    (from..statement.column_count())
        .map(|place| {
            let name = statement.column_name(place)?.to_owned();
            let cell = match row.get::<_, Sql>(place)? {
                Sql::Null | Sql::Blob(_) => Cell::Missing,
                Sql::Integer(number) => number_cell(&number.to_string()),
                Sql::Real(number) => number_cell(&number.to_string()),
                Sql::Text(text) => Cell::Value(Value::text(text)),
            };
            Ok((name, cell))
        })
        .collect()
}

fn number_cell(text: &str) -> Cell {
    Value::number(text).map_or(Cell::Missing, Cell::Value)
}

/// How a field varies in a group.
pub(super) fn zone_of(db: &Connection, group: i64, name: &str) -> rusqlite::Result<Option<Zone>> {
    let mut statement = db.prepare_cached("SELECT zone FROM _zones WHERE grp = ? AND name = ?")?;
    let mut rows = statement.query(params![group, name])?;
    match rows.next()? {
        Some(row) => Ok(Zone::read(&row.get::<_, String>(0)?)),
        None => Ok(None),
    }
}

/// A fact of a mark.
pub(super) fn fact_of(db: &Connection, mark: i64, name: &str) -> rusqlite::Result<Option<Value>> {
    let mut statement = db.prepare_cached(
        "SELECT f.kind, f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ? AND f.name = ?",
    )?;
    let mut rows = statement.query(params![mark, name])?;
    match rows.next()? {
        Some(row) => Ok(Some(Value::stored(&row.get::<_, String>(0)?, row.get(1)?))),
        None => Ok(None),
    }
}

/// The value that a field has in all records of a group.
fn value_at(db: &Connection, group: i64, place: &Home) -> rusqlite::Result<Option<Value>> {
    let one = |sql: &str| -> rusqlite::Result<Option<Value>> {
        let value: Sql = db
            .prepare_cached(sql)?
            .query_row([group], |row| row.get(0))?;
        Ok(match value {
            Sql::Text(text) => Some(Value::text(text)),
            Sql::Integer(number) => Value::number(&number.to_string()),
            _ => None,
        })
    };
    let mark = |sql: &str| -> rusqlite::Result<Option<i64>> {
        db.prepare_cached(sql)?.query_row([group], |row| row.get(0))
    };
    match place {
        Home::Words => Ok(None),
        Home::Artifact(column) => one(&format!(
            "SELECT a.{column} FROM _groups g JOIN _artifacts a ON a.id = g.artifact WHERE g.id = ?"
        )),
        Home::Project => one(
            "SELECT p.root FROM _groups g JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
        ),
        Home::Group(column) => match one(&format!("SELECT {column} FROM _groups WHERE id = ?"))? {
            Some(value) => Ok(Some(value)),
            None => fact_in_group(db, group, column),
        },
        Home::Time => match one("SELECT time_max FROM _groups WHERE id = ?")? {
            Some(value) => Ok(Some(value)),
            None => fact_in_group(db, group, "timestamp"),
        },
        Home::Fact(name) => fact_in_group(db, group, name),
        Home::Metric(name) => {
            let mut statement = db.prepare_cached(
                "SELECT x.kind, x.value FROM _groups g JOIN _metrics x ON x.artifact = g.artifact WHERE g.id = ? AND x.name = ?",
            )?;
            let mut rows = statement.query(params![group, name])?;
            match rows.next()? {
                Some(row) => Ok(Some(Value::stored(&row.get::<_, String>(0)?, row.get(1)?))),
                None => Ok(None),
            }
        }
        Home::Session(name) => {
            let found = mark(
                "SELECT (SELECT s.mark FROM _sessions s WHERE s.session_id = g.session_id LIMIT 1) FROM _groups g WHERE g.id = ?",
            )?;
            match found {
                Some(found) => fact_of(db, found, name),
                None => Ok(None),
            }
        }
    }
}

fn fact_in_group(db: &Connection, group: i64, name: &str) -> rusqlite::Result<Option<Value>> {
    let mark: i64 = db
        .prepare_cached("SELECT mark FROM _groups WHERE id = ?")?
        .query_row([group], |row| row.get(0))?;
    let found = fact_of(db, mark, name)?;
    Ok(found.filter(|value| value.kind() != Kind::Null || !value.as_str().is_empty()))
}
