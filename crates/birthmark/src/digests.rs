//! Digests of files and folders as users ask for them: what has not changed since it was
//! digested is not read again.
//!
//! What was digested is remembered in the user's cache folder, in a table of a fixed size
//! (`birthmark_store::digest::DigestCache`). It can be removed at any time. `verify --deep`
//! does not ask it, and `BIRTHMARK_DIGEST_CACHE=off` turns it off.

use std::path::{Path, PathBuf};

use birthmark_capture::{clock, process};
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_store::digest::Digester;

use crate::error::{Error, Result};

/// The user's cache folder for Birthmark: `$XDG_CACHE_HOME/birthmark`, else
/// `~/.cache/birthmark`; none where there is no home.
pub fn cache_folder() -> Option<PathBuf> {
    let named = |name: &str| process::variable(name).filter(|text| !text.is_empty());
    named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .map(|cache| cache.join("birthmark"))
}

/// The digest of a file, or the tree digest of a folder, which is of BLAKE3 alone.
pub fn of(path: &Path, algorithm: Algorithm) -> Result<Digest> {
    let digester = digester();
    if !path.is_dir() {
        let found = digester.file_as(path, algorithm);
        return Ok(found.map_err(crate::add::unreadable)?.digest);
    }
    if algorithm != Algorithm::Blake3 {
        let text = format!(
            "`{}` is a folder: its tree digest is of BLAKE3",
            path.display()
        );
        return Err(Error::usage("folder", text).with_hint("ask for its files one by one"));
    }
    Ok(digester.tree(path).map_err(crate::add::unreadable)?.digest)
}

/// Digests, and remembers what it digested.
pub fn digester() -> Digester {
    let off = process::variable("BIRTHMARK_DIGEST_CACHE").is_some_and(|text| text == "off");
    match cache_folder().filter(|folder| !off && folder.is_absolute()) {
        Some(folder) => Digester::default().remembering(folder, clock::now_micros),
        None => Digester::default(),
    }
}
