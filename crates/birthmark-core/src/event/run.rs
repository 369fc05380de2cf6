//! Events of sessions and runs: who writes, what was begun, where it ran, how it came out.

use serde::{Deserialize, Serialize};

use crate::birthmark::Fields;
use crate::id::{RunId, SessionId};
use crate::order::Clock;
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
    /// Microseconds since the machine booted, sleep included, when the line was written: a clock
    /// may be set back, this only grows. None where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_boot_us: Option<u64>,
}

impl WriterOpened {
    /// The clock of the writer, which wrote this line at `time`.
    pub fn clock(&self, time: Timestamp) -> Option<Clock> {
        Clock::new(self.process.boot_id.as_deref()?, time, self.since_boot_us?)
    }
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

/// More is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Plans, word for word.
    pub planned_artifacts: Vec<String>,
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
    /// Of a run that joined: fields given to it that the session was not given, or otherwise.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub given: Fields,
}

/// What was seen of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentObserved {
    /// The environment, the origin's seven keys first.
    pub environment: Fields,
}

/// Seeds that a run set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedsObserved {
    /// By the function that was called: `random.seed`, `numpy.random.seed`, …
    pub seeds: Fields,
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
    /// Process id of a command: a run that it started and that has it is the command itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_pid: Option<u32>,
    /// Signal that ended a command, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The error in one redacted line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why not all that it did could be recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<String>,
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
