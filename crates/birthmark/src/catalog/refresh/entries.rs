//! What stands in a folder, and what it was like.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use birthmark_core::schema::{PART_SUFFIX, SIDECAR_SUFFIX};
use birthmark_store::Layout;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::super::sessions::{Look, TICK_NANOS, is_like, is_same, print_into};
use super::super::tree::Tree;

/// What stands before the bytes, in hexadecimal, of a name that is no text: no name begins so.
const BYTES: &str = "=\0";

/// A name as it is kept in the catalog's list of what was seen.
fn kept(name: OsString) -> String {
    let kept = |name: OsString| {
        let bytes = name.as_bytes().iter().map(|byte| format!("{byte:02x}"));
        format!("{BYTES}{}", bytes.collect::<String>())
    };
    name.into_string().unwrap_or_else(kept)
}

/// The path of names that are kept so, with a `/` between them.
pub(super) fn path_of(kept: &str) -> PathBuf {
    let name = |kept: &str| match kept.strip_prefix(BYTES) {
        Some(hex) => {
            let byte = |place| u8::from_str_radix(hex.get(place..place + 2)?, 16).ok();
            let bytes = (0..hex.len()).step_by(2).filter_map(byte);
            OsString::from_vec(bytes.collect())
        }
        None => OsString::from(kept),
    };
    kept.split('/').map(name).collect()
}

/// What a file or folder and its sidecar are like; none where neither is there.
pub(super) fn subject_print(subject: &Path, now: i128, with_sidecar: bool) -> Option<String> {
    let look = |path: &Path| fs::metadata(path).ok().map(|found| Look::from(&found));
    // A sidecar of what is gone is no artifact.
    let own = look(subject)?;
    let sidecar = with_sidecar.then(|| look(&Layout::sidecar(subject)));
    Some(print(subject, &own, sidecar.flatten().as_ref(), now))
}

fn print(subject: &Path, own: &Look, sidecar: Option<&Look>, now: i128) -> String {
    let mut out = String::new();
    if own.is_folder {
        folder_into(&mut out, subject, now);
    }
    both_into(&mut out, own, sidecar, now);
    out
}

/// What the members of a folder are like, where they are few enough to tell.
fn folder_into(out: &mut String, folder: &Path, now: i128) {
    let Some(tree) = Tree::look(folder) else {
        out.push_str("many");
        return;
    };
    out.push_str(&tree.word());
    if now - tree.changed < TICK_NANOS {
        out.push('~');
    }
}

fn both_into(out: &mut String, own: &Look, sidecar: Option<&Look>, now: i128) {
    if !own.is_folder {
        print_into(out, own, now);
    }
    out.push(' ');
    if let Some(sidecar) = sidecar {
        print_into(out, sidecar, now);
    }
}

/// A folder of which many files are looked at: by their names alone, so that nothing above it
/// is gone along again for each.
pub(super) struct Folder<'a> {
    path: &'a Path,
    open: Option<OwnedFd>,
}

impl<'a> Folder<'a> {
    pub(super) fn open(path: &'a Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(path, flags, Mode::empty()).ok();
        Self { path, open }
    }

    /// What a name in it is like, with its sidecar.
    pub(super) fn print(&self, name: &str, now: i128, with_sidecar: bool) -> Option<String> {
        let Some(open) = &self.open else {
            return subject_print(&self.path.join(path_of(name)), now, with_sidecar);
        };
        let name = path_of(name);
        let own = look(open, &name)?;
        let sidecar = with_sidecar.then(|| look(open, &Layout::sidecar(&name)));
        let subject = self.path.join(&name);
        Some(print(&subject, &own, sidecar.flatten().as_ref(), now))
    }
}

impl Folder<'_> {
    /// Whether a name that was seen is as it was, in a folder that is as it was: no sidecar
    /// can have come.
    pub(super) fn is_as_before(&self, name: &str, before: &str, now: i128) -> bool {
        let bare = before.strip_suffix(' ');
        if let (Some(open), Some(bare)) = (&self.open, bare) {
            let own = if name.starts_with(BYTES) {
                look(open, &path_of(name))
            } else {
                look(open, name.as_ref())
            };
            return own.is_some_and(|own| {
                if own.is_folder {
                    let subject = self.path.join(path_of(name));
                    is_same(before, &print(&subject, &own, None, now))
                } else {
                    is_like(bare, &own, now)
                }
            });
        }
        self.print(name, now, bare.is_none())
            .is_some_and(|now| is_same(before, &now))
    }
}

fn look(folder: &OwnedFd, name: &Path) -> Option<Look> {
    let found = rustix::fs::statat(folder, name, AtFlags::empty()).ok()?;
    let nanos = |nanos| i64::try_from(nanos).unwrap_or(0);
    Some(Look {
        is_folder: FileType::from_raw_mode(found.st_mode) == FileType::Directory,
        size: u64::try_from(found.st_size).unwrap_or(0),
        modified: (found.st_mtime, nanos(found.st_mtime_nsec)),
        changed: (found.st_ctime, nanos(found.st_ctime_nsec)),
        inode: found.st_ino,
    })
}

/// Whether it is the same file, longer or as it was a moment ago, with nothing beside it.
pub(super) fn grew(before: &str, now: &str) -> bool {
    let settled = |print: &str| print.replace('~', "");
    if settled(before) == settled(now) && now.ends_with(' ') {
        return true;
    }
    let parts = |print: &str| {
        let own = print.strip_suffix(' ')?;
        let own = own.strip_suffix('~').unwrap_or(own);
        let size: u64 = own.split('.').next()?.parse().ok()?;
        Some((size, own.rsplit('.').next()?.to_owned()))
    };
    match (parts(before), parts(now)) {
        (Some((size, inode)), Some((longer, same))) => inode == same && longer > size,
        _ => false,
    }
}

/// For each known folder those right below it.
pub(super) fn below(seen: &HashMap<String, String>) -> HashMap<&str, Vec<&str>> {
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    for name in seen.keys().filter(|name| !name.is_empty()) {
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        below.entry(parent).or_default().push(name);
    }
    below
}

pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[derive(Default)]
pub(super) struct Entries {
    pub(super) files: Vec<String>,
    pub(super) folders: Vec<String>,
}

/// What may be an artifact in a folder, and the folders to look into. A folder with a
/// sidecar is an artifact itself, and not looked into.
pub(super) fn entries(path: &Path) -> Entries {
    let mut out = Entries::default();
    let Ok(found) = fs::read_dir(path) else {
        return out;
    };
    let mut names: Vec<(OsString, bool)> = Vec::new();
    for entry in found.filter_map(std::result::Result::ok) {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        names.push((entry.file_name(), is_folder));
    }
    let sidecars: HashSet<Vec<u8>> = names
        .iter()
        .filter_map(|(name, _)| name.as_bytes().strip_suffix(SIDECAR_SUFFIX.as_bytes()))
        .map(<[u8]>::to_vec)
        .collect();
    for (name, is_folder) in names {
        let bytes = name.as_bytes();
        let is_ours = bytes.starts_with(b".birthmark")
            || bytes.ends_with(SIDECAR_SUFFIX.as_bytes())
            || bytes.ends_with(PART_SUFFIX.as_bytes())
            || Layout::session_of_manifest(Path::new(&name)).is_some();
        if is_ours {
            continue;
        }
        if is_folder && !sidecars.contains(bytes) {
            out.folders.push(kept(name));
        } else {
            out.files.push(kept(name));
        }
    }
    out.files.sort();
    out
}
