//! `Zone`: how a field varies over the records of a group, and what a condition on it
//! can be among them.
//!
//! Where the distinct values are few they are all kept, with their counts, and every
//! question has its answer. Where they are many, the least and the greatest number and
//! text are kept, and how many records hold what kind: then some questions can only be
//! answered by looking into the file ([`State::Maybe`]).

mod range;

use serde_json::json;

use crate::filter::Test;
use crate::value::{Kind, NAN, NESTED, NUMBERS, TEXTS, Value};
use range::Range;

/// Distinct values that are kept.
const FEW: usize = 32;
/// Bytes that they may have together.
const FEW_BYTES: usize = 4_096;

/// How many records of a group a condition holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// For none.
    None,
    /// For at least one, and not all.
    Some,
    /// For all.
    All,
    /// It cannot be told without a look into the records.
    Maybe,
}

/// How one field varies over the records of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// Each distinct value as JSON, and how often it stands; `None` where they are many.
    values: Option<Vec<(Vec<u8>, u64)>>,
    bytes: usize,
    /// Records without the field.
    missing: u64,
    nulls: u64,
    trues: u64,
    falses: u64,
    nested: u64,
    nans: u64,
    numbers: Range,
    texts: Range,
}

impl Zone {
    /// Without any record yet.
    pub(crate) fn new() -> Self {
        Self {
            values: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Of a text field of which only the ends are known, both of some record.
    pub(crate) fn of_texts(low: &str, high: &str, records: u64) -> Self {
        Self {
            texts: Range {
                count: records,
                ends: Some((Value::text(low), Value::text(high))),
                small: None,
            },
            ..Self::default()
        }
    }

    /// Takes a value that stands in so many records more.
    pub(crate) fn add(&mut self, raw: Option<&[u8]>, times: u64) {
        if times == 0 {
            return;
        }
        let Some(raw) = raw else {
            self.missing += times;
            return;
        };
        match raw.first() {
            Some(b'n') => self.nulls += times,
            Some(b't') => self.trues += times,
            Some(b'f') => self.falses += times,
            Some(b'{' | b'[') => self.nested += times,
            Some(b'"') => self.texts.widen(raw, times),
            Some(b'N') => self.nans += times,
            _ => self.numbers.widen(raw, times),
        }
        let Some(values) = &mut self.values else {
            return;
        };
        if let Some((_, count)) = values.iter_mut().find(|(known, _)| known == raw) {
            *count += times;
        } else if values.len() < FEW && self.bytes + raw.len() <= FEW_BYTES {
            self.bytes += raw.len();
            values.push((raw.to_vec(), times));
        } else {
            self.values = None;
        }
    }

    /// Records in all.
    pub fn records(&self) -> u64 {
        self.missing
            + self.nulls
            + self.trues
            + self.falses
            + self.nested
            + self.nans
            + self.numbers.count
            + self.texts.count
    }

    /// Whether no record has the field.
    pub(crate) fn is_absent(&self) -> bool {
        self.records() == self.missing
    }

    /// The one value that stands in every record, if one does.
    pub(crate) fn constant(&self) -> Option<Value> {
        match self.values.as_deref() {
            Some([(raw, _)]) if self.missing == 0 => Some(Value::of_json(raw)),
            _ => None,
        }
    }

    /// The distinct values, where they are few.
    pub fn values(&self) -> Option<Vec<(Value, u64)>> {
        let values = self.values.as_ref()?;
        let read = |(raw, count): &(Vec<u8>, u64)| (Value::of_json(raw), *count);
        Some(values.iter().map(read).collect())
    }

    /// The least and the greatest value, of numbers where there are any, else of texts.
    pub fn ends(&self) -> Option<&(Value, Value)> {
        self.numbers.ends.as_ref().or(self.texts.ends.as_ref())
    }

    /// The least and the greatest text, where every record has a text and nothing else.
    pub(crate) fn only_texts(&self) -> Option<(String, String)> {
        let (low, high) = self.texts.ends.as_ref()?;
        (self.records() == self.texts.count)
            .then(|| (low.as_str().to_owned(), high.as_str().to_owned()))
    }

    /// Keys between which those of all values lie that are not null.
    pub(crate) fn keys(&self) -> (Vec<u8>, Vec<u8>) {
        let mut low = vec![0xFF];
        let mut high = vec![0x02];
        let mut take = |from: Vec<u8>, to: Vec<u8>| {
            if from < low {
                low = from;
            }
            if to > high {
                high = to;
            }
        };
        if self.trues + self.falses > 0 {
            take(Value::boolean(false).key(), Value::boolean(true).key());
        }
        for range in [&self.numbers, &self.texts] {
            if let Some((from, to)) = &range.ends {
                take(from.key(), to.key());
            }
        }
        if self.nans > 0 {
            take(vec![NAN], vec![NAN]);
        }
        if self.nested > 0 {
            take(vec![NESTED], vec![0xFE]);
        }
        (low, high)
    }

    /// Whether the test may have no answer for one of the records.
    pub fn may_be_unknown(&self, test: &Test) -> bool {
        let order_of = match test {
            Test::Has | Test::IsNull => return false,
            Test::Order(_, limit) | Test::Between(limit, _) => Some(limit.kind()),
            _ => None,
        };
        if self.missing + self.nulls > 0 {
            return true;
        }
        let others = self.trues + self.falses + self.nested;
        match order_of {
            None => false,
            Some(Kind::Number) => others + self.nans + self.texts.count > 0,
            Some(_) => others + self.nans + self.numbers.count > 0,
        }
    }

    /// For how many of the records the test gives the answer `want`.
    pub fn state(&self, test: &Test, want: bool) -> State {
        let total = self.records();
        if let Some(values) = &self.values {
            let hits = |value: Option<&Value>, count: u64| {
                if test.ask(value) == Some(want) {
                    count
                } else {
                    0
                }
            };
            let sum: u64 = values
                .iter()
                .map(|(raw, count)| hits(Some(&Value::of_json(raw)), *count))
                .sum();
            return of_count(sum + hits(None, self.missing), total);
        }
        self.state_of_many(test, want, total)
    }

    fn state_of_many(&self, test: &Test, want: bool, total: u64) -> State {
        // Kinds of which each value is known: these are counted.
        let mut sure = 0;
        for (value, count) in [
            (None, self.missing),
            (Some(Value::null()), self.nulls),
            (Some(Value::boolean(true)), self.trues),
            (Some(Value::boolean(false)), self.falses),
        ] {
            if count > 0 && test.ask(value.as_ref()) == Some(want) {
                sure += count;
            }
        }
        let mut maybe = false;
        for (range, floor, ceiling) in [(&self.numbers, NUMBERS, NAN), (&self.texts, TEXTS, NESTED)]
        {
            match range.state(test, want, floor, ceiling) {
                State::None => {}
                State::All => sure += range.count,
                State::Some => sure += 1,
                State::Maybe => maybe = true,
            }
        }
        for (count, sample) in [(self.nans, "NaN"), (self.nested, "[]")] {
            let known = match test {
                Test::Has | Test::IsNull => true,
                Test::Contains(_) => sample == "NaN",
                _ => sample == "NaN" || !matches!(test, Test::Equal(_)),
            };
            if count > 0
                && known
                && test.ask(Some(&Value::of_json(sample.as_bytes()))) == Some(want)
            {
                sure += count;
            } else if count > 0 && !known {
                maybe = true;
            }
        }
        match (sure, maybe) {
            (0, true) => State::Maybe,
            (sure, _) => of_count(sure.min(total), total),
        }
    }

    /// As it is stored.
    pub(crate) fn render(&self) -> String {
        let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
        let range = |range: &Range| {
            let ends = range.ends.as_ref();
            json!([
                range.count,
                ends.map(|(low, _)| low.as_str()),
                ends.map(|(_, high)| high.as_str())
            ])
        };
        let values = self.values.as_ref().map(|values| {
            let pairs = values.iter().map(|(raw, count)| json!([text(raw), count]));
            pairs.collect::<Vec<_>>()
        });
        json!({
            "values": values,
            "counts": [self.missing, self.nulls, self.trues, self.falses, self.nested, self.nans],
            "numbers": range(&self.numbers),
            "texts": range(&self.texts),
        })
        .to_string()
    }

    /// What [`Zone::render`] wrote.
    pub(crate) fn read(stored: &str) -> Option<Self> {
        let all: serde_json::Value = serde_json::from_str(stored).ok()?;
        let count = |place: usize| all["counts"][place].as_u64();
        let range = |name: &str, kind: Kind| {
            let at = |place: usize| {
                let text = all[name][place].as_str()?;
                Some(Value::stored(kind.word(), text.to_owned()))
            };
            Range {
                count: all[name][0].as_u64().unwrap_or(0),
                ends: at(1).zip(at(2)),
                small: None,
            }
        };
        let values = all["values"].as_array().map(|pairs| {
            let pair = |pair: &serde_json::Value| {
                Some((pair[0].as_str()?.as_bytes().to_vec(), pair[1].as_u64()?))
            };
            pairs.iter().filter_map(pair).collect::<Vec<_>>()
        });
        let bytes = values.iter().flatten().map(|(raw, _)| raw.len()).sum();
        Some(Self {
            values,
            bytes,
            missing: count(0)?,
            nulls: count(1)?,
            trues: count(2)?,
            falses: count(3)?,
            nested: count(4)?,
            nans: count(5)?,
            numbers: range("numbers", Kind::Number),
            texts: range("texts", Kind::Text),
        })
    }
}

fn of_count(count: u64, total: u64) -> State {
    match count {
        0 => State::None,
        count if count == total => State::All,
        _ => State::Some,
    }
}

fn all_or_none(all: bool) -> State {
    if all { State::All } else { State::None }
}

#[cfg(test)]
mod tests;
