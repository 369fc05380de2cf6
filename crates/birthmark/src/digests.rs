//! Digests of files and folders as users ask for them: what has not changed since it was
//! digested is not read again.
//!
//! What was digested is remembered in the user's cache folder, in a table of a fixed size
//! (`birthmark_store::digest::DigestCache`). It can be removed at any time. `verify --deep`
//! does not ask it, and `BIRTHMARK_DIGEST_CACHE=off` turns it off.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use birthmark_capture::{clock, process};
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_store::atomic;
use birthmark_store::digest::Digester;
use birthmark_store::format::FileKind;
use birthmark_store::reading;
use birthmark_store::running::RunningDigest;

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
    expect(path, 1);
    if path.is_dir() && algorithm != Algorithm::Blake3 {
        let text = format!(
            "`{}` is a folder: its tree digest is of BLAKE3",
            path.display()
        );
        return Err(Error::usage("folder", text).with_hint("ask for its files one by one"));
    }
    let found = digester().whole_as(path, algorithm);
    found.map_err(crate::add::unreadable)
}

/// Digests, and remembers what it digested. What it reads is counted where somebody watches
/// the reading of this thread.
pub fn digester() -> Digester {
    let off = process::variable("BIRTHMARK_DIGEST_CACHE").is_some_and(|text| text == "off");
    let counter = reading::current().map(|reading| reading.counter());
    let digester = Digester::default().telling(counter);
    match cache_folder().filter(|folder| !off && folder.is_absolute()) {
        Some(folder) => digester.remembering(folder, clock::now_micros),
        None => digester,
    }
}

/// The digests of a file's beginnings of these sizes, as far as it has so many bytes.
pub(crate) fn beginnings(path: &Path, sizes: &BTreeSet<u64>) -> Vec<(u64, String)> {
    let mut digests = Vec::new();
    let Ok(mut file) = atomic::open_regular(path) else {
        return digests;
    };
    let mut running = RunningDigest::default();
    let mut buffer = vec![0; 1 << 20];
    for size in sizes {
        while running.length() < *size {
            let left = size - running.length();
            let most = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            match file.read(&mut buffer[..most]) {
                Ok(read) if read > 0 => running.update(&buffer[..read]),
                _ => return digests,
            }
        }
        digests.push((*size, running.digest().to_string()));
    }
    digests
}

/// The digest of a file's first bytes; `None` where it has fewer.
pub(crate) fn beginning(path: &Path, size: u64) -> Option<String> {
    let found = beginnings(path, &BTreeSet::from([size])).pop();
    found.map(|(_, digest)| digest)
}

/// How many bytes the first records of a file of lines are; `None` where it has fewer.
pub(crate) fn size_of_records(path: &Path, records: u64) -> Option<u64> {
    let mut file = atomic::open_regular(path).ok()?;
    let (mut buffer, mut passed, mut left) = (vec![0; 1 << 20], 0, records.checked_sub(1)?);
    loop {
        let read = file.read(&mut buffer).ok().filter(|read| *read > 0)?;
        for end in memchr::memchr_iter(b'\n', buffer.get(..read)?) {
            if left == 0 {
                return Some(passed + end as u64 + 1);
            }
            left -= 1;
        }
        passed += read as u64;
    }
}

/// Whether a file begins with so many bytes of this digest, and goes on behind them.
pub(crate) fn has_grown(path: &Path, size: u64, is_it: impl Fn(&str) -> bool) -> bool {
    let is_longer = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() > size);
    is_longer && size > 0 && beginning(path, size).is_some_and(|digest| is_it(&digest))
}

/// Says to whoever watches the reading of this thread that a file or folder will be read so
/// many times.
fn expect(path: &Path, times: u64) {
    if let Some(reading) = reading::current() {
        reading.expect(times * size_of(path));
    }
}

/// The same for what will be described.
pub(crate) fn expect_to_describe(path: &Path, sha256: bool) {
    expect(path, times_to_describe(path, sha256));
}

/// How often a file is read to be described: for its digest, for its digest without the
/// birthmarks that it carries within, and for SHA-256 where that is asked for.
pub(crate) fn times_to_describe(path: &Path, sha256: bool) -> u64 {
    let within = FileKind::of(path).is_some() && !path.is_dir();
    1 + u64::from(within) + u64::from(sha256)
}

/// The bytes of a file, or of all files below a folder. What cannot be looked at is met again
/// when it is read, and told there.
pub(crate) fn size_of(path: &Path) -> u64 {
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let links = |entry: &std::fs::DirEntry| {
                let kind = entry.file_type();
                kind.is_ok_and(|kind| kind.is_symlink())
            };
            entries
                .filter(|entry| !links(entry))
                .map(|entry| size_of(&entry.path()))
                .sum()
        }
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}
