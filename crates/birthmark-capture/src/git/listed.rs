//! Paths that are read when the first of them is asked for, since mostly none is, and how
//! each was left.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

type Reading = Box<dyn FnOnce() -> HashMap<PathBuf, Option<Left>> + Send>;

/// A file of this size or less that looks as if it was written again is read; a larger one is
/// taken for changed.
const READ_UP_TO: u64 = 64 << 20;

/// How a file was left by whoever listed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// The digest of its bytes, where that was made.
    pub digest: Option<String>,
}

impl Left {
    /// How a file lies now; nothing where it is no regular file.
    pub fn now(path: &Path, digest: Option<String>) -> Option<Self> {
        let found = path
            .symlink_metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)?;
        Some(Self {
            size: found.len(),
            modified_ns: i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
            digest,
        })
    }

    /// Whether the file is still what was left. One that was only copied or touched is: its
    /// bytes decide.
    fn is_still(&self, path: &Path, digest_of: fn(&Path) -> Option<String>) -> bool {
        let Some(now) = Self::now(path, None) else {
            return false;
        };
        let same_bytes = || self.digest.is_some() && self.digest == digest_of(path);
        now.size == self.size
            && (now.modified_ns == self.modified_ns || (now.size <= READ_UP_TO && same_bytes()))
    }
}

/// A set of paths, or how it is read. Copies share what was read.
#[derive(Clone)]
pub struct Listed {
    paths: Arc<LazyLock<HashMap<PathBuf, Option<Left>>, Reading>>,
    digest_of: fn(&Path) -> Option<String>,
}

impl Listed {
    /// Reads them when the first is asked for, and no more than once. A path without a `Left`,
    /// as of a folder or of a file that is being written, is listed whatever it holds.
    pub fn when_asked(
        read: impl FnOnce() -> HashMap<PathBuf, Option<Left>> + Send + 'static,
        digest_of: fn(&Path) -> Option<String>,
    ) -> Self {
        Self {
            paths: Arc::new(LazyLock::new(Box::new(read))),
            digest_of,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether it, or a folder that it lies in, is one of them, and it is still what was left
    /// there. `at` is the same file from the root of the file system.
    pub(super) fn has(&self, path: &Path, at: &Path) -> bool {
        path.ancestors().any(|up| match self.paths.get(up) {
            Some(Some(left)) if up == path => left.is_still(at, self.digest_of),
            found => found.is_some(),
        })
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self::when_asked(HashMap::new, |_| None)
    }
}

impl<const N: usize> From<[PathBuf; N]> for Listed {
    fn from(paths: [PathBuf; N]) -> Self {
        let listed = move || paths.into_iter().map(|path| (path, None)).collect();
        Self::when_asked(listed, |_| None)
    }
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listed").finish_non_exhaustive()
    }
}
