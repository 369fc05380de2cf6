//! Record groups: the records of a file that share a birthmark, as one row.
//!
//! Records are handed over one after the other. As long as only fields change that have
//! changed in this group before (a timestamp, a seed), the group goes on, and those
//! fields have a [`Zone`]. When another field changes, a new group begins, if the one at
//! hand is long enough to be worth a row; else that field varies too. A change of the
//! session always begins a group, up to a limit.
//!
//! # Invariants
//!
//! * Groups do not overlap, are in the order of the file, and hold every record once.
//! * Their number is bounded, whatever the file holds: see `shortest`.

mod flat;
mod time;

use std::collections::HashMap;

use crate::value::Value;
use crate::zone::Zone;
use flat::{MOST_FIELDS, flat_of, last_of};

pub use flat::{field, fields_of};

/// Groups that a change of session may begin in one file.
const MOST_SESSIONS: usize = 4_096;

/// Some consecutive records of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The line of the first, from 1.
    pub line: u64,
    /// Where it begins in the file, in bytes.
    pub start: u64,
    /// Where the last ends, in bytes.
    pub end: u64,
    /// How many there are.
    pub records: u64,
    /// The fields that all of them share; nested ones under dotted names too.
    pub constants: Vec<(String, Value)>,
    /// The fields that vary.
    pub zones: Vec<(String, Zone)>,
}

/// The group at hand must have so many records before another field may end it.
fn shortest(groups: usize) -> u64 {
    256 << (groups / 512).min(32)
}

#[derive(Debug)]
struct Column {
    name: String,
    current: Option<Vec<u8>>,
    /// The record of the group from which on that is the value.
    since: u64,
    zone: Zone,
    varies: bool,
}

/// Where a record lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its line, from 1.
    pub line: u64,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Where it ends, in bytes.
    pub end: u64,
}

/// Makes groups of the records that it is handed.
#[derive(Debug, Default)]
pub struct Grouper {
    /// Groups that were made before, and are not read again.
    before: usize,
    done: Vec<Group>,
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// For each member of the birthmark at hand its column; none for nested ones.
    slots: Vec<Option<usize>>,
    /// Which of its members are objects or lists: what becomes of those concerns other columns too.
    nested: Vec<bool>,
    first: Option<Place>,
    end: u64,
    records: u64,
}

impl Grouper {
    /// Without any record yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A record whose birthmark has other members than the one before.
    pub fn anew<'a>(&mut self, place: Place, members: impl Iterator<Item = (&'a str, &'a [u8])>) {
        let (flat, own) = flat_of(members);
        let last = last_of(&flat);
        let breaks = self.columns.iter().any(|column| {
            let value = last.get(column.name.as_str()).map(|at| flat[*at].1);
            column.current.as_deref() != value && self.ends_group(column)
        }) || flat.iter().any(|(name, _)| {
            !self.by_name.contains_key(name)
                && self.records >= shortest(self.before + self.done.len())
        });
        if breaks {
            self.close();
        }
        self.take_over(&flat, &own, &last);
        self.count(place);
    }

    /// What each field is from this record on.
    fn take_over(
        &mut self,
        flat: &[(String, &[u8])],
        own: &[Option<usize>],
        last: &HashMap<&str, usize>,
    ) {
        self.nested = own.iter().map(Option::is_none).collect();
        let mut at_column = vec![None; flat.len()];
        for (at, (name, _)) in flat.iter().enumerate() {
            at_column[at] = self.column(name);
        }
        for column in 0..self.columns.len() {
            let value = last
                .get(self.columns[column].name.as_str())
                .map(|at| flat[*at].1);
            self.set(column, value);
        }
        self.slots = own
            .iter()
            .map(|at| at.and_then(|at| at_column[at].filter(|_| last[flat[at].0.as_str()] == at)))
            .collect();
    }

    /// Goes on with the last of some groups, whose zones are as they were stored; `members`
    /// are those of its last record.
    pub fn resume<'a>(
        before: usize,
        last: Group,
        members: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut out = Self {
            before,
            first: Some(Place {
                line: last.line,
                start: last.start,
                end: last.end,
            }),
            end: last.end,
            ..Self::default()
        };
        let (flat, own) = flat_of(members);
        out.take_over(&flat, &own, &last_of(&flat));
        out.records = last.records;
        for (name, zone) in last.zones {
            if let Some(column) = out.column(&name) {
                let column = &mut out.columns[column];
                column.zone = zone;
                column.since = last.records;
                column.varies = true;
            }
        }
        out
    }

    /// Whether none of these members is an object or a list, which [`Grouper::same`] cannot
    /// take for another value.
    pub fn are_plain(&self, mut members: impl Iterator<Item = usize>) -> bool {
        !members.any(|member| self.nested.get(member) == Some(&true))
    }

    /// A record whose birthmark has the same members, of which some changed: the place
    /// of each among the members, and its value. Neither is nor was an object or a list.
    pub fn same<'a>(
        &mut self,
        place: Place,
        changed: impl Iterator<Item = (usize, &'a [u8])> + Clone,
    ) {
        let slots = std::mem::take(&mut self.slots);
        let columns = changed.filter_map(|(member, raw)| Some(((*slots.get(member)?)?, raw)));
        if columns
            .clone()
            .any(|(column, _)| self.ends_group(&self.columns[column]))
        {
            self.close();
        }
        for (column, raw) in columns {
            self.set(column, Some(raw));
        }
        self.slots = slots;
        self.count(place);
    }

    /// All groups, after the last record.
    pub fn finish(mut self) -> Vec<Group> {
        self.close();
        self.done
    }

    fn count(&mut self, place: Place) {
        if self.first.is_none() {
            self.first = Some(place);
        }
        self.end = place.end;
        self.records += 1;
    }

    /// Whether another value in this column ends the group at hand.
    fn ends_group(&self, column: &Column) -> bool {
        if self.records == 0 || column.varies || column.name == "timestamp" {
            return false;
        }
        if column.name == "session_id" && self.before + self.done.len() < MOST_SESSIONS {
            return true;
        }
        self.records >= shortest(self.before + self.done.len())
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(column) = self.by_name.get(name) {
            return Some(*column);
        }
        if self.columns.len() >= MOST_FIELDS {
            return None;
        }
        let place = self.columns.len();
        self.columns.push(Column {
            name: name.to_owned(),
            current: None,
            since: 0,
            zone: Zone::new(),
            varies: false,
        });
        self.by_name.insert(name.to_owned(), place);
        Some(place)
    }

    fn set(&mut self, column: usize, value: Option<&[u8]>) {
        let records = self.records;
        let column = &mut self.columns[column];
        let told = value.map(|value| flat::told(&column.name, value));
        let value = told.as_deref();
        if column.current.as_deref() == value {
            return;
        }
        column
            .zone
            .add(column.current.as_deref(), records - column.since);
        column.varies |= records > 0;
        column.since = records;
        match (value, &mut column.current) {
            (Some(value), Some(memory)) => {
                memory.clear();
                memory.extend_from_slice(value);
            }
            (value, current) => *current = value.map(<[u8]>::to_vec),
        }
    }

    /// Ends the group at hand; what each field is now holds for the next.
    fn close(&mut self) {
        let Some(first) = self.first.take() else {
            return;
        };
        let (mut constants, mut zones) = (Vec::new(), Vec::new());
        for column in &mut self.columns {
            let mut zone = std::mem::replace(&mut column.zone, Zone::new());
            zone.add(column.current.as_deref(), self.records - column.since);
            column.since = 0;
            column.varies = false;
            if zone.is_absent() {
                continue;
            }
            match zone.constant() {
                Some(value) => constants.push((column.name.clone(), value)),
                None => zones.push((column.name.clone(), zone)),
            }
        }
        self.done.push(Group {
            line: first.line,
            start: first.start,
            end: self.end,
            records: self.records,
            constants,
            zones,
        });
        self.records = 0;
    }
}

#[cfg(test)]
mod tests {
    use birthmark_core::json;
    use proptest::prelude::*;

    use super::*;

    /// The groups of some records, read at once, or read on from the record at `cut`.
    fn read(marks: &[String], cut: Option<usize>) -> Vec<Group> {
        let members = |mark: &str| -> Vec<(String, Vec<u8>)> {
            let all = json::members(mark.as_bytes());
            all.map(|(key, value)| (json::as_text(key).unwrap().into_owned(), value.to_vec()))
                .collect()
        };
        let hand = |grouper: &mut Grouper, line: usize| {
            let all = members(&marks[line]);
            let line = line as u64;
            let place = Place {
                line: line + 1,
                start: line * 100,
                end: line * 100 + 99,
            };
            let all = all
                .iter()
                .map(|(name, raw)| (name.as_str(), raw.as_slice()));
            grouper.anew(place, all);
        };
        let mut grouper = Grouper::new();
        (0..cut.unwrap_or(marks.len())).for_each(|line| hand(&mut grouper, line));
        let mut groups = grouper.finish();
        let Some(cut) = cut else { return groups };
        let mut last = groups.pop().unwrap();
        last.constants.clear();
        for (_, zone) in &mut last.zones {
            *zone = Zone::read(&zone.render()).unwrap();
        }
        let all = members(&marks[cut - 1]);
        let all = all
            .iter()
            .map(|(name, raw)| (name.as_str(), raw.as_slice()));
        let mut grouper = Grouper::resume(groups.len(), last, all);
        (cut..marks.len()).for_each(|line| hand(&mut grouper, line));
        groups.extend(grouper.finish());
        groups
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn groups_that_are_gone_on_with_are_those_of_a_whole_reading(
            runs in proptest::collection::vec((0u8..4, 0u8..3, 1usize..400, any::<bool>()), 1..6),
            cut in 1usize..100,
        ) {
            let mut marks = Vec::new();
            for (seed, model, times, counts) in runs {
                for n in 0..times {
                    let seed = if counts { n } else { usize::from(seed) };
                    let extra = if model == 2 { r#", "deep": {"x": 1}"# } else { "" };
                    marks.push(format!(
                        r#"{{"timestamp": "t{}", "model": "m{model}", "seed": {seed}, "session_id": "s{}"{extra}}}"#,
                        marks.len(), marks.len() / 700
                    ));
                }
            }
            let cut = 1 + cut * (marks.len() - 1) / 100;
            let text = |groups: Vec<Group>| -> Vec<String> {
                let one = |group: Group| {
                    let zones: Vec<_> = group.zones.iter().map(|(name, zone)| (name, zone.render())).collect();
                    format!("{} {} {} {} {:?} {zones:?}", group.line, group.start, group.end, group.records, group.constants)
                };
                groups.into_iter().map(one).collect()
            };
            prop_assert_eq!(text(read(&marks, Some(cut))), text(read(&marks, None)));
        }
    }

    fn take(grouper: &mut Grouper, line: u64, mark: &str) {
        let members: Vec<(String, &[u8])> = json::members(mark.as_bytes())
            .map(|(key, value)| (json::as_text(key).unwrap().into_owned(), value))
            .collect();
        let place = Place {
            line,
            start: line * 100,
            end: line * 100 + 99,
        };
        grouper.anew(
            place,
            members.iter().map(|(name, raw)| (name.as_str(), *raw)),
        );
    }

    fn groups(marks: impl Iterator<Item = String>) -> Vec<Group> {
        let mut grouper = Grouper::new();
        for (line, mark) in marks.enumerate() {
            take(&mut grouper, line as u64 + 1, &mark);
        }
        grouper.finish()
    }

    #[test]
    fn records_with_one_birthmark_are_one_row_however_many() {
        let mut grouper = Grouper::new();
        take(
            &mut grouper,
            1,
            r#"{"git_commit": "c", "seed": 0, "timestamp": "t0", "models": {"a": "b"}}"#,
        );
        for line in 2..=100_000_u64 {
            let (seed, time) = (line.to_string(), format!("\"t{line}\""));
            let place = Place {
                line,
                start: line * 100,
                end: line * 100 + 99,
            };
            let changed = [(1, seed.as_bytes()), (2, time.as_bytes())];
            grouper.same(place, changed.into_iter());
        }
        let groups = grouper.finish();
        assert_eq!(groups.len(), 1);
        let group = &groups[0];
        assert_eq!(
            (group.line, group.records, group.end),
            (1, 100_000, 10_000_099)
        );
        let names: Vec<&str> = group
            .constants
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["git_commit", "models", "models.a"]);
        let (name, seeds) = &group.zones[0];
        assert_eq!(name, "seed");
        let (low, high) = seeds.ends().unwrap();
        assert_eq!((low.as_str(), high.as_str()), ("0", "100000"));
        assert_eq!(seeds.values(), None);
    }

    #[test]
    fn long_runs_are_groups_and_short_ones_vary() {
        let runs = (0..1_200).map(|n| format!(r#"{{"temperature": {}, "seed": {n}}}"#, n / 400));
        let found = groups(runs);
        assert_eq!(
            found.iter().map(|g| g.records).collect::<Vec<_>>(),
            [400, 400, 400]
        );
        let turns = (0..1_200).map(|n| format!(r#"{{"temperature": {}}}"#, n % 2));
        let found = groups(turns);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].zones[0].1.values().unwrap().len(), 2);
        let sessions = (0..30).map(|n| format!(r#"{{"session_id": "{}"}}"#, n / 10));
        assert_eq!(groups(sessions).len(), 3);
    }

    #[test]
    fn late_and_missing_fields_are_counted() {
        let late = (0..10).map(|n| {
            if n < 4 {
                r#"{"a": 1}"#.to_owned()
            } else {
                format!(r#"{{"a": 1, "b": {n}}}"#)
            }
        });
        let found = groups(late);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].constants, [("a".to_owned(), Value::count(1))]);
        let (name, zone) = &found[0].zones[0];
        assert_eq!(name, "b");
        assert_eq!(zone.records(), 10);
        assert_eq!(
            zone.state(&crate::filter::Test::Has, true),
            crate::zone::State::Some
        );
        assert_eq!(zone.values().unwrap().len(), 6);
    }

    #[test]
    fn number_of_groups_is_bounded() {
        let marks = (0..60_000).map(|n| format!(r#"{{"x{}": {n}}}"#, n % 3));
        assert!(groups(marks).len() <= 1 + 60_000 / 256);
    }
}
