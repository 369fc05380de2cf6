//! Which session and which run each group is of, as numbers one after the other: what
//! sessions or runs made what was found is one walk through them, and no row is touched.
//!
//! The number of a session or run is that of the label of its id, so that a group has it
//! also where no journal tells of the session, and copies of one session have the same.
//!
//! # Invariants
//!
//! * A stretch holds the numbers of 4,096 groups in the order of theirs, five bytes each;
//!   0 is none. Behind the last group there is nothing.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::sets::{Filling, Set};

/// Groups of one stretch.
const SPAN: i64 = 1 << 12;
/// Bytes of one number.
const WIDTH: usize = 5;

/// Bits of the key of a stretch that say which of its owner it is.
const STRETCHES: u32 = 40;

/// The row of `_owners` that holds a stretch.
fn row_of(owner: Owner, stretch: i64) -> i64 {
    ((owner as i64) << STRETCHES) | stretch
}

/// Whose numbers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Session = 0,
    Run = 1,
}

impl Owner {
    pub(super) const BOTH: [Self; 2] = [Self::Session, Self::Run];

    /// The field that holds the id.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Session => "session_id",
            Self::Run => "run_id",
        }
    }
}

/// Numbers that are to be changed, by owner, stretch and place.
#[derive(Debug, Default)]
pub(super) struct Edits(BTreeMap<(Owner, i64), BTreeMap<usize, i64>>);

impl Edits {
    /// A group is of this owner from now on; of none, if 0.
    pub(super) fn set(&mut self, owner: Owner, group: i64, number: i64) {
        let stretch = self.0.entry((owner, group / SPAN)).or_default();
        stretch.insert(usize::try_from(group % SPAN).unwrap_or(0), number);
    }

    /// Writes them down.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        for ((owner, stretch), edits) in std::mem::take(&mut self.0) {
            let row = row_of(owner, stretch);
            let before: Vec<u8> = db
                .prepare_cached("SELECT numbers FROM _owners WHERE row = ?")?
                .query_row([row], |row| row.get(0))
                .optional()?
                .unwrap_or_default();
            let numbers = edited(before.clone(), &edits);
            if numbers == before {
                continue;
            }
            if numbers.is_empty() {
                db.prepare_cached("DELETE FROM _owners WHERE row = ?")?
                    .execute([row])?;
            } else {
                db.prepare_cached("INSERT OR REPLACE INTO _owners (row, numbers) VALUES (?, ?)")?
                    .execute(params![row, numbers])?;
            }
        }
        Ok(())
    }
}

fn edited(mut numbers: Vec<u8>, edits: &BTreeMap<usize, i64>) -> Vec<u8> {
    let last = edits.keys().next_back().map_or(0, |last| last + 1);
    numbers.resize(numbers.len().max(last * WIDTH), 0);
    for (place, number) in edits {
        let bytes = number.to_le_bytes();
        let cell = numbers.chunks_exact_mut(WIDTH).nth(*place);
        for (cell, byte) in cell.into_iter().flatten().zip(bytes) {
            *cell = byte;
        }
    }
    while numbers.ends_with(&[0; WIDTH]) {
        numbers.truncate(numbers.len() - WIDTH);
    }
    numbers
}

/// The numbers of the owners of these groups.
pub(super) fn of(db: &Connection, owner: Owner, groups: &Set) -> rusqlite::Result<Set> {
    let mut statement = db.prepare_cached("SELECT numbers FROM _owners WHERE row = ?")?;
    let mut out = Set::default();
    let (mut numbers, mut here, mut last) = (Vec::new(), None, 0);
    for group in groups.iter() {
        let stretch = group / SPAN;
        if here != Some(stretch) {
            here = Some(stretch);
            numbers = statement
                .query_row([row_of(owner, stretch)], |row| row.get(0))
                .optional()?
                .unwrap_or_default();
        }
        let number = number_at(&numbers, usize::try_from(group % SPAN).unwrap_or(0));
        // Groups of one owner mostly lie beside each other.
        if number != last && number != 0 {
            out.insert(number);
        }
        last = number;
    }
    Ok(out)
}

/// Every group that is of an owner, with its number, one after the other.
pub(super) fn each(
    db: &Connection,
    owner: Owner,
    take: &mut dyn FnMut(i64, i64),
) -> rusqlite::Result<()> {
    let sql = "SELECT row, numbers FROM _owners WHERE row BETWEEN ? AND ?";
    let mut statement = db.prepare_cached(sql)?;
    let last = (1 << STRETCHES) - 1;
    let mut rows = statement.query([row_of(owner, 0), row_of(owner, last)])?;
    while let Some(row) = rows.next()? {
        let stretch = row.get::<_, i64>(0)? & last;
        let numbers = row.get_ref(1)?.as_blob()?;
        for (group, cell) in (stretch * SPAN..).zip(numbers.chunks_exact(WIDTH)) {
            let number = number_at(cell, 0);
            if number != 0 {
                take(group, number);
            }
        }
    }
    Ok(())
}

/// The groups that are of one of these owners.
pub(super) fn groups_of(db: &Connection, owner: Owner, numbers: &Set) -> rusqlite::Result<Set> {
    let mut out = Filling::default();
    if numbers.is_empty() {
        return Ok(out.done());
    }
    // Groups of one owner mostly lie beside each other.
    let mut last = (0, false);
    each(db, owner, &mut |group, number| {
        if number != last.0 {
            last = (number, numbers.contains(number));
        }
        if last.1 {
            out.insert(group);
        }
    })?;
    Ok(out.done())
}

/// The numbers of all owners of groups.
pub(super) fn all(db: &Connection, owner: Owner) -> rusqlite::Result<Set> {
    let (mut out, mut last) = (Set::default(), 0);
    each(db, owner, &mut |_, number| {
        if number != last {
            last = number;
            out.insert(number);
        }
    })?;
    Ok(out)
}

fn number_at(numbers: &[u8], place: usize) -> i64 {
    let mut bytes = [0; 8];
    let cell = numbers.get(place * WIDTH..(place + 1) * WIDTH);
    for (byte, stored) in bytes.iter_mut().zip(cell.unwrap_or_default()) {
        *byte = *stored;
    }
    i64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE _owners (row INTEGER PRIMARY KEY, numbers BLOB)")
            .unwrap();
        db
    }

    #[test]
    fn owners_of_groups_are_found_each_once_and_none_is_left_behind() {
        let db = catalog();
        let far = (1 << 40) + 4_095;
        let all = [(1, 7), (2, 7), (4_095, 1 << 33), (4_096, 9), (far, 3)];
        let mut edits = Edits::default();
        for (group, number) in all {
            edits.set(Owner::Run, group, number);
        }
        edits.set(Owner::Session, 1, 5);
        edits.write(&db).unwrap();
        let ask = |owner, groups: &[i64]| -> Vec<i64> {
            let groups: Set = groups.iter().copied().collect();
            of(&db, owner, &groups).unwrap().iter().collect()
        };
        assert_eq!(
            ask(Owner::Run, &[1, 2, 3, 4_095, 4_096, far, far + 1]),
            [3, 7, 9, 1 << 33]
        );
        assert_eq!(ask(Owner::Run, &[2, 5_000, 90_000]), [7]);
        assert_eq!(ask(Owner::Session, &[1, 2, 4_096]), [5]);
        for (group, _) in all {
            edits.set(Owner::Run, group, 0);
        }
        edits.write(&db).unwrap();
        let left: i64 = db
            .query_row("SELECT sum(row >> 40 = 1) FROM _owners", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!((left, ask(Owner::Session, &[1])), (0, vec![5]));
    }
}
