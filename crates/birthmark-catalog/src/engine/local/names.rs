//! The names of all artifacts and the ids of all sessions, folded, one after the other: what
//! contains a word is found by one search through them, and not by asking each row.
//!
//! Of each stretch it is kept which three bytes follow each other in it, so that one without
//! those of the word is not read at all.
//!
//! # Invariants
//!
//! * A stretch holds the names of 4,096 artifacts in the order of their numbers, each ended
//!   by a byte that no text has; of a number without an artifact it holds the end alone. So it
//!   is with the ids of sessions, by the numbers of their labels.
//! * The letters of a stretch say no for three bytes only if none of its names has them.

use std::collections::BTreeMap;

use memchr::{memchr, memchr_iter, memmem};
use rusqlite::{Connection, OptionalExtension, params};

use super::sets::Set;
use crate::filter::fold;

/// Names of one stretch.
const SPAN: i64 = 1 << 12;
const END: u8 = 0xFF;
/// Bits of the letters of a stretch; with them a row fits into a page.
const LETTERS: u32 = 32_000;
/// Bits of the key of a stretch that say which one it is.
const STRETCHES: u32 = 40;

/// What has the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Artifact = 0,
    /// A session, by the number of its label.
    Session = 1,
}

impl Named {
    /// The first and the last row that its stretches may have.
    fn rows(self) -> [i64; 2] {
        let first = (self as i64) << STRETCHES;
        [first, first + (1 << STRETCHES) - 1]
    }
}

/// Names that are to be changed, by stretch and place.
#[derive(Debug, Default)]
pub(super) struct Edits(BTreeMap<i64, BTreeMap<usize, Vec<u8>>>);

impl Edits {
    /// It has this name from now on; the empty one where it is gone.
    pub(super) fn set(&mut self, named: Named, number: i64, name: &str) {
        let [first, _] = named.rows();
        let stretch = self.0.entry(first + number / SPAN).or_default();
        let place = usize::try_from(number % SPAN).unwrap_or(0);
        stretch.insert(place, fold(name).into_bytes());
    }

    /// Writes them down.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        for (stretch, edits) in std::mem::take(&mut self.0) {
            let before: Vec<u8> = db
                .prepare_cached("SELECT names FROM _names WHERE stretch = ?")?
                .query_row([stretch], |row| row.get(0))
                .optional()?
                .unwrap_or_default();
            let names = edited(&before, &edits);
            if names.iter().all(|byte| *byte == END) {
                for table in ["_names", "_letters"] {
                    db.prepare_cached(&format!("DELETE FROM {table} WHERE stretch = ?"))?
                        .execute([stretch])?;
                }
            } else {
                db.prepare_cached("INSERT OR REPLACE INTO _names (stretch, names) VALUES (?, ?)")?
                    .execute(params![stretch, names])?;
                write_letters(db, stretch, &names)?;
            }
        }
        Ok(())
    }
}

fn write_letters(db: &Connection, stretch: i64, names: &[u8]) -> rusqlite::Result<()> {
    let mut bits = vec![0; LETTERS as usize / 8];
    for (byte, bit) in letters(names) {
        if let Some(byte) = bits.get_mut(byte) {
            *byte |= bit;
        }
    }
    db.prepare_cached("INSERT OR REPLACE INTO _letters (stretch, bits) VALUES (?, ?)")?
        .execute(params![stretch, bits])
        .map(drop)
}

/// The bits of every three bytes that follow each other within a name, by their bytes.
fn letters(text: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    let within = text.windows(3).filter(|three| !three.contains(&END));
    within.map(|three| {
        let number = three
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let bit = (number.wrapping_mul(0x9E37_79B1) >> 8) % LETTERS;
        (bit as usize / 8, 1 << (bit % 8))
    })
}

fn edited(before: &[u8], edits: &BTreeMap<usize, Vec<u8>>) -> Vec<u8> {
    let mut names: Vec<&[u8]> = before.split(|byte| *byte == END).collect();
    // Behind the last end there is nothing.
    names.pop();
    let last = edits.keys().next_back().map_or(0, |last| last + 1);
    names.resize(names.len().max(last), b"");
    for (place, name) in edits {
        if let Some(known) = names.get_mut(*place) {
            *known = name;
        }
    }
    let mut out = Vec::with_capacity(before.len() + 64 * edits.len());
    for name in names {
        out.extend_from_slice(name);
        out.push(END);
    }
    out
}

/// Those whose name contains a folded text, which is not empty.
pub(super) fn containing(db: &Connection, named: Named, folded: &str) -> rusqlite::Result<Set> {
    let finder = memmem::Finder::new(folded.as_bytes());
    let mut out = Set::default();
    let wanted: Vec<(usize, u8)> = letters(folded.as_bytes()).collect();
    let mut letters =
        db.prepare_cached("SELECT stretch, bits FROM _letters WHERE stretch BETWEEN ? AND ?")?;
    let mut statement = db.prepare_cached("SELECT names FROM _names WHERE stretch = ?")?;
    let [first, last] = named.rows();
    let mut rows = letters.query([first, last])?;
    while let Some(row) = rows.next()? {
        let (stretch, bits) = (row.get::<_, i64>(0)?, row.get_ref(1)?.as_blob()?);
        let has = |(byte, bit): &(usize, u8)| bits.get(*byte).is_none_or(|bits| bits & bit != 0);
        if !wanted.iter().all(has) {
            continue;
        }
        let mut found = statement.query([stretch])?;
        if let Some(row) = found.next()? {
            search(
                row.get_ref(0)?.as_blob()?,
                &finder,
                (stretch - first) * SPAN,
                &mut out,
            );
        }
    }
    Ok(out)
}

/// Takes in the numbers, from `first` on, of the names that contain what is looked for.
fn search(names: &[u8], finder: &memmem::Finder<'_>, first: i64, out: &mut Set) {
    let (mut from, mut place) = (0, 0);
    while let Some(at) = names.get(from..).and_then(|rest| finder.find(rest)) {
        let skipped = names.get(from..from + at).unwrap_or_default();
        place += i64::try_from(memchr_iter(END, skipped).count()).unwrap_or(0);
        out.insert(first + place);
        // One find a name is enough.
        let rest = names.get(from + at..).unwrap_or_default();
        let Some(end) = memchr(END, rest) else { break };
        from += at + end + 1;
        place += 1;
    }
}

/// Every name that is there, with its number.
pub(super) fn each(
    db: &Connection,
    named: Named,
    take: &mut dyn FnMut(i64, &str),
) -> rusqlite::Result<()> {
    let sql = "SELECT stretch, names FROM _names WHERE stretch BETWEEN ? AND ?";
    let mut statement = db.prepare_cached(sql)?;
    let [first, last] = named.rows();
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let stretch = row.get::<_, i64>(0)? - first;
        let all = row.get_ref(1)?.as_blob()?;
        for (number, name) in (stretch * SPAN..).zip(all.split(|byte| *byte == END)) {
            if !name.is_empty() {
                take(number, &String::from_utf8_lossy(name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE _names (stretch INTEGER PRIMARY KEY, names BLOB NOT NULL);
             CREATE TABLE _letters (stretch INTEGER PRIMARY KEY, bits BLOB NOT NULL)",
        )
        .unwrap();
        db
    }

    fn found(db: &Connection, text: &str) -> Vec<i64> {
        let found = containing(db, Named::Artifact, text).unwrap();
        found.iter().collect()
    }

    #[test]
    fn names_are_found_by_what_they_contain_each_once() {
        let db = catalog();
        let mut edits = Edits::default();
        for (artifact, name) in [
            (1, "Aa/aa.jsonl"),
            (2, "b/\u{c4}pfel.json"),
            (4_095, "aa"),
            (4_096, "c/b"),
            (9_000, "x\naa"),
        ] {
            edits.set(Named::Artifact, artifact, name);
            edits.set(Named::Session, artifact + 1, "aa \u{c4}");
        }
        edits.write(&db).unwrap();
        assert_eq!(found(&db, "aa"), [1, 4_095, 9_000]);
        assert_eq!(found(&db, "\u{e4}pfel"), [2]);
        assert_eq!(found(&db, "b"), [2, 4_096]);
        assert!(found(&db, "lb").is_empty(), "no find goes over an end");
        edits.set(Named::Artifact, 4_095, "");
        edits.set(Named::Artifact, 4_096, "aa");
        edits.set(Named::Artifact, 9_000, "");
        edits.write(&db).unwrap();
        assert_eq!(found(&db, "aa"), [1, 4_096]);
        let stretches: i64 = db
            .query_row("SELECT count(*) FROM _names WHERE stretch < 9", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(stretches, 2);
    }

    #[test]
    fn a_stretch_without_the_letters_of_a_word_is_not_read() {
        let db = catalog();
        let mut edits = Edits::default();
        for (number, name) in [(1, "abc/xyz"), (5_000, "abd"), (9_000, "bcd abc")] {
            edits.set(Named::Session, number, name);
        }
        edits.write(&db).unwrap();
        // What is not looked into may as well be another text.
        db.execute("UPDATE _names SET names = x'616263ff'", [])
            .unwrap();
        let found = |text: &str| -> Vec<i64> {
            let found = containing(&db, Named::Session, text).unwrap();
            found.iter().collect()
        };
        let first = |stretch: i64| stretch * SPAN;
        assert_eq!(found("abc"), [first(0), first(2)]);
        assert_eq!(
            found("ab"),
            [first(0), first(1), first(2)],
            "two letters say nothing"
        );
        assert!(found("abcabc").is_empty());
        assert!(containing(&db, Named::Artifact, "abc").unwrap().is_empty());
    }
}
