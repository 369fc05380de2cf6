//! What the birthmarks of a file's records have in common, and how the rest varies.
//!
//! Each field is a column that knows its value at the record at hand. A value that
//! stays costs nothing; only a change is counted. Memory is bounded: few distinct
//! values are kept, then only the least and the greatest.

use std::collections::HashMap;

use birthmark_core::birthmark::Fields;
use birthmark_core::json::{self, MarkKind, Marks, Step};
use serde_json::Value;

/// Distinct values that are kept of a field.
const FEW: usize = 16;
/// The same of fields that are asked for one by one.
const MANY: usize = 1_000;
/// Longer values are not kept as distinct ones, in bytes.
const LONG: usize = 1_024;
/// Fields beyond this number are not looked at.
const MOST_FIELDS: usize = 512;

/// A field that is not the same in all records.
#[derive(Debug, Clone)]
pub struct Varying {
    /// The field.
    pub name: String,
    /// How many distinct values it has; `None` is more than are counted.
    pub distinct: Option<u64>,
    /// The values with their counts, the most frequent first, where they are few.
    pub values: Vec<(Value, u64)>,
    /// The least value: of numbers by number, of strings by their bytes.
    pub min: Option<Value>,
    /// The greatest value.
    pub max: Option<Value>,
    /// The value of the last record that carries a birthmark; none where it has not the field.
    pub last: Option<Value>,
    /// Records that have the field.
    pub records: u64,
}

#[derive(Debug)]
struct Column {
    name: String,
    current: Option<Vec<u8>>,
    since: u64,
    records: u64,
    distinct: Vec<(Vec<u8>, u64)>,
    limit: usize,
    more: bool,
    range: Range,
}

/// All columns of a file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// For each member of the shape at hand, its column.
    slots: Vec<Option<usize>>,
    marked: u64,
    /// Whether fields were left out because there are too many.
    pub truncated: bool,
}

impl Columns {
    /// Takes the birthmark of one record.
    pub(super) fn take(&mut self, marks: &Marks, step: Step) {
        match step {
            Step::None => return,
            Step::Same => {
                for member in marks.changed() {
                    if let Some(Some(column)) = self.slots.get(*member) {
                        let now = self.marked;
                        self.columns[*column].set(Some(marks.value(*member)), now);
                    }
                }
            }
            Step::Anew => self.reshape(marks),
        }
        self.marked += 1;
    }

    fn reshape(&mut self, marks: &Marks) {
        self.slots.clear();
        let skip = users_members(marks);
        let mut there = vec![false; self.columns.len()];
        for (member, name) in marks.names().iter().enumerate() {
            if member < skip || (skip > 0 && name == "merged") {
                self.slots.push(None);
                continue;
            }
            let column = self.column(name);
            self.slots.push(column);
            let Some(column) = column else { continue };
            if let Some(there) = there.get_mut(column) {
                *there = true;
            }
            let now = self.marked;
            self.columns[column].set(Some(marks.value(member)), now);
        }
        for (column, _) in there.iter().enumerate().filter(|(_, there)| !**there) {
            let now = self.marked;
            self.columns[column].set(None, now);
        }
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(column) = self.by_name.get(name) {
            return Some(*column);
        }
        if self.columns.len() >= MOST_FIELDS {
            self.truncated = true;
            return None;
        }
        let limit = if matches!(name, "session_id" | "git_commit" | "run_id") {
            MANY
        } else {
            FEW
        };
        self.columns.push(Column {
            name: name.to_owned(),
            current: None,
            since: self.marked,
            records: 0,
            distinct: Vec::new(),
            limit,
            more: false,
            range: Range::None,
        });
        self.by_name.insert(name.to_owned(), self.columns.len() - 1);
        Some(self.columns.len() - 1)
    }

    /// The fields that are the same in all records, and those that vary.
    pub(super) fn finish(mut self) -> (Fields, Vec<Varying>) {
        let (mut same, mut varies) = (Fields::new(), Vec::new());
        for column in &mut self.columns {
            let last = column.current.clone();
            column.set(None, self.marked);
            match column.distinct.as_slice() {
                [(value, _)] if !column.more && column.records == self.marked => {
                    same.insert(column.name.clone(), parse(value));
                }
                _ => varies.push(column.varying(last.as_deref())),
            }
        }
        (same, varies)
    }
}

/// How many members of a merged birthmark are the user's own.
pub(super) fn users_members(marks: &Marks) -> usize {
    if marks.kind() != Some(MarkKind::Merged) {
        return 0;
    }
    let count = marks.get("merged").and_then(json::as_u64).unwrap_or(0);
    usize::try_from(count).unwrap_or(0)
}

impl Column {
    /// The value from record `now` on; none where the field is not there.
    fn set(&mut self, value: Option<&[u8]>, now: u64) {
        if self.current.as_deref() == value {
            return;
        }
        let past = now - self.since;
        self.since = now;
        if let Some(old) = self.current.take() {
            self.records += past;
            self.count(&old, past);
            if let Some(value) = value {
                let mut memory = old;
                memory.clear();
                memory.extend_from_slice(value);
                self.current = Some(memory);
            }
        } else {
            self.current = value.map(<[u8]>::to_vec);
        }
        if let Some(value) = value {
            self.range.widen(value);
        }
    }

    fn count(&mut self, value: &[u8], times: u64) {
        if self.more {
            return;
        }
        if let Some((_, count)) = self.distinct.iter_mut().find(|(known, _)| known == value) {
            *count += times;
        } else if self.distinct.is_empty()
            || (self.distinct.len() < self.limit && value.len() <= LONG)
        {
            self.distinct.push((value.to_vec(), times));
        } else {
            // From here on nothing is counted: the list would be no whole one.
            self.more = true;
            self.distinct = Vec::new();
        }
    }

    fn varying(&mut self, last: Option<&[u8]>) -> Varying {
        let (min, max) = self.range.ends();
        let mut values = if self.more {
            Vec::new()
        } else {
            std::mem::take(&mut self.distinct)
        };
        values.sort_by_key(|value| std::cmp::Reverse(value.1));
        Varying {
            name: self.name.clone(),
            distinct: (!self.more).then_some(values.len() as u64),
            values: values
                .iter()
                .map(|(value, count)| (parse(value), *count))
                .collect(),
            min,
            max,
            last: last.map(parse),
            records: self.records,
        }
    }
}

/// The least and the greatest value of a field, as long as all are of one kind.
#[derive(Debug)]
enum Range {
    None,
    Numbers((f64, Vec<u8>), (f64, Vec<u8>)),
    Texts(Vec<u8>, Vec<u8>),
    Mixed,
}

impl Range {
    fn widen(&mut self, value: &[u8]) {
        let number = || std::str::from_utf8(value).ok()?.parse::<f64>().ok();
        match (&mut *self, value.first()) {
            // Null says nothing of a range.
            (_, Some(b'n')) | (Self::Mixed, _) => {}
            (Self::None, Some(b'"')) => *self = Self::Texts(value.to_vec(), value.to_vec()),
            (Self::Texts(min, max), Some(b'"')) => {
                if value < min.as_slice() {
                    min.clear();
                    min.extend_from_slice(value);
                } else if value > max.as_slice() {
                    max.clear();
                    max.extend_from_slice(value);
                }
            }
            (Self::None, Some(b'0'..=b'9' | b'-')) => {
                if let Some(number) = number() {
                    *self = Self::Numbers((number, value.to_vec()), (number, value.to_vec()));
                }
            }
            (Self::Numbers(min, max), Some(b'0'..=b'9' | b'-')) => {
                if let Some(number) = number() {
                    if number < min.0 {
                        *min = (number, value.to_vec());
                    } else if number > max.0 {
                        *max = (number, value.to_vec());
                    }
                }
            }
            _ => *self = Self::Mixed,
        }
    }

    fn ends(&self) -> (Option<Value>, Option<Value>) {
        match self {
            Self::None | Self::Mixed => (None, None),
            Self::Numbers(min, max) => (Some(parse(&min.1)), Some(parse(&max.1))),
            Self::Texts(min, max) => (Some(parse(min)), Some(parse(max))),
        }
    }
}

/// A value as JSON; what serde does not take (NaN, lone surrogates) is its text.
pub(super) fn parse(raw: &[u8]) -> Value {
    serde_json::from_slice(raw)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(raw).into_owned()))
}
