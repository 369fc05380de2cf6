//! Lines with a label at their head.

/// Width of the first column.
const LABEL: usize = 9;

/// What was put so far, and how wide it may be.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) width: usize,
}

impl Page {
    /// A line with its label; parts that do not fit go on the next, indented, and so do the words of
    /// a part that is longer than a line.
    pub(super) fn put(&mut self, label: &str, parts: &[String]) {
        let room = self.width.saturating_sub(LABEL).max(30);
        let mut line = String::new();
        let mut first = true;
        let parts = parts.iter().filter(|part| !part.is_empty());
        for part in parts.flat_map(|part| in_lines(part, room)) {
            let used = line.chars().count();
            if used > 0 && used + 2 + part.chars().count() > room {
                self.line(if first { label } else { "" }, &line);
                first = false;
                line.clear();
            }
            if !line.is_empty() {
                line.push_str("  ");
            }
            line.push_str(&part);
        }
        if !line.is_empty() {
            self.line(if first { label } else { "" }, &line);
        }
    }

    pub(super) fn line(&mut self, label: &str, text: &str) {
        self.text.push_str(&format!("{label:<LABEL$}{text}\n"));
    }
}

/// A text in lines of at most so many characters; one that fits stays as it is.
fn in_lines(text: &str, room: usize) -> Vec<String> {
    if text.chars().count() <= room {
        return vec![text.to_owned()];
    }
    crate::text::in_lines(text, room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_parts_are_broken_at_their_words_and_short_ones_stay_together() {
        let mut page = Page {
            text: String::new(),
            width: 40,
        };
        let long = "a part of so many words that no line of forty has room for it".to_owned();
        let word = "w".repeat(50);
        page.put(
            "label",
            &["short".to_owned(), long, word.clone(), "end".to_owned()],
        );
        assert_eq!(
            page.text,
            format!(
                "label    short\n         a part of so many words that no\n         line of forty has room for it\n         {word}\n         end\n"
            )
        );
    }
}
