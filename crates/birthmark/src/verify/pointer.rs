//! Is it git-lfs's pointer that lies in the place of a file?
//!
//! A clone without `git lfs pull` has a text of three lines where an artifact should be. Its bytes
//! are not what was recorded, and that is no edit: it tells the size of the file and its SHA-256,
//! which are held against what is known.

use std::path::Path;

use birthmark_store::atomic;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;

use super::artifact::Looked;
use super::claims::{History, Last};
use super::report::Reason;
use crate::text;

/// No pointer is longer.
const LONGEST: u64 = 1024;
/// How every pointer begins.
const VERSION: &str = "version https://git-lfs.github.com/spec/";

/// What a pointer says of the file that it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    sha256: String,
    size: u64,
}

/// Reads a pointer; none where the file is anything else.
pub(crate) fn read(path: &Path) -> Option<Pointer> {
    let meta = path.metadata().ok()?;
    if !meta.is_file() || meta.len() > LONGEST {
        return None;
    }
    parse(std::str::from_utf8(&atomic::read_limited(path, LONGEST).ok()?).ok()?)
}

fn parse(text: &str) -> Option<Pointer> {
    if !text.starts_with(VERSION) {
        return None;
    }
    let value = |name: &str| {
        let mut lines = text.lines().skip(1);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    let sha256 = value("oid")?.strip_prefix("sha256:")?;
    let is_hex = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then_some(())?;
    Some(Pointer {
        sha256: format!("sha256:{sha256}"),
        size: value("size")?.parse().ok()?,
    })
}

/// Judges a file of which only the pointer is here; none where it is no pointer, or where the
/// pointer itself is what was recorded.
pub(super) fn look(path: &Path, history: Option<&History>) -> Option<Looked> {
    let pointer = read(path)?;
    let lies = path.metadata().ok()?.len();
    let newest = history.and_then(History::newest);
    let said = Sidecar::read_with_bytes(&Layout::sidecar(path)).ok();
    let said = said.map(|(said, _)| said);
    let told = newest.and_then(|newest| newest.size);
    let told = told.or_else(|| said.as_ref().map(|said| said.size));
    if told == Some(lies) {
        return None;
    }
    let is_sealed = history.is_none_or(|history| history.last == Last::Sealed);
    let other_size = told.filter(|told| *told != pointer.size && is_sealed);
    let sha256 = said.and_then(|said| said.sha256);
    let is_other = sha256.is_some_and(|said| said.to_string() != pointer.sha256);
    let evidence = "a Git LFS pointer".to_owned();
    let reason = if let Some(told) = other_size {
        let text = format!(
            "its Git LFS pointer stands for {}, not for the {} that were recorded",
            text::bytes(pointer.size),
            text::bytes(told)
        );
        Reason::failed("size-changed", text)
    } else if is_other {
        let text = "its Git LFS pointer stands for other bytes than its sidecar";
        Reason::failed("bytes-changed", text)
    } else {
        let known = match (sha256, told) {
            (Some(_), _) => ", of the SHA-256 that its sidecar has",
            (None, Some(_)) => ", of the size that was recorded",
            (None, None) => "",
        };
        let text = format!("it is a Git LFS pointer{known}: git lfs pull brings the file");
        Reason::cannot_tell("lfs-pointer", text)
    };
    Some((evidence, vec![reason]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_texts() {
        let oid = "a".repeat(64);
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12\n");
        let pointer = parse(&text).unwrap();
        assert_eq!(
            (pointer.size, pointer.sha256),
            (12, format!("sha256:{oid}"))
        );
        for other in [
            text.replace("version", "Version"),
            text.replace("sha256:a", "sha256:"),
            text.replace("size 12", "size x"),
            text.replace("oid", "id"),
            String::new(),
        ] {
            assert_eq!(parse(&other), None, "{other}");
        }
    }
}
