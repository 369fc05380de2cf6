//! One file of the work tree, as it lies: no filter, no conversion.
//!
//! * A path is followed only through real folders: never through a symlink, and never out
//!   of the work tree, whatever an index of a stranger says.
//! * A file that changes under the reading is read again, and named if it keeps changing.

use std::collections::HashSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice};

/// A file that changes while it is read is read this often.
const TRIES: u32 = 3;

/// What lies at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// A regular file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
        /// When it was written, in microseconds since 1970.
        modified: i64,
        /// Whether it kept changing while it was read.
        restless: bool,
    },
    /// A symlink, and where it points.
    Link(Vec<u8>),
    /// A regular file of more bytes than may be taken.
    TooBig(u64),
    /// A folder, a pipe, or nothing: no file for git.
    Nothing,
    /// It is there and cannot be read.
    Unreadable(String),
}

/// Reads files below a top level.
pub(super) struct Files {
    root: PathBuf,
    /// Folders that are known to be real ones.
    real: HashSet<PathBuf>,
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            real: HashSet::new(),
        }
    }

    /// What lies at `path`; files of more than `limit` bytes are not read.
    pub(super) fn read(&mut self, path: &BStr, limit: u64) -> Lies {
        let Some(lies) = self.inside(path) else {
            return Lies::Nothing;
        };
        match lies.symlink_metadata() {
            Err(error) if is_absent(&error) => Lies::Nothing,
            Err(error) => Lies::Unreadable(error.to_string()),
            Ok(meta) if meta.is_symlink() => match std::fs::read_link(&lies) {
                Ok(target) => Lies::Link(target.as_os_str().as_bytes().to_vec()),
                Err(error) => Lies::Unreadable(error.to_string()),
            },
            Ok(meta) if meta.is_file() => read_file(&lies, limit),
            Ok(_) => Lies::Nothing,
        }
    }

    /// The whole path, if it leads through real folders below the top.
    fn inside(&mut self, path: &BStr) -> Option<PathBuf> {
        if !is_plain(path) {
            return None;
        }
        let relative = Path::new(std::ffi::OsStr::from_bytes(path));
        let mut folder = self.root.clone();
        let mut names: Vec<_> = relative.iter().collect();
        let last = names.pop()?;
        for name in names {
            folder.push(name);
            if self.real.contains(&folder) {
                continue;
            }
            if !folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                return None;
            }
            self.real.insert(folder.clone());
        }
        Some(folder.join(last))
    }
}

/// Whether every part of a path is a plain name, and none is git's own folder.
pub(super) fn is_plain(path: &BStr) -> bool {
    !path.is_empty()
        && path.split_str("/").all(|part| {
            !part.is_empty()
                && part != b"."
                && part != b".."
                && !part.contains(&0)
                && !part.eq_ignore_ascii_case(b".git")
        })
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(error.kind(), Kind::NotFound | Kind::NotADirectory)
}

fn read_file(path: &Path, limit: u64) -> Lies {
    let mut tries = 1;
    loop {
        match read_once(path, limit) {
            Ok(Lies::File {
                restless: true,
                bytes: _,
                ..
            }) if tries < TRIES => tries += 1,
            Ok(lies) => return lies,
            Err(error) if is_absent(&error) => return Lies::Nothing,
            Err(error) => return Lies::Unreadable(error.to_string()),
        }
    }
}

fn read_once(path: &Path, limit: u64) -> std::io::Result<Lies> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Ok(Lies::Nothing);
    }
    if before.len() > limit {
        return Ok(Lies::TooBig(before.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    (&file).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Ok(Lies::TooBig(file.metadata()?.len().max(limit + 1)));
    }
    let restless = has_changed(&before, &file, bytes.len());
    Ok(Lies::File {
        executable: before.mode() & 0o100 != 0,
        modified: before.mtime() * 1_000_000 + before.mtime_nsec() / 1000,
        restless,
        bytes,
    })
}

fn has_changed(before: &Metadata, file: &File, read: usize) -> bool {
    let Ok(after) = file.metadata() else {
        return true;
    };
    let stamp = |meta: &Metadata| (meta.mtime(), meta.mtime_nsec(), meta.len());
    stamp(before) != stamp(&after) || after.len() != read as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_followed() {
        for path in ["a", "a/b", "..a/b", ".gitignore", "a b/ü"] {
            assert!(is_plain(path.into()), "{path}");
        }
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            ".git/config",
            "a/.GIT/x",
        ] {
            assert!(!is_plain(path.into()), "{path}");
        }
    }

    #[test]
    fn nothing_is_read_through_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("real")).unwrap();
        std::fs::create_dir_all(folder.path().join("outside")).unwrap();
        let secret = folder.path().join("outside/secret");
        std::os::unix::fs::symlink("/dev/null", &secret).unwrap();
        std::os::unix::fs::symlink("../outside", root.join("way")).unwrap();
        std::os::unix::fs::symlink("target", root.join("real/link")).unwrap();
        let mut files = Files::new(&root);
        assert_eq!(files.read("way/secret".into(), 10), Lies::Nothing);
        assert_eq!(
            files.read("way".into(), 10),
            Lies::Link(b"../outside".to_vec())
        );
        assert_eq!(
            files.read("real/link".into(), 10),
            Lies::Link(b"target".to_vec())
        );
        assert_eq!(files.read("real".into(), 10), Lies::Nothing);
        assert_eq!(files.read("real/none/x".into(), 10), Lies::Nothing);
    }
}
