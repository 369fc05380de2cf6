//! What changed under a run, and whether it is anything that ran.
//!
//! At the end of a run the tree is looked at again: what changed since its beginning is recorded as
//! it is (`drift`). Where all code that was loaded is known, each module says more: whether it may
//! have been loaded as the commit or snapshot of the run does not have it. Then a commit that was
//! made meanwhile, or an edit of what was never loaded or was loaded before, is no change of what
//! ran; and a file that was exchanged and put back is one. Of a script that nobody saw being loaded,
//! as of a notebook, every change counts.

use super::run::Run;
use super::watched::Watchers;
use crate::event::Module;

/// Judges what changed under each run by the modules that it, or a run that started it, was seen
/// to load.
pub(super) fn settle(runs: &mut [Run]) {
    let is_touched = |run: &Run| run.loaded().any(may_be_another) || !run.drift.is_empty();
    if !runs.iter().any(is_touched) {
        return;
    }
    let watchers = Watchers::of(runs);
    let judged: Vec<Option<Vec<String>>> = runs.iter().map(|run| judge(&watchers, run)).collect();
    for (run, judged) in runs.iter_mut().zip(judged) {
        let Some(judged) = judged else { continue };
        let changed = std::mem::replace(&mut run.drift, judged);
        run.beside = changed;
        run.beside.retain(|change| !run.drift.contains(change));
    }
}

/// Whether what was loaded may be another than the commit or snapshot has, and no work of the run's.
fn may_be_another(module: &Module) -> bool {
    (module.changed || module.unkept) && !module.made
}

/// What of the code that ran changed under a run; nothing where not all code is known.
fn judge<'a>(watchers: &Watchers<'a>, run: &'a Run) -> Option<Vec<String>> {
    let watchers = watchers.with_those_above(run);
    let mut seen = watchers.iter().filter_map(|run| {
        let lineage = run.observed.lineage.as_ref()?;
        (lineage.code_complete == Some(true)).then_some(*run)
    });
    let files: Vec<&Module> = seen.next()?.loaded().collect();
    let touched = files.iter().filter(|module| may_be_another(module));
    let named = |file: &str| format!("{file} changed");
    let told = touched.filter_map(|module| {
        let change = named(&module.file);
        let is_told = run.drift.contains(&change);
        // That no commit holds what ran is said for itself.
        match (is_told, module.changed) {
            (true, _) => Some(change),
            (false, true) => Some(format!("{} was written anew", module.file)),
            (false, false) => None,
        }
    });
    // The cells of a notebook come to its kernel by no file.
    let script = run.script_name.iter().filter(|script| {
        let mut loaded = files
            .iter()
            .filter_map(|module| module.file.rsplit('/').next());
        !loaded.any(|name| name == script.as_str())
    });
    let script = script.filter_map(|script| {
        let change = named(script);
        let below = format!("/{change}");
        let mut drift = run.drift.iter();
        drift
            .find(|one| **one == change || one.ends_with(&below))
            .cloned()
    });
    Some(told.chain(script).collect())
}
