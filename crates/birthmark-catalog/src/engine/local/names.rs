//! The names of all artifacts, folded, one after the other: what contains a word is found
//! by one search through them, and not by asking each row.
//!
//! # Invariants
//!
//! * A stretch holds the names of 4,096 artifacts in the order of their numbers, each ended
//!   by a byte that no text has; of a number without an artifact it holds the end alone.

use std::collections::BTreeMap;

use memchr::{memchr, memchr_iter, memmem};
use rusqlite::{Connection, OptionalExtension, params};

use super::sets::Set;
use crate::filter::fold;

/// Names of one stretch.
const SPAN: i64 = 1 << 12;
const END: u8 = 0xFF;

/// Names that are to be changed, by stretch and place.
#[derive(Debug, Default)]
pub(super) struct Edits(BTreeMap<i64, BTreeMap<usize, Vec<u8>>>);

impl Edits {
    /// An artifact has this name from now on; the empty one where it is gone.
    pub(super) fn set(&mut self, artifact: i64, name: &str) {
        let stretch = self.0.entry(artifact / SPAN).or_default();
        let place = usize::try_from(artifact % SPAN).unwrap_or(0);
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
                db.prepare_cached("DELETE FROM _names WHERE stretch = ?")?
                    .execute([stretch])?;
            } else {
                db.prepare_cached("INSERT OR REPLACE INTO _names (stretch, names) VALUES (?, ?)")?
                    .execute(params![stretch, names])?;
            }
        }
        Ok(())
    }
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

/// The artifacts whose name contains a folded text, which is not empty.
pub(super) fn containing(db: &Connection, folded: &str) -> rusqlite::Result<Set> {
    let finder = memmem::Finder::new(folded.as_bytes());
    let mut out = Set::default();
    let mut statement = db.prepare_cached("SELECT stretch, names FROM _names")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (stretch, names) = (row.get::<_, i64>(0)?, row.get_ref(1)?.as_blob()?);
        let (mut from, mut place) = (0, 0);
        while let Some(at) = names.get(from..).and_then(|rest| finder.find(rest)) {
            let skipped = names.get(from..from + at).unwrap_or_default();
            place += i64::try_from(memchr_iter(END, skipped).count()).unwrap_or(0);
            out.insert(stretch * SPAN + place);
            // One find a name is enough.
            let rest = names.get(from + at..).unwrap_or_default();
            let Some(end) = memchr(END, rest) else { break };
            from += at + end + 1;
            place += 1;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE _names (stretch INTEGER PRIMARY KEY, names BLOB NOT NULL)")
            .unwrap();
        db
    }

    fn found(db: &Connection, text: &str) -> Vec<i64> {
        containing(db, text).unwrap().iter().collect()
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
            edits.set(artifact, name);
        }
        edits.write(&db).unwrap();
        assert_eq!(found(&db, "aa"), [1, 4_095, 9_000]);
        assert_eq!(found(&db, "\u{e4}pfel"), [2]);
        assert_eq!(found(&db, "b"), [2, 4_096]);
        assert!(found(&db, "lb").is_empty(), "no find goes over an end");
        edits.set(4_095, "");
        edits.set(4_096, "aa");
        edits.set(9_000, "");
        edits.write(&db).unwrap();
        assert_eq!(found(&db, "aa"), [1, 4_096]);
        let stretches: i64 = db
            .query_row("SELECT count(*) FROM _names", [], |row| row.get(0))
            .unwrap();
        assert_eq!(stretches, 2);
    }
}
