//! A JSONL file read once, in blocks, and the birthmarks of its records compared
//! with each other as bytes.
//!
//! Of a million records most have the birthmark of the one before but for its
//! timestamp and a seed. So a birthmark is not parsed: it is laid over the one
//! before, member by member, and only the members that differ are looked at. Any
//! other shape is walked anew.
//!
//! # Invariants
//!
//! * Memory does not grow with the number of records: one block, one line, one birthmark.
//! * Each byte of the file is handed over once, in order, whatever the lines are.
//!
//! # Limitations
//!
//! * A line longer than [`LINE_LIMIT`] is not looked into.

use std::io::{self, Read};

use birthmark_core::json::{self, Object, ScanError, Where};

/// The longest line that is held in memory, in bytes.
pub(crate) const LINE_LIMIT: usize = 256 << 20;
/// How much is read at once.
const BLOCK: usize = 1 << 20;

/// One line with a record, or with what should be one.
pub(crate) struct Line<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// The record, without byte order mark and line end.
    pub record: &'a [u8],
    /// What stands before the record (a byte order mark) and after it (the line end).
    pub around: (&'a [u8], &'a [u8]),
    /// Whether the line is longer than we look at; `record` is then its beginning.
    pub too_long: bool,
}

impl Line<'_> {
    /// Whether nothing but white space stands on it.
    pub(crate) fn is_blank(&self) -> bool {
        self.record
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }

    /// Whether the line has its end.
    pub(crate) fn has_end(&self) -> bool {
        !self.around.1.is_empty()
    }
}

/// What is done with a file's bytes and lines.
pub(crate) trait Sink {
    /// The next bytes of the file, whatever they are.
    fn bytes(&mut self, bytes: &[u8]);
    /// The next line, blank ones included. False ends the reading.
    fn line(&mut self, line: Line<'_>) -> bool;
}

/// Reads a file to its end, or until the sink has enough.
pub(crate) fn read(file: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(2 * BLOCK);
    let (mut number, mut offset, mut skipping) = (1, 0, false);
    loop {
        let had = buffer.len();
        let got = Read::take(&mut *file, BLOCK as u64).read_to_end(&mut buffer)?;
        sink.bytes(buffer.get(had..).unwrap_or_default());
        let ended = got < BLOCK;
        let mut at = 0;
        let mut searched = had;
        while let Some(end) =
            memchr::memchr(b'\n', &buffer[searched..]).map(|end| searched + end + 1)
        {
            if !skipping && !sink.line(line_of(&buffer[at..end], number, offset, false)) {
                return Ok(());
            }
            skipping = false;
            number += 1;
            offset += (end - at) as u64;
            (at, searched) = (end, end);
        }
        if ended {
            if at < buffer.len() && !skipping {
                sink.line(line_of(&buffer[at..], number, offset, false));
            }
            return Ok(());
        }
        buffer.drain(..at);
        if buffer.len() > LINE_LIMIT || skipping {
            if !skipping && !sink.line(line_of(&buffer, number, offset, true)) {
                return Ok(());
            }
            skipping = true;
            offset += buffer.len() as u64;
            buffer = Vec::with_capacity(2 * BLOCK);
        }
    }
}

fn line_of(whole: &[u8], number: u64, offset: u64, too_long: bool) -> Line<'_> {
    let body = if offset == 0 {
        json::without_bom(whole)
    } else {
        whole
    };
    let (before, body) = whole.split_at(whole.len() - body.len());
    let ending = match body {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    let (record, end) = body.split_at(body.len() - ending);
    Line {
        number,
        offset,
        record,
        around: (before, end),
        too_long,
    }
}

/// Where one member of a birthmark lies in it.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
}

/// What kind of birthmark a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// Ours, under `metadata`.
    Metadata,
    /// Ours, under `birthmark`, since `metadata` was taken.
    Beside,
    /// Ours, among the user's own keys in `metadata`.
    Merged,
    /// Ours, but it cannot be told from the user's keys.
    Unclear,
    /// A `git_commit` under `metadata` that names no format of ours.
    Foreign,
}

impl MarkKind {
    /// Whether it names our format.
    pub(crate) fn is_ours(self) -> bool {
        self != Self::Foreign
    }

    /// The word for JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Beside => "birthmark",
            Self::Merged => "metadata, merged",
            Self::Unclear => "metadata, merged unclearly",
            Self::Foreign => "metadata, foreign",
        }
    }
}

/// The birthmark of the record at hand, as it differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The record has none.
    None,
    /// The same members as before; [`Marks::changed`] says which have another value.
    Same,
    /// Other members: all were looked at anew.
    Anew,
}

/// The birthmark of the record at hand.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    raw: Vec<u8>,
    values: Vec<Place>,
    names: Vec<String>,
    kind: Option<MarkKind>,
    changed: Vec<usize>,
    spare: Vec<Place>,
    old: Vec<u8>,
}

impl Marks {
    /// Looks at the birthmark of a record that was scanned.
    pub(crate) fn step(&mut self, record: &[u8], object: &Object) -> Step {
        if let Some(raw) = self.candidate(record, object)
            && self.lay_over(raw)
        {
            return Step::Same;
        }
        let place = json::locate_birthmark(record, object);
        let kind = match place {
            Where::Absent => return Step::None,
            Where::Metadata(_) => MarkKind::Metadata,
            Where::Beside(_) => MarkKind::Beside,
            Where::Merged { .. } => MarkKind::Merged,
            Where::Unclear(_) => MarkKind::Unclear,
            Where::Foreign(_) => MarkKind::Foreign,
        };
        self.look_anew(place.value(record).unwrap_or_default(), kind);
        Step::Anew
    }

    /// Looks at a birthmark that was located already.
    #[cfg(feature = "catalog")]
    pub(crate) fn step_located(&mut self, record: &[u8], place: &Where) -> Step {
        let kind = match place {
            Where::Absent => return Step::None,
            Where::Metadata(_) => MarkKind::Metadata,
            Where::Beside(_) => MarkKind::Beside,
            Where::Merged { .. } => MarkKind::Merged,
            Where::Unclear(_) => MarkKind::Unclear,
            Where::Foreign(_) => MarkKind::Foreign,
        };
        let raw = place.value(record).unwrap_or_default();
        let lies_over = self.kind == Some(kind) && kind != MarkKind::Merged;
        if lies_over && self.lay_over(raw) {
            return Step::Same;
        }
        self.look_anew(raw, kind);
        Step::Anew
    }

    /// The same for bytes that stand where a birthmark of ours would, without a scan of
    /// the record round them: true where they have the shape of the one before.
    pub(crate) fn step_on_sight(&mut self, raw: &[u8]) -> bool {
        self.kind == Some(MarkKind::Metadata) && self.lay_over(raw)
    }

    /// The members whose values changed at the last [`Step::Same`].
    pub(crate) fn changed(&self) -> &[usize] {
        &self.changed
    }

    /// The names of the members, in order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The value of a member, by its place among the members.
    pub(crate) fn value(&self, member: usize) -> &[u8] {
        let place = self.values.get(member);
        place
            .and_then(|place| self.raw.get(place.start..place.end))
            .unwrap_or_default()
    }

    /// What the value of a member was in the record before, after a [`Step::Same`].
    pub(crate) fn before(&self, member: usize) -> &[u8] {
        let place = self.spare.get(member);
        place
            .and_then(|place| self.old.get(place.start..place.end))
            .unwrap_or_default()
    }

    /// The value of a member, by its name; of equal names the last.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let member = self.names.iter().rposition(|known| known == name)?;
        Some(self.value(member))
    }

    /// The whole birthmark.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Option<MarkKind> {
        self.kind
    }

    /// The bytes that would hold a birthmark of the kind that the one before had.
    fn candidate<'a>(&self, record: &'a [u8], object: &Object) -> Option<&'a [u8]> {
        let found = match self.kind? {
            MarkKind::Beside => object.birthmark?,
            MarkKind::Metadata | MarkKind::Foreign if object.birthmark.is_none() => {
                object.metadata?
            }
            _ => return None,
        };
        (found.times == 1).then(|| found.member.value.of(record))
    }

    /// Lays a new birthmark over the one before; true where they have the same shape,
    /// and then it takes its place.
    fn lay_over(&mut self, raw: &[u8]) -> bool {
        self.changed.clear();
        self.spare.clear();
        let (mut old, mut new) = (0, 0);
        for (member, place) in self.values.iter().enumerate() {
            let gap = &self.raw[old..place.start];
            if raw.get(new..new + gap.len()) != Some(gap) {
                return false;
            }
            new += gap.len();
            let before = &self.raw[place.start..place.end];
            let rest = raw.get(new..).unwrap_or_default();
            let same = rest.starts_with(before)
                && rest
                    .get(before.len())
                    .is_some_and(|after| is_delimiter(*after));
            let length = if same {
                before.len()
            } else {
                simple_value(rest)
            };
            // What names the format, or could hide a shape, is never taken on sight.
            if length == 0 || (!same && self.names[member] == "birthmark") {
                return false;
            }
            if !same {
                self.changed.push(member);
            }
            self.spare.push(Place {
                start: new,
                end: new + length,
            });
            new += length;
            old = place.end;
        }
        if raw.get(new..) != Some(&self.raw[old..]) {
            return false;
        }
        if !self.changed.is_empty() {
            std::mem::swap(&mut self.raw, &mut self.old);
            self.raw.clear();
            self.raw.extend_from_slice(raw);
            std::mem::swap(&mut self.values, &mut self.spare);
        }
        true
    }

    fn look_anew(&mut self, raw: &[u8], kind: MarkKind) {
        self.raw.clear();
        self.raw.extend_from_slice(raw);
        self.values.clear();
        self.names.clear();
        self.changed.clear();
        self.kind = Some(kind);
        for member in json::walk(raw) {
            let name = json::as_text_lossy(member.key.of(raw)).unwrap_or_default();
            self.names.push(name.into_owned());
            self.values.push(Place {
                start: member.value.start,
                end: member.value.end,
            });
        }
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t')
}

/// The length of the string, number, true, false or null at the start of bytes that
/// are known to be JSON; 0 for anything else, which must be walked.
fn simple_value(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'"') => string_length(bytes),
        Some(b'0'..=b'9' | b't' | b'f' | b'n') => plain_length(bytes),
        Some(b'-') if bytes.get(1).is_some_and(u8::is_ascii_digit) => plain_length(bytes),
        _ => 0,
    }
}

fn plain_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| is_delimiter(*byte))
        .unwrap_or(0)
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    0
}

/// What is wrong with a line, and where, for people.
pub(crate) fn fault_of(line: &Line<'_>, error: &ScanError) -> String {
    let offset = line.offset + (line.around.0.len() + error.offset) as u64;
    let what = if error.is_cut_short() && !line.has_end() {
        "it is cut short".to_owned()
    } else {
        error.kind.to_string()
    };
    format!("{what} (byte {offset})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(marks: &mut Marks, record: &str) -> Step {
        let object = json::scan_object(record.as_bytes()).unwrap();
        marks.step(record.as_bytes(), &object)
    }

    const FIRST: &str = r#"{"a": 1, "metadata": {"git_commit": "c", "seed": 1, "note": "x", "birthmark": "birthmark/v1"}}"#;

    #[test]
    fn only_the_members_that_differ_are_told() {
        let mut marks = Marks::default();
        assert_eq!(step(&mut marks, FIRST), Step::Anew);
        assert_eq!(step(&mut marks, FIRST), Step::Same);
        assert!(marks.changed().is_empty());
        let other = FIRST
            .replace("\"seed\": 1", "\"seed\": -12.5")
            .replace("\"x\"", r#""a\"}, \\""#);
        assert_eq!(step(&mut marks, &other), Step::Same);
        assert_eq!(marks.changed(), [1, 2]);
        assert_eq!(marks.get("seed"), Some(b"-12.5".as_slice()));
        assert_eq!(marks.get("note"), Some(br#""a\"}, \\""#.as_slice()));
        assert_eq!(step(&mut marks, FIRST), Step::Same);
        assert_eq!(marks.get("seed"), Some(b"1".as_slice()));
    }

    #[test]
    fn another_shape_format_or_place_is_looked_at_anew() {
        let mut marks = Marks::default();
        step(&mut marks, FIRST);
        let more = FIRST.replace("\"seed\": 1", "\"seed\": 1, \"top\": 2");
        assert_eq!(step(&mut marks, &more), Step::Anew);
        assert_eq!(marks.get("top"), Some(b"2".as_slice()));
        step(&mut marks, FIRST);
        let foreign = FIRST.replace("birthmark/v1", "else");
        assert_eq!(step(&mut marks, &foreign), Step::Anew);
        assert_eq!(marks.kind(), Some(MarkKind::Foreign));
        step(&mut marks, FIRST);
        let list = FIRST.replace("\"x\"", "[\"x\"]");
        assert_eq!(step(&mut marks, &list), Step::Anew);
        assert_eq!(
            step(
                &mut marks,
                r#"{"metadata": {"git_commit": 1}, "birthmark": {}}"#
            ),
            Step::Anew
        );
        assert_eq!(step(&mut marks, r#"{"b": 1}"#), Step::None);
    }

    #[test]
    fn longer_number_with_the_same_beginning_is_a_change() {
        let mut marks = Marks::default();
        step(&mut marks, FIRST);
        assert_eq!(
            step(&mut marks, &FIRST.replace("\"seed\": 1", "\"seed\": 11")),
            Step::Same
        );
        assert_eq!(marks.changed(), [1]);
    }

    struct Gather(Vec<(u64, u64, String)>, Vec<u8>);

    impl Sink for Gather {
        fn bytes(&mut self, bytes: &[u8]) {
            self.1.extend_from_slice(bytes);
        }
        fn line(&mut self, line: Line<'_>) -> bool {
            let text = String::from_utf8(line.record.to_vec()).unwrap();
            self.0.push((line.number, line.offset, text));
            true
        }
    }

    #[test]
    fn lines_and_bytes_are_those_of_the_file_at_every_block_boundary() {
        use std::io::{Seek, Write};
        let mut text = String::from("\u{feff}");
        for number in 0..40_000 {
            text.push_str(&format!(
                "{{\"n\": {number}}}{}",
                if number % 3 == 0 { "\r\n" } else { "\n" }
            ));
            if number % 1000 == 0 {
                text.push_str(&"x".repeat(70_000));
                text.push('\n');
            }
        }
        text.push_str("tail");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut sink = Gather(Vec::new(), Vec::new());
        read(&mut file, &mut sink).unwrap();
        assert_eq!(sink.1, text.as_bytes());
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
        assert_eq!(sink.0.len(), lines.len());
        let mut offset = 0;
        for (place, (number, at, record)) in sink.0.iter().enumerate() {
            assert_eq!(*number, place as u64 + 1);
            assert_eq!(*at, offset as u64);
            assert_eq!(record, lines[place].trim_end_matches('\r'));
            offset += lines[place].len() + 1 + if place == 0 { 3 } else { 0 };
        }
    }
}
