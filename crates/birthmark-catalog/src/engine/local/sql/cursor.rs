//! Going through the records: a group whose used columns are the same in all its records is told
//! without a look at the file, and only the others are read: small stretches at once, large ones by
//! a thread beside, a few batches ahead.
//!
//! # Invariants
//!
//! * The thread ends when the cursor does: its channel is closed.
//!
//! # `unsafe`
//!
//! See [`super::records`].
#![expect(
    unsafe_code,
    reason = "`unsafe impl` promises the layout of a struct, and nothing else"
)]

use std::ffi::c_int;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use rusqlite::Error;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::ffi::{self, sqlite3_vtab_cursor};
use rusqlite::types::Value as Sql;
use rusqlite::vtab::{Context, Filters, VTabCursor};

use super::batch::{self, Batch};
use super::columns::{FIELDS_FROM, FILE, LINE, METADATA, PROJECT, RECORD};
use super::parts::{self, Known, Part, Teller};
use super::plan::{Limits, Op, Wanted};
use super::records::Records;
use crate::tables::MORE;

/// Stretches up to this size are read at once, in bytes.
const SMALL: u64 = 1 << 20;
/// Batches that the thread is ahead.
const AHEAD: usize = 4;
/// Rows between two looks at the clock.
const ROWS: u64 = 512;
/// Bits of a row's number that tell its line in its group; the others tell the group.
const PLACE_BITS: u32 = 36;
/// Columns that SQLite tells apart; the last bit stands for all beyond.
const TOLD: usize = 63;

/// The columns that a statement uses.
#[derive(Debug, Default)]
struct Used {
    /// Line, record or metadata: only the file has them.
    of_record: bool,
    /// Places among the fields.
    fields: Vec<usize>,
}

impl Used {
    fn of(mask: u64, fields: usize) -> Self {
        let is_used = |column: usize| mask >> column.min(TOLD) & 1 == 1;
        Self {
            of_record: [LINE, RECORD, METADATA].into_iter().any(is_used),
            fields: (0..fields).filter(|at| is_used(at + FIELDS_FROM)).collect(),
        }
    }
}

type Sent = Result<Batch, String>;

/// Where the rows of the part at hand come from.
#[derive(Debug)]
enum Rows {
    /// No part is at hand.
    None,
    /// Nothing but the part is asked for: so many rows, this one included.
    Told(u64),
    /// Records that were read, the one at hand, and where more come from.
    Read(Batch, usize, Option<Beside>),
}

/// A thread that reads: it gives batches, and is given back what was used up.
#[derive(Debug)]
struct Beside {
    more: Receiver<Sent>,
    used: SyncSender<Batch>,
}

/// Where the value of a field is.
#[derive(Debug)]
enum Told {
    /// The same in all records of the part.
    Same(Sql),
    /// In the cells of each record, at this place.
    Cell(usize),
}

/// Goes through the records.
#[repr(C)]
pub(super) struct Cursor<'vtab> {
    base: sqlite3_vtab_cursor,
    table: &'vtab Records,
    used: Used,
    parts: std::vec::IntoIter<i64>,
    teller: Teller,
    part: Option<Part>,
    rows: Rows,
    number: u64,
    /// Of the part at hand the fields of which only the records know, by their place among
    /// the fields.
    varying: Vec<usize>,
    /// Of the part at hand each field that is used, in order, and where its value is: looked up
    /// for each row.
    told: Vec<(usize, Told)>,
    /// What is asked of numbers, by the place among the fields.
    limits: Vec<(usize, Limits)>,
    phantom: PhantomData<&'vtab Records>,
}

// SAFETY: the struct is `#[repr(C)]` and its first field is `sqlite3_vtab_cursor`.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(
        &mut self,
        _number: c_int,
        plan: Option<&str>,
        values: &Filters<'_>,
    ) -> rusqlite::Result<()> {
        let world = &self.table.world;
        let mut words = plan.unwrap_or_default().split(' ');
        let mask = words
            .next()
            .and_then(|word| u64::from_str_radix(word, 16).ok());
        self.used = Used::of(mask.unwrap_or(u64::MAX), world.fields.len());
        let mut wanted = Vec::new();
        self.limits.clear();
        for (at, word) in words.enumerate() {
            let Some(op) = word.chars().last().and_then(Op::of_letter) else {
                continue;
            };
            let column: usize = word.trim_end_matches(op.letter()).parse().unwrap_or(LINE);
            let asked = if op == Op::In {
                let mut list: Vec<Sql> = Vec::new();
                let mut all = values.in_values(at)?;
                while let Some(value) = all.next()? {
                    list.push(Sql::try_from(value).map_err(|_| Error::InvalidQuery)?);
                }
                Wanted::of_any(list.iter().map(Into::into))
            } else {
                let value: Sql = values.get(at)?;
                if let Some(field) = column.checked_sub(FIELDS_FROM) {
                    let limits = Limits::of(op, (&value).into());
                    self.limits.extend(limits.map(|limits| (field, limits)));
                }
                Wanted::of(op, (&value).into())
            };
            wanted.extend(asked.map(|asked| (column, asked)));
        }
        let mut groups = parts::list(&self.table.db, world.project, &world.fields, &wanted)?;
        if let Some(picked) = &world.picked {
            groups.retain(|group| picked.contains_key(group));
        }
        self.parts = groups.into_iter();
        (self.part, self.rows, self.number) = (None, Rows::None, 0);
        self.advance()
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        self.number += 1;
        if self.number.is_multiple_of(ROWS) {
            self.look_at_clock()?;
        }
        match &mut self.rows {
            Rows::Told(left) if *left > 1 => {
                *left -= 1;
                return Ok(());
            }
            Rows::Read(batch, at, _) if *at + 1 < batch.rows.len() => {
                *at += 1;
                return Ok(());
            }
            _ => {}
        }
        self.advance()
    }

    fn eof(&self) -> bool {
        self.part.is_none()
    }

    fn column(&self, context: &mut Context, column: c_int) -> rusqlite::Result<()> {
        let Some(part) = &self.part else {
            return Ok(());
        };
        let column = usize::try_from(column).unwrap_or(LINE);
        let read = match &self.rows {
            Rows::Read(batch, at, _) => batch.rows.get(*at).map(|row| (batch, *at, row)),
            _ => None,
        };
        match (column, read) {
            (PROJECT, _) => context.set_result(&part.stretch.root),
            (FILE, _) => context.set_result(&part.stretch.file),
            (LINE, Some((.., row))) => context.set_result(i64::try_from(row.line).unwrap_or(0)),
            (RECORD, Some((batch, _, row))) => context.set_result(batch.text(&row.record)),
            (METADATA, Some((batch, _, row))) => context.set_result(batch.text(&row.metadata)),
            (LINE | RECORD | METADATA, None) => Ok(()),
            (column, read) => {
                let field = column - FIELDS_FROM;
                let known = self.told.binary_search_by_key(&field, |(field, _)| *field);
                let cell = match known.ok().and_then(|at| self.told.get(at)) {
                    Some((_, Told::Same(value))) => Some(value),
                    Some((_, Told::Cell(place))) => read.and_then(|(batch, at, _)| {
                        batch.cells.get(at * self.varying.len() + place)
                    }),
                    None => None,
                };
                context.set_result(cell.unwrap_or(&Sql::Null))
            }
        }
    }

    /// The same for a record whatever was skipped before it: SQLite tells by it, where the sides
    /// of an OR are asked one after the other, which records it has had.
    fn rowid(&self) -> rusqlite::Result<i64> {
        let Some(part) = &self.part else {
            return Ok(0);
        };
        let place = match &self.rows {
            Rows::Told(left) => part.records - left,
            Rows::Read(batch, at, _) => {
                let row = batch.rows.get(*at);
                row.map_or(0, |row| row.line.saturating_sub(part.stretch.line))
            }
            Rows::None => 0,
        };
        // First groups of artifacts and further ones are numbered apart.
        let group = part.stretch.group;
        let group = match group.checked_sub(MORE) {
            Some(further @ 0..) => 2 * further + 1,
            _ => 2 * group,
        };
        let group = group.checked_mul(1 << PLACE_BITS);
        let place = i64::try_from(place).ok();
        let told = group.zip(place.filter(|place| *place < 1 << PLACE_BITS));
        told.map(|(group, place)| group | place).ok_or_else(|| {
            Error::ModuleError("there are more records than can be told apart".to_owned())
        })
    }
}

impl<'vtab> Cursor<'vtab> {
    pub(super) fn new(table: &'vtab Records) -> Self {
        Self {
            base: sqlite3_vtab_cursor::default(),
            table,
            used: Used::default(),
            parts: Vec::new().into_iter(),
            teller: Teller::default(),
            part: None,
            rows: Rows::None,
            number: 0,
            varying: Vec::new(),
            told: Vec::new(),
            limits: Vec::new(),
            phantom: PhantomData,
        }
    }

    fn look_at_clock(&self) -> rusqlite::Result<()> {
        if Instant::now() < self.table.world.end {
            return Ok(());
        }
        let stopped = ffi::Error::new(ffi::SQLITE_INTERRUPT);
        Err(Error::SqliteFailure(stopped, None))
    }

    /// Goes on to the next batch, or to the next part that has a record.
    fn advance(&mut self) -> rusqlite::Result<()> {
        loop {
            if let Rows::Read(batch, at, Some(beside)) = &mut self.rows
                && let Ok(sent) = beside.more.recv()
            {
                let next = sent.map_err(|why| self.table.world.failure(why))?;
                let used = std::mem::replace(batch, next).emptied();
                *at = 0;
                // Where nobody waits for it, its memory is let go of.
                let _ = beside.used.try_send(used);
                if batch.rows.is_empty() {
                    self.look_at_clock()?;
                    continue;
                }
                return Ok(());
            }
            let Some(group) = self.parts.next() else {
                (self.part, self.rows) = (None, Rows::None);
                return Ok(());
            };
            self.look_at_clock()?;
            let (table, used) = (self.table, &self.used.fields);
            let part = self
                .teller
                .part(&table.db, group, &table.world.fields, used)?;
            let varies = |field: &&usize| part.fields.get(field) == Some(&Known::Varies);
            self.varying = used.iter().filter(varies).copied().collect();
            self.told = told(&part, used);
            self.rows = self.rows_of(&part)?;
            self.part = Some(part);
            match &self.rows {
                Rows::Told(0) | Rows::None => {}
                Rows::Read(batch, ..) if batch.rows.is_empty() => {}
                _ => return Ok(()),
            }
        }
    }

    fn rows_of(&self, part: &Part) -> rusqlite::Result<Rows> {
        let world = &self.table.world;
        let picked = world
            .picked
            .as_ref()
            .and_then(|all| all.get(&part.stretch.group));
        let is_whole = picked.is_none_or(|(stretch, _)| stretch.all);
        if !self.used.of_record && self.varying.is_empty() && is_whole {
            return Ok(Rows::Told(part.records));
        }
        let (stretch, known) = match picked {
            Some((stretch, known)) => (stretch.clone(), known.clone()),
            None => (part.stretch.clone(), crate::engine::Known::new()),
        };
        let names = self.varying.iter().filter_map(|at| world.fields.get(*at));
        let limits = self.limits.iter().filter_map(|(field, limits)| {
            let at = self.varying.iter().position(|varying| varying == field)?;
            Some((at, *limits))
        });
        let of_record = self.used.of_record;
        let wanted = batch::Wanted::new(names.cloned().collect(), limits.collect(), of_record);
        if stretch.end.saturating_sub(stretch.start) <= SMALL {
            let mut batch = Batch::default();
            let reader = &world.reader;
            let read = reader.read(&stretch, &known, &wanted, &mut |rows, lines| {
                batch.append(&mut rows.batch, lines);
                true
            });
            read.map_err(|why| world.failure(why))?;
            return Ok(Rows::Read(batch, 0, None));
        }
        let (give, more) = sync_channel::<Sent>(AHEAD);
        // All that there are find room on the way back.
        let (used, empty) = sync_channel::<Batch>(2 * AHEAD);
        let reader = Arc::clone(&world.reader);
        let begun = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || {
                let mut batch = Batch::default();
                let read = reader.read(&stretch, &known, &wanted, &mut |rows, lines| {
                    batch.append(&mut rows.batch, lines);
                    if !batch.is_full() {
                        return true;
                    }
                    let next = empty.try_recv().unwrap_or_default();
                    give.send(Ok(std::mem::replace(&mut batch, next))).is_ok()
                });
                // Where the cursor is closed, nobody waits for the rest.
                let _ = give.send(read.map(|()| batch));
            });
        begun.map_err(|error| world.failure(error.to_string()))?;
        Ok(Rows::Read(Batch::default(), 0, Some(Beside { more, used })))
    }
}

/// Where the values of the fields that are used are found in a part.
fn told(part: &Part, used: &[usize]) -> Vec<(usize, Told)> {
    let mut cells = 0..;
    let of = |field: &usize| match part.fields.get(field)? {
        Known::Same(value) => Some((*field, Told::Same(value.clone()))),
        Known::Varies => Some((*field, Told::Cell(cells.next()?))),
    };
    used.iter().filter_map(of).collect()
}
