//! Which lists each group and each session stands in.
//!
//! What a group should be listed in is worked out anew whenever its artifact is derived,
//! and held against what it was listed in: only the difference is written, once a
//! transaction.

mod lists;
mod unlist;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::lately::marks_of;
use super::super::lists::{Whose, row_of};
use super::super::names::{Edits, Named};
use super::super::owners::{self, Owner};
use super::super::rolls;
use super::super::sets::{Set, place_of};
use super::Writer;
use crate::tables::MORE;

pub(in crate::engine::local) use unlist::unlist;

/// What is to be written at the end.
#[derive(Debug, Default)]
pub(super) struct Posts {
    /// By list and stretch: the places, and whether they are in it.
    changed: BTreeMap<(i64, i64), HashMap<u16, bool>>,
    labels: HashMap<(String, String), i64>,
    machines: HashMap<i64, Rc<[i64]>>,
    names: Edits,
    owners: owners::Edits,
    rolls: rolls::Edits,
}

impl Posts {
    pub(super) fn name(&mut self, artifact: i64, name: &str) {
        self.names.set(Named::Artifact, artifact, name);
    }

    /// A session or one of its runs is written anew.
    pub(super) fn touch(&mut self, session: i64) {
        self.rolls.touch(session);
    }

    /// Moves a number from some lists to others. Both are sorted.
    fn change(&mut self, number: i64, before: &[i64], after: &[i64]) {
        let (stretch, place) = place_of(number);
        let mut note = |list: i64, is_in: bool| {
            let places = self.changed.entry((list, stretch)).or_default();
            places.insert(place, is_in);
        };
        for list in before {
            if after.binary_search(list).is_err() {
                note(*list, false);
            }
        }
        for list in after {
            if before.binary_search(list).is_err() {
                note(*list, true);
            }
        }
    }
}

/// Which groups of an artifact are removed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drop {
    All,
    /// Those of which journals alone tell.
    Told,
    /// Those from this number on.
    From(usize),
}

/// A group, and what it is listed in.
pub(super) struct Posted {
    id: i64,
    mark: i64,
    session: Option<String>,
    run: Option<String>,
    low: Option<String>,
    high: Option<String>,
    carried: bool,
    lists: Option<Vec<u8>>,
}

impl Posted {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            mark: row.get(1)?,
            session: row.get(2)?,
            run: row.get(3)?,
            low: row.get(4)?,
            high: row.get(5)?,
            carried: row.get(6)?,
            lists: row.get(7)?,
        })
    }
}

impl Writer<'_> {
    /// Writes all lists, names, owners and rolls that changed.
    pub(super) fn write_posts(&mut self) -> rusqlite::Result<()> {
        for ((list, stretch), places) in std::mem::take(&mut self.posts.changed) {
            let mut set = Set::default();
            let before: Option<Vec<u8>> = self
                .db
                .prepare_cached("SELECT bits FROM _postings WHERE row = ?")?
                .query_row([row_of(list, stretch)], |row| row.get(0))
                .optional()?;
            if let Some(before) = &before {
                set.take(stretch, before);
            }
            for (place, is_in) in places {
                let number = (stretch << 16) + i64::from(place);
                if is_in {
                    set.insert(number);
                } else {
                    set.remove(number);
                }
            }
            store(self.db, list, stretch, before.as_deref(), &set)?;
        }
        self.posts.names.write(self.db)?;
        self.posts.owners.write(self.db)?;
        self.posts.rolls.write(self.db)
    }

    /// Removes groups of an artifact, with their zones.
    pub(super) fn drop_groups(&mut self, artifact: i64, which: Drop) -> rusqlite::Result<()> {
        let (of, from) = match which {
            Drop::All => ("", 0),
            Drop::Told => (" AND NOT carried", 0),
            Drop::From(from) => ("", i64::try_from(from).unwrap_or(i64::MAX)),
        };
        let groups: Vec<(i64, Option<Vec<u8>>, bool)> = self
            .db
            .prepare_cached(&format!(
                "SELECT id, lists, zoned FROM _groups WHERE artifact = ? AND number >= ?{of}"
            ))?
            .query_map([artifact, from], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (group, lists, zoned) in groups {
            self.posts
                .change(group, &unpacked(&lists.unwrap_or_default()), &[]);
            if zoned {
                self.run("DELETE FROM _zones WHERE grp = ?", [group])?;
            }
            self.run("DELETE FROM _groups WHERE id = ?", [group])?;
            for owner in Owner::BOTH {
                self.posts.owners.set(owner, group, 0);
            }
        }
        Ok(())
    }

    /// The number for a group of an artifact.
    pub(super) fn next_group(&self, artifact: i64, number: usize) -> rusqlite::Result<i64> {
        if number == 0 {
            return Ok(artifact);
        }
        let last: Option<i64> = self
            .db
            .prepare_cached("SELECT max(id) FROM _groups")?
            .query_row([], |row| row.get(0))?;
        Ok(last.map_or(MORE, |last| last.max(MORE - 1) + 1))
    }

    /// Lists the groups of an artifact anew.
    pub(super) fn post(&mut self, artifact: i64) -> rusqlite::Result<()> {
        let shared = self.lists_of_artifact(artifact)?;
        let groups: Vec<Posted> = self
            .db
            .prepare_cached(
                "SELECT id, mark, session_id, run_id, time_min, time_max, carried, lists FROM _groups WHERE artifact = ?",
            )?
            .query_map([artifact], Posted::of)?
            .collect::<rusqlite::Result<_>>()?;
        // Only beside the group of who wrote a file there may be one that stands in no list.
        let unlisted = if groups.iter().all(|group| group.carried) {
            Vec::new()
        } else {
            self.unlisted(artifact)?
        };
        for group in groups {
            if unlisted.contains(&group.id) {
                self.repost("_groups", group.id, group.lists, Vec::new())?;
                for owner in Owner::BOTH {
                    self.posts.owners.set(owner, group.id, 0);
                }
                continue;
            }
            let mut lists = self.lists_of_group(&group)?;
            lists.extend_from_slice(&shared);
            self.repost("_groups", group.id, group.lists, lists)?;
        }
        Ok(())
    }

    fn repost(
        &mut self,
        table: &'static str,
        row: i64,
        before: Option<Vec<u8>>,
        mut lists: Vec<i64>,
    ) -> rusqlite::Result<()> {
        lists.sort_unstable();
        lists.dedup();
        let packed = packed(&lists);
        if before.as_ref() == Some(&packed) {
            return Ok(());
        }
        self.posts
            .change(row, &unpacked(&before.unwrap_or_default()), &lists);
        self.run(
            &format!("UPDATE {table} SET lists = ? WHERE id = ?"),
            params![packed, row],
        )
        .map(drop)
    }

    /// Lists a session by its own facts, and those of its runs that are apart: so their names are
    /// known. Which of them match is not asked of the lists.
    pub(super) fn post_session(&mut self, row: i64) -> rusqlite::Result<()> {
        let (mark, before) = self.posted_session(row)?;
        let mut lists = Vec::new();
        for mark in marks_of(self.db, row, mark)? {
            lists.extend(self.lists_of_mark(mark, Whose::Session, "")?);
        }
        self.repost("_sessions", row, before, lists)
    }

    pub(super) fn unpost_session(&mut self, row: i64) -> rusqlite::Result<()> {
        let (_, before) = self.posted_session(row)?;
        self.repost("_sessions", row, before, Vec::new())
    }

    /// The mark of a session, and what it is listed in.
    fn posted_session(&self, row: i64) -> rusqlite::Result<(i64, Option<Vec<u8>>)> {
        self.db
            .prepare_cached("SELECT mark, lists FROM _sessions WHERE id = ?")?
            .query_row([row], |found| Ok((found.get(0)?, found.get(1)?)))
    }

    /// Lists all groups of a session anew: what is known of its machine is another.
    pub(super) fn post_all_of(&mut self, session: &str) -> rusqlite::Result<()> {
        let artifacts: Vec<i64> = self
            .db
            .prepare_cached("SELECT DISTINCT artifact FROM _groups WHERE session_id = ?")?
            .query_map([session], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        artifacts
            .into_iter()
            .try_for_each(|artifact| self.post(artifact))
    }
}

fn store(
    db: &Connection,
    list: i64,
    stretch: i64,
    before: Option<&[u8]>,
    set: &Set,
) -> rusqlite::Result<()> {
    match set.blob(stretch) {
        Some(now) if before == Some(now.as_slice()) => Ok(()),
        Some(now) => db
            .prepare_cached("INSERT OR REPLACE INTO _postings (row, bits) VALUES (?, ?)")?
            .execute(params![row_of(list, stretch), now])
            .map(drop),
        None if before.is_none() => Ok(()),
        None => db
            .prepare_cached("DELETE FROM _postings WHERE row = ?")?
            .execute([row_of(list, stretch)])
            .map(drop),
    }
}

/// Sorted numbers, each as what it is more than the one before it, seven bits a byte.
fn packed(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(numbers.len() * 3);
    let mut before = 0;
    for number in numbers {
        let mut more = (number - before).unsigned_abs();
        before = *number;
        while more >= 0x80 {
            out.push(u8::try_from(more & 0x7F).unwrap_or(0) | 0x80);
            more >>= 7;
        }
        out.push(u8::try_from(more).unwrap_or(0));
    }
    out
}

fn unpacked(bytes: &[u8]) -> Vec<i64> {
    let mut out = Vec::with_capacity(bytes.len() / 2);
    let (mut number, mut more, mut shift) = (0i64, 0i64, 0u32);
    for byte in bytes {
        more |= i64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            number += more;
            out.push(number);
            (more, shift) = (0, 0);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_that_were_packed_come_out_again(mut numbers in proptest::collection::vec(0i64..1 << 44, 0..40)) {
            numbers.sort_unstable();
            numbers.dedup();
            proptest::prop_assert_eq!(unpacked(&packed(&numbers)), numbers);
        }
    }
}
