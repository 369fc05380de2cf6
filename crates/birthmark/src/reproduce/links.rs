//! Symbolic links of the code that lead out of the reproduction.
//!
//! `ckpt -> /scratch/run7` in a repository is how checkpoints lie on most clusters. Laid out as it
//! is, such a link leads to the original: what a run reads there is what it read, and what it
//! writes would take the original's place. So where the run made something below a link, a folder
//! of the reproduction's own takes the link's place, with a link to each thing in it; and what the
//! links that stay lead to is kept from being written with the original (see `guard`).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use birthmark_store::Layout;

use super::io;
use crate::error::Result;

/// Folders in folders are followed this deep.
const DEEPEST: usize = 64;

/// What the links below a folder lead to outside of it, as it really lies.
pub(super) fn targets(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(real) = top.canonicalize() {
        collect(&real, &real, 0, &mut found);
    }
    found
}

fn collect(top: &Path, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if depth > DEEPEST {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            collect(top, &entry.path(), depth + 1, found);
        } else if kind.is_symlink() {
            found.extend(leads_out(top, &entry.path()));
        }
    }
}

/// Where a link leads, if that is not below the folder; `top` is as it really lies.
fn leads_out(top: &Path, link: &Path) -> Option<PathBuf> {
    let real = link.canonicalize().ok()?;
    (!real.starts_with(top)).then_some(real)
}

/// Makes the place of something that is made again, and that of its sidecar, the reproduction's
/// own: nothing there leads out of `top` any more.
pub(super) fn own_place(top: &Path, place: &Path) -> Result<()> {
    for path in [place, &Layout::sidecar(place)] {
        own_way(top, path)?;
        let is_link = path
            .symlink_metadata()
            .is_ok_and(|found| found.is_symlink());
        if is_link && leads_within(top, path).is_none() {
            fs::remove_file(path).map_err(|error| io(path, "replace", error))?;
        }
    }
    Ok(())
}

/// Makes the folders on the way down to a place the reproduction's own.
pub(super) fn own_way(top: &Path, place: &Path) -> Result<()> {
    let Ok(below) = place.strip_prefix(top) else {
        return Ok(());
    };
    let mut at = top.to_owned();
    let parts: Vec<_> = below.components().collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        at.push(part);
        let Ok(found) = at.symlink_metadata() else {
            return Ok(());
        };
        if found.is_symlink() && leads_within(top, &at).is_none() {
            own_folder(&at)?;
        }
    }
    Ok(())
}

/// Where a link leads, if that is there and below the folder.
fn leads_within(top: &Path, link: &Path) -> Option<PathBuf> {
    let top = top.canonicalize().ok()?;
    link.canonicalize()
        .ok()
        .filter(|real| real.starts_with(top))
}

/// Puts a folder in the place of a link, with a link to each thing that the folder has to which
/// that led.
fn own_folder(link: &Path) -> Result<()> {
    let led_to = link.canonicalize();
    fs::remove_file(link).map_err(|error| io(link, "replace", error))?;
    fs::create_dir(link).map_err(|error| io(link, "make", error))?;
    let entries = led_to.and_then(fs::read_dir).into_iter().flatten();
    for entry in entries.flatten() {
        let own = link.join(entry.file_name());
        symlink(entry.path(), &own).map_err(|error| io(&own, "link", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make their own files")]

    use super::*;

    #[test]
    fn a_place_below_a_link_is_made_own_and_what_lies_beside_it_stays_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (top, scratch) = (root.join("top"), root.join("scratch"));
        fs::create_dir_all(scratch.join("sub")).unwrap();
        fs::create_dir(&top).unwrap();
        for name in ["model.bin", "other.bin", "sub/deep.bin"] {
            fs::write(scratch.join(name), name).unwrap();
        }
        fs::create_dir(top.join("inner")).unwrap();
        symlink(&scratch, top.join("ckpt")).unwrap();
        symlink("inner", top.join("within")).unwrap();
        symlink(scratch.join("model.bin"), top.join("file.bin")).unwrap();
        symlink(root.join("nowhere"), top.join("gone.bin")).unwrap();
        assert_eq!(targets(&top), targets(&root.join("top")));
        for name in [
            "ckpt/model.bin",
            "ckpt/sub/deep.bin",
            "file.bin",
            "gone.bin",
        ] {
            own_place(&top, &top.join(name)).unwrap();
            assert!(top.join(name).symlink_metadata().is_err(), "{name}");
            fs::write(top.join(name), "new").unwrap();
        }
        own_way(&top, &top.join("within/x")).unwrap();
        assert!(
            top.join("within").is_symlink(),
            "it leads to the reproduction"
        );
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        for name in ["model.bin", "other.bin", "sub/deep.bin"] {
            assert_eq!(read(scratch.join(name)), name, "the original is as it was");
        }
        assert_eq!(read(top.join("ckpt/other.bin")), "other.bin");
        assert!(!root.join("nowhere").exists());
        assert_eq!(targets(&top), [scratch.join("other.bin")]);
    }
}
