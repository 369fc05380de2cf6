//! Reading a file for the catalog: its birthmarks as groups, its digest, its metrics.
//!
//! Every line is checked to be a JSON object; a line that is none is counted and hides
//! no other. Memory does not grow with the number of records.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use birthmark_catalog::engine::{FileFacts, Growing, Stopped};
use birthmark_catalog::groups::{Group, Grouper, Place, fields_of};
use birthmark_catalog::value::Value;
use birthmark_core::Fields;
use birthmark_core::evaluation::Tool;
use birthmark_core::json::{self, Followed, Where};
use birthmark_store::format::codec::Codec;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::jsonl::Jsonl;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{Each, FileKind, FormatError, Input, Mark, Source};
use birthmark_store::running::RunningDigest;
use birthmark_store::{Layout, atomic};

use super::items::items_of;
use crate::evaluation;

/// Metrics of one report; beyond this number they are left out.
const MOST_METRICS: usize = 4_096;
/// Summaries are looked into so deep.
const MOST_DEPTH: usize = 16;

/// What stands at `path`, which is stored as `file`: read, if it can carry a birthmark.
pub(crate) fn scan(path: &Path, file: &str) -> FileFacts {
    let mut facts = FileFacts {
        file: file.to_owned(),
        ..FileFacts::default()
    };
    if let Ok(metadata) = path.metadata()
        && metadata.is_file()
    {
        facts.size = metadata.len();
    }
    if path.is_file() && within(path, &mut facts) {
        return facts;
    }
    beside(path, &mut facts);
    facts
}

/// Digests what passes.
struct Digesting {
    file: File,
    running: RunningDigest,
}

impl Read for Digesting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        self.running.update(buffer.get(..got).unwrap_or_default());
        Ok(got)
    }
}

impl Source for Digesting {
    fn file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

/// What a file carries within; false where it carries nothing.
fn within(path: &Path, facts: &mut FileFacts) -> bool {
    let Some(kind) = FileKind::of(path) else {
        return false;
    };
    let Ok(mut file) = birthmark_store::atomic::open_regular(path) else {
        return false;
    };
    let mut reading = Reading {
        is_report: kind == FileKind::Report,
        ..Reading::default()
    };
    let mut take = |mark: Result<Mark<'_>, FormatError>| {
        match mark {
            Ok(mark) => reading.take(&mark),
            Err(_) => reading.bad_lines += 1,
        }
        true
    };
    facts.scanned = true;
    let mut lines = None;
    let digest = if kind.has_key() {
        // Only its key-values are read: it may be larger than all the rest.
        let input = Input {
            name: path,
            bytes: &mut file,
        };
        // What is wrong with it shows in that nothing was found.
        let _ = kind.format().read(input, &mut take);
        None
    } else if kind == FileKind::Records(Codec::Plain) {
        let input = Input {
            name: path,
            bytes: &mut file,
        };
        let seen = Jsonl::default().read_seen(input, true, &mut take).ok();
        seen.and_then(|seen| {
            facts.size = seen.bytes;
            lines = seen.is_ended.then_some(seen.lines);
            Some(seen.digest?.to_string())
        })
    } else {
        read_all(path, kind, file, &mut take)
    };
    facts.stopped = reading
        .last
        .zip(lines)
        .map(|(last, lines)| Stopped { last, lines });
    facts.groups = reading.grouper.finish();
    if facts.groups.is_empty() {
        return false;
    }
    if let (Some(marks), [whole]) = (reading.of_items.take(), facts.groups.as_slice()) {
        facts.groups = marks
            .iter()
            .map(|mark| Group {
                constants: fields_of(&serde_json::to_vec(mark).unwrap_or_default()),
                ..whole.clone()
            })
            .collect();
    }
    facts.format = Some(kind.word());
    // What could not be read to its end has no digest.
    facts.digest = digest;
    facts.records = kind.has_records().then_some(reading.records);
    facts.unstamped = reading.unstamped;
    facts.bad_lines = reading.bad_lines;
    facts.metrics = reading.metrics;
    if kind.has_key() {
        // Its one birthmark is of no record.
        for group in &mut facts.groups {
            group.records = 0;
            (group.line, group.start, group.end) = (0, 0, 0);
        }
        facts.unstamped = 0;
    }
    true
}

/// Reads a file to its end, and gives its digest; none where that is not possible.
fn read_all(path: &Path, kind: FileKind, file: File, take: &mut Each<'_>) -> Option<String> {
    let mut bytes = Digesting {
        file,
        running: RunningDigest::default(),
    };
    let input = Input {
        name: path,
        bytes: &mut bytes,
    };
    kind.format().read(input, take).ok()?;
    // Behind packed text there may be more.
    io::copy(&mut bytes, &mut io::sink()).ok()?;
    Some(bytes.running.digest().to_string())
}

/// Reads on where a file that a session is writing to has grown; none where it must be read
/// whole. The last record that was read is read again, to know what changed after it.
pub(crate) fn read_on(path: &Path, file: &str, from: Growing) -> Option<FileFacts> {
    let kind = FileKind::Records(Codec::Plain);
    if FileKind::of(path) != Some(kind) {
        return None;
    }
    let mut open = File::open(path).ok()?;
    let mut reading = Reading {
        records: from.records,
        unstamped: from.unstamped,
        bad_lines: from.bad_lines,
        last: Some(from.stopped.last),
        ..Reading::default()
    };
    let last = from.stopped.last;
    open.seek(SeekFrom::Start(last.start)).ok()?;
    let mut line = vec![0; usize::try_from(last.end.checked_sub(last.start)?).ok()?];
    open.read_exact(&mut line).ok()?;
    let input = Input {
        name: path,
        bytes: &mut line.as_slice(),
    };
    kind.format()
        .read(input, &mut |mark| {
            mark.is_ok_and(|mark| reading.go_on(&mark, from.before, &from.last))
        })
        .ok()?;
    if !reading.went_on {
        return None;
    }
    open.seek(SeekFrom::Start(from.size)).ok()?;
    let mut take = |mark: Result<Mark<'_>, FormatError>| {
        match mark {
            Ok(mark) => reading.take(&Mark {
                line: mark.line + from.stopped.lines,
                offset: mark.offset + from.size,
                ..mark
            }),
            Err(_) => reading.bad_lines += 1,
        }
        true
    };
    let input = Input {
        name: path,
        bytes: &mut open,
    };
    let seen = Jsonl::default().read_seen(input, false, &mut take).ok()?;
    let lines = from.stopped.lines + seen.lines;
    Some(FileFacts {
        file: file.to_owned(),
        scanned: true,
        size: from.size + seen.bytes,
        format: Some(kind.word()),
        records: Some(reading.records),
        unstamped: reading.unstamped,
        bad_lines: reading.bad_lines,
        stopped: reading
            .last
            .filter(|_| seen.is_ended)
            .map(|last| Stopped { last, lines }),
        groups: reading.grouper.finish(),
        from: Some(Box::new(from)),
        ..FileFacts::default()
    })
}

/// What a sidecar says of a file or folder.
fn beside(path: &Path, facts: &mut FileFacts) {
    let place = Layout::sidecar(path);
    if !place.is_file() {
        return;
    }
    facts.scanned = true;
    let Ok(sidecar) = Sidecar::read(&place) else {
        return;
    };
    facts.format = Some(match sidecar.kind {
        birthmark_store::format::sidecar::SidecarKind::File => "file",
        birthmark_store::format::sidecar::SidecarKind::Folder => "folder",
    });
    facts.size = sidecar.size;
    facts.records = sidecar.records;
    facts.digest = Some(sidecar.digest.to_string());
    facts.content_digest = sidecar.content_digest.map(|digest| digest.to_string());
    if facts.format == Some("file") {
        facts.metrics = reported(path);
    }
    facts.groups = vec![Group {
        line: 0,
        start: 0,
        end: 0,
        records: sidecar.records.unwrap_or(0),
        constants: fields_of(&sidecar.birthmark),
        zones: Vec::new(),
    }];
}

/// What the log of another tool came to, or a report that has its birthmark beside it.
/// Nothing where it is no report, or cannot be read.
pub(super) fn reported(path: &Path) -> Vec<(String, Value)> {
    if !evaluation::is_report(path).unwrap_or(false) {
        return Vec::new();
    }
    let Ok(Some(found)) = evaluation::read(path) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    if matches!(found.tool, Tool::Birthmark | Tool::Plain) {
        let bytes = atomic::read_limited(path, REPORT_LIMIT as u64).unwrap_or_default();
        if let Some(summary) = json::get(json::without_bom(&bytes), &["summary"]) {
            metrics("", summary, MOST_DEPTH, &mut out);
        }
        return out;
    }
    for system in &found.systems {
        for metric in system.metrics.iter().take(MOST_METRICS) {
            // `task/metric` of the tools is `task.metric` here, as in a summary.
            let name = metric.name.replace('/', ".");
            let name = match &system.role {
                Some(role) if found.systems.len() > 1 => format!("{role}.{name}"),
                _ => name,
            };
            let value = metric.value.number().map(|number| number.to_string());
            out.extend(value.and_then(|text| Some((name, Value::number(&text)?))));
        }
    }
    out
}

#[derive(Default)]
struct Reading {
    grouper: Grouper,
    members: Followed,
    /// Whether a record is a report, which has a summary.
    is_report: bool,
    records: u64,
    unstamped: u64,
    bad_lines: u64,
    metrics: Vec<(String, Value)>,
    /// How the items of a report were made, where not all were made alike.
    of_items: Option<Vec<Fields>>,
    /// The last record with a birthmark.
    last: Option<Place>,
    /// Whether a reading that had stopped was gone on with.
    went_on: bool,
}

impl Reading {
    /// Goes on behind this record, which is the last of `group`.
    fn go_on(&mut self, mark: &Mark<'_>, before: usize, group: &Group) -> bool {
        if let Some(raw) = mark.value() {
            self.members.anew(raw);
            let members = ours(mark, &self.members);
            self.grouper = Grouper::resume(before, group.clone(), members.into_iter());
            self.went_on = true;
        }
        true
    }

    fn take(&mut self, mark: &Mark<'_>) {
        self.records += 1;
        let place = Place {
            line: mark.line,
            start: mark.offset,
            end: mark.offset + mark.record.len() as u64,
        };
        let Some(raw) = mark.value() else {
            self.unstamped += 1;
            return;
        };
        self.last = Some(place);
        if let Some(changes) = mark.changes
            && self.grouper.are_plain(changes.iter().map(|one| one.member))
        {
            let values = changes.iter();
            self.grouper.same(
                place,
                values.map(|one| (one.member, one.value.of(mark.record))),
            );
        } else {
            self.members.anew(raw);
            let members = ours(mark, &self.members);
            self.grouper.anew(place, members.into_iter());
        }
        if !self.is_report {
            return;
        }
        if let Some(summary) = json::get(mark.record, &["summary"]) {
            self.metrics.clear();
            metrics("", summary, MOST_DEPTH, &mut self.metrics);
        }
        self.of_items = items_of(mark, raw);
    }
}

/// The members of the birthmark at hand that are ours.
fn ours<'a>(mark: &Mark<'_>, members: &'a Followed) -> Vec<(&'a str, &'a [u8])> {
    let merged = matches!(mark.place, Where::Merged { .. });
    let users = merged
        .then(|| members.get("merged").and_then(json::as_u64))
        .flatten()
        .unwrap_or(0);
    let all = members.all().enumerate();
    all.filter(|(place, (name, _))| *place as u64 >= users && !(merged && *name == "merged"))
        .map(|(_, member)| member)
        .collect()
}

/// The values of a summary, at any depth, under dotted names.
fn metrics(name: &str, raw: &[u8], depth: usize, out: &mut Vec<(String, Value)>) {
    if out.len() >= MOST_METRICS || depth == 0 {
        return;
    }
    let joined = |key: &str| {
        if name.is_empty() {
            key.to_owned()
        } else {
            format!("{name}.{key}")
        }
    };
    match raw.first() {
        Some(b'{') => {
            for (key, value) in json::members(raw) {
                let key = json::as_text_lossy(key).unwrap_or_default();
                metrics(&joined(&key), value, depth - 1, out);
            }
        }
        Some(b'[') => {
            for (place, element) in json::elements(raw).enumerate().take(64) {
                metrics(&joined(&place.to_string()), element.of(raw), depth - 1, out);
            }
        }
        _ if name.is_empty() => {}
        _ => {
            let value = Value::of_json(raw);
            match out.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value,
                None => out.push((name.to_owned(), value)),
            }
        }
    }
}
