//! Is what a session kept beside its artifacts still there, and still that: the list of its
//! packages, what pins them, its lock file?
//!
//! # Limits
//!
//! * Lists of more than [`LARGE`] bytes are read with `--deep` only; then every object of the store is,
//!   in [`objects`](super::objects).

use std::collections::HashMap;
use std::fs;

use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_store::{Layout, objects};

use super::Options;
use super::report::Reason;
use crate::text;

/// What is read of an object without being asked for every byte.
const LARGE: u64 = 1 << 20;
/// How the names of fields end that name an object.
const ENDING: &str = "_object";

/// The objects that sessions name, each looked at once: many sessions share one.
#[derive(Debug)]
pub(super) struct Kept {
    quick: bool,
    deep: bool,
    seen: HashMap<Digest, Found>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Whole,
    /// It is there; its bytes were not read.
    There,
    Missing,
    Damaged(String),
}

impl Kept {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            quick: options.quick,
            deep: options.deep,
            seen: HashMap::new(),
        }
    }

    /// Judges what the environment of a session names.
    pub(super) fn judge(&mut self, layout: &Layout, environment: &Fields) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (name, value) in environment {
            let (Some(what), Some(digest)) = (
                name.strip_suffix(ENDING),
                value.as_str().and_then(|text| text.parse().ok()),
            ) else {
                continue;
            };
            let what = text::neutral(what);
            match self.look(layout, digest) {
                Found::Whole | Found::There => {}
                Found::Missing => reasons.push(Reason::cannot_tell(
                    "object-missing",
                    format!("what it kept of its {what} is not here: {}", short(&digest)),
                )),
                Found::Damaged(why) => reasons.push(Reason::failed(
                    "object-damaged",
                    format!(
                        "what it kept of its {what} is damaged: {}: {why}",
                        short(&digest)
                    ),
                )),
            }
        }
        reasons
    }

    fn look(&mut self, layout: &Layout, digest: Digest) -> Found {
        if let Some(found) = self.seen.get(&digest) {
            return found.clone();
        }
        let found = match fs::symlink_metadata(layout.object(&digest)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Missing,
            Err(error) => Found::Damaged(error.to_string()),
            // With `--deep` the whole store is read once, and each damage named there.
            Ok(meta) if self.quick || self.deep || meta.len() > LARGE => Found::There,
            Ok(_) => match objects::get(layout, &digest) {
                Ok(_) => Found::Whole,
                Err(error) => Found::Damaged(error.source.to_string()),
            },
        };
        self.seen.insert(digest, found.clone());
        found
    }

    /// How many are there, and were not read though bytes were asked for.
    pub(super) fn not_read(&self) -> usize {
        if self.quick || self.deep {
            return 0;
        }
        let there = self.seen.values().filter(|found| **found == Found::There);
        there.count()
    }
}

fn short(digest: &Digest) -> String {
    let text = digest.to_string();
    text.chars().take(20).collect()
}
