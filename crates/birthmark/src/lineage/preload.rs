//! The preloaded library: where it is, how a command gets it, and what it cannot see.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use birthmark_capture::process;

use super::Seen;

/// The library's file name.
const LIBRARY: &str = "libbirthmark_preload.so";
/// Programs that read the system's own lists alone, whatever they are asked: Python's `ctypes` starts
/// one to find a library, with an environment of its own.
const OF_THE_SYSTEM: [&str; 3] = [
    "/sbin/ldconfig",
    "/usr/sbin/ldconfig",
    "/sbin/ldconfig.real",
];
/// Programs named as not watched, of many.
const NAMED: usize = 3;

/// Where the library lies: beside the program (as built), or in `lib/birthmark` of the same
/// installation (as a wheel lays it).
pub(crate) fn library(program: &Path) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let folder = program.parent()?;
    let installed = folder.parent()?.join("lib/birthmark").join(LIBRARY);
    [folder.join(LIBRARY), installed]
        .into_iter()
        .find(|path| path.is_file())
}

/// The variables that make a command note what it opens into `folder`.
pub(crate) fn variables(library: &Path, folder: &Path) -> [(&'static str, OsString); 2] {
    let mut preload = library.as_os_str().to_owned();
    if let Some(others) = process::variable("LD_PRELOAD").filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    [("LD_PRELOAD", preload), ("BIRTHMARK_SEEN", folder.into())]
}

impl Seen {
    /// Why what was seen of this command is not all.
    pub fn gaps(&self, command: &Path) -> Vec<String> {
        gaps(self, command)
    }
}

/// Why what was seen is not all: programs that the library cannot be loaded into, or was kept
/// from.
pub(crate) fn gaps(seen: &Seen, command: &Path) -> Vec<String> {
    let mut reasons = Vec::new();
    let found: Vec<PathBuf> = seen
        .executed
        .iter()
        .map(|path| searched(path))
        .chain([command.to_owned()])
        .filter(|path| !is_of_the_system(path))
        .collect();
    let names = |wanted: &dyn Fn(&Path) -> bool| -> Vec<String> {
        let mut names: Vec<String> = found
            .iter()
            .filter(|path| wanted(path))
            .map(|path| path.display().to_string())
            .collect();
        names.sort();
        names.dedup();
        names
    };
    reasons.extend(said(&names(&is_static), "is linked statically"));
    reasons.extend(said(
        &names(&is_privileged),
        "runs with more rights than its caller",
    ));
    let unwatched: Vec<String> = seen
        .unwatched
        .iter()
        .filter(|path| !is_of_the_system(path))
        .map(|path| path.display().to_string())
        .collect();
    reasons.extend(said(
        &unwatched,
        "was started without the watch in its environment",
    ));
    if seen.lost > 0 {
        reasons.push(format!("{} openings found no room", seen.lost));
    }
    reasons
}

fn said(names: &[String], why: &str) -> Option<String> {
    let first = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0 => None,
        more if more > NAMED => Some(format!("{first} and {} more: each {why}", more - NAMED)),
        _ => Some(format!("{first} {why}")),
    }
}

/// A name without `/` as the shell finds it.
pub(crate) fn searched(path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    let places = process::variable("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&places).map(|folder| folder.join(path));
    found
        .find(|path| path.is_file())
        .unwrap_or_else(|| path.to_owned())
}

fn is_of_the_system(path: &Path) -> bool {
    OF_THE_SYSTEM.iter().any(|known| path == Path::new(known))
}

fn is_privileged(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o6000 != 0)
}

/// Whether it is an ELF program without an interpreter: nothing can be preloaded into it.
fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    // A pipe that took a program's place would never end.
    let whole = path.canonicalize().ok();
    let opened = whole.and_then(|path| birthmark_store::digest::open_still(&path).ok());
    let Some((file, _)) = opened else {
        return false;
    };
    let at = |offset: usize, length: usize, head: &[u8]| -> Option<u64> {
        let bytes = head.get(offset..offset.checked_add(length)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    if file.take(4096).read_to_end(&mut head).is_err() || !head.starts_with(b"\x7fELF\x02\x01") {
        return false;
    }
    let headers = || -> Option<bool> {
        let (begin, size, count) = (at(32, 8, &head)?, at(54, 2, &head)?, at(56, 2, &head)?);
        for number in 0..count {
            let offset = begin.checked_add(number.checked_mul(size)?)?;
            let offset = usize::try_from(offset).ok()?;
            // PT_INTERP
            if at(offset, 4, &head)? == 3 {
                return Some(true);
            }
        }
        Some(false)
    };
    headers() == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_cannot_be_watched_are_named() {
        assert!(!is_static(Path::new("/bin/sh")));
        assert!(!is_static(Path::new("/etc/passwd")));
        let mut seen = Seen::default();
        seen.unwatched.insert(PathBuf::from("/bin/cat"));
        seen.unwatched.insert(PathBuf::from("/sbin/ldconfig"));
        seen.lost = 2;
        let gaps = gaps(&seen, Path::new("/bin/sh"));
        assert_eq!(
            gaps,
            [
                "/bin/cat was started without the watch in its environment",
                "2 openings found no room"
            ]
        );
    }
}
