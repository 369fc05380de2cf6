//! Lines with a label at their head.

/// Width of the first column.
const LABEL: usize = 9;

/// What was put so far, and how wide it may be.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) width: usize,
}

impl Page {
    /// A line with its label; parts that do not fit go on the next, indented.
    pub(super) fn put(&mut self, label: &str, parts: &[String]) {
        let room = self.width.saturating_sub(LABEL).max(30);
        let mut line = String::new();
        let mut first = true;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let used = line.chars().count();
            if used > 0 && used + 2 + part.chars().count() > room {
                self.line(if first { label } else { "" }, &line);
                first = false;
                line.clear();
            }
            if !line.is_empty() {
                line.push_str("  ");
            }
            line.push_str(part);
        }
        if !line.is_empty() {
            self.line(if first { label } else { "" }, &line);
        }
    }

    pub(super) fn line(&mut self, label: &str, text: &str) {
        self.text.push_str(&format!("{label:<LABEL$}{text}\n"));
    }
}
