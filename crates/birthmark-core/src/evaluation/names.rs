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
/// Words in the names of metrics of which less is better.
const LESS: [&str; 40] = [
    "loss",
    "losses",
    "perplexity",
    "ppl",
    "wer",
    "cer",
    "ter",
    "mer",
    "error",
    "errors",
    "err",
    "mse",
    "rmse",
    "mae",
    "mape",
    "brier",
    "nll",
    "logloss",
    "entropy",
    "ece",
    "fid",
    "kid",
    "bpb",
    "bpc",
    "bpt",
    "byte",
    "latency",
    "seconds",
    "ms",
    "toxicity",
    "hallucination",
    "hallucinations",
    "eer",
    "fpr",
    "fnr",
    "regret",
    "kl",
    "divergence",
    "distance",
    "violations",
];
/// Words in the names of metrics of which more is better.
const MORE: [&str; 40] = [
    "accuracy",
    "acc",
    "f1",
    "em",
    "exact",
    "match",
    "bleu",
    "sacrebleu",
    "rouge",
    "rouge1",
    "rouge2",
    "rougel",
    "chrf",
    "meteor",
    "bertscore",
    "comet",
    "pass",
    "passed",
    "correct",
    "success",
    "score",
    "reward",
    "win",
    "wins",
    "auc",
    "auroc",
    "precision",
    "recall",
    "ndcg",
    "mrr",
    "map",
    "iou",
    "dice",
    "r2",
    "kappa",
    "grade",
    "rating",
    "similarity",
    "throughput",
    "mcc",
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

/// Whether less of a metric is better, as far as the words of its name say; nothing where none of
/// them is known, or where they do not agree.
pub fn lower_is_better(name: &str) -> Option<bool> {
    // `acc,none`: what stands behind the comma names a filter.
    let name = name.split(',').next().unwrap_or(name).to_lowercase();
    let words = || name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let less = words().any(|word| LESS.contains(&word));
    let more = words().any(|word| MORE.contains(&word));
    (less != more).then_some(less)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_way_is_better_is_known_by_words_or_not_at_all() {
        for name in [
            "eval_loss",
            "loss/val",
            "error_rate",
            "cross_entropy",
            "word_error_rate",
            "ece",
            "fid",
            "bits_per_byte",
            "latency_ms",
            "perplexity,none",
            "hallucination_rate",
        ] {
            assert_eq!(lower_is_better(name), Some(true), "{name}");
        }
        for name in [
            "accuracy",
            "acc,none",
            "exact_match",
            "pass@1",
            "win_rate",
            "rougeL",
            "macro-F1",
        ] {
            assert_eq!(lower_is_better(name), Some(false), "{name}");
        }
        for name in [
            "regularity",
            "edits",
            "toxicity_score",
            "error_detection_accuracy",
            "",
        ] {
            assert_eq!(lower_is_better(name), None, "{name}");
        }
    }
}
