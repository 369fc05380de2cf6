//! What is asked of all sessions and of all runs, one column after the other: how many there
//! are and which of them ended so is one walk through few bytes, and no row is touched.
//!
//! # Invariants
//!
//! * A stretch tells of the sessions of 256 numbers of rows, or of all runs of these sessions.
//!   Its columns tell of the same ones in the same order: by the row of the session, then by
//!   the id of the run.
//! * Who writes a session or a run writes its stretch anew in the same transaction, so that
//!   rolls always say what the rows say.
//! * Of a stretch: how many, four bytes; for each the place of its value, four bytes; the
//!   values that there are, each as a letter and what follows from it.

use std::collections::{BTreeSet, HashMap};

use rusqlite::types::{FromSqlError, Value as Sql, ValueRef};
use rusqlite::{Connection, params};

use super::owners::Owner;
use super::sets::{Filling, Set};

/// Sessions of one stretch.
const SPAN: i64 = 1 << 8;
/// Bits of the key of a row that say which stretch it is.
const STRETCHES: u32 = 40;
/// Columns that either of the two may have.
const COLUMNS: i64 = 64;

/// The columns of sessions, by their names and where they stand.
const SESSIONS: [(&str, &str); 6] = [
    ("row", "id"),
    ("number", "number"),
    ("project", "project"),
    ("session_start", "session_start"),
    ("session_end", "session_end"),
    ("outcome", "outcome"),
];
/// The same of runs.
const RUNS: [(&str, &str); 10] = [
    ("number", "number"),
    ("project", "project"),
    ("run_start", "start"),
    ("run_end", "end"),
    ("outcome", "outcome"),
    ("duration_s", "duration_s"),
    ("exit_code", "exit_code"),
    ("rank", "rank"),
    ("error", "error"),
    ("drift", "drift"),
];

fn columns_of(owner: Owner) -> &'static [(&'static str, &'static str)] {
    match owner {
        Owner::Session => &SESSIONS,
        Owner::Run => &RUNS,
    }
}

/// The row that holds the first stretch of a column; none where there is no such column.
fn first_row(owner: Owner, column: &str) -> Option<i64> {
    let place = columns_of(owner)
        .iter()
        .position(|(name, _)| *name == column)?;
    let column = owner as i64 * COLUMNS + i64::try_from(place).ok()?;
    Some(column << STRETCHES)
}

/// Whether the rolls have this column.
pub(super) fn have(owner: Owner, column: &str) -> bool {
    first_row(owner, column).is_some()
}

/// Sessions of which something changed, by their stretches.
#[derive(Debug, Default)]
pub(super) struct Edits(BTreeSet<i64>);

impl Edits {
    /// This session, or one of its runs, is another from now on.
    pub(super) fn touch(&mut self, session: i64) {
        self.0.insert(session / SPAN);
    }

    /// Writes them down.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        for stretch in std::mem::take(&mut self.0) {
            for owner in Owner::BOTH {
                write(db, owner, stretch)?;
            }
        }
        Ok(())
    }
}

fn write(db: &Connection, owner: Owner, stretch: i64) -> rusqlite::Result<()> {
    let columns = columns_of(owner);
    let (table, id, order) = match owner {
        Owner::Session => ("_sessions", "id", "id"),
        Owner::Run => ("_runs", "session", "session, run_id"),
    };
    let cells: Vec<&str> = columns.iter().map(|(_, sql)| *sql).collect();
    let mut rolls: Vec<Roll> = columns.iter().map(|_| Roll::default()).collect();
    let mut statement = db.prepare_cached(&format!(
        "SELECT {} FROM {table} WHERE {id} >= ? AND {id} < ? ORDER BY {order}",
        cells.join(", ")
    ))?;
    let mut rows = statement.query([stretch * SPAN, (stretch + 1) * SPAN])?;
    while let Some(row) = rows.next()? {
        for (place, roll) in rolls.iter_mut().enumerate() {
            roll.push(row.get_ref(place)?);
        }
    }
    for ((name, _), roll) in columns.iter().zip(rolls) {
        let Some(first) = first_row(owner, name) else {
            continue;
        };
        if roll.places.is_empty() {
            db.prepare_cached("DELETE FROM _rolls WHERE row = ?")?
                .execute([first + stretch])?;
        } else {
            db.prepare_cached("INSERT OR REPLACE INTO _rolls (row, cells) VALUES (?, ?)")?
                .execute(params![first + stretch, roll.bytes()])?;
        }
    }
    Ok(())
}

/// A column of a stretch that is being put together.
#[derive(Debug, Default)]
struct Roll {
    places: Vec<u32>,
    known: HashMap<Vec<u8>, u32>,
    values: Vec<u8>,
}

impl Roll {
    fn push(&mut self, cell: ValueRef<'_>) {
        let bytes = stored(cell);
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let place = self.known.entry(bytes).or_insert_with_key(|bytes| {
            self.values.extend_from_slice(bytes);
            next
        });
        self.places.push(*place);
    }

    fn bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let mut out = count.to_le_bytes().to_vec();
        out.extend(self.places.iter().flat_map(|place| place.to_le_bytes()));
        out.extend_from_slice(&self.values);
        out
    }
}

fn stored(cell: ValueRef<'_>) -> Vec<u8> {
    match cell {
        ValueRef::Null | ValueRef::Blob(_) => vec![b'0'],
        ValueRef::Integer(number) => [&b"i"[..], &number.to_le_bytes()].concat(),
        ValueRef::Real(number) => [&b"r"[..], &number.to_le_bytes()].concat(),
        ValueRef::Text(text) => {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            [&b"t"[..], &length.to_le_bytes(), text].concat()
        }
    }
}

/// The first of these stored values, and what follows it; none at their end.
fn value(bytes: &[u8]) -> Option<(ValueRef<'_>, &[u8])> {
    let (letter, rest) = bytes.split_first()?;
    Some(match letter {
        b'i' => {
            let (number, rest) = rest.split_first_chunk()?;
            (ValueRef::Integer(i64::from_le_bytes(*number)), rest)
        }
        b'r' => {
            let (number, rest) = rest.split_first_chunk()?;
            (ValueRef::Real(f64::from_le_bytes(*number)), rest)
        }
        b't' => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (text, rest) = rest.split_at_checked(length)?;
            (ValueRef::Text(text), rest)
        }
        _ => (ValueRef::Null, rest),
    })
}

/// What is made of each value of a column, for all sessions or runs in their order. Of a value
/// that many have it is asked once in a stretch.
pub(super) fn each<T: Copy>(
    db: &Connection,
    owner: Owner,
    column: &str,
    judge: &mut dyn FnMut(ValueRef<'_>) -> T,
) -> rusqlite::Result<Vec<T>> {
    let mut out = Vec::new();
    let Some(first) = first_row(owner, column) else {
        return Ok(out);
    };
    let sql = "SELECT cells FROM _rolls WHERE row BETWEEN ? AND ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([first, first + (1 << STRETCHES) - 1])?;
    let mut judged = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = row.get_ref(0)?.as_blob()?;
        let Some((count, rest)) = cells.split_first_chunk() else {
            continue;
        };
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(0);
        let (places, mut values) = rest.split_at_checked(4 * count).unwrap_or_default();
        judged.clear();
        while let Some((next, rest)) = value(values) {
            judged.push(judge(next));
            values = rest;
        }
        out.extend(places.chunks_exact(4).filter_map(|place| {
            let place = u32::from_le_bytes(place.try_into().ok()?);
            judged.get(usize::try_from(place).ok()?).copied()
        }));
    }
    Ok(out)
}

/// A column of whole numbers.
pub(super) fn numbers(db: &Connection, owner: Owner, column: &str) -> rusqlite::Result<Vec<i64>> {
    each(db, owner, column, &mut |cell| cell.as_i64().unwrap_or(0))
}

/// The values of another column of whole numbers, of those for which something holds.
pub(super) fn those(
    db: &Connection,
    owner: Owner,
    wanted: &str,
    column: &str,
    holds: &mut dyn FnMut(ValueRef<'_>) -> bool,
) -> rusqlite::Result<Set> {
    let holding = each(db, owner, column, holds)?;
    let mut out = Filling::default();
    for (number, holds) in numbers(db, owner, wanted)?.into_iter().zip(holding) {
        if holds {
            out.insert(number);
        }
    }
    Ok(out.done())
}

/// The rows of all sessions of a project, or of all projects.
pub(super) fn sessions_of(db: &Connection, project: Option<i64>) -> rusqlite::Result<Set> {
    those(db, Owner::Session, "row", "project", &mut |of| {
        project.is_none_or(|project| of.as_i64() == Ok(project))
    })
}

/// All that the rolls say, and all that the rows say: the same.
pub(super) fn dump(db: &Connection) -> rusqlite::Result<[Vec<String>; 2]> {
    let (mut told, mut truth) = (Vec::new(), Vec::new());
    for owner in Owner::BOTH {
        let (table, order) = match owner {
            Owner::Session => ("_sessions", "id"),
            Owner::Run => ("_runs", "session, run_id"),
        };
        for (name, sql) in columns_of(owner) {
            let mut cells = Vec::new();
            let places = each(db, owner, name, &mut |cell| {
                cells.push(format!("{owner:?}\t{name}\t{:?}", Sql::try_from(cell)));
                cells.len() - 1
            })?;
            let of = |place: usize| cells.get(place).cloned().unwrap_or_default();
            told.extend(places.into_iter().map(of));
            let mut statement =
                db.prepare(&format!("SELECT {sql} FROM {table} ORDER BY {order}"))?;
            let rows = statement.query_map([], |row| {
                Ok(format!(
                    "{owner:?}\t{name}\t{:?}",
                    Ok::<_, FromSqlError>(row.get::<_, Sql>(0)?)
                ))
            })?;
            for row in rows {
                truth.push(row?);
            }
        }
    }
    Ok([told, truth])
}
