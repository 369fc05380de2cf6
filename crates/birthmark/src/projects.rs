//! The projects of this machine in which sessions began: what `--all` asks.
//!
//! A list in the user's cache folder, a JSON array of root and artifacts folder a line. It can
//! be removed at any time: what begins a session next is on it again.
//!
//! # Invariants
//!
//! * A session's start reads the list and writes at most one line; what fails is left.

use std::io::Write;
use std::path::PathBuf;

use birthmark_capture::process;
use birthmark_store::{Durability, Layout, atomic};

use crate::digests::cache_folder;

/// The list's name.
const NAME: &str = "projects";
/// A longer list is not added to.
const LIMIT: u64 = 1 << 20;
/// From so many on, those that are gone are taken off.
const MANY: usize = 500;

fn list() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join(NAME))
}

fn read() -> Option<(PathBuf, Vec<u8>)> {
    let list = list()?;
    let bytes = if list.exists() {
        atomic::read_limited(&list, LIMIT).ok()?
    } else {
        Vec::new()
    };
    Some((list, bytes))
}

/// None where a name is not UTF-8: such a project can only be asked in its own folder.
fn line_of(layout: &Layout) -> Option<String> {
    let pair = [layout.root().to_str()?, layout.artifacts().to_str()?];
    Some(serde_json::json!(pair).to_string() + "\n")
}

/// Set for what runs where nobody shall look for it: a reproduction in a temporary folder makes
/// doubles of what is there.
pub(crate) const UNLISTED: &str = "BIRTHMARK_UNLISTED";

/// Puts a project on the list, unless it is there.
pub(crate) fn note(layout: &Layout) {
    if process::variable(UNLISTED).is_some() {
        return;
    }
    let (Some((list, bytes)), Some(line)) = (read(), line_of(layout)) else {
        return;
    };
    if memchr::memmem::find(&bytes, line.as_bytes()).is_some() {
        return;
    }
    let _ = atomic::create_folder(atomic::folder_of(&list));
    // In one write: what several processes add stands one after the other.
    let added = atomic::open_append(&list, false);
    let _ = added.map(|mut file| file.write_all(line.as_bytes()));
}

/// Root and artifacts folder of those that are there.
#[cfg(feature = "catalog")]
pub(crate) fn there() -> Vec<(String, String)> {
    let Some((list, bytes)) = read() else {
        return Vec::new();
    };
    let all: Vec<[String; 2]> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let (count, mut out) = (all.len(), Vec::new());
    for [root, artifacts] in all {
        let pair = (root, artifacts);
        if Layout::new(&pair.0, &pair.1).exists() && !out.contains(&pair) {
            out.push(pair);
        }
    }
    if count > MANY {
        write(&list, &out);
    }
    out
}

/// Takes a project off the list.
#[cfg(feature = "catalog")]
pub(crate) fn forget(artifacts: &str) {
    let mut left = there();
    left.retain(|(_, known)| known != artifacts);
    if let Some(list) = list().filter(|list| list.exists()) {
        write(&list, &left);
    }
}

#[cfg(feature = "catalog")]
fn write(list: &std::path::Path, all: &[(String, String)]) {
    let line = |(root, artifacts): &(String, String)| {
        serde_json::json!([root, artifacts]).to_string() + "\n"
    };
    let text: String = all.iter().map(line).collect();
    let _ = atomic::replace(list, text.as_bytes(), Durability::Process);
}
