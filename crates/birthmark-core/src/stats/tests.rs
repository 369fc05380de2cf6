//! Held against what scipy and statsmodels printed: `vectors.py` says how.

#![expect(clippy::float_cmp, reason = "the exact value is meant")]

use serde_json::Value;

use super::*;

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let rows = all[name].as_array().unwrap().clone();
    assert!(rows.len() > 5, "{name}");
    rows
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

#[track_caller]
fn same(ours: f64, theirs: f64, relative: f64, what: &Value) {
    let far = (ours - theirs).abs();
    let near = relative * theirs.abs().max(1e-300);
    assert!(far <= near, "{ours:e} against {theirs:e} of {what}");
}

#[test]
fn mcnemar_is_that_of_statsmodels() {
    for row in vectors("mcnemar") {
        let ours = mcnemar_exact(count(&row[0]), count(&row[1]));
        // Where theirs has left the range of numbers, ours may not be seen either.
        if number(&row[2]) > 1e-290 {
            same(ours, number(&row[2]), 1e-10, &row);
        } else {
            assert!(ours < 1e-280, "{ours:e} of {row}");
        }
    }
}

#[test]
fn wilson_is_that_of_statsmodels() {
    for row in vectors("wilson") {
        let ours = wilson(count(&row[0]), count(&row[1]), 0.95).unwrap();
        assert!(
            (ours.low - number(&row[2])).abs() < 1e-13,
            "{ours:?} of {row}"
        );
        assert!(
            (ours.high - number(&row[3])).abs() < 1e-13,
            "{ours:?} of {row}"
        );
    }
    assert_eq!(wilson(0, 0, 0.95), None);
}

#[test]
fn tango_is_what_root_finding_on_the_likelihood_gives() {
    for row in vectors("tango") {
        let (n, only_a, only_b) = (count(&row[0]), count(&row[1]), count(&row[2]));
        let ours = tango(n, only_a, only_b, 0.95).unwrap();
        assert!(
            (ours.low - number(&row[3])).abs() < 1e-9,
            "{ours:?} of {row}"
        );
        assert!(
            (ours.high - number(&row[4])).abs() < 1e-9,
            "{ours:?} of {row}"
        );
    }
    assert_eq!(tango(0, 0, 0, 0.95), None);
    assert_eq!(tango(3, 2, 2, 0.95), None);
}

#[test]
fn holm_is_that_of_statsmodels() {
    for row in vectors("holm") {
        for (ours, theirs) in holm(&numbers(&row[0])).iter().zip(numbers(&row[1])) {
            same(*ours, theirs, 1e-14, &row);
        }
    }
}

#[test]
fn permutation_of_few_is_that_of_scipy() {
    for row in vectors("permutation") {
        let (ours, method) = permutation(&numbers(&row[0]), 0);
        assert_eq!(method, Method::Exact);
        same(ours, number(&row[1]), 1e-12, &row);
    }
}

#[test]
fn permutation_of_many_agrees_with_the_exact_one() {
    let values: Vec<f64> = (0..EXACT_TO).map(|n| real((n * 37) % 11) - 3.5).collect();
    let (exact, method) = permutation(&values, 7);
    assert_eq!(method, Method::Exact);
    let least = values.iter().sum::<f64>().abs() - 1e-9;
    let drawn = resample::sampled_for_tests(&values, least, 7);
    assert!((exact - drawn).abs() < 0.02, "{exact} against {drawn}");
}

#[test]
fn bootstrap_is_that_of_scipy_as_far_as_chance_allows() {
    for row in vectors("bootstrap") {
        let values = numbers(&row[0]);
        let (ours, _) = bootstrap(&values, 0.95, 1).unwrap();
        let near = 0.08 * number(&row[3]) / real(values.len()).sqrt();
        assert!(
            (ours.low - number(&row[1])).abs() < near,
            "{ours:?} of {row}"
        );
        assert!(
            (ours.high - number(&row[2])).abs() < near,
            "{ours:?} of {row}"
        );
    }
    assert_eq!(bootstrap(&[1.0], 0.95, 1), None);
}

#[test]
fn normal_tail_and_quantile_are_those_of_scipy() {
    for row in vectors("tail") {
        same(normal_tail(number(&row[0])), number(&row[1]), 5e-13, &row);
    }
    for row in vectors("quantile") {
        let far = (normal_quantile(number(&row[0])) - number(&row[1])).abs();
        assert!(far < 1e-13, "{row}");
    }
}

#[test]
fn same_seed_gives_the_same_answer_and_another_seed_another() {
    let values: Vec<f64> = (0..100).map(|n| f64::from(n % 17) - 7.0).collect();
    assert_eq!(bootstrap(&values, 0.95, 5), bootstrap(&values, 0.95, 5));
    assert_ne!(bootstrap(&values, 0.95, 5), bootstrap(&values, 0.95, 6));
    assert_eq!(permutation(&values, 5), permutation(&values, 5));
    assert_ne!(permutation(&values, 5), permutation(&values, 6));
    // The first numbers of the published generator at seed 1234567.
    let mut random = SplitMix64::new(1_234_567);
    assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
    assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
}

#[test]
fn nothing_that_flipped_is_no_evidence() {
    assert_eq!(mcnemar_exact(0, 0), 1.0);
    assert_eq!(mcnemar_exact(3, 0), 0.25);
    assert_eq!(permutation(&[0.0, 0.0], 1), (1.0, Method::Exact));
    let rounded = [0.1, 0.2, -0.3];
    assert_eq!(permutation(&rounded, 1), (1.0, Method::Exact));
    assert_eq!(cohens_g(0, 0), None);
    assert_eq!(cohens_g(3, 0), Some(0.5));
    assert_eq!(cohens_dz(&[1.0, 1.0]), None);
}
