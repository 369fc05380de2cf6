//! A statement of the user's, over the tables, behind bars.
//!
//! It runs on a connection of its own that cannot write, under an authorizer that lets
//! nothing pass but reading the tables: no ATTACH, no PRAGMA, no extension, no file. Time,
//! memory and the length of any value are limited.
//!
//! The tables are those of one project or of all. `records` is a virtual table over the
//! stamped files: groups and zones skip what cannot match.

mod batch;
mod columns;
mod cursor;
mod parts;
mod plan;
mod records;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use birthmark_core::json::Followed;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Local;
use crate::engine::{Known, Stretch};
use crate::error::CatalogError;
use crate::tables;

pub use batch::{Rows, Wanted};
pub(super) use columns::{COLUMNS, names, names_in};

/// The longest statement, in bytes.
const LONGEST_STATEMENT: i32 = 1 << 20;
/// The longest text or blob, in bytes.
const LONGEST_VALUE: i32 = 64 << 20;
/// What SQLite may hold in memory, in bytes.
const MEMORY: i64 = 1 << 30;
/// What an answer may hold, in bytes.
const LONGEST_ANSWER: usize = 256 << 20;
/// Steps of the engine between two looks at the clock.
const STEPS: i32 = 10_000;

/// How much a statement may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall time of the statement, reading records included.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
        }
    }
}

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlCell {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// A float.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What the values of a column are, as its table declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// Whole numbers.
    Integer,
    /// Floats.
    Real,
    /// Texts.
    Text,
}

impl SqlType {
    /// None for fields of records, which hold whatever stands there.
    fn of(declared: &str) -> Option<Self> {
        match declared {
            "INTEGER" => Some(Self::Integer),
            "REAL" => Some(Self::Real),
            "TEXT" => Some(Self::Text),
            _ => None,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// What is in each of them; none where it is worked out, and no column of a table.
    pub types: Vec<Option<SqlType>>,
    /// Its rows.
    pub rows: Vec<Vec<SqlCell>>,
}

/// One record, as it was read: [`Wanted::put`] makes a row of it.
#[derive(Debug, Clone, Copy)]
pub struct RecordRow<'a> {
    /// Its line.
    pub line: u64,
    /// The record as it stands.
    pub record: &'a [u8],
    /// Its birthmark.
    pub metadata: &'a [u8],
    /// The same without members of the user's own.
    pub own: &'a [u8],
    /// The members of that.
    pub members: &'a Followed,
}

/// Stretches of files that a filter picked, by the number of their group.
pub type Picked = HashMap<i64, (Stretch, Known)>;

/// Reads records out of files.
pub trait Reader: Debug + Send + Sync {
    /// Hands over rows of what is wanted of the records of a stretch, in order and some at a time,
    /// with the number that is to be added to their lines, until it is told `false`; of a stretch
    /// that matches in part, of those that match. An error is a message.
    fn read(
        &self,
        stretch: &Stretch,
        known: &Known,
        wanted: &Wanted,
        take: &mut dyn FnMut(&mut Rows, u64) -> bool,
    ) -> Result<(), String>;
}

/// What a statement is asked of.
#[derive(Debug)]
pub struct Scope {
    /// Of one project, or of all.
    pub project: Option<i64>,
    /// Of these records alone.
    pub picked: Option<Picked>,
    /// Who reads records.
    pub reader: Arc<dyn Reader>,
}

impl Local {
    /// Runs one statement that only reads.
    pub fn sql(
        &self,
        statement: &str,
        limits: Limits,
        scope: Scope,
    ) -> Result<Table, CatalogError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(self.path(), flags).map_err(self.failed())?;
        let end = Instant::now() + limits.time;
        let why = Arc::new(Mutex::new(None));
        let make = || -> rusqlite::Result<()> {
            prepare(&connection)?;
            narrow(&connection, scope.project)?;
            // The table is there for a statement that may name it.
            if statement.to_ascii_lowercase().contains("records") {
                let world = records::World {
                    catalog: self.path().to_owned(),
                    project: scope.project,
                    fields: columns::fields(&connection)?,
                    picked: scope.picked,
                    reader: scope.reader,
                    end,
                    failed: Arc::clone(&why),
                };
                connection.create_module(c"records", records::MODULE, Some(Arc::new(world)))?;
            }
            Ok(())
        };
        make().map_err(self.failed())?;
        bar(&mut connection).map_err(self.failed())?;
        check(&connection, statement)?;
        connection
            .progress_handler(STEPS, Some(move || Instant::now() > end))
            .map_err(self.failed())?;
        run(&connection, statement, limits).map_err(|error| {
            let why = why.lock().unwrap_or_else(PoisonError::into_inner).take();
            why.map_or(error, CatalogError::Statement)
        })
    }
}

/// Puts views of one project before those of all, where there are others.
fn narrow(connection: &Connection, project: Option<i64>) -> rusqlite::Result<()> {
    let Some(project) = project else {
        return Ok(());
    };
    let others: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM _projects WHERE id <> ?)",
        [project],
        |row| row.get(0),
    )?;
    if others {
        connection.execute_batch(&tables::views(Some(project)))?;
    }
    Ok(())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(super::place::PATIENCE)?;
    super::functions::register(connection)?;
    // What is sorted may be large: it stands in a file that is gone with the process.
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    // A name in double quotes that no column has is an error, and no text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.pragma_update(None, "hard_heap_limit", MEMORY)?;
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT),
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    ] {
        connection.set_limit(limit, most)?;
    }
    Ok(())
}

/// Lets nothing but reading pass.
fn bar(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Select
        | AuthAction::Recursive
        | AuthAction::Read { .. }
        | AuthAction::Pragma {
            pragma_name: "table_info" | "table_xinfo" | "table_list",
            ..
        } => Authorization::Allow,
        AuthAction::Function { function_name } if is_harmless(function_name) => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }))
}

fn is_harmless(function: &str) -> bool {
    ![
        "load_extension",
        "readfile",
        "writefile",
        "edit",
        "fts3_tokenizer",
    ]
    .iter()
    .any(|refused| function.eq_ignore_ascii_case(refused))
}

/// One statement, and one that only reads.
fn check(connection: &Connection, statement: &str) -> Result<(), CatalogError> {
    let wrong = |message: &str| Err(CatalogError::Statement(message.to_owned()));
    if statement.trim().is_empty() {
        return wrong("there is no statement");
    }
    let prepared = match connection.prepare(statement) {
        Ok(prepared) => prepared,
        Err(rusqlite::Error::MultipleStatement) => {
            return wrong("only one statement can be asked at a time");
        }
        Err(error) => return Err(explained(&error, Limits::default())),
    };
    if !prepared.readonly() || prepared.column_count() == 0 {
        return wrong("only a SELECT can be asked");
    }
    Ok(())
}

fn run(connection: &Connection, statement: &str, limits: Limits) -> Result<Table, CatalogError> {
    let read = || -> rusqlite::Result<Option<Table>> {
        let mut prepared = connection.prepare(statement)?;
        let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let types = prepared
            .columns()
            .map(|column| column.decl_type().and_then(SqlType::of));
        let mut table = Table {
            columns,
            types: types.collect(),
            rows: Vec::new(),
        };
        let (width, mut bytes) = (table.columns.len(), 0);
        let mut rows = prepared.query([])?;
        while let Some(row) = rows.next()? {
            let mut cells = Vec::with_capacity(width);
            for place in 0..width {
                let cell = cell_of(row.get(place)?);
                bytes += size_of::<SqlCell>()
                    + match &cell {
                        SqlCell::Text(text) => text.len(),
                        SqlCell::Blob(blob) => blob.len(),
                        _ => 0,
                    };
                cells.push(cell);
            }
            if bytes > LONGEST_ANSWER {
                return Ok(None);
            }
            table.rows.push(cells);
        }
        Ok(Some(table))
    };
    match read() {
        Ok(Some(table)) => Ok(table),
        Ok(None) => Err(CatalogError::Statement(
            "stopped: the answer is larger than 256 MB".to_owned(),
        )),
        Err(error) => Err(explained(&error, limits)),
    }
}

fn cell_of(value: Sql) -> SqlCell {
    match value {
        Sql::Null => SqlCell::Null,
        Sql::Integer(number) => SqlCell::Integer(number),
        Sql::Real(number) => SqlCell::Real(number),
        Sql::Text(text) => SqlCell::Text(text),
        Sql::Blob(bytes) => SqlCell::Blob(bytes),
    }
}

fn explained(error: &rusqlite::Error, limits: Limits) -> CatalogError {
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            format!(
                "stopped: it took longer than {} s",
                limits.time.as_secs_f64()
            )
        }
        Some(ErrorCode::OutOfMemory) => "stopped: it needs more than 1 GB of memory".to_owned(),
        Some(ErrorCode::TooBig) => {
            "stopped: the statement, or a value in it, is longer than it may be".to_owned()
        }
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            "refused: a statement may only read the tables".to_owned()
        }
        _ => match error {
            rusqlite::Error::SqlInputError {
                msg, sql, offset, ..
            } => pointed(msg, sql, *offset),
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        },
    };
    CatalogError::Statement(message)
}

/// The message, and the statement with a caret at the character that is wrong.
fn pointed(message: &str, sql: &str, offset: i32) -> String {
    if message.contains("not authorized") || message.contains("prohibited") {
        return format!("refused: a statement may only read the tables ({message})");
    }
    let Ok(start) = usize::try_from(offset) else {
        return message.to_owned();
    };
    let shown = crate::filter::picture(
        sql,
        crate::filter::Span {
            start,
            end: start + 1,
        },
    );
    format!("{message}\n{shown}")
}
