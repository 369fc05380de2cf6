//! Any question that SQL can ask, over the tables of the catalog and over the records.
//!
//! The statement can only read; what it may take is limited. `records` holds the records
//! that a filter picks ([`Ask`]), and is filled only for a statement that reads it.

use birthmark_catalog::CatalogError;
use birthmark_catalog::engine::Engine;
use birthmark_catalog::engine::local::sql::RecordRow;
use serde_json::{Map, Number, Value};

pub use birthmark_catalog::engine::local::sql::{Limits, SqlCell, Table};

use crate::catalog::{self, Catalog};
use crate::error::{Error, Result};
use crate::find::{self, Ask};
use crate::project::Project;

/// Answers a statement; `ask` says in which projects, and which records.
pub fn sql(
    project: &Project,
    statement: &str,
    ask: &Ask,
    limits: Limits,
) -> Result<(Table, Vec<String>)> {
    let filter = find::parse(ask)?;
    let mut catalog = Catalog::open()?;
    let query = find::prepare(&mut catalog, project, ask, filter)?;
    let engine = &catalog.engine;
    let table = engine.sql(statement, limits, &mut |put| {
        for (stretch, known) in engine.stretches(&query)? {
            let mut failed = Ok(());
            let read = catalog::records_of(&stretch, &known, &query.filter, &mut |mark, holds| {
                if holds != Some(true) {
                    return true;
                }
                let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
                failed = put(RecordRow {
                    project: &stretch.root,
                    file: &stretch.file,
                    line: mark.line,
                    record: &text(mark.record),
                    metadata: &text(mark.value().unwrap_or_default()),
                });
                failed.is_ok()
            });
            failed?;
            read.map_err(|source| CatalogError::Io {
                action: "read",
                path: std::path::Path::new(&stretch.root).join(&stretch.file),
                source,
            })?;
        }
        Ok(())
    })?;
    Ok((table, std::mem::take(&mut catalog.said)))
}

fn cell_to_json(cell: &SqlCell) -> Value {
    match cell {
        SqlCell::Null => Value::Null,
        SqlCell::Integer(number) => Value::from(*number),
        // What JSON cannot say is given as text.
        SqlCell::Real(number) => {
            Number::from_f64(*number).map_or_else(|| Value::from(number.to_string()), Value::Number)
        }
        SqlCell::Text(text) => Value::from(text.as_str()),
        SqlCell::Blob(bytes) => Value::from(birthmark_core::base64::encode(bytes)),
    }
}

/// A cell as text, for tables and CSV; bytes in base64.
pub fn text_of(cell: &SqlCell) -> String {
    match cell {
        SqlCell::Null => String::new(),
        SqlCell::Integer(number) => number.to_string(),
        SqlCell::Real(number) => number.to_string(),
        SqlCell::Text(text) => text.clone(),
        SqlCell::Blob(bytes) => birthmark_core::base64::encode(bytes),
    }
}

/// The rows as JSON objects. Of columns of one name the later ones get a number.
pub fn to_json(table: &Table) -> Value {
    let mut names: Vec<String> = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let mut name = column.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{column}_{number}");
            number += 1;
        }
        names.push(name);
    }
    let row = |cells: &Vec<SqlCell>| {
        let pairs = names.iter().cloned().zip(cells.iter().map(cell_to_json));
        Value::Object(pairs.collect::<Map<String, Value>>())
    };
    table.rows.iter().map(row).collect()
}

/// The tables, for an error that names one that is not there.
pub fn hint(error: &Error) -> Option<String> {
    (error.code() == "sql" && error.to_string().contains("no such table")).then(|| {
        "the tables are sessions, runs, artifacts, record_groups, params, metrics, packages, edges, records"
            .to_owned()
    })
}
