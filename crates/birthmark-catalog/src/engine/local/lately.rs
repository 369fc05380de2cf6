//! A session as it is listed: when it began, what it ran and made, how its code was.

use birthmark_core::session::CodeSeen;
use birthmark_core::{SessionId, Timestamp};
use rusqlite::Connection;

use super::{Local, find, write};
use crate::engine::SessionRow;

impl Local {
    pub(super) fn session_of(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<SessionRow> {
        let db = &self.opened.connection;
        let time = |place: usize| -> rusqlite::Result<Option<Timestamp>> {
            let text: Option<String> = row.get(place)?;
            Ok(text.and_then(|text| text.parse().ok()))
        };
        let (mark, id): (i64, i64) = (row.get(7)?, row.get(11)?);
        let (runs, artifacts, records): (i64, i64, i64) = db
            .prepare_cached(
                "SELECT (SELECT count(*) FROM _runs WHERE session = ?1), count(*), coalesce(sum(records), 0)
                 FROM _told WHERE session = ?1 AND state <> 'removed'",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut statement = db.prepare_cached(
            "SELECT DISTINCT script_name FROM _runs WHERE session = ? AND script_name IS NOT NULL ORDER BY start LIMIT 4",
        )?;
        let scripts = statement
            .query_map([id], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut statement = db.prepare_cached(
            "SELECT DISTINCT (SELECT group_concat(value, ' ') FROM json_each(argv)) FROM _runs
             WHERE session = ? AND script_name IS NULL AND argv <> '[]' ORDER BY start LIMIT 4",
        )?;
        let commands: Vec<Option<String>> = statement
            .query_map([id], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let outcome: Option<String> = row.get(5)?;
        let (start, ended) = (time(2)?, time(4)?.zip(outcome));
        Ok(SessionRow {
            id: SessionId::from_text(row.get::<_, String>(0)?),
            root: row.get(1)?,
            start,
            last_heard: time(3)?,
            end: ended.clone(),
            host: row.get(6)?,
            codes: codes_of(db, id, mark)?,
            drift: drift_of(db, id)?,
            scripts,
            commands: commands.into_iter().flatten().collect(),
            runs: runs.unsigned_abs(),
            artifacts: artifacts.unsigned_abs(),
            records: records.unsigned_abs(),
            planned: (
                row.get::<_, i64>(8)?.unsigned_abs(),
                row.get::<_, i64>(9)?.unsigned_abs(),
            ),
            session: write::liveness_of(&row.get::<_, String>(10)?, start, ended.as_ref()),
        })
    }
}

/// The marks of a session: its own, and those of runs that are apart.
pub(super) fn marks_of(db: &Connection, session: i64, own: i64) -> rusqlite::Result<Vec<i64>> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT mark FROM _runs WHERE session = ? AND apart")?;
    let others = statement.query_map([session], |row| row.get(0))?;
    std::iter::once(Ok(own)).chain(others).collect()
}

fn drift_of(db: &Connection, session: i64) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT j.value FROM _runs r, json_each(r.drift) j WHERE r.session = ? AND r.drift <> '[]' ORDER BY 1",
    )?;
    let rows = statement.query_map([session], |row| row.get(0))?;
    rows.collect()
}

fn codes_of(db: &Connection, session: i64, own: i64) -> rusqlite::Result<Vec<CodeSeen>> {
    let code = |mark: i64| -> rusqlite::Result<CodeSeen> {
        let text = |name: &str| -> rusqlite::Result<Option<String>> {
            let value = find::fact_of(db, mark, name)?.filter(|value| !value.is_null());
            Ok(value.map(|value| value.as_str().to_owned()))
        };
        Ok(CodeSeen {
            commit: text("git_commit")?,
            dirty: text("git_dirty")?.and_then(|dirty| dirty.parse().ok()),
            snapshot: text("git_snapshot")?,
        })
    };
    let mut codes: Vec<CodeSeen> = Vec::new();
    for mark in marks_of(db, session, own)? {
        let code = code(mark)?;
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    Ok(codes)
}
