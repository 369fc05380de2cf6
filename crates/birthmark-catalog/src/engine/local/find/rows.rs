//! Rows of an answer: the values of fields over all groups of an artifact.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params};

use super::home::Home;
use super::{Asking, MOST_GROUPS};
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
        })
    }

    pub(super) fn has_doubles(&self, same: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM _artifacts WHERE same = ? AND same <> id)";
        Ok(self.number(sql, vec![Sql::Integer(same)])? > 0)
    }

    /// The value of a field over all groups of an artifact.
    pub(super) fn cell(&self, artifact: i64, name: &str) -> rusqlite::Result<Cell> {
        let place = self.homes.of(name)?;
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM _groups WHERE artifact = ? ORDER BY number LIMIT ?")?;
        let rows = statement.query_map(params![artifact, MOST_GROUPS], |row| row.get(0))?;
        let groups: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        if let Some(value) = self.of_writer(artifact, &place)? {
            return Ok(Cell::Value(value));
        }
        let mut cell = Cell::Missing;
        for group in groups {
            let bare = match &place {
                Home::Fact(name) => name.as_str(),
                _ => name,
            };
            let next = match self.zone(group, bare, &place)? {
                Some(zone) => match zone.ends() {
                    Some((low, high)) => Cell::Range(low.clone(), high.clone()),
                    None => Cell::Several,
                },
                None => value_at(self.db, group, &place)?.map_or(Cell::Missing, Cell::Value),
            };
            cell = join(cell, next);
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

pub(super) fn join(a: Cell, b: Cell) -> Cell {
    match (a, b) {
        (Cell::Missing, other) | (other, Cell::Missing) => other,
        (a, b) if a == b => a,
        (Cell::Several, _) | (_, Cell::Several) => Cell::Several,
        (a, b) => {
            let ends = |cell: Cell| match cell {
                Cell::Value(value) => (value.clone(), value),
                Cell::Range(low, high) => (low, high),
                Cell::Missing | Cell::Several => (Value::null(), Value::null()),
            };
            let ((low, high), (other_low, other_high)) = (ends(a), ends(b));
            if low.compare(&other_low).is_none() {
                return Cell::Several;
            }
            let least = if other_low.key() < low.key() {
                other_low
            } else {
                low
            };
            let most = if other_high.key() > high.key() {
                other_high
            } else {
                high
            };
            Cell::Range(least, most)
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
        Home::Own(own) => one(&own.of_group()),
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
