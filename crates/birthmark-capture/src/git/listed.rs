//! Paths that are read when the first of them is asked for, since mostly none is.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

type Reading = Box<dyn FnOnce() -> HashSet<PathBuf> + Send>;

/// A set of paths, or how it is read. Copies share what was read.
#[derive(Clone)]
pub struct Listed(Arc<LazyLock<HashSet<PathBuf>, Reading>>);

impl Listed {
    /// Reads them when the first is asked for, and no more than once.
    pub fn when_asked(read: impl FnOnce() -> HashSet<PathBuf> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(read))))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is one of them.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.contains(path)
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self::when_asked(HashSet::new)
    }
}

impl<const N: usize> From<[PathBuf; N]> for Listed {
    fn from(paths: [PathBuf; N]) -> Self {
        Self::when_asked(move || paths.into())
    }
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listed").finish_non_exhaustive()
    }
}
