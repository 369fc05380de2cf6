//! What changed in folders while a run went on: looked at before and after.
//!
//! # Limits
//!
//! * Who changed a file is not seen: of two runs at once in one folder each is told both.
//! * A file that was written and given its old size and time back is not seen.
//! * Symbolic links are not followed.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::Layout;
use birthmark_store::layout::STORE_NAME;

/// Files beyond this number are not looked at.
const MOST: usize = 200_000;

/// How a file was, as far as its metadata tell.
type State = (u64, i64, i64, u64);

/// Folders as they were.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    files: HashMap<PathBuf, State>,
    /// Whether there are more files than are looked at.
    pub(crate) too_many: bool,
}

impl Folders {
    /// Looks at all files in `folders`.
    pub(crate) fn look(folders: &[PathBuf]) -> Self {
        let mut seen = Self::default();
        let mut open: Vec<PathBuf> = folders.to_vec();
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.filter_map(Result::ok) {
                let path = entry.path();
                let Ok(found) = entry.metadata() else {
                    continue;
                };
                if is_ours(&path) {
                    continue;
                }
                if found.is_dir() {
                    open.push(path);
                } else if found.is_file() {
                    if seen.files.len() >= MOST {
                        seen.too_many = true;
                        return seen;
                    }
                    let mtime = found.mtime() * 1_000_000_000 + found.mtime_nsec();
                    let ctime = found.ctime() * 1_000_000_000 + found.ctime_nsec();
                    seen.files
                        .insert(path, (found.size(), mtime, ctime, found.ino()));
                }
            }
        }
        seen
    }

    /// Files that are new or not as they were, in order.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<PathBuf> {
        let is_changed = |(path, state): &(&PathBuf, &State)| {
            before.files.get(*path).is_none_or(|old| {
                // The change time alone also moves when a file is linked or renamed over itself.
                (old.0, old.1, old.3) != (state.0, state.1, state.3)
            })
        };
        let changed = self.files.iter().filter(is_changed);
        let mut changed: Vec<PathBuf> = changed.map(|(path, _)| path.clone()).collect();
        changed.sort();
        changed
    }

    /// The files.
    pub(crate) fn into_files(self) -> impl Iterator<Item = PathBuf> {
        self.files.into_keys()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|(size, ..)| size).sum()
    }

    /// Whether anything stood in this folder.
    pub(crate) fn had(&self, folder: &Path) -> bool {
        self.files.keys().any(|path| path.starts_with(folder))
    }
}

/// The store, sidecars, manifests and temporary files of ours.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == STORE_NAME
        || name.ends_with(SIDECAR_SUFFIX)
        || name.starts_with(".birthmark-")
        || Layout::session_of_manifest(path).is_some()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "fixtures")]
mod tests {
    use super::*;

    #[test]
    fn new_and_changed_files_are_found_and_ours_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("deep/.birthmark")).unwrap();
        for name in ["kept", "edited"] {
            std::fs::write(at(name), "1").unwrap();
        }
        let folders = [dir.path().to_owned()];
        let before = Folders::look(&folders);
        std::fs::write(at("edited"), "22").unwrap();
        for name in ["deep/new", "deep/.birthmark/x", "new.birthmark.json"] {
            std::fs::write(at(name), "1").unwrap();
        }
        let after = Folders::look(&folders);
        assert_eq!(after.changed_since(&before), [at("deep/new"), at("edited")]);
        assert!(!before.had(&at("deep")) && after.had(&at("deep")));
    }
}
