//! Appending to one journal.

use std::fs::File;
use std::path::{Path, PathBuf};

use birthmark_core::Timestamp;
use birthmark_core::event::{self, Event};
use birthmark_core::session::Head;

use super::room::Room;
use super::sum_of;
use crate::atomic::{self, Durability, PathContext, PathError};
use crate::seam;

/// Why an event could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system did not take it.
    #[error(transparent)]
    Io(#[from] PathError),
    /// This process is a fork of the one that opened the journal.
    #[error("cannot record in a forked child: journal `{path}` belongs to process {owner}")]
    Forked {
        /// The journal.
        path: PathBuf,
        /// The process that opened it.
        owner: u32,
    },
    /// An earlier write failed half-way and could not be cut back.
    #[error("journal `{path}` cannot go on: a failed write could not be cut back")]
    Stuck {
        /// The journal.
        path: PathBuf,
    },
    /// The event cannot be spelled as JSON.
    #[error("cannot spell event for journal `{path}`")]
    Spelling {
        /// The journal.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Appends to one journal.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    owner: u32,
    next: u64,
    prev: Option<String>,
    size: u64,
    room: Room,
    stuck: bool,
    durability: Durability,
}

impl JournalWriter {
    /// Begins a new journal; the folder is made if it is not there.
    pub fn create(path: &Path, durability: Durability) -> Result<Self, JournalError> {
        atomic::create_folder_safely(atomic::folder_of(path), durability)?;
        let file = atomic::open_append(path, true)?;
        if durability == Durability::Power {
            atomic::sync_folder(atomic::folder_of(path))?;
        }
        let owner = std::process::id();
        Ok(Self {
            file,
            path: path.to_owned(),
            owner,
            next: 0,
            prev: None,
            size: 0,
            room: Room::default(),
            stuck: false,
            durability,
        })
    }

    /// Records an event: when this returns, it survives the death of the process.
    /// After a failure the journal is as it was, and the next event may be tried.
    pub fn append(&mut self, time: Timestamp, event: &Event) -> Result<Head, JournalError> {
        self.put(time, event, false)
    }

    /// The same for the last words of a run: on a full disk they may use the room that is held
    /// back for them.
    pub fn append_last(&mut self, time: Timestamp, event: &Event) -> Result<Head, JournalError> {
        self.put(time, event, true)
    }

    fn put(&mut self, time: Timestamp, event: &Event, last: bool) -> Result<Head, JournalError> {
        if self.owner != std::process::id() {
            return Err(JournalError::Forked {
                path: self.path.clone(),
                owner: self.owner,
            });
        }
        if self.stuck {
            return Err(JournalError::Stuck {
                path: self.path.clone(),
            });
        }
        let (line, sum) = self.render(time, event)?;
        let length = line.len() as u64;
        let room = self.room.make(&self.file, self.size, length, last);
        room.at("record in", &self.path)?;
        self.write_line(&line)?;
        let head = Head {
            seq: self.next,
            sum: sum.clone(),
        };
        self.size += line.len() as u64;
        self.next += 1;
        self.prev = Some(sum);
        Ok(head)
    }

    fn render(&self, time: Timestamp, event: &Event) -> Result<(Vec<u8>, String), JournalError> {
        let body =
            event::render_body(self.next, self.prev.as_deref(), time, event).map_err(|source| {
                JournalError::Spelling {
                    path: self.path.clone(),
                    source,
                }
            })?;
        let sum = sum_of(body.as_bytes());
        let mut line = body.into_bytes();
        line.extend_from_slice(format!(",\"sum\":\"{sum}\"}}\n").as_bytes());
        Ok((line, sum))
    }

    fn write_line(&mut self, line: &[u8]) -> Result<(), JournalError> {
        let written = seam::write_all(&mut self.file, &self.path, self.size, line);
        let result = written.and_then(|()| match self.durability {
            Durability::Power => seam::sync(&self.file, &self.path),
            Durability::Process => Ok(()),
        });
        if result.is_err() {
            self.stuck = seam::truncate(&self.file, &self.path, self.size).is_err();
            self.room.lose();
        }
        Ok(result.at("record in", &self.path)?)
    }

    /// Gives back the room that is held for the last words, once they are said.
    pub fn give_room_back(&mut self) {
        // Not in a forked child: its parent may have written more.
        if self.owner == std::process::id() && !self.stuck {
            self.room.give_back(&self.file, self.size);
        }
    }

    /// The journal's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.give_room_back();
    }
}
