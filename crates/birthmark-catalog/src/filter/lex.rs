//! The words of a filter: where each begins and ends, and what its quotes say.

use super::Span;
use super::error::FilterError;

/// An operator between a field and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
    ContainsNot,
}

/// A word, and whether any of it stood in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
    /// Bytes of it before its first quote.
    pub(super) bare: usize,
    pub(super) span: Span,
}

/// A piece of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open(Span),
    Close(Span),
    /// A word alone.
    Word(Word),
    /// A field, an operator, a value.
    Condition(Word, Op, Word),
}

impl Token {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Open(span) | Self::Close(span) => *span,
            Self::Word(word) => word.span,
            Self::Condition(field, _, value) => Span {
                start: field.span.start,
                end: value.span.end,
            },
        }
    }
}

const OPS: [(&str, Op); 10] = [
    ("!=", Op::NotEqual),
    ("<>", Op::NotEqual),
    ("!~", Op::ContainsNot),
    ("<=", Op::AtMost),
    (">=", Op::AtLeast),
    ("==", Op::Equal),
    ("=", Op::Equal),
    ("<", Op::Less),
    (">", Op::More),
    ("~", Op::Contains),
];

/// What may stand before a `:`, with a name or a moment behind it.
pub(super) const ASKING: [&str; 5] = ["has", "since", "after", "until", "before"];

fn is_asking(text: &str) -> bool {
    text.strip_suffix(':')
        .is_some_and(|word| ASKING.contains(&word))
}

/// Cuts a filter into its pieces.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut out = Vec::new();
    loop {
        lexer.space();
        match lexer.peek() {
            None => return Ok(out),
            Some('(') => out.push(Token::Open(lexer.one())),
            Some(')') => out.push(Token::Close(lexer.one())),
            Some(_) => out.push(lexer.term()?),
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn one(&mut self) -> Span {
        self.at += 1;
        Span {
            start: self.at - 1,
            end: self.at,
        }
    }

    fn operator(&mut self) -> Option<Op> {
        let (text, op) = OPS.iter().find(|(text, _)| self.rest().starts_with(text))?;
        self.at += text.len();
        Some(*op)
    }

    fn term(&mut self) -> Result<Token, FilterError> {
        let start = self.at;
        let left = self.word(true)?;
        let after_word = self.at;
        // `temperature > 0.5` is as good as `temperature>0.5`.
        self.space();
        let op_at = self.at;
        let Some(op) = self.operator() else {
            self.at = after_word;
            return Ok(Token::Word(left));
        };
        let op_span = Span {
            start: op_at,
            end: self.at,
        };
        if left.text.is_empty() && !left.quoted {
            return Err(
                FilterError::new(op_span, "a field's name must stand before this")
                    .with_hint("like this: temperature>0.5"),
            );
        }
        self.space();
        let missing = || {
            FilterError::new(op_span, "a value must follow")
                .with_hint("like this: temperature>0.5; an empty text is \"\"")
        };
        if matches!(self.peek(), None | Some(')')) {
            return Err(missing());
        }
        if OPS.iter().any(|(text, _)| self.rest().starts_with(text)) {
            let span = Span {
                start: self.at,
                end: self.at + 1,
            };
            return Err(
                FilterError::new(span, "a value must stand here, not an operator")
                    .with_hint("a value that begins so must be quoted: note=\">1\""),
            );
        }
        let right = self.word(false)?;
        debug_assert!(start <= self.at);
        Ok(Token::Condition(left, op, right))
    }

    /// A word up to a space or a parenthesis; the one before an operator ends there too.
    fn word(&mut self, before_operator: bool) -> Result<Word, FilterError> {
        let start = self.at;
        let (mut text, mut quoted, mut bare) = (String::new(), false, None);
        while let Some(each) = self.peek() {
            if each.is_whitespace() || each == '(' || each == ')' {
                break;
            }
            if before_operator && OPS.iter().any(|(op, _)| self.rest().starts_with(op)) {
                break;
            }
            let may_open = self.at == start || quoted || is_asking(&text);
            if each == '"' || (each == '\'' && may_open) {
                bare.get_or_insert(text.len());
                self.quoted(each, &mut text)?;
                quoted = true;
                continue;
            }
            text.push(each);
            self.at += each.len_utf8();
        }
        let span = Span {
            start,
            end: self.at,
        };
        let bare = bare.unwrap_or(text.len());
        Ok(Word {
            text,
            quoted,
            bare,
            span,
        })
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Result<(), FilterError> {
        let start = self.at;
        self.at += 1;
        while let Some(each) = self.peek() {
            self.at += each.len_utf8();
            if each == quote {
                return Ok(());
            }
            if each == '\\'
                && let Some(next @ ('\\' | '"' | '\'')) = self.peek()
            {
                self.at += 1;
                text.push(next);
                continue;
            }
            text.push(each);
        }
        let span = Span {
            start,
            end: start + 1,
        };
        Err(FilterError::new(span, "this quote is not closed"))
    }
}
