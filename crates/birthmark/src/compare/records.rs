//! Two JSONL files record by record: identical, equal but for birthmarks, or what was added,
//! removed and changed.
//!
//! Each record is a digest of its bytes without birthmark, and its id where every record of
//! both has one. These are sorted and laid beside each other.
//!
//! # Invariants
//!
//! * Memory is bounded: files with more records than [`AT_ONCE`] are read several times, each
//!   time for a part of the digests.
//! * Records are compared as bytes; nothing of them is parsed into values.
//!
//! # Limitations
//!
//! * Digests are cut to 128 bits: enough against chance.

use std::path::Path;

use birthmark_core::json::{self, Where};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::evaluation::{first_bits, id_text};
use crate::lines::{self, Line, Sink};

/// So many records of one file are held at once.
const AT_ONCE: u64 = 4_000_000;
/// Members of a record that name it, the first that is there.
const IDS: [&str; 6] = ["id", "item_id", "example_id", "uid", "uuid", "record_id"];
/// Records that are named.
const NAMED: usize = 5;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordsDiff {
    /// Records of A and of B.
    pub records: [u64; 2],
    /// Lines that are no records.
    pub bad: [u64; 2],
    /// The files are the same bytes.
    pub identical: bool,
    /// The records are the same but for their birthmarks, in the same order.
    pub equal: bool,
    /// The same, in another order.
    pub reordered: bool,
    /// How records found each other: `id` or `digest`.
    pub by: &'static str,
    /// Records in both, with the same content.
    pub same: u64,
    /// Of B alone: how many, and the first of them.
    pub added: (u64, Vec<String>),
    /// Of A alone.
    pub removed: (u64, Vec<String>),
    /// With the same id and other content.
    pub changed: (u64, Vec<String>),
    /// Ids that stand more than once in one of the files.
    pub twice: u64,
}

impl RecordsDiff {
    /// The answer in a phrase.
    pub fn says(&self) -> String {
        if self.identical {
            return "identical, byte for byte".to_owned();
        }
        if self.equal {
            return "equal but for birthmarks".to_owned();
        }
        if self.reordered {
            return "the same records in another order, birthmarks apart".to_owned();
        }
        let parts = [
            (self.added.0, "added"),
            (self.removed.0, "removed"),
            (self.changed.0, "changed"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", crate::text::grouped(*count)))
            .collect();
        format!(
            "{}, {} the same (by {})",
            parts.join(", "),
            crate::text::grouped(self.same),
            self.by
        )
    }

    pub(super) fn to_json(&self) -> Value {
        let some = |(count, first): &(u64, Vec<String>)| json!({ "count": count, "first": first });
        json!({
            "records": self.records,
            "lines_that_are_no_records": self.bad,
            "identical": self.identical,
            "equal_but_for_birthmarks": self.equal,
            "reordered": self.reordered,
            "matched_by": self.by,
            "same": self.same,
            "added": some(&self.added),
            "removed": some(&self.removed),
            "changed": some(&self.changed),
            "ids_more_than_once": self.twice,
        })
    }
}

/// One record: the digest of its id, of its content, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    id: u128,
    content: u128,
    line: u64,
}

/// Compares two JSONL files.
pub(super) fn diff(a: &Path, b: &Path) -> Result<RecordsDiff> {
    let paths = [a, b];
    let first = both(paths, |path| Pass::run(path, 0, 1))?;
    let mut found = RecordsDiff {
        records: [first[0].records, first[1].records],
        bad: [first[0].bad, first[1].bad],
        ..RecordsDiff::default()
    };
    let same_order = first[0].order == first[1].order && found.records[0] == found.records[1];
    found.identical = same_order && same_bytes(a, b)?;
    found.equal = same_order && found.bad == [0, 0];
    let most = first.iter().map(|pass| pass.records).max().unwrap_or(0);
    let parts = most.div_ceil(AT_ONCE).max(1);
    let by_id = first.iter().all(|pass| pass.without_id == 0);
    found.by = if by_id { "id" } else { "digest" };
    if found.equal {
        found.same = found.records[0];
        return Ok(found);
    }
    if parts == 1 {
        let [one, other] = first;
        lay(one.keys, other.keys, by_id, paths, &mut found);
    } else {
        drop(first);
        for part in 0..parts {
            let read = both(paths, |path| Pass::run_by(path, part, parts, by_id))?;
            let [one, other] = read;
            lay(one.keys, other.keys, by_id, paths, &mut found);
        }
    }
    found.reordered = found.added.0 + found.removed.0 + found.changed.0 == 0 && found.bad == [0, 0];
    Ok(found)
}

/// Reads both files, at the same time.
fn both(paths: [&Path; 2], read: impl Fn(&Path) -> Result<Pass> + Sync) -> Result<[Pass; 2]> {
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| read(paths[1]));
        (read(paths[0]), other.join())
    });
    let broken = || Error::new(Kind::Io, "io", "the reading of a file broke off");
    Ok([one?, other.map_err(|_| broken())??])
}

fn same_bytes(a: &Path, b: &Path) -> Result<bool> {
    let digest = |path: &Path| {
        birthmark_store::digest::digest_file(path)
            .map(|found| found.digest)
            .map_err(|error| Error::new(Kind::Io, "io", error.to_string()).with_source(error))
    };
    Ok(digest(a)? == digest(b)?)
}

/// One reading of a file.
#[derive(Default)]
struct Pass {
    part: u64,
    parts: u64,
    by_id: Option<bool>,
    keys: Vec<Key>,
    records: u64,
    bad: u64,
    without_id: u64,
    /// Changes with every record and with their order.
    order: u128,
    buffer: Vec<u8>,
}

impl Pass {
    /// Reads it for the first time; keys beyond what is held at once are only counted.
    fn run(path: &Path, part: u64, parts: u64) -> Result<Self> {
        Self::read(path, part, parts, None)
    }

    /// Reads it for one part of the keys.
    fn run_by(path: &Path, part: u64, parts: u64, by_id: bool) -> Result<Self> {
        Self::read(path, part, parts, Some(by_id))
    }

    fn read(path: &Path, part: u64, parts: u64, by_id: Option<bool>) -> Result<Self> {
        let cannot = |source| {
            Error::from(birthmark_store::PathError {
                action: "read",
                path: path.to_owned(),
                source,
            })
        };
        let mut pass = Self {
            part,
            parts,
            by_id,
            ..Self::default()
        };
        let mut file = birthmark_store::atomic::open_regular(path).map_err(cannot)?;
        lines::read(&mut file, &mut pass).map_err(cannot)?;
        Ok(pass)
    }

    fn keep(&mut self, key: Key) {
        let wanted = match self.by_id {
            None => self.records <= AT_ONCE,
            Some(by_id) => {
                let by = if by_id { key.id } else { key.content };
                by % u128::from(self.parts) == u128::from(self.part)
            }
        };
        if wanted {
            self.keys.push(key);
        }
    }
}

impl Sink for Pass {
    fn bytes(&mut self, _: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if line.is_blank() {
            return true;
        }
        let object = json::scan_object(line.record)
            .ok()
            .filter(|_| line.too_long.is_none());
        let Some(object) = object else {
            self.bad += 1;
            return true;
        };
        self.records += 1;
        self.buffer.clear();
        let content = match json::locate_birthmark(line.record, &object) {
            Where::Absent | Where::Foreign(_) => first_bits(line.record),
            _ if json::unstamp_record(&mut self.buffer, line.record).is_ok() => {
                first_bits(&self.buffer)
            }
            _ => first_bits(line.record),
        };
        let id = id_of(line.record);
        self.without_id += u64::from(id.is_none());
        // A polynomial over the digests: another order gives another sum.
        self.order = self
            .order
            .wrapping_mul(0x2D99_787C_E82B_7C3D_2F4A_88BB_8FB7_9B05)
            .wrapping_add(content);
        self.keep(Key {
            id: id.unwrap_or(content),
            content,
            line: line.number,
        });
        true
    }
}

/// The digest of a record's id.
fn id_of(record: &[u8]) -> Option<u128> {
    let mut found: Option<(usize, &[u8])> = None;
    for member in json::walk(record) {
        let place = IDS.iter().position(|name| member.is_named(record, name));
        if let Some(place) = place
            && found.is_none_or(|(best, _)| place <= best)
        {
            found = Some((place, member.value.of(record)));
        }
    }
    let raw = found?.1;
    (!raw.is_empty() && !json::is_null(raw)).then(|| first_bits(raw))
}

/// Lays the keys of both beside each other.
fn lay(mut a: Vec<Key>, mut b: Vec<Key>, by_id: bool, paths: [&Path; 2], found: &mut RecordsDiff) {
    a.sort_unstable();
    b.sort_unstable();
    let key = |key: &Key| if by_id { key.id } else { key.content };
    if !by_id {
        a.sort_unstable_by_key(|key| (key.content, key.line));
        b.sort_unstable_by_key(|key| (key.content, key.line));
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Lines::default();
    while i < a.len() || j < b.len() {
        let at = match (a.get(i), b.get(j)) {
            (Some(one), Some(other)) => key(one).min(key(other)),
            (Some(one), None) => key(one),
            (None, Some(other)) => key(other),
            (None, None) => break,
        };
        let end = |keys: &[Key], from: usize| {
            from + keys[from..].iter().take_while(|one| key(one) == at).count()
        };
        let (to_i, to_j) = (end(&a, i), end(&b, j));
        group(&a[i..to_i], &b[j..to_j], found, &mut lines);
        (i, j) = (to_i, to_j);
    }
    found
        .added
        .1
        .extend(names(paths[1], lines.added, found.added.1.len()));
    found
        .removed
        .1
        .extend(names(paths[0], lines.removed, found.removed.1.len()));
    found
        .changed
        .1
        .extend(names(paths[1], lines.changed, found.changed.1.len()));
}

/// The first lines of each kind.
#[derive(Default)]
struct Lines {
    added: Vec<u64>,
    removed: Vec<u64>,
    changed: Vec<u64>,
}

fn note(lines: &mut Vec<u64>, line: u64) {
    lines.push(line);
    if lines.len() > 64 {
        lines.sort_unstable();
        lines.truncate(NAMED);
    }
}

/// Records of one key: equal contents pair off; what is left over on both sides has changed.
fn group(a: &[Key], b: &[Key], found: &mut RecordsDiff, lines: &mut Lines) {
    if a.len() > 1 || b.len() > 1 {
        found.twice += 1;
    }
    let mut left: Vec<Key> = Vec::new();
    let mut rest: Vec<Key> = b.to_vec();
    for one in a {
        match rest.iter().position(|other| other.content == one.content) {
            Some(place) => {
                rest.swap_remove(place);
                found.same += 1;
            }
            None => left.push(*one),
        }
    }
    let both = left.len().min(rest.len());
    for key in &rest[..both] {
        found.changed.0 += 1;
        note(&mut lines.changed, key.line);
    }
    for key in &left[both..] {
        found.removed.0 += 1;
        note(&mut lines.removed, key.line);
    }
    for key in &rest[both..] {
        found.added.0 += 1;
        note(&mut lines.added, key.line);
    }
}

/// Names lines by their id and number.
fn names(path: &Path, mut lines: Vec<u64>, have: usize) -> Vec<String> {
    lines.sort_unstable();
    lines.truncate(NAMED.saturating_sub(have));
    let mut namer = Namer {
        wanted: lines,
        names: Vec::new(),
    };
    if !namer.wanted.is_empty()
        && let Ok(mut file) = birthmark_store::atomic::open_regular(path)
    {
        // The names are an extra: without them the numbers stand.
        let _ = lines::read(&mut file, &mut namer);
    }
    namer.names
}

struct Namer {
    wanted: Vec<u64>,
    names: Vec<String>,
}

impl Sink for Namer {
    fn bytes(&mut self, _: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if self.wanted.contains(&line.number) {
            let id = IDS
                .iter()
                .find_map(|name| id_text(json::get(line.record, &[name])?));
            self.names.push(match id {
                Some(id) => format!("{} (line {})", crate::text::short(&id, 40), line.number),
                None => format!("line {}", line.number),
            });
        }
        self.wanted.last().is_some_and(|last| line.number < *last)
    }
}
