//! A whole project taken out of all lists.

use std::collections::HashSet;

use rusqlite::Transaction;

use super::super::super::lists::{HAS, Whose, number_of, place_of_row, row_of};
use super::super::super::names::{Edits, Named};
use super::super::super::owners::{self, Owner};
use super::super::super::sets::Set;
use super::store;

/// Takes all groups and sessions of a project out of all lists, and its names and owners away.
pub(in crate::engine::local) fn unlist(db: &Transaction<'_>, project: i64) -> rusqlite::Result<()> {
    let others: i64 = db.query_row(
        "SELECT count(*) FROM _projects WHERE id <> ?",
        [project],
        |row| row.get(0),
    )?;
    if others == 0 {
        return db.execute_batch(
            "DELETE FROM _postings; DELETE FROM _names; DELETE FROM _letters; DELETE FROM _owners;",
        );
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
        .prepare("SELECT row FROM _postings")?
        .query_map([], |row| Ok(place_of_row(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (list, stretch) in all {
        let is_of_sessions = list % 4 == Whose::Session as i64 || of_sessions.contains(&list);
        let gone = if is_of_sessions { &sessions } else { &groups };
        let bits: Vec<u8> = db
            .prepare_cached("SELECT bits FROM _postings WHERE row = ?")?
            .query_row([row_of(list, stretch)], |row| row.get(0))?;
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
        .for_each(|artifact| names.set(Named::Artifact, artifact, ""));
    names.write(db)?;
    let mut owners = owners::Edits::default();
    for group in groups.iter() {
        for owner in Owner::BOTH {
            owners.set(owner, group, 0);
        }
    }
    owners.write(db)
}
