//! Are the store's own objects what their names say, and its notes of kept commits right?
//!
//! Both are only looked at where every byte is asked for: nothing of the artifacts hangs on
//! them, but what was kept of code and packages does.

use std::fs;

use birthmark_core::digest::{Algorithm, Digest};
use birthmark_store::digest;
use birthmark_store::layout::Layout;

use super::commits::is_full_id;
use super::report::{Item, ItemKind, Reason};
use crate::{snapshot, text};

/// The store's blobs, each against its name, and its notes, each against its blob.
pub(super) fn verify(layout: &Layout) -> Vec<Item> {
    let mut reasons = Vec::new();
    let mut count = 0;
    let folders = fs::read_dir(layout.objects())
        .into_iter()
        .flatten()
        .filter_map(std::result::Result::ok);
    for folder in folders {
        for entry in fs::read_dir(folder.path())
            .into_iter()
            .flatten()
            .filter_map(std::result::Result::ok)
        {
            let hex = format!(
                "{}{}",
                folder.file_name().to_string_lossy(),
                entry.file_name().to_string_lossy()
            );
            let Ok(named) = format!("blake3:{hex}").parse::<Digest>() else {
                continue;
            };
            count += 1;
            let found = digest::digest_file_as(&entry.path(), Algorithm::Blake3, None);
            if found.map(|found| found.digest).ok() != Some(named) {
                let text = format!("object {} is not what its name says", text::neutral(&hex));
                reasons.push(Reason::failed("object-damaged", text));
            }
        }
    }
    notes(layout, &mut reasons);
    if count == 0 && reasons.is_empty() {
        return Vec::new();
    }
    vec![Item::new(
        "objects",
        ItemKind::Store,
        text::count(count, "object"),
        reasons,
    )]
}

/// What the store says of the commits that it keeps.
fn notes(layout: &Layout, reasons: &mut Vec<Reason>) {
    let entries = fs::read_dir(layout.bundles()).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for commit in names.filter(|name| is_full_id(name)) {
        if let Err(why) = snapshot::check_kept(layout, &commit) {
            let text = format!("what is kept of commit {commit} is damaged: {why}");
            reasons.push(Reason::failed("kept-damaged", text));
        }
    }
}
