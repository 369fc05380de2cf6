//! What a person, or a page, asks with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use birthmark::find::{Ask, parse};
use birthmark_catalog::Local;
use birthmark_catalog::engine::local::sql::{Limits, Reader, Rows, Scope, Wanted};
use birthmark_catalog::engine::{Known, Stretch};
use birthmark_core::Timestamp;

use super::Run;

pub(super) fn filter(_: &Path) -> Run {
    Box::new(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let now = Timestamp::from_micros(1_750_000_000_000_000);
        if let Err(error) = parse(&Ask::new(text.as_ref(), now)) {
            let _ = error.whole();
        }
    })
}

/// Statements against an empty catalog. That nothing was written is looked at each time.
pub(super) fn sql(folder: &Path) -> Run {
    let catalog = Local::open(folder).ok();
    let folder = folder.to_owned();
    let before = names(&folder);
    Box::new(move |bytes| {
        let Some(catalog) = &catalog else { return };
        let text = String::from_utf8_lossy(bytes);
        let limits = Limits {
            time: Duration::from_millis(200),
        };
        let scope = Scope {
            project: None,
            picked: None,
            reader: Arc::new(NoFiles),
        };
        let _ = catalog.sql(&text, limits, scope);
        assert_eq!(names(&folder), before, "a question wrote a file");
    })
}

/// There are no records in an empty catalog.
#[derive(Debug)]
struct NoFiles;

impl Reader for NoFiles {
    fn read(
        &self,
        _: &Stretch,
        _: &Known,
        _: &Wanted,
        _: &mut dyn FnMut(&mut Rows, u64) -> bool,
    ) -> Result<(), String> {
        Ok(())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    names
}
