//! Two records: the same bytes, the same but for their birthmarks, or which members differ.

use std::path::Path;

use birthmark_core::json::{self, Where};
use birthmark_store::atomic;
use birthmark_store::format::codec::Codec;

use crate::error::{Error, Kind, Result};
use crate::lines::{self, Line, Sink};
use crate::text;

/// Members that are named.
const NAMED: usize = 5;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct RecordDiff {
    /// They are the same bytes, birthmark included.
    pub(super) identical: bool,
    equal: bool,
    /// Members whose values differ, or that only one of them has.
    differ: Vec<String>,
}

impl RecordDiff {
    /// Whether they hold the same, birthmarks apart.
    pub(super) fn is_same(&self) -> bool {
        self.identical || self.equal
    }

    /// In words.
    pub(super) fn says(&self) -> String {
        if self.identical {
            return "the same record, byte for byte".to_owned();
        }
        if self.equal {
            return "the same record but for its birthmark".to_owned();
        }
        let named: Vec<String> = self
            .differ
            .iter()
            .take(NAMED)
            .map(|name| text::short(name, 40))
            .collect();
        let more = self.differ.len().saturating_sub(NAMED);
        match (named.is_empty(), more) {
            (true, _) => "two records that are written differently".to_owned(),
            (false, 0) if named.len() == 1 => format!("two records: {} differs", named[0]),
            (false, 0) => format!("two records: {} differ", named.join(", ")),
            (false, more) => format!("two records: {} and {more} more differ", named.join(", ")),
        }
    }
}

/// Compares the records at two lines.
pub(super) fn diff(places: [(&Path, u64); 2]) -> Result<RecordDiff> {
    let [a, b] = [read(places[0])?, read(places[1])?];
    let bare = [bare(&a), bare(&b)];
    let mut found = RecordDiff {
        identical: a == b,
        equal: bare[0] == bare[1],
        differ: Vec::new(),
    };
    if found.equal {
        return Ok(found);
    }
    for (one, other) in [(&bare[0], &bare[1]), (&bare[1], &bare[0])] {
        for (key, value) in json::members(one) {
            let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
            let same = json::get(other, &[name.as_str()]) == Some(value);
            if !same && !found.differ.contains(&name) {
                found.differ.push(name);
            }
        }
    }
    Ok(found)
}

fn bare(record: &[u8]) -> Vec<u8> {
    let mut bare = Vec::new();
    let carries = json::find_birthmark(record)
        .is_ok_and(|place| !matches!(place, Where::Absent | Where::Foreign(_)));
    if carries && json::unstamp_record(&mut bare, record).is_ok() {
        return bare;
    }
    record.to_vec()
}

fn read((path, line): (&Path, u64)) -> Result<Vec<u8>> {
    let cannot = |source| {
        Error::from(birthmark_store::PathError {
            action: "read",
            path: path.to_owned(),
            source,
        })
    };
    let file = atomic::open_regular(path).map_err(cannot)?;
    let mut text = lines::text_of(file, Codec::of(path)).map_err(cannot)?;
    let mut one = One { line, record: None };
    lines::read(&mut *text, &mut one).map_err(cannot)?;
    one.record.ok_or_else(|| {
        let text = format!("`{}` has no line {line} that can be read", path.display());
        Error::new(Kind::Io, "no-line", text)
    })
}

struct One {
    line: u64,
    record: Option<Vec<u8>>,
}

impl Sink for One {
    fn bytes(&mut self, _: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if line.number < self.line {
            return true;
        }
        self.record = line.too_long.is_none().then(|| line.record.to_vec());
        false
    }
}
