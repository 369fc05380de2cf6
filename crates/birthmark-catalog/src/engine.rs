//! The engine behind one trait: what the hall asks of a catalog, whatever holds it.
//!
//! [`local`] is SQLite in the user's cache folder. A team's catalog would be the same
//! tables elsewhere, behind the same trait.

pub mod local;

use birthmark_core::session::{CodeSeen, Session};
use birthmark_core::{RunId, SessionId, Timestamp};

use crate::error::CatalogError;
use crate::filter::Filter;
use crate::groups::{Group, Place};
use crate::value::{Kind, Value};

/// The folder under which files are seen that only journals tell of, wherever they lie; no
/// folder has this name.
pub const ELSEWHERE: &str = "\u{0}elsewhere";

/// A project that the catalog knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its number in the catalog.
    pub id: i64,
    /// Its root.
    pub root: String,
    /// Its artifacts folder, which names it.
    pub artifacts: String,
}

/// How much of a project is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extent {
    /// Its sessions.
    pub sessions: u64,
    /// Its artifacts that are there.
    pub artifacts: u64,
    /// When it was last looked at, to the minute; none where that is not known.
    pub looked: Option<String>,
}

/// A session as it was last seen.
#[derive(Debug, Clone)]
pub struct SeenSession {
    /// Its id.
    pub id: String,
    /// What its journals were like, in the words of whoever looked.
    pub extent: String,
    /// Whether anything may still be written to it.
    pub open: bool,
    /// Where it is not known how it or one of its runs ended: what its status follows from.
    pub waiting: Option<Box<Session>>,
}

/// A file as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// Its name in its folder.
    pub name: String,
    /// What it was like, in the words of whoever looked.
    pub state: String,
}

/// What was found in a file on disk.
#[derive(Debug, Clone, Default)]
pub struct FileFacts {
    /// Its path as stored.
    pub file: String,
    /// Whether anything was read from it: else only its being there is told.
    pub scanned: bool,
    /// Bytes.
    pub size: u64,
    /// Where its birthmark stands: `jsonl`, `json`, `sidecar` …; none where there is none.
    pub format: Option<&'static str>,
    /// Records, where it has any.
    pub records: Option<u64>,
    /// Records without a birthmark.
    pub unstamped: u64,
    /// Lines that are no records.
    pub bad_lines: u64,
    /// Digest of the bytes as they lie.
    pub digest: Option<String>,
    /// Digest of the bytes without birthmarks, where it is known.
    pub content_digest: Option<String>,
    /// The groups of its records; of a report or a sidecar one.
    pub groups: Vec<Group>,
    /// Digest of the bytes as they lie, where it was looked at beside reading it.
    pub lies: Option<String>,
    /// Their size then; of a folder that of its files.
    pub lies_size: Option<u64>,
    /// Whether it was looked at beside reading it, as closely as was allowed.
    pub looked: bool,
    /// What an evaluation came to.
    pub metrics: Vec<(String, Value)>,
    /// The last record with a birthmark, and how many lines were read, where the file ends
    /// with a whole line: from there it may be read on.
    pub stopped: Option<Stopped>,
    /// Where it was read on: how it was before. Its groups are those from the last on.
    pub from: Option<Box<Growing>>,
}

/// What a file or folder was when it was last recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The digest of its bytes.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// When it was recorded.
    pub time: Timestamp,
    /// Digests and sizes that others recorded, of which nothing proves that they were before.
    pub others: Vec<(String, u64)>,
}

/// Where the reading of a file stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The last record with a birthmark.
    pub last: Place,
    /// Lines in all.
    pub lines: u64,
}

/// A file that a session is writing to, as it was when it was last read.
#[derive(Debug, Clone)]
pub struct Growing {
    /// Its size: so much was read.
    pub size: u64,
    /// Records.
    pub records: u64,
    /// Records without a birthmark.
    pub unstamped: u64,
    /// Lines that are no records.
    pub bad_lines: u64,
    /// Where the reading stopped.
    pub stopped: Stopped,
    /// Groups before the last.
    pub before: usize,
    /// The last group, without its constants.
    pub last: Group,
}

/// Installed packages: the name and, where it is known, the version of each.
pub type Packages = Vec<(String, Option<String>)>;

/// What a session was found to be.
#[derive(Debug)]
pub struct SessionFacts {
    /// Its id.
    pub id: SessionId,
    /// What its journals were like.
    pub extent: String,
    /// Whether anything may still be written to it.
    pub open: bool,
    /// Whether there are journals, and not its manifest alone.
    pub bound: bool,
    /// Its fold.
    pub session: Session,
    /// Runs that told no end, and of which the process is gone: those were interrupted.
    pub died: Vec<RunId>,
    /// Whether the session told no end, and nothing of it lives: it was interrupted.
    pub interrupted: bool,
    /// The host it ran on.
    pub host: Option<String>,
    /// Which plans were made, of how many.
    pub planned: (usize, usize),
    /// The digest of its list of packages, and the list where it is not known yet.
    pub packages: Option<(String, Packages)>,
}

/// Something that is not as it was.
#[derive(Debug)]
pub enum Change {
    /// A session is new or has more events.
    Session(Box<SessionFacts>),
    /// A session is gone.
    SessionGone(String),
    /// A file is new or another.
    File(Box<FileFacts>),
    /// A file is gone.
    FileGone(String),
    /// A name in a folder was looked at: what it was like, and its path as stored.
    Seen {
        /// The folder, from the artifacts folder.
        folder: String,
        /// The name.
        name: String,
        /// What it was like.
        state: String,
        /// Its path as stored.
        file: String,
    },
    /// A name is gone from a folder.
    Unseen {
        /// The folder.
        folder: String,
        /// The name.
        name: String,
        /// Its path as stored.
        file: String,
    },
    /// All of a folder was looked at.
    Folder {
        /// The folder.
        folder: String,
        /// What it was like.
        state: String,
    },
    /// A folder is gone.
    FolderGone(String),
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Artifacts.
    Artifacts,
    /// Sessions that made such artifacts, or that are such themselves.
    Sessions,
    /// Runs that made such artifacts.
    Runs,
}

impl What {
    /// The columns of its rows that are no fields of a birthmark.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Artifacts => &["drift"],
            Self::Sessions => &[
                "session_start",
                "session_end",
                "outcome",
                "host",
                "artifacts",
                "drift",
            ],
            Self::Runs => &[
                "run_start",
                "run_end",
                "outcome",
                "duration_s",
                "exit_code",
                "rank",
                "error",
                "host",
                "script_name",
                "drift",
            ],
        }
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct Query {
    /// What must hold.
    pub filter: Filter,
    /// In which project; in all where none is named.
    pub project: Option<i64>,
    /// What is looked for.
    pub what: What,
    /// Also those that are no longer there.
    pub gone: bool,
    /// The field to sort by, and whether the least comes first.
    pub sort: (String, bool),
    /// So many at most.
    pub limit: Option<usize>,
    /// Fields whose values are wanted beside those of every artifact.
    pub columns: Vec<String>,
}

/// A place in a file where records may match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The artifact's number.
    pub artifact: i64,
    /// The group's number in the catalog.
    pub group: i64,
    /// The root of the project.
    pub root: String,
    /// The artifact's path as stored.
    pub file: String,
    /// The line of the first record.
    pub line: u64,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Whether every record of it matches.
    pub all: bool,
    /// Whether the file was edited since it was recorded.
    pub edited: bool,
}

/// What looking into a stretch of a file told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Whether the filter holds for a record.
    pub holds: bool,
    /// Whether it is unknown for a record.
    pub unknown: bool,
}

/// Looks into a stretch of a file, record by record: stops where one is found.
pub type Look<'a> = dyn FnMut(&Stretch, &Known) -> Looked + 'a;

/// The fields of a group that its records do not carry themselves, or share.
pub type Known = std::collections::HashMap<String, Value>;

/// An artifact that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundRow {
    /// Its number in the catalog.
    pub id: i64,
    /// The root of its project.
    pub root: String,
    /// The values that were asked for, by name; of fields that vary both ends.
    pub fields: Vec<(String, Cell)>,
    /// Other places where the same bytes lie.
    pub places: Vec<String>,
    /// Whether the code changed while that ran which made it.
    pub drifted: bool,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// There is none.
    Missing,
    /// One.
    Value(Value),
    /// Several that are few: each, the least first.
    Values(Vec<Value>),
    /// Several: the least and the greatest.
    Range(Value, Value),
    /// Several that have no order.
    Several,
}

impl Cell {
    /// Each value that it counts for: of a list what that holds. None where they are not known.
    pub fn each(&self) -> Option<Vec<Value>> {
        let values = match self {
            Self::Missing => return Some(Vec::new()),
            Self::Value(value) => std::slice::from_ref(value),
            Self::Values(values) => values,
            Self::Range(..) | Self::Several => return None,
        };
        let mut out: Vec<Value> = Vec::new();
        for value in values.iter().filter(|value| !value.is_null()) {
            let mut held = value.elements();
            held.retain(|value| !value.is_null());
            if held.is_empty() {
                held.push(value.clone());
            }
            out.extend(held);
        }
        out.sort_by_cached_key(Value::key);
        out.dedup_by_key(|value| value.key());
        Some(out)
    }

    /// The least and the greatest of several numbers, as which they are told.
    pub fn ends(&self) -> Option<(&Value, &Value)> {
        match self {
            Self::Range(low, high) => Some((low, high)),
            Self::Values(values) if values.iter().all(|one| one.kind() == Kind::Number) => {
                Some((values.first()?, values.last()?))
            }
            _ => None,
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// What was found, in the order that was asked for.
    pub rows: Vec<FoundRow>,
    /// How many were found, also those beyond the limit.
    pub total: u64,
    /// Among how many.
    pub among: u64,
    /// How many were left out since it is unknown whether they match.
    pub unknown: u64,
    /// For the fields of the filter, how many of those left out lack them.
    pub lacking: Vec<(String, u64)>,
    /// Whether one of those lacks it in a part of its records alone.
    pub lacking_in_part: bool,
    /// How many match that are no longer there.
    pub gone: u64,
    /// How many artifacts match that were edited since they were recorded.
    pub edited: u64,
}

/// Two clocks that disagree: a file was read, by one, before it was made, by the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The host whose clock is ahead.
    pub ahead: String,
    /// The host that it is ahead of; the same one where its clock was set back.
    pub behind: String,
    /// By so many microseconds at least.
    pub by_micros: i64,
    /// What was made and read.
    pub file: String,
}

/// A field to count by. An artifact counts for the value of each of the chains; of a chain
/// the first name counts that the artifact has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The names.
    pub chains: Vec<Vec<String>>,
}

impl By {
    /// One name alone.
    pub fn name(name: impl Into<String>) -> Self {
        Self {
            chains: vec![vec![name.into()]],
        }
    }
}

/// For the values of the fields that were counted by, how many have them; none is those
/// without.
pub type Counts = Vec<(Vec<Option<String>>, u64)>;

/// A catalog.
pub trait Engine {
    /// The number of the project with this artifacts folder; it is added if it is new.
    fn project(&mut self, root: &str, artifacts: &str) -> Result<ProjectRow, CatalogError>;
    /// All projects.
    fn projects(&self) -> Result<Vec<ProjectRow>, CatalogError>;
    /// What is known of each of the same projects, in the same order.
    fn extents(&self) -> Result<Vec<Extent>, CatalogError>;
    /// Notes that a project was looked at, unless it was since a moment before.
    fn looked(&mut self, project: i64, since: &str, now: &str) -> Result<(), CatalogError>;
    /// Forgets a project.
    fn forget(&mut self, project: i64) -> Result<(), CatalogError>;
    /// Forgets all that is known of a project, but not the project.
    fn clear(&mut self, project: i64) -> Result<(), CatalogError>;
    /// The sessions that were seen: those still open and the newest others.
    fn seen_sessions(&self, project: i64, others: usize) -> Result<Vec<SeenSession>, CatalogError>;
    /// The ids of all sessions.
    fn session_ids(&self, project: i64) -> Result<Vec<String>, CatalogError>;
    /// The folders that were seen, with what they were like.
    fn seen_folders(&self, project: i64) -> Result<Vec<(String, String)>, CatalogError>;
    /// The files of a folder that were seen.
    fn seen_files(&self, project: i64, folder: &str) -> Result<Vec<SeenFile>, CatalogError>;
    /// The same, each handed over with its name and what it was like.
    fn each_file(
        &self,
        project: i64,
        folder: &str,
        take: &mut dyn FnMut(&str, &str),
    ) -> Result<(), CatalogError>;
    /// A file by its path as stored: the folder that it was seen in, and what it was like there.
    fn seen_file(
        &self,
        project: i64,
        file: &str,
    ) -> Result<Option<(String, SeenFile)>, CatalogError>;
    /// Files that sessions write to which may go on.
    fn written_to(&self, project: i64) -> Result<Vec<String>, CatalogError>;
    /// How many files were seen, counted up to `most`.
    fn count_files(&self, project: i64, most: u64) -> Result<u64, CatalogError>;
    /// Paths that journals tell of and that were seen in no folder, but for [`ELSEWHERE`],
    /// the newest first.
    fn told_elsewhere(&self, project: i64, most: usize) -> Result<Vec<String>, CatalogError>;
    /// How a file was that a session is writing to, if it may be read on.
    fn growing(&self, project: i64, file: &str) -> Result<Option<Growing>, CatalogError>;
    /// What a file was when it was last recorded, if it was and nobody writes to it since.
    fn sealed(&self, project: i64, file: &str) -> Result<Option<Sealed>, CatalogError>;
    /// The digest of something of this size that was made in a project and carries no birthmark
    /// within, if there is any: a file of that size may be it, moved.
    fn plain_of(&self, project: i64, size: u64) -> Result<Option<String>, CatalogError>;
    /// Files that were read on as they grew, and so have no digest, and those of which it was
    /// not looked whether they are what was recorded, or moved from where it was made.
    fn unread(&self, project: i64) -> Result<Vec<String>, CatalogError>;
    /// The names of the columns of all tables that `sql` may ask, but for the fields of records.
    fn table_columns(&self) -> Result<Vec<String>, CatalogError>;
    /// Works out what is told of files that were not looked at since: nobody has them here. What
    /// was told by [`apply`](Engine::apply) is complete after this alone.
    fn settle(&mut self, project: i64) -> Result<(), CatalogError>;
    /// Takes over changes: all of them or none.
    fn apply(&mut self, project: i64, changes: &[Change]) -> Result<(), CatalogError>;
    /// Answers a question.
    fn find(&self, query: &Query, look: &mut Look<'_>) -> Result<Found, CatalogError>;
    /// How many a question finds, and nothing else of it.
    fn total(&self, query: &Query, look: &mut Look<'_>) -> Result<u64, CatalogError>;
    /// Counts the artifacts of an answer by the values of fields, the most frequent first;
    /// the answer itself is without rows.
    fn group_by(
        &self,
        query: &Query,
        fields: &[By],
        look: &mut Look<'_>,
    ) -> Result<(Found, Counts), CatalogError>;
    /// The stretches of files that may hold matching records, in the order of the files.
    fn stretches(&self, query: &Query) -> Result<Vec<(Stretch, Known)>, CatalogError>;
    /// Of the records that no stretch holds: of how many it is unknown whether they match, and
    /// the stretches of which only the records can tell.
    fn unsure(&self, query: &Query) -> Result<(u64, Vec<(Stretch, Known)>), CatalogError>;
    /// The newest sessions.
    fn sessions(
        &self,
        project: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<SessionRow>, u64), CatalogError>;
    /// What these sessions prove of clocks that disagree.
    fn disagreements(&self, sessions: &[String]) -> Result<Vec<Disagreement>, CatalogError>;
    /// The host of a session, where it is known.
    fn host(&self, session: &str) -> Result<Option<String>, CatalogError>;
    /// Removes what nothing names any longer.
    fn tidy(&mut self) -> Result<(), CatalogError>;
    /// The names of all fields and of all metrics, or of those that a project has.
    fn names(&self, project: Option<i64>) -> Result<(Vec<String>, Vec<String>), CatalogError>;
    /// The values of a field that begin so, of all projects or of one.
    fn values(
        &self,
        project: Option<i64>,
        field: &str,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<String>, CatalogError>;
    /// All that is known, in a form that is the same for the same files.
    fn dump(&self) -> Result<String, CatalogError>;
}

/// One line of `list`.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// The root of its project.
    pub root: String,
    /// When it began.
    pub start: Option<Timestamp>,
    /// When something was last heard of it.
    pub last_heard: Option<Timestamp>,
    /// When and how it ended.
    pub end: Option<(Timestamp, String)>,
    /// The host.
    pub host: Option<String>,
    /// The codes that ran, each once.
    pub codes: Vec<CodeSeen>,
    /// What changed in it while it ran.
    pub drift: Vec<String>,
    /// The scripts of its runs.
    pub scripts: Vec<String>,
    /// The commands of its runs that were no scripts.
    pub commands: Vec<String>,
    /// Runs.
    pub runs: u64,
    /// Artifacts that were not removed.
    pub artifacts: u64,
    /// Records in them.
    pub records: u64,
    /// Plans, and how many were made in full.
    pub planned: (u64, u64),
    /// What its status follows from: who opened it, and the runs that have not ended.
    pub session: Session,
}
