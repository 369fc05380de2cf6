//! An interval for the difference of two shares of the same items.

use super::{Interval, normal_quantile, real};

/// Halvings of a bisection: enough for the last digit of a number between -1 and 1.
const HALVINGS: u32 = 64;

/// Tango's score interval for the share that passes in B less that in A, of `pairs` items
/// seen by both, of which `only_a` passed in A alone and `only_b` in B alone. `None` of no
/// pairs.
///
/// The ends are where (b - c - nΔ) / √(n(2q + Δ(1 - Δ))) = ±z, with q the likeliest share
/// of the one flip given Δ: Tango, "Equivalence test and confidence interval for the
/// difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998.
/// Unlike a resampled one it does not shrink to nothing where no item flipped.
pub fn tango(pairs: usize, only_a: usize, only_b: usize, confidence: f64) -> Option<Interval> {
    if pairs == 0 || only_a + only_b > pairs {
        return None;
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let at = |difference| score(real(pairs), real(only_b), real(only_a), difference);
    let found = (real(only_b) - real(only_a)) / real(pairs);
    let low = if only_a == pairs {
        -1.0
    } else {
        cross(-1.0, found, |difference| at(difference) > z)
    };
    let high = if only_b == pairs {
        1.0
    } else {
        cross(found, 1.0, |difference| at(difference) > -z)
    };
    Some(Interval { low, high })
}

/// Where `above` stops to hold, between `low`, where it does, and `high`, where it does not.
fn cross(mut low: f64, mut high: f64, above: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if above(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// How many standard errors the flips lie from what `difference` would give.
fn score(n: f64, b: f64, c: f64, difference: f64) -> f64 {
    let linear = -b - c + (2.0 * n - b + c) * difference;
    let constant = -c * difference * (1.0 - difference);
    let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
    let share = (root - linear) / (4.0 * n);
    let variance = n * (2.0 * share + difference * (1.0 - difference));
    let far = b - c - n * difference;
    if variance <= 0.0 {
        return if far == 0.0 {
            0.0
        } else {
            far.signum() * f64::INFINITY
        };
    }
    far / variance.sqrt()
}
