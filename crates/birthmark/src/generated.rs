//! Which files outside the artifacts folder Birthmark's sessions made.
//!
//! An untracked file that a journal names as generated must not make the tree dirty.
//! Reading every journal at every start would grow with what is stored, so the
//! names of such files are also kept in one list: a path from the root a line, with
//! its own bytes but for the backslash (`\\`) and the line end (`\n`). It is derived:
//! losing it costs only that such a file counts as untracked.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use birthmark_store::{Layout, atomic};

const LIST_LIMIT: u64 = 64 << 20;

fn list(layout: &Layout) -> PathBuf {
    layout.store().join("generated")
}

/// The absolute paths on the list.
pub(crate) fn read(layout: &Layout) -> HashSet<PathBuf> {
    let bytes = atomic::read_limited(&list(layout), LIST_LIMIT).unwrap_or_default();
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| layout.root().join(OsString::from_vec(unescape(line))))
        .collect()
}

/// Puts a path on the list, unless it is there or lies in the artifacts folder.
pub(crate) fn note(layout: &Layout, path: &Path) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = crate::project::plain(&path);
    if path.starts_with(layout.artifacts()) || read(layout).contains(&path) {
        return;
    }
    let from_root = path.strip_prefix(layout.root()).unwrap_or(&path);
    if let Ok(mut file) = atomic::open_append(&list(layout), false) {
        // Derived: see the head of this file.
        let _ = file.write_all(&escape(from_root.as_os_str().as_bytes()));
    }
}

fn escape(name: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len() + 1);
    for byte in name {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

fn unescape(line: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(line.len());
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match (byte, if *byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'n')) => name.push(b'\n'),
            (_, Some(other)) => name.push(*other),
            (byte, None) => name.push(*byte),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_come_back_from_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
        std::fs::create_dir_all(layout.store()).unwrap();
        let names: [&[u8]; 4] = [b"a b", b"line\nend\\n", b"\xff\\", b"deep/\x1b[31m"];
        let paths = names.map(|name| dir.path().join(std::ffi::OsStr::from_bytes(name)));
        for path in paths.iter().chain(&paths) {
            note(&layout, path);
        }
        note(&layout, &layout.artifacts().join("inside"));
        assert_eq!(read(&layout), HashSet::from(paths));
        let bytes = atomic::read_limited(&list(&layout), LIST_LIMIT).unwrap();
        assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 5, "each once");
    }
}
