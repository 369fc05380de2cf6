//! What must hold for a pipeline to go on.

use birthmark_core::compare::Verdict;
use birthmark_core::compare::scores::{Score, number};
use serde_json::{Value, json};

use super::{Pair, letter};
use crate::error::{Error, Result};

/// Metrics that are named where the one that was asked for is not there.
const NAMED: usize = 6;

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    /// Caveats count as no.
    pub require_comparable: bool,
    /// The metric that is held to `no_worse_than`; all of them where none is named.
    pub metric: Option<String>,
    /// How much worse B may be than A.
    pub no_worse_than: Option<f64>,
    /// Metrics of which less is better, whatever their names say.
    pub lower_is_better: Vec<String>,
    /// Metrics of which more is better, whatever their names say.
    pub higher_is_better: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateAnswer {
    /// The sentences, each with whether it holds; `None` could not be told.
    pub lines: Vec<(Option<bool>, String)>,
}

impl GateAnswer {
    /// 0 all hold, 1 one does not, 2 one could not be told.
    pub fn exit_code(&self) -> u8 {
        let any = |wanted: Option<bool>| self.lines.iter().any(|(holds, _)| *holds == wanted);
        if any(Some(false)) {
            1
        } else if any(None) {
            2
        } else {
            0
        }
    }

    pub(super) fn to_json(&self) -> Value {
        self.lines
            .iter()
            .map(|(holds, text)| json!({ "holds": holds, "text": text }))
            .collect()
    }
}

impl Gate {
    /// Refuses a bound that is none.
    pub(super) fn check(&self) -> Result<()> {
        match self.no_worse_than {
            Some(most) if !(most.is_finite() && most >= 0.0) => {
                let message = format!("nothing can be no worse than `{most}`");
                Err(Error::usage("no-worse-than", message)
                    .with_hint("the bound is a number from 0 on: how much worse the last may be"))
            }
            _ => Ok(()),
        }
    }

    /// Judges what was compared.
    pub(super) fn judge(&self, verdict: Verdict, pairs: &[Pair]) -> GateAnswer {
        let mut lines = Vec::new();
        if self.require_comparable && verdict == Verdict::Caveats {
            let text = "comparable was required, and there are caveats".to_owned();
            lines.push((Some(false), text));
        }
        if let Some(most) = self.no_worse_than {
            for pair in pairs {
                let whose = if pairs.len() > 1 {
                    format!("{} and {}: ", letter(pair.a), letter(pair.b))
                } else {
                    String::new()
                };
                lines.extend(self.judge_scores(pair, most, &whose));
            }
        }
        GateAnswer { lines }
    }

    fn judge_scores(&self, pair: &Pair, most: f64, whose: &str) -> Vec<(Option<bool>, String)> {
        let scores = pair.score_rows();
        let meant = scores.filter(|score| self.is_meant(score));
        let mut lines: Vec<(Option<bool>, String)> = meant
            .map(|score| {
                let (holds, text) = no_worse(score, most, self.is_lower_better(score));
                (holds, format!("{whose}{text}"))
            })
            .collect();
        if lines.is_empty() {
            let name = crate::text::short(self.metric.as_deref().unwrap_or("metric"), 60);
            let mut text = format!("{whose}no {name} stands on both sides");
            let all = pair.score_rows();
            let names: Vec<String> = all
                .take(NAMED)
                .map(|score| crate::text::short(&score.metric, 60))
                .collect();
            if !names.is_empty() {
                text.push_str(&format!("; there is {}", names.join(", ")));
            }
            lines.push((None, text));
        }
        lines
    }

    /// Whether less of a metric is better: as it was said, else as it is known.
    fn is_lower_better(&self, score: &Score) -> Option<bool> {
        let is_in = |said: &[String]| said.iter().any(|name| is_called(score, name));
        if is_in(&self.lower_is_better) {
            Some(true)
        } else if is_in(&self.higher_is_better) {
            Some(false)
        } else {
            score.lower_is_better
        }
    }

    fn is_meant(&self, score: &Score) -> bool {
        let wanted = self.metric.as_ref();
        wanted.is_none_or(|wanted| is_called(score, wanted))
    }
}

/// Whether somebody may call a metric so.
fn is_called(score: &Score, wanted: &str) -> bool {
    let full = score
        .role
        .as_ref()
        .map(|role| format!("{role}_{}", score.metric));
    let bare = score.metric.split(',').next().unwrap_or_default();
    score.metric == wanted
        || bare == wanted
        // The share of items that passed, whatever a report calls it.
        || (matches!(bare, "passed" | "correct")
            && matches!(wanted, "accuracy" | "acc" | "pass_rate"))
        || bare.rsplit('/').next() == Some(wanted)
        || full.as_deref() == Some(wanted)
}

/// Whether B is at most so much worse than A. Where there is an interval, it says whether
/// that could be chance.
fn no_worse(score: &Score, most: f64, lower_is_better: Option<bool>) -> (Option<bool>, String) {
    let name = match &score.role {
        Some(role) => format!("{} of {role}", score.metric),
        None => score.metric.clone(),
    };
    let Some(difference) = score.difference else {
        return (None, format!("{name} has no number on both sides"));
    };
    let Some(lower_is_better) = lower_is_better else {
        let metric = crate::talk::shell_word(&score.metric);
        let text = format!(
            "whether less or more {name} is better is not known: say --lower-is-better {metric}, \
             or --higher-is-better {metric}"
        );
        return (None, text);
    };
    let gain = if lower_is_better {
        -difference
    } else {
        difference
    };
    // What is printed as equal is equal.
    let holds = gain >= -most - 1e-12;
    let far = if gain < 0.0 {
        format!("{} worse", number(-gain))
    } else if gain == 0.0 {
        "the same".to_owned()
    } else {
        format!("{} better", number(gain))
    };
    let mut text = format!(
        "{name} is {far}, and is allowed to be {} worse",
        number(most)
    );
    let worst = score.test.as_ref().ok().and_then(|test| {
        let interval = test.interval?;
        Some(if lower_is_better {
            -interval.high
        } else {
            interval.low
        })
    });
    if let Some(worst) = worst.filter(|worst| holds && *worst < -most) {
        let reach = number(-worst);
        text.push_str(&format!(
            "; the interval reaches {reach} worse, so more items would be needed to be sure"
        ));
    }
    (Some(holds), text)
}
