//! What a person, or a page, asks with.

use std::path::Path;
use std::time::Duration;

use birthmark::find::{Ask, parse};
use birthmark_catalog::Local;
use birthmark_catalog::engine::local::sql::Limits;
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
        let _ = catalog.sql(&text, limits, &mut |_| Ok(()));
        assert_eq!(names(&folder), before, "a question wrote a file");
    })
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
