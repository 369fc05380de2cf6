//! Values that a field has and that begin so, for completion and hints.

use rusqlite::{Connection, params};

use super::find::beginning;
use super::known::Ours;
use super::lists::{Reader, metric};

/// Numbers that are looked at for the ones that begin so.
const NUMBERS: i64 = 2_000;
/// Values that are looked at for those of one project.
const LOOKED_AT: i64 = 20_000;

/// Such values, in their order, at most so many; of all projects or of one.
pub(super) fn values(
    db: &Connection,
    project: Option<i64>,
    field: &str,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    if field == "file" {
        return files(db, project, prefix, most);
    }
    let machine = match field {
        "host" => "environment.hostname".to_owned(),
        other => format!("environment.{other}"),
    };
    let ours = project.map(|project| Ours::of(db, project)).transpose()?;
    let metric = metric(field);
    // Whichever of these has the name first is what a filter means by it.
    for (table, name) in [
        ("_facts", field),
        ("_labels", field),
        ("_labels", &metric),
        ("_facts", &machine),
    ] {
        let found = listed(db, ours.as_ref(), (table, name), prefix, most)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn listed(
    db: &Connection,
    ours: Option<&Ours>,
    (table, name): (&str, &str),
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    let (low, high) = beginning(prefix);
    let mut reader = Reader::new(db)?;
    let mut all: Vec<String> = Vec::new();
    let mut take = |rows: &mut rusqlite::Rows<'_>| -> rusqlite::Result<()> {
        while let Some(row) = rows.next()? {
            if all.len() >= most {
                break;
            }
            let is_ours = match ours {
                Some(ours) => ours.have(db, &mut reader, row.get(0)?, table == "_labels")?,
                None => true,
            };
            if is_ours {
                all.push(row.get(1)?);
            }
        }
        Ok(())
    };
    // Texts that begin so lie beside each other; of numbers only the first are looked at.
    let mut texts = db.prepare_cached(&format!(
        "SELECT id, value FROM {table} WHERE name = ?1 AND key >= ?2 AND key < ?3 AND kind = 'text' ORDER BY key LIMIT {LOOKED_AT}"
    ))?;
    take(&mut texts.query(params![name, low, high])?)?;
    let mut others = db.prepare_cached(&format!(
        "SELECT id, value FROM (SELECT id, value, kind, key FROM {table} WHERE name = ?1 AND key < X'30' ORDER BY key LIMIT {NUMBERS})
         WHERE kind IN ('number', 'boolean') AND substr(value, 1, length(?2)) = ?2"
    ))?;
    take(&mut others.query(params![name, prefix])?)?;
    Ok(all)
}

fn files(
    db: &Connection,
    project: Option<i64>,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    let least = i64::try_from(most).unwrap_or(i64::MAX);
    let end = format!("{prefix}\u{10FFFF}");
    // In these words each project is one walk along its index.
    let mut statement = db.prepare_cached(
        "SELECT a.file FROM _projects p CROSS JOIN _artifacts a ON a.project = p.id AND a.file >= ?1 AND a.file < ?2 AND a.there = 1
         WHERE p.id = coalesce(?4, p.id) LIMIT ?3",
    )?;
    let rows = statement.query_map(params![prefix, end, least, project], |row| row.get(0))?;
    let mut all: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    all.sort();
    all.dedup();
    Ok(all)
}
