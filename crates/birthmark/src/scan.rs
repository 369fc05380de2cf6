//! Does a secret stand in what was made?
//!
//! What Birthmark captures is redacted before it is written. What a user's own records hold
//! is the user's, and never altered: here it is looked through, and each secret is named by
//! file, line, byte and rule, never by itself.
//!
//! # Invariants
//!
//! * Nothing is written, and no part of a secret is ever in the answer.
//! * Constant memory: a window at a time, each overlapping the one before, so that a
//!   secret that lies across two is seen.
//! * What was not looked at is said.
//!
//! # Limitations
//!
//! * Of a binary file (a NUL within its first bytes) only the beginning is looked at: headers of
//!   checkpoints and tables stand there, and weights hold no tokens.
//! * Packed text (`.gz`, `.zst`) is unpacked, within the limits of every reader, and line and byte
//!   are those of the text. What is packed within a binary file, as in Parquet, is not.
//! * A secret without a known shape, under an innocent name, is not seen.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use birthmark_capture::process;
use birthmark_capture::redact::Redactor;
use birthmark_store::digest::open_still;
use birthmark_store::format::codec::Codec;
use serde_json::{Value, json};

use crate::project::{PASSED_BY, Project};
use crate::text;

/// How much is looked through at once.
const WINDOW: usize = 4 << 20;
/// How far a window reaches back into the one before: longer than any secret.
const OVERLAP: usize = 64 << 10;
/// Where a NUL makes a file a binary one, and how much of such a file is looked at.
const HEAD: usize = 1 << 20;
/// Secrets that are named for one file; all are counted.
const MOST_NAMED: usize = 20;

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// Its first byte in the file, from 0.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The rule that sees it.
    pub rule: &'static str,
}

/// A file with secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Its path from the project's root.
    pub file: String,
    /// The first of its secrets.
    pub places: Vec<Place>,
    /// How many there are.
    pub count: u64,
}

/// The whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files with secrets, by name.
    pub leaks: Vec<Leak>,
    /// How many files were looked at.
    pub files: u64,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Binary files of which only the beginning was looked at.
    pub heads: u64,
}

/// Looks through files and folders. Links are not followed.
pub fn scan(project: &Project, paths: &[PathBuf]) -> Scan {
    let mut found = Scan::default();
    let redactor = process::redactor();
    for path in files(paths, &mut found, project) {
        let name = text::neutral(&project.stored_path(&path)).into_owned();
        let mut looked = Looked::default();
        match scan_file(redactor, &path, &mut looked) {
            Ok(()) => found.files += 1,
            Err(why) => found.unreadable.push((name.clone(), why)),
        }
        found.heads += u64::from(looked.binary);
        // What was seen before a file could not be read any further is seen.
        if looked.count > 0 {
            found.leaks.push(Leak {
                file: name,
                places: looked.places,
                count: looked.count,
            });
        }
    }
    found
}

/// Every regular file below `paths`, each once, in the order of names.
fn files(paths: &[PathBuf], found: &mut Scan, project: &Project) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    let mut open: Vec<PathBuf> = paths.to_vec();
    while let Some(path) = open.pop() {
        let kind = match path.symlink_metadata() {
            Ok(meta) => meta.file_type(),
            Err(error) => {
                let name = text::neutral(&project.stored_path(&path)).into_owned();
                found.unreadable.push((name, error.to_string()));
                continue;
            }
        };
        if kind.is_file() {
            files.insert(path);
        } else if kind.is_dir() {
            match std::fs::read_dir(&path) {
                Ok(entries) => open.extend(entries.flatten().filter_map(|entry| {
                    let passed = PASSED_BY.iter().any(|name| entry.file_name() == *name);
                    (!passed).then(|| entry.path())
                })),
                Err(error) => {
                    let name = text::neutral(&project.stored_path(&path)).into_owned();
                    found.unreadable.push((name, error.to_string()));
                }
            }
        }
    }
    files.into_iter().collect()
}

#[derive(Default)]
struct Looked {
    places: Vec<Place>,
    count: u64,
    binary: bool,
}

fn scan_file(redactor: &Redactor, path: &Path, looked: &mut Looked) -> Result<(), String> {
    let whole = |error: &dyn std::error::Error| {
        let cause = error.source().map(ToString::to_string);
        cause.unwrap_or_else(|| error.to_string())
    };
    let (file, _) = open_still(path).map_err(|error| whole(&error))?;
    let text = Codec::of(path).unpack(Box::new(file));
    text.and_then(|text| look(redactor, text, looked))
        .map_err(|error| error.to_string())
}

fn look(
    redactor: &Redactor,
    mut text: Box<dyn Read + Send>,
    looked: &mut Looked,
) -> std::io::Result<()> {
    let mut window = Vec::with_capacity(WINDOW + OVERLAP);
    // The window's first byte in the file, its line, and the end of the last secret.
    let (mut offset, mut line, mut until) = (0_u64, 1_u64, 0_u64);
    loop {
        let had = window.len();
        let want = if offset == 0 && had == 0 {
            HEAD
        } else {
            WINDOW
        };
        let read = text.by_ref().take(want as u64).read_to_end(&mut window);
        let got = window.len() - had;
        if offset == 0 && had == 0 {
            looked.binary = memchr::memchr(0, &window).is_some();
        }
        let ended = read.is_err() || got < want || looked.binary;
        search(redactor, &window, offset, line, &mut until, looked);
        if ended {
            return read.map(drop);
        }
        let keep = OVERLAP.min(window.len());
        let gone = window.len() - keep;
        line += count_lines(&window[..gone]);
        offset += gone as u64;
        window.drain(..gone);
    }
}

/// Looks through one window; what begins before `until` was seen in the one before.
fn search(
    redactor: &Redactor,
    window: &[u8],
    offset: u64,
    first_line: u64,
    until: &mut u64,
    looked: &mut Looked,
) {
    let mut at = 0;
    let (mut counted, mut line) = (0, first_line);
    for chunk in window.utf8_chunks() {
        for secret in redactor.find(chunk.valid()) {
            let start = at + secret.range.start;
            let place = offset + start as u64;
            if place < *until {
                continue;
            }
            let length = (secret.range.end - secret.range.start) as u64;
            *until = place + length;
            looked.count += 1;
            if looked.places.len() < MOST_NAMED {
                line += count_lines(window.get(counted..start).unwrap_or_default());
                counted = start;
                looked.places.push(Place {
                    line,
                    offset: place,
                    length,
                    rule: secret.rule,
                });
            }
        }
        at += chunk.valid().len() + chunk.invalid().len();
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl Scan {
    /// How many secrets there are.
    pub fn count(&self) -> u64 {
        self.leaks.iter().map(|leak| leak.count).sum()
    }

    /// 1 when there is a secret; 2 when something could not be read, or there was nothing
    /// to look at; else 0.
    pub fn exit_code(&self) -> u8 {
        if !self.leaks.is_empty() {
            1
        } else if !self.unreadable.is_empty() || self.files == 0 {
            2
        } else {
            0
        }
    }

    /// What was not looked at, one line a reason.
    pub fn not_looked_at(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.heads > 0 {
            let files = text::count(self.heads, "binary file");
            lines.push(format!(
                "all but the first {} of {files}, and what is packed in them",
                text::bytes(HEAD as u64)
            ));
        }
        lines.push("secrets of unknown shape under innocent names".to_owned());
        lines
    }

    /// The answer as JSON.
    pub fn to_json(&self) -> Value {
        let place = |place: &Place| {
            json!({
                "line": place.line, "offset": place.offset,
                "length": place.length, "rule": place.rule,
            })
        };
        let leaks: Vec<Value> = self
            .leaks
            .iter()
            .map(|leak| {
                let places: Vec<Value> = leak.places.iter().map(place).collect();
                json!({"file": leak.file, "count": leak.count, "secrets": places})
            })
            .collect();
        let unreadable: Vec<Value> = self
            .unreadable
            .iter()
            .map(|(file, why)| json!({"file": file, "reason": why}))
            .collect();
        json!({
            "count": self.count(), "files": self.files, "leaks": leaks,
            "unreadable": unreadable, "not_looked_at": self.not_looked_at(),
        })
    }

    /// The answer in lines for people.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for leak in &self.leaks {
            for place in &leak.places {
                out.push_str(&format!(
                    "{}:{}  {} ({} B at byte {})\n",
                    leak.file, place.line, place.rule, place.length, place.offset
                ));
            }
            let more = leak.count - leak.places.len() as u64;
            if more > 0 {
                out.push_str(&format!(
                    "{}: and {} more\n",
                    leak.file,
                    text::grouped(more)
                ));
            }
        }
        for (file, why) in &self.unreadable {
            out.push_str(&format!("{file}: cannot be read: {why}\n"));
        }
        if !out.is_empty() {
            out.push('\n');
        }
        let files = text::count(self.files, "file");
        out.push_str(&match (self.count(), self.files) {
            (0, 0) => "cannot tell: there is nothing to look at\n".to_owned(),
            (0, _) => format!("no secret of known shape in {files}\n"),
            (count, _) => format!(
                "{} in {} of {files}\n",
                text::count(count, "secret"),
                text::grouped(self.leaks.len() as u64)
            ),
        });
        out.push_str(&format!(
            "not looked at: {}\n",
            self.not_looked_at().join("; ")
        ));
        out
    }
}
