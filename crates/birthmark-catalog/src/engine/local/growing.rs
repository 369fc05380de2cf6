//! Files that grow while they are asked about: what is needed to read on.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;

use super::super::{Growing, Stopped};
use crate::groups::{Group, Place};
use crate::zone::Zone;

/// How a file was that a session is writing to: plain records, read to the end of a line.
pub(super) fn growing(
    db: &Connection,
    project: i64,
    file: &str,
) -> rusqlite::Result<Option<Growing>> {
    let found: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT id, found FROM _artifacts WHERE project = ? AND file = ? AND format = 'jsonl' AND state = 'open' AND found IS NOT NULL",
        )?
        .query_row(params![project, file], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((artifact, found)) = found else {
        return Ok(None);
    };
    let found: Json = serde_json::from_str(&found).unwrap_or(Json::Null);
    let Some(last) = last_group(db, artifact)? else {
        return Ok(None);
    };
    Ok(of(&found, last))
}

fn of(found: &Json, (before, last): (usize, Group)) -> Option<Growing> {
    let number = |name: &str| found[name].as_u64();
    let stopped = |place: usize| found["stopped"][place].as_u64();
    Some(Growing {
        size: number("size")?,
        records: number("records")?,
        unstamped: number("unstamped")?,
        bad_lines: number("bad_lines")?,
        stopped: Stopped {
            last: Place {
                line: stopped(0)?,
                start: stopped(1)?,
                end: stopped(2)?,
            },
            lines: stopped(3)?,
        },
        before,
        last,
    })
}

/// How it is stored where a reading stopped.
pub(super) fn stopped(stopped: Option<&Stopped>) -> Json {
    stopped.map_or(Json::Null, |stopped| {
        let last = stopped.last;
        serde_json::json!([last.line, last.start, last.end, stopped.lines])
    })
}

fn last_group(db: &Connection, artifact: i64) -> rusqlite::Result<Option<(usize, Group)>> {
    type Text = Option<String>;
    let row: Option<(i64, i64, Group, Text, Text)> = db
        .prepare_cached(
            "SELECT id, number, line, start, end, records, time_min, time_max FROM _groups
             WHERE artifact = ? AND carried ORDER BY number DESC LIMIT 1",
        )?
        .query_row([artifact], |row| {
            let group = Group {
                line: super::number(row, 2)?,
                start: super::number(row, 3)?,
                end: super::number(row, 4)?,
                records: super::number(row, 5)?,
                constants: Vec::new(),
                zones: Vec::new(),
            };
            Ok((row.get(0)?, row.get(1)?, group, row.get(6)?, row.get(7)?))
        })
        .optional()?;
    let Some((id, number, mut group, low, high)) = row else {
        return Ok(None);
    };
    let mut statement = db.prepare_cached("SELECT name, zone FROM _zones WHERE grp = ?")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let Some(zone) = Zone::read(&row.get::<_, String>(1)?) else {
            return Ok(None);
        };
        group.zones.push((row.get(0)?, zone));
    }
    if let (Some(low), Some(high)) = (low, high)
        && low != high
    {
        let zone = Zone::of_texts(&low, &high, group.records);
        group.zones.push(("timestamp".to_owned(), zone));
    }
    Ok(Some((usize::try_from(number).unwrap_or(0), group)))
}
