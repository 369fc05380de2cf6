//! `Value`: what a field of a birthmark can be, and how two values compare.
//!
//! No schema is ever inferred: each value has its own kind, and one field may hold
//! numbers in one artifact and text in the next. Numbers keep the text that they were
//! written with, and compare as the decimals they are: 2^53 and 2^53 + 1 differ, and
//! `1e400` is larger than any float.
//!
//! # Invariants
//!
//! * Two values are the same exactly when their [`Value::key`]s are the same bytes;
//!   numbers of one size have one key, however they are spelled (`1`, `1.0`, `1e0`).
//! * Among numbers, and among texts, the order of keys is the order of the values. So a
//!   database that can only compare bytes compares rightly.

use std::cmp::Ordering;

use birthmark_core::json::{self, number};

/// The first byte of the key of `null`.
const NULL: u8 = 0x01;
const FALSE: u8 = 0x10;
const TRUE: u8 = 0x11;
/// Numbers lie from here …
pub(crate) const NUMBERS: u8 = 0x20;
const MINUS_INFINITY: u8 = 0x21;
const INFINITY: u8 = 0x25;
/// … to here. `NaN` is a number that compares with nothing.
pub(crate) const NAN: u8 = 0x28;
/// The first byte of the keys of texts; their bytes follow.
pub(crate) const TEXTS: u8 = 0x30;
/// The first byte of the keys of objects and lists.
pub(crate) const NESTED: u8 = 0x40;

/// The kind of a value, as the tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number, `NaN` and the infinities of Python included.
    Number,
    /// A string.
    Text,
    /// An object or a list.
    Json,
}

impl Kind {
    /// The word that stands in the tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    /// The kind of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [
            Self::Null,
            Self::Boolean,
            Self::Number,
            Self::Text,
            Self::Json,
        ]
        .into_iter()
        .find(|kind| kind.word() == word)
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Value {
    kind: Kind,
    text: String,
}

impl Value {
    /// Reads a JSON value, which must be one.
    pub fn of_json(raw: &[u8]) -> Self {
        let lossy = || String::from_utf8_lossy(raw).into_owned();
        let (kind, text) = match raw.first() {
            Some(b'"') => (
                Kind::Text,
                json::as_text_lossy(raw).map_or_else(lossy, std::borrow::Cow::into_owned),
            ),
            Some(b'{' | b'[') => (Kind::Json, lossy()),
            Some(b't' | b'f') => (Kind::Boolean, lossy()),
            Some(b'n') => (Kind::Null, lossy()),
            _ => (Kind::Number, lossy()),
        };
        Self { kind, text }
    }

    /// The value of a parsed one.
    pub fn of(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Self::text(text),
            other => Self::of_json(other.to_string().as_bytes()),
        }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Text,
            text: text.into(),
        }
    }

    /// A number, by its text; none where it is no number.
    pub fn number(text: &str) -> Option<Self> {
        number_key(text).map(|_| Self {
            kind: Kind::Number,
            text: text.to_owned(),
        })
    }

    /// A whole number.
    pub fn count(number: u64) -> Self {
        Self {
            kind: Kind::Number,
            text: number.to_string(),
        }
    }

    /// True or false.
    pub fn boolean(yes: bool) -> Self {
        Self {
            kind: Kind::Boolean,
            text: yes.to_string(),
        }
    }

    /// `null`.
    pub fn null() -> Self {
        Self {
            kind: Kind::Null,
            text: "null".to_owned(),
        }
    }

    /// A value as the tables hold it.
    pub(crate) fn stored(kind: &str, text: String) -> Self {
        let kind = Kind::of_word(kind).unwrap_or(Kind::Text);
        Self { kind, text }
    }

    /// Says something else, of the same kind.
    pub(crate) fn say(&mut self, text: &str) {
        self.text.clear();
        self.text.push_str(text);
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its text: of a string what it says, of anything else its JSON.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// Whether it is a number that compares with none.
    pub(crate) fn is_nan(&self) -> bool {
        self.kind == Kind::Number && self.key() == [NAN]
    }

    /// The nearest float, for people who calculate; none where it is no number.
    pub fn as_f64(&self) -> Option<f64> {
        (self.kind == Kind::Number)
            .then(|| self.text.parse().ok())
            .flatten()
    }

    /// The value as JSON; what JSON cannot say (`NaN`) is given as text.
    pub fn to_json(&self) -> serde_json::Value {
        match self.kind {
            Kind::Text => serde_json::Value::from(self.text.as_str()),
            _ => serde_json::from_str(&self.text)
                .unwrap_or_else(|_| serde_json::Value::from(self.text.as_str())),
        }
    }

    /// What a list holds, one after the other; nothing where it is no list.
    pub fn elements(&self) -> Vec<Self> {
        if self.kind != Kind::Json || !self.text.starts_with('[') {
            return Vec::new();
        }
        let read: Result<Vec<&serde_json::value::RawValue>, _> = serde_json::from_str(&self.text);
        let read = read.unwrap_or_default().into_iter();
        read.map(|raw| Self::of_json(raw.get().as_bytes()))
            .collect()
    }

    /// Bytes that are equal where the values are, and that sort as they do.
    pub fn key(&self) -> Vec<u8> {
        let tagged = |tag: u8| {
            let mut key = Vec::with_capacity(self.text.len() + 1);
            key.push(tag);
            key.extend_from_slice(self.text.as_bytes());
            key
        };
        match self.kind {
            Kind::Null => vec![NULL],
            Kind::Boolean if self.text == "true" => vec![TRUE],
            Kind::Boolean => vec![FALSE],
            Kind::Number => number_key(&self.text).unwrap_or_else(|| vec![NAN]),
            Kind::Text => tagged(TEXTS),
            Kind::Json => tagged(NESTED),
        }
    }

    /// How two values compare: numbers with numbers, texts with texts. `None` where they
    /// are of different kinds, or cannot be ordered.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.kind != other.kind {
            return None;
        }
        match self.kind {
            Kind::Number => {
                let (a, b) = (self.key(), other.key());
                (a != [NAN] && b != [NAN]).then(|| a.cmp(&b))
            }
            Kind::Text => Some(self.text.as_bytes().cmp(other.text.as_bytes())),
            _ => None,
        }
    }
}

/// The key of a number, by its text; `NaN` and the infinities of Python are numbers.
/// `None` where it is none.
pub fn number_key(text: &str) -> Option<Vec<u8>> {
    match text {
        "-Infinity" => return Some(vec![MINUS_INFINITY]),
        "Infinity" => return Some(vec![INFINITY]),
        "NaN" => return Some(vec![NAN]),
        _ => {}
    }
    let mut key = number::key(text)?;
    // Behind the least of all numbers, and before the greatest.
    key.first_mut().map(|sign| *sign += MINUS_INFINITY + 1)?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_lie_around_all_numbers() {
        let ordered = [
            "-Infinity",
            "-1e999999999999999999999",
            "-1",
            "0",
            "1e400",
            "1e999999999999999999999",
            "Infinity",
        ];
        for two in ordered.windows(2) {
            assert!(
                number_key(two[0]).unwrap() < number_key(two[1]).unwrap(),
                "{two:?}"
            );
        }
        assert_eq!(number_key("-NaN"), None);
        assert_eq!(number_key("-0.0"), number_key("0"));
    }

    #[test]
    fn elements_of_a_list_are_values_and_nothing_else_has_any() {
        let list = Value::of_json(br#"[ "a\u00e9", 1e400, [2], null ]"#);
        let texts: Vec<String> = list
            .elements()
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect();
        assert_eq!(texts, ["a\u{e9}", "1e400", "[2]", "null"]);
        for other in ["{\"a\":1}", "7", "\"[1]\"", "[1", "[NaN]", "[]"] {
            assert!(
                Value::of_json(other.as_bytes()).elements().is_empty(),
                "{other}"
            );
        }
    }

    #[test]
    fn kinds_do_not_compare_and_nan_compares_with_nothing() {
        let text = Value::text("1");
        let number = Value::number("1").unwrap();
        assert_eq!(text.compare(&number), None);
        assert_ne!(text.key(), number.key());
        let nan = Value::number("NaN").unwrap();
        assert_eq!(nan.compare(&nan), None);
        assert_eq!(Value::of_json(br#""a\u00e9""#), Value::text("a\u{e9}"));
        assert_eq!(Value::of_json(b"[1]").kind(), Kind::Json);
    }
}
