//! Any question that SQL can ask, over the tables of the catalog and over the records.
//!
//! The statement can only read; what it may take is limited. `records` reads the files
//! where the tables cannot tell, and only what can match.

use std::sync::Arc;

use birthmark_catalog::engine::local::sql::{Reader, Rows, Scope, Wanted};
use birthmark_catalog::engine::{Engine, Known, Stretch};
use birthmark_catalog::filter::Filter;
use serde_json::{Map, Number, Value};

pub use birthmark_catalog::engine::local::sql::{Limits, SqlCell, SqlType, Table};

use crate::catalog::{self, Catalog};
use crate::error::{Error, Result};
use crate::find::{self, Ask};
use crate::project::Project;

/// Answers a statement; `ask` says of which projects, and of which records.
pub fn sql(
    project: &Project,
    statement: &str,
    ask: &Ask,
    limits: Limits,
) -> Result<(Table, Vec<String>)> {
    sql_in(&mut Catalog::open()?, project, statement, ask, limits)
}

/// The same, of a catalog that is open.
pub fn sql_in(
    catalog: &mut Catalog,
    project: &Project,
    statement: &str,
    ask: &Ask,
    limits: Limits,
) -> Result<(Table, Vec<String>)> {
    let filter = find::parse(ask)?;
    let query = find::prepare(catalog, project, ask, filter.clone())?;
    let mut said = std::mem::take(&mut catalog.said);
    said.extend(find::misspelt(
        catalog,
        (query.project, query.what, None),
        &[],
        &filter,
    )?);
    let picked = if query.filter == Filter::All {
        None
    } else {
        let by_group = |(stretch, known): (Stretch, Known)| (stretch.group, (stretch, known));
        let stretches = catalog.engine.stretches(&query)?;
        Some(stretches.into_iter().map(by_group).collect())
    };
    let scope = Scope {
        project: query.project,
        picked,
        reader: Arc::new(Files {
            filter: query.filter,
        }),
    };
    let table = catalog.engine.sql(statement, limits, scope)?;
    Ok((table, said))
}

/// Reads records out of the files in which they lie.
#[derive(Debug)]
struct Files {
    filter: Filter,
}

impl Reader for Files {
    fn read(
        &self,
        stretch: &Stretch,
        known: &Known,
        wanted: &Wanted,
        take: &mut dyn FnMut(&mut Rows, u64) -> bool,
    ) -> std::result::Result<(), String> {
        let read = catalog::rows_of(stretch, known, &self.filter, wanted, take);
        read.map_err(|error| {
            let path = crate::project::lies_at(stretch.root.as_ref(), &stretch.file);
            format!("cannot read `{}`: {error}", path.display())
        })
    }
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

/// The names of the columns; of those of one name the later ones get a number.
pub fn names(table: &Table) -> Vec<String> {
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
    names
}

/// The rows as JSON objects, with these [`names`].
pub fn to_json(table: &Table) -> Value {
    let names = names(table);
    let row = |cells: &Vec<SqlCell>| {
        let pairs = names.iter().cloned().zip(cells.iter().map(cell_to_json));
        Value::Object(pairs.collect::<Map<String, Value>>())
    };
    table.rows.iter().map(row).collect()
}

/// The tables, for an error that names one that is not there; the column that is meant, for
/// one that is spelt nearly so.
pub fn hint(error: &Error) -> Option<String> {
    let said = error.to_string();
    if error.code() != "sql" {
        return None;
    }
    if said.contains("no such table") {
        return Some(format!("the tables are {TABLES}, records"));
    }
    let (_, name) = said.split_once("no such column: ")?;
    let name = name.split([' ', ',', ';', '`', '\n']).next()?;
    let name = name.rsplit('.').next()?.trim_matches('"');
    let near = Catalog::open()
        .ok()
        .and_then(|catalog| find::near_field(&catalog, name));
    Some(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "a field of a birthmark is a column of `records`; `SELECT * FROM artifacts LIMIT 1` \
                 shows those of a table"
                .to_owned()
        }
    })
}

const TABLES: &str = "sessions, runs, artifacts, record_groups, params, metrics, packages, edges";
