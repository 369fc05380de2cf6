//! Text from data, made fit for a screen.
//!
//! A branch, a file name or a user's field may hold anything: escape sequences
//! that recolour a terminal or write to its clipboard, overrides that turn text
//! round, line ends that fake a line of ours. Here all of that is escaped, so
//! that what is seen is what is there.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// The text with everything escaped that could act instead of being read: control
/// characters, ESC, line and paragraph separators, bidirectional controls, invisible
/// characters.
pub fn neutral(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for each in text.chars() {
        match each {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            each if acts(each) && u32::from(each) < 0x80 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(each));
            }
            each if acts(each) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(each));
            }
            each => out.push(each),
        }
    }
    Cow::Owned(out)
}

pub(crate) fn acts(each: char) -> bool {
    each.is_control()
        || matches!(each,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// At most `most` characters of neutral text; what was cut is marked by `…`.
pub fn short(text: &str, most: usize) -> String {
    let text = neutral(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// The text without the sequences that colour it or move the cursor (`ESC [ … m` and such).
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(each) = rest.next() {
        if each != '\u{1b}' {
            out.push(each);
            continue;
        }
        match rest.next() {
            Some('[') => {
                rest.find(|end| ('@'..='~').contains(end));
            }
            // A title or a link: up to BEL, or to the backslash of ESC \.
            Some(']') => {
                rest.find(|end| matches!(end, '\u{7}' | '\\' | '\n'));
            }
            _ => {}
        }
    }
    Cow::Owned(out)
}

/// A JSON value as a screen shows it: strings without quotes, the rest as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => neutral(text).into_owned(),
        other => neutral(&other.to_string()).into_owned(),
    }
}

/// `61 kB`, `4.2 GB`: decimal units, as disks and networks count.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let count = u128::from(count);
    let (mut unit, mut size) = (0, 1_000_u128);
    // 999.5 of one unit and more is rounded to 1.0 of the next.
    while count >= size * 1_000 - size / 2 && unit + 1 < UNITS.len() {
        unit += 1;
        size *= 1_000;
    }
    let name = UNITS.get(unit).copied().unwrap_or("PB");
    let tenths = (count * 10 + size / 2) / size;
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", (count + size / 2) / size)
    }
}

/// Two sizes that are not the same, so that they do not look it: in bytes where they round alike.
pub fn two_sizes(one: u64, other: u64) -> (String, String) {
    let (short, shorter) = (bytes(one), bytes(other));
    if short == shorter && one != other {
        let whole = |count: u64| format!("{} bytes", grouped(count));
        return (whole(one), whole(other));
    }
    (short, shorter)
}

/// `1 record`, `40 records`, `1,000,000 records`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with commas between groups of three, from five digits on.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A text in lines of at most so many characters, broken at spaces; a longer word stays whole.
pub(crate) fn in_lines(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_titles_are_cut_out_and_the_text_stays() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}on\u{1b}[2K";
        assert_eq!(without_escapes(text), "red on");
    }

    #[test]
    fn two_sizes_that_differ_never_look_alike() {
        let pair = |one, other| two_sizes(one, other);
        assert_eq!(
            pair(3_912, 3_925),
            ("3912 bytes".to_owned(), "3925 bytes".to_owned())
        );
        assert_eq!(
            pair(3_912, 4_925),
            ("3.9 kB".to_owned(), "4.9 kB".to_owned())
        );
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_passes() {
        let hostile = "a\x1b]52;c;aGk=\x07\u{202e}b\u{9b}31m\nc\u{200b}";
        let shown = neutral(hostile);
        assert!(!shown.chars().any(acts), "{shown}");
        assert_eq!(
            shown,
            "a\\x1b]52;c;aGk=\\x07\\u{202e}b\\u{9b}31m\\nc\\u{200b}"
        );
        assert_eq!(neutral("Grüße 漢字"), "Grüße 漢字");
    }

    #[test]
    fn sizes_and_counts_are_short() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(61_234), "61 kB");
        assert_eq!(bytes(1_240), "1.2 kB");
        assert_eq!(bytes(9_960), "10 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(4_200_000_000), "4.2 GB");
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(1_000_000, "record"), "1,000,000 records");
    }
}
