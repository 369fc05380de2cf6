//! The standard normal distribution, without tables.

use std::f64::consts::PI;

/// Beyond this the series loses digits, and the continued fraction has them.
const FAR: f64 = 3.0;
/// Steps of the continued fraction; beyond 3 it has settled to the last digit long before.
const STEPS: u32 = 200;

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// The share of the normal distribution above `x`.
///
/// Near the middle by the series of Marsaglia (2004), 1/2 - φ(x)(x + x³/3 + x⁵/15 + …); in the
/// tails by Laplace's continued fraction φ(x) / (x + 1/(x + 2/(x + …))), so that small
/// p-values keep their digits.
pub fn normal_tail(x: f64) -> f64 {
    if x > FAR {
        let fraction = (1..=STEPS)
            .rev()
            .fold(x, |rest, step| x + f64::from(step) / rest);
        return density(x) / fraction;
    }
    if x < -FAR {
        return 1.0 - normal_tail(-x);
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() / 4.0 && term != 0.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 - density(x) * sum
}

/// The point below which the share `p` lies, by Newton's method on [`normal_tail`].
/// Infinite for 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p < 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let wanted = 1.0 - p;
    let mut x = 0.0;
    for _ in 0..100 {
        // Its tail is convex right of 0: from the left Newton's steps never go too far.
        let step = (normal_tail(x) - wanted) / density(x);
        x += step;
        if step.abs() < 1e-15 * (1.0 + x.abs()) {
            break;
        }
    }
    x
}
