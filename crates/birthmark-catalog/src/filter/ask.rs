//! Whether a filter holds for one record: the plain meaning, which every faster way of
//! asking must agree with.

use std::cmp::Ordering;

use super::{Filter, Order, Term, Test, WORDS, fold, searched_by_words};
use crate::value::{Kind, Value};

/// Something that a filter can be asked of.
pub trait Record {
    /// The value of a field; none where it is missing.
    fn get(&self, field: &str) -> Option<Value>;
}

impl<F: Fn(&str) -> Option<Value>> Record for F {
    fn get(&self, field: &str) -> Option<Value> {
        self(field)
    }
}

impl Filter {
    /// Whether it holds: `None` is *unknown*.
    pub fn ask(&self, record: &dyn Record) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Not(inner) => inner.ask(record).map(|holds| !holds),
            Self::Term(term) => term.ask(record),
            Self::And(parts) => fold_answers(parts, record, false),
            Self::Or(parts) => fold_answers(parts, record, true),
        }
    }
}

/// Ends at the first answer that `decides`; unknown where none does and one is unknown.
fn fold_answers(parts: &[Filter], record: &dyn Record, decides: bool) -> Option<bool> {
    let mut sum = Some(!decides);
    for part in parts {
        match part.ask(record) {
            Some(answer) if answer == decides => return Some(decides),
            Some(_) => {}
            None => sum = None,
        }
    }
    sum
}

impl Term {
    fn ask(&self, record: &dyn Record) -> Option<bool> {
        if self.field == WORDS {
            let Test::Contains(word) = &self.test else {
                return Some(false);
            };
            let has = |field: &str| {
                let value = record.get(field);
                value.is_some_and(|value| !value.is_null() && fold(value.as_str()).contains(word))
            };
            return Some(searched_by_words().into_iter().any(has));
        }
        self.test.ask(record.get(&self.field).as_ref())
    }
}

impl Test {
    /// Whether it holds for this value.
    pub fn ask(&self, value: Option<&Value>) -> Option<bool> {
        match self {
            Self::Has => return Some(value.is_some_and(|value| !value.is_null())),
            Self::IsNull => return Some(value.is_some_and(Value::is_null)),
            _ => {}
        }
        let value = value.filter(|value| !value.is_null())?;
        match self {
            Self::Has | Self::IsNull => None,
            Self::Equal(wanted) => {
                let is = |value: &Value| {
                    let key = value.key();
                    wanted.iter().any(|wanted| wanted.key() == key)
                };
                Some(is(value) || value.elements().iter().any(is))
            }
            Self::Begins(starts) => Some(
                value.kind() == Kind::Text
                    && starts
                        .iter()
                        .any(|start| value.as_str().starts_with(start.as_str())),
            ),
            Self::Order(order, limit) => value.compare(limit).map(|found| order.fits(found)),
            Self::Between(low, high) => {
                let above = value.compare(low)? != Ordering::Less;
                Some(above && value.compare(high)? != Ordering::Greater)
            }
            Self::Contains(text) => Some(fold(value.as_str()).contains(text.as_str())),
        }
    }
}

impl Order {
    /// Whether a value that compares so with the limit is meant.
    pub fn fits(self, found: Ordering) -> bool {
        match self {
            Self::Less => found == Ordering::Less,
            Self::AtMost => found != Ordering::Greater,
            Self::More => found == Ordering::Greater,
            Self::AtLeast => found != Ordering::Less,
        }
    }
}
