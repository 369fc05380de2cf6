//! The groups of records that a statement can want, and what is known of each.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params, params_from_iter};

use super::super::{number, stretch_of};
use super::columns::{FIELDS_FROM, FILE, PROJECT};
use super::plan::{Span, Wanted};
use crate::engine::Stretch;
use crate::value::{Kind, NESTED, TEXTS, Value};

/// Marks whose values are kept.
const MEMORY: usize = 4_096;

/// One value of a column in all records of a part, or none where only the record knows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// The same in all of them; [`Sql::Null`] where none has it.
    Same(Sql),
    /// Different ones: the record must be read.
    Varies,
}

/// A group of records, with what is known of its columns.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) stretch: Stretch,
    pub(super) records: u64,
    /// For each field that is used, by its place among the fields.
    pub(super) fields: Rc<HashMap<usize, Known>>,
}

/// The numbers of the groups in which a record could match, in the order of the files.
pub(super) fn list(
    db: &Connection,
    project: Option<i64>,
    fields: &[String],
    wanted: &[(usize, Wanted)],
) -> rusqlite::Result<Vec<i64>> {
    let mut sql = String::from(
        "SELECT g.id FROM _groups g JOIN _artifacts a ON a.id = g.artifact
         WHERE g.carried AND a.there = 1 AND a.format LIKE 'jsonl%'",
    );
    let mut values: Vec<Sql> = Vec::new();
    if let Some(project) = project {
        sql.push_str(" AND a.project = ?");
        values.push(Sql::Integer(project));
    }
    for (column, wanted) in wanted {
        sql.push_str(" AND ");
        condition(fields, *column, wanted, &mut sql, &mut values);
    }
    sql.push_str(" ORDER BY a.project, a.file, g.number");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
    rows.collect()
}

fn condition(
    fields: &[String],
    column: usize,
    wanted: &Wanted,
    sql: &mut String,
    values: &mut Vec<Sql>,
) {
    match column {
        FILE => plain("a.file", "a.file", wanted, sql, values),
        PROJECT => {
            let root = "(SELECT root FROM _projects WHERE id = a.project)";
            plain(root, root, wanted, sql, values);
        }
        _ => match fields
            .get(column.wrapping_sub(FIELDS_FROM))
            .map(String::as_str)
        {
            None => sql.push('1'),
            Some("timestamp") => {
                // Of several times only the ends are known.
                if matches!(wanted, Wanted::Like(..)) {
                    sql.push('1');
                    return;
                }
                sql.push_str("(g.time_min IS NULL OR ");
                plain("g.time_min", "g.time_max", wanted, sql, values);
                sql.push(')');
            }
            Some(name @ ("session_id" | "run_id")) => {
                sql.push_str(&format!("(g.{name} IS NULL OR "));
                plain(
                    &format!("g.{name}"),
                    &format!("g.{name}"),
                    wanted,
                    sql,
                    values,
                );
                sql.push(')');
            }
            Some(name) => fact(name, wanted, sql, values),
        },
    }
}

/// A column of text, or two of which one holds the least and the other the greatest.
fn plain(low: &str, high: &str, wanted: &Wanted, sql: &mut String, values: &mut Vec<Sql>) {
    match wanted {
        Wanted::Like(word, pattern) => {
            sql.push_str(&format!("{low} {word} ?"));
            values.push(Sql::Text(pattern.clone()));
        }
        Wanted::Within(spans) => any(spans, sql, |(from, to), sql| {
            // Only what is text can stand here.
            let text = |key: &[u8]| String::from_utf8(key.get(1..).unwrap_or_default().to_vec());
            let from = match from.first() {
                Some(first) if *first < TEXTS => Some(String::new()),
                Some(&TEXTS) => text(from).ok(),
                _ => None,
            };
            let Some(from) = from else {
                sql.push('0');
                return;
            };
            sql.push_str(&format!("{high} >= ?"));
            values.push(Sql::Text(from));
            match to.first() {
                Some(first) if *first < TEXTS => sql.push_str(" AND 0"),
                Some(&TEXTS) => {
                    sql.push_str(&format!(" AND {low} <= ?"));
                    values.push(Sql::Text(text(to).unwrap_or_default()));
                }
                _ => {}
            }
        }),
    }
}

/// A field: a fact of the group's mark, or one that varies in the group.
fn fact(name: &str, wanted: &Wanted, sql: &mut String, values: &mut Vec<Sql>) {
    sql.push_str(
        "(g.mark IN (SELECT m.mark FROM _facts f JOIN _mark_facts m ON m.fact = f.id WHERE f.name = ? AND ",
    );
    values.push(Sql::Text(name.to_owned()));
    let key = |low: &str, high: &str, sql: &mut String, values: &mut Vec<Sql>| {
        let Wanted::Within(spans) = wanted else {
            return;
        };
        any(spans, sql, |(from, to), sql| {
            sql.push_str(&format!("{high} >= ? AND {low} <= ?"));
            values.extend([Sql::Blob(from.clone()), Sql::Blob(to.clone())]);
        });
    };
    match wanted {
        Wanted::Like(word, pattern) => {
            // What is no text is like a pattern by the text that SQLite makes of it.
            sql.push_str(&format!("(f.kind <> 'text' OR f.value {word} ?)"));
            values.push(Sql::Text(pattern.clone()));
        }
        Wanted::Within(_) => key("f.key", "f.key", sql, values),
    }
    sql.push_str(") OR (g.zoned AND g.id IN (SELECT z.grp FROM _zones z WHERE z.name = ?");
    values.push(Sql::Text(name.to_owned()));
    if matches!(wanted, Wanted::Within(_)) {
        sql.push_str(" AND ");
        key("z.low", "z.high", sql, values);
    }
    sql.push_str(")))");
}

fn any(spans: &[Span], sql: &mut String, mut one: impl FnMut(&Span, &mut String)) {
    if spans.is_empty() {
        sql.push('0');
        return;
    }
    sql.push('(');
    for (place, span) in spans.iter().enumerate() {
        sql.push_str(if place > 0 { " OR (" } else { "(" });
        one(span, sql);
        sql.push(')');
    }
    sql.push(')');
}

/// Tells what is known of one group after the other.
#[derive(Debug, Default)]
pub(super) struct Teller {
    marks: HashMap<i64, Rc<HashMap<usize, Known>>>,
}

impl Teller {
    /// A group, with the fields at these places.
    pub(super) fn part(
        &mut self,
        db: &Connection,
        group: i64,
        fields: &[String],
        used: &[usize],
    ) -> rusqlite::Result<Part> {
        let mut statement = db.prepare_cached(
            "SELECT a.id, p.root, a.file, g.line, g.start, g.end, g.records, g.mark, g.zoned, g.session_id, g.run_id,
               g.time_min, g.time_max, a.state
             FROM _groups g JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project WHERE g.id = ?",
        )?;
        let mut rows = statement.query([group])?;
        let Some(row) = rows.next()? else {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        };
        let text = |place: usize| row.get::<_, Option<String>>(place);
        let (mark, zoned): (i64, bool) = (row.get(7)?, row.get(8)?);
        let shared = self.of_mark(db, mark, fields, used)?;
        let mut apart: Vec<(usize, Known)> = Vec::new();
        let (low, high) = (text(11)?, text(12)?);
        for at in used {
            let same = match fields.get(*at).map(String::as_str) {
                Some("session_id") => text(9)?,
                Some("run_id") => text(10)?,
                Some("timestamp") if low.is_some() && low != high => {
                    apart.push((*at, Known::Varies));
                    continue;
                }
                Some("timestamp") => low.clone(),
                _ => None,
            };
            if let Some(same) = same {
                apart.push((*at, Known::Same(Sql::Text(same))));
            }
        }
        if zoned {
            let mut names = db.prepare_cached("SELECT name FROM _zones WHERE grp = ?")?;
            let names = names.query_map([group], |row| row.get::<_, String>(0))?;
            for name in names {
                let name = name?;
                let here = used.iter().filter(|at| fields.get(**at) == Some(&name));
                apart.extend(here.map(|at| (*at, Known::Varies)));
            }
        }
        let fields = if apart.is_empty() {
            shared
        } else {
            let mut own = HashMap::clone(&shared);
            own.extend(apart);
            Rc::new(own)
        };
        Ok(Part {
            stretch: stretch_of(row, group, true)?,
            records: number(row, 6)?,
            fields,
        })
    }

    fn of_mark(
        &mut self,
        db: &Connection,
        mark: i64,
        fields: &[String],
        used: &[usize],
    ) -> rusqlite::Result<Rc<HashMap<usize, Known>>> {
        if let Some(known) = self.marks.get(&mark) {
            return Ok(Rc::clone(known));
        }
        let mut statement = db.prepare_cached(
            "SELECT f.kind, f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ? AND f.name = ?",
        )?;
        let mut all = HashMap::new();
        for at in used {
            let Some(name) = fields.get(*at) else {
                continue;
            };
            let mut rows = statement.query(params![mark, name])?;
            if let Some(row) = rows.next()? {
                let value = Value::stored(&row.get::<_, String>(0)?, row.get(1)?);
                all.insert(*at, Known::Same(cell(&value)));
            }
        }
        if self.marks.len() >= MEMORY {
            self.marks.clear();
        }
        let all = Rc::new(all);
        self.marks.insert(mark, Rc::clone(&all));
        Ok(all)
    }
}

/// A value as SQLite has it: whole numbers exactly where they fit, else the nearest float;
/// true and false as 1 and 0; what is nested as its JSON.
pub(super) fn cell(value: &Value) -> Sql {
    match value.kind() {
        Kind::Null => Sql::Null,
        Kind::Boolean => Sql::Integer(i64::from(value.as_str() == "true")),
        Kind::Number => match value.as_str().parse::<i64>() {
            Ok(number) => Sql::Integer(number),
            Err(_) => value.as_f64().map_or(Sql::Null, Sql::Real),
        },
        Kind::Text | Kind::Json => Sql::Text(value.as_str().to_owned()),
    }
}

/// The same of the JSON of a value; a whole number, which is the most common, without more ado.
pub(super) fn cell_of(raw: &[u8]) -> Sql {
    let number = std::str::from_utf8(raw)
        .ok()
        .and_then(|text| text.parse().ok());
    number.map_or_else(|| cell(&Value::of_json(raw)), Sql::Integer)
}

const _: () = assert!(TEXTS < NESTED);
