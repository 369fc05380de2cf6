//! Which sessions speak of what is asked about?
//!
//! A store may hold many thousand sessions, and one file is told of by a few. So the journals
//! are not read for it but searched, as bytes, for the names of the files: what does not hold
//! a name cannot speak of it. No index is asked, since an index could be stale or made up.
//!
//! # Invariants
//!
//! * A session that speaks of a file under its name is never left out: where a name may be
//!   spelled in more than one way, all sessions are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_core::SessionId;
use birthmark_store::layout::Layout;

use super::subject_of;
use crate::project::{Project, absolute};
use crate::sessions::{self, Wanted};

/// From more names than these on, searching is no quicker than reading.
const MOST_NAMES: usize = 64;

/// Which sessions are read.
pub(super) enum Scope {
    /// All of them.
    All,
    /// Those in whose journals (or manifest, where there are none) one of these texts stands.
    Of(Wanted),
}

impl Scope {
    /// What must be read to judge these paths, sessions and manifests.
    pub(super) fn of(project: &Project, paths: &[PathBuf]) -> Self {
        let mut names = BTreeSet::new();
        for path in paths {
            names.extend(holders(project, path));
            if !add(project, path, &mut names) || names.len() > MOST_NAMES {
                return Self::All;
            }
        }
        Self::Of(Wanted::spelled(names.into_iter().collect()))
    }

    /// Whether all must be read.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether a session may speak of what is asked about.
    pub(super) fn holds(&self, project: &Project, id: &SessionId) -> bool {
        match self {
            Self::All => true,
            Self::Of(wanted) => sessions::speaks_of(&project.layout, id, wanted),
        }
    }
}

/// The folders that a file may be part of, as they are stored and quoted: where it carries nothing
/// itself, one of them is judged.
fn holders(project: &Project, path: &Path) -> Vec<String> {
    let folders = project.folders_above(path).into_iter();
    let quoted = folders.map(|folder| serde_json::to_string(&project.stored_path(&folder)));
    quoted.filter_map(std::result::Result::ok).collect()
}

/// Notes the names that a path asks about; false where all must be read.
fn add(project: &Project, path: &Path, names: &mut BTreeSet<String>) -> bool {
    let whole = absolute(path);
    if whole.symlink_metadata().is_err() {
        // A file that is gone, or the name of a session.
        let session = sessions::resolve(project, &path.to_string_lossy());
        return add_name(&whole, names)
            && session.map_or(true, |id| add_session(project, &id, names));
    }
    if let Some(id) = Layout::session_of_manifest(&whole) {
        return add_session(project, &id, names);
    }
    if let Some(subject) = subject_of(&whole) {
        return add_name(&subject, names);
    }
    let in_one = !whole.is_dir() || Layout::sidecar(&whole).symlink_metadata().is_ok();
    in_one && add_name(&whole, names)
}

fn add_session(project: &Project, id: &SessionId, names: &mut BTreeSet<String>) -> bool {
    let Ok(loaded) = sessions::load(project, id) else {
        return false;
    };
    // A session speaks of itself.
    names.insert(id.as_str().to_owned());
    let mut files = loaded.session.artifacts.iter();
    files.all(|artifact| {
        artifact.file_bytes().is_none() && add_name(Path::new(&artifact.file), names)
    })
}

/// A name that JSON spells in one way alone; false for any other.
fn add_name(path: &Path, names: &mut BTreeSet<String>) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
    match path.file_name().and_then(std::ffi::OsStr::to_str) {
        Some(name) if name.bytes().all(plain) => {
            names.insert(name.to_owned());
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make their own store")]

    use birthmark_core::event::{ArtifactRemoved, Event};
    use birthmark_core::{Timestamp, WriterId};
    use birthmark_store::Durability;
    use birthmark_store::journal::JournalWriter;

    use super::*;

    #[test]
    fn of_many_sessions_those_that_speak_of_a_file_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        let project = Project::find(dir.path()).unwrap();
        let layout = &project.layout;
        let id = |n: u32| SessionId::from_text(format!("20260101_00000{n}_abcdefghjkmnp"));
        for n in 0..6_u32 {
            let writer = WriterId::from_text("w".to_owned());
            let path = layout.journal(&id(n), &writer);
            let mut journal = JournalWriter::create(&path, Durability::Process).unwrap();
            let removed = ArtifactRemoved {
                file: format!("artifacts/of_{}.jsonl", n % 3),
                reason: String::new(),
            };
            let event = Event::ArtifactRemoved(removed);
            journal.append(Timestamp::from_micros(0), &event).unwrap();
        }
        let read = |path: &str| {
            let scope = Scope::of(&project, &[layout.artifacts().join(path)]);
            (0..6)
                .filter(|n| scope.holds(&project, &id(*n)))
                .collect::<Vec<_>>()
        };
        assert_eq!(read("of_1.jsonl"), [1, 4]);
        let sidecar = layout.artifacts().join("of_2.jsonl.birthmark.json");
        std::fs::write(sidecar, "").unwrap();
        assert_eq!(read("of_2.jsonl.birthmark.json"), [2, 5]);
        assert!(read("of_none.jsonl").is_empty());
        // A name that JSON spells in several ways may be anywhere.
        assert_eq!(read("\u{fc}ber.jsonl").len(), 6);
        assert_eq!(read("a\"b.jsonl").len(), 6);
    }
}
