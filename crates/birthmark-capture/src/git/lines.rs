//! Two texts, line by line, as `diff -u` has them.

use gix::diff::blob::unified_diff::{ConsumeBinaryHunk, ContextSize};
use gix::diff::blob::{Algorithm, InternedInput, UnifiedDiff, diff_with_slider_heuristics};

/// The lines that differ, with three lines around them; empty where the texts are the same.
pub fn unified_diff(before: &str, after: &str) -> String {
    let input = InternedInput::new(before, after);
    let diff = diff_with_slider_heuristics(Algorithm::Histogram, &input);
    let hunks = ConsumeBinaryHunk::new(String::new(), "\n");
    let unified = UnifiedDiff::new(&diff, &input, hunks, ContextSize::symmetrical(3));
    // Writing to a string cannot fail.
    unified.consume().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_stand_between_their_neighbours() {
        let diff = unified_diff("a\nb\nc\n", "a\nB\nc\n");
        assert_eq!(diff, "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(unified_diff("a\n", "a\n"), "");
    }
}
