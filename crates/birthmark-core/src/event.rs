//! `Event`: all that a journal can say.
//!
//! A journal line is flat: `{"seq","prev","time","event",…,"sum"}`. The `event`
//! names the kind; the fields of the kind stand beside it. Kinds and fields of
//! later versions are kept as they are and skipped by those who do not know them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::birthmark::Fields;
use crate::id::{RunId, SessionId};
use crate::snapshot::{LeftOut, NestedCommit};
use crate::timestamp::Timestamp;

/// Which process it is: enough to see at once whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Host name.
    pub host: String,
    /// The kernel's boot id; null where there is none.
    pub boot_id: Option<String>,
    /// Process id.
    pub pid: u32,
    /// When the process started, in clock ticks since boot.
    pub pid_start: Option<u64>,
    /// The pid namespace (`pid:[4026531836]`), since pids mean nothing outside it.
    pub pid_namespace: Option<String>,
}

/// The first event of every journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterOpened {
    /// The journal's format.
    pub format: String,
    /// Version of the program that writes.
    pub program: String,
    /// The session that the journal belongs to.
    pub session_id: SessionId,
    /// The session's `UUIDv7`; null where a joined session did not tell it.
    pub session_uuid: Option<String>,
    /// The run that writes; null for `birthmark session start` and `end`.
    pub run_id: Option<RunId>,
    /// The writing process.
    #[serde(flatten)]
    pub process: ProcessIdentity,
    /// The run that started this one, if one did.
    pub parent_run: Option<RunId>,
}

/// Who opened a session; decides who may join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenedBy {
    /// A script: ends with it.
    Script,
    /// `birthmark session start`: open until ended.
    Shell,
    /// `birthmark run`: ends with the command.
    Run,
}

/// A session begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// When.
    pub session_start: Timestamp,
    /// Who opened it.
    pub opened_by: OpenedBy,
    /// What it means to make, word for word.
    pub planned_artifacts: Vec<String>,
    /// Fields given to the session, inherited by its artifacts.
    pub given: Fields,
}

/// A run begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The script's file name; null for shells and notebooks.
    pub script_name: Option<String>,
    /// Command line, redacted.
    pub argv: Vec<String>,
    /// Process facts: working folder, user, executable.
    pub process: Fields,
    /// Rank among the processes of one launch, 0 when alone.
    pub rank: u32,
    /// Number of processes of the launch.
    pub world_size: u32,
}

/// What was seen of the code; every `git_*` field and what stands behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeObserved {
    /// Fields of a birthmark: `git_commit`, `git_branch`, …, `unknown`, `declared`.
    pub fields: Fields,
    /// Counts, changed files, submodules and such.
    pub details: Fields,
}

/// A commit was made that holds a whole working tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTaken {
    /// The snapshot.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// `HEAD` as it was; null on a branch without a commit.
    pub parent: Option<String>,
    /// The reference that keeps it; null where none could be made.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Which repository: empty for the script's own, else where it lies below that one, or
    /// its whole path where it lies elsewhere.
    pub path: String,
    /// Top level of that repository.
    pub root: String,
    /// Its remote, without credentials.
    pub remote: Option<String>,
    /// `repository`, or `store` where the objects could not go into the repository.
    pub kept_in: String,
    /// Whether it gives back every file as it was.
    pub exact: bool,
    /// Why it does not, in phrases.
    pub inexact: Vec<String>,
    /// Files that it does not hold.
    pub left_out: Vec<LeftOut>,
    /// Files that a plain checkout would change; `birthmark snapshot restore` does not.
    pub raw: Vec<String>,
    /// Files that were written after the run began.
    pub changed_after: Vec<String>,
    /// Repositories within.
    pub nested: Vec<NestedCommit>,
    /// Files that are not as in `parent`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A commit was written to the store, since no remote has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeKept {
    /// The commit.
    pub commit: String,
    /// Which repository, as in `snapshot_taken`.
    pub path: String,
    /// Its remote, without credentials.
    pub remote: Option<String>,
    /// Digest of the bundle in `objects/`; null where none could be made.
    pub bundle: Option<String>,
    /// Commits that whoever reads the bundle must have.
    pub prerequisites: Vec<String>,
    /// Why there is no bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What was seen of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentObserved {
    /// The environment, the origin's seven keys first.
    pub environment: Fields,
}

/// An artifact is being written, from here on under its final name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactOpened {
    /// Path relative to the project's root, with `/`; escaped when not UTF-8.
    pub file: String,
    /// The path's own bytes in base64, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<String>,
    /// The artifact's type.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// How it is written: `jsonl`, `report`, `file`, `folder`.
    pub format: String,
    /// Whole birthmark at the opening.
    pub birthmark: Fields,
    /// Bytes that were there before, when an existing file goes on.
    pub continued_bytes: u64,
    /// Records that were there before.
    pub continued_records: u64,
    /// Digest of the bytes that were there before; nothing in older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_digest: Option<String>,
    /// The same without their birthmarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_content_digest: Option<String>,
}

/// How far an artifact has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactProgress {
    /// Path as in `artifact_opened`.
    pub file: String,
    /// Bytes so far.
    pub size: u64,
    /// Records so far.
    pub records: u64,
    /// Digest of these bytes.
    pub digest: String,
}

/// An artifact is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactSealed {
    /// Path relative to the project's root, with `/`; escaped when not UTF-8.
    pub file: String,
    /// The path's own bytes in base64, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<String>,
    /// The artifact's type.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// `jsonl`, `report`, `file`, `folder`.
    pub format: String,
    /// When it was finished.
    pub timestamp: Timestamp,
    /// Bytes.
    pub size: u64,
    /// Records, where it has records.
    pub records: Option<u64>,
    /// Digest of the bytes as they lie; null while it is being computed.
    pub digest: Option<String>,
    /// Digest of the bytes with birthmarks removed.
    pub content_digest: Option<String>,
    /// Whole birthmark.
    pub birthmark: Fields,
    /// Facts of the writing: NaN counts, cut tails, that it was stopped by an error.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub notes: Fields,
}

/// Something was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactUsed {
    /// The input: `role`, `file` or `name`, `digest`, …
    pub input: Fields,
}

/// An artifact was removed on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRemoved {
    /// Path as it was sealed.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A report was left before it was put together: its items wait in its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportLeft {
    /// The report's path, as it would be sealed.
    pub file: String,
    /// Where its items are.
    pub part: String,
    /// How many.
    pub items: u64,
}

/// The code is not what it was when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// One line a change: `HEAD moved from … to …`, `train.py was edited`.
    pub changes: Vec<String>,
    /// The code as seen at the end.
    pub fields: Fields,
}

/// How a run or session came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To its end.
    Completed,
    /// With an error.
    Failed,
    /// Stopped from outside: a signal, Ctrl-C.
    Interrupted,
}

/// A run is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// How.
    pub outcome: Outcome,
    /// Seconds by the monotonic clock.
    pub duration_s: f64,
    /// Exit status of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Signal that ended a command, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The error in one redacted line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a command used: `cpu_user_s`, `cpu_system_s`, `memory_bytes`, …
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub usage: Fields,
}

/// What a command said was kept, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogKept {
    /// `stdout`, `stderr`, or `output` where both go the same way.
    pub stream: String,
    /// Where it is kept, from the store's folder, without the offset and ending of its pieces;
    /// null where nothing was said. Of a stream that went into a file, that file.
    pub file: Option<String>,
    /// Bytes that were said; null where that is not known.
    pub bytes: Option<u64>,
    /// Bytes that are not kept, since the limit was passed or the log could not keep up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Secrets that were taken out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redacted: u64,
    /// Why it is not kept, or not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How much was seen of what a run read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageObserved {
    /// `complete`, or `partial` with the reasons.
    pub state: String,
    /// Why it is partial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// How it was seen: `preload`, `audit`, `maps`, `folder`.
    pub observed_by: Vec<String>,
    /// Files that were opened to be read, once each.
    pub read: u64,
    /// Files that were opened to be written, once each.
    pub written: u64,
    /// Inputs that are listed, each in an `artifact_used`.
    pub inputs: u64,
    /// Files that rules leave out, by the name of the rule.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub left_out: Fields,
    /// Whether all code that ran was seen, which may be so where not all data was; nothing in
    /// older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_complete: Option<bool>,
}

/// One module that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its path below the root, with `/`.
    pub file: String,
    /// The id of the blob that git makes of it; null where it cannot be told.
    pub blob: Option<String>,
    /// Whether it changed after the run began, so that other bytes may have been loaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
}

/// Code of a repository that a run really loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModulesObserved {
    /// The repository: `.` for the project's own root, else as paths are stored.
    pub root: String,
    /// How it was seen.
    pub observed_by: String,
    /// The modules, by path.
    pub files: Vec<Module>,
    /// What stood in the repository when the run ended, where it is none that was looked at when
    /// the run began: as the entries of `editable_code`.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub code: Fields,
}

/// Seeds that a run set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedsObserved {
    /// By the function that was called: `random.seed`, `numpy.random.seed`, …
    pub seeds: Fields,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A session is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// How.
    pub outcome: Outcome,
}

/// More is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Plans, word for word.
    pub planned_artifacts: Vec<String>,
}

macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// One event of a journal.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $kind($kind),)*
            /// A kind that this version does not know, or whose fields it cannot read.
            Other {
                /// Its name.
                kind: String,
                /// Its fields.
                fields: Fields,
            },
        }

        impl Event {
            /// The kind as stored under `event`.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$kind(_) => $name,)*
                    Self::Other { kind, .. } => kind,
                }
            }

            /// The event's own fields, as they stand in a line.
            pub fn to_fields(&self) -> Result<Fields, serde_json::Error> {
                let value = match self {
                    $(Self::$kind(event) => serde_json::to_value(event)?,)*
                    Self::Other { fields, .. } => return Ok(fields.clone()),
                };
                Ok(match value { Value::Object(fields) => fields, _ => Fields::new() })
            }

            /// An event from its kind and fields. Never fails: what cannot be read is `Other`.
            pub fn from_fields(kind: &str, fields: Fields) -> Self {
                match kind {
                    $($name => match serde_json::from_value(Value::Object(fields.clone())) {
                        Ok(event) => Self::$kind(event),
                        Err(_) => Self::Other { kind: kind.to_owned(), fields },
                    },)*
                    _ => Self::Other { kind: kind.to_owned(), fields },
                }
            }
        }

        $(impl From<$kind> for Event {
            fn from(event: $kind) -> Self {
                Self::$kind(event)
            }
        })*
    };
}

events! {
    /// The journal's head.
    WriterOpened = "writer_opened",
    /// A session begins.
    SessionStarted = "session_started",
    /// More is planned.
    Planned = "planned",
    /// A run begins.
    RunStarted = "run_started",
    /// The code.
    CodeObserved = "code_observed",
    /// The working tree became a commit.
    SnapshotTaken = "snapshot_taken",
    /// A commit was kept in the store.
    CodeKept = "code_kept",
    /// The machine.
    EnvironmentObserved = "environment_observed",
    /// An artifact is being written.
    ArtifactOpened = "artifact_opened",
    /// How far it has come.
    ArtifactProgress = "artifact_progress",
    /// It is finished.
    ArtifactSealed = "artifact_sealed",
    /// Something was read.
    ArtifactUsed = "artifact_used",
    /// An artifact was removed on purpose.
    ArtifactRemoved = "artifact_removed",
    /// A report waits to be gone on with.
    ReportLeft = "report_left",
    /// The code changed under the run.
    Drift = "drift",
    /// What a command said.
    LogKept = "log_kept",
    /// How much was seen of reading and writing.
    LineageObserved = "lineage_observed",
    /// Code that was loaded.
    ModulesObserved = "modules_observed",
    /// Seeds that were set.
    SeedsObserved = "seeds_observed",
    /// A run is over.
    RunEnded = "run_ended",
    /// A session is over.
    SessionEnded = "session_ended",
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number, from 0.
    pub seq: u64,
    /// The `sum` of the line above; null in the first.
    pub prev: Option<String>,
    /// When it was written.
    pub time: Timestamp,
    /// What it says.
    pub event: Event,
    /// Digest of the line's bytes before `,"sum"`.
    pub sum: String,
}

/// The bytes of a line before `,"sum"`: what its digest is over.
pub fn render_body(
    seq: u64,
    prev: Option<&str>,
    time: Timestamp,
    event: &Event,
) -> Result<String, serde_json::Error> {
    let mut line = Fields::new();
    line.insert("seq".to_owned(), Value::from(seq));
    line.insert("prev".to_owned(), Value::from(prev));
    line.insert("time".to_owned(), Value::from(time.to_string()));
    line.insert("event".to_owned(), Value::from(event.kind()));
    line.extend(event.to_fields()?);
    let mut text = serde_json::to_string(&line)?;
    text.pop();
    Ok(text)
}

/// A line from its object. `None` when it lacks what every line has.
pub fn parse_line(mut line: Fields) -> Option<Line> {
    let seq = line.remove("seq")?.as_u64()?;
    let prev = match line.remove("prev")? {
        Value::Null => None,
        Value::String(prev) => Some(prev),
        _ => return None,
    };
    let time = line.remove("time")?.as_str()?.parse().ok()?;
    let kind = line.remove("event")?.as_str()?.to_owned();
    let sum = line.remove("sum")?.as_str()?.to_owned();
    Some(Line {
        seq,
        prev,
        time,
        event: Event::from_fields(&kind, line),
        sum,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(text: &str) -> Fields {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_typed_event_reads_back_as_it_was_written() {
        let opened = WriterOpened {
            format: crate::schema::JOURNAL_FORMAT.to_owned(),
            program: "0.1.0".to_owned(),
            session_id: SessionId::from_text("20261122_120000_k3f9"),
            session_uuid: None,
            run_id: Some(RunId::from_text("r")),
            process: ProcessIdentity {
                host: "pod".to_owned(),
                boot_id: None,
                pid: 7,
                pid_start: Some(12_345_678_901),
                pid_namespace: None,
            },
            parent_run: None,
        };
        let ended = RunEnded {
            outcome: Outcome::Failed,
            duration_s: 1.25,
            exit_code: Some(-3),
            signal: None,
            error: None,
            usage: Fields::new(),
        };
        for event in [Event::from(opened), Event::from(ended)] {
            let read = Event::from_fields(event.kind(), event.to_fields().unwrap());
            assert_eq!(read, event);
        }
    }

    #[test]
    fn line_reads_back_and_its_body_is_what_stands_before_the_sum() {
        let event = Event::from(SessionEnded {
            outcome: Outcome::Completed,
        });
        let body = render_body(3, Some("blake3:aa"), Timestamp::default(), &event).unwrap();
        assert!(
            body.starts_with(r#"{"seq":3,"prev":"blake3:aa","time":"1970-"#),
            "{body}"
        );
        let line = parse_line(object(&format!("{body},\"sum\":\"blake3:bb\"}}"))).unwrap();
        assert_eq!(
            (line.seq, line.event, line.sum.as_str()),
            (3, event, "blake3:bb")
        );
    }

    #[test]
    fn event_of_a_later_version_is_kept_whole() {
        let later = object(
            r#"{"seq":0,"prev":null,"time":"2026-11-22T12:00:00+00:00","event":"signed","key":1.0,"sum":"s"}"#,
        );
        let line = parse_line(later).unwrap();
        let Event::Other { kind, fields } = line.event else {
            panic!("known?")
        };
        assert_eq!(
            (kind.as_str(), Value::Object(fields)),
            ("signed", json!({"key": 1.0}))
        );
    }
}
