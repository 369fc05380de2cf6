//! A sync that fails loses what it was to write: the system calls those pages clean, and the next
//! sync of the same descriptor succeeds without them. What is acknowledged afterwards is on the
//! disk all the same, and so is what was before.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use birthmark_store::atomic::Durability;
use birthmark_store::records::{Mode, RecordWriter};
use birthmark_store::seam::{self, Step};

const PAGE: usize = 4096;
const RECORDS: usize = 24;

/// A file as the system holds it in memory, and as it is on the disk.
#[derive(Default)]
struct Cache {
    memory: Vec<u8>,
    dirty: BTreeSet<usize>,
    disk: Vec<u8>,
    syncs: usize,
    fails: usize,
}

impl Cache {
    fn take(&mut self, step: &Step<'_>) -> io::Result<()> {
        match *step {
            Step::Write { offset, bytes, .. } => {
                let start = usize::try_from(offset).unwrap();
                let end = start + bytes.len();
                self.memory.resize(self.memory.len().max(end), 0);
                self.memory[start..end].copy_from_slice(bytes);
                self.dirty.extend(start / PAGE..end.div_ceil(PAGE));
            }
            Step::Truncate { length, .. } => {
                self.memory.truncate(usize::try_from(length).unwrap());
            }
            Step::SyncFile(_) => {
                self.syncs += 1;
                let pages = std::mem::take(&mut self.dirty);
                if self.syncs == self.fails {
                    return Err(io::Error::from_raw_os_error(5));
                }
                self.disk.resize(self.memory.len(), 0);
                for page in pages {
                    let start = page * PAGE;
                    let end = (start + PAGE).min(self.memory.len());
                    if start < end {
                        self.disk[start..end].copy_from_slice(&self.memory[start..end]);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Writes records of 30 bytes to three pages while one sync fails: those that were acknowledged,
/// and what a power cut leaves.
fn written(path: &Path, fails: usize) -> (Vec<String>, Vec<u8>, usize) {
    let cache = Rc::new(RefCell::new(Cache {
        fails,
        ..Cache::default()
    }));
    let (mut writer, _) = RecordWriter::open(path, Mode::New, Durability::Power).unwrap();
    let sees = Rc::clone(&cache);
    let _watching = seam::watch(Box::new(move |step| sees.borrow_mut().take(step)));
    let mut acknowledged = Vec::new();
    for number in 0..RECORDS {
        let text = "x".repeat(number * 401 % (3 * PAGE));
        let record = format!("{{\"n\": {number}, \"t\": \"{text}\"}}");
        if writer.append(record.as_bytes(), None).is_ok() {
            acknowledged.push(record);
        }
    }
    let found = cache.borrow();
    (acknowledged, found.disk.clone(), found.syncs)
}

#[test]
fn what_is_acknowledged_after_a_sync_that_failed_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, syncs) = written(&folder.path().join("all.jsonl"), 0);
    assert_eq!(syncs, RECORDS);
    for fails in 1..=syncs {
        let path = folder.path().join(format!("{fails}.jsonl"));
        let (acknowledged, disk, _) = written(&path, fails);
        assert_eq!(acknowledged.len(), RECORDS - 1);
        let text = String::from_utf8(disk).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, acknowledged, "the sync of record {fails} fails");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
