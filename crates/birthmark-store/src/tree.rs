//! Writing a tree of files: what a commit held becomes a folder again.
//!
//! * A new folder appears whole: it is filled beside its place under another name, and
//!   takes its own in one rename. A failure leaves nothing.
//! * Into a folder that is there, files are put one by one, each whole; those that stand in
//!   the way are replaced.
//! * Nothing is written outside the folder: names are checked, and no symlink is followed.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use crate::atomic::{self, PathContext, PathError, folder_of};

/// Fills a folder.
#[derive(Debug)]
pub struct TreeWriter {
    target: PathBuf,
    /// Where a new folder is filled; `None` where the folder was there.
    aside: Option<tempfile::TempDir>,
}

impl TreeWriter {
    /// For a folder that is not there yet, or is empty.
    pub fn new_folder(target: &Path) -> Result<Self, PathError> {
        let parent = folder_of(target);
        atomic::create_folder(parent)?;
        let aside = tempfile::Builder::new()
            .prefix(".birthmark-")
            .tempdir_in(parent)
            .at("create folder", target)?;
        Ok(Self {
            target: target.to_owned(),
            aside: Some(aside),
        })
    }

    /// For a folder that is there, and may hold files that will be replaced.
    pub fn into_existing(target: &Path) -> Self {
        Self {
            target: target.to_owned(),
            aside: None,
        }
    }

    /// Puts a file.
    pub fn file(&self, path: &[u8], bytes: &[u8], executable: bool) -> Result<(), PathError> {
        let path = self.place(path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        if self.aside.is_some() {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)
                .at("create", &path)?;
            return file.write_all(bytes).at("write", &path);
        }
        clear(&path)?;
        let aside = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(folder_of(&path))
            .at("create", &path)?;
        aside.as_file().write_all(bytes).at("write", &path)?;
        let file = aside.persist(&path).map_err(|error| error.error);
        file.at("write", &path).map(drop)
    }

    /// Puts a symlink.
    pub fn link(&self, path: &[u8], target: &[u8]) -> Result<(), PathError> {
        let path = self.place(path)?;
        if self.aside.is_none() {
            clear(&path)?;
            if path.symlink_metadata().is_ok() {
                fs::remove_file(&path).at("replace", &path)?;
            }
        }
        symlink(OsStr::from_bytes(target), &path).at("create", &path)
    }

    /// Makes a folder, though nothing may stand in it.
    pub fn folder(&self, path: &[u8]) -> Result<(), PathError> {
        let path = self.place(path)?;
        atomic::create_folder(&path)
    }

    /// Puts the new folder in its place.
    pub fn finish(self) -> Result<(), PathError> {
        let Some(aside) = self.aside else {
            return Ok(());
        };
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(aside.path(), open).at("write", &self.target)?;
        #[expect(clippy::disallowed_methods, reason = "a whole folder, not a file")]
        fs::rename(aside.path(), &self.target).at("create", &self.target)?;
        // It has gone where it belongs: there is nothing left to remove.
        let _ = aside.keep();
        atomic::sync_folder(folder_of(&self.target))
    }

    /// The whole path of a place, its folders made.
    fn place(&self, path: &[u8]) -> Result<PathBuf, PathError> {
        let root = self.aside.as_ref().map_or(&*self.target, |dir| dir.path());
        let relative = Path::new(OsStr::from_bytes(path));
        let plain = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let lies = root.join(relative);
        if !plain || path.is_empty() {
            return Err(std::io::Error::other("it leads out of the folder")).at("write", &lies);
        }
        let mut folder = root.to_owned();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            match folder.symlink_metadata() {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) if self.aside.is_none() => {
                    fs::remove_file(&folder).at("replace", &folder)?;
                    atomic::create_folder(&folder)?;
                }
                Ok(_) => {
                    let reason = "a file stands where a folder must be";
                    return Err(std::io::Error::other(reason)).at("create", &folder);
                }
                Err(_) => atomic::create_folder(&folder)?,
            }
        }
        Ok(lies)
    }
}

/// A folder that stands where a file shall be is taken away only if it is empty.
fn clear(path: &Path) -> Result<(), PathError> {
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        fs::remove_dir(path).at("replace", path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_folder_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let writer = TreeWriter::new_folder(&target).unwrap();
        writer.file(b"a/run.sh", b"#!\n", true).unwrap();
        writer.link(b"a/l", b"run.sh").unwrap();
        assert!(!target.exists());
        writer.finish().unwrap();
        let meta = fs::metadata(target.join("a/run.sh")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o111, 0o111);
        assert_eq!(
            fs::read_link(target.join("a/l")).unwrap(),
            Path::new("run.sh")
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let failed = TreeWriter::new_folder(&dir.path().join("none")).unwrap();
        failed.file(b"x", b"1", false).unwrap();
        failed.file(b"x", b"2", false).unwrap_err();
        drop(failed);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_outside() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let writer = TreeWriter::new_folder(&target).unwrap();
        writer.link(b"way", b"..").unwrap();
        for path in [&b"../x"[..], b"/x", b"", b"a/../../x", b"way/x"] {
            writer.file(path, b"1", false).unwrap_err();
        }
        drop(writer);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn existing_folder_keeps_what_is_not_named() {
        let dir = tempfile::tempdir().unwrap();
        let new = TreeWriter::new_folder(&dir.path().join("out")).unwrap();
        new.file(b"kept", b"kept", false).unwrap();
        new.file(b"a", b"old", false).unwrap();
        new.link(b"l", b"a").unwrap();
        new.finish().unwrap();
        let over = TreeWriter::into_existing(&dir.path().join("out"));
        over.file(b"a", b"new", true).unwrap();
        over.file(b"l", b"file now", false).unwrap();
        over.finish().unwrap();
        let read = |name: &str| fs::read(dir.path().join("out").join(name)).unwrap();
        assert_eq!(
            (read("kept"), read("a"), read("l")),
            (b"kept".to_vec(), b"new".to_vec(), b"file now".to_vec())
        );
    }
}
