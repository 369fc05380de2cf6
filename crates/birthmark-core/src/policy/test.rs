//! One test of a rule: a field, and what must be true of it.

use std::cmp::Ordering;
use std::fmt;

use super::{Look, Outcome, reason_of};
use crate::birthmark::Kind;
use crate::json::{self, number};

/// A field and what must be true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The field; dots lead into objects.
    pub field: String,
    /// What must be true.
    pub operator: Operator,
}

/// What a test asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// The field is there: with a value, or null with its reason.
    Required,
    /// The field has a value.
    Set,
    /// The value is of this kind.
    Is(Kind),
    /// The value is one of these.
    OneOf(Vec<Literal>),
    /// The value is none of these.
    NoneOf(Vec<Literal>),
    /// The value is a number within these bounds, ends included.
    Between(Option<String>, Option<String>),
    /// The value is a number on this side of the bound.
    Beyond(Ordering, String),
    /// The text holds this one, in any case.
    Contains(String),
}

/// A value as a rule spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `true` or `false`.
    Flag(bool),
    /// A number, by its text.
    Number(String),
    /// A text, in quotes or a plain word.
    Text(String),
    /// `null`.
    Null,
}

impl Test {
    /// The field of the top level that it looks at.
    pub fn top_field(&self) -> &str {
        self.field.split('.').next().unwrap_or(&self.field)
    }

    pub(super) fn judge(&self, look: &Look<'_>, early: bool) -> Outcome {
        let Some(raw) = self.find(look) else {
            return if early {
                Outcome::NotYet(format!("{} is not given yet", self.field))
            } else {
                Outcome::Broken(format!("{} is missing", self.field))
            };
        };
        if json::is_null(raw) {
            return self.judge_null(look);
        }
        if self.holds(raw) {
            Outcome::Holds
        } else {
            let shown: String = String::from_utf8_lossy(raw).chars().take(40).collect();
            Outcome::Broken(format!("{} is {shown}", self.field))
        }
    }

    fn find<'a>(&self, look: &Look<'a>) -> Option<&'a [u8]> {
        if let Some(raw) = look(&self.field) {
            return Some(raw);
        }
        let mut steps = self.field.split('.');
        let top = look(steps.next()?)?;
        let rest: Vec<&str> = steps.collect();
        if rest.is_empty() {
            return Some(top);
        }
        json::get(top, &rest)
    }

    fn judge_null(&self, look: &Look<'_>) -> Outcome {
        if let Operator::OneOf(allowed) = &self.operator
            && allowed.contains(&Literal::Null)
        {
            return Outcome::Holds;
        }
        let reason = reason_of(look, &self.field).or_else(|| reason_of(look, self.top_field()));
        match (&self.operator, reason) {
            (Operator::Required, Some(why)) => {
                Outcome::Noted(format!("{} is unknown: {why}", self.field))
            }
            (Operator::Required, None) => {
                Outcome::Broken(format!("{} is null without a reason", self.field))
            }
            (Operator::Set, _) | (_, None) => Outcome::Broken(format!("{} is null", self.field)),
            (_, Some(why)) => Outcome::CannotTell(format!("{} is unknown: {why}", self.field)),
        }
    }

    fn holds(&self, raw: &[u8]) -> bool {
        let number = || {
            std::str::from_utf8(raw)
                .ok()
                .filter(|text| number::is(text))
        };
        match &self.operator {
            Operator::Required | Operator::Set => true,
            Operator::Is(kind) => is_kind(raw, *kind),
            Operator::OneOf(allowed) => allowed.iter().any(|literal| literal.is(raw)),
            Operator::NoneOf(refused) => !refused.iter().any(|literal| literal.is(raw)),
            Operator::Between(low, high) => number().is_some_and(|value| {
                let at_least = |bound: &String| number::compare(value, bound).is_ge();
                let at_most = |bound: &String| number::compare(value, bound).is_le();
                low.as_ref().is_none_or(at_least) && high.as_ref().is_none_or(at_most)
            }),
            Operator::Beyond(side, bound) => {
                number().is_some_and(|value| number::compare(value, bound) == *side)
            }
            Operator::Contains(part) => json::as_text_lossy(raw)
                .is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase())),
        }
    }
}

fn is_kind(raw: &[u8], kind: Kind) -> bool {
    let text = std::str::from_utf8(raw).unwrap_or_default();
    match kind {
        Kind::Text => raw.first() == Some(&b'"'),
        Kind::Flag => matches!(raw, b"true" | b"false"),
        Kind::Integer => number::is(text) && !text.contains(['.', 'e', 'E']),
        Kind::Number => number::is(text),
        Kind::Object => raw.first() == Some(&b'{'),
        Kind::List => raw.first() == Some(&b'['),
    }
}

impl Literal {
    fn is(&self, raw: &[u8]) -> bool {
        match self {
            Self::Flag(flag) => json::as_bool(raw) == Some(*flag),
            Self::Null => json::is_null(raw),
            Self::Text(text) => json::as_text_lossy(raw).is_some_and(|value| value == *text),
            Self::Number(wanted) => std::str::from_utf8(raw)
                .is_ok_and(|value| number::is(value) && number::compare(value, wanted).is_eq()),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        let list = |values: &[Literal]| {
            let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
            texts.join(", ")
        };
        let end = |bound: &Option<String>| bound.clone().unwrap_or_default();
        match &self.operator {
            Operator::Required => write!(f, "{field} required"),
            Operator::Set => write!(f, "{field} set"),
            Operator::Is(kind) => write!(f, "{field} is {}", super::parse::word_of(*kind)),
            Operator::OneOf(values) => match values.as_slice() {
                [one] => write!(f, "{field} = {one}"),
                many => write!(f, "{field} in [{}]", list(many)),
            },
            Operator::NoneOf(values) => match values.as_slice() {
                [one] => write!(f, "{field} != {one}"),
                many => write!(f, "{field} not in [{}]", list(many)),
            },
            Operator::Between(Some(low), None) => write!(f, "{field} >= {low}"),
            Operator::Between(None, Some(high)) => write!(f, "{field} <= {high}"),
            Operator::Between(low, high) => write!(f, "{field} = {}..{}", end(low), end(high)),
            Operator::Beyond(Ordering::Greater, bound) => write!(f, "{field} > {bound}"),
            Operator::Beyond(_, bound) => write!(f, "{field} < {bound}"),
            Operator::Contains(part) => write!(f, "{field} ~ \"{part}\""),
        }
    }
}
