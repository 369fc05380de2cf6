//! `Event`: all that a journal can say.
//!
//! A journal line is flat: `{"seq","prev","time","event",…,"sum"}`. The `event`
//! names the kind; the fields of the kind stand beside it. Kinds and fields of
//! later versions are kept as they are and skipped by those who do not know them.

mod artifact;
mod code;
mod run;

use serde_json::Value;

use crate::birthmark::Fields;
use crate::timestamp::Timestamp;

pub use artifact::{
    ArtifactOpened, ArtifactProgress, ArtifactRemoved, ArtifactSealed, ArtifactUsed,
    LineageObserved, ReportBegun, ReportLeft,
};
pub use code::{CodeKept, CodeObserved, Drift, Module, ModulesObserved, SnapshotTaken};
pub use run::{
    EnvironmentObserved, LogKept, OpenedBy, Outcome, Planned, ProcessIdentity, RunEnded,
    RunStarted, SeedsObserved, SessionEnded, SessionStarted, WriterOpened,
};

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
    /// A report is being made item by item.
    ReportBegun = "report_begun",
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
    use crate::id::{RunId, SessionId};

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
            since_boot_us: Some(9_000_000_001),
        };
        let ended = RunEnded {
            outcome: Outcome::Failed,
            duration_s: 1.25,
            exit_code: Some(-3),
            command_pid: Some(8),
            signal: None,
            error: None,
            unrecorded: None,
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
