//! Who wrote a file whose birthmarks were born in other runs: a run was seen to filter, merge or
//! rewrite it. It has a group of its own, behind those of the records: no record is in it, and the
//! row of the file goes by it.
//!
//! # Invariants
//!
//! * What the records carry stays as it is: they are found by where they were born.
//! * A file with one birthmark and no records is its writer's alone: the group of its birthmark
//!   stands in no list.

use birthmark_core::wrote::is_of_another;
use rusqlite::{Connection, params};

use super::super::recorded::{self, Told};
use super::derive::Carried;
use super::{Facts, Writer};

/// Whether a field is of the run that wrote a file, and not of what it carries.
fn is_of_writer(name: &str) -> bool {
    name.starts_with("git_") || name.starts_with("script_")
}

impl Writer<'_> {
    /// Adds the group of who wrote an artifact, where that was another run than its groups name.
    pub(super) fn wrote(
        &mut self,
        artifact: i64,
        carried: &[Carried],
        session: &str,
        told: &Told,
    ) -> rusqlite::Result<()> {
        let is_of_another = |group: &Carried| {
            let born = (group.session.as_deref(), group.run.as_deref());
            is_of_another(&told.format, (session, told.run.as_deref()), born)
        };
        if told.state != "sealed" || !carried.iter().any(is_of_another) {
            return Ok(());
        }
        let mut facts = self.facts_in_all(carried)?;
        facts.retain(|(name, _)| !is_of_writer(name));
        let own = self.facts_of(told.mark)?;
        facts.extend(own.into_iter().filter(|(name, _)| is_of_writer(name)));
        let mark = self.mark(&facts)?;
        let number = carried.len();
        let id = self.next_group(artifact, number)?;
        self.run(
            "INSERT INTO _groups (id, artifact, number, session_id, run_id, time_min, time_max, zoned, carried, raw, mark)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, 0, ?7, ?7)",
            params![
                id,
                artifact,
                super::signed(number as u64),
                session,
                told.run,
                told.timestamp,
                mark
            ],
        )
        .map(drop)
    }

    /// Lets files be looked at that carry nothing, that nobody tells of, and that are as large as this.
    pub(super) fn look_at_plain(&self, size: i64) -> rusqlite::Result<()> {
        self.run(
            "UPDATE _files INDEXED BY _files_file SET state = '~' WHERE project = ?1 AND file IN (
               SELECT file FROM _artifacts INDEXED BY _artifacts_plain
               WHERE project = ?1 AND there = 2 AND found ->> 'size' = ?2)",
            params![self.project, size],
        )
        .map(drop)
    }

    /// Notes the digests of what a session made that carries nothing within, before what it tells changes.
    pub(super) fn note_observed(&mut self, session: i64) -> rusqlite::Result<()> {
        let mut statement = self.db.prepare_cached(
            "SELECT digest FROM _told WHERE session = ? AND format IN ('observed', 'file') AND digest IS NOT NULL",
        )?;
        for digest in statement.query_map([session], |row| row.get(0))? {
            self.rewritten.insert(digest?);
        }
        Ok(())
    }

    /// Works out anew what was moved or copied from where it was made.
    pub(super) fn derive_moved(&mut self) -> rusqlite::Result<()> {
        for digest in std::mem::take(&mut self.rewritten) {
            let files: Vec<String> = self
                .db
                .prepare_cached(
                    "SELECT a.file FROM _artifacts a WHERE a.digest = ?2 AND a.project = ?1 AND NOT EXISTS (
                       SELECT 1 FROM _told t WHERE t.project = ?1 AND t.file = a.file AND t.digest = ?2)",
                )?
                .query_map(params![self.project, digest], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for file in files {
                self.derive(&file)?;
            }
        }
        Ok(())
    }

    /// What all of these groups have in common.
    fn facts_in_all(&self, carried: &[Carried]) -> rusqlite::Result<Facts> {
        let mut marks: Vec<i64> = Vec::new();
        for group in carried {
            let mark = self
                .db
                .prepare_cached("SELECT mark FROM _groups WHERE id = ?")?
                .query_row([group.id], |row| row.get(0))?;
            if !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        let Some((first, others)) = marks.split_first() else {
            return Ok(Facts::new());
        };
        let mut facts = self.facts_of(*first)?;
        for mark in others {
            let other = self.facts_of(*mark)?;
            facts.retain(|fact| other.contains(fact));
        }
        Ok(facts)
    }

    /// The groups of an artifact that stand in no list: those of a single birthmark, where
    /// another run wrote the file.
    pub(super) fn unlisted(&self, artifact: i64) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(
            "SELECT g.id FROM _groups g JOIN _artifacts a ON a.id = g.artifact
             WHERE g.artifact = ? AND g.carried AND a.format NOT LIKE 'jsonl%'
               AND EXISTS (SELECT 1 FROM _groups w WHERE w.artifact = g.artifact AND NOT w.carried)",
        )?;
        let rows = statement.query_map([artifact], |row| row.get(0))?;
        rows.collect()
    }
}

/// Lets all files be looked at that may have been moved from where they were made.
pub(in crate::engine::local) fn look_at_moved(db: &Connection) -> rusqlite::Result<()> {
    let projects: Vec<i64> = db
        .prepare("SELECT id FROM _projects")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for project in projects {
        for file in recorded::maybe_moved(db, project)? {
            db.prepare_cached("UPDATE _files INDEXED BY _files_file SET state = '~' WHERE project = ? AND file = ?")?
                .execute(params![project, file])?;
        }
    }
    Ok(())
}
