//! A file of the user's, and the folder in which it lies, held open.
//!
//! The path of an artifact may lead through links; they are the user's own, and are followed
//! once. Whoever swaps a part of it for a link afterwards leads no writing elsewhere.
//!
//! # Invariants
//!
//! * What is read and what is written for it lie in one folder: that which held the file when
//!   the work began. Nothing is written in a folder that did not hold it.
//! * A link in the place of the file itself is refused.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::{self, Durability, PathContext, PathError};
use crate::digest::{self, FileError, FileState};
use crate::folder::Folder;

/// A file or folder, by the name that it has in a folder that is held open.
#[derive(Debug)]
pub struct Beside {
    folder: Folder,
    path: PathBuf,
}

impl Beside {
    /// Opens the folder in which `path` lies; what lies there must be a file or a folder.
    pub fn of(path: &Path) -> Result<Self, PathError> {
        // Components leave slashes at the end out.
        let path = path.components().as_path();
        let folder = Folder::open(atomic::folder_of(path)).at("read", path)?;
        let beside = Self {
            folder,
            path: path.to_owned(),
        };
        beside
            .name()
            .and_then(|name| beside.folder.has(name))
            .at("read", path)?;
        Ok(beside)
    }

    fn name(&self) -> io::Result<&OsStr> {
        atomic::name_of(&self.path)
    }

    /// Opens the file without following a link and without waiting.
    pub fn open_still(&self) -> Result<(File, FileState), FileError> {
        let name = self.name().at("read", &self.path)?;
        digest::open_still_in(self.folder.held(), Path::new(name), &self.path)
    }

    /// Replaces a file of that folder by what `fill` writes, all or nothing. Only the name of
    /// `path` counts.
    pub fn replace_with(
        &self,
        path: &Path,
        durability: Durability,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), PathError> {
        let folder = self.folder.again().at("write", path)?;
        let mut temp = atomic::temp_in(folder, path)?;
        fill(temp.as_file_mut()).at("write", path)?;
        atomic::settle(temp, path, durability)
    }

    /// The same with bytes at hand.
    pub fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), PathError> {
        self.replace_with(path, durability, |file| io::Write::write_all(file, bytes))
    }

    /// Takes a file of that folder away. Only the name of `path` counts.
    pub fn remove(&self, path: &Path) -> Result<(), PathError> {
        atomic::name_of(path)
            .and_then(|name| self.folder.remove(name))
            .at("remove", path)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test swaps folders as anybody may"
    )]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_written_lands_where_the_file_was_whatever_takes_the_folders_place() {
        let dir = tempfile::tempdir().unwrap();
        let (data, moved) = (dir.path().join("data"), dir.path().join("moved"));
        let outside = dir.path().join("outside");
        for folder in [&data, &outside] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("a"), folder.to_string_lossy().as_bytes()).unwrap();
        }
        let file = data.join("a");
        let beside = Beside::of(&file).unwrap();
        fs::rename(&data, &moved).unwrap();
        symlink(&outside, &data).unwrap();
        let (opened, _) = beside.open_still().unwrap();
        assert_eq!(
            io::read_to_string(opened).unwrap(),
            data.to_string_lossy(),
            "the file that was there"
        );
        beside.replace(&file, b"new", Durability::Power).unwrap();
        assert_eq!(fs::read(moved.join("a")).unwrap(), b"new");
        assert_eq!(
            fs::read(outside.join("a")).unwrap(),
            outside.to_string_lossy().as_bytes()
        );
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        let gone = Beside::of(&data.join("none")).unwrap_err();
        assert!(gone.is_not_found(), "{gone}");
    }
}
