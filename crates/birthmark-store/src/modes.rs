//! Who may read what is written, and where the store may not lead.
//!
//! New files have mode 0644 and new folders 0755, less the umask: what the user's umask shares.
//! A umask that keeps nothing from anybody (000, as containers and schedulers have it) is
//! nobody's choice: then they are private, 0600 and 0700. `share = "nobody"` in
//! `birthmark.toml` makes them so under every umask, `share = "group"` lets the group write,
//! where the umask lets it too. Nothing is ever writable by all.
//!
//! Below `.birthmark` no folder may be a link: who can put one there would choose where the
//! next record goes.
//!
//! # Limits
//!
//! * What is appended to (journals) is opened by the kernel without following any link below
//!   the folder of the store, where Linux has `openat2`. For what is replaced as a whole, and for
//!   folders, links are looked for before each writing, by name: who may write in the artifacts
//!   folder and swaps `.birthmark` in that very moment is not kept out.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::atomic;
use crate::layout::STORE_NAME;

/// Who may read and write what is made: the setting `share`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Share {
    /// Whoever the umask lets read.
    #[default]
    Umask,
    /// The group reads and writes, where the umask lets it.
    Group,
    /// The user alone.
    Nobody,
}

/// The allowed words of `share`, for messages.
pub const SHARE_WORDS: &str = "\"umask\", \"group\" or \"nobody\"";

impl Share {
    /// Reads a word of the settings.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "umask" => Some(Self::Umask),
            "group" => Some(Self::Group),
            "nobody" => Some(Self::Nobody),
            _ => None,
        }
    }
}

/// The modes of this process, as the umask is one of the process: 0 where nothing was set.
static SET: AtomicU8 = AtomicU8::new(0);

/// Takes the setting of a project for all that is written from now on.
pub fn share_with(share: Option<Share>) {
    let code = match share {
        None => 0,
        Some(Share::Umask) => 1,
        Some(Share::Group) => 2,
        Some(Share::Nobody) => 3,
    };
    SET.store(code, Ordering::Relaxed);
}

/// The modes of new files and folders, before the umask.
pub(crate) fn modes() -> (u32, u32) {
    match SET.load(Ordering::Relaxed) {
        0 if keeps_nothing() => (0o600, 0o700),
        2 => (0o660, 0o770),
        3 => (0o600, 0o700),
        _ => (0o644, 0o755),
    }
}

/// Whether the umask keeps nothing from group and others. Asking for it by the system call
/// would change it for a moment, in all threads.
fn keeps_nothing() -> bool {
    let status = atomic::read_kernel(Path::new("/proc/self/status")).unwrap_or_default();
    let text = String::from_utf8_lossy(&status);
    let line = text.lines().find_map(|line| line.strip_prefix("Umask:"));
    let umask = line.and_then(|line| u32::from_str_radix(line.trim(), 8).ok());
    umask.is_some_and(|umask| umask.trailing_zeros() >= 6)
}

/// Opens a file of the store to append to, with no link followed from the folder that holds the
/// store; none where it is no file of a store, or the kernel cannot do that.
pub(crate) fn open_below_store(path: &Path, fresh: bool) -> Option<io::Result<File>> {
    let parts: Vec<Component<'_>> = path.components().collect();
    let is_store = |part: &Component<'_>| *part == Component::Normal(STORE_NAME.as_ref());
    let store = parts.iter().position(is_store)?;
    let (above, below) = parts.split_at(store);
    let mut above: PathBuf = above.iter().collect();
    if above.as_os_str().is_empty() {
        above.push(".");
    }
    let below: PathBuf = below.iter().collect();
    open_beneath(&above, &below, fresh)
}

/// How often an opening is tried again.
#[cfg(target_os = "linux")]
const MOST_TRIES: usize = 100;

#[cfg(target_os = "linux")]
fn open_beneath(above: &Path, below: &Path, fresh: bool) -> Option<io::Result<File>> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
    use rustix::io::Errno;
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = openat(CWD, above, folder, Mode::empty()).ok()?;
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fresh = if fresh { OFlags::EXCL } else { OFlags::empty() };
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let mode = Mode::from_raw_mode(modes().0);
    let open = || openat2(&above, below, flags | fresh, mode, within);
    // Whenever something is renamed anywhere meanwhile, the kernel asks to try again.
    let mut opened = open();
    for _ in 0..MOST_TRIES {
        if !matches!(opened, Err(Errno::AGAIN)) {
            break;
        }
        opened = open();
    }
    match opened {
        Ok(file) => Some(Ok(File::from(file))),
        // An old kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG) => None,
        Err(errno) => Some(Err(errno.into())),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(_: &Path, _: &Path, _: bool) -> Option<io::Result<File>> {
    None
}

/// Refuses a folder of the store that is a link, or lies below one.
pub(crate) fn refuse_links(folder: &Path) -> io::Result<()> {
    let store = folder
        .components()
        .position(|part| part == Component::Normal(STORE_NAME.as_ref()));
    let Some(store) = store else { return Ok(()) };
    let mut path = PathBuf::new();
    for (place, part) in folder.components().enumerate() {
        path.push(part);
        if place >= store && path.is_symlink() {
            let text = format!("`{}` is a link, and the store follows none", path.display());
            return Err(io::Error::other(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test swaps folders as anybody may"
    )]

    use super::*;

    #[test]
    fn a_journal_is_opened_through_no_link_below_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let (store, outside) = (dir.path().join(STORE_NAME), dir.path().join("outside"));
        let session = store.join("sessions/a");
        for folder in [&outside, &session] {
            atomic::create_folder(folder).unwrap();
        }
        let journal = session.join("w.jsonl");
        if let Some(opened) = open_below_store(&journal, true) {
            opened.unwrap();
            assert!(
                open_below_store(&journal, true).unwrap().is_err(),
                "it is there"
            );
            open_below_store(&journal, false).unwrap().unwrap();
            // What swaps a folder after the look by name leads nowhere.
            std::fs::rename(&session, store.join("sessions/b")).unwrap();
            std::os::unix::fs::symlink(&outside, &session).unwrap();
            assert!(open_below_store(&journal, false).unwrap().is_err());
            assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        }
        assert!(open_below_store(&dir.path().join("a.jsonl"), true).is_none());
    }

    #[test]
    fn no_link_below_the_store_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        let artifacts = dir.path().join("artifacts");
        let store = artifacts.join(STORE_NAME);
        for folder in [&outside, &artifacts] {
            atomic::create_folder(folder).unwrap();
        }
        std::os::unix::fs::symlink(&outside, &store).unwrap();
        let inside = store.join("sessions/a");
        assert!(atomic::create_folder(&inside).is_err());
        let file = store.join("open");
        let replaced = atomic::replace(&file, b"x", atomic::Durability::Process);
        assert!(
            replaced
                .unwrap_err()
                .source
                .to_string()
                .contains("is a link")
        );
        assert!(atomic::create_new(&file, b"x").is_err());
        assert!(atomic::open_append(&file, false).is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        // The artifacts folder itself may be a link of the user's.
        let linked = dir.path().join("linked");
        std::os::unix::fs::symlink(&artifacts, &linked).unwrap();
        std::fs::remove_file(&store).unwrap();
        assert!(atomic::create_folder(&linked.join(STORE_NAME).join("sessions")).is_ok());
    }
}
