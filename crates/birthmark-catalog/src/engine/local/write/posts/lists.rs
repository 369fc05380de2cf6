//! Which lists a group stands in: those of its artifact, its facts, its session and its times.

use std::rc::Rc;

use rusqlite::{OptionalExtension, params};

use super::super::super::lists::{
    Class, DAY, HAS, HERE, LAST, SPREAD, Source, WITHIN, Whose, day_of, here, id_of, metric,
    number_of,
};
use super::super::super::names::Named;
use super::super::super::owners::Owner;
use super::super::{MEMORY, Writer};
use super::Posted;
use crate::value::{Kind, Value};

/// The columns of an artifact that are asked for by value.
struct Columns {
    here: String,
    time: Option<String>,
    values: Vec<(&'static str, Value)>,
    digests: Vec<&'static str>,
}

impl Writer<'_> {
    /// The lists that all groups of an artifact stand in.
    pub(super) fn lists_of_artifact(&mut self, artifact: i64) -> rusqlite::Result<Vec<i64>> {
        let columns = self.columns(artifact)?;
        let mut lists = Vec::with_capacity(12);
        lists.push(self.label(HERE, &Value::text(columns.here))?);
        if let Some(time) = columns.time {
            lists.push(self.label(LAST, &Value::text(day_of(&time)))?);
        }
        for (name, value) in columns.values {
            self.labelled(name, &value, &mut lists)?;
        }
        for name in columns.digests {
            let class = Source::new(name, Whose::Label).class(Class::Text);
            lists.push(self.label(HAS, &Value::text(class))?);
        }
        let metrics: Vec<(String, Value)> = self
            .db
            .prepare_cached("SELECT name, kind, value FROM _metrics WHERE artifact = ?")?
            .query_map([artifact], |row| {
                let kind: String = row.get(1)?;
                Ok((row.get(0)?, Value::stored(&kind, row.get(2)?)))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (name, value) in metrics {
            self.labelled(&metric(&name), &value, &mut lists)?;
        }
        Ok(lists)
    }

    fn columns(&self, artifact: i64) -> rusqlite::Result<Columns> {
        self.db
            .prepare_cached(
                "SELECT project, there, format, state, size, records, digest IS NOT NULL, content_digest IS NOT NULL, timestamp
                 FROM _artifacts WHERE id = ?",
            )?
            .query_row([artifact], |row| {
                let mut values = Vec::new();
                for (place, name) in [(2, "format"), (3, "state")] {
                    let text: Option<String> = row.get(place)?;
                    values.extend(text.map(|text| (name, Value::text(text))));
                }
                for (place, name) in [(4, "size"), (5, "records")] {
                    let number: Option<i64> = row.get(place)?;
                    let value = number.and_then(|number| Value::number(&number.to_string()));
                    values.extend(value.map(|value| (name, value)));
                }
                let mut digests = Vec::new();
                for (place, name) in [(6, "digest"), (7, "content_digest")] {
                    if row.get(place)? {
                        digests.push(name);
                    }
                }
                Ok(Columns {
                    here: here(row.get(0)?, row.get(1)?),
                    time: row.get(8)?,
                    values,
                    digests,
                })
            })
    }

    /// The lists of a group itself: its facts, those of its session, its ids and times.
    pub(super) fn lists_of_group(&mut self, group: &Posted) -> rusqlite::Result<Vec<i64>> {
        let Posted { session, run, .. } = group;
        let mut lists = self.lists_of_mark(group.mark, Whose::Group, "")?;
        for (owner, id) in [(Owner::Session, session), (Owner::Run, run)] {
            let number = match id {
                Some(id) => {
                    self.labelled(owner.field(), &Value::text(id), &mut lists)?;
                    self.owner(owner, id)?
                }
                None => 0,
            };
            self.posts.owners.set(owner, group.id, number);
        }
        if let Some(session) = session
            && let Some(mark) = self.machine_of(session)?
        {
            lists.extend_from_slice(&self.lists_of_machine(mark)?);
        }
        match (&group.low, &group.high) {
            (Some(low), Some(high)) if low == high => {
                self.labelled(DAY, &Value::text(day_of(low)), &mut lists)?;
            }
            (Some(low), Some(high)) => {
                lists.push(self.label(SPREAD, &Value::text(""))?);
                let day = day_of(low);
                if !day.is_empty() && day == day_of(high) {
                    lists.push(self.label(WITHIN, &Value::text(day))?);
                }
            }
            _ => {}
        }
        Ok(lists)
    }

    /// The mark of the session with this id; where several projects have it, of the first.
    pub(in super::super) fn machine_of(&self, session: &str) -> rusqlite::Result<Option<i64>> {
        self.db
            .prepare_cached("SELECT mark FROM _sessions WHERE session_id = ? ORDER BY id LIMIT 1")?
            .query_row([session], |row| row.get(0))
            .optional()
    }

    fn lists_of_machine(&mut self, mark: i64) -> rusqlite::Result<Rc<[i64]>> {
        if let Some(known) = self.posts.machines.get(&mark) {
            return Ok(Rc::clone(known));
        }
        let lists: Rc<[i64]> = self
            .lists_of_mark(mark, Whose::Machine, "environment.")?
            .into();
        if self.posts.machines.len() >= MEMORY / 10 {
            self.posts.machines.clear();
        }
        self.posts.machines.insert(mark, Rc::clone(&lists));
        Ok(lists)
    }

    /// The lists of the facts of a mark whose names begin so.
    pub(super) fn lists_of_mark(
        &mut self,
        mark: i64,
        whose: Whose,
        start: &str,
    ) -> rusqlite::Result<Vec<i64>> {
        let facts: Vec<(i64, String, Class)> = self
            .db
            .prepare_cached(
                "SELECT f.id, f.name, f.kind, f.key FROM _mark_facts m CROSS JOIN _facts f ON f.id = m.fact WHERE m.mark = ?",
            )?
            .query_map([mark], |row| {
                let kind = Kind::of_word(row.get_ref(2)?.as_str()?).unwrap_or(Kind::Text);
                let class = Class::of(kind, row.get_ref(3)?.as_blob()?);
                Ok((row.get(0)?, row.get(1)?, class))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut lists = Vec::with_capacity(2 * facts.len());
        for (fact, name, class) in facts {
            if name.starts_with(start) {
                lists.push(number_of(fact, whose));
                let class = Source::new(name, whose).class(class);
                lists.push(self.label(HAS, &Value::text(class))?);
            }
        }
        Ok(lists)
    }

    /// The lists of a label and of its class.
    fn labelled(&mut self, name: &str, value: &Value, out: &mut Vec<i64>) -> rusqlite::Result<()> {
        out.push(self.label(name, value)?);
        let class = Class::of(value.kind(), &value.key());
        let class = Source::new(name, Whose::Label).class(class);
        out.push(self.label(HAS, &Value::text(class))?);
        Ok(())
    }

    /// The number of a session or run, from its id.
    pub(in super::super) fn owner(&mut self, owner: Owner, id: &str) -> rusqlite::Result<i64> {
        Ok(id_of(self.label(owner.field(), &Value::text(id))?))
    }

    /// The list of a label, which is made if it is new.
    fn label(&mut self, name: &str, value: &Value) -> rusqlite::Result<i64> {
        // Texts and others of the same letters are told apart.
        let entry = (
            name.to_owned(),
            format!("{}{}", value.kind().word(), value.as_str()),
        );
        if let Some(list) = self.posts.labels.get(&entry) {
            return Ok(*list);
        }
        let key = value.key();
        let found: Option<i64> = self
            .db
            .prepare_cached("SELECT id FROM _labels WHERE name = ? AND key = ? AND value = ?")?
            .query_row(params![name, key, value.as_str()], |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = found {
            id
        } else {
            self.run(
                "INSERT INTO _labels (name, kind, value, key) VALUES (?, ?, ?, ?)",
                params![name, value.kind().word(), value.as_str(), key],
            )?;
            let id = self.db.last_insert_rowid();
            if name == Owner::Session.field() {
                self.posts.names.set(Named::Session, id, value.as_str());
            }
            id
        };
        if self.posts.labels.len() >= MEMORY {
            self.posts.labels.clear();
        }
        let list = number_of(id, Whose::Label);
        self.posts.labels.insert(entry, list);
        Ok(list)
    }
}
