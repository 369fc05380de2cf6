//! Clocks that disagree: bytes that were made, by one clock, later than the session that read
//! them was over, by another, prove it.
//!
//! # Limits
//!
//! * Less than a second is not told, and what nobody read proves nothing.
//! * Bytes that are made again prove nothing: the first time counts, as far as it is known.

use std::collections::HashSet;

use birthmark_core::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value as Json;

use crate::engine::Disagreement;

/// What is not told.
const LITTLE_MICROS: i64 = 1_000_000;
/// Artifacts of one session that are looked at.
const MOST_ARTIFACTS: i64 = 64;
/// Inputs of one artifact that are looked at.
const MOST_INPUTS: usize = 64;

/// Bytes that were read.
struct Reading {
    project: i64,
    host: String,
    /// When it was over.
    end: Timestamp,
    file: Option<String>,
    digest: String,
}

/// What these sessions prove, for each pair of hosts the most that was seen.
pub(super) fn disagreements(
    db: &Connection,
    sessions: &[String],
) -> rusqlite::Result<Vec<Disagreement>> {
    let mut out: Vec<Disagreement> = Vec::new();
    for session in sessions {
        let mut seen = HashSet::new();
        for reading in readings(db, session)? {
            if seen.insert(reading.digest.clone())
                && let Some(found) = made_later(db, &reading)?
            {
                note(&mut out, found);
            }
        }
    }
    Ok(out)
}

/// What a session read: the inputs of what it made, and what its runs were seen to open.
fn readings(db: &Connection, session: &str) -> rusqlite::Result<Vec<Reading>> {
    let mut out = Vec::new();
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT s.project, s.host, coalesce(s.session_end, s.last_heard), t.inputs
         FROM _sessions s CROSS JOIN _told t ON t.session = s.id WHERE s.session_id = ?1 AND t.inputs <> '[]' LIMIT ?2",
    )?;
    let mut rows = statement.query(params![session, MOST_ARTIFACTS])?;
    while let Some(row) = rows.next()? {
        for (file, digest) in inputs(&row.get::<_, String>(3)?) {
            out.extend(reading(row, file, digest)?);
        }
    }
    let mut statement = db.prepare_cached(
        "SELECT s.project, s.host, coalesce(s.session_end, s.last_heard), u.file, u.digest
         FROM _sessions s CROSS JOIN _used u ON u.session = s.id WHERE s.session_id = ?1 AND u.digest IS NOT NULL LIMIT ?2",
    )?;
    let mut rows = statement.query(params![session, MOST_ARTIFACTS])?;
    while let Some(row) = rows.next()? {
        out.extend(reading(row, row.get(3)?, row.get(4)?)?);
    }
    Ok(out)
}

fn reading(
    row: &Row<'_>,
    file: Option<String>,
    digest: String,
) -> rusqlite::Result<Option<Reading>> {
    let (host, end): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
    let end = end.and_then(|end| end.parse().ok());
    let (Some(host), Some(end)) = (host, end) else {
        return Ok(None);
    };
    Ok(Some(Reading {
        project: row.get(0)?,
        host,
        end,
        file,
        digest,
    }))
}

/// Keeps of each pair of hosts the most.
fn note(all: &mut Vec<Disagreement>, found: Disagreement) {
    let known = all
        .iter_mut()
        .find(|known| known.ahead == found.ahead && known.behind == found.behind);
    match known {
        Some(known) if known.by_micros < found.by_micros => *known = found,
        Some(_) => {}
        None => all.push(found),
    }
}

fn inputs(text: &str) -> Vec<(Option<String>, String)> {
    let all: Json = serde_json::from_str(text).unwrap_or(Json::Null);
    let inputs = all.as_array().into_iter().flatten().take(MOST_INPUTS);
    let of = |input: &Json, name: &str| input[name].as_str().map(str::to_owned);
    inputs
        .filter_map(|input| Some((of(input, "file"), of(input, "digest")?)))
        .collect()
}

/// Where bytes were made, if all who made them say that it was later than they were read.
fn made_later(db: &Connection, read: &Reading) -> rusqlite::Result<Option<Disagreement>> {
    let later = |made: Timestamp| made.micros().saturating_sub(read.end.micros());
    if let Some(file) = &read.file
        && let Some((made, _)) = first_made(db, read.project, file, &read.digest)?
        && later(made) <= LITTLE_MICROS
    {
        // The file has other bytes by now.
        return Ok(None);
    }
    let mut statement = db.prepare_cached(
        "SELECT a.project, a.file, a.timestamp, (SELECT s.host FROM _sessions s WHERE s.session_id = a.session_id ORDER BY s.id LIMIT 1)
         FROM _artifacts a WHERE a.digest = ? AND a.there < 2 LIMIT 16",
    )?;
    let mut rows = statement.query([&read.digest])?;
    let mut least: Option<Disagreement> = None;
    while let Some(row) = rows.next()? {
        let file: String = row.get(1)?;
        let (made, ahead) = match first_made(db, row.get(0)?, &file, &read.digest)? {
            Some((made, host)) => (Some(made), host),
            None => (
                row.get::<_, Option<String>>(2)?
                    .and_then(|time| time.parse().ok()),
                row.get(3)?,
            ),
        };
        let (Some(made), Some(ahead)) = (made, ahead) else {
            continue;
        };
        let by_micros = later(made);
        if by_micros <= LITTLE_MICROS {
            return Ok(None);
        }
        if least
            .as_ref()
            .is_none_or(|least| by_micros < least.by_micros)
        {
            least = Some(Disagreement {
                ahead,
                behind: read.host.clone(),
                by_micros,
                file,
            });
        }
    }
    Ok(least)
}

/// When a file was first made with these bytes, and where, as journals tell it.
fn first_made(
    db: &Connection,
    project: i64,
    file: &str,
    digest: &str,
) -> rusqlite::Result<Option<(Timestamp, Option<String>)>> {
    let mut statement = db.prepare_cached(
        "SELECT t.made, s.host FROM _told t JOIN _sessions s ON s.id = t.session
         WHERE t.project = ? AND t.file = ? AND t.digest = ? ORDER BY t.made LIMIT 1",
    )?;
    let mut rows = statement.query(params![project, file, digest])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let made: Option<Timestamp> = row.get::<_, String>(0)?.parse().ok();
    Ok(made.zip(Some(row.get(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::local::place;

    fn session(db: &Connection, id: i64, host: &str, end: &str) {
        db.execute(
            "INSERT INTO _sessions (id, project, session_id, number, extent, open, bound, session_end, host, planned, made, processes, mark)
             VALUES (?1, 1, 's' || ?1, ?1, '', 0, 1, ?3, ?2, 0, 0, '', 0)",
            params![id, host, end],
        )
        .unwrap();
    }

    fn made(db: &Connection, session: i64, file: &str, digest: &str, time: &str, inputs: &str) {
        db.execute(
            "INSERT INTO _told (session, project, file, artifact_type, format, state, timestamp, size, digest, mark, inputs, made)
             VALUES (?1, 1, ?2, 't', 'jsonl', 'sealed', ?3, 1, ?5, 0, ?4, ?3)",
            params![session, file, time, inputs, digest],
        )
        .unwrap();
        db.execute(
            "INSERT INTO _artifacts (project, file, there, scanned, timestamp, digest, session_id, mark, same)
             VALUES (1, ?, 1, 1, ?, ?, 's' || ?, 0, 0)",
            params![file, time, digest, session],
        )
        .unwrap();
    }

    fn at(minute: u32) -> String {
        format!("2026-01-01T00:{minute:02}:00.000000+00:00")
    }

    fn told(db: &Connection) -> Vec<(String, String, i64, String)> {
        let sessions: Vec<String> = (1..6).map(|id| format!("s{id}")).collect();
        let found = disagreements(db, &sessions).unwrap();
        let minutes = |found: Disagreement| {
            (
                found.ahead,
                found.behind,
                found.by_micros / 60_000_000,
                found.file,
            )
        };
        found.into_iter().map(minutes).collect()
    }

    #[test]
    fn what_was_read_before_it_was_made_proves_that_clocks_disagree() {
        let db = place::in_memory().unwrap().connection;
        session(&db, 1, "pod-a", &at(20));
        made(&db, 1, "data.jsonl", "d1", &at(19), "[]");
        session(&db, 2, "pod-b", &at(25));
        made(
            &db,
            2,
            "model",
            "d2",
            &at(24),
            r#"[{"digest": "d1"}, {"name": "x"}, 7]"#,
        );
        assert!(told(&db).is_empty(), "what was made first was read later");
        session(&db, 3, "pod-b", &at(9));
        made(&db, 3, "other", "d3", &at(8), r#"[{"digest": "d1"}]"#);
        session(&db, 4, "pod-b", &at(4));
        made(&db, 4, "early", "d4", &at(3), r#"[{"digest": "d1"}]"#);
        let file = "data.jsonl".to_owned();
        let pods = ("pod-a".to_owned(), "pod-b".to_owned());
        assert_eq!(
            told(&db),
            [(pods.0.clone(), pods.1.clone(), 15, file.clone())]
        );
        // Who has the same bytes from earlier may be the one that was read.
        session(&db, 5, "pod-c", &at(2));
        made(&db, 5, "copy.jsonl", "d1", &at(1), "[]");
        assert!(told(&db).is_empty());
    }
}
