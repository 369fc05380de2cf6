//! The session journal: an append-only file of events, safe against crashes.
//!
//! A session must survive the loss of its machine at any instant, because rented
//! GPUs are taken away without notice. So nothing is ever rewritten: each event
//! is one line, appended by one `write`, and is with the operating system before
//! the caller is told that it was recorded.
//!
//! ```text
//! {"seq":0,"prev":null,"time":"…","event":"writer_opened",…,"sum":"blake3:9f2c…"}
//! {"seq":1,"prev":"blake3:9f2c…","time":"…","event":"run_started",…,"sum":"blake3:07aa…"}
//! {"seq":2,"prev":"blake3:07                      <- torn by a crash
//! ```
//!
//! # Invariants
//!
//! * Line `n` holds `seq == n`; `sum` is the digest of the line's bytes before
//!   `,"sum"`, and `prev` is the `sum` of the line above.
//! * Only a last line without its line end is torn, or one with a hole of zeros, as a power
//!   cut leaves where sectors came to the disk out of order. [`read`] leaves it out and
//!   reports its length; a whole line that is wrong is damage.
//! * One journal a writer: no two processes share a file, so nobody takes a lock.
//!   A forked child is refused.
//!
//! # Limitations
//!
//! * With `Durability::Process` a power cut can lose the newest events, never the
//!   order of the older ones.
//! * Whoever can rewrite the whole file can forge all of it: nothing is signed.

mod followed;
mod opening;
mod room;
mod turn;
mod writer;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use birthmark_core::event::{self, Line};
use birthmark_core::session::Journal;
use birthmark_core::{Fields, SessionId, WriterId};

use crate::atomic::{self, PathContext, PathError};
use crate::layout::Layout;

pub use followed::Followed;
pub use opening::{Opening, opening};
pub use turn::{Held, Turn};
pub use writer::{JournalError, JournalWriter};

/// A journal larger than this is refused: no session writes so many events.
const JOURNAL_LIMIT: u64 = 4 << 30;

fn sum_of(body: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(body).to_hex())
}

/// What a journal holds.
#[derive(Debug, Clone)]
pub struct JournalContents {
    /// Its whole and right lines, up to the first damage.
    pub journal: Journal,
    /// Bytes of a torn last line, 0 if there is none.
    pub torn_bytes: u64,
    /// The first line that is wrong, if any is.
    pub damage: Option<Damage>,
}

/// A line that does not follow from the ones above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its number in the file, from 1.
    pub line: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub reason: &'static str,
}

/// Reads a journal as far as it is right. Never changes it.
pub fn read(path: &Path) -> Result<JournalContents, PathError> {
    let bytes = atomic::read_limited(path, JOURNAL_LIMIT)?;
    let mut contents = JournalContents::of(path);
    contents.read_on(&bytes, 0);
    Ok(contents)
}

impl JournalContents {
    /// Those of a journal of which nothing was read yet.
    fn of(path: &Path) -> Self {
        let writer = path.file_stem().and_then(|stem| stem.to_str());
        Self {
            journal: Journal {
                writer: WriterId::from_text(writer.unwrap_or_default()),
                lines: Vec::new(),
            },
            torn_bytes: 0,
            damage: None,
        }
    }

    /// Reads what stands after the whole lines that are known: `bytes`, which begin at
    /// `start` in the file. Answers how many of these are whole and right lines.
    fn read_on(&mut self, bytes: &[u8], start: u64) -> usize {
        let mut offset = 0;
        while offset < bytes.len() {
            let Some(length) = memchr::memchr(b'\n', &bytes[offset..]) else {
                self.torn_bytes = (bytes.len() - offset) as u64;
                break;
            };
            let number = self.journal.lines.len() as u64;
            let prev = self.journal.lines.last().map(|line| line.sum.as_str());
            let line = &bytes[offset..offset + length];
            match read_line(line, number, prev) {
                Ok(line) => self.journal.lines.push(line),
                // Its end came to the disk before a power cut, and not all that stands before.
                Err(_)
                    if offset + length + 1 == bytes.len() && memchr::memchr(0, line).is_some() =>
                {
                    self.torn_bytes = (bytes.len() - offset) as u64;
                    break;
                }
                Err(reason) => {
                    self.damage = Some(Damage {
                        line: number + 1,
                        offset: start + offset as u64,
                        reason,
                    });
                    break;
                }
            }
            offset += length + 1;
        }
        offset
    }
}

fn read_line(bytes: &[u8], number: u64, prev: Option<&str>) -> Result<Line, &'static str> {
    const SUM_MEMBER: &[u8] = b",\"sum\":\"";
    let body_len = memchr::memmem::rfind(bytes, SUM_MEMBER).ok_or("it has no sum")?;
    let fields: Fields = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
    let line = event::parse_line(fields).ok_or("it lacks what every line has")?;
    if line.sum != sum_of(&bytes[..body_len]) {
        return Err("its bytes do not match its sum");
    }
    if bytes.len() != body_len + SUM_MEMBER.len() + line.sum.len() + 2 {
        return Err("something stands after its sum");
    }
    if line.seq != number {
        return Err("its number does not follow from the line above");
    }
    if line.prev.as_deref() != prev {
        return Err("it does not follow from the line above");
    }
    Ok(line)
}

/// All journals of a session, in the order of their names. Journals that cannot be
/// read are returned as errors beside the others.
pub fn read_session(
    layout: &Layout,
    id: &SessionId,
) -> Result<Vec<Result<JournalContents, PathError>>, PathError> {
    Ok(paths(layout, id)?.iter().map(|path| read(path)).collect())
}

/// The journals of a session, in the order of their names.
pub fn paths(layout: &Layout, id: &SessionId) -> Result<Vec<PathBuf>, PathError> {
    let folder = layout.session(id);
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).at("read", &folder)? {
        let path = entry.at("read", &folder)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The names and sizes of a session's journals: the same as long as nothing was recorded.
pub fn extent(layout: &Layout, id: &SessionId) -> Result<Vec<(OsString, u64)>, PathError> {
    let folder = layout.session(id);
    let mut extent = Vec::new();
    for entry in fs::read_dir(&folder).at("read", &folder)? {
        let entry = entry.at("read", &folder)?;
        // Logs and the like stand beside the journals, and grow without anything recorded.
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "jsonl")
        {
            let size = entry.metadata().at("read", &entry.path())?.len();
            extent.push((entry.file_name(), size));
        }
    }
    extent.sort();
    Ok(extent)
}

/// The ids of all sessions with journals, oldest first.
pub fn list_sessions(layout: &Layout) -> Result<Vec<SessionId>, PathError> {
    let folder = layout.sessions();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at("read", &folder),
    };
    let mut ids: Vec<SessionId> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| SessionId::is_well_formed(name))
        .map(SessionId::from_text)
        .collect();
    ids.sort();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use birthmark_core::Timestamp;
    use birthmark_core::event::{Event, Outcome, SessionEnded};

    use super::*;
    use crate::atomic::Durability;

    fn ended() -> Event {
        Event::from(SessionEnded {
            outcome: Outcome::Completed,
        })
    }

    fn three_lines() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s").join("w.jsonl");
        let mut writer = JournalWriter::create(&path, Durability::Process).unwrap();
        for second in 0..3 {
            writer
                .append(Timestamp::from_micros(second), &ended())
                .unwrap();
        }
        (dir, path)
    }

    #[test]
    fn what_was_appended_reads_back_with_its_chain() {
        let (_dir, path) = three_lines();
        let contents = read(&path).unwrap();
        assert_eq!(contents.journal.lines.len(), 3);
        assert_eq!((contents.torn_bytes, &contents.damage), (0, &None));
        assert_eq!(
            contents.journal.lines[2].prev.as_ref(),
            Some(&contents.journal.lines[1].sum)
        );
        assert_eq!(contents.journal.writer.as_str(), "w");
    }

    #[test]
    fn file_cut_at_every_byte_is_at_most_torn() {
        let (dir, path) = three_lines();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            let cut = dir.path().join("cut.jsonl");
            atomic::replace(&cut, &bytes[..length], Durability::Process).unwrap();
            let contents = read(&cut).unwrap();
            let whole = memchr::memchr_iter(b'\n', &bytes[..length]).count();
            assert_eq!(contents.journal.lines.len(), whole, "cut at {length}");
            assert_eq!(contents.damage, None, "cut at {length}");
        }
    }

    #[test]
    fn every_flipped_byte_is_seen() {
        let (dir, path) = three_lines();
        let bytes = fs::read(&path).unwrap();
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1;
            let path = dir.path().join("flipped.jsonl");
            atomic::replace(&path, &flipped, Durability::Process).unwrap();
            let contents = read(&path).unwrap();
            let seen = contents.damage.is_some() || contents.torn_bytes > 0;
            assert!(seen, "flip at {place} not seen");
        }
    }

    #[test]
    fn swapped_and_missing_lines_are_damage() {
        let (dir, path) = three_lines();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for wrong in [[0, 2, 1].as_slice(), &[0, 2], &[1, 2]] {
            let path = dir.path().join("wrong.jsonl");
            let mut text = String::new();
            for &line in wrong {
                text.push_str(lines[line]);
                text.push('\n');
            }
            atomic::replace(&path, text.as_bytes(), Durability::Process).unwrap();
            assert!(read(&path).unwrap().damage.is_some(), "{wrong:?}");
        }
    }
}
