//! Watching what this process reads and makes, for a session of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use birthmark::lineage::{self, Load, Seen, Watched};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert;

/// What Python hands over of what was loaded; what cannot be spelled is left out.
pub(crate) fn loads(loads: &[Bound<'_, PyDict>]) -> Vec<Load> {
    let fields = loads.iter().filter_map(|load| convert::fields(load).ok());
    fields.filter_map(|one| Load::from_fields(&one)).collect()
}

/// Begins to note what this process opens; false where that cannot be.
#[pyfunction]
pub(crate) fn watch() -> bool {
    begin()
}

#[cfg(target_os = "linux")]
fn begin() -> bool {
    crate::audit::begin()
}

#[cfg(not(target_os = "linux"))]
fn begin() -> bool {
    false
}

/// Notes that a writer of ours opens a file, which the hook does not see.
pub(crate) fn wrote(path: &std::path::Path) {
    #[cfg(target_os = "linux")]
    {
        crate::audit::wrote(path);
        crate::audit::tell_preloaded(path);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = path;
}

/// Ends noting, and gives what was seen: by the hook, and in what is mapped or open now.
/// `readers` are libraries that open files in C, `modules` the files of loaded modules, `loads`
/// what was loaded by name, `workers` whether processes were started that no event told of.
pub(crate) fn end(
    loads: Vec<Load>,
    readers: &[String],
    modules: Vec<PathBuf>,
    workers: bool,
) -> Watched {
    let (mut seen, started) = noted();
    let mapped: BTreeSet<PathBuf> = lineage::mapped();
    seen.reads.extend(mapped);
    seen.reads.extend(modules);
    let mut gaps = Vec::new();
    if !readers.is_empty() {
        let names = readers.join(", ");
        gaps.push(format!(
            "what {names} opened and closed is seen under `birthmark run` only"
        ));
    }
    if started || workers {
        gaps.push(
            "what the programs that it started opened is seen under `birthmark run` only"
                .to_owned(),
        );
    }
    if seen.lost > 0 {
        gaps.push(format!("{} openings found no room", seen.lost));
    }
    Watched {
        // What libraries open in C is no code of a repository.
        all_code: !(started || workers) && seen.lost == 0,
        seen,
        by: vec!["audit".to_owned(), "maps".to_owned()],
        gaps,
        loads,
    }
}

#[cfg(target_os = "linux")]
fn noted() -> (Seen, bool) {
    crate::audit::end()
}

#[cfg(not(target_os = "linux"))]
fn noted() -> (Seen, bool) {
    (Seen::default(), false)
}
