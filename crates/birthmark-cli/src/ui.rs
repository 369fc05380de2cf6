//! The terminal: stdout is data, stderr is talk.
//!
//! # Invariants
//!
//! * Everything that is printed passes [`screened`]: line ends stay, every other
//!   character that could act on a terminal is escaped. In JSON they are written as
//!   `\u009b`, so a program reads the same value.
//! * Colour is put on words that say the same without it.
//! * When the reader of stdout goes away, the rest is not written and nothing is
//!   said: the verdict stands in the exit status.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;
use crate::wrap::wrapped;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Even into a pipe
    Always,
    /// Not at all
    Never,
}

/// Where a command prints.
pub struct Ui {
    out: BufWriter<io::Stdout>,
    color_out: bool,
    color_err: bool,
    gone: bool,
}

/// Where no terminal tells its width.
const WIDTH: usize = 80;
/// No line can be laid out on less.
const NARROWEST: usize = 40;

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const MIND: Style = AnsiColor::Yellow.on_default();
const ADVICE: Style = AnsiColor::Cyan.on_default();

/// Words at the start of a line that say how it came out.
const MARKED: [(&str, Style); 16] = [
    ("NOT COMPARABLE", BAD),
    ("CANNOT TELL", MIND),
    ("COMPARABLE WITH CAVEATS", GOOD),
    ("COMPARABLE", GOOD),
    ("holds", GOOD),
    ("FAILED", BAD),
    ("failed:", BAD),
    ("error:", BAD),
    ("verified", GOOD),
    ("obeys", GOOD),
    ("unstamped", MIND),
    ("cannot tell", MIND),
    ("warning:", MIND),
    ("hint:", ADVICE),
    ("try:", ADVICE),
    ("cause:", MIND),
];

impl Ui {
    /// The terminal that the program was started on.
    pub fn new(color: ColorChoice) -> Self {
        let auto = |on: anstream::ColorChoice| on != anstream::ColorChoice::Never;
        let (color_out, color_err) = match color {
            ColorChoice::Always => (true, true),
            ColorChoice::Never => (false, false),
            ColorChoice::Auto => (
                auto(anstream::AutoStream::choice(&io::stdout())),
                auto(anstream::AutoStream::choice(&io::stderr())),
            ),
        };
        Self {
            out: BufWriter::new(io::stdout()),
            color_out,
            color_err,
            gone: false,
        }
    }

    /// Whether a person reads stdout.
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Columns that a line of stdout may take: those of the terminal, or 80.
    pub fn width(&self) -> usize {
        columns(io::stdout()).unwrap_or(WIDTH)
    }

    /// Columns that a line of a table of answers may take: in a pipe all that it needs, since
    /// what is cut there is lost.
    pub fn table_width(&self) -> usize {
        if self.is_terminal() {
            self.width()
        } else {
            usize::MAX
        }
    }

    /// Prints text for people: whole lines, the last one's end added where it is missing. On a
    /// terminal they are broken where it ends.
    pub fn people(&mut self, text: &str) -> io::Result<()> {
        let width = self.table_width();
        self.printed(text, width)
    }

    /// The same as it stands: tables, and text that is read by a program in the end.
    pub fn as_it_stands(&mut self, text: &str) -> io::Result<()> {
        self.printed(text, usize::MAX)
    }

    fn printed(&mut self, text: &str, width: usize) -> io::Result<()> {
        let mut all = String::new();
        for line in text.trim_end_matches('\n').split('\n') {
            for line in wrapped(&screened(line.trim_end()), width) {
                all.push_str(&painted(&line, self.color_out));
                all.push('\n');
            }
        }
        self.raw(all.as_bytes())
    }

    /// Prints a value as JSON, indented.
    pub fn json(&mut self, value: &Value) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.raw(json_screened(&text).as_bytes())
    }

    /// Prints bytes that this program made itself: completions, manual pages.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = if self.gone {
            Ok(())
        } else {
            self.out.write_all(bytes)
        };
        self.unless_gone(result)
    }

    /// Where the bytes of a user's own records go, as they stand. Unlike everything else
    /// they are not screened: on a terminal they are, since a person reads them there.
    pub fn data(&mut self) -> Data<'_> {
        let screen = self.is_terminal();
        Data { ui: self, screen }
    }

    /// Hands on all that was printed.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = if self.gone { Ok(()) } else { self.out.flush() };
        self.unless_gone(result)
    }

    fn unless_gone(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Says one line to the person.
    pub fn talk(&mut self, line: &str) {
        // On a terminal what was printed before stands before; what cannot be written stays,
        // and fails at the end.
        let _ = self.flush();
        talk(line, self.color_err);
    }

    /// Says what to do now.
    pub fn hint(&mut self, hint: &str) {
        self.talk(&format!("hint: {hint}"));
    }

    /// Shows a failure in its three parts.
    pub fn failure(&mut self, failure: &Failure) {
        self.talk(&format!("error: {}", failure.message));
        for cause in &failure.causes {
            self.talk(&format!("cause: {cause}"));
        }
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Takes lines from other threads to stderr, for the time of a session.
    pub fn talker(&self) -> birthmark::talk::Talk {
        let color = self.color_err;
        std::sync::Arc::new(move |line| talk(line, color))
    }
}

/// Bytes of records on their way to stdout.
pub struct Data<'a> {
    ui: &'a mut Ui,
    screen: bool,
}

impl Write for Data<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.ui.gone {
            // Nobody reads any longer: there is no use in going on.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.screen && bytes != b"\n" {
            let text = String::from_utf8_lossy(bytes);
            self.ui.raw(screened(&text).as_bytes())?;
        } else {
            self.ui.raw(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ui.flush()
    }
}

/// Columns of a terminal that text is broken for; none where it does not tell.
fn columns(of: impl std::os::fd::AsFd) -> Option<usize> {
    columns_as_told(of).map(|columns| columns.max(NARROWEST))
}

/// Columns of a terminal, however few; none where it does not tell.
pub(crate) fn columns_as_told(of: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    let columns = usize::from(size.ws_col);
    (columns > 0).then_some(columns)
}

fn talk(text: &str, color: bool) {
    let mut all = String::new();
    let width = columns(io::stderr()).filter(|_| io::stderr().is_terminal());
    for line in text.split('\n') {
        for line in wrapped(&screened(line), width.unwrap_or(usize::MAX)) {
            all.push_str(&painted(&line, color));
            all.push('\n');
        }
    }
    // Whoever closed stderr wants no talk.
    let _ = io::stderr().lock().write_all(all.as_bytes());
}

/// The line with the word at its start in colour, and what stands behind a `!`.
fn painted(line: &str, color: bool) -> Cow<'_, str> {
    if !color {
        return Cow::Borrowed(line);
    }
    for (word, style) in MARKED {
        if let Some(rest) = line.strip_prefix(word) {
            return Cow::Owned(format!("{style}{word}{style:#}{rest}"));
        }
    }
    match line.find("   ! ") {
        Some(at) => {
            let (head, risk) = line.split_at(at);
            Cow::Owned(format!("{head}{MIND}{risk}{MIND:#}"))
        }
        None => Cow::Borrowed(line),
    }
}

/// A line with everything escaped that could act on a terminal instead of being read.
pub fn screened(line: &str) -> Cow<'_, str> {
    birthmark::text::neutral(line)
}

/// JSON text whose strings hold no control character of any kind. The text is our own
/// serialisation, so beyond ASCII such a character can only stand in a string.
fn json_screened(text: &str) -> Cow<'_, str> {
    let acts = |each: char| matches!(each, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for each in text.chars() {
        if acts(each) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(each));
        } else {
            out.push(each);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_json_are_escaped_and_read_back_the_same() {
        let value = serde_json::json!({"branch": "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let screened = json_screened(&text);
        assert!(
            !screened.chars().any(|c| c.is_control() && c != '\n'),
            "{screened}"
        );
        assert_eq!(serde_json::from_str::<Value>(&screened).unwrap(), value);
    }

    #[test]
    fn colour_is_put_on_our_words_alone() {
        assert_eq!(
            painted("FAILED  x", true),
            "\u{1b}[1m\u{1b}[31mFAILED\u{1b}[0m  x"
        );
        assert_eq!(painted("x FAILED", true), "x FAILED");
        assert_eq!(painted("FAILED  x", false), "FAILED  x");
        assert_eq!(screened("a\u{1b}b"), "a\\x1bb");
    }
}
