//! The deployed files, held against what was declared: an edit on the machine that runs them is
//! then seen, where no repository could tell.
//!
//! # Limits
//!
//! * Files that are listed and not there say nothing: not all need be deployed. Nor do files that
//!   are there and not listed.

use std::path::Path;

use birthmark_core::Fields;
use serde_json::Value;

use crate::dataset;
use crate::project::is_within;

/// So many files are listed, at most so long and of paths of so many bytes in all: a larger tree
/// is listed in part.
const MOST: usize = 4_000;
const LONGEST: u64 = 16 << 20;
const PATHS: usize = 256 << 10;

/// The digests of tracked files as they lie below `root`, code first, and whether these are all.
pub(super) fn list(root: &Path, mut tracked: Vec<String>) -> (Fields, bool) {
    tracked.sort_by_cached_key(|file| (!crate::lineage::rules::is_code(file), file.clone()));
    let mut files = Fields::new();
    let mut paths = 0;
    for file in tracked {
        paths += file.len();
        if files.len() >= MOST || paths > PATHS {
            return (files, false);
        }
        if let Some(digest) = digest(&root.join(&file)) {
            files.insert(file, Value::from(digest));
        }
    }
    (files, true)
}

/// The files below `root` that are there, and are not as they were listed.
pub(super) fn changed(root: &Path, listed: &Fields) -> Vec<String> {
    // A declaration is read from a file, which may name anything.
    let is_another = |(file, was): &(&String, &Value)| {
        let now = is_within(file).then(|| digest(&root.join(file))).flatten();
        now.is_some_and(|now| Some(now.as_str()) != was.as_str())
    };
    let changed = listed.iter().take(MOST).filter(is_another);
    changed.map(|(file, _)| file.clone()).collect()
}

fn digest(path: &Path) -> Option<String> {
    let found = path.symlink_metadata().ok()?;
    let is_it = found.is_file() && found.len() <= LONGEST;
    is_it.then(|| {
        dataset::digest_of(path)
            .ok()
            .map(|digest| digest.to_string())
    })?
}
