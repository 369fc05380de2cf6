//! What two systems scored, and whether the difference is more than chance.
//!
//! Scores are paired by item. Passes and fails are tested with McNemar's exact test and get
//! Tango's interval; other numbers with a permutation of signs and a bootstrap. Where no
//! item can be paired there is no test, and the score says why.
//!
//! # Invariants
//!
//! * What is no number is left out of every mean and counted.
//! * A difference is B less A.
//! * For one seed the answer is the same everywhere.

mod sentence;

use serde_json::{Value, json};

use super::items::{Matching, plural};
use super::{Reason, Weight};
use crate::evaluation::{Column, Evaluation, Reading, is_pass, is_rate, lower_is_better};
use crate::stats::{self, Interval, Method};

pub use sentence::{number, p_value};

/// Below this a p-value counts as evidence; said wherever it is used.
pub const ALPHA: f64 = 0.05;
/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;
/// A summary and the mean of its items may differ by so much: it may have been rounded.
const ROUNDED: f64 = 5.1e-4;

/// How one side stands on a metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stand {
    /// The value over the items that were paired, else as the summary has it.
    pub value: Option<f64>,
    /// What stood where a number should, if it was none.
    pub not_a_number: Option<String>,
    /// Passed, and of how many.
    pub passed: Option<(usize, usize)>,
    /// How sure the value is by itself: Wilson's interval of a share, or from its standard error.
    pub interval: Option<Interval>,
}

/// What kind of numbers were tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0 and 1 alone.
    PassFail,
    /// Any numbers.
    Real,
}

/// An item that came out otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Its id, or its number where it has none.
    pub id: String,
    /// In A.
    pub a: f64,
    /// In B.
    pub b: f64,
}

/// The paired test of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What was tested.
    pub kind: Kind,
    /// Items that both have a number for.
    pub pairs: usize,
    /// Items that are better in A: that passed there alone, or have the larger number.
    pub only_a: usize,
    /// Items that are better in B.
    pub only_b: usize,
    /// The items that differ, the largest difference first.
    pub flips: Vec<Flip>,
    /// Every difference, B less A, in the order of the items.
    pub differences: Vec<f64>,
    /// The p-value of this test alone.
    pub p: f64,
    /// The same for all the looks that were taken, by Holm; `None` where it was the only one.
    pub p_corrected: Option<f64>,
    /// How it was got.
    pub method: Method,
    /// The interval of the difference.
    pub interval: Option<Interval>,
    /// Effect size and its name: Cohen's g or d.
    pub effect: Option<(&'static str, f64)>,
    /// Paired items that are no number on one side.
    pub left_out: usize,
}

impl Test {
    /// The p-value that counts.
    pub fn p_counted(&self) -> f64 {
        self.p_corrected.unwrap_or(self.p)
    }

    /// Whether it is evidence of a difference.
    pub fn is_evidence(&self) -> bool {
        self.p_counted() < ALPHA
    }
}

/// One metric on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The metric.
    pub metric: String,
    /// The system it is of, where both sides have several.
    pub role: Option<String>,
    /// A.
    pub a: Stand,
    /// B.
    pub b: Stand,
    /// B less A.
    pub difference: Option<f64>,
    /// Whether less is better; nothing where that is not known.
    pub lower_is_better: Option<bool>,
    /// Whether it is the same model on both sides while another system is the subject: a
    /// repeat, which shows how far two runs part by chance, and is no look at the question.
    pub is_repeat: bool,
    /// The paired test, or why there is none.
    pub test: Result<Test, String>,
}

/// All metrics of two systems.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// Those that both have.
    pub rows: Vec<Score>,
    /// Metrics of A alone.
    pub only_a: Vec<String>,
    /// Metrics of B alone.
    pub only_b: Vec<String>,
    /// What is to be minded.
    pub reasons: Vec<Reason>,
}

/// Compares the system at a place of A with one of B.
pub fn compare(
    a: (&Evaluation, usize),
    b: (&Evaluation, usize),
    matching: &Matching,
    names: [&str; 2],
    seed: u64,
) -> Scores {
    let mut scores = Scores::default();
    let sides = [a, b];
    let mut used: Vec<String> = Vec::new();
    for column in columns(a) {
        let Some(other) = b.0.items.column(b.1, &column.name) else {
            continue;
        };
        let name = metric_of(sides, [column, other], &used, names, &mut scores.reasons);
        used.push(name.clone());
        let score = by_item(sides, [column, other], name, matching, seed);
        scores.rows.push(score);
    }
    for metric in sides[0]
        .0
        .systems
        .get(a.1)
        .iter()
        .flat_map(|system| &system.metrics)
    {
        if used.contains(&metric.name) {
            continue;
        }
        let other =
            b.0.systems
                .get(b.1)
                .and_then(|system| system.metric(&metric.name));
        match other {
            Some(_) => scores.rows.push(by_summary(sides, &metric.name, matching)),
            None => scores.only_a.push(metric.name.clone()),
        }
    }
    let only_b =
        b.0.systems
            .get(b.1)
            .into_iter()
            .flat_map(|system| &system.metrics);
    let of_a = a.0.systems.get(a.1);
    scores.only_b = only_b
        .filter(|metric| !used.contains(&metric.name))
        .filter(|metric| of_a.is_none_or(|system| system.metric(&metric.name).is_none()))
        .map(|metric| metric.name.clone())
        .collect();
    not_numbers(&mut scores, names);
    scores
}

fn columns((evaluation, system): (&Evaluation, usize)) -> impl Iterator<Item = &Column> {
    let columns = evaluation.items.columns.iter();
    columns.filter(move |column| column.system == system)
}

/// What the numbers of a column are called in the summary; the column's own name where nothing
/// there agrees. Says where a summary contradicts its own items.
fn metric_of(
    sides: [(&Evaluation, usize); 2],
    columns: [&Column; 2],
    used: &[String],
    called: [&str; 2],
    reasons: &mut Vec<Reason>,
) -> String {
    let means = columns.map(|column| column.mean().map(|(mean, _)| mean));
    let system = |side: usize| sides[side].0.systems.get(sides[side].1);
    let value = |side: usize, name: &str| {
        let metric = system(side)?.metric(name)?;
        metric.value.number()
    };
    let agrees = |side: usize, name: &str| match (value(side, name), means[side]) {
        (Some(said), Some(mean)) => {
            (said - mean).abs() <= ROUNDED || (said - 100.0 * mean).abs() <= 100.0 * ROUNDED
        }
        _ => false,
    };
    let own = &columns[0].name;
    let names = || {
        let metrics = system(0).into_iter().flat_map(|system| &system.metrics);
        metrics.map(|metric| metric.name.as_str())
    };
    let free = |name: &&str| !used.iter().any(|known| known == name);
    let same_name = names().find(|name| name == own);
    let agreeing = names()
        .filter(free)
        .find(|name| agrees(0, name) && agrees(1, name));
    let rates = || names().filter(free).filter(|name| is_rate(name));
    let the_rate = rates()
        .next()
        .filter(|_| rates().count() == 1 && is_rate(own) && columns[0].is_pass_or_fail());
    let Some(name) = same_name.or(agreeing).or(the_rate) else {
        return own.clone();
    };
    for side in 0..2 {
        if let (Some(said), Some(mean)) = (value(side, name), means[side])
            && !agrees(side, name)
        {
            let text = format!(
                "the summary of {} says {name} {}, its items {}",
                called[side],
                number(said),
                number(mean)
            );
            reasons.push(Reason::new(Weight::Caveat, "summary-conflict", name, text));
        }
    }
    name.to_owned()
}

fn dense(column: &Column, count: usize) -> Vec<Option<f64>> {
    let mut values = vec![None; count];
    for (item, value) in &column.values {
        if let Some(place) = values.get_mut(*item as usize) {
            *place = Some(*value);
        }
    }
    values
}

/// A metric of which items are there.
fn by_item(
    sides: [(&Evaluation, usize); 2],
    columns: [&Column; 2],
    metric: String,
    matching: &Matching,
    seed: u64,
) -> Score {
    let kind = if columns.iter().all(|column| column.is_pass_or_fail()) {
        Kind::PassFail
    } else {
        Kind::Real
    };
    let values = [0, 1].map(|side| dense(columns[side], sides[side].0.items.len()));
    let mut taken: Vec<(u32, f64, f64)> = Vec::new();
    let mut left_out = 0;
    for &(left, right) in &matching.pairs {
        let at = |side: usize, item: u32| values[side].get(item as usize).copied().flatten();
        match (at(0, left), at(1, right)) {
            (Some(a), Some(b)) if a.is_finite() && b.is_finite() => taken.push((left, a, b)),
            (None, None) => {}
            _ => left_out += 1,
        }
    }
    if taken.is_empty() {
        let mut score = by_summary(sides, &metric, matching);
        for (side, stand) in [(0, &mut score.a), (1, &mut score.b)] {
            if stand.value.is_none() {
                stand.value = columns[side].mean().map(|(mean, _)| mean);
            }
        }
        if left_out > 0 {
            let what = plural(left_out, "paired item");
            score.test = Err(format!("{what} have no number on both sides"));
        }
        score.difference = difference(&score.a, &score.b);
        return score;
    }
    let stand = |of: &dyn Fn(&(u32, f64, f64)) -> f64| {
        let numbers: Vec<f64> = taken.iter().map(of).collect();
        let passed = numbers.iter().filter(|value| is_pass(**value)).count();
        let share = (kind == Kind::PassFail).then_some((passed, numbers.len()));
        Stand {
            value: Some(stats::mean(&numbers)),
            not_a_number: None,
            passed: share,
            interval: share.and_then(|(passed, of)| stats::wilson(passed, of, CONFIDENCE)),
        }
    };
    let (a, b) = (stand(&|item| item.1), stand(&|item| item.2));
    let ids = &sides[0].0.items.ids;
    Score {
        // To pass is better than to fail.
        lower_is_better: is_lower_better(sides, &metric)
            .or((kind == Kind::PassFail).then_some(false)),
        metric,
        role: None,
        is_repeat: false,
        difference: difference(&a, &b),
        a,
        b,
        test: Ok(test(kind, &taken, left_out, seed, |item| {
            match ids.get(item as usize) {
                "" => format!("#{}", item + 1),
                id => id.to_owned(),
            }
        })),
    }
}

fn test(
    kind: Kind,
    taken: &[(u32, f64, f64)],
    left_out: usize,
    seed: u64,
    id: impl Fn(u32) -> String,
) -> Test {
    let differences: Vec<f64> = taken.iter().map(|(_, a, b)| b - a).collect();
    let only_a = differences.iter().filter(|d| **d < 0.0).count();
    let only_b = differences.iter().filter(|d| **d > 0.0).count();
    let mut flips: Vec<Flip> = taken
        .iter()
        .filter(|(_, a, b)| b - a != 0.0)
        .map(|&(item, a, b)| Flip { id: id(item), a, b })
        .collect();
    let size = |flip: &Flip| (flip.b - flip.a).abs();
    flips.sort_by(|one, other| size(other).total_cmp(&size(one)));
    let (p, method, interval, effect) = match kind {
        Kind::PassFail => (
            stats::mcnemar_exact(only_a, only_b),
            Method::Exact,
            stats::tango(taken.len(), only_a, only_b, CONFIDENCE),
            stats::cohens_g(only_a, only_b).map(|g| ("Cohen's g", g)),
        ),
        Kind::Real => {
            let (p, method) = stats::permutation(&differences, seed);
            let interval = stats::bootstrap(&differences, CONFIDENCE, seed);
            (
                p,
                method,
                interval.map(|(interval, _)| interval),
                stats::cohens_dz(&differences).map(|d| ("Cohen's d", d)),
            )
        }
    };
    Test {
        kind,
        pairs: taken.len(),
        only_a,
        only_b,
        flips,
        differences,
        p,
        p_corrected: None,
        method,
        interval,
        effect,
        left_out,
    }
}

fn is_lower_better(sides: [(&Evaluation, usize); 2], metric: &str) -> Option<bool> {
    let said = sides.iter().find_map(|(evaluation, system)| {
        let metric = evaluation.systems.get(*system)?.metric(metric)?;
        metric.higher_is_better
    });
    said.map(|higher| !higher)
        .or_else(|| lower_is_better(metric))
}

fn difference(a: &Stand, b: &Stand) -> Option<f64> {
    Some(b.value? - a.value?)
}

/// A metric of which only the summaries speak.
fn by_summary(sides: [(&Evaluation, usize); 2], metric: &str, matching: &Matching) -> Score {
    let stand = |(evaluation, system): (&Evaluation, usize)| {
        let found = evaluation.systems.get(system);
        let Some(metric) = found.and_then(|system| system.metric(metric)) else {
            return Stand::default();
        };
        let mut stand = Stand {
            value: metric.value.number(),
            ..Stand::default()
        };
        if let Reading::NotANumber(text) = &metric.value {
            stand.not_a_number = Some(text.clone());
        }
        let Some(value) = stand.value else {
            return stand;
        };
        if let Some(error) = metric.standard_error {
            let half = error * stats::normal_quantile(0.5 + CONFIDENCE / 2.0);
            stand.interval = Some(Interval {
                low: value - half,
                high: value + half,
            });
        } else if let Some(count) = evaluation.count
            && is_rate(&metric.name)
            && let Some(passed) = whole_share(value, count)
        {
            stand.passed = Some((passed, count));
            stand.interval = stats::wilson(passed, count, CONFIDENCE);
        }
        stand
    };
    let (a, b) = (stand(sides[0]), stand(sides[1]));
    let why = if sides
        .iter()
        .any(|(evaluation, _)| evaluation.items.is_empty())
    {
        "no results by item on both sides, so chance cannot be told from difference"
    } else if matching.how.is_none() {
        "the items cannot be matched"
    } else {
        "no item has a number of it on both sides"
    };
    Score {
        metric: metric.to_owned(),
        role: None,
        is_repeat: false,
        difference: difference(&a, &b),
        lower_is_better: is_lower_better(sides, metric),
        a,
        b,
        test: Err(why.to_owned()),
    }
}

/// How many of `count` a share is, where it is a whole number of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a count of items, checked to lie between 0 and `count`"
)]
fn whole_share(value: f64, count: usize) -> Option<usize> {
    let passed = value * count as f64;
    let near = (passed - passed.round()).abs() <= ROUNDED * count as f64 && count < 1000;
    let exact = (passed - passed.round()).abs() < 1e-6;
    ((near || exact) && (0.0..=1.0).contains(&value)).then(|| passed.round() as usize)
}

fn not_numbers(scores: &mut Scores, names: [&str; 2]) {
    for score in &scores.rows {
        for (stand, name) in [(&score.a, names[0]), (&score.b, names[1])] {
            if let Some(text) = &stand.not_a_number {
                let text = format!("{} of {name} is no number: {text}", score.metric);
                scores.reasons.push(Reason::new(
                    Weight::Caveat,
                    "not-a-number",
                    &score.metric,
                    text,
                ));
            }
        }
        if let Ok(test) = &score.test
            && test.left_out > 0
        {
            let text = format!(
                "{}: {} left out, which have no number on one side",
                score.metric,
                plural(test.left_out, "item")
            );
            scores.reasons.push(Reason::new(
                Weight::Caveat,
                "scores-missing",
                &score.metric,
                text,
            ));
        }
    }
}

/// Corrects the p-values of all tests for being so many, by Holm; repeats are not among them.
/// One test stays as it is. Gives how many there are.
pub fn correct<'a>(scores: impl IntoIterator<Item = &'a mut Scores>) -> usize {
    let mut tests: Vec<&mut Test> = scores
        .into_iter()
        .flat_map(|scores| &mut scores.rows)
        .filter(|score| !score.is_repeat)
        .filter_map(|score| score.test.as_mut().ok())
        .collect();
    let looks = tests.len();
    if looks > 1 {
        let alone: Vec<f64> = tests.iter().map(|test| test.p).collect();
        for (test, p) in tests.iter_mut().zip(stats::holm(&alone)) {
            test.p_corrected = Some(p);
        }
    }
    looks
}

impl Stand {
    fn to_json(&self) -> Value {
        json!({
            "value": self.value,
            "not_a_number": self.not_a_number,
            "passed": self.passed.map(|(passed, _)| passed),
            "of": self.passed.map(|(_, of)| of),
            "interval": self.interval.map(|interval| [interval.low, interval.high]),
        })
    }
}

impl Score {
    /// The score as JSON.
    pub fn to_json(&self) -> Value {
        let test = self.test.as_ref().ok().map(|test| {
            let flips: Vec<Value> = test
                .flips
                .iter()
                .take(1_000)
                .map(|flip| json!({ "id": flip.id, "a": flip.a, "b": flip.b }))
                .collect();
            json!({
                "test": match test.kind { Kind::PassFail => "mcnemar", Kind::Real => "permutation" },
                "method": test.method.word(),
                "pairs": test.pairs,
                "only_a": test.only_a,
                "only_b": test.only_b,
                "flips": flips,
                "p": test.p,
                "p_holm": test.p_corrected,
                "interval": test.interval.map(|interval| [interval.low, interval.high]),
                "interval_of": match test.kind { Kind::PassFail => "tango", Kind::Real => "bootstrap" },
                "confidence": CONFIDENCE,
                "effect": test.effect.map(|(name, size)| json!({ "name": name, "size": size })),
                "left_out": test.left_out,
                "evidence": test.is_evidence(),
            })
        });
        json!({
            "metric": self.metric,
            "role": self.role,
            "is_repeat": self.is_repeat,
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "difference": self.difference,
            "lower_is_better": self.lower_is_better,
            "paired": test,
            "not_tested": self.test.as_ref().err(),
            "sentence": self.sentence(),
        })
    }
}
