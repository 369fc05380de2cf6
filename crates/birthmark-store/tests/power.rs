//! Every step fails once, and the power is cut at any moment: what was acknowledged is
//! there, and what is there is whole.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]
#![expect(clippy::disallowed_methods, reason = "tests build their own world")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use birthmark_core::Timestamp;
use birthmark_core::event::{Outcome, SessionEnded};
use birthmark_store::atomic::{self, Durability};
use birthmark_store::journal::JournalWriter;
use birthmark_store::layout::Layout;
use birthmark_store::objects;
use birthmark_store::records::{Mode, RecordWriter};
use birthmark_store::seam::{self, Step};

const MARK: &[u8] = br#"{"git_commit":"c","birthmark":"birthmark/v1"}"#;
const RECORDS: usize = 12;

/// A step, kept.
#[derive(Debug, Clone)]
enum Kept {
    MakeFolder(PathBuf),
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    Truncate(PathBuf, u64),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncFolder(PathBuf),
    /// From here on this much is promised: records in the file, version of the report.
    Promise(usize, usize),
}

impl Kept {
    fn of(step: &Step<'_>) -> Self {
        match *step {
            Step::MakeFolder(path) => Self::MakeFolder(path.to_owned()),
            Step::Create(path) => Self::Create(path.to_owned()),
            Step::Write {
                path,
                offset,
                bytes,
            } => Self::Write(path.to_owned(), offset, bytes.to_vec()),
            Step::Truncate { path, length } => Self::Truncate(path.to_owned(), length),
            Step::SyncFile(path) => Self::SyncFile(path.to_owned()),
            Step::Rename { from, to } => Self::Rename(from.to_owned(), to.to_owned()),
            Step::SyncFolder(path) => Self::SyncFolder(path.to_owned()),
        }
    }
}

/// What a script does: records one by one, and a report replaced now and then. Gives what
/// it was promised, step by step.
fn script(folder: &Path, durability: Durability, promise: &mut dyn FnMut(usize, usize)) {
    let records = folder.join("deep/er/a.jsonl");
    let report = folder.join("report.json");
    let (mut written, mut version) = (0, 0);
    let mut writer = None;
    for number in 0..RECORDS {
        if writer.is_none() {
            writer = RecordWriter::open(&records, Mode::GoOn, durability)
                .ok()
                .map(|(writer, _)| writer);
        }
        let Some(open) = &mut writer else { continue };
        let record = format!(
            "{{\"n\": {number}, \"t\": \"{}\"}}",
            "x".repeat(number * 97)
        );
        match open.append(record.as_bytes(), Some(MARK)) {
            Ok(_) => written += 1,
            // What the script paid for is tried again by a new writer.
            Err(_) => writer = None,
        }
        promise(written, version);
        if number % 3 == 0 {
            let text = format!("{{\"version\": {}}}", version + 1);
            if atomic::replace(&report, text.as_bytes(), durability).is_ok() {
                version += 1;
            }
            promise(written, version);
        }
    }
}

fn check(folder: &Path, written: usize, version: usize, what: &str) {
    let records = folder.join("deep/er/a.jsonl");
    if written > 0 || records.exists() {
        let opened = RecordWriter::open(&records, Mode::GoOn, Durability::Process);
        let (writer, _) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            writer.records() >= written as u64,
            "{what}: {} of {written}",
            writer.records()
        );
        drop(writer);
        let text = std::fs::read_to_string(&records).unwrap();
        let mut last = -1;
        for line in text.lines() {
            let record: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{what}: {line:?}"));
            let number = record["n"].as_i64().unwrap();
            assert!(number > last, "{what}: in order, none twice");
            last = number;
        }
    }
    let report = folder.join("report.json");
    match std::fs::read_to_string(&report) {
        Ok(text) => {
            let found: serde_json::Value =
                serde_json::from_str(&text).unwrap_or_else(|_| panic!("{what}: {text:?}"));
            assert!(
                found["version"].as_u64().unwrap() >= version as u64,
                "{what}"
            );
        }
        Err(_) => assert_eq!(version, 0, "{what}: the report is gone"),
    }
}

#[test]
fn every_step_fails_once_and_nothing_acknowledged_is_lost() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for durability in [Durability::Process, Durability::Power] {
            for failing in 0.. {
                let dir = tempfile::tempdir().unwrap();
                let seen = Rc::new(RefCell::new(0));
                let count = Rc::clone(&seen);
                let watching = seam::watch(Box::new(move |_| {
                    *count.borrow_mut() += 1;
                    if *count.borrow() == failing + 1 {
                        return Err(io::Error::from(kind));
                    }
                    Ok(())
                }));
                let mut promised = (0, 0);
                script(dir.path(), durability, &mut |written, version| {
                    promised = (written, version);
                });
                drop(watching);
                let (written, version) = promised;
                assert!(
                    written + 2 >= RECORDS,
                    "one fault costs one record: {written}"
                );
                check(
                    dir.path(),
                    written,
                    version,
                    &format!("step {failing}, {durability:?}"),
                );
                let litter = std::fs::read_dir(dir.path()).unwrap().count();
                assert!(litter <= 2, "step {failing}: no temporary file stays");
                if *seen.borrow() <= failing {
                    break;
                }
            }
        }
    }
}

/// A small generator, so that a cut can be made again by its number.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}

/// What a disk holds: files by number, and names of them.
#[derive(Default, Clone)]
struct Disk {
    files: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, Option<usize>>,
}

#[derive(Default)]
struct Machine {
    /// As programs see it.
    seen: Disk,
    /// As it is after a power cut, at the least.
    safe: Disk,
    /// Writes and cuts not yet synced, by file, in order.
    bytes: Vec<(usize, Kept)>,
    /// Changes of names not yet synced, in order.
    names: Vec<(PathBuf, Option<PathBuf>, Option<usize>)>,
}

impl Machine {
    fn file(&self, path: &Path) -> usize {
        self.seen.names[path].unwrap()
    }

    fn name(&mut self, path: &Path, gone: Option<&Path>, file: Option<usize>) {
        if let Some(gone) = gone {
            self.seen.names.remove(gone);
        }
        self.seen.names.insert(path.to_owned(), file);
        self.names
            .push((path.to_owned(), gone.map(Path::to_owned), file));
    }

    fn take(&mut self, step: &Kept) {
        match step {
            Kept::MakeFolder(path) => self.name(path, None, None),
            Kept::Create(path) => {
                if !self.seen.names.contains_key(path) {
                    self.seen.files.push(Vec::new());
                    self.safe.files.push(Vec::new());
                    self.name(path, None, Some(self.seen.files.len() - 1));
                }
            }
            Kept::Write(path, ..) | Kept::Truncate(path, _) => {
                let file = self.file(path);
                apply(&mut self.seen.files[file], step, None);
                self.bytes.push((file, step.clone()));
            }
            Kept::SyncFile(path) => {
                let file = self.file(path);
                for (_, step) in self.bytes.extract_if(.., |(of, _)| *of == file) {
                    apply(&mut self.safe.files[file], &step, None);
                }
            }
            Kept::Rename(from, to) => {
                let file = Some(self.file(from));
                self.name(to, Some(from), file);
            }
            Kept::SyncFolder(folder) => {
                let folder = folder.clone();
                let synced = self
                    .names
                    .extract_if(.., |(path, ..)| path.parent() == Some(&folder));
                for (path, gone, file) in synced {
                    rename(&mut self.safe.names, &path, gone.as_ref(), file);
                }
            }
            Kept::Promise(..) => {}
        }
    }

    /// What may be left: of what was not synced some, in order or not, torn or not.
    fn cut(&self, chance: &mut Chance) -> Disk {
        let mut disk = self.safe.clone();
        for (file, step) in &self.bytes {
            match chance.next(3) {
                0 => {}
                1 => apply(&mut disk.files[*file], step, None),
                _ => apply(&mut disk.files[*file], step, Some(chance)),
            }
        }
        for (path, gone, file) in &self.names {
            if chance.next(2) == 0 {
                rename(&mut disk.names, path, gone.as_ref(), *file);
            }
        }
        disk
    }
}

fn rename(
    names: &mut BTreeMap<PathBuf, Option<usize>>,
    path: &Path,
    gone: Option<&PathBuf>,
    file: Option<usize>,
) {
    if let Some(gone) = gone {
        names.remove(gone);
    }
    names.insert(path.to_owned(), file);
}

/// Applies a write or cut; torn, only some of its sectors come to the disk.
fn apply(bytes: &mut Vec<u8>, step: &Kept, torn: Option<&mut Chance>) {
    match step {
        Kept::Write(_, offset, new) => {
            let offset = usize::try_from(*offset).unwrap();
            let end = offset + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            match torn {
                None => bytes[offset..end].copy_from_slice(new),
                Some(chance) => {
                    for (place, sector) in new.chunks(512).enumerate() {
                        if chance.next(2) == 0 {
                            let at = offset + place * 512;
                            bytes[at..at + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        Kept::Truncate(_, length) => bytes.truncate(usize::try_from(*length).unwrap()),
        _ => {}
    }
}

/// Puts a disk into a folder: what stands in a folder that is not there is not there.
fn restore(disk: &Disk, from: &Path, to: &Path) {
    for (path, file) in &disk.names {
        let place = to.join(path.strip_prefix(from).unwrap());
        if !place.parent().unwrap().is_dir() {
            continue;
        }
        match file {
            None => std::fs::create_dir(&place).unwrap(),
            Some(file) => std::fs::write(&place, &disk.files[*file]).unwrap(),
        }
    }
}

#[test]
fn two_thousand_power_cuts_lose_nothing_that_was_promised() {
    let dir = tempfile::tempdir().unwrap();
    let log = steps_of(|log| {
        script(dir.path(), Durability::Power, &mut |written, version| {
            log.borrow_mut().push(Kept::Promise(written, version));
        });
    });
    assert!(log.len() > 60, "{} steps were seen", log.len());
    let shell = tempfile::tempdir().unwrap();
    for number in 0..2_000_u64 {
        let mut chance = Chance(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let until = usize::try_from(chance.next(log.len() as u64 + 1)).unwrap();
        let mut machine = Machine::default();
        let mut promised = (0, 0);
        for step in &log[..until] {
            if let Kept::Promise(written, version) = step {
                promised = (*written, *version);
            }
            machine.take(step);
        }
        let disk = machine.cut(&mut chance);
        let place = shell.path().join(number.to_string());
        std::fs::create_dir(&place).unwrap();
        restore(&disk, dir.path(), &place);
        check(
            &place,
            promised.0,
            promised.1,
            &format!("cut {number} after {until} steps"),
        );
        std::fs::remove_dir_all(&place).unwrap();
    }
}

/// All steps of what is done, in order, with the promises that it puts among them.
fn steps_of(work: impl FnOnce(&RefCell<Vec<Kept>>)) -> Vec<Kept> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let watched = Rc::clone(&log);
    let watching = seam::watch(Box::new(move |step| {
        watched.borrow_mut().push(Kept::of(step));
        Ok(())
    }));
    work(&log);
    drop(watching);
    log.take()
}

#[test]
fn what_is_kept_by_its_digest_is_on_the_disk_before_the_digest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
    // Who kept it first may have synced nothing: neither it, nor the folders it made.
    for (name, before) in [("alone", None), ("again", Some(Durability::Process))] {
        let bytes = name.repeat(500);
        let mut machine = Machine::default();
        if let Some(before) = before {
            let steps = steps_of(|_| {
                objects::put(&layout, bytes.as_bytes(), before).unwrap();
            });
            assert!(!steps.iter().any(is_sync), "{steps:?}");
            for step in &steps {
                machine.take(step);
            }
        }
        let mut kept = None;
        let steps = steps_of(|_| {
            kept = Some(objects::put(&layout, bytes.as_bytes(), Durability::Power).unwrap());
        });
        for step in &steps {
            machine.take(step);
        }
        let path = layout.object(&kept.unwrap());
        let file = machine.safe.names.get(&path).copied().flatten();
        assert_eq!(
            machine.safe.files[file.unwrap()],
            bytes.as_bytes(),
            "{name}"
        );
        let names = path.ancestors().skip(1);
        for folder in names.take_while(|folder| folder.starts_with(layout.store())) {
            let synced = |step: &Kept| matches!(step, Kept::SyncFolder(of) if of == folder);
            assert!(steps.iter().any(synced), "{name}: {}", folder.display());
        }
    }
}

fn is_sync(step: &Kept) -> bool {
    matches!(step, Kept::SyncFile(_) | Kept::SyncFolder(_))
}

#[test]
fn process_syncs_nothing_for_a_record_or_an_event_and_power_each_before_it_returns() {
    for (durability, syncs) in [(Durability::Process, 0), (Durability::Power, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let (mut writer, _) = RecordWriter::open(&path, Mode::New, durability).unwrap();
        let journal = dir.path().join("store/session/w.jsonl");
        let made = steps_of(|_| drop(JournalWriter::create(&journal, durability).unwrap()));
        // Its own name, and that of each folder it made.
        assert_eq!(made.iter().filter(|step| is_sync(step)).count(), 3 * syncs);
        let mut journal =
            JournalWriter::create(&journal.with_file_name("x.jsonl"), durability).unwrap();
        for number in 0..5 {
            let record = format!("{{\"n\": {number}}}");
            let of_record = steps_of(|_| {
                writer.append(record.as_bytes(), Some(MARK)).unwrap();
            });
            let of_event = steps_of(|_| {
                let event = SessionEnded {
                    outcome: Outcome::Completed,
                };
                journal
                    .append(Timestamp::from_micros(number), &event.into())
                    .unwrap();
            });
            for steps in [of_record, of_event] {
                assert_eq!(steps.iter().filter(|step| is_sync(step)).count(), syncs);
                assert!(syncs == 0 || is_sync(steps.last().unwrap()), "{steps:?}");
            }
        }
    }
}
