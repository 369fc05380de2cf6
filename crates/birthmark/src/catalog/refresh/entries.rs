//! What stands in a folder, and what it was like.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use birthmark_core::schema::{PART_SUFFIX, SIDECAR_SUFFIX};
use birthmark_store::Layout;

use super::super::sessions::print_of;

/// What a file or folder and its sidecar are like; none where neither is there.
pub(super) fn subject_print(subject: &Path, now: i128, with_sidecar: bool) -> Option<String> {
    // A sidecar of what is gone is no artifact.
    let own = fs::metadata(subject).ok()?;
    let sidecar = with_sidecar
        .then(|| fs::metadata(Layout::sidecar(subject)).ok())
        .flatten();
    let word = |found: Option<fs::Metadata>| found.map(|found| print_of(&found, now));
    // What is in a folder is its sidecar's business: only its being there counts.
    let own = (!own.is_dir()).then_some(own);
    Some(format!(
        "{} {}",
        word(own).unwrap_or_default(),
        word(sidecar).unwrap_or_default()
    ))
}

/// For each known folder those right below it.
pub(super) fn below(seen: &HashMap<String, String>) -> HashMap<&str, Vec<&str>> {
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    for name in seen.keys().filter(|name| !name.is_empty()) {
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        below.entry(parent).or_default().push(name);
    }
    below
}

pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[derive(Default)]
pub(super) struct Entries {
    pub(super) files: Vec<String>,
    pub(super) folders: Vec<String>,
}

/// What may be an artifact in a folder, and the folders to look into. A folder with a
/// sidecar is an artifact itself, and not looked into.
pub(super) fn entries(path: &Path) -> Entries {
    let mut out = Entries::default();
    let Ok(found) = fs::read_dir(path) else {
        return out;
    };
    let mut names: Vec<(String, bool)> = Vec::new();
    for entry in found.filter_map(std::result::Result::ok) {
        // A name that is not UTF-8 cannot be told to people; journals tell of it escaped.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        names.push((name, is_folder));
    }
    let sidecars: HashSet<String> = names
        .iter()
        .filter_map(|(name, _)| name.strip_suffix(SIDECAR_SUFFIX).map(str::to_owned))
        .collect();
    for (name, is_folder) in names {
        let is_ours = name.starts_with(".birthmark")
            || name.ends_with(SIDECAR_SUFFIX)
            || name.ends_with(PART_SUFFIX)
            || Layout::session_of_manifest(Path::new(&name)).is_some();
        if is_ours {
            continue;
        }
        if is_folder && !sidecars.contains(&name) {
            out.folders.push(name);
        } else {
            out.files.push(name);
        }
    }
    out.files.sort();
    out
}
