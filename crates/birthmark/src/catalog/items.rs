//! Reports whose items were not all made alike: for questions they are found by what is so of any
//! item, as a file of records is found by any record.

use birthmark_core::Fields;
use birthmark_core::json;
use birthmark_store::format::Mark;

use crate::report::origins::{ITEMS_FROM, Origins, as_item};

/// The birthmark of a report as its items have it, where they were made differently.
pub(super) fn items_of(mark: &Mark<'_>, raw: &[u8]) -> Option<Vec<Fields>> {
    json::get(raw, &[ITEMS_FROM])?;
    let mut memory = Vec::new();
    let own: Fields = serde_json::from_slice(mark.place.own(mark.record, &mut memory)).ok()?;
    let results = json::get(mark.record, &["results"])?;
    let mut origins = Origins::default();
    for item in json::elements(results) {
        origins.take(item.of(results)).ok()?;
    }
    let made: Vec<Fields> = origins.marks().map(|item| as_item(&own, item)).collect();
    (made.len() > 1).then_some(made)
}
