//! Sessions, their runs, and what they tell of artifacts.

use std::collections::HashMap;

use birthmark_core::event::{Outcome, ProcessIdentity};
use birthmark_core::session::{Artifact, ArtifactState, CodeSeen, Run, Session};
use birthmark_core::{Fields, RunId, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde_json::Value as Json;

use super::super::owners::Owner;
use super::super::recorded::Told;
use super::{APART, Facts, Writer, signed};
use crate::engine::SessionFacts;
use crate::groups::fields_of;
use crate::value::Value;

impl Writer<'_> {
    pub(super) fn session(&mut self, facts: &SessionFacts) -> rusqlite::Result<()> {
        let before = self.machine_of(facts.id.as_str())?;
        let row = self.session_row(facts)?;
        if self.machine_of(facts.id.as_str())? != before {
            self.post_all_of(facts.id.as_str())?;
        }
        self.run("DELETE FROM _runs WHERE session = ?", [row])?;
        self.run("DELETE FROM _used WHERE session = ?", [row])?;
        for run in &facts.session.runs {
            self.insert_run(row, &facts.session, run, facts.died.contains(&run.id))?;
            self.insert_used(row, run)?;
        }
        self.posts.touch(row);
        self.post_session(row)?;
        if let Some((list, packages)) = &facts.packages {
            for (name, version) in packages {
                self.run(
                    "INSERT OR IGNORE INTO _packages (list, name, version) VALUES (?, ?, ?)",
                    params![list, name, version],
                )?;
            }
        }
        let mut before = self.told_of(row)?;
        if !before.is_empty() {
            self.note_observed(row)?;
        }
        for artifact in &facts.session.artifacts {
            let file = &artifact.file;
            let told = self.told_row(artifact, &facts.session.replaced)?;
            if before.remove(file).as_deref() == Some(told.print().as_str()) {
                continue;
            }
            self.insert_told(row, file, &told)?;
            if told.is_plain() {
                self.rewritten.extend(told.digest.clone());
                self.look_at_plain(told.size)?;
            }
            self.told(file)?;
        }
        let made = |file: &String| facts.session.artifacts.iter().any(|one| one.file == *file);
        let removals = facts.session.removals.iter();
        for removal in removals.filter(|one| !made(&one.file)) {
            let file = &removal.file;
            let told = Told::removal(removal.time, self.mark(&[])?);
            if before.remove(file).as_deref() != Some(told.print().as_str()) {
                self.insert_told(row, file, &told)?;
                self.derive(file)?;
            }
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

    pub(super) fn session_row(&mut self, facts: &SessionFacts) -> rusqlite::Result<i64> {
        let session = &facts.session;
        let mark = self.mark(&facts_of(session, &session.given, code_first(session)))?;
        let number = self.owner(Owner::Session, facts.id.as_str())?;
        let time = |time: Option<birthmark_core::Timestamp>| time.map(|time| time.to_string());
        let outcome = match &session.end {
            Some((_, outcome)) => word(*outcome),
            None => facts
                .interrupted
                .then(|| word(Outcome::Interrupted))
                .flatten(),
        };
        self.db
            .prepare_cached(
                "INSERT INTO _sessions (project, session_id, number, extent, open, bound, session_uuid, session_start, session_end,
                   last_heard, outcome, host, planned, made, processes, packages, mark)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
                    number,
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
                    liveness(session, &facts.died),
                    facts.packages.as_ref().map(|(list, _)| list),
                    mark
                ],
                |row| row.get(0),
            )
    }

    pub(super) fn insert_run(
        &mut self,
        row: i64,
        session: &Session,
        run: &Run,
        died: bool,
    ) -> rusqlite::Result<()> {
        let (first, code) = (code_first(session), session.code_of(run));
        // What `session start` saw of the code is no code that ran.
        let of = if run.ran_something() { code } else { first };
        let is_apart = CodeSeen::of(of) != CodeSeen::of(first) || !run.given.is_empty();
        let mark = self.mark(&facts_of(session, &session.given_of(run), of))?;
        let number = self.owner(Owner::Run, run.id.as_str())?;
        let ended = run.end.as_ref().map(|(_, ended)| ended);
        let outcome = match ended {
            Some(ended) => word(ended.outcome),
            None => died.then(|| word(Outcome::Interrupted)).flatten(),
        };
        self.run(
            "INSERT OR REPLACE INTO _runs (session, project, run_id, number, script_name, argv, rank, host, start, end, outcome, duration_s, exit_code, error, drift, clock, mark, apart)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                row,
                self.project,
                run.id.as_str(),
                number,
                run.script_name,
                Json::from(run.argv.clone()).to_string(),
                run.rank,
                run.process.host,
                run.start.to_string(),
                run.end.as_ref().map(|(time, _)| time.to_string()),
                outcome,
                ended.map(|ended| ended.duration_s),
                session.exit_code_of(run),
                ended.and_then(|ended| ended.error.as_deref()),
                Json::from(run.drift.clone()).to_string(),
                run.clock.map(|clock| clock.to_string()),
                mark,
                is_apart,
            ],
        )
        .map(drop)
    }

    /// What a run read.
    fn insert_used(&self, session: i64, run: &Run) -> rusqlite::Result<()> {
        for (place, input) in run.used.iter().enumerate() {
            let text = |name: &str| input.get(name).and_then(Json::as_str);
            let object = ["file", "name", "digest"].into_iter().find_map(text);
            self.run(
                "INSERT OR REPLACE INTO _used (session, run_id, place, file, object, role, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    session,
                    run.id.as_str(),
                    signed(place as u64),
                    text("file"),
                    object,
                    text("role"),
                    text("digest")
                ],
            )?;
        }
        Ok(())
    }

    pub(super) fn session_gone(&mut self, id: &str) -> rusqlite::Result<()> {
        let row: Option<i64> = self
            .db
            .prepare_cached("SELECT id FROM _sessions WHERE project = ? AND session_id = ?")?
            .query_row(params![self.project, id], |row| row.get(0))
            .optional()?;
        let Some(row) = row else { return Ok(()) };
        let files = self.told_of(row)?;
        self.note_observed(row)?;
        self.unpost_session(row)?;
        self.posts.touch(row);
        for table in [
            "DELETE FROM _runs WHERE session = ?",
            "DELETE FROM _used WHERE session = ?",
            "DELETE FROM _told WHERE session = ?",
            "DELETE FROM _sessions WHERE id = ?",
        ] {
            self.run(table, [row])?;
        }
        self.post_all_of(id)?;
        for file in files.into_keys() {
            self.derive(&file)?;
        }
        Ok(())
    }

    /// For each artifact of a session, what is told of it, as one text to compare.
    pub(super) fn told_of(&self, session: i64) -> rusqlite::Result<HashMap<String, String>> {
        let mut statement = self.db.prepare_cached(
            "SELECT file, run_id, artifact_type, format, state, timestamp, size, records, digest, content_digest, mark, inputs, made
             FROM _told WHERE session = ?",
        )?;
        let rows = statement.query_map([session], |row| {
            let file: String = row.get(0)?;
            Ok((file, Told::of(row)?.print()))
        })?;
        rows.collect()
    }

    pub(super) fn told_row(
        &mut self,
        artifact: &Artifact,
        replaced: &[Artifact],
    ) -> rusqlite::Result<Told> {
        let same = replaced
            .iter()
            .filter(|before| before.file == artifact.file && before.digest == artifact.digest);
        let made = same.map(|before| before.time).fold(artifact.time, Ord::min);
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
            made: made.to_string(),
        })
    }

    pub(super) fn insert_told(
        &self,
        session: i64,
        file: &str,
        told: &Told,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO _told (session, project, file, run_id, artifact_type, format, state, timestamp, size, records, digest, content_digest, mark, inputs, made)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                session, self.project, file, told.run, told.artifact_type, told.format, told.state,
                told.timestamp, told.size, told.records, told.digest, told.content_digest, told.mark, told.inputs, told.made
            ],
        )
        .map(drop)
    }
}

/// What the status of a session follows from, as it is stored.
/// Those that died stay dead, and add nothing to it.
fn liveness(session: &Session, died: &[RunId]) -> String {
    let runs: Vec<&ProcessIdentity> = session
        .runs
        .iter()
        .filter(|run| run.end.is_none() && !died.contains(&run.id))
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
pub(in crate::engine::local) fn liveness_of(
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

/// What the status of a session follows from that is open, where its end or that of a run is
/// not known: columns from its outcome on.
pub(in crate::engine::local) fn waiting(
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Option<Session>> {
    let Some(processes) = row.get::<_, Option<String>>(6)? else {
        return Ok(None);
    };
    let time = |place: usize| -> rusqlite::Result<Option<Timestamp>> {
        let text: Option<String> = row.get(place)?;
        Ok(text.and_then(|text| text.parse().ok()))
    };
    let outcome: Option<String> = row.get(3)?;
    let is_told = outcome.is_some();
    let session = liveness_of(&processes, time(4)?, time(5)?.zip(outcome).as_ref());
    Ok((!is_told || !session.runs.is_empty()).then_some(session))
}

/// How something ended, as it is asked for.
fn word(outcome: Outcome) -> Option<String> {
    let word = serde_json::to_value(outcome).ok()?;
    word.as_str().map(str::to_owned)
}

/// The first code of a session that ran.
fn code_first(session: &Session) -> &Fields {
    session.codes().first().copied().unwrap_or(&session.code)
}

/// The facts of a session with one of its codes, and what it or one of its runs was given: both,
/// and its environment under names that begin with `environment.`.
fn facts_of(session: &Session, given: &Fields, code: &Fields) -> Facts {
    let mut all = Fields::new();
    for fields in [given, code] {
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
