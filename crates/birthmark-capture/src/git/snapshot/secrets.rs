//! Whether a file holds a known secret that git does not hold already.
//!
//! What stands in the commit is in the history whatever we do: a file of which every secret
//! stands there, too, is kept.

use gix::bstr::BStr;

use crate::git::seen::Look;
use crate::process;

/// Bytes that are looked at in one piece, so that no file doubles the memory.
const PIECE: usize = 1 << 20;
/// No secret is longer; pieces overlap by as much.
const OVERLAP: usize = 8 << 10;

/// The rule by which the file holds a secret that the index does not hold at this path.
pub(super) fn new_secret(
    git: &gix::Repository,
    look: &Look,
    path: &BStr,
    bytes: &[u8],
) -> Option<&'static str> {
    let found = secrets(bytes);
    let first = found.first()?.1;
    let known = look.index.entry_by_path(path);
    let known = known.and_then(|entry| git.find_blob(entry.id).ok());
    let known = known.map(|blob| String::from_utf8_lossy(&blob.data).into_owned());
    let is_new = |secret: &str| known.as_ref().is_none_or(|text| !text.contains(secret));
    let new = found.iter().find(|(secret, _)| is_new(secret));
    new.map(|(_, rule)| *rule)
        .or(known.is_none().then_some(first))
}

/// The secrets of a file, each with its rule.
fn secrets(bytes: &[u8]) -> Vec<(String, &'static str)> {
    let redactor = process::redactor();
    let mut found = Vec::new();
    let mut start = 0;
    loop {
        let end = bytes.len().min(start + PIECE);
        let text = String::from_utf8_lossy(&bytes[start..end]);
        let here = redactor.find(&text).into_iter();
        found.extend(here.map(|secret| (text[secret.range].to_owned(), secret.rule)));
        if end == bytes.len() {
            return found;
        }
        start = end - OVERLAP;
    }
}
