//! Records that carry a birthmark already when they are written again: what a script filters, sorts
//! or joins.
//!
//! The older birthmark stays where it stands, and tells where the record was born. The younger one
//! goes under `birthmark` and tells who wrote it; what it has nothing to say of is as it was.

use birthmark_core::birthmark::{self, Fields};
use birthmark_core::json;
use memchr::memmem;

/// What every birthmark of ours contains.
const FORMAT: &[u8] = b"\"birthmark/v";

/// The birthmark `own` of a record, with what the older one that the record carries tells of model
/// and params, where `own` tells nothing of them. None where nothing is carried on.
pub(crate) fn carry_on(own: &[u8], record: &[u8]) -> Option<Vec<u8>> {
    memmem::find(record, FORMAT)?;
    let place = json::find_birthmark(record).ok()?;
    if !place.is_ours() {
        return None;
    }
    let mut memory = Vec::new();
    let older: Fields = serde_json::from_slice(place.own(record, &mut memory)).ok()?;
    let own: Fields = serde_json::from_slice(own).ok()?;
    serde_json::to_vec(&birthmark::carry_on(&own, &older)?).ok()
}
