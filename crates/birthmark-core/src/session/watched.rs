//! Who watched what a run read and loaded: itself, or the command that started it.

use std::collections::BTreeMap;

use super::run::Run;
use crate::id::RunId;

/// The runs of a session, to be asked who watched each of them.
pub struct Watchers<'a> {
    runs: BTreeMap<&'a RunId, &'a Run>,
}

impl<'a> Watchers<'a> {
    /// Those of one session.
    pub fn of(runs: &'a [Run]) -> Self {
        // The first of two of one name, as a fold has it.
        let runs = runs.iter().rev().map(|run| (&run.id, run)).collect();
        Self { runs }
    }

    /// A run, and those above it that started it, the nearest first.
    pub(super) fn with_those_above(&self, run: &'a Run) -> Vec<&'a Run> {
        let mut all = vec![run];
        while let Some(above) = all.last().and_then(|run| run.parent.as_ref())
            && let Some(above) = self.runs.get(above)
            && all.len() <= self.runs.len()
        {
            all.push(above);
        }
        all
    }

    /// Why runs that are one execution may have read more than is listed: the lineage is *partial*.
    /// Nothing where one of them, or what started them, saw all of it, and where nobody told.
    pub fn gaps(&self, execution: &[&'a Run]) -> Vec<String> {
        let watchers = execution.iter().flat_map(|run| self.with_those_above(run));
        let mut told = Vec::new();
        for seen in watchers.filter_map(|run| run.observed.lineage.as_ref()) {
            if seen.state == "complete" {
                return Vec::new();
            }
            if told.is_empty() {
                told.clone_from(&seen.reasons);
            }
        }
        told
    }
}
