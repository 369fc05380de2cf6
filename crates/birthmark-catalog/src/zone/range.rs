//! The ends of the numbers, or of the texts, that a field has in a group.

use std::cmp::Ordering;

use super::{State, all_or_none};
use crate::filter::Test;
use crate::value::{Kind, Value};

/// The least and the greatest of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Range {
    pub(super) count: u64,
    pub(super) ends: Option<(Value, Value)>,
    /// The ends of numbers as integers, where they are: much faster to compare.
    pub(super) small: Option<(i64, i64)>,
}

impl Range {
    pub(super) fn widen(&mut self, raw: &[u8], times: u64) {
        self.count += times;
        if self.widen_on_sight(raw).is_some() {
            return;
        }
        let value = Value::of_json(raw);
        let Some((low, high)) = &mut self.ends else {
            self.ends = Some((value.clone(), value));
            self.small = small(raw).map(|number| (number, number));
            return;
        };
        if value.compare(low) == Some(Ordering::Less) {
            *low = value;
        } else if value.compare(high) == Some(Ordering::Greater) {
            *high = value;
        }
        let ends = (small_of(low), small_of(high));
        self.small = ends.0.zip(ends.1);
    }

    /// The same of a whole number among such, or of a text without escapes: nothing is made
    /// anew, as times and counters have a new end with every record.
    fn widen_on_sight(&mut self, raw: &[u8]) -> Option<()> {
        let (low, high) = self.ends.as_mut()?;
        if let Some(number) = small(raw) {
            let (least, most) = self.small.as_mut()?;
            if number < *least {
                *least = number;
                low.say(std::str::from_utf8(raw).ok()?);
            } else if number > *most {
                *most = number;
                high.say(std::str::from_utf8(raw).ok()?);
            }
            return Some(());
        }
        let text = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if text.contains(&b'\\') {
            return None;
        }
        if text < low.as_str().as_bytes() {
            low.say(std::str::from_utf8(text).ok()?);
        } else if text > high.as_str().as_bytes() {
            high.say(std::str::from_utf8(text).ok()?);
        }
        Some(())
    }
}

impl Range {
    /// Both ends are values that stand in some record.
    pub(super) fn state(&self, test: &Test, want: bool, floor: u8, ceiling: u8) -> State {
        let Some((low, high)) = &self.ends else {
            return State::None;
        };
        let answer = |value: &Value| test.ask(Some(value)) == Some(want);
        let (at_low, at_high) = (answer(low), answer(high));
        match test {
            Test::Has | Test::IsNull => all_or_none(at_low),
            // What holds at both ends of an interval holds between them.
            Test::Order(..) | Test::Between(..) if want => match (at_low, at_high) {
                (true, true) => State::All,
                (false, false) if !self.may_hold(test, floor, ceiling) => State::None,
                (false, false) => State::Maybe,
                _ => State::Some,
            },
            Test::Order(_, limit) if limit.kind() != low.kind() => State::None,
            Test::Order(..) => match (at_low, at_high) {
                (true, true) => State::All,
                (false, false) => State::None,
                _ => State::Some,
            },
            _ if at_low || at_high => State::Some,
            Test::Equal(_) if want && !self.may_hold(test, floor, ceiling) => State::None,
            _ => State::Maybe,
        }
    }

    /// Whether a value between the ends could be one that is asked for.
    fn may_hold(&self, test: &Test, floor: u8, ceiling: u8) -> bool {
        let Some((low, high)) = &self.ends else {
            return false;
        };
        let (low, high) = (low.key(), high.key());
        match test {
            Test::Equal(wanted) => wanted.iter().any(|wanted| {
                let key = wanted.key();
                low <= key && key <= high
            }),
            Test::Between(from, to) => {
                let (from, to) = (from.key(), to.key());
                from.first() >= Some(&floor)
                    && from.first() < Some(&ceiling)
                    && from <= high
                    && to >= low
            }
            // It held at neither end, and an order that holds between holds at one.
            Test::Order(..) => false,
            _ => true,
        }
    }
}

fn small(raw: &[u8]) -> Option<i64> {
    if raw.len() > 18 || !raw.last().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(raw).ok()?.parse().ok()
}

fn small_of(value: &Value) -> Option<i64> {
    if value.kind() == Kind::Number {
        small(value.as_str().as_bytes())
    } else {
        None
    }
}
