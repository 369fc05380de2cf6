//! Paired statistics for evaluations: is the difference between two systems real?
//!
//! Every function is a function of its arguments; what draws at random takes a seed and
//! gives the same answer for the same seed on every machine.
//!
//! | question | function | source |
//! |---|---|---|
//! | do two systems pass the same items? | [`mcnemar_exact`] | McNemar 1947; exact form: Edwards 1948 |
//! | is the mean difference zero? | [`permutation`] | Fisher 1935, sign flips; sampled: Phipson and Smyth 2010 |
//! | how large may the mean difference be? | [`bootstrap`] | Efron 1979, percentile interval |
//! | how large may the difference of two shares of the same items be? | [`tango`] | Tango 1998 |
//! | how sure is a share? | [`wilson`] | Wilson 1927 |
//! | several questions at once? | [`holm`] | Holm 1979 |
//! | how large is the effect? | [`cohens_g`], [`cohens_dz`] | Cohen 1988 |
//!
//! # Invariants
//!
//! * Pairs are pairs: what is handed over is matched by the caller, by id.
//! * Values are finite; the caller leaves out what is no number, and says so.
//!
//! # Limitations
//!
//! * From [`NORMAL_FROM`] pairs on, interval and test of a mean are those of the normal
//!   distribution, which is what both tend to; [`Method`] says which was taken.

mod binomial;
mod normal;
mod paired;
mod random;
mod resample;

pub use binomial::mcnemar_exact;
pub use normal::{normal_quantile, normal_tail};
pub use paired::tango;
pub use random::SplitMix64;
pub use resample::{EXACT_TO, NORMAL_FROM, bootstrap, permutation};

/// An interval, lower end first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// How a p-value or an interval was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Every possibility was counted.
    Exact,
    /// Possibilities were drawn at random, so many.
    Sampled(u32),
    /// The normal distribution, which many pairs tend to.
    Normal,
}

impl Method {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sampled(_) => "sampled",
            Self::Normal => "normal",
        }
    }
}

/// A count as a real number; exact below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of items are far below 2^53"
)]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / real(values.len())
}

/// The standard deviation of a sample (divided by n - 1); `None` of fewer than two.
pub fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / real(values.len() - 1)).sqrt())
}

/// Wilson's score interval for a share of `successes` among `trials` at a confidence
/// between 0 and 1. `None` of no trials.
///
/// centre = (p + z²/2n) / (1 + z²/n), half = z / (1 + z²/n) · √(p(1-p)/n + z²/4n²).
pub fn wilson(successes: usize, trials: usize, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let n = real(trials);
    let share = real(successes) / n;
    let scale = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval {
        low: if successes == 0 { 0.0 } else { centre - half },
        high: if successes == trials {
            1.0
        } else {
            centre + half
        },
    })
}

/// Holm's step-down correction: p-values for so many looks, in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![1.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (step, &place) in order.iter().enumerate() {
        let looks = real(p_values.len() - step);
        largest = largest.max(p_values[place] * looks).min(1.0);
        corrected[place] = largest;
    }
    corrected
}

/// Cohen's g of a McNemar table: how far the flips are from going both ways alike, from
/// 0 to 0.5 (0.05 small, 0.15 medium, 0.25 large). `None` without a flip.
pub fn cohens_g(only_a: usize, only_b: usize) -> Option<f64> {
    let flips = only_a + only_b;
    (flips > 0).then(|| real(only_a.max(only_b)) / real(flips) - 0.5)
}

/// Cohen's d of paired differences: their mean over their standard deviation (0.2 small,
/// 0.5 medium, 0.8 large). `None` where they do not vary.
pub fn cohens_dz(differences: &[f64]) -> Option<f64> {
    let deviation = deviation(differences)?;
    (deviation > 0.0).then(|| mean(differences) / deviation)
}

#[cfg(test)]
mod tests;
