//! The binomial distribution at one half, to the last digits, for any size.

use std::f64::consts::PI;

use super::real;

/// McNemar's test, exact and two-sided, on the items that flipped: `only_a` passed in A alone,
/// `only_b` in B alone.
///
/// p = min(1, 2 · Σ C(n, k) / 2ⁿ for k from 0 to min(a, b)), n = a + b. Without a flip it is 1.
pub fn mcnemar_exact(only_a: usize, only_b: usize) -> f64 {
    let flips = only_a + only_b;
    let fewer = only_a.min(only_b);
    if flips == 0 || only_a == only_b {
        return 1.0;
    }
    let mut term = half_binomial(fewer, flips);
    let mut sum = term;
    for k in (1..=fewer).rev() {
        term *= real(k) / real(flips - k + 1);
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    (2.0 * sum).min(1.0)
}

/// C(n, k) / 2ⁿ, by Loader's saddle-point form ("Fast and accurate computation of binomial
/// probabilities", 2000), which keeps its digits where factorials would lose them.
fn half_binomial(k: usize, n: usize) -> f64 {
    let (whole, some) = (real(n), real(k));
    let rest = whole - some;
    if k == 0 || k == n {
        return 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    }
    let exponent = stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(some, whole / 2.0)
        - deviance(rest, whole / 2.0);
    exponent.exp() * (whole / (2.0 * PI * some * rest)).sqrt()
}

/// ln n! - ln(√(2πn) (n/e)ⁿ).
fn stirling_error(n: usize) -> f64 {
    let x = real(n);
    if n < 16 {
        let factorial: f64 = (1..=n).map(real).product();
        return factorial.ln() - ((x + 0.5) * x.ln() - x + (2.0 * PI).sqrt().ln());
    }
    let square = x * x;
    let tail = 1.0 / 1680.0 - 1.0 / 1188.0 / square;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - tail / square) / square) / square) / x
}

/// x ln(x/m) + m - x, without cancellation where x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let ratio = (x - m) / (x + m);
    let mut sum = (x - m) * ratio;
    let mut power = 2.0 * x * ratio;
    let mut odd = 3.0;
    loop {
        power *= ratio * ratio;
        let next = sum + power / odd;
        if next.to_bits() == sum.to_bits() {
            return sum;
        }
        sum = next;
        odd += 2.0;
    }
}
