//! Taking over what was found: sessions, files, and what follows from both.
//!
//! A row of `_artifacts` joins what journals tell of a file with what the file itself
//! carries. It is derived anew whenever one of the two changes, by [`Writer::derive`], so
//! its content depends on what is there and not on the order in which it was found.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use birthmark_core::event::ProcessIdentity;
use birthmark_core::session::{Artifact, ArtifactState, Run, Session};
use birthmark_core::{Fields, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;

use crate::engine::{Change, FileFacts, SessionFacts};
use crate::groups::{Group, fields_of};
use crate::value::{Kind, Value};
use crate::zone::Zone;

/// Facts that stand in columns of their own, since nearly every record has another.
const APART: [&str; 3] = ["timestamp", "session_id", "run_id"];
/// Entries that are kept in memory of what was written before.
const MEMORY: usize = 200_000;

type Facts = Vec<(String, Value)>;

/// Writes within one transaction.
pub(super) struct Writer<'a> {
    db: &'a Connection,
    project: i64,
    facts: HashMap<(String, Vec<u8>, String), i64>,
    marks: HashMap<[u8; 16], i64>,
    overlaid: HashMap<(i64, i64, u64), i64>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(db: &'a Connection, project: i64) -> Self {
        Self {
            db,
            project,
            facts: HashMap::new(),
            marks: HashMap::new(),
            overlaid: HashMap::new(),
        }
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    /// Takes over one change.
    pub(super) fn apply(&mut self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Session(facts) => self.session(facts),
            Change::SessionGone(id) => self.session_gone(id),
            Change::File(facts) => self.file(facts),
            Change::FileGone(file) => self.file_gone(file),
            Change::Seen {
                folder,
                name,
                state,
                file,
            } => self
                .run(
                    "INSERT OR REPLACE INTO _files (project, folder, name, state, file) VALUES (?, ?, ?, ?, ?)",
                    params![self.project, folder, name, state, file],
                )
                .map(drop),
            Change::Unseen { folder, name } => self
                .run(
                    "DELETE FROM _files WHERE project = ? AND folder = ? AND name = ?",
                    params![self.project, folder, name],
                )
                .map(drop),
            Change::Folder { folder, state } => self
                .run(
                    "INSERT OR REPLACE INTO _folders (project, folder, state) VALUES (?, ?, ?)",
                    params![self.project, folder, state],
                )
                .map(drop),
            Change::FolderGone(folder) => {
                self.run(
                    "DELETE FROM _folders WHERE project = ? AND folder = ?",
                    params![self.project, folder],
                )?;
                self.run(
                    "DELETE FROM _files WHERE project = ? AND folder = ?",
                    params![self.project, folder],
                )
                .map(drop)
            }
        }
    }

    // ---- facts and marks -------------------------------------------------

    fn fact(&mut self, name: &str, value: &Value) -> rusqlite::Result<i64> {
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
    fn mark(&mut self, facts: &[(String, Value)]) -> rusqlite::Result<i64> {
        let mut ids = Vec::with_capacity(facts.len());
        for (name, value) in facts {
            ids.push(self.fact(name, value)?);
        }
        ids.sort_unstable();
        ids.dedup();
        let hash = hash_of(&ids);
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

    fn facts_of(&self, mark: i64) -> rusqlite::Result<Facts> {
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
    fn overlay(&mut self, raw: i64, told: i64, varying: &[String]) -> rusqlite::Result<i64> {
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

    // ---- sessions --------------------------------------------------------

    fn session(&mut self, facts: &SessionFacts) -> rusqlite::Result<()> {
        let row = self.session_row(facts)?;
        self.run("DELETE FROM _runs WHERE session = ?", [row])?;
        for run in &facts.session.runs {
            self.insert_run(row, run)?;
        }
        if let Some((list, packages)) = &facts.packages {
            for (name, version) in packages {
                self.run(
                    "INSERT OR IGNORE INTO _packages (list, name, version) VALUES (?, ?, ?)",
                    params![list, name, version],
                )?;
            }
        }
        let mut before = self.told_of(row)?;
        for artifact in &facts.session.artifacts {
            let file = &artifact.file;
            let told = self.told_row(artifact)?;
            if before.remove(file).as_deref() == Some(told.print().as_str()) {
                continue;
            }
            self.insert_told(row, file, &told)?;
            self.derive(file)?;
        }
        for file in before.into_keys() {
            self.run(
                "DELETE FROM _told WHERE session = ? AND file = ?",
                params![row, file],
            )?;
            self.derive(&file)?;
        }
        Ok(())
    }

    fn session_row(&mut self, facts: &SessionFacts) -> rusqlite::Result<i64> {
        let session = &facts.session;
        let mark = self.mark(&session_facts(session))?;
        let time = |time: Option<birthmark_core::Timestamp>| time.map(|time| time.to_string());
        let outcome = session.end.as_ref().and_then(|(_, outcome)| {
            let word = serde_json::to_value(outcome).ok()?;
            word.as_str().map(str::to_owned)
        });
        self.db
            .prepare_cached(
                "INSERT INTO _sessions (project, session_id, extent, open, bound, session_uuid, session_start, session_end,
                   last_heard, outcome, host, planned, made, processes, packages, mark)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (project, session_id) DO UPDATE SET extent = excluded.extent, open = excluded.open,
                   bound = excluded.bound, session_uuid = excluded.session_uuid, session_start = excluded.session_start,
                   session_end = excluded.session_end, last_heard = excluded.last_heard, outcome = excluded.outcome,
                   host = excluded.host, planned = excluded.planned, made = excluded.made,
                   processes = excluded.processes, packages = excluded.packages, mark = excluded.mark
                 RETURNING id",
            )?
            .query_row(
                params![
                    self.project,
                    facts.id.as_str(),
                    facts.extent,
                    facts.open,
                    facts.bound,
                    session.uuid,
                    time(session.start),
                    time(session.end.as_ref().map(|(time, _)| *time)),
                    time(session.last_heard),
                    outcome,
                    facts.host,
                    signed(facts.planned.0 as u64),
                    signed(facts.planned.1 as u64),
                    liveness(session),
                    facts.packages.as_ref().map(|(list, _)| list),
                    mark
                ],
                |row| row.get(0),
            )
    }

    fn insert_run(&self, session: i64, run: &birthmark_core::session::Run) -> rusqlite::Result<()> {
        let ended = run.end.as_ref().map(|(_, ended)| ended);
        let outcome = ended
            .and_then(|ended| serde_json::to_value(ended.outcome).ok())
            .and_then(|word| word.as_str().map(str::to_owned));
        self.run(
            "INSERT OR REPLACE INTO _runs (session, run_id, script_name, argv, rank, host, start, end, outcome, duration_s, exit_code, error, drift)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                session,
                run.id.as_str(),
                run.script_name,
                Json::from(run.argv.clone()).to_string(),
                run.rank,
                run.process.host,
                run.start.to_string(),
                run.end.as_ref().map(|(time, _)| time.to_string()),
                outcome,
                ended.map(|ended| ended.duration_s),
                ended.and_then(|ended| ended.exit_code),
                ended.and_then(|ended| ended.error.as_deref()),
                Json::from(run.drift.clone()).to_string(),
            ],
        )
        .map(drop)
    }

    fn session_gone(&mut self, id: &str) -> rusqlite::Result<()> {
        let row: Option<i64> = self
            .db
            .prepare_cached("SELECT id FROM _sessions WHERE project = ? AND session_id = ?")?
            .query_row(params![self.project, id], |row| row.get(0))
            .optional()?;
        let Some(row) = row else { return Ok(()) };
        let files = self.told_of(row)?;
        for table in [
            "DELETE FROM _runs WHERE session = ?",
            "DELETE FROM _told WHERE session = ?",
            "DELETE FROM _sessions WHERE id = ?",
        ] {
            self.run(table, [row])?;
        }
        for file in files.into_keys() {
            self.derive(&file)?;
        }
        Ok(())
    }

    /// For each artifact of a session, what is told of it, as one text to compare.
    fn told_of(&self, session: i64) -> rusqlite::Result<HashMap<String, String>> {
        let mut statement = self.db.prepare_cached(
            "SELECT file, run_id, artifact_type, format, state, timestamp, size, records, digest, content_digest, mark, inputs
             FROM _told WHERE session = ?",
        )?;
        let rows = statement.query_map([session], |row| {
            let file: String = row.get(0)?;
            let told = Told {
                run: row.get(1)?,
                artifact_type: row.get(2)?,
                format: row.get(3)?,
                state: row.get(4)?,
                timestamp: row.get(5)?,
                size: row.get(6)?,
                records: row.get(7)?,
                digest: row.get(8)?,
                content_digest: row.get(9)?,
                mark: row.get(10)?,
                inputs: row.get(11)?,
            };
            Ok((file, told.print()))
        })?;
        rows.collect()
    }

    fn told_row(&mut self, artifact: &Artifact) -> rusqlite::Result<Told> {
        let mut facts = fields_of(
            Json::Object(artifact.birthmark().clone())
                .to_string()
                .as_bytes(),
        );
        facts.retain(|(name, _)| !APART.contains(&name.as_str()));
        if !facts.iter().any(|(name, _)| name == "artifact_type")
            && !artifact.artifact_type().is_empty()
        {
            facts.push((
                "artifact_type".to_owned(),
                Value::text(artifact.artifact_type()),
            ));
        }
        let (format, content) = match &artifact.state {
            ArtifactState::Open(opened) => (opened.format.clone(), None),
            ArtifactState::Sealed(sealed) => (sealed.format.clone(), sealed.content_digest.clone()),
        };
        let state = match (&artifact.removed, artifact.sealed()) {
            (Some(_), _) => "removed",
            (None, Some(_)) => "sealed",
            (None, None) => "open",
        };
        let inputs = artifact
            .birthmark()
            .get("inputs")
            .cloned()
            .unwrap_or(Json::Array(Vec::new()));
        Ok(Told {
            run: artifact.run.as_ref().map(ToString::to_string),
            artifact_type: artifact.artifact_type().to_owned(),
            format,
            state: state.to_owned(),
            timestamp: artifact.time.to_string(),
            size: signed(artifact.size),
            records: artifact.records.map(signed),
            digest: artifact.digest.clone(),
            content_digest: content,
            mark: self.mark(&facts)?,
            inputs: inputs.to_string(),
        })
    }

    fn insert_told(&self, session: i64, file: &str, told: &Told) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO _told (session, project, file, run_id, artifact_type, format, state, timestamp, size, records, digest, content_digest, mark, inputs)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                session, self.project, file, told.run, told.artifact_type, told.format, told.state,
                told.timestamp, told.size, told.records, told.digest, told.content_digest, told.mark, told.inputs
            ],
        )
        .map(drop)
    }

    // ---- files -----------------------------------------------------------

    fn file(&mut self, facts: &FileFacts) -> rusqlite::Result<()> {
        let artifact = self.artifact(&facts.file)?;
        self.forget_content(artifact)?;
        for (number, group) in facts.groups.iter().enumerate() {
            self.insert_group(artifact, number, group)?;
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
        });
        self.run(
            "UPDATE _artifacts SET there = 1, scanned = ?, found = ? WHERE id = ?",
            params![facts.scanned, found.to_string(), artifact],
        )?;
        self.derive(&facts.file)
    }

    fn file_gone(&mut self, file: &str) -> rusqlite::Result<()> {
        let Some(artifact) = self.known_artifact(file)? else {
            return Ok(());
        };
        self.forget_content(artifact)?;
        self.run(
            "UPDATE _artifacts SET there = 0, scanned = 0, found = NULL WHERE id = ?",
            [artifact],
        )?;
        self.derive(file)
    }

    fn known_artifact(&self, file: &str) -> rusqlite::Result<Option<i64>> {
        self.db
            .prepare_cached("SELECT id FROM _artifacts WHERE project = ? AND file = ?")?
            .query_row(params![self.project, file], |row| row.get(0))
            .optional()
    }

    fn artifact(&mut self, file: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.known_artifact(file)? {
            return Ok(id);
        }
        let empty = self.mark(&[])?;
        self.run(
            "INSERT INTO _artifacts (project, file, there, scanned, mark, same) VALUES (?, ?, 0, 0, ?, 0)",
            params![self.project, file, empty],
        )?;
        let id = self.db.last_insert_rowid();
        self.run("UPDATE _artifacts SET same = id WHERE id = ?", [id])?;
        Ok(id)
    }

    fn forget_content(&self, artifact: i64) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM _zones WHERE grp IN (SELECT id FROM _groups WHERE artifact = ? AND zoned)",
            [artifact],
        )?;
        self.run("DELETE FROM _groups WHERE artifact = ?", [artifact])?;
        self.run("DELETE FROM _metrics WHERE artifact = ?", [artifact])
            .map(drop)
    }

    fn insert_group(
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
        let records = (group.records > 0).then(|| signed(group.records));
        self.run(
            "INSERT INTO _groups (artifact, number, line, start, end, records, session_id, run_id, time_min, time_max, zoned, carried, raw, mark)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            params![
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
        let id = self.db.last_insert_rowid();
        for (name, zone) in zones {
            let (low, high) = zone.keys();
            self.run(
                "INSERT INTO _zones (grp, name, low, high, zone) VALUES (?, ?, ?, ?, ?)",
                params![id, name, low, high, zone.render()],
            )?;
        }
        Ok(())
    }

    // ---- what follows from both --------------------------------------------

    /// Joins what is told of a file with what it carries.
    fn derive(&mut self, file: &str) -> rusqlite::Result<()> {
        let told = self.all_told(file)?;
        let known = self.known_artifact(file)?;
        let carried = match known {
            Some(artifact) => self.carried(artifact)?,
            None => Vec::new(),
        };
        if told.is_empty() && carried.is_empty() {
            return match known {
                Some(artifact) => self.no_artifact(artifact),
                None => Ok(()),
            };
        }
        let artifact = match known {
            Some(artifact) => artifact,
            None => self.artifact(file)?,
        };
        if carried.is_empty() {
            self.tell_group(artifact, told.last())?;
        } else {
            self.run(
                "DELETE FROM _groups WHERE artifact = ? AND NOT carried",
                [artifact],
            )?;
            for group in &carried {
                let of_session = told
                    .iter()
                    .find(|(session, _)| Some(session) == group.session.as_ref());
                let varying = if group.zoned {
                    self.varying(group.id)?
                } else {
                    Vec::new()
                };
                let mark = match of_session {
                    Some((_, told)) => self.overlay(group.raw, told.mark, &varying)?,
                    None => group.raw,
                };
                if mark != group.mark {
                    self.run("UPDATE _groups SET mark = ? WHERE id = ?", [mark, group.id])?;
                }
            }
        }
        self.update_artifact(
            artifact,
            told.last().map(|(session, told)| (session.as_str(), told)),
        )
    }

    fn all_told(&self, file: &str) -> rusqlite::Result<Vec<(String, Told)>> {
        let mut statement = self.db.prepare_cached(
            "SELECT s.session_id, t.run_id, t.artifact_type, t.format, t.state, t.timestamp, t.size, t.records, t.digest, t.content_digest, t.mark, t.inputs
             FROM _told t JOIN _sessions s ON s.id = t.session WHERE t.project = ? AND t.file = ?
             ORDER BY t.timestamp, s.session_id",
        )?;
        let rows = statement.query_map(params![self.project, file], |row| {
            Ok((
                row.get(0)?,
                Told {
                    run: row.get(1)?,
                    artifact_type: row.get(2)?,
                    format: row.get(3)?,
                    state: row.get(4)?,
                    timestamp: row.get(5)?,
                    size: row.get(6)?,
                    records: row.get(7)?,
                    digest: row.get(8)?,
                    content_digest: row.get(9)?,
                    mark: row.get(10)?,
                    inputs: row.get(11)?,
                },
            ))
        })?;
        rows.collect()
    }

    fn carried(&self, artifact: i64) -> rusqlite::Result<Vec<Carried>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, session_id, zoned, raw, mark FROM _groups WHERE artifact = ? AND carried ORDER BY number",
        )?;
        let rows = statement.query_map([artifact], |row| {
            Ok(Carried {
                id: row.get(0)?,
                session: row.get(1)?,
                zoned: row.get(2)?,
                raw: row.get(3)?,
                mark: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    fn varying(&self, group: i64) -> rusqlite::Result<Vec<String>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT name FROM _zones WHERE grp = ? ORDER BY name")?;
        let rows = statement.query_map([group], |row| row.get(0))?;
        rows.collect()
    }

    /// The one group of an artifact of which only journals tell.
    fn tell_group(&mut self, artifact: i64, told: Option<&(String, Told)>) -> rusqlite::Result<()> {
        self.run("DELETE FROM _groups WHERE artifact = ?", [artifact])?;
        let Some((session, told)) = told else {
            return Ok(());
        };
        self.run(
            "INSERT INTO _groups (artifact, number, records, session_id, run_id, time_min, time_max, zoned, carried, raw, mark)
             VALUES (?1, 0, ?2, ?3, ?4, ?5, ?5, 0, 0, ?6, ?6)",
            params![artifact, told.records, session, told.run, told.timestamp, told.mark],
        )
        .map(drop)
    }

    /// A file that carries nothing and that nobody tells of. What was found of it is kept
    /// as long as it is there, for a journal may tell of it yet.
    fn no_artifact(&self, artifact: i64) -> rusqlite::Result<()> {
        let kept = self.run(
            "UPDATE _artifacts SET there = 2, format = NULL, state = NULL, timestamp = NULL, size = NULL, records = NULL,
               unstamped = NULL, bad_lines = NULL, digest = NULL, content_digest = NULL, session_id = NULL, run_id = NULL,
               inputs = NULL, same = id WHERE id = ? AND found IS NOT NULL",
            [artifact],
        )?;
        if kept == 0 {
            return self.remove_artifact(artifact);
        }
        self.run("DELETE FROM _groups WHERE artifact = ?", [artifact])?;
        self.rename_same(artifact)
    }

    fn remove_artifact(&self, artifact: i64) -> rusqlite::Result<()> {
        self.forget_content(artifact)?;
        self.run("DELETE FROM _artifacts WHERE id = ?", [artifact])?;
        self.rename_same(artifact)
    }

    /// Artifacts that were the same as one that is now another, or gone.
    fn rename_same(&self, artifact: i64) -> rusqlite::Result<()> {
        let next: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT min(id) FROM _artifacts WHERE same = ?1 AND same <> id AND id <> ?1",
            )?
            .query_row([artifact], |row| row.get(0))?;
        match next {
            Some(next) => self
                .run(
                    "UPDATE _artifacts SET same = ?2 WHERE same = ?1 AND same <> id AND id <> ?1",
                    [artifact, next],
                )
                .map(drop),
            None => Ok(()),
        }
    }

    fn update_artifact(
        &mut self,
        artifact: i64,
        told: Option<(&str, &Told)>,
    ) -> rusqlite::Result<()> {
        let found: Option<String> = self
            .db
            .prepare_cached("SELECT found FROM _artifacts WHERE id = ?")?
            .query_row([artifact], |row| row.get(0))?;
        let found: Json = found
            .and_then(|found| serde_json::from_str(&found).ok())
            .unwrap_or(Json::Null);
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        let number = |name: &str| found[name].as_u64().map(signed);
        let newest = told.map(|(_, told)| told);
        let (session, run, time, mark) = self.last_group(artifact)?;
        let digest = text("digest").or_else(|| newest.and_then(|told| told.digest.clone()));
        let edited = newest.is_some_and(|told| {
            told.state == "sealed"
                && told.digest.is_some()
                && text("digest").is_some_and(|found| Some(&found) != told.digest.as_ref())
        });
        let content = text("content_digest").or_else(|| {
            newest
                .filter(|_| !edited)
                .and_then(|told| told.content_digest.clone())
        });
        let state = match newest {
            _ if edited => "edited",
            Some(told) => &told.state,
            None => "stamped",
        };
        let inputs = match newest {
            Some(told) => Some(told.inputs.clone()),
            None => self.fact_of(mark, "inputs")?,
        };
        let session = session.or_else(|| told.map(|(session, _)| session.to_owned()));
        let same = self.same_as(artifact, digest.as_deref(), session.as_deref())?;
        self.run(
            "UPDATE _artifacts SET format = ?, state = ?, timestamp = ?, size = ?, records = ?, unstamped = ?, bad_lines = ?,
               digest = ?, content_digest = ?, session_id = ?, run_id = ?, mark = ?, inputs = ?,
               there = CASE there WHEN 2 THEN 1 ELSE there END WHERE id = ?",
            params![
                text("format").or_else(|| newest.map(|told| told.format.clone())),
                state,
                time.or_else(|| newest.map(|told| told.timestamp.clone())),
                number("size").or_else(|| newest.map(|told| told.size)),
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
        self.set_same(artifact, same)
    }

    /// The first artifact, here or in another project, with these bytes and session.
    fn same_as(
        &self,
        artifact: i64,
        digest: Option<&str>,
        session: Option<&str>,
    ) -> rusqlite::Result<i64> {
        let Some(digest) = digest else {
            return Ok(artifact);
        };
        self.db
            .prepare_cached(
                "SELECT coalesce(min(same), ?1) FROM _artifacts WHERE digest = ?2 AND session_id IS ?3 AND id <> ?1",
            )?
            .query_row(params![artifact, digest, session], |row| row.get(0))
    }

    fn set_same(&self, artifact: i64, same: i64) -> rusqlite::Result<()> {
        let before: i64 = self
            .db
            .prepare_cached("SELECT same FROM _artifacts WHERE id = ?")?
            .query_row([artifact], |row| row.get(0))?;
        if before == same {
            return Ok(());
        }
        self.run(
            "UPDATE _artifacts SET same = ? WHERE id = ?",
            [same, artifact],
        )?;
        if before == artifact {
            self.rename_same(artifact)?;
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "the columns of one row")]
    fn last_group(
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

    fn fact_of(&self, mark: i64, name: &str) -> rusqlite::Result<Option<String>> {
        self.db
            .prepare_cached(
                "SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = ? AND f.name = ? AND f.kind = 'json'",
            )?
            .query_row(params![mark, name], |row| row.get(0))
            .optional()
    }
}

/// What a journal tells of an artifact.
#[derive(Debug, Hash)]
struct Told {
    run: Option<String>,
    artifact_type: String,
    format: String,
    state: String,
    timestamp: String,
    size: i64,
    records: Option<i64>,
    digest: Option<String>,
    content_digest: Option<String>,
    mark: i64,
    inputs: String,
}

impl Told {
    fn print(&self) -> String {
        format!("{self:?}")
    }
}

struct Carried {
    id: i64,
    session: Option<String>,
    zoned: bool,
    raw: i64,
    mark: i64,
}

/// What the status of a session follows from, as it is stored.
fn liveness(session: &Session) -> String {
    let runs: Vec<&ProcessIdentity> = session
        .runs
        .iter()
        .filter(|run| run.end.is_none())
        .map(|run| &run.process)
        .collect();
    serde_json::json!({
        "opened_by": session.opened_by,
        "opener": session.opener,
        "runs": runs,
    })
    .to_string()
}

/// A session that has the status of the one that was stored, and nothing else of it.
pub(super) fn liveness_of(
    stored: &str,
    start: Option<Timestamp>,
    end: Option<&(Timestamp, String)>,
) -> Session {
    let all: Json = serde_json::from_str(stored).unwrap_or(Json::Null);
    let read = |value: &Json| serde_json::from_value::<ProcessIdentity>(value.clone()).ok();
    let run =
        |process: ProcessIdentity| Run::new(RunId::from_text(""), process, Timestamp::default());
    let outcome = |word: &String| serde_json::from_value(Json::from(word.as_str())).ok();
    Session {
        start,
        opened_by: serde_json::from_value(all["opened_by"].clone()).ok(),
        opener: read(&all["opener"]),
        runs: all["runs"]
            .as_array()
            .map(|runs| runs.iter().filter_map(read).map(run).collect())
            .unwrap_or_default(),
        end: end.and_then(|(time, word)| Some((*time, outcome(word)?))),
        ..Session::default()
    }
}

/// The facts of a session itself: the code, what it was given, and its environment under
/// names that begin with `environment.`.
fn session_facts(session: &Session) -> Facts {
    let mut all = Fields::new();
    for fields in [&session.given, &session.code] {
        for (name, value) in fields {
            all.insert(name.clone(), value.clone());
        }
    }
    all.insert(
        "environment".to_owned(),
        Json::Object(session.environment.clone()),
    );
    let mut facts = fields_of(Json::Object(all).to_string().as_bytes());
    facts.retain(|(name, _)| name != "environment" && !APART.contains(&name.as_str()));
    facts
}

/// A number as a float that SQL can calculate with.
fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hash_of(ids: &[i64]) -> [u8; 16] {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        ids.hash(&mut hasher);
        hasher.finish().to_be_bytes()
    };
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&half(1));
    hash[8..].copy_from_slice(&half(2));
    hash
}
