//! Globs, as plans, settings and file arguments have them: `*` stays within a folder, `**` does
//! not.
//!
//! # Limits
//!
//! * A glob comes from people, but also from a stranger's journal. One that is longer than
//!   [`MOST_BYTES`] or has more alternatives than [`MOST_BRACES`] is refused: the library that
//!   compiles it would panic, or take all memory.

use globset::{GlobBuilder, GlobMatcher};

/// The longest glob, in bytes.
pub const MOST_BYTES: usize = 1_024;
/// The most `{` in one.
pub const MOST_BRACES: usize = 32;

/// Compiles a glob; the error says what is wrong with it.
pub fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    if pattern.len() > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes"));
    }
    if pattern.matches('{').count() > MOST_BRACES {
        return Err(format!("it has more than {MOST_BRACES} alternatives"));
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_that_cannot_be_compiled_are_refused_and_do_not_panic() {
        for hostile in [
            "{".repeat(300) + &"}".repeat(300),
            "{a,".repeat(40),
            "*".repeat(5_000),
        ] {
            assert!(matcher(&hostile).is_err(), "{hostile}");
        }
        for large in [
            "*".repeat(MOST_BYTES),
            "[!a-z]".repeat(170),
            "{".repeat(32) + &"}".repeat(32),
        ] {
            let _ = matcher(&large);
        }
        assert!(matcher("{a,b}_*.jsonl").unwrap().is_match("b_1.jsonl"));
        assert!(!matcher("a/*").unwrap().is_match("a/b/c"));
    }
}
