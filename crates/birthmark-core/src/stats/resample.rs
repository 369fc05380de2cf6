//! Tests and intervals by sampling again.

use super::random::SplitMix64;
use super::{Interval, Method, deviation, mean, normal_quantile, normal_tail, real};

/// Up to so many differences that are not 0 every flip of signs is counted.
pub const EXACT_TO: usize = 30;
/// From so many pairs on the normal distribution is taken.
pub const NORMAL_FROM: usize = 20_000;
/// Samples that are drawn.
const SAMPLES: u32 = 9_999;

/// Two-sided paired permutation test that the mean of `differences` is 0: under that, each
/// difference might as well have had the other sign. Exact up to [`EXACT_TO`] differences that
/// are not 0 (those that are 0 change nothing), else sampled with p = (hits + 1) / (samples + 1).
pub fn permutation(differences: &[f64], seed: u64) -> (f64, Method) {
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sum: f64 = moved.iter().sum();
    let size: f64 = moved.iter().map(|d| d.abs()).sum();
    // Sums that differ in their last digits alone are equal.
    let least = sum.abs() - size * 1e-14;
    if moved.is_empty() {
        (1.0, Method::Exact)
    } else if moved.len() <= EXACT_TO {
        (exact(&moved, least), Method::Exact)
    } else if moved.len() < NORMAL_FROM {
        (sampled(&moved, least, seed), Method::Sampled(SAMPLES))
    } else {
        let squares: f64 = moved.iter().map(|d| d * d).sum();
        let p = 2.0 * normal_tail(sum.abs() / squares.sqrt());
        (p.min(1.0), Method::Normal)
    }
}

/// All sums that signs can give, of a few values.
fn sums(values: &[f64]) -> Vec<f64> {
    values.iter().fold(vec![0.0], |sums, value| {
        sums.iter()
            .flat_map(|sum| [sum + value, sum - value])
            .collect()
    })
}

/// Counts in two halves: for each sum of the one, how many of the other lead far enough out.
fn exact(moved: &[f64], least: f64) -> f64 {
    let (left, right) = moved.split_at(moved.len() / 2);
    let mut right = sums(right);
    right.sort_by(f64::total_cmp);
    let hits: usize = sums(left)
        .iter()
        .map(|sum| {
            let above = right.len() - right.partition_point(|other| sum + other < least);
            let below = right.partition_point(|other| sum + other <= -least);
            // A sum of 0 lies on both sides.
            (above + below).min(right.len())
        })
        .sum();
    real(hits) / 2_f64.powi(i32::try_from(moved.len()).unwrap_or(i32::MAX))
}

fn sampled(moved: &[f64], least: f64, seed: u64) -> f64 {
    let mut random = SplitMix64::new(seed);
    let mut hits = 0_u32;
    for _ in 0..SAMPLES {
        let mut sum = 0.0;
        for chunk in moved.chunks(64) {
            let mut signs = random.next_u64();
            for value in chunk {
                sum += if signs & 1 == 0 { *value } else { -value };
                signs >>= 1;
            }
        }
        hits += u32::from(sum.abs() >= least);
    }
    f64::from(hits + 1) / f64::from(SAMPLES + 1)
}

#[cfg(test)]
pub(super) fn sampled_for_tests(moved: &[f64], least: f64, seed: u64) -> f64 {
    sampled(moved, least, seed)
}

/// The percentile interval of the mean of `differences`, by drawing pairs again with
/// replacement. `None` of fewer than two.
pub fn bootstrap(differences: &[f64], confidence: f64, seed: u64) -> Option<(Interval, Method)> {
    let count = differences.len();
    let tail = (1.0 - confidence) / 2.0;
    let deviation = deviation(differences)?;
    if count >= NORMAL_FROM {
        let half = normal_quantile(1.0 - tail) * deviation / real(count).sqrt();
        let mean = mean(differences);
        let interval = Interval {
            low: mean - half,
            high: mean + half,
        };
        return Some((interval, Method::Normal));
    }
    let mut random = SplitMix64::new(seed);
    let mut means: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let drawn = (0..count).map(|_| differences[random.below(count)]);
            drawn.sum::<f64>() / real(count)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let interval = Interval {
        low: percentile(&means, tail),
        high: percentile(&means, 1.0 - tail),
    };
    Some((interval, Method::Sampled(SAMPLES)))
}

/// The value below which the share lies, between two by the straight line (type 7 of Hyndman
/// and Fan 1996).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * real(sorted.len() - 1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list of 9,999"
    )]
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - real(below))
}
