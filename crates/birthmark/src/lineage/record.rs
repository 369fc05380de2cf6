//! Recording what was seen: inputs, files made, code loaded, and how far all that reaches.

use std::collections::BTreeSet;
use std::path::PathBuf;

use birthmark_core::event::{ArtifactUsed, LineageObserved};
use birthmark_core::{Fields, Timestamp};
use serde_json::Value;

use super::inputs::{self, Budget};
use super::made::Known;
use super::rules::{Class, Rules, source_of};
use super::{Seen, modules};
use crate::error::Result;
use crate::session::{Session, fold_session};

/// What was seen of a run, and how.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// What was opened.
    pub seen: Seen,
    /// How: `preload`, `audit`, `maps`.
    pub by: Vec<String>,
    /// Why it may not be all.
    pub gaps: Vec<String>,
}

impl Session {
    /// Records what was seen of this run since `start`. Files that it made are recorded as
    /// artifacts, those that it read as inputs, modules of repositories as code.
    pub(crate) fn record_watched(&self, watched: &Watched, start: Timestamp) -> Result<()> {
        let rules = Rules::of(self.project());
        let by = watched.by.first().map_or("watch", String::as_str);
        let (data, code, left_out) = sort(&rules, &watched.seen);
        let mut budget = Budget::new(inputs::DIGEST_TIME);
        let made = self.record_written(&rules, &watched.seen, by, &mut budget)?;
        let reads: BTreeSet<PathBuf> = data.difference(&made).cloned().collect();
        let listed = self.record_inputs(&reads, by, &mut budget)?;
        for modules in modules::observed(self.project(), &code, start.micros(), by) {
            self.record(modules)?;
        }
        let mut reasons = watched.gaps.clone();
        if listed.1 > 0 {
            reasons.push(format!("{} inputs more than are listed", listed.1));
        }
        self.record(LineageObserved {
            state: if reasons.is_empty() {
                "complete"
            } else {
                "partial"
            }
            .to_owned(),
            reasons,
            observed_by: watched.by.clone(),
            read: watched.seen.reads.len() as u64,
            written: watched.seen.writes.len() as u64,
            inputs: listed.0,
            left_out,
        })
    }

    /// How many inputs were recorded, and how many were too many.
    fn record_inputs(
        &self,
        reads: &BTreeSet<PathBuf>,
        by: &str,
        budget: &mut Budget,
    ) -> Result<(u64, u64)> {
        let folded = fold_session(self.project(), self.id())?;
        let told: BTreeSet<&str> = folded
            .used
            .iter()
            .filter_map(|input| input.get("file")?.as_str())
            .collect();
        let grouped = inputs::group(reads);
        let new: Vec<_> = grouped
            .iter()
            .filter(|input| !told.contains(self.project().stored_path(input.path()).as_str()))
            .collect();
        for input in new.iter().take(inputs::MOST) {
            let input = input.entry(self.project(), by, budget);
            self.record(ArtifactUsed { input })?;
        }
        let listed = new.len().min(inputs::MOST);
        Ok((listed as u64, (new.len() - listed) as u64))
    }

    /// Records files that were written and that nobody told of. Answers all that was written.
    fn record_written(
        &self,
        rules: &Rules,
        seen: &Seen,
        by: &str,
        budget: &mut Budget,
    ) -> Result<BTreeSet<PathBuf>> {
        let folded = fold_session(self.project(), self.id())?;
        let known = Known::of(self, &folded);
        let is_made = |path: &&PathBuf| {
            rules.class(path) == Class::Data && path.is_file() && !known.has(path)
        };
        let made: Vec<PathBuf> = seen.writes.iter().filter(is_made).cloned().collect();
        for artifact in self.as_artifacts(&folded, &made) {
            self.record_observed(&artifact, by, budget)?;
        }
        Ok(seen.writes.clone())
    }
}

/// Data, code, and counts of what is left out, of all that was read.
fn sort(rules: &Rules, seen: &Seen) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>, Fields) {
    let (mut data, mut code, mut left_out) = (BTreeSet::new(), BTreeSet::new(), Fields::new());
    for path in &seen.reads {
        let source = source_of(path).filter(|source| source.is_file());
        let path = source.as_ref().unwrap_or(path);
        match rules.class(path) {
            _ if path.is_dir() => {}
            Class::Data if path.exists() => drop(data.insert(path.clone())),
            Class::Data => {}
            Class::Code => drop(code.insert(path.clone())),
            Class::Noise(rule) => {
                let before = left_out.get(rule).and_then(Value::as_u64).unwrap_or(0);
                left_out.insert(rule.to_owned(), Value::from(before + 1));
            }
        }
    }
    (data, code, left_out)
}
