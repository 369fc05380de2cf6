//! From the text of a rule to what it asks for.
//!
//! ```text
//! rule       condition [ "if" condition ]
//! condition  both { "or" both }
//! both       one { "and" one }
//! one        "not" one  |  "(" condition ")"  |  field test
//! test       "required" | "set" | "is" kind | "~" text
//!          | ("=" | "!=") (value | low ".." high) | ("<" | "<=" | ">" | ">=") number
//!          | ["not"] "in" "[" value { "," value } "]"
//! ```

use std::cmp::Ordering;

use super::Condition;
use super::test::{Literal, Operator, Test};
use crate::birthmark::Kind;
use crate::json::number;

/// The most that a rule may nest: far beyond what a person can read.
const MOST_NESTED: usize = 32;

/// What is wrong with a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PolicyError {
    /// The byte in the rule's text where it goes wrong.
    pub at: usize,
    /// What is wrong there.
    pub reason: String,
}

const KINDS: [(&str, Kind); 6] = [
    ("text", Kind::Text),
    ("flag", Kind::Flag),
    ("integer", Kind::Integer),
    ("number", Kind::Number),
    ("object", Kind::Object),
    ("list", Kind::List),
];

pub(super) fn word_of(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("text", |(word, _)| word)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Word,
    Quoted,
    Sign,
}

#[derive(Debug, Clone)]
struct Token {
    at: usize,
    shape: Shape,
    text: String,
}

/// Reads a rule: what must hold, and when.
pub(super) fn rule(text: &str) -> Result<(Condition, Option<Condition>), PolicyError> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        next: 0,
        end: text.len(),
    };
    let must = reader.condition(0)?;
    let when = if reader.word("if") {
        Some(reader.condition(0)?)
    } else {
        None
    };
    match reader.peek() {
        None => Ok((must, when)),
        Some(token) => Err(PolicyError {
            at: token.at,
            reason: format!("`{}` does not belong here", token.text),
        }),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, PolicyError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let (shape, end) = match character {
            ' ' | '\t' | '\n' | '\r' => continue,
            '"' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => value.extend(rest.next().map(|(_, escaped)| escaped)),
                        Some((_, other)) => value.push(other),
                        None => {
                            let reason = "this quote is never closed".to_owned();
                            return Err(PolicyError { at, reason });
                        }
                    }
                }
                tokens.push(Token {
                    at,
                    shape: Shape::Quoted,
                    text: value,
                });
                continue;
            }
            '(' | ')' | '[' | ']' | ',' | '~' | '=' => (Shape::Sign, at + 1),
            '<' | '>' | '!' => {
                let equal = rest.next_if(|(_, next)| *next == '=').is_some();
                (Shape::Sign, at + 1 + usize::from(equal))
            }
            _ => {
                let inside = |c: char| c.is_alphanumeric() || "_.-+*/:".contains(c);
                if !inside(character) {
                    let reason = format!("`{character}` does not belong here");
                    return Err(PolicyError { at, reason });
                }
                let mut end = at + character.len_utf8();
                while let Some((place, more)) = rest.next_if(|(_, next)| inside(*next)) {
                    end = place + more.len_utf8();
                }
                (Shape::Word, end)
            }
        };
        tokens.push(Token {
            at,
            shape,
            text: text.get(at..end).unwrap_or_default().to_owned(),
        });
    }
    Ok(tokens)
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, PolicyError> {
        let (at, reason) = match self.peek() {
            Some(token) => (
                token.at,
                format!("{wanted} must stand here, not `{}`", token.text),
            ),
            None => (self.end, format!("{wanted} is missing at the end")),
        };
        Err(PolicyError { at, reason })
    }

    fn take(&mut self, shape: Shape, text: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|token| token.shape == shape && token.text == text);
        self.next += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        self.take(Shape::Word, word)
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.take(Shape::Sign, sign)
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, PolicyError> {
        let mut parts = vec![self.both(depth)?];
        while self.word("or") {
            parts.push(self.both(depth)?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn both(&mut self, depth: usize) -> Result<Condition, PolicyError> {
        let mut parts = vec![self.one(depth)?];
        while self.word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, PolicyError> {
        if depth > MOST_NESTED {
            return self.wrong("less nesting");
        }
        if self.word("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.sign("(") {
            let inside = self.condition(depth + 1)?;
            return if self.sign(")") {
                Ok(inside)
            } else {
                self.wrong("`)`")
            };
        }
        let field = match self.peek() {
            Some(token) if token.shape != Shape::Sign && !is_keyword(token) => token.text.clone(),
            _ => return self.wrong("the name of a field"),
        };
        self.next += 1;
        let operator = self.operator()?;
        Ok(Condition::Test(Test { field, operator }))
    }

    fn operator(&mut self) -> Result<Operator, PolicyError> {
        if self.word("required") {
            return Ok(Operator::Required);
        }
        if self.word("set") {
            return Ok(Operator::Set);
        }
        if self.word("is") {
            return self.kind();
        }
        if self.word("in") {
            return Ok(Operator::OneOf(self.list()?));
        }
        if self.word("not") {
            return if self.word("in") {
                Ok(Operator::NoneOf(self.list()?))
            } else {
                self.wrong("`in`")
            };
        }
        if self.sign("~") {
            return match self.literal()? {
                Literal::Text(part) => Ok(Operator::Contains(part)),
                other => Ok(Operator::Contains(other.to_string())),
            };
        }
        if self.sign("!=") {
            return Ok(Operator::NoneOf(vec![self.literal()?]));
        }
        if self.sign("=") {
            return self.equal();
        }
        for (sign, side) in [("<", Ordering::Less), (">", Ordering::Greater)] {
            if self.sign(sign) {
                return Ok(Operator::Beyond(side, self.number()?));
            }
        }
        if self.sign("<=") {
            return Ok(Operator::Between(None, Some(self.number()?)));
        }
        if self.sign(">=") {
            return Ok(Operator::Between(Some(self.number()?), None));
        }
        self.wrong("`required`, `set`, `is`, `in`, `~`, `=`, `!=`, `<`, `<=`, `>` or `>=`")
    }

    fn kind(&mut self) -> Result<Operator, PolicyError> {
        for (word, kind) in KINDS {
            if self.word(word) {
                return Ok(Operator::Is(kind));
            }
        }
        self.wrong("`text`, `flag`, `integer`, `number`, `object` or `list`")
    }

    /// A value, or a range of numbers.
    fn equal(&mut self) -> Result<Operator, PolicyError> {
        let range = self
            .peek()
            .filter(|token| token.shape == Shape::Word)
            .and_then(|token| token.text.split_once(".."));
        let Some((low, high)) = range else {
            return Ok(Operator::OneOf(vec![self.literal()?]));
        };
        let bound = |text: &str| match text {
            "" => Some(None),
            text => number::is(text).then(|| Some(text.to_owned())),
        };
        match (bound(low), bound(high)) {
            (Some(None), Some(None)) | (None, _) | (_, None) => {
                self.wrong("a range of numbers, as `0..1`, `0..` or `..1`,")
            }
            (Some(Some(low)), Some(Some(high))) if number::compare(&low, &high).is_gt() => {
                self.wrong("a range that begins before it ends, as `0..1`,")
            }
            (Some(low), Some(high)) => {
                self.next += 1;
                Ok(Operator::Between(low, high))
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, PolicyError> {
        if !self.sign("[") {
            return self.wrong("`[`");
        }
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        if self.sign("]") {
            Ok(values)
        } else {
            self.wrong("`,` or `]`")
        }
    }

    fn number(&mut self) -> Result<String, PolicyError> {
        match self.peek() {
            Some(token) if token.shape == Shape::Word && number::is(&token.text) => {
                let text = token.text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => self.wrong("a number"),
        }
    }

    fn literal(&mut self) -> Result<Literal, PolicyError> {
        let Some(token) = self.peek().filter(|token| token.shape != Shape::Sign) else {
            return self.wrong("a value");
        };
        let text = token.text.clone();
        let quoted = token.shape == Shape::Quoted;
        self.next += 1;
        Ok(match text.as_str() {
            _ if quoted => Literal::Text(text),
            "true" => Literal::Flag(true),
            "false" => Literal::Flag(false),
            "null" => Literal::Null,
            word if number::is(word) => Literal::Number(text),
            _ => Literal::Text(text),
        })
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        many(parts)
    }
}

/// A word that cannot be a field unless it is quoted.
fn is_keyword(token: &Token) -> bool {
    token.shape == Shape::Word
        && matches!(
            token.text.as_str(),
            "and" | "or" | "not" | "if" | "in" | "is" | "required" | "set"
        )
}
