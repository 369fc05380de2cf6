//! What was found, counted by the values of a field: by the field's lists, and only where an
//! artifact has several groups, or a group several values, by its cell.

use std::collections::BTreeMap;

use super::super::lists::{Reader, SPREAD, label, number_of};
use super::super::sets::Set;
use super::Asking;
use super::home::home;
use super::order::source;
use crate::engine::{Cell, Counts, Found, Look};

impl Asking<'_> {
    /// The answer without its rows, and how many have which value, the most frequent first.
    pub(in crate::engine::local) fn group_by(
        &self,
        field: &str,
        look: &mut Look<'_>,
    ) -> rusqlite::Result<(Found, Counts)> {
        let judged = self.judged(look)?;
        let found = self.counted(&judged)?;
        let all = self.whole()?.firsts(judged.holding);
        let mut counts: BTreeMap<Option<String>, u64> = BTreeMap::new();
        let home = home(self.db, field)?;
        let mut one_by_one = all.clone();
        if let Some(source) = source(&home) {
            one_by_one &= &(self.whole()?.several() | &self.varying(&source.name)?);
            let listed = all - &one_by_one;
            let mut left = listed.clone();
            let mut reader = Reader::new(self.db)?;
            let mut statement = self.db.prepare_cached(&format!(
                "SELECT id, value FROM {} WHERE name = ? AND kind <> 'null'",
                source.table()
            ))?;
            let mut rows = statement.query([&source.name])?;
            while let Some(row) = rows.next()? {
                let mut set = Set::default();
                reader.take(number_of(row.get(0)?, source.whose), &mut set)?;
                set &= &listed;
                let count = set.count();
                if count > 0 {
                    left -= &set;
                    *counts.entry(Some(row.get(1)?)).or_default() += count;
                }
            }
            if !left.is_empty() {
                *counts.entry(None).or_default() += left.count();
            }
        }
        for artifact in one_by_one.iter() {
            let value = match self.cell(artifact, field)? {
                Cell::Missing => None,
                Cell::Value(value) if value.is_null() => None,
                Cell::Value(value) => Some(value.as_str().to_owned()),
                Cell::Range(low, high) => Some(format!("{}..{}", low.as_str(), high.as_str())),
                Cell::Several => Some("several".to_owned()),
            };
            *counts.entry(value).or_default() += 1;
        }
        let mut counts: Counts = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok((found, counts))
    }

    fn varying(&self, name: &str) -> rusqlite::Result<Set> {
        let mut statement = self
            .db
            .prepare_cached("SELECT grp FROM _zones WHERE name = ?")?;
        let rows = statement.query_map([name], |row| row.get(0))?;
        let zoned: Set = rows.collect::<rusqlite::Result<_>>()?;
        Ok(zoned | &label(self.db, SPREAD, "")?)
    }
}
