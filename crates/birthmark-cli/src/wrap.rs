//! Lines that are broken where a terminal ends.
//!
//! # Invariants
//!
//! * A line is broken at spaces alone, and never within backticks, nor where it is a command
//!   of ours: what is to be copied stays whole.
//! * A word that would not fit on a line of its own is not put on one.

/// The widest label that what follows is put below.
const LABEL: usize = 24;

/// The line, broken into lines of at most `width` characters where that can be.
pub(crate) fn wrapped(line: &str, width: usize) -> Vec<String> {
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let hang = hang(line);
    if is_command(line.get(hang..).unwrap_or_default()) {
        return vec![line.to_owned()];
    }
    let mut lines = Vec::new();
    let (mut now, mut used) = (String::new(), 0);
    for (gap, word) in words(line) {
        let length = word.chars().count();
        let is_over = used + gap + length > width;
        if is_over && used > hang && hang + length <= width {
            lines.push(std::mem::take(&mut now));
            now.push_str(&" ".repeat(hang));
            used = hang;
        } else {
            now.push_str(&" ".repeat(gap));
            used += gap;
        }
        now.push_str(word);
        used += length;
    }
    lines.push(now);
    lines
}

/// Where a line that is broken goes on: below what follows its label, or its indent.
fn hang(line: &str) -> usize {
    let indent = line.chars().take_while(|each| *each == ' ').count();
    let text = line.trim_start_matches(' ');
    let after = |at: usize| {
        let rest = &text[at..];
        let gap = rest.chars().take_while(|each| *each == ' ').count();
        indent + text[..at].chars().count() + gap
    };
    let label = text.find("  ").map(after);
    let marked = text.find(": ").filter(|at| !text[..*at].contains(' '));
    let place = label
        .into_iter()
        .chain(marked.map(|at| after(at + 1)))
        .min();
    place.filter(|place| *place <= LABEL).unwrap_or(indent)
}

/// Whether what follows is a command that somebody may copy.
fn is_command(text: &str) -> bool {
    let text = text.strip_prefix("next: ").unwrap_or(text);
    text.starts_with("birthmark ")
}

/// The words of a line, each with the spaces before it; what stands in backticks is one.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let (mut start, mut gap, mut quoted) = (None, 0, false);
    for (at, each) in line.char_indices() {
        quoted ^= each == '`';
        match (each == ' ' && !quoted, start) {
            (true, Some(from)) => {
                words.push((gap, &line[from..at]));
                (start, gap) = (None, 1);
            }
            (true, None) => gap += 1,
            (false, None) => start = Some(at),
            (false, Some(_)) => {}
        }
    }
    if let Some(from) = start {
        words.push((gap, &line[from..]));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_below_what_follows_its_label() {
        assert_eq!(
            wrapped("kept     the commit in this clone and the store", 30),
            [
                "kept     the commit in this",
                "         clone and the store"
            ]
        );
        assert_eq!(
            wrapped("hint: one two three four five six", 20),
            ["hint: one two three", "      four five six"]
        );
        assert_eq!(wrapped("short", 20), ["short"]);
        assert_eq!(wrapped("", 20), [""]);
    }

    #[test]
    fn what_is_copied_stays_whole_and_what_fits_nowhere_stays_where_it_is() {
        assert_eq!(
            wrapped("say it with `birthmark find --all x` now", 28),
            ["say it with", "`birthmark find --all x` now"]
        );
        assert_eq!(
            wrapped("say it with `birthmark find --all x` now", 20),
            ["say it with `birthmark find --all x`", "now"]
        );
        let next = "birthmark: next: birthmark show artifacts/a.json";
        assert_eq!(wrapped(next, 30), [next]);
        let path = "x".repeat(40);
        assert_eq!(
            wrapped(&format!("FAILED  {path}"), 30),
            [format!("FAILED  {path}")]
        );
        for width in 1..60 {
            let line = "  a `b c` dd  eee: f";
            let joined = wrapped(line, width).join(" ");
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(plain(&joined), plain(line));
        }
    }
}
