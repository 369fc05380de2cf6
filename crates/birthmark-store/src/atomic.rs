//! The only writer of files: temp file, sync, rename, sync folder.
//!
//! A file is either as it was or as it shall be, at every instant and after every
//! crash: the new bytes go to a temporary file in the same folder, are synced,
//! and take the old name in one rename; then the folder is synced, since a rename
//! lives in the folder. Nothing is ever writable by all, whatever the umask, and no link below
//! the store is followed: all of it goes through the folder, held open (`folder.rs`).

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::folder::Folder;
use crate::format::codec;
use crate::seam::{self, Step};
use crate::stop;

pub use crate::folder::Temp;

use crate::layout::STORE_NAME;

/// A failed use of a file, with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`")]
pub struct PathError {
    /// What was tried, as a verb: "write", "read", "create folder".
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl PathError {
    /// Whether the file was simply not there.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        let path = self.path.display();
        if let Some(hint) = way_out(&self.source) {
            return Some(hint.to_owned());
        }
        match self.source.kind() {
            io::ErrorKind::PermissionDenied if self.action == "read" => Some(format!(
                "make `{path}` readable for this user, or ask as its owner"
            )),
            io::ErrorKind::PermissionDenied => {
                // A new file needs its folder; an old one is replaced there, too.
                let folder = folder_of(&self.path).display();
                let or = if self.is_of_store() {
                    ", or set BIRTHMARK_DIR to another one"
                } else {
                    ""
                };
                Some(format!("make the folder `{folder}` writable{or}"))
            }
            kind if let Some(hint) = no_room(kind) => Some(hint.to_owned()),
            io::ErrorKind::ReadOnlyFilesystem if self.is_of_store() => {
                Some("set BIRTHMARK_DIR to a folder that can be written".to_owned())
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                let folder = folder_of(&self.path).display();
                Some(format!(
                    "nothing can be written in `{folder}`: write somewhere else"
                ))
            }
            _ => None,
        }
    }

    fn is_of_store(&self) -> bool {
        self.path.iter().any(|part| part == STORE_NAME)
    }
}

/// What can be done about a file that is no file, or packed text that is damaged.
pub fn way_out(error: &io::Error) -> Option<&'static str> {
    let special = || error.get_ref()?.is::<NotAFile>().then_some(NOT_A_FILE);
    codec::way_out(error).or_else(special)
}

/// What can be done about a pipe or a device.
pub(crate) const NOT_A_FILE: &str = "write what comes out of it into a file, and name that";

/// It is a FIFO, a device or a socket.
#[derive(Debug, thiserror::Error)]
#[error("it is no regular file")]
struct NotAFile;

/// Why a FIFO, a device or a socket is not read.
pub fn not_a_file() -> io::Error {
    io::Error::other(NotAFile)
}

/// What such a hint ends with where a file was to be written anew.
pub const UNCHANGED: &str = "nothing of yours was changed";

/// What can be done where bytes found no room.
pub(crate) fn no_room(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space; nothing of yours was changed")
        }
        io::ErrorKind::FileTooLarge => {
            Some("the size of files is limited here, see `ulimit -f`; nothing of yours was changed")
        }
        _ => None,
    }
}

/// Puts the path to an I/O error.
pub trait PathContext<T> {
    /// `action` is a verb, as in "cannot write `x`".
    fn at(self, action: &'static str, path: &Path) -> Result<T, PathError>;
}

impl<T> PathContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, PathError> {
        self.map_err(|source| PathError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// What must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the process, at any instruction.
    #[default]
    Process,
    /// Also a power cut: every acknowledged byte is synced.
    Power,
}

/// Replaces `path` by `bytes`, all or nothing. An existing file's owner, mode, access list and
/// attributes are kept.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), PathError> {
    replace_with(path, durability, |file| {
        bytes
            .chunks(PIECE)
            .enumerate()
            .try_for_each(|(place, piece)| {
                // What is small is written to its end: it may be what tells of an interruption.
                if place > 0 {
                    stop::check()?;
                }
                file.write_all(piece)
            })
    })
}

/// Between two pieces of so many bytes it is asked whether the work is to stop.
const PIECE: usize = 16 << 20;

/// As [`replace`], with the bytes written by `fill`. When `fill` fails, nothing changes.
pub fn replace_with(
    path: &Path,
    durability: Durability,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), PathError> {
    let mut temp = temp_beside(path)?;
    fill(temp.as_file_mut()).at("write", path)?;
    settle(temp, path, durability)
}

/// A temporary file in the folder of `path`, with the looks that `path` has or would get.
/// It is gone when dropped.
pub fn temp_beside(path: &Path) -> Result<Temp, PathError> {
    let folder = Folder::open(folder_of(path)).at("write", path)?;
    temp_in(folder, path)
}

/// The same in a folder that is held open: only the name of `path` counts.
pub(crate) fn temp_in(folder: Folder, path: &Path) -> Result<Temp, PathError> {
    let temp = folder.temporary().at("write", path)?;
    temp.take_looks_of(name_of(path).at("write", path)?);
    Ok(temp)
}

/// Gives a filled temporary file its final name.
pub fn settle(mut temp: Temp, path: &Path, durability: Durability) -> Result<(), PathError> {
    if seam::is_watched() {
        tell(&temp).at("write", path)?;
    }
    if durability == Durability::Power {
        seam::pass(&Step::SyncFile(temp.path())).at("sync", path)?;
        temp.as_file().sync_all().at("sync", path)?;
    }
    let (from, to) = (temp.path(), path);
    seam::pass(&Step::Rename { from, to }).at("write", path)?;
    name_of(path)
        .and_then(|name| temp.persist(name))
        .at("write", path)?;
    if durability == Durability::Power {
        sync(temp.folder(), folder_of(path))?;
    }
    Ok(())
}

/// Tells a watcher what is in a temporary file.
fn tell(temp: &Temp) -> io::Result<()> {
    let size = usize::try_from(temp.as_file().metadata()?.len()).unwrap_or_default();
    let mut bytes = vec![0; size];
    temp.as_file().read_exact_at(&mut bytes, 0)?;
    let write = Step::Write {
        path: temp.path(),
        offset: 0,
        bytes: &bytes,
    };
    seam::pass(&Step::Create(temp.path()))?;
    seam::pass(&write)
}

/// Creates `path` with `bytes`; answers `false`, and changes nothing, when it is there
/// already. The file appears whole or not at all.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, PathError> {
    let mut temp = temp_beside(path)?;
    temp.write_all(bytes).at("write", path)?;
    if seam::is_watched() {
        tell(&temp).at("write", path)?;
    }
    let (from, to) = (temp.path(), path);
    seam::pass(&Step::Rename { from, to }).at("create", path)?;
    match name_of(path).and_then(|name| temp.persist_new(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).at("create", path),
    }
}

/// Takes a file away, through no link below the store.
pub fn remove(path: &Path) -> Result<(), PathError> {
    Folder::open(folder_of(path))
        .and_then(|folder| folder.remove(name_of(path)?))
        .at("remove", path)
}

/// Creates a folder and its parents.
pub fn create_folder(path: &Path) -> Result<(), PathError> {
    Folder::make(path).at("create folder", path).map(drop)
}

/// As [`create_folder`]; with [`Durability::Power`] the folders that were made survive a
/// power cut, each in the one above it.
pub fn create_folder_safely(path: &Path, durability: Durability) -> Result<(), PathError> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    for folder in missing.iter().rev() {
        seam::pass(&Step::MakeFolder(folder)).at("create folder", folder)?;
    }
    create_folder(path)?;
    if durability == Durability::Power {
        for folder in missing.iter().rev() {
            sync_folder(folder_of(folder))?;
        }
    }
    Ok(())
}

/// Opens a file for appending, made if it is not there (refused if it is, with `fresh`).
/// A symbolic link at its place is refused.
pub fn open_append(path: &Path, fresh: bool) -> Result<File, PathError> {
    seam::pass(&Step::Create(path)).at("open", path)?;
    Folder::open(folder_of(path))
        .and_then(|folder| folder.append(name_of(path)?, fresh))
        .at("open", path)
}

/// Reads a whole file of at most `limit` bytes.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, PathError> {
    use std::io::Read;
    let file = open_regular(path).at("read", path)?;
    let mut bytes = Vec::new();
    let mut file = file.take(limit + 1);
    while file
        .by_ref()
        .take(PIECE as u64)
        .read_to_end(&mut bytes)
        .at("read", path)?
        == PIECE
    {
        stop::check().at("read", path)?;
    }
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes"))).at("read", path);
    }
    Ok(bytes)
}

/// Opens a regular file to read it. A FIFO or device in its place is an error, whenever it was
/// put there, and waits for nobody.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(not_a_file())
}

/// Reads a file that the kernel makes up while it is read, as those of `/proc`.
pub fn read_kernel(path: &Path) -> Result<Vec<u8>, PathError> {
    read_limited(path, KERNEL_LIMIT)
}

/// The map of a process with very many libraries has some megabytes.
const KERNEL_LIMIT: u64 = 64 << 20;

/// Makes the bytes of a file that is there survive a power cut.
pub(crate) fn sync_file(path: &Path) -> Result<(), PathError> {
    open_regular(path)
        .and_then(|file| seam::sync(&file, path))
        .at("sync", path)
}

/// Makes a folder's entries survive a power cut.
pub fn sync_folder(folder: &Path) -> Result<(), PathError> {
    sync(&Folder::open(folder).at("sync", folder)?, folder)
}

fn sync(held: &Folder, folder: &Path) -> Result<(), PathError> {
    seam::pass(&Step::SyncFolder(folder)).at("sync", folder)?;
    held.sync().at("sync", folder)
}

/// The folder a path stands in; `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The last name of a path.
pub(crate) fn name_of(path: &Path) -> io::Result<&OsStr> {
    path.file_name()
        .ok_or_else(|| io::Error::other("it names no file"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn failed_fill_leaves_the_old_file_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        replace(&path, b"old", Durability::Power).unwrap();
        let result = replace_with(&path, Durability::Process, |file| {
            file.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(result.unwrap_err().hint().is_some());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn hint_of_a_read_only_disk_is_about_what_lies_on_it() {
        let hint = |path: &str| {
            let source = io::ErrorKind::ReadOnlyFilesystem.into();
            let error = Err::<(), io::Error>(source).at("write", Path::new(path));
            error.unwrap_err().hint().unwrap()
        };
        assert!(hint("artifacts/.birthmark/x").contains("BIRTHMARK_DIR"));
        assert!(hint("disk/a.jsonl").contains("`disk`"));
    }

    #[test]
    fn mode_of_an_existing_file_is_kept_and_new_ones_are_not_writable_by_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"1", Durability::Process).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"2", Durability::Process).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[test]
    fn owner_of_an_existing_file_is_kept_where_root_writes_it_anew() {
        use std::os::unix::fs::{MetadataExt, chown};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"1", Durability::Process).unwrap();
        // Who is not root can give no file away: its own stays its own.
        let _ = chown(&path, Some(1234), Some(1234));
        let before = fs::metadata(&path).unwrap();
        replace(&path, b"2", Durability::Process).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!(after.mode(), before.mode());
        assert_eq!(fs::read(&path).unwrap(), b"2");
    }

    #[test]
    fn create_new_lets_only_the_first_win() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session");
        assert!(create_new(&path, b"first").unwrap());
        assert!(!create_new(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn reading_is_limited_and_a_fifo_does_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        replace(&path, &[0; 100], Durability::Process).unwrap();
        assert!(read_limited(&path, 99).is_err());
        assert_eq!(read_limited(&path, 100).unwrap().len(), 100);
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        assert!(read_limited(&fifo, 10).is_err());
    }
}
