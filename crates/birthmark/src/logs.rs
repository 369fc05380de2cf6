//! What the commands of a session said, as `birthmark run` kept it.

use std::io;

use birthmark_core::SessionId;
use birthmark_store::logs::{self, KeptLog};
use serde_json::{Value, json};

use crate::error::Result;
use crate::project::Project;
use crate::sessions;

/// One stream of one command.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its bytes.
    pub kept: KeptLog,
    /// The command, as it was recorded.
    pub command: String,
    recorded: Option<Value>,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Whole lines, but for the last part.
    Text(String),
    /// So many bytes are not kept here.
    LeftOut(u64),
}

/// The logs of a session, in the order of its runs.
pub fn of_session(project: &Project, id: &SessionId) -> Result<Vec<Log>> {
    let session = sessions::load(project, id)?.session;
    let mut kept = logs::list(&project.layout.logs(id))?;
    let place = |log: &KeptLog| {
        let runs = session.runs.iter();
        runs.clone()
            .position(|run| run.id.as_str() == log.run())
            .unwrap_or(runs.len())
    };
    kept.sort_by_key(place);
    Ok(kept
        .into_iter()
        .map(|log| {
            let run = session.runs.iter().find(|run| run.id.as_str() == log.run());
            let recorded = run.and_then(|run| {
                let event = run.logs.iter().find(|one| one.stream == log.stream())?;
                serde_json::to_value(event).ok()
            });
            Log {
                command: run.map(|run| run.argv.join(" ")).unwrap_or_default(),
                recorded,
                kept: log,
            }
        })
        .collect())
}

/// Streams that the caller sent into files of his own, and these files.
pub fn in_files(project: &Project, id: &SessionId) -> Result<Vec<(String, String)>> {
    let session = sessions::load(project, id)?.session;
    let logs = session.runs.into_iter().flat_map(|run| run.logs);
    let elsewhere = logs.filter(|log| {
        log.reason
            .as_ref()
            .is_some_and(|why| why.contains("into a file"))
    });
    Ok(elsewhere
        .filter_map(|log| Some((log.stream, log.file?)))
        .collect())
}

impl Log {
    /// Where it lies and what was recorded of it.
    pub fn to_json(&self) -> Value {
        let files: Vec<Value> = self
            .kept
            .pieces
            .iter()
            .map(|(offset, size, path)| {
                json!({ "file": path.to_string_lossy(), "offset": offset, "size": size })
            })
            .collect();
        json!({
            "run_id": self.kept.run(),
            "command": self.command,
            "stream": self.kept.stream(),
            "size": self.kept.size(),
            "files": files,
            "recorded": self.recorded,
        })
    }

    /// Hands on the whole of it, part by part.
    pub fn read(&self, mut take: impl FnMut(Part) -> io::Result<()>) -> io::Result<()> {
        let rest = std::cell::RefCell::new(Vec::new());
        let take = std::cell::RefCell::new(&mut take);
        let flush = |whole: &[u8]| {
            let text = String::from_utf8_lossy(whole).into_owned();
            let mut take = take.borrow_mut();
            if text.is_empty() {
                Ok(())
            } else {
                take(Part::Text(text))
            }
        };
        let gap = |bytes| {
            flush(&rest.take())?;
            (take.borrow_mut())(Part::LeftOut(bytes))
        };
        let bytes = |part: &[u8]| {
            let mut open = rest.borrow_mut();
            open.extend_from_slice(part);
            let end = memchr::memrchr(b'\n', &open).map_or(0, |at| at + 1);
            let later = open.split_off(end);
            flush(&std::mem::replace(&mut *open, later))
        };
        self.kept
            .read(gap, bytes)
            .map_err(|error| io::Error::other(error.to_string()))?;
        flush(&rest.take())
    }
}
