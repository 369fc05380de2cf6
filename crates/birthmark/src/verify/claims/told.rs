//! What one session tells of files, without what it is told with.
//!
//! A session's events may be large (a birthmark holds all that was given). Of each only what
//! files are held against is kept here, and where it stands: the rest is read again when the
//! file is judged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use birthmark_core::Fields;
use birthmark_core::digest::Digest;
use birthmark_core::event::{ArtifactOpened, ArtifactSealed, Event};
use birthmark_core::lineage::RENAMED;
use birthmark_core::order::{Clock, Moment};
use birthmark_core::session::{Artifact, ArtifactState, Journal, Session};
use birthmark_core::{SessionId, Timestamp};
use serde_json::Value;

use crate::error::Result;
use crate::project::Project;
use crate::sessions::{self, Told};

/// Where an event stands: the session by its number, a journal and a line of it. Of a session
/// without journals, the line is the place of the artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) struct At {
    pub session: u32,
    pub journal: u32,
    pub line: u32,
}

/// A digest as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sum {
    Digest(Digest),
    /// No digest in our spelling.
    Other(Box<str>),
}

impl Sum {
    fn of(text: &str) -> Self {
        match text.parse::<Digest>() {
            Ok(digest) if digest.to_string() == text => Self::Digest(digest),
            _ => Self::Other(text.into()),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Digest(digest) => digest.to_string(),
            Self::Other(text) => text.to_string(),
        }
    }
}

/// How far a file had come.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub at: At,
    pub time: Timestamp,
    pub size: Option<u64>,
    pub records: Option<u64>,
    pub digest: Option<Sum>,
    pub content_digest: Option<Sum>,
}

/// One thing that a session tells of a file.
#[derive(Debug)]
pub(super) struct Entry {
    /// The latest moment that its writer had told of: clocks may be set back.
    pub time: Timestamp,
    /// The time that it is sorted by.
    pub place: Timestamp,
    /// The clock that told it, where it is known.
    pub clock: Option<Clock>,
    pub at: At,
    pub bound: bool,
    pub what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Opened {
        goes_on: bool,
        /// Bytes of records that lay there.
        found: Option<u64>,
    },
    Count(Box<Point>),
    Sealed {
        jsonl: bool,
        point: Box<Point>,
    },
    Removed,
    /// A run gave it this name instead.
    Renamed(Box<str>),
}

/// All that a session tells of files: of each its name and, where it has one, its spelling in
/// bytes. And the commits that it saw.
#[derive(Debug, Default)]
pub(super) struct Telling {
    pub entries: Vec<(Box<str>, Option<Box<str>>, Entry)>,
    pub commits: Vec<String>,
    /// Whether more stood in its journals, behind a line that is damaged.
    pub damaged: bool,
}

impl Telling {
    /// What the session of this number tells.
    pub(super) fn of(session: u32, told: &Told) -> Self {
        let mut telling = Self {
            damaged: matches!(told, Told::Damaged(_)),
            ..Self::default()
        };
        match told {
            Told::Journals(journals) | Told::Damaged(journals) => {
                for (journal, number) in journals.iter().zip(0..) {
                    telling.hear_journal(journal, session, number);
                }
            }
            Told::Manifest(folded) => telling.hear_manifest(folded, session),
        }
        telling.commits.sort();
        telling.commits.dedup();
        telling
    }

    fn hear_journal(&mut self, journal: &Journal, session: u32, number: u32) {
        let mut latest = Timestamp::from_micros(i64::MIN);
        let mut clock = None;
        for (line, place) in journal.lines.iter().zip(0..) {
            latest = latest.max(line.time);
            self.commits.extend(commit_of(&line.event));
            let at = At {
                session,
                journal: number,
                line: place,
            };
            let (file, bytes, what) = match &line.event {
                Event::WriterOpened(opened) => {
                    clock = opened.clock(line.time);
                    continue;
                }
                Event::ArtifactOpened(opened) => {
                    (&opened.file, &opened.file_bytes, of_opened(opened))
                }
                Event::ArtifactProgress(count) => {
                    let point = Point {
                        at,
                        time: latest,
                        size: Some(count.size),
                        records: Some(count.records),
                        digest: Some(Sum::of(&count.digest)),
                        content_digest: None,
                    };
                    (&count.file, &None, What::Count(Box::new(point)))
                }
                Event::ArtifactSealed(sealed) => (
                    &sealed.file,
                    &sealed.file_bytes,
                    of_sealed(sealed, at, true),
                ),
                Event::ArtifactRemoved(removed) => (&removed.file, &None, What::Removed),
                Event::ArtifactUsed(used) => match renamed(&used.input) {
                    Some((file, new)) => (file, &None, What::Renamed(new.into())),
                    None => continue,
                },
                _ => continue,
            };
            let entry = Entry {
                time: latest,
                place: latest,
                clock,
                at,
                bound: true,
                what,
            };
            self.entries.push((
                file.as_str().into(),
                bytes.as_deref().map(Into::into),
                entry,
            ));
        }
    }

    fn hear_manifest(&mut self, folded: &Session, session: u32) {
        for (artifact, place) in folded.artifacts.iter().zip(0..) {
            let at = At {
                session,
                journal: 0,
                line: place,
            };
            for what in of_artifact(artifact, at) {
                let entry = Entry {
                    time: artifact.time,
                    place: artifact.time,
                    clock: None,
                    at,
                    bound: false,
                    what,
                };
                let bytes = artifact.file_bytes().map(Into::into);
                self.entries
                    .push((artifact.file.as_str().into(), bytes, entry));
            }
        }
    }
}

fn of_artifact(artifact: &Artifact, at: At) -> Vec<What> {
    let mut told = vec![match &artifact.state {
        ArtifactState::Open(opened) => of_opened(opened),
        ArtifactState::Sealed(sealed) => of_sealed(sealed, at, false),
    }];
    if let (None, Some(digest)) = (artifact.sealed(), &artifact.digest) {
        told.push(What::Count(Box::new(Point {
            at,
            time: artifact.time,
            size: Some(artifact.size),
            records: Some(artifact.records.unwrap_or(0)),
            digest: Some(Sum::of(digest)),
            content_digest: None,
        })));
    }
    if artifact.removed.is_some() {
        told.push(What::Removed);
    }
    told
}

fn of_opened(opened: &ArtifactOpened) -> What {
    What::Opened {
        goes_on: opened.continued_bytes != 0,
        found: (opened.format == "jsonl").then_some(opened.continued_bytes),
    }
}

fn of_sealed(sealed: &ArtifactSealed, at: At, bound: bool) -> What {
    // Another helper's manifest names the file and no more.
    let says = bound || sealed.digest.is_some() || sealed.size > 0;
    let point = Point {
        at,
        time: sealed.timestamp,
        size: says.then_some(sealed.size),
        records: sealed.records,
        digest: sealed.digest.as_deref().map(Sum::of),
        content_digest: sealed.content_digest.as_deref().map(Sum::of),
    };
    What::Sealed {
        jsonl: sealed.format == "jsonl",
        point: Box::new(point),
    }
}

/// What an input was called, and is called since the run renamed it.
fn renamed(input: &Fields) -> Option<(&String, &str)> {
    let is_renamed = input.get("role").and_then(Value::as_str) == Some(RENAMED);
    let Value::String(file) = input.get("file").filter(|_| is_renamed)? else {
        return None;
    };
    Some((file, input.get("became")?.as_str()?))
}

/// The commit that an event speaks of.
fn commit_of(event: &Event) -> Option<String> {
    let fields = match event {
        Event::CodeObserved(code) => &code.fields,
        Event::Drift(drift) => &drift.fields,
        Event::ArtifactSealed(sealed) => &sealed.birthmark,
        Event::ArtifactOpened(opened) => &opened.birthmark,
        _ => return None,
    };
    fields
        .get("git_commit")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

impl Entry {
    /// When it was told, and by which clock.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            time: self.time,
            clock: self.clock,
        }
    }

    /// The digest that it tells of.
    pub(super) fn digest(&self) -> Option<String> {
        match &self.what {
            What::Count(point) | What::Sealed { point, .. } => point.digest.as_ref().map(Sum::text),
            What::Opened { .. } | What::Removed | What::Renamed(_) => None,
        }
    }
}

/// Threads that read sessions: more hardly help, since disks and memory are shared.
const MOST_THREADS: usize = 4;
/// Fewer sessions than this are read by one.
const FEW: usize = 16;
/// Sessions that are read ahead.
const AHEAD: usize = 64;

/// Hears each of these sessions, by several threads and in no order; `read` is told of each
/// that was read.
pub(super) fn each(
    project: &Project,
    names: &[SessionId],
    read: impl Fn(u32) + Sync,
    mut hear: impl FnMut(u32, Result<Telling>),
) {
    let next = AtomicUsize::new(0);
    let read = |place: usize| {
        let number = u32::try_from(place).ok()?;
        let told = sessions::told(project, names.get(place)?);
        read(number);
        Some((number, told.map(|told| Telling::of(number, &told))))
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS));
    if threads == 1 || names.len() < FEW {
        for (number, telling) in (0..names.len()).filter_map(read) {
            hear(number, telling);
        }
        return;
    }
    std::thread::scope(|scope| {
        let (send, heard) = sync_channel(AHEAD);
        let labour = |send: &SyncSender<_>| {
            while let Some(told) = read(next.fetch_add(1, Ordering::Relaxed)) {
                if send.send(told).is_err() {
                    return;
                }
            }
        };
        let started = (0..threads)
            .filter(|_| {
                let send = send.clone();
                let thread = std::thread::Builder::new();
                thread.spawn_scoped(scope, move || labour(&send)).is_ok()
            })
            .count();
        drop(send);
        // Without any thread there is nothing to hear, and all is read here.
        for (number, telling) in heard {
            hear(number, telling);
        }
        if started == 0 {
            (0..names.len())
                .filter_map(read)
                .for_each(|(number, telling)| hear(number, telling));
        }
    });
}
