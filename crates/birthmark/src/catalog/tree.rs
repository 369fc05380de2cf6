//! What the members of a folder are like, without reading them.
//!
//! # Limitations
//!
//! * Of a folder with more than [`MEMBERS`] members nothing is told.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Members that are looked at, of one folder.
const MEMBERS: u64 = 4_096;

/// All members of a folder, at any depth.
pub(super) struct Tree {
    members: u64,
    /// Bytes of its files.
    pub(super) size: u64,
    /// When anything of it last changed, in nanoseconds since 1970.
    pub(super) changed: i128,
    sum: u64,
}

impl Tree {
    /// Looks at them; none where there are too many, or one cannot be looked at.
    pub(super) fn look(folder: &Path) -> Option<Self> {
        let mut tree = Self {
            members: 0,
            size: 0,
            changed: 0,
            sum: 0,
        };
        let mut open = vec![PathBuf::new()];
        while let Some(inner) = open.pop() {
            let path = folder.join(&inner);
            tree.add(&inner, &path.metadata().ok()?);
            for entry in fs::read_dir(&path).ok()? {
                let entry = entry.ok()?;
                let found = entry.metadata().ok()?;
                let name = inner.join(entry.file_name());
                if found.is_dir() {
                    open.push(name);
                } else {
                    tree.add(&name, &found);
                }
                if tree.members + open.len() as u64 > MEMBERS {
                    return None;
                }
            }
        }
        Some(tree)
    }

    fn add(&mut self, name: &Path, found: &fs::Metadata) {
        let changed = (found.ctime(), found.ctime_nsec());
        let size = if found.is_file() { found.len() } else { 0 };
        let mut hasher = DefaultHasher::new();
        let modified = (found.mtime(), found.mtime_nsec());
        (name, size, modified, changed, found.ino(), found.mode()).hash(&mut hasher);
        self.members += 1;
        self.size += size;
        let changed = i128::from(changed.0) * 1_000_000_000 + i128::from(changed.1);
        self.changed = self.changed.max(changed);
        // The order in which a folder lists its members means nothing.
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    /// A word that changes when any of them does.
    pub(super) fn word(&self) -> String {
        format!("{}.{}.{:x}", self.members, self.changed, self.sum)
    }
}
