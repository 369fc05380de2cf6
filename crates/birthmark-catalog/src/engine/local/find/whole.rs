//! From groups to their artifacts and back, and artifacts that are the same as others.
//!
//! The first group of an artifact has the artifact's number. Only of those that have more,
//! and of those whose bytes lie in several places, are there tables to look into.

use std::collections::HashMap;

use rusqlite::Connection;

use super::super::sets::Set;
use crate::tables::MORE;

/// What is not as simple as one group an artifact and one place an artifact.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// Groups that are not the first of their artifact, with the artifact.
    more: Vec<(i64, i64)>,
    /// Artifacts that are the same as another, with the other.
    same: HashMap<i64, i64>,
    /// For each of the others, all places: those that journals tell of first.
    families: HashMap<i64, Vec<i64>>,
}

/// All groups of these artifacts.
pub(super) fn groups_of(db: &Connection, artifacts: Set) -> rusqlite::Result<Set> {
    let mut statement = db.prepare_cached(
        "SELECT id, artifact FROM _groups INDEXED BY _groups_more WHERE number > 0",
    )?;
    let mut rows = statement.query([])?;
    let mut more = Set::default();
    while let Some(row) = rows.next()? {
        if artifacts.contains(row.get(1)?) {
            more.insert(row.get(0)?);
        }
    }
    Ok(artifacts | &more)
}

impl Whole {
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Self> {
        let mut out = Self::default();
        let mut statement = db.prepare_cached(
            "SELECT id, artifact FROM _groups INDEXED BY _groups_more WHERE number > 0",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        out.more = rows.collect::<rusqlite::Result<_>>()?;
        out.more.sort_unstable();
        let mut statement =
            db.prepare_cached("SELECT id, same FROM _artifacts WHERE same <> id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (id, same): (i64, i64) = row?;
            out.same.insert(id, same);
            let family = out.families.entry(same).or_insert_with(|| vec![same]);
            family.push(id);
        }
        let mut told = db.prepare_cached("SELECT NOT told FROM _artifacts WHERE id = ?")?;
        for family in out.families.values_mut() {
            let mut sorted: Vec<(bool, i64)> = Vec::with_capacity(family.len());
            for id in family.iter() {
                sorted.push((told.query_row([id], |row| row.get(0))?, *id));
            }
            sorted.sort_unstable();
            *family = sorted.into_iter().map(|(_, id)| id).collect();
        }
        Ok(out)
    }

    /// Artifacts with more than one group.
    pub(super) fn several(&self) -> Set {
        self.more.iter().map(|(_, artifact)| *artifact).collect()
    }

    /// The artifact of a group.
    pub(super) fn artifact_of(&self, group: i64) -> i64 {
        match self.more.binary_search_by_key(&group, |(group, _)| *group) {
            Ok(at) => self.more.get(at).map_or(group, |(_, artifact)| *artifact),
            Err(_) => group,
        }
    }

    /// The artifacts that have one of these groups.
    pub(super) fn artifacts_of(&self, mut groups: Set) -> Set {
        let mut out = groups.split_off(MORE);
        std::mem::swap(&mut out, &mut groups);
        for group in groups.iter() {
            out.insert(self.artifact_of(group));
        }
        out
    }

    /// The same artifacts, of those that are the same the first alone.
    pub(super) fn firsts(&self, mut artifacts: Set) -> Set {
        for family in self.families.values() {
            let there = family.iter().filter(|id| artifacts.contains(**id));
            let others: Vec<i64> = there.skip(1).copied().collect();
            for other in others {
                artifacts.remove(other);
            }
        }
        artifacts
    }

    /// How many artifacts these are, those that are the same counted once.
    pub(super) fn count(&self, artifacts: &Set) -> u64 {
        if self.same.is_empty() {
            return artifacts.count();
        }
        self.firsts(artifacts.clone()).count()
    }

    /// Artifacts without those, and without any that are the same as one of those.
    pub(super) fn without(&self, artifacts: Set, those: &Set) -> Set {
        let mut left = artifacts - those;
        for family in self.families.values() {
            if family.iter().any(|id| those.contains(*id)) {
                for id in family {
                    left.remove(*id);
                }
            }
        }
        left
    }
}
