//! What was found, counted by the values of fields: by a field's lists, and only where an
//! artifact has several groups, or a group several values, by its cell.
//!
//! # Invariants
//!
//! * What has several values of a field, in its records or in a list, counts for each that is known.
//! * Numbers of one size are one value, however they are spelled; the shortest is shown.

use std::collections::{BTreeMap, HashMap};

use super::super::lists::{Reader, SPREAD, label, number_of};
use super::super::sets::Set;
use super::Asking;
use super::order::source;
use crate::engine::{By, Cell, Counts, Found, Look};
use crate::value::{Kind, Value};

/// Takes a value, by its number, and what has it.
type Take<'a> = dyn FnMut(usize, &Set) + 'a;

impl Asking<'_> {
    /// The answer without its rows, and how many have which values, the most frequent first.
    pub(in crate::engine::local) fn group_by(
        &self,
        fields: &[By],
        look: &mut Look<'_>,
    ) -> rusqlite::Result<(Found, Counts)> {
        let judged = self.judged(look)?;
        let found = self.counted(&judged)?;
        let all = self.whole()?.firsts(judged.holding);
        let mut values = Values::default();
        let mut counts: HashMap<Vec<usize>, u64> = HashMap::new();
        if let [field] = fields {
            self.each_value(field, &all, &mut values, &mut |value, set| {
                *counts.entry(vec![value]).or_default() += set.count();
            })?;
        } else {
            let ids: Vec<i64> = all.iter().collect();
            let mut columns = Vec::new();
            for field in fields {
                let mut column = Column::new(ids.len());
                self.each_value(field, &all, &mut values, &mut |value, set| {
                    let places = set.iter().filter_map(|id| ids.binary_search(&id).ok());
                    places.for_each(|place| column.add(place, value));
                })?;
                columns.push(column);
            }
            let mut chosen = Vec::new();
            for place in 0..ids.len() {
                count(&columns, place, &mut chosen, &mut counts);
            }
        }
        Ok((found, values.told(counts)))
    }

    /// Each value of a field, with those that have it; of none those that are left.
    fn each_value(
        &self,
        field: &By,
        all: &Set,
        values: &mut Values,
        take: &mut Take<'_>,
    ) -> rusqlite::Result<()> {
        let mut left = all.clone();
        if let [chain] = field.chains.as_slice() {
            self.along_chain(chain, all, values, &mut |value, set| {
                left -= set;
                take(value, set);
            })?;
        } else {
            // Two roles may have the same value.
            let mut joined: BTreeMap<usize, Set> = BTreeMap::new();
            for chain in &field.chains {
                self.along_chain(chain, all, values, &mut |value, set| {
                    *joined.entry(value).or_default() |= set;
                })?;
            }
            for (value, set) in joined {
                left -= &set;
                take(value, &set);
            }
        }
        if !left.is_empty() {
            take(NONE, &left);
        }
        Ok(())
    }

    /// The same for names of which the first counts that an artifact has.
    fn along_chain(
        &self,
        chain: &[String],
        all: &Set,
        values: &mut Values,
        take: &mut Take<'_>,
    ) -> rusqlite::Result<()> {
        let mut left = all.clone();
        let is_plain = chain.len() > 1;
        for name in chain {
            let mut taken = Set::default();
            self.values_of((name, is_plain), &left, values, &mut |value, set| {
                taken |= set;
                take(value, set);
            })?;
            left -= &taken;
        }
        Ok(())
    }

    /// The same of one name; of plain ones no objects and lists.
    fn values_of(
        &self,
        (name, is_plain): (&str, bool),
        all: &Set,
        values: &mut Values,
        take: &mut Take<'_>,
    ) -> rusqlite::Result<()> {
        let mut one_by_one = all.clone();
        if let Some(source) = source(&self.homes.of(name)?) {
            one_by_one &= &(self.whole()?.several() | &self.varying(&source.name)?);
            let listed = all.clone() - &one_by_one;
            let mut reader = Reader::new(self.db)?;
            let mut statement = self.db.prepare_cached(&format!(
                "SELECT id, kind, value FROM {} WHERE name = ? AND kind <> 'null'",
                source.table()
            ))?;
            let mut rows = statement.query([&source.name])?;
            while let Some(row) = rows.next()? {
                let mut set = Set::default();
                reader.take(number_of(row.get(0)?, source.whose), &mut set)?;
                set &= &listed;
                if set.is_empty() {
                    continue;
                }
                let value = Value::stored(&row.get::<_, String>(1)?, row.get(2)?);
                if is_plain && value.kind() == Kind::Json {
                    continue;
                }
                for value in Cell::Value(value).each().unwrap_or_default() {
                    take(values.number(&value), &set);
                }
            }
        }
        for artifact in one_by_one.iter() {
            let cell = self.cell(artifact, name)?;
            let each = match (cell.each(), cell.ends()) {
                (Some(_), _) if is_plain && is_nested(&cell) => continue,
                (Some(each), _) => each,
                (None, Some((low, high))) if low.kind() == Kind::Number => {
                    vec![Value::text(format!("{}..{}", low.as_str(), high.as_str()))]
                }
                (None, _) => vec![Value::text(MANY)],
            };
            let only: Set = std::iter::once(artifact).collect();
            for value in each {
                take(values.number(&value), &only);
            }
        }
        Ok(())
    }

    pub(super) fn varying(&self, name: &str) -> rusqlite::Result<Set> {
        let mut statement = self
            .db
            .prepare_cached("SELECT grp FROM _zones WHERE name = ?")?;
        let rows = statement.query_map([name], |row| row.get(0))?;
        let zoned: Set = rows.collect::<rusqlite::Result<_>>()?;
        Ok(zoned | &label(self.db, SPREAD, "")?)
    }
}

/// What a field is of which a file has more texts than are known one by one.
const MANY: &str = "varies (many values)";

fn is_nested(cell: &Cell) -> bool {
    matches!(cell, Cell::Value(value) if value.kind() == Kind::Json)
}

/// The number of no value.
const NONE: usize = usize::MAX;

/// The values that were met, each once.
#[derive(Default)]
struct Values {
    texts: Vec<String>,
    numbers: HashMap<Vec<u8>, usize>,
}

impl Values {
    fn number(&mut self, value: &Value) -> usize {
        let next = self.texts.len();
        let number = *self.numbers.entry(value.key()).or_insert(next);
        match self.texts.get_mut(number) {
            None => self.texts.push(value.as_str().to_owned()),
            Some(known) => {
                let text = value.as_str();
                if (text.len(), text) < (known.len(), known.as_str()) {
                    text.clone_into(known);
                }
            }
        }
        number
    }

    /// The counts with the values themselves, the most frequent first.
    fn told(&self, counts: HashMap<Vec<usize>, u64>) -> Counts {
        let mut out: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
        for (numbers, count) in counts {
            let texts = numbers.iter();
            let texts = texts.map(|number| self.texts.get(*number).cloned());
            *out.entry(texts.collect()).or_default() += count;
        }
        let mut out: Counts = out.into_iter().collect();
        out.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        out
    }
}

/// The values of one field, by the place of an artifact.
struct Column {
    first: Vec<usize>,
    more: HashMap<usize, Vec<usize>>,
}

impl Column {
    fn new(length: usize) -> Self {
        Self {
            first: vec![NONE; length],
            more: HashMap::new(),
        }
    }

    fn add(&mut self, place: usize, value: usize) {
        if let Some(first) = self.first.get_mut(place) {
            if *first == NONE {
                *first = value;
            } else {
                self.more.entry(place).or_default().push(value);
            }
        }
    }
}

/// Counts an artifact for every choice of one of its values in each column.
fn count(
    columns: &[Column],
    place: usize,
    chosen: &mut Vec<usize>,
    counts: &mut HashMap<Vec<usize>, u64>,
) {
    let Some(column) = columns.get(chosen.len()) else {
        match counts.get_mut(chosen.as_slice()) {
            Some(count) => *count += 1,
            None => {
                counts.insert(chosen.clone(), 1);
            }
        }
        return;
    };
    let more = column.more.get(&place).map_or(&[][..], Vec::as_slice);
    for value in column.first.get(place).into_iter().chain(more) {
        chosen.push(*value);
        count(columns, place, chosen, counts);
        chosen.pop();
    }
}
