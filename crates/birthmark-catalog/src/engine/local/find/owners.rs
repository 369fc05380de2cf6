//! Sessions and runs: those that made what matches, or that match themselves.

use rusqlite::{CachedStatement, params};

use super::super::lately::marks_of;
use super::super::lists::label;
use super::super::owners::{self, Owner};
use super::super::rolls;
use super::super::sets::{Filling, Set};
use super::home::Home;
use super::own::{Barren, DRIFT, drift};
use super::rows::{columns_from, fact_of, join};
use super::{Asking, Ground, Of};
use crate::engine::{Cell, Found, FoundRow, Look, What};
use crate::filter::Filter;
use crate::value::Value;

/// Sessions, or runs, that are looked for by their numbers, rather than all gone through.
const FEW: u64 = if cfg!(test) { 2 } else { 4_000 };

/// A run: when it began, the row of its session, its id.
pub(super) type RunKey = (String, i64, String);

/// A walk through the runs of a project.
#[derive(Default)]
struct Walk {
    /// The numbers of those that are looked for; of all, where there are none.
    wanted: Option<Set>,
    /// The numbers of those that made something, where the others may match by themselves.
    made: Option<Set>,
    /// So many are taken.
    limit: Option<usize>,
    /// The first that match.
    first: Vec<RunKey>,
    /// Those that made nothing.
    barren: Vec<Barren>,
}

impl Asking<'_> {
    pub(super) fn sessions(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let all = rolls::sessions_of(self.db, self.query.project)?;
        let among = all.count();
        let mut ids = Ground {
            db: self.db,
            homes: &self.homes,
            of: Of::Sessions,
            all: all.clone(),
        }
        .ask(&self.query.filter)?
        .could;
        let mut edited = 0;
        if self.is_of_themselves()? {
            edited = self.edited_by(Owner::Session, &|| {
                rolls::those(self.db, Owner::Session, "number", "row", &mut |row| {
                    row.as_i64().is_ok_and(|row| ids.contains(row))
                })
            })?;
        } else if self.query.filter != Filter::All {
            let holding = self.holding_groups(look)?;
            edited = self.edited(&self.whole()?.artifacts_of(holding.clone()))?;
            ids -= &self.mixed_sessions()?;
            ids |= &self.mixed_that_hold()?;
            let numbers = owners::of(self.db, Owner::Session, &holding)?;
            ids |= &self.session_rows(&numbers)?;
        }
        ids &= &all;
        let mut found = Found {
            total: ids.count(),
            among,
            edited,
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

    /// Whether nothing is asked for but columns of the sessions or runs themselves, which need
    /// not be looked for in what they made.
    fn is_of_themselves(&self) -> rusqlite::Result<bool> {
        for field in &self.fields {
            match self.homes.of(field)? {
                Home::Own(_) => {}
                Home::Project if self.query.what == What::Sessions => {}
                _ => return Ok(false),
            }
        }
        Ok(!self.fields.is_empty())
    }

    /// How many artifacts of these sessions or runs were edited since they were recorded.
    fn edited_by(
        &self,
        owner: Owner,
        numbers: &dyn Fn() -> rusqlite::Result<Set>,
    ) -> rusqlite::Result<u64> {
        let edited = label(self.db, "state", "edited")? & &self.scope(&[true, false])?;
        if edited.is_empty() {
            return Ok(0);
        }
        let groups = edited & &owners::groups_of(self.db, owner, &numbers()?)?;
        self.edited(&self.whole()?.artifacts_of(groups))
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
        if ids.count() <= FEW {
            let mut keyed = Vec::new();
            let sql = "SELECT session_start IS NULL, session_start, session_id FROM _sessions WHERE id = ?";
            let mut statement = self.db.prepare_cached(sql)?;
            for id in ids.iter() {
                let key: (bool, Option<String>, String) =
                    statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                keyed.push((key, id));
            }
            keyed.sort_by(|(a, _), (b, _)| {
                let order = (&a.1, &a.2).cmp(&(&b.1, &b.2));
                let order = if self.query.sort.1 {
                    order
                } else {
                    order.reverse()
                };
                a.0.cmp(&b.0).then(order)
            });
            keyed.truncate(limit);
            return Ok(keyed.into_iter().map(|(_, id)| id).collect());
        }
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

    /// The rows of the sessions with these numbers.
    fn session_rows(&self, numbers: &Set) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        if numbers.count() > FEW {
            return rolls::those(self.db, Owner::Session, "row", "number", &mut |number| {
                number.as_i64().is_ok_and(|number| numbers.contains(number))
            });
        }
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM _sessions WHERE number = ?")?;
        for number in numbers.iter() {
            let rows = statement.query_map([number], |row| row.get(0))?;
            out |= &rows.collect::<rusqlite::Result<Set>>()?;
        }
        Ok(out)
    }

    fn session_row(&self, id: i64) -> rusqlite::Result<FoundRow> {
        let (root, mark, mut fields): (String, i64, Vec<(String, Cell)>) = self
            .db
            .prepare_cached(
                "SELECT p.root, s.mark, s.session_id, s.session_start, s.session_end, s.outcome, s.host,
                   (SELECT count(*) FROM _told t WHERE t.session = s.id AND t.state <> 'removed') AS artifacts,
                   (SELECT json_group_array(change) FROM (SELECT DISTINCT j.value AS change FROM _runs r, json_each(r.drift) j
                      WHERE r.session = s.id AND r.drift <> '[]')) AS drift
                 FROM _sessions s JOIN _projects p ON p.id = s.project WHERE s.id = ?",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, columns_from(row, 2)?)))?;
        let drifted = told_drift(&mut fields);
        let marks = marks_of(self.db, id, mark)?;
        self.add_facts(&marks, &mut fields)?;
        Ok(FoundRow {
            id,
            root,
            fields,
            places: Vec::new(),
            drifted,
        })
    }

    /// Adds what is known of the code of a session or run, the fields that were asked for, and
    /// the one that is sorted by, where the row has no column of that name.
    fn add_facts(&self, marks: &[i64], fields: &mut Vec<(String, Cell)>) -> rusqlite::Result<()> {
        let columns = self.query.columns.iter().map(String::as_str);
        let sort = Some(self.query.sort.0.as_str()).filter(|sort| *sort != "timestamp");
        for name in ["git_commit", "git_dirty"]
            .into_iter()
            .chain(columns)
            .chain(sort)
        {
            if fields.iter().any(|(known, _)| known == name) {
                continue;
            }
            let stored = match self.homes.of(name)? {
                Home::Session(machine) => machine,
                _ => name.to_owned(),
            };
            let mut cell = Cell::Missing;
            for mark in marks {
                if let Some(value) = fact_of(self.db, *mark, &stored)? {
                    cell = join(cell, Cell::Value(value));
                }
            }
            fields.push((name.to_owned(), cell));
        }
        Ok(())
    }

    pub(super) fn runs(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let mut found = Found::default();
        let is_by_time = self.query.sort.0 == "timestamp";
        let mut walk = Walk {
            limit: self.query.limit.filter(|_| is_by_time),
            ..Walk::default()
        };
        if let Some(wanted) = self.runs_themselves()? {
            found.edited = self.edited_by(Owner::Run, &|| Ok(wanted.clone()))?;
            walk.wanted = Some(wanted);
        } else if self.query.filter != Filter::All {
            let holding = self.holding_groups(look)?;
            found.edited = self.edited(&self.whole()?.artifacts_of(holding.clone()))?;
            walk.wanted = Some(owners::of(self.db, Owner::Run, &holding)?);
            walk.made = Some(owners::all(self.db, Owner::Run)?);
        }
        for project in self.projects()? {
            self.walk_runs(project, &mut walk, &mut found)?;
        }
        let Walk {
            limit,
            mut first,
            barren,
            ..
        } = walk;
        let alone = self.that_hold_alone(barren, found.among)?;
        found.total += alone.len() as u64;
        first.extend(alone.into_iter().map(|(_, key)| key));
        if is_by_time {
            let upwards = self.query.sort.1;
            first.sort_by(|a, b| if upwards { a.cmp(b) } else { b.cmp(a) });
            first.truncate(limit.unwrap_or(usize::MAX));
        }
        let rows: Vec<FoundRow> = first
            .into_iter()
            .map(|(_, session, run)| self.run_row(session, &run))
            .collect::<rusqlite::Result<_>>()?;
        self.settle(&mut found, rows);
        Ok(found)
    }

    /// The numbers of the runs that match by their own columns, where nothing else is asked for;
    /// none also where a run is told of twice, which only copies can be.
    fn runs_themselves(&self) -> rusqlite::Result<Option<Set>> {
        if !self.is_of_themselves()? {
            return Ok(None);
        }
        let numbers = rolls::numbers(self.db, Owner::Run, "number")?;
        let count = numbers.len() as u64;
        let all: Set = numbers.into_iter().collect();
        if all.count() != count {
            return Ok(None);
        }
        let runs = Ground {
            db: self.db,
            homes: &self.homes,
            of: Of::Runs,
            all,
        };
        Ok(Some(runs.ask(&self.query.filter)?.could))
    }

    /// Counts the runs of a project, takes the first of those that are looked for up to the limit,
    /// and puts those aside that made nothing.
    fn walk_runs(&self, project: i64, walk: &mut Walk, found: &mut Found) -> rusqlite::Result<()> {
        let numbers = rolls::numbers(self.db, Owner::Run, "number")?;
        let projects = rolls::numbers(self.db, Owner::Run, "project")?;
        let (mut all, mut count) = (Filling::default(), 0);
        for (number, of) in numbers.into_iter().zip(projects) {
            if of == project {
                all.insert(number);
                count += 1;
            }
        }
        let mut wanted = all.done();
        found.among += count;
        // A run that is told of by two sessions, which only copies can be, counts twice.
        let is_each_one = wanted.count() == count;
        let mut barren = Set::default();
        if let Some(of) = &walk.wanted {
            if let Some(made) = &walk.made {
                barren = wanted.clone() - of - made;
            }
            wanted &= of;
        }
        let are_few = wanted.count() <= FEW;
        if !is_each_one || barren.count() > FEW || !(are_few || walk.limit.is_some()) {
            return self.walk_all_runs(project, walk, found);
        }
        found.total += wanted.count();
        for number in barren.iter() {
            walk.barren.push((number, self.run_key(project, number)?));
        }
        if !are_few {
            return self.first_runs(project, &wanted, walk);
        }
        for number in wanted.iter() {
            walk.first.push(self.run_key(project, number)?);
        }
        Ok(())
    }

    fn run_key(&self, project: i64, number: i64) -> rusqlite::Result<RunKey> {
        self.db
            .prepare_cached(
                "SELECT start, session, run_id FROM _runs INDEXED BY _runs_number WHERE project = ? AND number = ?",
            )?
            .query_row([project, number], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
    }

    /// The number and the key of each run of a project, in the order of their beginning or against it.
    fn runs_by_start(&self) -> rusqlite::Result<CachedStatement<'_>> {
        // Along one index alone, either way.
        let way = self.way();
        self.db.prepare_cached(&format!(
            "SELECT number, start, session, run_id FROM _runs INDEXED BY _runs_start WHERE project = ?
             ORDER BY start {way}, session {way}, run_id {way}"
        ))
    }

    /// Those of these runs that began first, or last, up to the limit.
    fn first_runs(&self, project: i64, wanted: &Set, walk: &mut Walk) -> rusqlite::Result<()> {
        let mut statement = self.runs_by_start()?;
        let mut rows = statement.query([project])?;
        let mut left = walk.limit.unwrap_or(usize::MAX);
        while left > 0
            && let Some(row) = rows.next()?
        {
            if wanted.contains(row.get(0)?) {
                left -= 1;
                walk.first.push((row.get(1)?, row.get(2)?, row.get(3)?));
            }
        }
        Ok(())
    }

    /// The same as [`walk_runs`](Self::walk_runs), one after the other.
    fn walk_all_runs(
        &self,
        project: i64,
        walk: &mut Walk,
        found: &mut Found,
    ) -> rusqlite::Result<()> {
        let mut statement = self.runs_by_start()?;
        let mut rows = statement.query([project])?;
        let mut left = walk.limit.unwrap_or(usize::MAX);
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            let key =
                || -> rusqlite::Result<RunKey> { Ok((row.get(1)?, row.get(2)?, row.get(3)?)) };
            if walk
                .wanted
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(number))
            {
                if walk
                    .made
                    .as_ref()
                    .is_some_and(|made| !made.contains(number))
                {
                    walk.barren.push((number, key()?));
                }
                continue;
            }
            found.total += 1;
            if left > 0 {
                left -= 1;
                walk.first.push(key()?);
            }
        }
        Ok(())
    }

    fn run_row(&self, session: i64, run: &str) -> rusqlite::Result<FoundRow> {
        let (root, id, mark, mut fields): (String, i64, i64, Vec<(String, Cell)>) = self
            .db
            .prepare_cached(
                "SELECT p.root, r.session, r.mark, r.run_id, r.start AS run_start, r.end AS run_end, r.outcome, r.duration_s, r.exit_code,
                   r.error, r.script_name, r.argv, r.rank, r.host, s.session_id, r.drift
                 FROM _runs r JOIN _sessions s ON s.id = r.session JOIN _projects p ON p.id = s.project
                 WHERE r.session = ? AND r.run_id = ?",
            )?
            .query_row(params![session, run], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    columns_from(row, 3)?,
                ))
            })?;
        let drifted = told_drift(&mut fields);
        for (_, cell) in fields.iter_mut().filter(|(name, _)| name == "argv") {
            if let Cell::Value(stored) = &*cell {
                *cell = Cell::Value(Value::of_json(stored.as_str().as_bytes()));
            }
        }
        self.add_facts(&[mark], &mut fields)?;
        Ok(FoundRow {
            id,
            root,
            fields,
            places: Vec::new(),
            drifted,
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

/// Makes a value of what is stored of the drift. True where there was any.
fn told_drift(fields: &mut [(String, Cell)]) -> bool {
    let mut drifted = false;
    for (_, cell) in fields.iter_mut().filter(|(name, _)| name == DRIFT) {
        let value = match cell {
            Cell::Value(stored) => drift(stored.as_str()),
            _ => None,
        };
        drifted = value.is_some();
        *cell = value.map_or(Cell::Missing, Cell::Value);
    }
    drifted
}

#[cfg(test)]
mod tests;
