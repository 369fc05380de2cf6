//! From the pieces of a filter to what it asks for.

use birthmark_core::Timestamp;
use jiff::tz::TimeZone;

use super::error::FilterError;
use super::lex::{Op, Token, Word, tokens};
use super::names::{alias, is_known, is_time, is_typed_short};
use super::when::{When, when};
use super::{Filter, Order, Span, Term, Test, WORDS};
use crate::value::{Kind, Value};

/// How deep parentheses and NOT may be nested.
const MAX_DEPTH: usize = 64;
/// A longer filter is no question that a person asks, in bytes.
const MAX_LENGTH: usize = 64 << 10;
const MOMENTS: &str = "like today, yesterday, monday, 3d, 2h, 2026-11-22, \"2026-11-22 14:00\"";

/// What the meaning of a filter depends on beside its text.
#[derive(Debug, Clone)]
pub struct Context {
    /// What `yesterday` is seen from.
    pub now: Timestamp,
    /// Where days begin.
    pub zone: TimeZone,
}

/// Reads a filter. An empty one asks for everything.
pub fn parse(text: &str, context: &Context) -> Result<Filter, FilterError> {
    if text.len() > MAX_LENGTH {
        let span = Span {
            start: MAX_LENGTH,
            end: MAX_LENGTH,
        };
        return Err(FilterError::new(span, "the filter is longer than 64 kB"));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
        end: text.len(),
        context,
    };
    if parser.tokens.is_empty() {
        return Ok(Filter::All);
    }
    let filter = parser.any_of()?;
    match parser.peek() {
        None => Ok(filter),
        Some(token) => Err(FilterError::new(
            token.span(),
            "no parenthesis is open here",
        )),
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    end: usize,
    context: &'a Context,
}

fn joined(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    join(parts)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if !word.quoted && word.text == keyword)
    }

    fn any_of(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all_of()?];
        while self.at_keyword("OR") {
            self.at += 1;
            parts.push(self.all_of()?);
        }
        Ok(joined(parts, Filter::Or))
    }

    fn all_of(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.negated()?];
        loop {
            if self.at_keyword("AND") {
                self.at += 1;
            } else if self.peek().is_none()
                || matches!(self.peek(), Some(Token::Close(_)))
                || self.at_keyword("OR")
            {
                return Ok(joined(parts, Filter::And));
            }
            parts.push(self.negated()?);
        }
    }

    fn deeper(&mut self, span: Span) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FilterError::new(span, "the filter is nested too deep"));
        }
        Ok(())
    }

    fn negated(&mut self) -> Result<Filter, FilterError> {
        let Some(token) = self.peek().cloned() else {
            let span = Span {
                start: self.end,
                end: self.end,
            };
            return Err(FilterError::new(span, "a condition must follow"));
        };
        if self.at_keyword("NOT") {
            self.deeper(token.span())?;
            self.at += 1;
            let inner = self.negated()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(inner)));
        }
        self.at += 1;
        match token {
            Token::Open(span) => {
                self.deeper(span)?;
                let inner = self.any_of()?;
                if !matches!(self.peek(), Some(Token::Close(_))) {
                    return Err(FilterError::new(span, "this parenthesis is not closed"));
                }
                self.at += 1;
                self.depth -= 1;
                Ok(inner)
            }
            Token::Close(span) => Err(FilterError::new(span, "a condition must stand here")),
            Token::Word(word) => self.word(&word),
            Token::Condition(field, op, value) => self.condition(&field, op, &value),
        }
    }

    fn word(&self, word: &Word) -> Result<Filter, FilterError> {
        if let Some(filter) = self.prefixed(word)? {
            return Ok(filter);
        }
        if word.quoted {
            return Ok(contains(WORDS, &word.text, word.span));
        }
        let error = |message: String| FilterError::new(word.span, message);
        match word.text.as_str() {
            "AND" | "OR" => {
                return Err(error("a condition must stand here".to_owned()));
            }
            text @ ("and" | "or" | "not") => {
                return Err(
                    error(format!("`{text}` alone is looked for as a word")).with_hint(format!(
                        "write {} in capitals, or \"{text}\" in quotes",
                        text.to_uppercase()
                    )),
                );
            }
            "&&" | "||" | "!" | "," | "&" | "|" => {
                return Err(error(format!("`{}` is no operator", word.text))
                    .with_hint("words side by side mean AND; say OR, NOT in capitals"));
            }
            text if is_known(text) => return Err(Self::bare_field(word)),
            _ => {}
        }
        Ok(contains(WORDS, &word.text, word.span))
    }

    fn bare_field(word: &Word) -> FilterError {
        let name = &word.text;
        FilterError::new(
            word.span,
            format!("`{name}` is the name of a field, and no condition follows it"),
        )
        .with_hint(format!(
            "did the shell take `>…`? quote the filter: '{name}>1'. Which have it: has:{name}. \
             The word itself: '\"{name}\"'"
        ))
    }

    /// `has:field`, `since:moment`, `until:moment`; what stands behind the `:` may be quoted.
    fn prefixed(&self, word: &Word) -> Result<Option<Filter>, FilterError> {
        let asked = word.text.split_once(':');
        let Some((prefix, rest)) = asked.filter(|(prefix, _)| prefix.len() < word.bare) else {
            return Ok(None);
        };
        let span = Span {
            start: word.span.start + prefix.len() + 1,
            end: word.span.end,
        };
        let term = |field: &str, test| {
            Filter::Term(Term {
                field: resolved(field),
                test,
                span: word.span,
            })
        };
        match prefix {
            "has" if rest.is_empty() => Err(FilterError::new(
                word.span,
                "the name of a field must follow",
            )
            .with_hint("like this: has:quantization")),
            "has" => Ok(Some(term(rest, Test::Has))),
            "since" | "after" | "until" | "before" => {
                let moment = self.moment(rest, span)?;
                let (order, time) = match prefix {
                    "since" => (Order::AtLeast, moment.from),
                    "after" => (Order::More, moment.to),
                    "until" => (Order::AtMost, moment.to),
                    _ => (Order::Less, moment.from),
                };
                let test = Test::Order(order, Value::text(time.to_string()));
                Ok(Some(term("timestamp", test)))
            }
            name if is_known(name) && !rest.is_empty() => Err(FilterError::new(
                word.span,
                format!("`{name}` is the name of a field, and `:` no operator"),
            )
            .with_hint({
                let value = if word.quoted {
                    format!("\"{rest}\"")
                } else {
                    rest.to_owned()
                };
                format!("write {name}={value}, or {name}~{value} for contains")
            })),
            _ => Ok(None),
        }
    }

    fn moment(&self, text: &str, span: Span) -> Result<When, FilterError> {
        when(text, self.context.now, &self.context.zone)
            .ok_or_else(|| FilterError::new(span, "this is no moment").with_hint(MOMENTS))
    }

    fn condition(&self, field: &Word, op: Op, value: &Word) -> Result<Filter, FilterError> {
        let name = resolved(&field.text);
        let span = Span {
            start: field.span.start,
            end: value.span.end,
        };
        let term = |test| {
            Filter::Term(Term {
                field: name.clone(),
                test,
                span,
            })
        };
        let order =
            |order| -> Result<Filter, FilterError> { Ok(term(self.ordered(&name, order, value)?)) };
        match op {
            Op::Equal => Ok(term(self.equal(&name, value)?)),
            Op::NotEqual if is_null(value) => Ok(term(Test::Has)),
            Op::NotEqual => Ok(Filter::Not(Box::new(term(self.equal(&name, value)?)))),
            Op::Contains => Ok(contains(&name, &value.text, span)),
            Op::ContainsNot => Ok(Filter::Not(Box::new(contains(&name, &value.text, span)))),
            Op::Less => order(Order::Less),
            Op::AtMost => order(Order::AtMost),
            Op::More => order(Order::More),
            Op::AtLeast => order(Order::AtLeast),
        }
    }

    fn ordered(&self, name: &str, order: Order, word: &Word) -> Result<Test, FilterError> {
        if is_null(word) {
            return Err(
                FilterError::new(word.span, "nothing is less or more than null")
                    .with_hint("field=null asks for null, has:field for a value"),
            );
        }
        if is_time(name) {
            let moment = self.moment(&word.text, word.span)?;
            let time = match order {
                Order::Less | Order::AtLeast => moment.from,
                Order::AtMost | Order::More => moment.to,
            };
            return Ok(Test::Order(order, Value::text(time.to_string())));
        }
        Ok(Test::Order(order, one_reading(word)))
    }

    fn equal(&self, name: &str, word: &Word) -> Result<Test, FilterError> {
        if is_null(word) {
            return Ok(Test::IsNull);
        }
        if !word.quoted
            && let Some(range) = self.range(name, word)?
        {
            return Ok(range);
        }
        if is_time(name) {
            let moment = self.moment(&word.text, word.span)?;
            return Ok(Test::Between(
                Value::text(moment.from.to_string()),
                Value::text(moment.to.to_string()),
            ));
        }
        if is_typed_short(name) && !word.text.is_empty() {
            let mut starts = vec![word.text.clone()];
            if name.ends_with("digest") && !word.text.contains(':') {
                starts = vec![
                    format!("blake3:{}", word.text),
                    format!("sha256:{}", word.text),
                ];
            }
            return Ok(Test::Begins(starts));
        }
        Ok(Test::Equal(readings(word)))
    }

    /// `a..b`, `a..`, `..b`, where it is one.
    fn range(&self, name: &str, word: &Word) -> Result<Option<Test>, FilterError> {
        let Some((low, high)) = word
            .text
            .split_once("..")
            .filter(|_| !word.text.contains('/'))
        else {
            return Ok(None);
        };
        let end = |text: &str, last: bool| -> Result<Option<Value>, FilterError> {
            if text.is_empty() {
                return Ok(None);
            }
            if is_time(name) {
                let moment = self.moment(text, word.span)?;
                let time = if last { moment.to } else { moment.from };
                return Ok(Some(Value::text(time.to_string())));
            }
            Ok(Some(
                typed_number(text).unwrap_or_else(|| Value::text(text)),
            ))
        };
        let wrong = |message: &str| {
            FilterError::new(word.span, message)
                .with_hint("a range is 1..10, 0.5.. or ..0.5; a text with two dots must be quoted")
        };
        match (end(low, false)?, end(high, true)?) {
            (None, None) => Err(wrong("this range has no end")),
            (Some(low), None) => Ok(Some(Test::Order(Order::AtLeast, low))),
            (None, Some(high)) => Ok(Some(Test::Order(Order::AtMost, high))),
            (Some(low), Some(high)) => match low.compare(&high) {
                None => Err(wrong("the ends of this range are a number and a text")),
                Some(std::cmp::Ordering::Greater) => Err(wrong("this range ends before it begins")),
                Some(_) => Ok(Some(Test::Between(low, high))),
            },
        }
    }
}

fn resolved(name: &str) -> String {
    alias(name).unwrap_or(name).to_owned()
}

fn contains(field: &str, text: &str, span: Span) -> Filter {
    Filter::Term(Term {
        field: field.to_owned(),
        test: Test::Contains(super::fold(text)),
        span,
    })
}

fn is_null(word: &Word) -> bool {
    !word.quoted && word.text == "null"
}

/// What a word may mean: the number, the truth, and always the text.
fn readings(word: &Word) -> Vec<Value> {
    let text = Value::text(word.text.clone());
    let first = one_reading(word);
    match word.text.as_str() {
        _ if first.kind() == Kind::Number => vec![first, text],
        "true" | "false" if !word.quoted => vec![Value::boolean(word.text == "true"), text],
        _ => vec![text],
    }
}

/// A number as people type it, and JSON does not: `.5`, `5.`, `+1`, `1_000`.
fn typed_number(text: &str) -> Option<Value> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let is_digit = |at: Option<usize>| {
        let byte = at.and_then(|at| rest.as_bytes().get(at));
        byte.is_some_and(u8::is_ascii_digit)
    };
    let mut plain = sign.to_owned();
    for (at, each) in rest.char_indices() {
        let (before, after) = (is_digit(at.checked_sub(1)), is_digit(Some(at + 1)));
        match each {
            '_' if before && after => {}
            '.' if !before && after && at == 0 => plain.push_str("0."),
            '.' if before && !after => {}
            each => plain.push(each),
        }
    }
    Value::number(&plain)
}

fn one_reading(word: &Word) -> Value {
    let number = (!word.quoted).then(|| typed_number(&word.text)).flatten();
    number.unwrap_or_else(|| Value::text(word.text.clone()))
}
