//! Values that a field has and that begin so, for completion.

use rusqlite::{Connection, params};

use super::find::beginning;
use super::lists::metric;

/// Numbers that are looked at for the ones that begin so.
const NUMBERS: i64 = 2_000;

/// Such values, in their order, at most so many.
pub(super) fn values(
    db: &Connection,
    field: &str,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    if field == "file" {
        return files(db, prefix, most);
    }
    let machine = match field {
        "host" => "environment.hostname".to_owned(),
        other => format!("environment.{other}"),
    };
    // Whichever of these has the name first is what a filter means by it.
    for (table, name) in [
        ("_facts", field),
        ("_labels", field),
        ("_labels", &metric(field)),
        ("_facts", &machine),
    ] {
        let found = listed(db, table, name, prefix, most)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn listed(
    db: &Connection,
    table: &str,
    name: &str,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    let least = i64::try_from(most).unwrap_or(i64::MAX);
    let (low, high) = beginning(prefix);
    // Texts that begin so lie beside each other; of numbers only the first are looked at.
    let mut all: Vec<String> = db
        .prepare_cached(&format!(
            "SELECT value FROM {table} WHERE name = ?1 AND key >= ?2 AND key < ?3 AND kind = 'text' ORDER BY key LIMIT ?4"
        ))?
        .query_map(params![name, low, high, least], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let others: Vec<String> = db
        .prepare_cached(&format!(
            "SELECT value FROM (SELECT value, kind, key FROM {table} WHERE name = ?1 AND key < X'30' ORDER BY key LIMIT {NUMBERS})
             WHERE kind IN ('number', 'boolean') AND substr(value, 1, length(?2)) = ?2 LIMIT ?3"
        ))?
        .query_map(params![name, prefix, least], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    all.extend(others);
    all.truncate(most);
    Ok(all)
}

fn files(db: &Connection, prefix: &str, most: usize) -> rusqlite::Result<Vec<String>> {
    let least = i64::try_from(most).unwrap_or(i64::MAX);
    let end = format!("{prefix}\u{10FFFF}");
    // In these words each project is one walk along its index.
    let mut statement = db.prepare_cached(
        "SELECT a.file FROM _projects p CROSS JOIN _artifacts a ON a.project = p.id AND a.file >= ?1 AND a.file < ?2 AND a.there = 1
         LIMIT ?3",
    )?;
    let rows = statement.query_map(params![prefix, end, least], |row| row.get(0))?;
    let mut all: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    all.sort();
    all.dedup();
    Ok(all)
}
