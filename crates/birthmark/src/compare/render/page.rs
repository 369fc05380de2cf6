//! Lines with a label at their head.

/// Width of the first column.
pub(super) const LABEL: usize = 13;

/// What was put so far, and how wide it may be.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) width: usize,
}

impl Page {
    pub(super) fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line with its label; what does not fit goes on the next, indented.
    pub(super) fn put(&mut self, label: &str, text: &str) {
        let room = self.width.saturating_sub(LABEL);
        for (place, line) in wrap(text, room).iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let line = format!("{label:<LABEL$}{line}");
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Several short parts under one label.
    pub(super) fn list(&mut self, label: &str, parts: &[String]) {
        if !parts.is_empty() {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| part.replace(' ', "\u{a0}"))
                .collect();
            self.put(label, &parts.join(", "));
        }
    }
}

/// Breaks at spaces; a word that is longer than the line stands alone. Spaces that must not
/// break are written U+00A0.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    crate::text::in_lines(text, room)
        .into_iter()
        .map(|line| line.replace('\u{a0}', " "))
        .collect()
}
