//! Files: what was found in them, as groups of records, zones and metrics.

use rusqlite::{OptionalExtension, params};

use super::super::growing;
use super::posts::Drop;
use super::{APART, Facts, Writer, finite, signed};
use crate::engine::{FileFacts, Growing};
use crate::groups::Group;
use crate::value::{Kind, Value};
use crate::zone::Zone;

impl Writer<'_> {
    pub(super) fn file(&mut self, facts: &FileFacts) -> rusqlite::Result<()> {
        let known = self.known_artifact(&facts.file)?;
        let artifact = match known {
            Some(artifact) => artifact,
            None => self.new_artifact(&facts.file)?,
        };
        let before = match &facts.from {
            Some(from) if self.is_as_it_was(&facts.file, from)? => {
                self.drop_groups(artifact, Drop::From(from.before))?;
                from.before
            }
            Some(_) => {
                // Another process read on meanwhile: the next look finds what is left.
                self.overtaken = Some(facts.file.clone());
                return Ok(());
            }
            None if known.is_none() => 0,
            None => {
                self.forget_content(artifact)?;
                0
            }
        };
        for (number, group) in facts.groups.iter().enumerate() {
            self.insert_group(artifact, before + number, group)?;
        }
        for (name, value) in &facts.metrics {
            self.run(
                "INSERT OR REPLACE INTO _metrics (artifact, name, kind, value, number, key) VALUES (?, ?, ?, ?, ?, ?)",
                params![artifact, name, value.kind().word(), value.as_str(), finite(value), value.key()],
            )?;
        }
        let found = serde_json::json!({
            "size": facts.size,
            "format": facts.format,
            "records": facts.records,
            "unstamped": facts.unstamped,
            "bad_lines": facts.bad_lines,
            "digest": facts.digest,
            "content_digest": facts.content_digest,
            "lies": facts.lies,
            "lies_size": facts.lies_size,
            "looked": facts.looked,
            "stopped": growing::stopped(facts.stopped.as_ref()),
        });
        self.run(
            "UPDATE _artifacts SET there = 1, scanned = ?, found = ?, read_on = ? WHERE id = ?",
            params![
                facts.scanned,
                found.to_string(),
                facts.from.is_some(),
                artifact
            ],
        )?;
        self.derive_seen(&facts.file)
    }

    /// Whether a file that was read on is still what it was when that began.
    fn is_as_it_was(&self, file: &str, from: &Growing) -> rusqlite::Result<bool> {
        let now = growing::growing(self.db, self.project, file)?;
        Ok(now.is_some_and(|now| {
            (now.size, now.before, &now.stopped) == (from.size, from.before, &from.stopped)
        }))
    }

    pub(super) fn file_gone(&mut self, file: &str) -> rusqlite::Result<()> {
        let Some(artifact) = self.known_artifact(file)? else {
            return Ok(());
        };
        self.forget_content(artifact)?;
        self.run(
            "UPDATE _artifacts SET there = 0, scanned = 0, found = NULL, read_on = 0 WHERE id = ?",
            [artifact],
        )?;
        self.derive_seen(file)
    }

    pub(super) fn known_artifact(&self, file: &str) -> rusqlite::Result<Option<i64>> {
        self.db
            .prepare_cached("SELECT id FROM _artifacts WHERE project = ? AND file = ?")?
            .query_row(params![self.project, file], |row| row.get(0))
            .optional()
    }

    /// A row for a file that has none.
    pub(super) fn new_artifact(&mut self, file: &str) -> rusqlite::Result<i64> {
        let empty = self.mark(&[])?;
        self.run(
            "INSERT INTO _artifacts (id, project, file, there, scanned, mark, same)
             SELECT id, ?, ?, 0, 0, ?, id FROM (SELECT coalesce(max(id), 0) + 1 AS id FROM _artifacts)",
            params![self.project, file, empty],
        )?;
        let id = self.db.last_insert_rowid();
        self.posts.name(id, file);
        Ok(id)
    }

    pub(super) fn forget_content(&mut self, artifact: i64) -> rusqlite::Result<()> {
        self.drop_groups(artifact, Drop::All)?;
        self.run("DELETE FROM _metrics WHERE artifact = ?", [artifact])
            .map(drop)
    }

    pub(super) fn insert_group(
        &mut self,
        artifact: i64,
        number: usize,
        group: &Group,
    ) -> rusqlite::Result<()> {
        let constant = |wanted: &str| {
            let found = group.constants.iter().find(|(name, _)| name == wanted);
            found
                .map(|(_, value)| value)
                .filter(|value| value.kind() == Kind::Text)
        };
        let zone = |wanted: &str| group.zones.iter().find(|(name, _)| name == wanted);
        let times = match (constant("timestamp"), zone("timestamp")) {
            (Some(time), _) => Some((time.as_str().to_owned(), time.as_str().to_owned())),
            (None, Some((_, zone))) => zone.only_texts(),
            (None, None) => None,
        };
        // What does not fit its column stays a fact or a zone like any other.
        let apart = |name: &str, value: &Value| APART.contains(&name) && value.kind() == Kind::Text;
        let facts: Facts = group
            .constants
            .iter()
            .filter(|(name, value)| !apart(name, value))
            .cloned()
            .collect();
        let zones: Vec<&(String, Zone)> = group
            .zones
            .iter()
            .filter(|(name, _)| name != "timestamp" || times.is_none())
            .collect();
        let mark = self.mark(&facts)?;
        let id = self.next_group(artifact, number)?;
        let records = (group.records > 0).then(|| signed(group.records));
        self.run(
            "INSERT INTO _groups (id, artifact, number, line, start, end, records, session_id, run_id, time_min, time_max, zoned, carried, raw, mark)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            params![
                id,
                artifact,
                signed(number as u64),
                signed(group.line),
                signed(group.start),
                signed(group.end),
                records,
                constant("session_id").map(Value::as_str),
                constant("run_id").map(Value::as_str),
                times.as_ref().map(|(low, _)| low),
                times.as_ref().map(|(_, high)| high),
                !zones.is_empty(),
                mark,
                mark
            ],
        )?;
        for (name, zone) in zones {
            let (low, high) = zone.keys();
            self.run(
                "INSERT INTO _zones (grp, name, low, high, zone) VALUES (?, ?, ?, ?, ?)",
                params![id, name, low, high, zone.render()],
            )?;
        }
        Ok(())
    }
}
