//! What a file written anew keeps of the one whose name it takes: owner, mode, access list and the
//! attributes that its user gave it. Its times are its own.
//!
//! # Limits
//!
//! * Best effort: only root may give a file away, and not every file system has modes, lists and
//!   attributes. Of a file that this user cannot read, owner and mode are kept.
//! * Labels and capabilities (`security.*`) are for the system to give.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};

/// Gives `to` the looks of the file `name` in a folder, if there is one.
pub(super) fn take(folder: impl AsFd, name: &OsStr, to: &File) {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(old) = statat(&folder, name, AtFlags::empty()) else {
        return;
    };
    #[cfg_attr(target_os = "linux", expect(clippy::useless_conversion))]
    let mode: u32 = old.st_mode.into();
    let _ = put((old.st_uid, old.st_gid, mode), to);
    let is_file = rustix::fs::FileType::from_raw_mode(old.st_mode).is_file();
    if is_file && let Ok(old) = openat(&folder, name, flags, Mode::empty()) {
        attributes(&File::from(old), to);
    }
}

/// Gives `to` the looks of `from`.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    let own = from.metadata()?;
    put((own.uid(), own.gid(), own.mode()), to)?;
    attributes(from, to);
    Ok(())
}

fn put((user, group, mode): (u32, u32, u32), to: &File) -> io::Result<()> {
    // First: a change of the owner takes the bits away that run a program as him.
    let _ = fchown(to, Some(user), Some(group));
    to.set_permissions(Permissions::from_mode(mode))
}

/// The access list, and what the user noted.
#[cfg(target_os = "linux")]
fn attributes(from: &File, to: &File) {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    use std::os::unix::ffi::OsStrExt;

    let mut names = vec![0; MOST];
    let Ok(length) = flistxattr(from, &mut names[..]) else {
        return;
    };
    let is_kept = |name: &&[u8]| name.starts_with(b"user.") || *name == b"system.posix_acl_access";
    for name in names[..length].split(|byte| *byte == 0).filter(is_kept) {
        let name = OsStr::from_bytes(name);
        let mut value = vec![0; MOST];
        if let Ok(length) = fgetxattr(from, name, &mut value[..]) {
            let _ = fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn attributes(_: &File, _: &File) {}

/// Neither the list of names nor a value is longer on Linux.
#[cfg(target_os = "linux")]
const MOST: usize = 64 << 10;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{XattrFlags, getxattr, setxattr};

    use crate::atomic::{self, Durability};

    #[test]
    fn what_a_user_noted_at_a_file_is_kept_where_it_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        atomic::replace(&path, b"1", Durability::Process).unwrap();
        if setxattr(&path, "user.note", b"from the lab", XattrFlags::empty()).is_err() {
            eprintln!("SKIPPED: no attributes in `{}`", path.display());
            return;
        }
        atomic::replace(&path, b"2", Durability::Process).unwrap();
        let mut value = [0; 64];
        let length = getxattr(&path, "user.note", &mut value[..]).unwrap();
        assert_eq!(&value[..length], b"from the lab");
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
    }

    #[test]
    fn access_list_is_kept_where_a_file_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        atomic::replace(&path, b"1", Durability::Process).unwrap();
        // Version 2; owner rw, user 1234 r, group -, mask r, others -.
        let entries = [
            (1_u16, 6_u16, u32::MAX),
            (2, 4, 1234),
            (4, 0, u32::MAX),
            (16, 4, u32::MAX),
            (32, 0, u32::MAX),
        ];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, bits, who) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(bits.to_le_bytes());
            list.extend(who.to_le_bytes());
        }
        let name = "system.posix_acl_access";
        if setxattr(&path, name, &list, XattrFlags::empty()).is_err() {
            eprintln!("SKIPPED: no access lists in `{}`", path.display());
            return;
        }
        atomic::replace(&path, b"2", Durability::Process).unwrap();
        let mut value = [0; 128];
        let length = getxattr(&path, name, &mut value[..]).unwrap();
        assert_eq!(value[..length], list[..]);
    }
}
