//! One pass over a JSONL file: every record checked, every count's digest taken.
//!
//! Birthmarks are judged once for each distinct set of the fields that a judgement
//! looks at. Beside the judgement the pass gathers what may tell *where* a file was
//! changed: lines that are no records, records that lost their birthmark, birthmarks
//! that differ from those above and below, timestamps out of order.

use std::collections::HashMap;
use std::io;

use birthmark_core::json::{self, MarkKind, Marks, Step, Where};
use birthmark_store::format::Source;
use birthmark_store::line_sums::LineSums;
use birthmark_store::running::RunningDigest;

use super::mark::{self, Judge, Named};
use super::report::{Reason, Word};
use crate::lines::{self, Line, Sink};

/// Distinct judgements that are kept before they are summed up.
const MOST_JUDGED: usize = 4_096;
/// Distinct reasons that are named for one file.
const MOST_REASONS: usize = 200;
/// Fields whose movements are followed.
const MOST_SWINGS: usize = 256;
/// Places that are named of each kind.
pub(super) const MOST_PLACES: usize = 3;

/// A digest to be taken after so many bytes.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub size: u64,
    /// Filled in: the digest of the bytes so far; none where the file is shorter.
    pub digest: Option<String>,
    /// Filled in: the records that end within these bytes.
    pub records: u64,
    pub lines: u64,
}

/// Some places, and how many there are in all.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub first: Vec<(u64, String)>,
    pub count: u64,
}

impl Places {
    fn add(&mut self, line: u64, why: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < MOST_PLACES {
            self.first.push((line, why()));
        }
    }
}

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub size: u64,
    pub records: u64,
    pub stamped: u64,
    pub foreign: u64,
    pub digest: String,
    pub content_digest: String,
    pub line_sums: LineSums,
    pub marks: Vec<Mark>,
    pub reasons: Vec<Reason>,
    pub named: Named,
    pub bad: Places,
    pub unstamped: Places,
    pub unordered: Places,
    pub odd: Places,
    /// A last line without its end that is no record: where it begins, and its number.
    pub torn: Option<(u64, u64)>,
    /// Whether a line was too long to be looked into.
    pub too_long: bool,
}

struct Judged {
    reasons: Vec<Reason>,
    first: u64,
    records: u64,
}

struct Pass<'a, 'b> {
    judge: &'a mut Judge<'b>,
    found: Scanned,
    whole: RunningDigest,
    content: RunningDigest,
    bare: Vec<u8>,
    /// The next of `found.marks` whose digest is to be taken.
    next: usize,
    next_lines: usize,
    birthmark: Marks,
    /// Places of the looked-at fields and of the timestamp in the shape at hand.
    looked_at: Vec<bool>,
    timestamp: Option<usize>,
    key: Vec<u8>,
    judged: HashMap<Vec<u8>, usize>,
    groups: Vec<Judged>,
    current: Option<usize>,
    sums: Vec<Reason>,
    newest: Vec<u8>,
    swings: HashMap<String, Swing>,
}

/// How one field moved: to tell a single record that differs from its neighbours.
#[derive(Default)]
struct Swing {
    line: u64,
    before: Vec<u8>,
    returns: u64,
    lines: Vec<u64>,
}

/// Reads a file once. `marks` are the sizes at which a digest is to be taken, in order.
pub(super) fn scan(
    file: &mut dyn Source,
    marks: Vec<Mark>,
    judge: &mut Judge<'_>,
) -> io::Result<Scanned> {
    let mut pass = Pass {
        judge,
        found: Scanned {
            marks,
            ..Scanned::default()
        },
        whole: RunningDigest::default(),
        content: RunningDigest::default(),
        bare: Vec::new(),
        next: 0,
        next_lines: 0,
        birthmark: Marks::default(),
        looked_at: Vec::new(),
        timestamp: None,
        key: Vec::new(),
        judged: HashMap::new(),
        groups: Vec::new(),
        current: None,
        sums: Vec::new(),
        newest: Vec::new(),
        swings: HashMap::new(),
    };
    pass.take_due();
    lines::read(file, &mut pass)?;
    Ok(pass.finish())
}

impl Sink for Pass<'_, '_> {
    fn bytes(&mut self, mut bytes: &[u8]) {
        self.judge.eyes.meter.add(bytes.len());
        while let Some(mark) = self.found.marks.get(self.next) {
            let until = mark.size.saturating_sub(self.whole.length());
            let Some((head, tail)) = usize::try_from(until)
                .ok()
                .and_then(|until| bytes.split_at_checked(until))
            else {
                break;
            };
            self.whole.update(head);
            bytes = tail;
            self.take_due();
        }
        self.whole.update(bytes);
    }

    fn line(&mut self, line: Line<'_>) -> bool {
        let end =
            line.offset + (line.around.0.len() + line.record.len() + line.around.1.len()) as u64;
        self.found
            .line_sums
            .add(&[line.around.0, line.record, line.around.1]);
        self.look(&line);
        while let Some(mark) = self.found.marks.get_mut(self.next_lines) {
            if end < mark.size {
                break;
            }
            mark.records = self.found.records;
            mark.lines = line.number;
            if end > mark.size {
                // The count ends within this line: it is not of it.
                mark.lines -= 1;
                mark.records -= u64::from(!line.is_blank());
            }
            self.next_lines += 1;
        }
        true
    }
}

impl Pass<'_, '_> {
    /// Takes the digests that are due at this very byte.
    fn take_due(&mut self) {
        while let Some(mark) = self.found.marks.get_mut(self.next) {
            if mark.size != self.whole.length() {
                break;
            }
            mark.digest = Some(self.whole.digest().to_string());
            self.next += 1;
        }
    }

    fn look(&mut self, line: &Line<'_>) {
        if let Some(limit) = line.too_long {
            self.found.too_long = true;
            self.found.bad.add(line.number, || lines::too_long(limit));
            self.found.records += 1;
            return;
        }
        if line.is_blank() {
            self.keep(line, line.record);
            return;
        }
        self.found.records += 1;
        let (object, step) = match self.birthmark.scan(line.record) {
            Ok(scanned) => scanned,
            Err(error) => {
                if !line.has_end() {
                    self.found.torn = Some((line.offset, line.number));
                }
                self.found
                    .bad
                    .add(line.number, || lines::fault_of(line, &error));
                self.keep(line, line.record);
                return;
            }
        };
        match step {
            Step::None => {
                self.found
                    .unstamped
                    .add(line.number, || "it has no birthmark".to_owned());
                self.keep(line, line.record);
                return;
            }
            Step::Anew => self.shape_anew(line.number),
            Step::Same => self.same_shape(line.number),
        }
        self.found.stamped += 1;
        self.check_time(line.number, step);
        self.unstamp(line, &object);
    }

    fn keep(&mut self, line: &Line<'_>, record: &[u8]) {
        self.content.update(line.around.0);
        self.content.update(record);
        self.content.update(line.around.1);
    }

    fn unstamp(&mut self, line: &Line<'_>, object: &json::Object) {
        let mut bare = std::mem::take(&mut self.bare);
        bare.clear();
        match (self.birthmark.kind(), object.metadata, object.birthmark) {
            (Some(MarkKind::Metadata), Some(found), _)
            | (Some(MarkKind::Beside), _, Some(found)) => {
                json::remove_member(&mut bare, line.record, &found.member);
            }
            (Some(MarkKind::Merged), ..) => {
                if let Where::Merged { ours, .. } = json::locate_birthmark(line.record, object) {
                    bare.extend_from_slice(line.record.get(..ours.start).unwrap_or_default());
                    bare.extend_from_slice(line.record.get(ours.end..).unwrap_or_default());
                }
            }
            _ => bare.extend_from_slice(line.record),
        }
        self.keep(line, &bare);
        self.bare = bare;
    }

    fn shape_anew(&mut self, line: u64) {
        let names = self.birthmark.names();
        self.looked_at = names
            .iter()
            .map(|name| self.judge.looked_at().any(|looked| looked == name))
            .collect();
        self.timestamp = names.iter().rposition(|name| name == "timestamp");
        if self.birthmark.kind() == Some(MarkKind::Metadata)
            && let Err(error) = json::check_envelope(self.birthmark.raw())
        {
            let text = format!("its birthmark is malformed: {error}");
            self.add_sum(Reason::failed("birthmark-malformed", text).at(line), 1);
        }
        self.found.foreign += u64::from(self.birthmark.kind() == Some(MarkKind::Foreign));
        self.judge_now(line);
    }

    fn same_shape(&mut self, line: u64) {
        self.found.foreign += u64::from(self.birthmark.kind() == Some(MarkKind::Foreign));
        let changed = self.birthmark.changed();
        if changed
            .iter()
            .any(|member| self.looked_at.get(*member) == Some(&true))
        {
            self.note_swings(line);
            self.judge_now(line);
            return;
        }
        if changed.iter().any(|member| Some(*member) != self.timestamp) {
            self.note_swings(line);
        }
        if let Some(group) = self.current.and_then(|group| self.groups.get_mut(group)) {
            group.records += 1;
        }
    }

    /// A field that moves and comes back with the next record: that one record differs.
    fn note_swings(&mut self, line: u64) {
        for member in self.birthmark.changed().to_vec() {
            if Some(member) == self.timestamp {
                continue;
            }
            let value = self.birthmark.value(member);
            let Some(name) = self.birthmark.names().get(member) else {
                continue;
            };
            let before = self.birthmark.before(member);
            if !self.swings.contains_key(name) {
                if self.swings.len() >= MOST_SWINGS {
                    continue;
                }
                self.swings.insert(name.clone(), Swing::default());
            }
            let Some(swing) = self.swings.get_mut(name) else {
                continue;
            };
            if swing.line + 1 == line && swing.before == value {
                swing.returns += 1;
                if swing.lines.len() < MOST_PLACES {
                    swing.lines.push(line - 1);
                }
            }
            swing.line = line;
            swing.before.clear();
            swing.before.extend_from_slice(before);
        }
    }

    fn judge_now(&mut self, line: u64) {
        self.key.clear();
        self.key
            .push(u8::from(self.birthmark.kind() == Some(MarkKind::Foreign)));
        for name in self.judge.looked_at() {
            if let Some(raw) = self.birthmark.get(name) {
                self.key.extend_from_slice(raw);
            }
            self.key.push(b'\n');
        }
        // The timestamp and the type are required: that they are there is part of the judgement.
        let timestamp = self.birthmark.get("timestamp");
        self.key
            .push(timestamp.map_or(b'-', |raw| raw.first().copied().unwrap_or(b'-')));
        if let Some(group) = self.judged.get(&self.key) {
            self.current = Some(*group);
            if let Some(group) = self.groups.get_mut(*group) {
                group.records += 1;
            }
            return;
        }
        if self.groups.len() >= MOST_JUDGED {
            self.sum_up();
        }
        let ours = self.birthmark.kind().is_some_and(MarkKind::is_ours);
        let birthmark = &self.birthmark;
        let reasons = self
            .judge
            .judge(&|name| birthmark.get(name), ours, &mut self.found.named);
        self.current = Some(self.groups.len());
        self.judged.insert(self.key.clone(), self.groups.len());
        self.groups.push(Judged {
            reasons,
            first: line,
            records: 1,
        });
    }

    fn check_time(&mut self, line: u64, step: Step) {
        let Some(member) = self.timestamp else { return };
        if step == Step::Same && !self.birthmark.changed().contains(&member) {
            return;
        }
        let ours = self.birthmark.kind().is_some_and(MarkKind::is_ours);
        let raw = self.birthmark.value(member);
        if raw == b"null" {
            return;
        }
        if let Some(reason) = mark::timestamp(raw, ours) {
            self.add_sum(reason.at(line), 1);
            return;
        }
        if raw < self.newest.as_slice() {
            self.found.unordered.add(line, || {
                "its timestamp is older than the one above".to_owned()
            });
        }
        self.newest.clear();
        self.newest.extend_from_slice(raw);
    }

    fn add_sum(&mut self, reason: Reason, records: u64) {
        let same = |known: &&mut Reason| known.code == reason.code && known.text == reason.text;
        if let Some(known) = self.sums.iter_mut().find(same) {
            known.records += records;
            known.line = known.line.min(reason.line);
        } else if self.sums.len() < MOST_REASONS {
            self.sums.push(Reason { records, ..reason });
        } else if let Some(known) = self
            .sums
            .iter_mut()
            .find(|known| known.code == "more-reasons" && known.word == reason.word)
        {
            known.records += records;
        } else {
            let more = Reason::new(reason.word, "more-reasons", "and more of the kind");
            self.sums.push(Reason {
                records,
                line: reason.line,
                ..more
            });
        }
    }

    fn sum_up(&mut self) {
        self.judged.clear();
        self.current = None;
        for group in std::mem::take(&mut self.groups) {
            for reason in group.reasons {
                self.add_sum(reason.at(group.first), group.records);
            }
        }
    }

    fn finish(mut self) -> Scanned {
        self.sum_up();
        let mut found = self.found;
        found.size = self.whole.length();
        found.digest = self.whole.digest().to_string();
        found.content_digest = self.content.digest().to_string();
        // Counts that end where the file ends without a line end after them.
        for mark in found.marks.iter_mut().skip(self.next_lines) {
            mark.records = found.records;
        }
        for (name, swing) in self.swings {
            // A field that often comes back is one that simply has few values.
            if swing.returns <= MOST_PLACES as u64 {
                for line in swing.lines {
                    let name = crate::text::short(&name, 40);
                    found.odd.add(line, || {
                        format!("its {name} differs from those above and below")
                    });
                }
            }
        }
        found.odd.first.sort();
        let whole = self.sums.iter_mut().filter(|reason| {
            // What holds for every record needs no line.
            reason.records == found.records && reason.word < Word::CannotTell
        });
        whole.for_each(|reason| reason.line = None);
        found.reasons = self.sums;
        found
    }
}
