use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use birthmark_core::event::{ArtifactSealed, Outcome, ProcessIdentity, RunEnded};
use birthmark_core::session::{Artifact, ArtifactState, Had, Run, Session};
use birthmark_core::{Fields, RunId, SessionId, Timestamp};
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::engine::local::place;
use crate::engine::{FileFacts, SessionFacts};
use crate::groups::{Group, fields_of};

/// A catalog that counts the steps of SQLite's machine, in tens.
struct Counting {
    db: Connection,
    steps: Arc<AtomicU64>,
}

impl Counting {
    fn new() -> Self {
        let mut db = place::in_memory().unwrap().connection;
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        db.progress_handler(10, Some(count)).unwrap();
        Self { db, steps }
    }

    /// The steps of taking these over in one transaction.
    fn apply(&self, changes: impl IntoIterator<Item = Change>) -> u64 {
        let before = self.steps.load(Ordering::Relaxed);
        let mut writer = Writer::new(&self.db, 1);
        for change in changes {
            writer.apply(&change).unwrap();
        }
        writer.finish().unwrap();
        self.steps.load(Ordering::Relaxed) - before
    }

    fn count(&self, sql: &str) -> i64 {
        self.db.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// A file, and where it was seen.
fn file(name: String, groups: Vec<Group>) -> [Change; 2] {
    let file = format!("artifacts/{name}");
    let facts = FileFacts {
        file: file.clone(),
        scanned: true,
        format: (!groups.is_empty()).then_some("json"),
        digest: (!groups.is_empty()).then(|| format!("blake3:{name}")),
        groups,
        ..FileFacts::default()
    };
    let seen = Change::Seen {
        folder: String::new(),
        name,
        state: "as it was".to_owned(),
        file,
    };
    [Change::File(Box::new(facts)), seen]
}

#[test]
fn a_file_among_many_costs_no_more_than_among_few() {
    let steps = |files: usize| {
        let files = (0..files).flat_map(|number| file(format!("{number}.png"), Vec::new()));
        Counting::new().apply(files)
    };
    let (few, many) = (steps(100), steps(1_600));
    assert!(many < few * 24, "{few} for 100 files, {many} for 1,600");
}

const EACH: usize = 10;

fn birthmark(session: usize, number: usize) -> Fields {
    let of = json!({"git_commit": "c", "model_name": "m", "temperature": 0.5, "seed": session, "eval_seed": number});
    let own = json!({"session_id": format!("s{session}"), "run_id": format!("r{session}"), "timestamp": "2026-01-01T00:00:00.000000+00:00"});
    let mut all = of.as_object().unwrap().clone();
    all.extend(own.as_object().unwrap().clone());
    all
}

/// A session that made ten reports.
fn session(session: usize) -> Change {
    session_of(session, EACH, Outcome::Completed)
}

/// A session of one run that made so many reports and ended so.
pub(in crate::engine::local) fn session_of(
    session: usize,
    each: usize,
    outcome: Outcome,
) -> Change {
    let nobody = ProcessIdentity {
        host: "pod".to_owned(),
        boot_id: None,
        pid: 7,
        pid_start: None,
        pid_namespace: None,
    };
    let begun = Timestamp::from_micros(i64::try_from(session).unwrap() * 1_000_000);
    let ended = RunEnded {
        outcome,
        duration_s: 1.5,
        exit_code: None,
        command_pid: None,
        signal: None,
        error: None,
        unrecorded: None,
        usage: Fields::new(),
    };
    let run = Run {
        end: Some((begun, ended)),
        ..Run::new(RunId::from_text(format!("r{session}")), nobody, begun)
    };
    let artifact = |number: usize| {
        let name = format!("{}.json", session * EACH + number);
        let sealed = ArtifactSealed {
            file: format!("artifacts/{name}"),
            file_bytes: None,
            artifact_type: "evaluation".to_owned(),
            format: "report".to_owned(),
            timestamp: Timestamp::default(),
            size: 5,
            records: None,
            digest: Some(format!("blake3:{name}")),
            content_digest: None,
            birthmark: birthmark(session, session * EACH + number),
            notes: Fields::new(),
        };
        Artifact {
            file: sealed.file.clone(),
            run: Some(RunId::from_text(format!("r{session}"))),
            time: sealed.timestamp,
            size: sealed.size,
            records: None,
            digest: sealed.digest.clone(),
            removed: None,
            continued: Had::default(),
            gone_on: Vec::new(),
            state: ArtifactState::Sealed(sealed),
        }
    };
    Change::Session(Box::new(SessionFacts {
        id: SessionId::from_text(format!("s{session}")),
        extent: "as it was".to_owned(),
        open: false,
        bound: true,
        session: Session {
            start: Some(begun),
            end: Some((begun, outcome)),
            runs: vec![run],
            artifacts: (0..each).map(artifact).collect(),
            ..Session::default()
        },
        died: Vec::new(),
        interrupted: false,
        host: None,
        planned: (0, 0),
        packages: None,
    }))
}

fn reports(session: usize) -> impl Iterator<Item = Change> {
    (session * EACH..(session + 1) * EACH).flat_map(move |number| {
        let fields = serde_json::to_vec(&birthmark(session, number)).unwrap();
        let group = Group {
            line: 0,
            start: 0,
            end: 0,
            records: 1,
            constants: fields_of(&fields),
            zones: Vec::new(),
        };
        file(format!("{number}.json"), vec![group])
    })
}

#[test]
fn what_is_told_of_and_lies_there_is_worked_out_once() {
    let steps = |sessions: usize| {
        let catalog = Counting::new();
        let told = catalog.apply((0..sessions).map(session));
        let found = catalog.apply((0..sessions).flat_map(reports));
        assert_eq!(catalog.count("SELECT count(*) FROM _due"), 0);
        assert_eq!(catalog.count("SELECT count(*) FROM _elsewhere"), 0);
        assert_eq!(
            catalog.count("SELECT count(*) FROM _artifacts WHERE state = 'sealed'"),
            i64::try_from(sessions * EACH).unwrap()
        );
        (told, found)
    };
    let ((told, found), (more_told, more_found)) = (steps(40), steps(160));
    assert!(told * 2 < found, "{told} to be told, {found} to look");
    assert!(
        more_told < told * 5 && more_found < found * 5,
        "{more_told}, {more_found}"
    );
}

#[test]
fn what_is_told_of_and_lies_nowhere_is_worked_out_in_the_end() {
    let catalog = Counting::new();
    catalog.apply([session(0)]);
    assert_eq!(catalog.count("SELECT count(*) FROM _artifacts"), 0);
    let mut writer = Writer::new(&catalog.db, 1);
    writer.settle().unwrap();
    writer.finish().unwrap();
    assert!(!is_due(&catalog.db, 1).unwrap());
    assert_eq!(
        catalog.count("SELECT count(*) FROM _artifacts WHERE there = 0 AND state = 'sealed'"),
        10
    );
    assert_eq!(catalog.count("SELECT count(*) FROM _elsewhere"), 10);
}
