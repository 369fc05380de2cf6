//! The short form that people type: `'model~qwen temperature=0.5.. NOT dirty=true'`.
//!
//! ```text
//! filter  = and ("OR" and)*
//! and     = not ("AND"? not)*
//! not     = "NOT" not | "(" filter ")" | term
//! term    = "has:" field | "since:" when | "until:" when | field op value | word
//! op      = "=" "!=" "<" "<=" ">" ">=" "~" "!~"
//! value   = word, 'quoted', "quoted", a..b, a.., ..b
//! ```
//!
//! A word alone asks whether file, model, script or session contain it. `~` is
//! *contains*, without regard to case. A quoted value is text, whatever it looks like;
//! one that is not is compared as what the field holds, so `seed=42` finds the number
//! and the text. A list is what it is, and each of what it holds: `tags=x` finds `["x", "y"]`.
//!
//! # Invariants
//!
//! * A filter is read whole or not at all; [`FilterError`] says at which character.
//! * Null and missing are *unknown*, as in SQL: neither `temperature>1` nor its negation
//!   holds for an artifact that has no temperature. `has:` and `=null` always know.

mod ask;
mod error;
mod lex;
mod names;
mod parse;
mod when;

pub use ask::Record;
pub use error::{FilterError, picture};
pub use names::{COLUMNS, Column, alias, column, names, searched_by_words};
pub use parse::{Context, parse};

use crate::value::Value;

/// A place in the text of a filter, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// What a filter asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Everything.
    All,
    /// All of these hold.
    And(Vec<Filter>),
    /// At least one of these holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// One condition.
    Term(Term),
}

/// One condition, on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The field's own name, short names resolved; [`WORDS`] for a word alone.
    pub field: String,
    /// What is asked of it.
    pub test: Test,
    /// Where the term stands in the text.
    pub span: Span,
}

/// The field of a word alone, which is looked for in all of [`searched_by_words`].
pub const WORDS: &str = "*";

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is there, and not null.
    Has,
    /// It is there, and null.
    IsNull,
    /// It is one of these, or a list that holds one: the readings of what was typed, as number,
    /// text …
    Equal(Vec<Value>),
    /// Its text begins with one of these: for digests, commits and ids, which are typed
    /// short.
    Begins(Vec<String>),
    /// It compares so with the value; values of another kind do not compare.
    Order(Order, Value),
    /// It lies between the two, both included.
    Between(Value, Value),
    /// Its text contains this one, without regard to case.
    Contains(String),
}

/// An order that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Filter {
    /// All terms, in the order of the text.
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Self::All => Vec::new(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::terms).collect(),
            Self::Not(inner) => inner.terms(),
            Self::Term(term) => vec![term],
        }
    }

    /// The same filter with what `change` makes of each term in its place.
    #[must_use]
    pub fn map_terms(self, change: &mut impl FnMut(Term) -> Self) -> Self {
        let mut all = |parts: Vec<Self>| {
            let parts = parts.into_iter();
            parts.map(|part| part.map_terms(change)).collect()
        };
        match self {
            Self::All => Self::All,
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.map_terms(change))),
            Self::Term(term) => change(term),
        }
    }

    /// The names of the fields that are asked for, each once.
    pub fn fields(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for term in self.terms() {
            if !names.contains(&term.field.as_str()) {
                names.push(&term.field);
            }
        }
        names
    }
}

/// The text without regard to case, as `~` compares it.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests;
