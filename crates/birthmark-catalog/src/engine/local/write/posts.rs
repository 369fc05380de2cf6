//! Which lists each group and each session stands in.
//!
//! What a group should be listed in is worked out anew whenever its artifact is derived,
//! and held against what it was listed in: only the difference is written, once a
//! transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::lists::{
    Class, DAY, HAS, HERE, SPREAD, Source, Whose, day_of, here, metric, number_of,
};
use super::super::names::Edits;
use super::super::sets::{Set, place_of};
use super::{MEMORY, Writer};
use crate::tables::MORE;
use crate::value::{Kind, Value};

/// What is to be written at the end.
#[derive(Debug, Default)]
pub(super) struct Posts {
    /// By list and stretch: the places, and whether they are in it.
    changed: BTreeMap<(i64, i64), HashMap<u16, bool>>,
    labels: HashMap<(String, String), i64>,
    machines: HashMap<i64, Rc<[i64]>>,
    names: Edits,
}

impl Posts {
    pub(super) fn name(&mut self, artifact: i64, name: &str) {
        self.names.set(artifact, name);
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

/// The columns of an artifact that are asked for by value.
struct Columns {
    here: String,
    values: Vec<(&'static str, Value)>,
    digests: Vec<&'static str>,
}

impl Writer<'_> {
    /// Writes all lists and names that changed.
    pub(super) fn write_posts(&mut self) -> rusqlite::Result<()> {
        for ((list, stretch), places) in std::mem::take(&mut self.posts.changed) {
            let mut set = Set::default();
            let before: Option<Vec<u8>> = self
                .db
                .prepare_cached("SELECT bits FROM _postings WHERE list = ? AND stretch = ?")?
                .query_row([list, stretch], |row| row.get(0))
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
        self.posts.names.write(self.db)
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
        let groups: Vec<i64> = self
            .db
            .prepare_cached("SELECT id FROM _groups WHERE artifact = ?")?
            .query_map([artifact], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for group in groups {
            let mut lists = self.lists_of_group(group)?;
            lists.extend_from_slice(&shared);
            self.repost("_groups", group, lists)?;
        }
        Ok(())
    }

    fn repost(
        &mut self,
        table: &'static str,
        row: i64,
        mut lists: Vec<i64>,
    ) -> rusqlite::Result<()> {
        lists.sort_unstable();
        lists.dedup();
        let before: Option<Vec<u8>> = self
            .db
            .prepare_cached(&format!("SELECT lists FROM {table} WHERE id = ?"))?
            .query_row([row], |found| found.get(0))?;
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

    /// The lists that all groups of an artifact stand in.
    fn lists_of_artifact(&mut self, artifact: i64) -> rusqlite::Result<Vec<i64>> {
        let columns = self.columns(artifact)?;
        let mut lists = Vec::with_capacity(12);
        lists.push(self.label(HERE, &Value::text(columns.here))?);
        for (name, value) in columns.values {
            self.labelled(name, &value, &mut lists)?;
        }
        for name in columns.digests {
            let class = Source::new(name, Whose::Label).class(Class::Text);
            lists.push(self.label(HAS, &Value::text(class))?);
        }
        let metrics: Vec<(String, Value)> = self
            .db
            .prepare_cached("SELECT name, kind, value FROM _metrics WHERE artifact = ?")?
            .query_map([artifact], |row| {
                let kind: String = row.get(1)?;
                Ok((row.get(0)?, Value::stored(&kind, row.get(2)?)))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (name, value) in metrics {
            self.labelled(&metric(&name), &value, &mut lists)?;
        }
        Ok(lists)
    }

    fn columns(&self, artifact: i64) -> rusqlite::Result<Columns> {
        self.db
            .prepare_cached(
                "SELECT project, there, format, state, size, records, digest IS NOT NULL, content_digest IS NOT NULL
                 FROM _artifacts WHERE id = ?",
            )?
            .query_row([artifact], |row| {
                let mut values = Vec::new();
                for (place, name) in [(2, "format"), (3, "state")] {
                    let text: Option<String> = row.get(place)?;
                    values.extend(text.map(|text| (name, Value::text(text))));
                }
                for (place, name) in [(4, "size"), (5, "records")] {
                    let number: Option<i64> = row.get(place)?;
                    let value = number.and_then(|number| Value::number(&number.to_string()));
                    values.extend(value.map(|value| (name, value)));
                }
                let mut digests = Vec::new();
                for (place, name) in [(6, "digest"), (7, "content_digest")] {
                    if row.get(place)? {
                        digests.push(name);
                    }
                }
                Ok(Columns {
                    here: here(row.get(0)?, row.get(1)?),
                    values,
                    digests,
                })
            })
    }

    /// The lists of a group itself: its facts, those of its session, its ids and times.
    fn lists_of_group(&mut self, group: i64) -> rusqlite::Result<Vec<i64>> {
        type Text = Option<String>;
        let (mark, session, run, low, high): (i64, Text, Text, Text, Text) = self
            .db
            .prepare_cached(
                "SELECT mark, session_id, run_id, time_min, time_max FROM _groups WHERE id = ?",
            )?
            .query_row([group], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })?;
        let mut lists = self.lists_of_mark(mark, Whose::Group, "")?;
        for (name, id) in [("session_id", &session), ("run_id", &run)] {
            if let Some(id) = id {
                self.labelled(name, &Value::text(id), &mut lists)?;
            }
        }
        if let Some(session) = &session
            && let Some(mark) = self.machine_of(session)?
        {
            lists.extend_from_slice(&self.lists_of_machine(mark)?);
        }
        match (low, high) {
            (Some(low), Some(high)) if low == high => {
                self.labelled(DAY, &Value::text(day_of(&low)), &mut lists)?;
            }
            (Some(_), Some(_)) => lists.push(self.label(SPREAD, &Value::text(""))?),
            _ => {}
        }
        Ok(lists)
    }

    /// The mark of the session with this id; where several projects have it, of the first.
    pub(super) fn machine_of(&self, session: &str) -> rusqlite::Result<Option<i64>> {
        self.db
            .prepare_cached("SELECT mark FROM _sessions WHERE session_id = ? ORDER BY id LIMIT 1")?
            .query_row([session], |row| row.get(0))
            .optional()
    }

    fn lists_of_machine(&mut self, mark: i64) -> rusqlite::Result<Rc<[i64]>> {
        if let Some(known) = self.posts.machines.get(&mark) {
            return Ok(Rc::clone(known));
        }
        let lists: Rc<[i64]> = self
            .lists_of_mark(mark, Whose::Machine, "environment.")?
            .into();
        if self.posts.machines.len() >= MEMORY / 10 {
            self.posts.machines.clear();
        }
        self.posts.machines.insert(mark, Rc::clone(&lists));
        Ok(lists)
    }

    /// The lists of the facts of a mark whose names begin so.
    fn lists_of_mark(
        &mut self,
        mark: i64,
        whose: Whose,
        start: &str,
    ) -> rusqlite::Result<Vec<i64>> {
        let facts: Vec<(i64, String, Class)> = self
            .db
            .prepare_cached(
                "SELECT f.id, f.name, f.kind, f.key FROM _mark_facts m CROSS JOIN _facts f ON f.id = m.fact WHERE m.mark = ?",
            )?
            .query_map([mark], |row| {
                let kind = Kind::of_word(row.get_ref(2)?.as_str()?).unwrap_or(Kind::Text);
                let class = Class::of(kind, row.get_ref(3)?.as_blob()?);
                Ok((row.get(0)?, row.get(1)?, class))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut lists = Vec::with_capacity(2 * facts.len());
        for (fact, name, class) in facts {
            if name.starts_with(start) {
                lists.push(number_of(fact, whose));
                let class = Source::new(name, whose).class(class);
                lists.push(self.label(HAS, &Value::text(class))?);
            }
        }
        Ok(lists)
    }

    /// The lists of a label and of its class.
    fn labelled(&mut self, name: &str, value: &Value, out: &mut Vec<i64>) -> rusqlite::Result<()> {
        out.push(self.label(name, value)?);
        let class = Class::of(value.kind(), &value.key());
        let class = Source::new(name, Whose::Label).class(class);
        out.push(self.label(HAS, &Value::text(class))?);
        Ok(())
    }

    /// The list of a label, which is made if it is new.
    fn label(&mut self, name: &str, value: &Value) -> rusqlite::Result<i64> {
        // Texts and others of the same letters are told apart.
        let entry = (
            name.to_owned(),
            format!("{}{}", value.kind().word(), value.as_str()),
        );
        if let Some(list) = self.posts.labels.get(&entry) {
            return Ok(*list);
        }
        let key = value.key();
        let found: Option<i64> = self
            .db
            .prepare_cached("SELECT id FROM _labels WHERE name = ? AND key = ? AND value = ?")?
            .query_row(params![name, key, value.as_str()], |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = found {
            id
        } else {
            self.run(
                "INSERT INTO _labels (name, kind, value, key) VALUES (?, ?, ?, ?)",
                params![name, value.kind().word(), value.as_str(), key],
            )?;
            self.db.last_insert_rowid()
        };
        if self.posts.labels.len() >= MEMORY {
            self.posts.labels.clear();
        }
        let list = number_of(id, Whose::Label);
        self.posts.labels.insert(entry, list);
        Ok(list)
    }

    /// Lists a session by its own facts.
    pub(super) fn post_session(&mut self, row: i64) -> rusqlite::Result<()> {
        let mark: i64 = self
            .db
            .prepare_cached("SELECT mark FROM _sessions WHERE id = ?")?
            .query_row([row], |found| found.get(0))?;
        let lists = self.lists_of_mark(mark, Whose::Session, "")?;
        self.repost("_sessions", row, lists)
    }

    pub(super) fn unpost_session(&mut self, row: i64) -> rusqlite::Result<()> {
        self.repost("_sessions", row, Vec::new())
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
            .prepare_cached(
                "INSERT OR REPLACE INTO _postings (list, stretch, bits) VALUES (?, ?, ?)",
            )?
            .execute(params![list, stretch, now])
            .map(drop),
        None if before.is_none() => Ok(()),
        None => db
            .prepare_cached("DELETE FROM _postings WHERE list = ? AND stretch = ?")?
            .execute([list, stretch])
            .map(drop),
    }
}

/// Takes all groups and sessions of a project out of all lists, and its names away.
pub(in crate::engine::local) fn unlist(db: &Transaction<'_>, project: i64) -> rusqlite::Result<()> {
    let others: i64 = db.query_row(
        "SELECT count(*) FROM _projects WHERE id <> ?",
        [project],
        |row| row.get(0),
    )?;
    if others == 0 {
        return db.execute_batch("DELETE FROM _postings; DELETE FROM _names;");
    }
    let numbers = |sql: &str| -> rusqlite::Result<Set> {
        db.prepare(sql)?
            .query_map([project], |row| row.get(0))?
            .collect()
    };
    let artifacts = numbers("SELECT id FROM _artifacts WHERE project = ?")?;
    let groups = numbers(
        "SELECT g.id FROM _artifacts a CROSS JOIN _groups g ON g.artifact = a.id WHERE a.project = ?",
    )?;
    let sessions = numbers("SELECT id FROM _sessions WHERE project = ?")?;
    let of_sessions: HashSet<i64> = db
        .prepare("SELECT id FROM _labels WHERE name = ? AND substr(value, 1, 1) = '2'")?
        .query_map([HAS], |row| row.get::<_, i64>(0))?
        .map(|id| id.map(|id| number_of(id, Whose::Label)))
        .collect::<rusqlite::Result<_>>()?;
    let all: Vec<(i64, i64)> = db
        .prepare("SELECT list, stretch FROM _postings")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (list, stretch) in all {
        let is_of_sessions = list % 4 == Whose::Session as i64 || of_sessions.contains(&list);
        let gone = if is_of_sessions { &sessions } else { &groups };
        let bits: Vec<u8> = db
            .prepare_cached("SELECT bits FROM _postings WHERE list = ? AND stretch = ?")?
            .query_row([list, stretch], |row| row.get(0))?;
        if gone.meets(stretch, &bits) {
            let mut left = Set::default();
            left.take(stretch, &bits);
            left -= gone;
            store(db, list, stretch, Some(&bits), &left)?;
        }
    }
    let mut names = Edits::default();
    artifacts
        .iter()
        .for_each(|artifact| names.set(artifact, ""));
    names.write(db)
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
