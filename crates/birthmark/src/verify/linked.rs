//! A file or folder that was moved to another disk, with a symbolic link left in its place: it is
//! judged by the bytes that the link leads to.

use std::path::{Path, PathBuf};

use birthmark_store::digest::{FileError, open_still};

use super::Options;
use super::artifact::{Looked, look_quickly, observed};
use super::claims::{History, Last};
use super::mark::Judge;
use super::report::Reason;
use super::whole::against_whole;
use crate::text;

/// What is said of such a file. None where it is no link, or where nobody recorded the digest of
/// what lay there.
pub(super) fn look(
    judge: &Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Option<Looked>, FileError> {
    let sealed = history.filter(|history| history.last == Last::Sealed && path.is_symlink());
    let has_digest = |history: &&History| history.newest().is_some_and(|one| one.digest.is_some());
    let Some(history) = sealed.filter(has_digest) else {
        return Ok(None);
    };
    let Some((real, linked)) = followed(path) else {
        let text = format!("{}, where nothing lies", leads_to(path));
        let gone = vec![Reason::failed("missing", text)];
        return Ok(Some((String::new(), gone)));
    };
    if !real.is_file() {
        return Ok(None);
    }
    let quickly = options.quick.then(|| look_quickly(&real, Some(history)));
    let (evidence, mut reasons) = if let Some(looked) = quickly.flatten() {
        looked
    } else {
        let (_, state) = open_still(&real)?;
        let digest = judge.eyes.digester.file(&real)?.digest.to_string();
        let reasons = against_whole(history, state.size, &digest);
        (text::bytes(state.size), reasons)
    };
    reasons.extend(observed(history, options));
    reasons.push(linked);
    Ok(Some((evidence, reasons)))
}

/// Where a link leads, and what is to be said of it; none where it is no link, or leads nowhere.
pub(super) fn followed(path: &Path) -> Option<(PathBuf, Reason)> {
    let real = path.is_symlink().then(|| path.canonicalize().ok())??;
    let text = format!("{}, which was looked at", leads_to(path));
    Some((real, Reason::caveat("linked", text)))
}

fn leads_to(path: &Path) -> String {
    let target = std::fs::read_link(path).unwrap_or_default();
    let shown = text::short(&target.to_string_lossy(), 100);
    format!("it is a symbolic link to {shown}")
}
