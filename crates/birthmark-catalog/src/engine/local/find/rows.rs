//! Rows of an answer: the values of fields over all groups of an artifact.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params};

use super::Asking;
use super::home::Home;
use super::own::{DRIFT, drift};
use crate::engine::{Cell, FoundRow};
use crate::value::{Kind, Value};
use crate::zone::Zone;

impl Asking<'_> {
    pub(super) fn row(&self, id: i64) -> rusqlite::Result<FoundRow> {
        let (root, same, fields): (String, i64, Vec<(String, Cell)>) = self
            .db
            .prepare_cached(
                "SELECT p.root, a.same, a.file, a.format, a.state, a.there, a.timestamp, a.size, a.records, a.digest,
                   a.content_digest, a.session_id, a.run_id
                 FROM _artifacts a JOIN _projects p ON p.id = a.project WHERE a.id = ?",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, columns_from(row, 2)?)))?;
        let mut fields: Vec<(String, Cell)> = fields
            .into_iter()
            .map(|(name, cell)| {
                if name == "there" {
                    (name, as_flag(cell))
                } else {
                    (name, cell)
                }
            })
            .collect();
        let always = ["artifact_type", "git_commit", "git_dirty", "model_name"];
        let extra = self.query.columns.iter().map(String::as_str);
        let wanted: Vec<&str> = always.into_iter().chain(extra).collect();
        for name in wanted {
            if !fields.iter().any(|(known, _)| known == name) {
                let cell = self.cell(id, name)?;
                fields.push((name.to_owned(), cell));
            }
        }
        let drift = self.drift_of_maker(id)?;
        let drifted = drift.is_some();
        if !fields.iter().any(|(known, _)| known == DRIFT) {
            let cell = drift.map_or(Cell::Missing, Cell::Value);
            fields.push((DRIFT.to_owned(), cell));
        }
        let mut statement = self.db.prepare_cached(
            "SELECT p.root || '/' || a.file FROM _artifacts a JOIN _projects p ON p.id = a.project
             WHERE a.same = ?1 AND a.id <> ?2 AND a.there ORDER BY 1",
        )?;
        let places = if same == id && !self.has_doubles(same)? {
            Vec::new()
        } else {
            let rows = statement.query_map([same, id], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        Ok(FoundRow {
            id,
            root,
            fields,
            places,
            drifted,
        })
    }

    /// What changed in the code while the last run went on that wrote to an artifact.
    fn drift_of_maker(&self, artifact: i64) -> rusqlite::Result<Option<Value>> {
        let mut statement = self.db.prepare_cached(
            "SELECT r.drift FROM _artifacts a CROSS JOIN _runs r INDEXED BY _runs_name ON r.run_id = a.run_id
             WHERE a.id = ? AND r.drift <> '[]'",
        )?;
        let mut rows = statement.query([artifact])?;
        match rows.next()? {
            Some(row) => Ok(drift(&row.get::<_, String>(0)?)),
            None => Ok(None),
        }
    }

    pub(super) fn has_doubles(&self, same: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM _artifacts WHERE same = ? AND same <> id)";
        Ok(self.number(sql, vec![Sql::Integer(same)])? > 0)
    }

    /// The value of a field over all groups of an artifact.
    pub(super) fn cell(&self, artifact: i64, name: &str) -> rusqlite::Result<Cell> {
        let place = self.homes.of(name)?;
        if let Some(value) = self.of_writer(artifact, &place)? {
            return Ok(Cell::Value(value));
        }
        if let Home::Fact(name) = &place {
            return self.fact_cell(artifact, name);
        }
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM _groups WHERE artifact = ? ORDER BY number")?;
        let rows = statement.query_map([artifact], |row| row.get(0))?;
        let groups: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        let mut cell = Cell::Missing;
        for group in groups {
            let next = match self.zone(group, name, &place)? {
                Some(zone) => cell_of(&zone),
                None => value_at(self.db, group, &place)?.map_or(Cell::Missing, Cell::Value),
            };
            cell = join(cell, next);
        }
        Ok(cell)
    }

    /// The same of a field of birthmarks, of which a file may have thousands.
    fn fact_cell(&self, artifact: i64, name: &str) -> rusqlite::Result<Cell> {
        let mut cell = Cell::Missing;
        let mut zones = self.db.prepare_cached(
            "SELECT z.zone FROM _groups g CROSS JOIN _zones z ON z.grp = g.id
             WHERE g.artifact = ? AND g.zoned AND z.name = ?",
        )?;
        let mut rows = zones.query(params![artifact, name])?;
        while let Some(row) = rows.next()? {
            if let Some(zone) = Zone::read(row.get_ref(0)?.as_str()?) {
                cell = join(cell, cell_of(&zone));
            }
        }
        let mut facts = self.db.prepare_cached(
            "SELECT DISTINCT f.kind, f.value FROM _groups g CROSS JOIN _mark_facts m ON m.mark = g.mark
             CROSS JOIN _facts f ON f.id = m.fact WHERE g.artifact = ? AND f.name = ?",
        )?;
        let mut rows = facts.query(params![artifact, name])?;
        while let Some(row) = rows.next()? {
            let value = Value::stored(&row.get::<_, String>(0)?, row.get(1)?);
            cell = join(cell, Cell::Value(value));
        }
        Ok(cell)
    }
}

impl Asking<'_> {
    /// What a field is of who wrote an artifact, where that was another run than its birthmarks
    /// name.
    fn of_writer(&self, artifact: i64, place: &Home) -> rusqlite::Result<Option<Value>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id FROM _groups WHERE artifact = ? AND NOT carried AND number > 0",
        )?;
        let mut rows = statement.query([artifact])?;
        match rows.next()? {
            Some(row) => value_at(self.db, row.get(0)?, place),
            None => Ok(None),
        }
    }
}

/// Distinct values that a cell holds.
const MOST_VALUES: usize = 32;

fn cell_of(zone: &Zone) -> Cell {
    if let Some(values) = zone.values() {
        return of_values(values.into_iter().map(|(value, _)| value).collect());
    }
    match zone.ends() {
        // One value, that some records lack.
        Some((low, high)) if low == high => Cell::Value(low.clone()),
        Some((low, high)) => Cell::Range(low.clone(), high.clone()),
        None => Cell::Several,
    }
}

fn of_values(mut values: Vec<Value>) -> Cell {
    if values.iter().any(|value| !value.is_null()) {
        values.retain(|value| !value.is_null());
    }
    values.sort_by_cached_key(Value::key);
    values.dedup_by_key(|value| value.key());
    if values.len() > MOST_VALUES {
        return match (values.first(), values.last()) {
            (Some(low), Some(high)) if low.compare(high).is_some() => {
                Cell::Range(low.clone(), high.clone())
            }
            _ => Cell::Several,
        };
    }
    match values.as_slice() {
        [] => Cell::Missing,
        [one] => Cell::Value(one.clone()),
        _ => Cell::Values(values),
    }
}

pub(super) fn join(a: Cell, b: Cell) -> Cell {
    match (a, b) {
        (Cell::Missing, other) | (other, Cell::Missing) => other,
        (a, b) if a == b => a,
        (Cell::Several, _) | (_, Cell::Several) => Cell::Several,
        (Cell::Range(low, high), other) | (other, Cell::Range(low, high)) => {
            let (least, most) = match other {
                Cell::Range(low, high) => (low, high),
                Cell::Value(value) if value.is_null() => return Cell::Range(low, high),
                Cell::Value(value) => (value.clone(), value),
                Cell::Values(values) => match (values.first(), values.last()) {
                    (Some(least), Some(most)) => (least.clone(), most.clone()),
                    _ => return Cell::Range(low, high),
                },
                Cell::Missing | Cell::Several => return Cell::Several,
            };
            if low.compare(&least).is_none() || high.compare(&most).is_none() {
                return Cell::Several;
            }
            let low = if least.key() < low.key() { least } else { low };
            let high = if most.key() > high.key() { most } else { high };
            Cell::Range(low, high)
        }
        (a, b) => {
            let all = [a, b].into_iter().flat_map(|cell| match cell {
                Cell::Value(value) => vec![value],
                Cell::Values(values) => values,
                _ => Vec::new(),
            });
            of_values(all.collect())
        }
    }
}

pub(super) fn as_flag(cell: Cell) -> Cell {
    match cell {
        Cell::Value(value) => Cell::Value(Value::boolean(value.as_str() == "1")),
        other => other,
    }
}

/// The columns of a row from `from` on, with their names.
pub(super) fn columns_from(
    row: &rusqlite::Row<'_>,
    from: usize,
) -> rusqlite::Result<Vec<(String, Cell)>> {
    let statement = row.as_ref();
    (from..statement.column_count())
        .map(|place| {
            let name = statement.column_name(place)?.to_owned();
            let cell = match row.get::<_, Sql>(place)? {
                Sql::Null | Sql::Blob(_) => Cell::Missing,
                Sql::Integer(number) => number_cell(&number.to_string()),
                Sql::Real(number) => number_cell(&number.to_string()),
                Sql::Text(text) => Cell::Value(Value::text(text)),
            };
            Ok((name, cell))
        })
        .collect()
}

pub(super) fn number_cell(text: &str) -> Cell {
    Value::number(text).map_or(Cell::Missing, Cell::Value)
}

/// How a field varies in a group.
pub(in crate::engine::local) fn zone_of(
    db: &Connection,
    group: i64,
    name: &str,
) -> rusqlite::Result<Option<Zone>> {
    let mut statement = db.prepare_cached("SELECT zone FROM _zones WHERE grp = ? AND name = ?")?;
    let mut rows = statement.query(params![group, name])?;
    match rows.next()? {
        Some(row) => Ok(Zone::read(&row.get::<_, String>(0)?)),
        None => Ok(None),
    }
}

/// A fact of a mark.
pub(in crate::engine::local) fn fact_of(
    db: &Connection,
    mark: i64,
    name: &str,
) -> rusqlite::Result<Option<Value>> {
    let mut statement = db.prepare_cached(
        "SELECT f.kind, f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ? AND f.name = ?",
    )?;
    let mut rows = statement.query(params![mark, name])?;
    match rows.next()? {
        Some(row) => Ok(Some(Value::stored(&row.get::<_, String>(0)?, row.get(1)?))),
        None => Ok(None),
    }
}

/// The value that a field has in all records of a group.
pub(super) fn value_at(
    db: &Connection,
    group: i64,
    place: &Home,
) -> rusqlite::Result<Option<Value>> {
    let one = |sql: &str| -> rusqlite::Result<Option<Value>> {
        let value: Sql = db
            .prepare_cached(sql)?
            .query_row([group], |row| row.get(0))?;
        Ok(match value {
            Sql::Text(text) => Some(Value::text(text)),
            Sql::Integer(number) => Value::number(&number.to_string()),
            Sql::Real(number) => Value::number(&number.to_string()),
            _ => None,
        })
    };
    let mark = |sql: &str| -> rusqlite::Result<Option<i64>> {
        db.prepare_cached(sql)?.query_row([group], |row| row.get(0))
    };
    match place {
        Home::Words => Ok(None),
        Home::Own(own) => {
            let cell: Sql = db
                .prepare_cached(&own.of_group())?
                .query_row([group], |row| row.get(0))?;
            Ok(own.value(cell))
        }
        Home::Artifact(column) => one(&format!(
            "SELECT a.{column} FROM _groups g JOIN _artifacts a ON a.id = g.artifact WHERE g.id = ?"
        )),
        Home::Project => one(
            "SELECT p.root FROM _groups g JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
        ),
        Home::Group(column) => match one(&format!("SELECT {column} FROM _groups WHERE id = ?"))? {
            Some(value) => Ok(Some(value)),
            None => fact_in_group(db, group, column),
        },
        Home::Time => match one("SELECT time_max FROM _groups WHERE id = ?")? {
            Some(value) => Ok(Some(value)),
            None => fact_in_group(db, group, "timestamp"),
        },
        Home::Fact(name) => fact_in_group(db, group, name),
        Home::Metric(name) => {
            let mut statement = db.prepare_cached(
                "SELECT x.kind, x.value FROM _groups g JOIN _metrics x ON x.artifact = g.artifact WHERE g.id = ? AND x.name = ?",
            )?;
            let mut rows = statement.query(params![group, name])?;
            match rows.next()? {
                Some(row) => Ok(Some(Value::stored(&row.get::<_, String>(0)?, row.get(1)?))),
                None => Ok(None),
            }
        }
        Home::Session(name) => {
            let found = mark(
                "SELECT (SELECT s.mark FROM _sessions s WHERE s.session_id = g.session_id LIMIT 1) FROM _groups g WHERE g.id = ?",
            )?;
            match found {
                Some(found) => fact_of(db, found, name),
                None => Ok(None),
            }
        }
    }
}

pub(super) fn fact_in_group(
    db: &Connection,
    group: i64,
    name: &str,
) -> rusqlite::Result<Option<Value>> {
    let mark: i64 = db
        .prepare_cached("SELECT mark FROM _groups WHERE id = ?")?
        .query_row([group], |row| row.get(0))?;
    let found = fact_of(db, mark, name)?;
    Ok(found.filter(|value| value.kind() != Kind::Null || !value.as_str().is_empty()))
}
