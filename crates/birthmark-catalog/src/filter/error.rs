//! A filter that cannot be read: at which character, why, and what now.

use super::Span;

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// What is wrong, lower case, without a period.
    pub message: String,
    /// Where in the text.
    pub span: Span,
    /// What to do now.
    pub hint: Option<String>,
}

impl FilterError {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            hint: None,
        }
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The filter and, under it, a caret at the character that is wrong.
    pub fn picture(&self, text: &str) -> String {
        picture(text, self.span)
    }
}

/// A text on one line and, under it, carets at a place in it. One character is shown for
/// one, those that could act on a terminal as spaces; of a long text a part is shown.
pub fn picture(text: &str, span: Span) -> String {
    const ROOM: usize = 68;
    let shown: Vec<char> = text
        .chars()
        .map(|each| if each.is_control() { ' ' } else { each })
        .collect();
    let before = |byte: usize| text.char_indices().take_while(|(at, _)| *at < byte).count();
    let (start, end) = (before(span.start), before(span.end));
    let from = start
        .saturating_sub(ROOM / 2)
        .min(shown.len().saturating_sub(ROOM));
    let window: String = shown.iter().skip(from).take(ROOM).collect();
    let wide = (end.max(start + 1) - start)
        .min(ROOM.saturating_sub(start - from))
        .max(1);
    format!(
        "  {window}\n  {}{}",
        " ".repeat(start - from),
        "^".repeat(wide)
    )
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FilterError {}
