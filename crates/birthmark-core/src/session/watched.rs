//! Who watched what a run read and loaded: itself, or the command that started it.

use super::run::Run;
use crate::id::RunId;

/// A run, and those above it that started it, the nearest first.
pub(super) fn with_those_above<'a>(runs: &'a [Run], run: &'a Run) -> Vec<&'a Run> {
    let mut all = vec![run];
    while let Some(above) = all.last().and_then(|run| run.parent.as_ref())
        && let Some(above) = runs.iter().find(|run| run.id == *above)
        && all.len() <= runs.len()
    {
        all.push(above);
    }
    all
}

/// Why runs that are one execution may have read more than is listed: the lineage is *partial*.
/// Nothing where one of them, or what started them, saw all of it, and where nobody told.
pub fn gaps(runs: &[Run], ids: &[RunId]) -> Vec<String> {
    let own = runs.iter().filter(|run| ids.contains(&run.id));
    let watchers = own.flat_map(|run| with_those_above(runs, run));
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
