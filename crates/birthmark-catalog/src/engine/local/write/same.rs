//! Which artifacts are one artifact that lies in several places.
//!
//! Copies are one: files of the same bytes, with the same birthmark of the same run, of which
//! no journal of their project tells; and the same file in copies of a project. What a journal
//! tells of was made, so it is an artifact of its own, however equal its bytes are to others.
//!
//! All that could be one have the same *kin*. Whatever changes among them, they are grouped anew
//! from what they all are, at the end, so that it does not matter in which order they came.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::recorded::Word;
use super::Writer;

/// What artifacts have alike that could be one.
pub(in crate::engine::local) type Kin = [u8; 16];

/// An artifact among its kin.
struct Relative {
    id: i64,
    is_told: bool,
    file: String,
    same: i64,
}

impl Writer<'_> {
    /// Notes what an artifact's kin is now.
    pub(super) fn kin(
        &mut self,
        artifact: i64,
        before: (Option<Kin>, bool),
        (kin, is_told): (Option<Kin>, bool),
    ) -> rusqlite::Result<()> {
        if before == (kin, is_told) {
            return Ok(());
        }
        self.run(
            "UPDATE _artifacts SET kin = ?, told = ?, same = CASE WHEN ?1 IS NULL THEN id ELSE same END WHERE id = ?",
            params![kin, is_told, artifact],
        )?;
        self.parted.extend(before.0);
        self.parted.extend(kin);
        Ok(())
    }

    /// Notes that an artifact leaves its kin.
    pub(super) fn leave_kin(&mut self, artifact: i64) -> rusqlite::Result<()> {
        let before = self
            .db
            .prepare_cached("SELECT kin, told FROM _artifacts WHERE id = ?")?
            .query_row([artifact], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.kin(artifact, before, (None, false))
    }

    /// The kin of what a session tells of that has these bytes.
    pub(super) fn kin_of_told(&self, word: &Word, digest: &str) -> rusqlite::Result<Option<Kin>> {
        self.db
            .prepare_cached(
                "SELECT a.kin FROM _artifacts a JOIN _told t ON t.project = a.project AND t.file = a.file
                 JOIN _sessions s ON s.id = t.session
                 WHERE a.digest = ?1 AND a.project = ?2 AND a.told AND a.kin IS NOT NULL AND t.digest = ?1
                   AND s.session_id = ?3 ORDER BY a.file LIMIT 1",
            )?
            .query_row(params![digest, self.project, word.session], |row| row.get(0))
            .optional()
    }

    /// Groups all anew of whose kin one changed.
    pub(super) fn write_same(&mut self) -> rusqlite::Result<()> {
        for kin in std::mem::take(&mut self.parted) {
            group_kin(self.db, kin)?;
        }
        Ok(())
    }
}

/// What says that two artifacts could be one: the bytes, and the last birthmark on them.
pub(super) fn kin_of(
    db: &Connection,
    artifact: i64,
    digest: Option<&str>,
) -> rusqlite::Result<Option<Kin>> {
    let Some(digest) = digest else {
        return Ok(None);
    };
    type Last = (Option<String>, Option<String>, Option<String>, i64);
    let last: Last = db
        .prepare_cached(
            "SELECT session_id, run_id, time_max, raw FROM _groups WHERE artifact = ? ORDER BY number DESC LIMIT 1",
        )?
        .query_row([artifact], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    Ok(Some(super::marks::hash_of(&(digest, last))))
}

/// Groups all of one kin by what they are.
pub(in crate::engine::local) fn group_kin(db: &Connection, kin: Kin) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "SELECT a.id, a.told, a.file, a.same FROM _artifacts a JOIN _projects p ON p.id = a.project
         WHERE a.kin = ? ORDER BY p.root, a.file, a.id",
    )?;
    let all: Vec<Relative> = statement
        .query_map([kin], |row| {
            Ok(Relative {
                id: row.get(0)?,
                is_told: row.get(1)?,
                file: row.get(2)?,
                same: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    // The first that is told of is the one that others are copies of.
    let origin = all.iter().find(|one| one.is_told).or(all.first());
    let Some(origin) = origin else {
        return Ok(());
    };
    let mut firsts: HashMap<&str, i64> = HashMap::new();
    for one in &all {
        let of = if one.is_told { &one.file } else { &origin.file };
        let first = firsts.entry(of).or_insert(one.id);
        *first = one.id.min(*first);
    }
    for one in &all {
        let of = if one.is_told { &one.file } else { &origin.file };
        let same = firsts.get(of.as_str()).copied().unwrap_or(one.id);
        if same != one.same {
            db.prepare_cached("UPDATE _artifacts SET same = ? WHERE id = ?")?
                .execute([same, one.id])?;
        }
    }
    Ok(())
}
