//! Who may read what is written.
//!
//! New files have mode 0644 and new folders 0755, less the umask: what the user's umask shares.
//! A umask that keeps nothing from anybody (000, as containers and schedulers have it) is
//! nobody's choice: then they are private, 0600 and 0700. `share = "nobody"` in
//! `birthmark.toml` makes them so under every umask, `share = "group"` lets the group write,
//! where the umask lets it too. Nothing is ever writable by all.
//!

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::atomic;

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
