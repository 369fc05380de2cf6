//! A random share of the files: read whole, while of the others only the size is compared.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use birthmark_store::digest;

use crate::error::{Error, Result};

/// Which files are read. Every call draws anew, so that many calls come to all of them; the
/// same seed draws the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How many of ten thousand are read.
    share: u64,
    /// What the drawing begins with.
    pub seed: u64,
}

const WHOLE: u64 = 10_000;

impl Sample {
    /// Reads `5%`, `0.5%` or `5`: a share in percent, above 0 and at most 100.
    pub fn parse(text: &str, seed: u64) -> Result<Self> {
        let wrong = || {
            let text = format!("`{text}` is no share: it must be above 0% and at most 100%");
            Error::usage("share", text).with_hint("as in --sample 5%")
        };
        let number = text.trim().strip_suffix('%').unwrap_or(text.trim());
        let percent: f64 = number.trim().parse().map_err(|_| wrong())?;
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(wrong());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies within 1 and 10,000"
        )]
        let share = (percent * 100.0).round().max(1.0) as u64;
        Ok(Self { share, seed })
    }

    /// `5%`.
    pub fn text(self) -> String {
        let (whole, rest) = (self.share / 100, self.share % 100);
        let text = format!("{whole}.{rest:02}");
        format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }

    /// Whether this file is read.
    pub(super) fn takes(self, path: &Path) -> bool {
        let mut bytes = self.seed.to_le_bytes().to_vec();
        bytes.extend_from_slice(path.as_os_str().as_bytes());
        let digest = digest::digest_bytes(&bytes).to_string();
        let drawn = digest.rsplit(':').next().and_then(|hex| hex.get(..12));
        let drawn = drawn.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        drawn.is_none_or(|drawn| drawn % WHOLE < self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_read_and_said() {
        for (text, said) in [
            ("5%", "5%"),
            ("0.5 %", "0.5%"),
            ("100", "100%"),
            ("12.34", "12.34%"),
        ] {
            assert_eq!(Sample::parse(text, 0).unwrap().text(), said);
        }
        for text in ["", "0", "-1%", "101%", "many", "NaN", "inf"] {
            assert_eq!(
                Sample::parse(text, 0).unwrap_err().code(),
                "share",
                "{text}"
            );
        }
    }

    #[test]
    fn about_so_many_are_drawn_and_the_same_by_the_same_seed() {
        let drawn = |seed| {
            let sample = Sample::parse("5%", seed).unwrap();
            let taken = (0..10_000).filter(|n| sample.takes(Path::new(&format!("f{n}"))));
            taken.collect::<Vec<_>>()
        };
        let (first, second) = (drawn(1), drawn(2));
        assert!((400..600).contains(&first.len()), "{}", first.len());
        assert_ne!(first, second);
        assert_eq!(first, drawn(1));
    }
}
