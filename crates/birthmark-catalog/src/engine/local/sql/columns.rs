//! The columns of `records`: what every record has, and a hidden one for each field that
//! any birthmark has.
//!
//! Hidden means that `SELECT *` does not show them; they are asked for by name.

use std::collections::HashSet;

use birthmark_core::birthmark::FIELDS;
use rusqlite::Connection;

/// Columns at most; SQLite allows 2,000.
const MOST: usize = 1_900;

/// The columns that are no fields.
pub(in crate::engine::local) const COLUMNS: [&str; FIELDS_FROM] =
    ["project", "file", "line", "record", "metadata"];
/// Their places.
pub(super) const PROJECT: usize = 0;
pub(super) const FILE: usize = 1;
pub(super) const LINE: usize = 2;
pub(super) const RECORD: usize = 3;
pub(super) const METADATA: usize = 4;
/// From here on they are fields.
pub(super) const FIELDS_FROM: usize = 5;

/// The names of the fields that are columns: those of the format, and those that the
/// catalog knows. Names that SQL cannot tell apart from others are left out.
pub(super) fn fields(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut taken: HashSet<String> = COLUMNS.map(str::to_owned).into();
    let mut out: Vec<String> = Vec::new();
    let known = names(db)?;
    let ours = FIELDS.iter().map(|field| field.name.to_owned());
    for name in ours.chain(known) {
        let is_fit = !name.is_empty() && !name.contains('\0') && !name.starts_with("environment.");
        if is_fit && out.len() < MOST && taken.insert(name.to_ascii_lowercase()) {
            out.push(name);
        }
    }
    Ok(out)
}

/// All names of facts and zones.
pub(in crate::engine::local) fn names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut all = names_in(db, "_facts")?;
    all.extend(names_in(db, "_zones")?);
    all.sort();
    all.dedup();
    Ok(all)
}

/// The names in a table, each found by one step along its index.
pub(in crate::engine::local) fn names_in(
    db: &Connection,
    table: &'static str,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(&format!(
        "WITH RECURSIVE n(name) AS (SELECT min(name) FROM {table} UNION ALL
           SELECT (SELECT min(name) FROM {table} WHERE name > n.name) FROM n WHERE n.name IS NOT NULL)
         SELECT name FROM n WHERE name IS NOT NULL LIMIT 20000"
    ))?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// The declaration that SQLite is given. `BLOB` means that a value is compared as it is.
pub(super) fn declaration(fields: &[String]) -> String {
    let mut sql = String::from(
        "CREATE TABLE x(project TEXT, file TEXT, line INTEGER, record TEXT, metadata TEXT",
    );
    for name in fields {
        sql.push_str(&format!(", \"{}\" BLOB HIDDEN", name.replace('"', "\"\"")));
    }
    sql.push(')');
    sql
}
