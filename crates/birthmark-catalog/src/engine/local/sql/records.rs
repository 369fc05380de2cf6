//! `records`: a virtual table over the records of stamped files.
//!
//! SQLite tells which columns a statement uses and which conditions it puts on them. Groups
//! in which no record can match are skipped by the catalog's tables, and a [`Cursor`] goes through
//! the others.
//!
//! # Invariants
//!
//! * SQLite asks every condition again: what is skipped here could not have passed.
//!
//! # `unsafe`
//!
//! The traits of rusqlite for tables and cursors are `unsafe` to implement for one reason: SQLite is
//! handed a pointer to the whole struct and takes it for one to its first field. So each struct is
//! `#[repr(C)]` and has SQLite's own struct first, which is all that is promised; no
//! operation here is unsafe.
#![expect(
    unsafe_code,
    reason = "`unsafe impl` promises the layout of a struct, and nothing else"
)]

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::ffi::sqlite3_vtab;
use rusqlite::vtab::{IndexInfo, Module, VTab, VTabConfig, VTabConnection};
use rusqlite::{Connection, Error, OpenFlags};

use super::columns::{self, LINE, METADATA, RECORD};
use super::cursor::Cursor;
use super::plan::Op;
use super::{Picked, Reader};

/// What the table needs to know of the statement's world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) catalog: PathBuf,
    pub(super) project: Option<i64>,
    pub(super) fields: Vec<String>,
    pub(super) picked: Option<Picked>,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) end: Instant,
    /// Why a file could not be read, for the message.
    pub(super) failed: Arc<Mutex<Option<String>>>,
}

/// The module under which it is known.
pub(super) const MODULE: &Module<'static, Records> = &Module::eponymous_only_module();

/// The table.
#[repr(C)]
pub(super) struct Records {
    base: sqlite3_vtab,
    pub(super) world: Arc<World>,
    pub(super) db: Connection,
}

// SAFETY: the struct is `#[repr(C)]` and its first field is `sqlite3_vtab`.
unsafe impl<'vtab> VTab<'vtab> for Records {
    type Aux = Arc<World>;
    type Cursor = Cursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        aux: Option<&Arc<World>>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        let world = aux.map(Arc::clone).ok_or(Error::InvalidQuery)?;
        db.config(VTabConfig::DirectOnly)?;
        let declared = CString::new(columns::declaration(&world.fields))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let own = Connection::open_with_flags(&world.catalog, flags)?;
        own.busy_timeout(super::super::place::PATIENCE)?;
        let table = Self {
            base: sqlite3_vtab::default(),
            world,
            db: own,
        };
        Ok((Cow::Owned(declared), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        // The number of all records is not known; each condition is taken to leave a part.
        let mut rows = 1e7;
        let mut plan = format!("{:x}", info.col_used());
        let found: Vec<(usize, usize, Op)> = info
            .constraints()
            .enumerate()
            .filter(|(_, constraint)| constraint.is_usable())
            .filter_map(|(at, constraint)| {
                let column = usize::try_from(constraint.column()).ok()?;
                let is_asked = !matches!(column, LINE | RECORD | METADATA);
                Some((at, column, Op::of(&constraint.operator())?)).filter(|_| is_asked)
            })
            .collect();
        let mut place = 0;
        for (at, column, op) in found {
            // Under another collation more is equal than the keys tell.
            if op.collates() && info.collation(at)? != "BINARY" {
                continue;
            }
            place += 1;
            info.constraint_usage(at).set_argv_index(place);
            let is_list = op == Op::Equal
                && info.is_in_constraint(at)?
                && info.set_in_constraint(at, true)?;
            let op = if is_list { Op::In } else { op };
            rows *= match op {
                Op::Equal => 0.01,
                Op::In => 0.05,
                Op::There => 0.9,
                _ => 0.3,
            };
            plan.push_str(&format!(" {column}{}", op.letter()));
        }
        info.set_idx_str(&plan);
        info.set_estimated_cost(1e5 + rows * 10.0);
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 10^7")]
        info.set_estimated_rows(rows as i64 + 1);
        Ok(true)
    }

    fn open(&'vtab mut self) -> rusqlite::Result<Cursor<'vtab>> {
        Ok(Cursor::new(self))
    }
}

impl World {
    pub(super) fn failure(&self, why: String) -> Error {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        Error::ModuleError(why)
    }
}
