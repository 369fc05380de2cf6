//! A folder that is held open, so that what is written in it lands there and nowhere else.
//!
//! # Invariants
//!
//! * Below `.birthmark` no link is followed: each folder is opened through the one above it, and a
//!   link in its place is refused by the kernel. Whoever swaps a folder for a link, in whatever
//!   moment, keeps the writing from taking place, and leads it nowhere.
//! * A file comes to be, and takes its name, through the open folder. Where the folder is moved or
//!   replaced meanwhile, the file lands in the one that was opened.
//! * Above `.birthmark`, links are the user's own and are followed, once.
//! * Where the system can, a file has no name until it is whole: who kills us while we write leaves
//!   nothing behind.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::layout::STORE_NAME;
use crate::modes;

mod looks;

/// How a folder is held: it need not be readable.
#[cfg(target_os = "linux")]
const HELD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const HELD: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// How often another name is tried for a temporary file.
const MOST_NAMES: usize = 100;

/// A folder, held open.
#[derive(Debug)]
pub(crate) struct Folder {
    held: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::walk(path, false)
    }

    /// Opens a folder, and makes it and those above it where they are not there.
    pub(crate) fn make(path: &Path) -> io::Result<Self> {
        Self::walk(path, true)
    }

    fn walk(path: &Path, make: bool) -> io::Result<Self> {
        let parts: Vec<Component<'_>> = path.components().collect();
        let is_store = |part: &Component<'_>| *part == Component::Normal(STORE_NAME.as_ref());
        let store = parts.iter().position(is_store).unwrap_or(parts.len());
        let (above, below) = parts.split_at(store);
        let mut folder = Self::above(above.iter().collect(), make)?;
        for part in below {
            folder = folder.step(*part, make)?;
        }
        Ok(folder)
    }

    /// The folder that holds the store, or a folder that is of none.
    fn above(mut path: PathBuf, make: bool) -> io::Result<Self> {
        if path.as_os_str().is_empty() {
            path.push(".");
        }
        if make {
            let mut builder = fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(modes::modes().1)
                .create(&path)?;
        }
        let held = openat(CWD, &path, HELD, Mode::empty())?;
        Ok(Self { held, path })
    }

    /// The folder `part` in this one.
    fn step(self, part: Component<'_>, make: bool) -> io::Result<Self> {
        let path = self.path.join(part);
        let Component::Normal(name) = part else {
            let text = format!("`{}` leads out of the store", path.display());
            return Err(io::Error::other(text));
        };
        if make {
            match mkdirat(&self.held, name, mode(modes::modes().1)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        match openat(&self.held, name, HELD | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(held) => Ok(Self { held, path }),
            Err(_) if self.has_link(name) => Err(is_link(&path)),
            Err(errno) => Err(errno.into()),
        }
    }

    fn has_link(&self, name: &OsStr) -> bool {
        let met = statat(&self.held, name, AtFlags::SYMLINK_NOFOLLOW);
        met.is_ok_and(|met| FileType::from_raw_mode(met.st_mode) == FileType::Symlink)
    }

    /// Opens a file to append to, made if it is not there (refused if it is, with `fresh`).
    pub(crate) fn append(&self, name: &OsStr, fresh: bool) -> io::Result<File> {
        let fresh = if fresh { OFlags::EXCL } else { OFlags::empty() };
        self.create(name, OFlags::APPEND | fresh)
    }

    fn create(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(&self.held, name, flags, mode(modes::modes().0));
        Ok(File::from(rustix::io::retry_on_intr(open)?))
    }

    /// A new file that has no name yet or, where that cannot be, one that nobody has.
    pub(crate) fn temporary(self) -> io::Result<Temp> {
        let name = temporary_name()?;
        if let Some(file) = self.nameless() {
            return Ok(Temp {
                path: self.path.join(&name),
                file,
                folder: self,
                name: Name::Later(name),
            });
        }
        let (file, name) = self.named(name)?;
        Ok(Temp {
            path: self.path.join(&name),
            file,
            folder: self,
            name: Name::Taken(name),
        })
    }

    /// A file without a name, where the system knows such and can give it one later.
    #[cfg(target_os = "linux")]
    fn nameless(&self) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let open = || openat(&self.held, ".", flags, mode(modes::modes().0));
        let file = File::from(rustix::io::retry_on_intr(open).ok()?);
        let place = statat(CWD, descriptor(&file), AtFlags::empty()).ok()?;
        let own = rustix::fs::fstat(&file).ok()?;
        (place.st_ino == own.st_ino && place.st_dev == own.st_dev).then_some(file)
    }

    #[cfg(not(target_os = "linux"))]
    fn nameless(&self) -> Option<File> {
        None
    }

    /// A new file under a name that nobody has, `name` first of all.
    fn named(&self, mut name: OsString) -> io::Result<(File, OsString)> {
        for _ in 0..MOST_NAMES {
            match self.create(&name, OFlags::EXCL) {
                Ok(file) => return Ok((file, name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = temporary_name()?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// What the system calls take.
    pub(crate) fn held(&self) -> &OwnedFd {
        &self.held
    }

    /// The same folder, held once more.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self {
            held: self.held.try_clone()?,
            path: self.path.clone(),
        })
    }

    /// An error where nothing has this name.
    pub(crate) fn has(&self, name: &OsStr) -> io::Result<()> {
        Ok(statat(&self.held, name, AtFlags::SYMLINK_NOFOLLOW).map(drop)?)
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.held, name, AtFlags::empty())?)
    }

    /// Makes the names in it survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(&self.held, ".", flags, Mode::empty())?;
        Ok(rustix::fs::fsync(folder)?)
    }

    /// Gives `from` the name `to`, which is not taken yet.
    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.held, from, &self.held, to, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                // The kernel or the file system knows no such renaming.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        linkat(&self.held, from, &self.held, to, AtFlags::empty())?;
        self.remove(from)
    }
}

/// Some systems keep a mode in fewer bits.
#[cfg_attr(target_os = "linux", expect(clippy::useless_conversion))]
fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode(bits.try_into().unwrap_or_default())
}

fn is_link(path: &Path) -> io::Error {
    let text = format!("`{}` is a link, and the store follows none", path.display());
    io::Error::other(text)
}

fn temporary_name() -> io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!(".birthmark-{:016x}", u64::from_le_bytes(random)).into())
}

/// Where the system shows an open file.
#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The name of a temporary file.
#[derive(Debug)]
enum Name {
    /// It has none; this one is for the moment in which it takes another's place.
    Later(OsString),
    /// It has this one.
    Taken(OsString),
    /// It has its own.
    Own,
}

/// A temporary file, in the folder where it will get its name. It is gone when dropped.
#[derive(Debug)]
pub struct Temp {
    file: File,
    folder: Folder,
    name: Name,
    path: PathBuf,
}

impl Temp {
    /// What is written to.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// The same, to change where it stands.
    pub fn as_file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where it lies, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Takes the looks of the file whose name it will get, if there is one.
    pub(crate) fn take_looks_of(&self, name: &OsStr) {
        looks::take(&self.folder.held, name, &self.file);
    }

    /// Gives it its name, whatever had it.
    pub(crate) fn persist(&mut self, name: &OsStr) -> io::Result<()> {
        self.take_name()?;
        if let Name::Taken(temporary) = &self.name {
            let held = &self.folder.held;
            rustix::fs::renameat(held, temporary, held, name)?;
            self.name = Name::Own;
        }
        Ok(())
    }

    /// The same, where nothing has the name yet.
    pub(crate) fn persist_new(&mut self, name: &OsStr) -> io::Result<()> {
        self.take_name()?;
        if let Name::Taken(temporary) = &self.name {
            self.folder.rename_new(temporary, name)?;
            self.name = Name::Own;
        }
        Ok(())
    }

    /// Takes the temporary name, if it has none.
    fn take_name(&mut self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Name::Later(name) = &self.name {
            let (held, follow) = (&self.folder.held, AtFlags::SYMLINK_FOLLOW);
            let mut taken = name.clone();
            if linkat(CWD, descriptor(&self.file), held, name, follow).is_err() {
                let copied = self.copy(taken)?;
                (self.file, taken) = copied;
            }
            self.name = Name::Taken(taken);
        }
        Ok(())
    }

    /// The same bytes under a name, where a file without one cannot be given any after all.
    #[cfg(target_os = "linux")]
    fn copy(&self, name: OsString) -> io::Result<(File, OsString)> {
        let (mut copy, name) = self.folder.named(name)?;
        let mut from = &self.file;
        from.rewind()?;
        let copied = io::copy(&mut from, &mut copy)
            .and_then(|_| looks::copy(&self.file, &copy))
            .and_then(|()| copy.sync_all());
        match copied {
            Ok(()) => Ok((copy, name)),
            Err(error) => {
                let _ = self.folder.remove(&name);
                Err(error)
            }
        }
    }
}

impl Write for Temp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Name::Taken(name) = &self.name {
            let _ = self.folder.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
