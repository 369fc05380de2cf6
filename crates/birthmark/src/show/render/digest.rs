//! The digest that was recorded, and whether the bytes are still those.

use serde_json::Value;

use super::short_digest;
use crate::show::{Now, Shown, What};
use crate::{talk, text};

pub(super) fn digests(shown: &Shown) -> Vec<String> {
    let recorded = shown.recorded.as_ref();
    let own = shown.birthmark.get("digest").and_then(Value::as_str);
    let digest = recorded.and_then(|found| found.digest.as_deref()).or(own);
    let Some(digest) = digest else {
        return Vec::new();
    };
    let digest = short_digest(digest);
    let other = recorded.filter(|found| found.file != shown.name);
    let other =
        other.map(|found| format!("its bytes were recorded as {}", text::neutral(&found.file)));
    let is_open = recorded.is_some_and(|found| found.state == "open");
    let size = text::bytes(recorded.map_or(0, |found| found.size));
    let look = format!("birthmark verify {}", talk::shell_word(&shown.typed));
    match shown.now {
        Some(Now::AsRecorded) if is_open => vec![format!("{digest} as last counted")],
        Some(Now::AsRecorded) => {
            let known = [format!("{digest} as recorded")].into_iter();
            let forked = shown.forked.iter().map(|(id, lost)| {
                let lost = text::count(*lost, "record");
                format!("{lost} that session {} wrote are not in it", id.short())
            });
            known.chain(other).chain(forked).collect()
        }
        Some(Now::Grown) if is_open => vec![
            format!("{digest} of the first {size}, as counted"),
            "what was written since is not proved".to_owned(),
        ],
        Some(Now::Grown) if shown.what == What::Record => vec![
            format!("{digest} of the first {size}, as recorded"),
            "more was added since".to_owned(),
        ],
        Some(Now::Grown) => vec![
            format!("{digest} of the first {size}, as recorded"),
            format!("more was added since: {look}"),
        ],
        Some(Now::Edited) => vec![
            format!("{digest} was recorded"),
            format!("edited since it was recorded: {look}"),
        ],
        Some(Now::StampedSince) => vec![
            format!("{digest} was recorded"),
            "stamped since: without its birthmark it is that".to_owned(),
        ],
        Some(Now::Gone) => vec![format!("{digest} was recorded"), "gone since".to_owned()],
        Some(Now::NotRecorded) => vec!["nothing that its session recorded".to_owned()],
        Some(Now::NotChecked) | None => vec![
            format!("{digest} was recorded"),
            format!("not checked: {look}"),
        ],
    }
}
