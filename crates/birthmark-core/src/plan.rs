//! Plans: what a session means to make, and what it made of it.
//!
//! A plan is a line as people write it: `pattern [word…] [(N noun)]`. Its first
//! word is a glob, matched against the file's name or the end of its path; the
//! words after it are a note; `(200 examples)` wants 200 records.

use globset::GlobMatcher;

use crate::glob;
use serde::{Deserialize, Serialize};

/// One planned artifact.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The line as the user wrote it, word for word.
    pub text: String,
    /// How many records are wanted, if the plan says so.
    pub records: Option<u64>,
    /// What the plan calls a record ("examples"), if it says so.
    pub noun: Option<String>,
    matcher: Option<GlobMatcher>,
    pattern: String,
}

impl Plan {
    /// Reads a plan. Every line is one: a first word that is no valid glob is
    /// taken literally.
    pub fn parse(text: &str) -> Self {
        let (body, count) = split_count(text.trim());
        let pattern = body
            .split_whitespace()
            .next()
            .unwrap_or("")
            .trim_end_matches('/')
            .to_owned();
        let matcher = glob::matcher(&pattern).ok();
        Self {
            text: text.to_owned(),
            records: count.as_ref().map(|(wanted, _)| *wanted),
            noun: count.map(|(_, noun)| noun),
            matcher,
            pattern,
        }
    }

    /// Whether an artifact at `path` (with `/` between its parts) is what was planned.
    pub fn matches(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let mut starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
        starts.any(|start| self.matches_whole(&path[start..]))
    }

    fn matches_whole(&self, tail: &str) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(tail),
            None => tail == self.pattern,
        }
    }
}

/// Splits `body (200 examples)` into the body and what is counted.
fn split_count(text: &str) -> (&str, Option<(u64, String)>) {
    let parts = text
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('));
    let Some((body, inside)) = parts else {
        return (text, None);
    };
    let (number, noun) = inside
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((inside, ""));
    match number.replace([',', '_'], "").parse() {
        Ok(wanted) => (body.trim_end(), Some((wanted, noun.trim().to_owned()))),
        Err(_) => (text, None),
    }
}

/// What became of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanOutcome {
    /// Made, with as many records as were wanted.
    Made,
    /// Made, but with `made` records of `wanted`.
    Short {
        /// Records that are there.
        made: u64,
        /// Records that the plan asked for.
        wanted: u64,
    },
    /// Nothing matches it.
    Missing,
}

/// One plan, its outcome, and the artifacts that match it.
#[derive(Debug, Clone)]
pub struct PlanReport {
    /// The plan's text.
    pub text: String,
    /// What became of it.
    pub outcome: PlanOutcome,
    /// Files that match, as stored.
    pub files: Vec<String>,
}

/// A made artifact, as far as plans look at it: its path, and its records where it has any.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Path as stored.
    pub file: &'a str,
    /// Number of records, for those that have records.
    pub records: Option<u64>,
}

/// Holds plans against what was made. Returns a report for each plan in order,
/// and the files that no plan asked for (empty when nothing was planned).
pub fn judge(plans: &[Plan], made: &[Made<'_>]) -> (Vec<PlanReport>, Vec<String>) {
    let reports: Vec<PlanReport> = plans.iter().map(|plan| judge_one(plan, made)).collect();
    let unplanned = made
        .iter()
        .filter(|artifact| {
            !plans.is_empty() && !plans.iter().any(|plan| plan.matches(artifact.file))
        })
        .map(|artifact| artifact.file.to_owned())
        .collect();
    (reports, unplanned)
}

fn judge_one(plan: &Plan, made: &[Made<'_>]) -> PlanReport {
    let matching: Vec<&Made<'_>> = made
        .iter()
        .filter(|artifact| plan.matches(artifact.file))
        .collect();
    let counted: u64 = matching
        .iter()
        .filter_map(|artifact| artifact.records)
        .sum();
    let outcome = match plan.records {
        _ if matching.is_empty() => PlanOutcome::Missing,
        Some(wanted) if counted < wanted => PlanOutcome::Short {
            made: counted,
            wanted,
        },
        _ => PlanOutcome::Made,
    };
    let files = matching
        .iter()
        .map(|artifact| artifact.file.to_owned())
        .collect();
    PlanReport {
        text: plan.text.clone(),
        outcome,
        files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_three_plans_are_understood_word_for_word() {
        let plans = [
            Plan::parse("sft_training_data_*.jsonl (200 examples)"),
            Plan::parse("sft_model checkpoint"),
            Plan::parse("evaluation_comprehensive_*.json"),
        ];
        assert_eq!(plans[0].records, Some(200));
        assert_eq!(plans[0].noun.as_deref(), Some("examples"));
        assert!(plans[0].matches("artifacts/sft_training_data_stage1.jsonl"));
        assert!(!plans[0].matches("artifacts/sft_training_data.jsonl"));
        assert!(plans[1].matches("checkpoints/sft_model"));
        assert!(!plans[1].matches("checkpoints/sft_model/config.json"));
        assert!(plans[2].matches("evaluation_comprehensive_1.json"));
    }

    #[test]
    fn pattern_with_folders_matches_the_end_of_the_path() {
        let plan = Plan::parse("stage1/*.jsonl");
        assert!(plan.matches("artifacts/stage1/a.jsonl"));
        assert!(!plan.matches("artifacts/other_stage1/a.jsonl"));
        assert!(!plan.matches("artifacts/a.jsonl"));
    }

    #[test]
    fn too_few_records_are_short_and_unasked_files_unplanned() {
        let plans = [
            Plan::parse("a_*.jsonl (200 examples)"),
            Plan::parse("b.json"),
        ];
        let made = [
            Made {
                file: "artifacts/a_1.jsonl",
                records: Some(187),
            },
            Made {
                file: "artifacts/c.json",
                records: None,
            },
        ];
        let (reports, unplanned) = judge(&plans, &made);
        assert_eq!(
            reports[0].outcome,
            PlanOutcome::Short {
                made: 187,
                wanted: 200
            }
        );
        assert_eq!(reports[1].outcome, PlanOutcome::Missing);
        assert_eq!(unplanned, ["artifacts/c.json"]);
    }

    #[test]
    fn a_bracket_that_is_no_glob_is_taken_literally() {
        assert!(Plan::parse("odd[name.json").matches("artifacts/odd[name.json"));
        assert!(!Plan::parse("").matches("artifacts/x"));
    }
}
