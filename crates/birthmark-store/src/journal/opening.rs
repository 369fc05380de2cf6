//! Who began a session, without reading what all others wrote in it.
//!
//! # Limits
//!
//! * The journal that came first is looked at first. Where the file system does not tell when a
//!   file was made, or a store was copied, more of them are opened.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use birthmark_core::SessionId;
use birthmark_core::event::{Event, SessionStarted, WriterOpened};

use super::{paths, read_line};
use crate::atomic;
use crate::layout::Layout;

/// The beginning of a session.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Who began it.
    pub opened: WriterOpened,
    /// What is told of its beginning.
    pub started: SessionStarted,
    path: PathBuf,
}

/// How much of a journal's beginning, and of its end, is read.
const PIECE: u64 = 1 << 20;

/// The beginning of a session, if one of its journals tells it.
pub fn opening(layout: &Layout, id: &SessionId) -> Option<Opening> {
    let made = |path: &PathBuf| -> Option<SystemTime> { path.metadata().ok()?.created().ok() };
    let mut paths = paths(layout, id).ok()?;
    paths.sort_by_cached_key(|path| made(path).unwrap_or(SystemTime::UNIX_EPOCH));
    paths.iter().find_map(|path| told(path))
}

/// What a journal tells in its first two lines.
fn told(path: &Path) -> Option<Opening> {
    let mut bytes = Vec::new();
    let file = atomic::open_regular(path).ok()?;
    file.take(PIECE).read_to_end(&mut bytes).ok()?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = read_line(lines.next()?, 0, None).ok()?;
    let second = read_line(lines.next()?, 1, Some(&first.sum)).ok()?;
    match (first.event, second.event) {
        (Event::WriterOpened(opened), Event::SessionStarted(started)) => Some(Opening {
            opened,
            started,
            path: path.to_owned(),
        }),
        _ => None,
    }
}

impl Opening {
    /// Whether who began the session has ended it. Another than he may have, too.
    pub fn has_ended(&self) -> bool {
        self.last_line().is_some_and(|line| {
            let fields = serde_json::from_slice(&line).ok();
            let line = fields.and_then(birthmark_core::event::parse_line);
            line.is_some_and(|line| matches!(line.event, Event::SessionEnded(_)))
        })
    }

    fn last_line(&self) -> Option<Vec<u8>> {
        let mut file: File = atomic::open_regular(&self.path).ok()?;
        let size = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(PIECE)))
            .ok()?;
        let mut bytes = Vec::new();
        file.take(PIECE).read_to_end(&mut bytes).ok()?;
        let whole = bytes.strip_suffix(b"\n")?;
        let start = memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1);
        Some(whole[start..].to_vec())
    }
}
