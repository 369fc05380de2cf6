//! Clocks that disagree: bytes that were made, by one clock, later than the session that read
//! them was over, by another, prove it.
//!
//! # Limits
//!
//! * Less than a second is not told, and what nobody read proves nothing.

use std::collections::HashSet;

use birthmark_core::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value as Json;

use crate::engine::Disagreement;

/// What is not told.
const LITTLE_MICROS: i64 = 1_000_000;
/// Artifacts of one session that are looked at.
const MOST_ARTIFACTS: i64 = 64;
/// Inputs of one artifact that are looked at.
const MOST_INPUTS: usize = 64;

/// What these sessions prove, for each pair of hosts the most that was seen.
pub(super) fn disagreements(
    db: &Connection,
    sessions: &[String],
) -> rusqlite::Result<Vec<Disagreement>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT s.host, coalesce(s.session_end, s.last_heard), t.inputs FROM _sessions s CROSS JOIN _told t ON t.session = s.id
         WHERE s.session_id = ? AND t.inputs <> '[]' LIMIT ?",
    )?;
    let mut out: Vec<Disagreement> = Vec::new();
    for session in sessions {
        let mut rows = statement.query(params![session, MOST_ARTIFACTS])?;
        while let Some(row) = rows.next()? {
            let host: Option<String> = row.get(0)?;
            let time: Option<String> = row.get(1)?;
            let time = time.and_then(|time| time.parse::<Timestamp>().ok());
            let (Some(host), Some(time)) = (host, time) else {
                continue;
            };
            for digest in digests(&row.get::<_, String>(2)?) {
                if let Some(found) = made_later(db, &digest, &host, time)? {
                    note(&mut out, found);
                }
            }
        }
    }
    Ok(out)
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

fn digests(inputs: &str) -> HashSet<String> {
    let all: Json = serde_json::from_str(inputs).unwrap_or(Json::Null);
    let inputs = all.as_array().into_iter().flatten().take(MOST_INPUTS);
    inputs
        .filter_map(|input| Some(input["digest"].as_str()?.to_owned()))
        .collect()
}

/// Where the bytes with this digest were made, if all who made them say that it was later
/// than they were read.
fn made_later(
    db: &Connection,
    digest: &str,
    reader: &str,
    read: Timestamp,
) -> rusqlite::Result<Option<Disagreement>> {
    let mut statement = db.prepare_cached(
        "SELECT a.file, a.timestamp, (SELECT s.host FROM _sessions s WHERE s.session_id = a.session_id ORDER BY s.id LIMIT 1)
         FROM _artifacts a WHERE a.digest = ? AND a.there < 2 LIMIT 16",
    )?;
    let mut rows = statement.query([digest])?;
    let mut least: Option<Disagreement> = None;
    while let Some(row) = rows.next()? {
        let made: Option<Timestamp> = row
            .get::<_, Option<String>>(1)?
            .and_then(|time| time.parse().ok());
        let (Some(made), Some(ahead)) = (made, row.get::<_, Option<String>>(2)?) else {
            continue;
        };
        let by_micros = made.micros().saturating_sub(read.micros());
        if by_micros <= LITTLE_MICROS {
            return Ok(None);
        }
        if least
            .as_ref()
            .is_none_or(|least| by_micros < least.by_micros)
        {
            least = Some(Disagreement {
                ahead,
                behind: reader.to_owned(),
                by_micros,
                file: row.get(0)?,
            });
        }
    }
    Ok(least)
}
