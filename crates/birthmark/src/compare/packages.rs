//! The packages that a side ran with, from the list that its store keeps.

use std::collections::BTreeMap;

use birthmark_core::birthmark::Fields;

use crate::machine::{self, RecordedPackage};
use crate::project::Project;

/// Names with versions, and where a package came from where that is no index; nothing where
/// the list is not in the store.
pub(super) fn of(project: &Project, environment: &Fields) -> Option<BTreeMap<String, String>> {
    let all = machine::recorded_packages(&project.layout, environment).ok()?;
    let text = |one: RecordedPackage| match one.source {
        Some(source) => (one.name, format!("{} ({source})", one.version)),
        None => (one.name, one.version),
    };
    Some(all.into_iter().map(text).collect())
}
