//! A file of a folder that is one artifact: a shard of a checkpoint, one of ten thousand images.
//!
//! It carries nothing itself; what is known of it is what is known of its folder, and, where a
//! sidecar lists the folder's files, whether it is still the one that was listed.

use std::path::Path;

use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use super::now::{self, Now};
use crate::digests;
use crate::project::absolute;

/// A file, as a part of the folder that is shown.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its path within the folder.
    pub file: String,
    /// Bytes as it lies.
    pub size: u64,
    /// The digest that the folder's sidecar lists; none where no sidecar does.
    pub digest: Option<String>,
    /// How it lies now.
    pub now: Now,
}

impl Part {
    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "size": self.size,
            "digest": self.digest,
            "now": self.now.word(),
        })
    }
}

/// Looks at a file within a folder, of which `whole` says how it lies now.
pub(super) fn look(folder: &Path, path: &Path, whole: Option<Now>) -> Part {
    let path = absolute(path);
    let within = path.strip_prefix(folder).unwrap_or(&path);
    let size = digests::size_of(&path);
    let listed = Sidecar::read(&Layout::sidecar(folder)).ok();
    let member = listed.as_ref().map(|said| {
        let mut members = said.members.iter();
        members.find(|member| member.file == within)
    });
    let now = match member {
        None if whole == Some(Now::AsRecorded) => Now::AsRecorded,
        None => Now::NotChecked,
        Some(None) => Now::NotRecorded,
        Some(Some(member)) if member.size != size => Now::Edited,
        Some(Some(member)) => match now::digest_of(&path) {
            None => Now::NotChecked,
            Some(digest) if digest == member.digest.to_string() => Now::AsRecorded,
            Some(_) => Now::Edited,
        },
    };
    Part {
        file: within.to_string_lossy().into_owned(),
        size,
        digest: member.flatten().map(|member| member.digest.to_string()),
        now,
    }
}
