//! Groups whose records differ: what their zones tell, and where only the file knows.

use rusqlite::OptionalExtension;

use super::super::lists::{SPREAD, label};
use super::super::sets::Set;
use super::super::state::GroupView;
use super::super::stretch_of;
use super::Asking;
use super::home::Home;
use super::rows::{value_at, zone_of};
use crate::engine::{Known, Look, Stretch};
use crate::zone::{State, Zone};

impl Asking<'_> {
    /// Groups whose records differ in a field that is asked for.
    pub(super) fn involved(&self) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        let mut statement = self
            .db
            .prepare_cached("SELECT grp FROM _zones WHERE name = ?")?;
        for field in &self.fields {
            let name = match self.homes.of(field)? {
                Home::Fact(name) => name,
                Home::Group(name) => name.to_owned(),
                Home::Time => {
                    out |= &label(self.db, SPREAD, "")?;
                    "timestamp".to_owned()
                }
                _ => continue,
            };
            let rows = statement.query_map([name], |row| row.get(0))?;
            out |= &rows.collect::<rusqlite::Result<Set>>()?;
        }
        Ok(out)
    }

    /// Whether a record of the group matches, and if not, whether one is unknown.
    pub(super) fn judge(&self, group: i64, look: &mut Look<'_>) -> rusqlite::Result<(bool, bool)> {
        let view = self.view(group)?;
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
                let stretch = self.stretch(group, false)?;
                let looked = look(&stretch, &view.known);
                Ok((looked.holds, looked.unknown))
            }
        }
    }

    /// What is known of a group, under the names that the filter has.
    pub(super) fn view(&self, group: i64) -> rusqlite::Result<GroupView> {
        let mut view = GroupView::default();
        for field in &self.fields {
            let place = self.homes.of(field)?;
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
                "SELECT a.id, p.root, a.file, g.line, g.start, g.end, a.state FROM _groups g
                 JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
            )?
            .query_row([group], |row| stretch_of(row, group, all))
    }

    /// Of the records in which nothing can match: of how many it is unknown, and the stretches of
    /// which only the records can tell.
    pub(in crate::engine::local) fn unsure(
        &self,
    ) -> rusqlite::Result<(u64, Vec<(Stretch, Known)>)> {
        let (mut count, mut out) = (0, Vec::new());
        if !self.is_three_valued() {
            return Ok((count, out));
        }
        let scope = self.here()?;
        let sets = self.ask(&scope)?;
        let involved = self.involved()?;
        let whole = self.whole()?;
        let first = whole.firsts(whole.artifacts_of(scope.clone()));
        let mut records = self.db.prepare_cached(
            "SELECT coalesce(g.records, 0) FROM _groups g JOIN _artifacts a ON a.id = g.artifact
             WHERE g.id = ? AND g.carried AND a.format LIKE 'jsonl%'",
        )?;
        let left = scope - &sets.surely - &sets.surely_not;
        for group in left.iter() {
            if !first.contains(whole.artifact_of(group)) {
                continue;
            }
            let Some(of): Option<i64> = records.query_row([group], |row| row.get(0)).optional()?
            else {
                continue;
            };
            if !involved.contains(group) {
                let is_unknown = !sets.could.contains(group) && !sets.not.contains(group);
                count += if is_unknown { of.unsigned_abs() } else { 0 };
                continue;
            }
            let view = self.view(group)?;
            if view.state(&self.query.filter, true) != State::None
                || !view.may_be_unknown(&self.query.filter)
            {
                continue;
            }
            match view.state(&self.query.filter, false) {
                State::All => {}
                State::None => count += of.unsigned_abs(),
                State::Some | State::Maybe => out.push((self.stretch(group, false)?, view.known)),
            }
        }
        Ok((count, out))
    }

    /// The stretches of files in which records may match, in the order of the files.
    pub(in crate::engine::local) fn stretches(&self) -> rusqlite::Result<Vec<(Stretch, Known)>> {
        let sets = self.ask(&self.here()?)?;
        let mut statement = self.db.prepare_cached(
            "SELECT g.carried AND a.format LIKE 'jsonl%' FROM _groups g JOIN _artifacts a ON a.id = g.artifact WHERE g.id = ?",
        )?;
        // Of the same bytes in several places the records stand in the answer once.
        let whole = self.whole()?;
        let first = whole.firsts(whole.artifacts_of(sets.could.clone()));
        let mut out = Vec::new();
        for group in sets.could.iter() {
            if !first.contains(whole.artifact_of(group)) {
                continue;
            }
            if !statement.query_row([group], |row| row.get::<_, bool>(0))? {
                continue;
            }
            if sets.surely.contains(group) {
                out.push((self.stretch(group, true)?, Known::new()));
                continue;
            }
            let view = self.view(group)?;
            let state = view.state(&self.query.filter, true);
            if state != State::None {
                out.push((self.stretch(group, state == State::All)?, view.known));
            }
        }
        out.sort_by(|a, b| {
            (&a.0.root, &a.0.file, a.0.start).cmp(&(&b.0.root, &b.0.file, b.0.start))
        });
        Ok(out)
    }
}
