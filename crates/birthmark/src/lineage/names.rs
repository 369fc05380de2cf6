//! Names that a run gave: which earlier file a file is that was renamed, or given one more name.
//!
//! What was there before the run began and is called otherwise now was not made by it. It is an
//! input of the run under its old name, with the role `renamed` or `linked`, and `became` says
//! which artifact it is now.
//!
//! # Invariants
//!
//! * A file that was written and then put in its place is the run's own: only what was there
//!   before the run began (the file system tells when a file was made) has an earlier name.
//! * The digest is that of the earlier file only where nothing was written into it since.
//!
//! # Limits
//!
//! * Where the file system does not tell when a file was made, its name alone says that it is
//!   an earlier one.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use birthmark_core::Fields;
use birthmark_core::event::ArtifactUsed;
use birthmark_core::lineage::{LINKED, RENAMED};
use birthmark_core::session::Session as Folded;
use serde_json::Value;

use super::folders::Folders;
use super::record::CLOCK_STEP;
use super::rules::{Class, Rules};
use super::seen::{Naming, Seen};
use super::{made, modules};
use crate::error::Result;
use crate::session::Session;

/// What a file was called before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Earlier {
    name: PathBuf,
    /// Whether all its new names were links, so that it kept the old one.
    linked: bool,
}

#[cfg(test)]
impl Earlier {
    pub(super) fn name(&self) -> &Path {
        &self.name
    }
}

impl Seen {
    /// What lies under `path` was called before it was given its names; and the file or folder
    /// that the last of them was given to.
    pub(super) fn called_before(&self, path: &Path) -> Option<(Earlier, PathBuf)> {
        let mut given = PathBuf::new();
        let mut earlier = Earlier {
            name: path.to_owned(),
            linked: true,
        };
        for Naming {
            old, new, linked, ..
        } in self.names.iter().rev()
        {
            let Ok(rest) = earlier.name.strip_prefix(new) else {
                continue;
            };
            if earlier.name == path {
                given.clone_from(new);
            }
            earlier.name = if rest.as_os_str().is_empty() {
                old.clone()
            } else {
                old.join(rest)
            };
            earlier.linked &= *linked;
        }
        (earlier.name != path).then_some((earlier, given))
    }

    /// The earlier file that a file or folder is, where it was there before a moment in
    /// microseconds, which is a step of the clock before the run began, and was given its name
    /// since.
    pub(super) fn earlier(&self, path: &Path, since: i64) -> Option<Earlier> {
        if self.names.is_empty() {
            return None;
        }
        let found = path.metadata().ok()?;
        let born = found.created().ok();
        let born = born.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = match born {
            Some(born) => i64::try_from(born.as_micros()).ok()?,
            None => modules::written(path),
        };
        let (earlier, given) = self.called_before(path)?;
        // Within a step of the clock the time tells nothing: who made it opened it.
        let own = || self.opened_to_write(path) || self.opened_to_write(&earlier.name);
        if born >= since + CLOCK_STEP || born >= since && own() {
            return None;
        }
        // What was noted before it was tried did not come about where nothing has changed.
        let given = given.metadata().ok()?;
        let named = given.ctime() * 1_000_000 + given.ctime_nsec() / 1_000;
        (named >= since).then_some(earlier)
    }

    /// Counts the files within folders that were renamed as given a name, too.
    pub(crate) fn enter_folders(&mut self, rules: &Rules) {
        let folders: BTreeSet<PathBuf> = self
            .names
            .iter()
            .map(|naming| naming.new.clone())
            .filter(|path| path.is_dir() && !matches!(rules.class(path), Class::Noise(_)))
            .collect();
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        self.writes.extend(Folders::look(&folders).into_files());
    }
}

impl Session {
    /// Records which of the files that a run made were files before, under another name.
    pub(super) fn record_names(&self, seen: &Seen, told: &Folded, since: i64) -> Result<()> {
        for artifact in &told.artifacts {
            let own = artifact.run.as_ref() == Some(self.run_id());
            let Some(sealed) = artifact.sealed() else {
                continue;
            };
            if !own || sealed.format != made::OBSERVED {
                continue;
            }
            let path = self.project().resolve(&artifact.file);
            let Some(earlier) = seen.earlier(&path, since) else {
                continue;
            };
            let is_untouched = modules::written(&path) < since && !seen.opened_to_write(&path);
            let mut input = self.earlier_input(&earlier, &artifact.file);
            if is_untouched {
                input.insert("size".to_owned(), Value::from(sealed.size));
                let digests = [
                    ("digest", &sealed.digest),
                    ("content_digest", &sealed.content_digest),
                ];
                for (name, digest) in digests {
                    if let Some(digest) = digest {
                        input.insert(name.to_owned(), Value::from(digest.clone()));
                    }
                }
            }
            input.insert("observed_by".to_owned(), seen_by(sealed));
            self.record(ArtifactUsed { input })?;
        }
        Ok(())
    }

    fn earlier_input(&self, earlier: &Earlier, became: &str) -> Fields {
        let mut input = Fields::new();
        let role = if earlier.linked { LINKED } else { RENAMED };
        let (file, file_bytes) = self.project().stored_name(&earlier.name);
        input.insert("role".to_owned(), Value::from(role));
        input.insert("file".to_owned(), Value::from(file));
        if let Some(bytes) = file_bytes {
            input.insert("file_bytes".to_owned(), Value::from(bytes));
        }
        input.insert("became".to_owned(), Value::from(became));
        input
    }
}

fn seen_by(sealed: &birthmark_core::event::ArtifactSealed) -> Value {
    sealed.notes.get("observed_by").cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(names: &[(u64, &str, &str, bool)]) -> Seen {
        let mut seen = Seen::default();
        for (time, old, new, linked) in names {
            seen.names.insert(Naming {
                time: *time,
                old: PathBuf::from(old),
                new: PathBuf::from(new),
                linked: *linked,
            });
        }
        seen
    }

    #[test]
    fn names_are_followed_back_in_the_order_of_their_times() {
        // Two files change places by way of a third name, then their folder is renamed.
        let seen = seen(&[
            (1, "/d/a", "/d/t", false),
            (2, "/d/b", "/d/a", false),
            (3, "/d/t", "/d/b", false),
            (4, "/d", "/e", false),
            (5, "/e/c", "/f/c", true),
        ]);
        let before = |path: &str| {
            let (earlier, _) = seen.called_before(Path::new(path))?;
            Some((earlier.name.to_str()?.to_owned(), earlier.linked))
        };
        let told = |name: &str, linked| Some((name.to_owned(), linked));
        assert_eq!(before("/e/a"), told("/d/b", false));
        assert_eq!(before("/e/b"), told("/d/a", false));
        assert_eq!(before("/f/c"), told("/d/c", false));
        assert_eq!(before("/elsewhere"), None);
        assert_eq!(before("/ee/a"), None);
    }
}
