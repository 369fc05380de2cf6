//! What the names of numbers in reports mean.

/// Members of an item that are scores.
const SCORES: [&str; 24] = [
    "passed",
    "pass",
    "correct",
    "is_correct",
    "success",
    "score",
    "acc",
    "acc_norm",
    "accuracy",
    "exact_match",
    "em",
    "f1",
    "bleu",
    "rouge",
    "chrf",
    "reward",
    "rating",
    "grade",
    "win",
    "loss",
    "perplexity",
    "wer",
    "cer",
    "similarity",
];
/// Metrics of which less is better, by the last word of their names.
const LESS: [&str; 16] = [
    "loss",
    "perplexity",
    "ppl",
    "wer",
    "cer",
    "ter",
    "error",
    "mse",
    "rmse",
    "mae",
    "brier",
    "nll",
    "latency",
    "seconds",
    "toxicity",
    "byte",
];
/// Words that count, and measure nothing.
const COUNTS: [&str; 10] = [
    "n", "size", "count", "total", "num", "items", "samples", "examples", "seed", "epoch",
];
/// Metrics that are the share of items that passed.
const RATES: [&str; 8] = [
    "accuracy",
    "acc",
    "pass_rate",
    "success_rate",
    "passed",
    "correct",
    "exact_match",
    "em",
];

/// Whether a member of an item is a score of it.
pub fn is_score(name: &str) -> bool {
    SCORES.contains(&name)
}

/// Whether a number of a summary only says how many there were.
pub fn is_count(name: &str) -> bool {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default();
    let last = words.next_back().unwrap_or(first);
    COUNTS.contains(&first) || COUNTS.contains(&last)
}

/// Whether less of a metric is better.
pub fn lower_is_better(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.split(',').next().unwrap_or(name);
    let last = name.rsplit('_').next().unwrap_or(name);
    LESS.contains(&last.to_lowercase().as_str())
}

/// Whether a metric is the share of items that passed.
pub fn is_rate(name: &str) -> bool {
    RATES.contains(&name)
}

/// The metric in a name such as `base_accuracy`, where it is one of this role.
pub fn metric_of_role<'a>(name: &'a str, role: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(role)?;
    let rest = rest.strip_prefix(['_', '.', '/', '-'])?;
    (!rest.is_empty()).then_some(rest)
}
