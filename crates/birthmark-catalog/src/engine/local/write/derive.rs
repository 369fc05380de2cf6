//! The row of an artifact: what journals tell of it, joined with what it carries.

use rusqlite::{OptionalExtension, params};
use serde_json::Value as Json;

use super::super::recorded::{self, Lying, Word, lying};
use super::posts::Drop;
use super::same::{Kin, kin_of};
use super::{Writer, signed};

impl Writer<'_> {
    /// Joins what is told of a file with what it carries.
    pub(super) fn derive(&mut self, file: &str) -> rusqlite::Result<()> {
        self.elsewhere(file)?;
        self.derive_seen(file)
    }

    /// The same of a file of which it is noted beside this where it was seen.
    pub(super) fn derive_seen(&mut self, file: &str) -> rusqlite::Result<()> {
        self.is_done(file)?;
        let mut told = recorded::all(self.db, self.project, file)?;
        let known = self.known(file)?;
        let carried = match &known {
            Some(known) => self.carried(known.id)?,
            None => Vec::new(),
        };
        let mut is_moved = false;
        if told.is_empty() && carried.is_empty() {
            let Some(known) = &known else { return Ok(()) };
            let Some(word) = recorded::moved(self.db, self.project, &known.found)? else {
                return self.no_artifact(known.id);
            };
            told.push(word);
            is_moved = true;
        }
        let known = match known {
            Some(known) => known,
            None => Known::new(self.new_artifact(file)?),
        };
        let artifact = known.id;
        if told.len() > 1 {
            recorded::as_it_lies(&mut told, &known.found);
        }
        if carried.is_empty() {
            self.tell_group(artifact, told.last())?;
        } else {
            self.drop_groups(artifact, Drop::Told)?;
            for group in &carried {
                let of_session = told
                    .iter()
                    .find(|word| Some(&word.session) == group.session.as_ref());
                let varying = if group.zoned {
                    self.varying(group.id)?
                } else {
                    Vec::new()
                };
                let mark = match of_session {
                    Some(word) => self.overlay(group.raw, word.told.mark, &varying)?,
                    None => group.raw,
                };
                if mark != group.mark {
                    self.run("UPDATE _groups SET mark = ? WHERE id = ?", [mark, group.id])?;
                }
            }
            let seen = recorded::seen_to_write(self.db, self.project, &told, &known.found)?;
            if let Some(last) = seen.as_ref().or(told.last()) {
                self.wrote(artifact, &carried, &last.session, &last.told)?;
            }
        }
        self.update_artifact(&known, told.last(), is_moved)?;
        if !is_moved {
            // Copies of what it was go by it.
            let plain = told.iter().filter(|word| word.told.is_plain());
            self.rewritten
                .extend(plain.filter_map(|word| word.told.digest.clone()));
        }
        self.post(artifact)
    }

    /// What is stored of a file that its row follows from.
    fn known(&self, file: &str) -> rusqlite::Result<Option<Known>> {
        self.db
            .prepare_cached(
                "SELECT id, found, read_on, kin, told FROM _artifacts WHERE project = ? AND file = ?",
            )?
            .query_row(params![self.project, file], |row| {
                let found: Option<String> = row.get(1)?;
                let found = found.and_then(|found| serde_json::from_str(&found).ok());
                Ok(Known {
                    id: row.get(0)?,
                    found: found.unwrap_or(Json::Null),
                    read_on: row.get(2)?,
                    kin: (row.get(3)?, row.get(4)?),
                })
            })
            .optional()
    }

    pub(super) fn carried(&self, artifact: i64) -> rusqlite::Result<Vec<Carried>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, session_id, zoned, raw, mark, run_id FROM _groups WHERE artifact = ? AND carried ORDER BY number",
        )?;
        let rows = statement.query_map([artifact], |row| {
            Ok(Carried {
                id: row.get(0)?,
                session: row.get(1)?,
                zoned: row.get(2)?,
                raw: row.get(3)?,
                mark: row.get(4)?,
                run: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    pub(super) fn varying(&self, group: i64) -> rusqlite::Result<Vec<String>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT name FROM _zones WHERE grp = ? ORDER BY name")?;
        let rows = statement.query_map([group], |row| row.get(0))?;
        rows.collect()
    }

    /// The one group of an artifact of which only journals tell.
    pub(super) fn tell_group(
        &mut self,
        artifact: i64,
        told: Option<&Word>,
    ) -> rusqlite::Result<()> {
        self.drop_groups(artifact, Drop::All)?;
        let Some(Word { session, told, .. }) = told else {
            return Ok(());
        };
        self.run(
            "INSERT INTO _groups (id, artifact, number, records, session_id, run_id, time_min, time_max, zoned, carried, raw, mark)
             VALUES (?1, ?1, 0, ?2, ?3, ?4, ?5, ?5, 0, 0, ?6, ?6)",
            params![artifact, told.records, session, told.run, told.timestamp, told.mark],
        )
        .map(drop)
    }

    /// A file that carries nothing and that nobody tells of. What was found of it is kept
    /// as long as it is there, for a journal may tell of it yet.
    pub(super) fn no_artifact(&mut self, artifact: i64) -> rusqlite::Result<()> {
        let kept = self.run(
            "UPDATE _artifacts SET there = 2, format = NULL, state = NULL, timestamp = NULL, size = NULL, records = NULL,
               unstamped = NULL, bad_lines = NULL, digest = NULL, content_digest = NULL, session_id = NULL, run_id = NULL,
               inputs = NULL WHERE id = ? AND found IS NOT NULL",
            [artifact],
        )?;
        if kept == 0 {
            return self.remove_artifact(artifact);
        }
        // Whoever tells of it again lets it be read again.
        self.forget_content(artifact)?;
        self.look_again(artifact)?;
        self.leave_kin(artifact)
    }

    pub(super) fn remove_artifact(&mut self, artifact: i64) -> rusqlite::Result<()> {
        self.forget_content(artifact)?;
        self.posts.name(artifact, "");
        self.leave_kin(artifact)?;
        self.run("DELETE FROM _artifacts WHERE id = ?", [artifact])
            .map(drop)
    }

    pub(super) fn update_artifact(
        &mut self,
        known: &Known,
        told: Option<&Word>,
        is_moved: bool,
    ) -> rusqlite::Result<()> {
        let Known { id, found, .. } = known;
        let artifact = *id;
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        let number = |name: &str| found[name].as_u64().map(signed);
        let newest = told.map(|word| &word.told);
        let (session, run, time, mark) = self.last_group(artifact)?;
        let Lying { state, digest } = lying(found, newest);
        let edited = state == "edited";
        let content = text("content_digest").or_else(|| {
            newest
                .filter(|_| !edited)
                .and_then(|told| told.content_digest.clone())
        });
        let inputs = match newest {
            Some(told) => Some(told.inputs.clone()),
            None => self.fact_of(mark, "inputs")?,
        };
        let session = session.or_else(|| told.map(|word| word.session.clone()));
        let origin = match (told, &digest) {
            (Some(word), Some(digest)) if is_moved => self.kin_of_told(word, digest)?,
            _ => None,
        };
        let kin = match origin {
            Some(kin) => Some(kin),
            None => kin_of(self.db, artifact, digest.as_deref())?,
        };
        self.run(
            "UPDATE _artifacts SET format = ?, state = ?, timestamp = ?, size = ?, records = ?, unstamped = ?, bad_lines = ?,
               digest = ?, content_digest = ?, session_id = ?, run_id = ?, mark = ?, inputs = ?,
               there = CASE there WHEN 2 THEN 1 ELSE there END WHERE id = ?",
            params![
                text("format").or_else(|| newest.map(|told| told.format.clone())),
                state,
                time.or_else(|| newest.map(|told| told.timestamp.clone())),
                number("size")
                    .filter(|_| !edited)
                    .or_else(|| number("lies_size"))
                    .or_else(|| number("size"))
                    .or_else(|| newest.map(|told| told.size)),
                number("records").or_else(|| newest.and_then(|told| told.records)),
                number("unstamped"),
                number("bad_lines"),
                digest,
                content,
                session,
                run.or_else(|| newest.and_then(|told| told.run.clone())),
                mark,
                inputs,
                artifact
            ],
        )?;
        self.kin(artifact, known.kin, (kin, newest.is_some() && !is_moved))?;
        let unseen = state == "unchecked" && found["looked"] != Json::Bool(true);
        // What was read on, and is written by no session any longer, has a digest once it is read
        // whole; and what was looked at before anybody told of it was not read at all.
        if state != "open" && (unseen || known.read_on) {
            self.look_again(artifact)?;
        }
        Ok(())
    }

    /// Lets the file of an artifact count as changed.
    fn look_again(&self, artifact: i64) -> rusqlite::Result<()> {
        // By this index: left to itself, SQLite goes through all files of the project.
        self.run(
            "UPDATE _files INDEXED BY _files_file SET state = '~' WHERE project = ?1
               AND file = (SELECT file FROM _artifacts WHERE id = ?2)",
            params![self.project, artifact],
        )
        .map(drop)
    }

    /// What is not as it was told a moment ago was most surely written since it was looked at.
    pub(super) fn look_again_if_edited(&self, artifact: i64) -> rusqlite::Result<()> {
        let is_edited: bool = self
            .db
            .prepare_cached("SELECT state IS 'edited' FROM _artifacts WHERE id = ?")?
            .query_row([artifact], |row| row.get(0))?;
        if is_edited {
            self.look_again(artifact)?;
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "the columns of one row")]
    pub(super) fn last_group(
        &self,
        artifact: i64,
    ) -> rusqlite::Result<(Option<String>, Option<String>, Option<String>, i64)> {
        let latest: Option<String> = self
            .db
            .prepare_cached("SELECT max(time_max) FROM _groups WHERE artifact = ?")?
            .query_row([artifact], |row| row.get(0))?;
        self.db
            .prepare_cached(
                "SELECT session_id, run_id, mark FROM _groups WHERE artifact = ? ORDER BY number DESC LIMIT 1",
            )?
            .query_row([artifact], |row| {
                Ok((row.get(0)?, row.get(1)?, latest, row.get(2)?))
            })
    }

    pub(super) fn fact_of(&self, mark: i64, name: &str) -> rusqlite::Result<Option<String>> {
        self.db
            .prepare_cached(
                "SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ? AND f.name = ? AND f.kind = 'json'",
            )?
            .query_row(params![mark, name], |row| row.get(0))
            .optional()
    }
}

/// What is stored of an artifact that its row follows from.
pub(super) struct Known {
    id: i64,
    /// What was found of its file.
    found: Json,
    /// Whether that was read on as it grew.
    read_on: bool,
    /// What it is one with, and whether it is told of.
    kin: (Option<Kin>, bool),
}

impl Known {
    /// Of a new one.
    fn new(id: i64) -> Self {
        Self {
            id,
            found: Json::Null,
            read_on: false,
            kin: (None, false),
        }
    }
}

pub(super) struct Carried {
    pub(super) id: i64,
    pub(super) session: Option<String>,
    pub(super) run: Option<String>,
    zoned: bool,
    raw: i64,
    mark: i64,
}
