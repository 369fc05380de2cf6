//! Facts and marks: a birthmark is stored once, however many carry it.

use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{OptionalExtension, params};

use super::{Facts, MEMORY, Writer, finite};
use crate::value::Value;

impl Writer<'_> {
    pub(super) fn fact(&mut self, name: &str, value: &Value) -> rusqlite::Result<i64> {
        let key = value.key();
        let entry = (name.to_owned(), key, value.as_str().to_owned());
        if let Some(id) = self.facts.get(&entry) {
            return Ok(*id);
        }
        let found = self
            .db
            .prepare_cached("SELECT id FROM _facts WHERE name = ? AND key = ? AND value = ?")?
            .query_row(params![name, entry.1, entry.2], |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = found {
            id
        } else {
            self.run(
                "INSERT INTO _facts (name, kind, value, number, key) VALUES (?, ?, ?, ?, ?)",
                params![name, value.kind().word(), entry.2, finite(value), entry.1],
            )?;
            self.db.last_insert_rowid()
        };
        if self.facts.len() >= MEMORY {
            self.facts.clear();
        }
        self.facts.insert(entry, id);
        Ok(id)
    }

    /// The number of the mark that is these facts.
    pub(super) fn mark(&mut self, facts: &[(String, Value)]) -> rusqlite::Result<i64> {
        let mut ids = Vec::with_capacity(facts.len());
        for (name, value) in facts {
            ids.push(self.fact(name, value)?);
        }
        ids.sort_unstable();
        ids.dedup();
        let hash = hash_of(&ids.as_slice());
        if let Some(mark) = self.marks.get(&hash) {
            return Ok(*mark);
        }
        let found = self
            .db
            .prepare_cached("SELECT id FROM _marks WHERE hash = ?")?
            .query_row([hash], |row| row.get(0))
            .optional()?;
        let mark = if let Some(mark) = found {
            mark
        } else {
            self.run("INSERT INTO _marks (hash) VALUES (?)", [hash])?;
            let mark = self.db.last_insert_rowid();
            for id in ids {
                self.run(
                    "INSERT INTO _mark_facts (mark, fact) VALUES (?, ?)",
                    [mark, id],
                )?;
            }
            mark
        };
        if self.marks.len() >= MEMORY {
            self.marks.clear();
        }
        self.marks.insert(hash, mark);
        Ok(mark)
    }

    pub(super) fn facts_of(&self, mark: i64) -> rusqlite::Result<Facts> {
        let mut statement = self.db.prepare_cached(
            "SELECT f.name, f.kind, f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ?",
        )?;
        let rows = statement.query_map([mark], |row| {
            let kind: String = row.get(1)?;
            Ok((row.get(0)?, Value::stored(&kind, row.get(2)?)))
        })?;
        rows.collect()
    }

    /// What records carry, and what their session knew of them besides.
    pub(super) fn overlay(
        &mut self,
        raw: i64,
        told: i64,
        varying: &[String],
    ) -> rusqlite::Result<i64> {
        if raw == told {
            return Ok(raw);
        }
        let mut hasher = DefaultHasher::new();
        varying.hash(&mut hasher);
        let entry = (raw, told, hasher.finish());
        if let Some(mark) = self.overlaid.get(&entry) {
            return Ok(*mark);
        }
        let mut facts = self.facts_of(raw)?;
        let carried = facts.len();
        for (name, value) in self.facts_of(told)? {
            let known = facts.iter().take(carried).any(|(known, _)| *known == name);
            if !known && !varying.contains(&name) {
                facts.push((name, value));
            }
        }
        let mark = self.mark(&facts)?;
        if self.overlaid.len() >= MEMORY {
            self.overlaid.clear();
        }
        self.overlaid.insert(entry, mark);
        Ok(mark)
    }
}

pub(super) fn hash_of(what: &impl Hash) -> [u8; 16] {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        what.hash(&mut hasher);
        hasher.finish().to_be_bytes()
    };
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&half(1));
    hash[8..].copy_from_slice(&half(2));
    hash
}
