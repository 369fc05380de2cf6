//! Which records a statement can want: its conditions on columns of `records`, as spans of
//! keys.
//!
//! # Invariants
//!
//! * A span holds at least every value for which the condition can hold in SQLite, by
//!   any affinity: what is too much is sorted out by SQLite, which asks each condition again.

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::vtab::IndexConstraintOp;

use crate::value::{NAN, NESTED, NUMBERS, TEXTS, Value, number_key};

/// The least key that is not null.
const LEAST: u8 = 0x10;
/// Beyond all keys.
const MOST: u8 = 0xFF;
/// More values of one IN than this are not looked for in the tables.
const MOST_VALUES: usize = 500;

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    In,
    Less,
    More,
    Like,
    Glob,
    There,
}

impl Op {
    /// That of a constraint; none where it skips nothing.
    pub(super) fn of(op: &IndexConstraintOp) -> Option<Self> {
        use IndexConstraintOp as C;
        Some(match op {
            C::SQLITE_INDEX_CONSTRAINT_EQ => Self::Equal,
            C::SQLITE_INDEX_CONSTRAINT_LT | C::SQLITE_INDEX_CONSTRAINT_LE => Self::Less,
            C::SQLITE_INDEX_CONSTRAINT_GT | C::SQLITE_INDEX_CONSTRAINT_GE => Self::More,
            C::SQLITE_INDEX_CONSTRAINT_LIKE => Self::Like,
            C::SQLITE_INDEX_CONSTRAINT_GLOB => Self::Glob,
            C::SQLITE_INDEX_CONSTRAINT_ISNOTNULL => Self::There,
            _ => return None,
        })
    }

    /// Whether a collation decides it.
    pub(super) fn collates(self) -> bool {
        matches!(self, Self::Equal | Self::In | Self::Less | Self::More)
    }

    /// Its letter in the text that SQLite keeps of a plan.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Equal => '=',
            Self::In => 'i',
            Self::Less => '<',
            Self::More => '>',
            Self::Like => 'l',
            Self::Glob => 'g',
            Self::There => 't',
        }
    }

    pub(super) fn of_letter(letter: char) -> Option<Self> {
        [
            Self::Equal,
            Self::In,
            Self::Less,
            Self::More,
            Self::Like,
            Self::Glob,
            Self::There,
        ]
        .into_iter()
        .find(|op| op.letter() == letter)
    }
}

/// Keys, both ends included.
pub(super) type Span = (Vec<u8>, Vec<u8>);

/// What a column must be for a record to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A value with a key in one of the spans.
    Within(Vec<Span>),
    /// A text that is like a pattern, or no text.
    Like(&'static str, String),
}

impl Wanted {
    /// What one condition asks for; none where anything may do.
    pub(super) fn of(op: Op, value: ValueRef<'_>) -> Option<Self> {
        match op {
            Op::There => Some(Self::Within(vec![(vec![LEAST], vec![MOST])])),
            Op::Like | Op::Glob => match value {
                ValueRef::Text(pattern) => Some(Self::Like(
                    if op == Op::Like { "LIKE" } else { "GLOB" },
                    std::str::from_utf8(pattern).ok()?.to_owned(),
                )),
                ValueRef::Null => Some(Self::Within(Vec::new())),
                _ => None,
            },
            Op::Equal | Op::In | Op::Less | Op::More => Some(Self::Within(spans(op, value)?)),
        }
    }

    /// What any of several conditions asks for.
    pub(super) fn of_any<'v>(values: impl Iterator<Item = ValueRef<'v>>) -> Option<Self> {
        let mut all = Vec::new();
        for (place, value) in values.enumerate() {
            if place >= MOST_VALUES {
                return None;
            }
            all.extend(spans(Op::Equal, value)?);
        }
        all.sort();
        all.dedup();
        Some(Self::Within(all))
    }
}

/// Numbers between which a cell must lie, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    low: f64,
    high: f64,
}

impl Limits {
    /// Those of a comparison with a number; none of any other condition.
    pub(super) fn of(op: Op, value: ValueRef<'_>) -> Option<Self> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the limits are wider than what is lost"
        )]
        let number = match value {
            ValueRef::Integer(number) => number as f64,
            ValueRef::Real(number) => number,
            _ => return None,
        };
        let (low, high) = around(number);
        Some(match op {
            Op::Less => Self {
                low: f64::NEG_INFINITY,
                high,
            },
            Op::More => Self {
                low,
                high: f64::INFINITY,
            },
            Op::Equal => Self { low, high },
            _ => return None,
        })
    }

    /// Whether SQLite may find that the condition holds for a cell: false for numbers outside.
    pub(super) fn may_hold(self, cell: &Sql) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the limits are wider than what is lost"
        )]
        let number = match cell {
            Sql::Integer(number) => *number as f64,
            Sql::Real(number) => *number,
            _ => return true,
        };
        self.low <= number && number <= self.high
    }
}

/// A number's neighbours, between which all lie that round to it.
fn around(number: f64) -> (f64, f64) {
    (number.next_down().next_down(), number.next_up().next_up())
}

fn spans(op: Op, value: ValueRef<'_>) -> Option<Vec<Span>> {
    match value {
        ValueRef::Null => Some(Vec::new()),
        ValueRef::Integer(number) => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the span is wider than what is lost"
            )]
            let float = number as f64;
            Some(of_number(op, float))
        }
        ValueRef::Real(number) => Some(of_number(op, number)),
        ValueRef::Text(text) => Some(of_text(op, std::str::from_utf8(text).ok()?)),
        ValueRef::Blob(_) => None,
    }
}

/// For a number: numbers near it, since a column has the nearest float; flags, which are 0
/// and 1; and any text, which may be taken for a number where the other side is one.
fn of_number(op: Op, number: f64) -> Vec<Span> {
    let (low, high) = around(number);
    let (low, high) = (key_of(low), key_of(high));
    let mut all = match op {
        Op::Less => vec![(vec![NUMBERS], high)],
        Op::More => vec![(low, vec![NAN])],
        _ => vec![(low, high)],
    };
    for (flag, as_number) in [(false, 0.0), (true, 1.0)] {
        let holds = match op {
            Op::Less => as_number <= number,
            Op::More => as_number >= number,
            _ => (as_number - number).abs() < 1e-9,
        };
        if holds {
            let key = Value::boolean(flag).key();
            all.push((key.clone(), key));
        }
    }
    all.push((vec![TEXTS], vec![MOST]));
    all
}

/// For a text: texts, the text of what is nested, and numbers where they may be taken for text.
fn of_text(op: Op, text: &str) -> Vec<Span> {
    let key = Value::text(text).key();
    match op {
        Op::Less => vec![(vec![LEAST], key), (vec![NESTED], vec![MOST])],
        Op::More => vec![(vec![LEAST], vec![NAN]), (key, vec![MOST])],
        _ => {
            let mut nested = key.clone();
            nested[0] = NESTED;
            let mut all = vec![(key.clone(), key), (nested.clone(), nested)];
            if text.trim().parse::<f64>().is_ok() {
                all.push((vec![LEAST], vec![NAN]));
            }
            all
        }
    }
}

/// The key of a float, or the end of all numbers.
fn key_of(number: f64) -> Vec<u8> {
    number_key(&format!("{number:e}")).unwrap_or_else(|| {
        if number < 0.0 {
            vec![NUMBERS]
        } else {
            vec![NAN]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(wanted: &Wanted, raw: &str) -> bool {
        let key = Value::of_json(raw.as_bytes()).key();
        match wanted {
            Wanted::Within(spans) => spans.iter().any(|(low, high)| *low <= key && key <= *high),
            Wanted::Like(..) => true,
        }
    }

    #[test]
    fn spans_hold_what_rounds_to_a_number_and_not_what_does_not() {
        let wanted = Wanted::of(Op::Equal, ValueRef::Real(0.7)).unwrap();
        for near in ["0.7", "0.70000000000000000001", "7e-1", "\"0.7\""] {
            assert!(holds(&wanted, near), "{near}");
        }
        for far in ["0.71", "7", "true", "null"] {
            assert!(!holds(&wanted, far), "{far}");
        }
        let wanted = Wanted::of(Op::Less, ValueRef::Integer(1)).unwrap();
        for less in ["-1e400", "0", "false", "true", "1"] {
            assert!(holds(&wanted, less), "{less}");
        }
        assert!(!holds(&wanted, "1.5"));
        let huge = Wanted::of(Op::More, ValueRef::Integer(i64::MAX)).unwrap();
        assert!(holds(&huge, "9223372036854775807") && holds(&huge, "Infinity"));
        assert!(!holds(&huge, "9223372036854770000"));
    }

    #[test]
    fn limits_leave_out_numbers_for_which_no_comparison_can_hold_and_nothing_else() {
        let all = [i64::MIN, -1, 0, 6, 7, 8, (1 << 53) + 1, i64::MAX];
        let holds = |op, cell: i64, than: i64| match op {
            Op::Less => cell <= than,
            Op::More => cell >= than,
            _ => cell == than,
        };
        for op in [Op::Less, Op::More, Op::Equal] {
            for than in all {
                let limits = Limits::of(op, ValueRef::Integer(than)).unwrap();
                for cell in all {
                    let may = limits.may_hold(&Sql::Integer(cell));
                    assert!(may || !holds(op, cell, than), "{cell} {op:?} {than}");
                    let near = cell.abs_diff(than) < 2;
                    assert!(
                        !may || near || holds(op, cell, than),
                        "{cell} {op:?} {than}"
                    );
                }
            }
            let limits = Limits::of(op, ValueRef::Real(0.5)).unwrap();
            assert!(limits.may_hold(&Sql::Null) && limits.may_hold(&Sql::Text("x".to_owned())));
        }
        assert_eq!(Limits::of(Op::In, ValueRef::Integer(1)), None);
        assert_eq!(Limits::of(Op::Less, ValueRef::Text(b"1")), None);
    }

    #[test]
    fn spans_of_a_text_hold_it_alone() {
        let wanted = Wanted::of(Op::Equal, ValueRef::Text(b"qwen")).unwrap();
        assert!(holds(&wanted, "\"qwen\"") && !holds(&wanted, "\"qwem\"") && !holds(&wanted, "5"));
        let digits = Wanted::of(Op::Equal, ValueRef::Text(b"5")).unwrap();
        assert!(holds(&digits, "5") && holds(&digits, "5.0") && holds(&digits, "\"5\""));
        assert_eq!(
            Wanted::of(Op::Equal, ValueRef::Null),
            Some(Wanted::Within(Vec::new()))
        );
    }
}
