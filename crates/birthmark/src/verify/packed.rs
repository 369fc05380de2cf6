//! Is a packed JSONL file still what was recorded of it?
//!
//! Its digest is of the bytes as they lie, its content digest of the text without
//! birthmarks; so the file is read twice, once as it lies and once unpacked.

use std::path::Path;

use birthmark_store::atomic::PathError;
use birthmark_store::digest::{FileError, open_still};
use birthmark_store::format::codec::Codec;
use birthmark_store::layout::Layout;

use super::artifact::{Looked, no_birthmark, not_listed};
use super::claims::History;
use super::jsonl::{bad_lines, evidence_of, hints};
use super::mark::Judge;
use super::report::{Reason, Word};
use super::sidecar::sidecar;
use super::whole::against_whole;
use super::{Options, records};
use crate::text;

pub(super) fn verify(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
    codec: Codec,
) -> Result<Looked, FileError> {
    let lies = judge.eyes.digester.file(path)?;
    let digest = lies.digest.to_string();
    let whole = history.map(|history| against_whole(history, lies.state.size, &digest));
    let changed = whole
        .iter()
        .flatten()
        .any(|reason| reason.word == Word::Failed);
    let (file, before) = open_still(path)?;
    let unreadable = |source| {
        FileError::Path(PathError {
            action: "read",
            path: path.to_owned(),
            source,
        })
    };
    let scanned = codec
        .unpack(Box::new(file))
        .and_then(|mut text| records::scan(&mut text, Vec::new(), judge));
    let (_, after) = open_still(path)?;
    if before != after || before != lies.state {
        return Err(FileError::ChangedWhileRead {
            path: path.to_owned(),
        });
    }
    let found = match (scanned, whole) {
        (Ok(found), _) => found,
        // What was changed is told by that, though it cannot be unpacked.
        (Err(error), Some(mut reasons)) if changed => {
            let text = format!(
                "it cannot be unpacked: {}",
                text::neutral(&error.to_string())
            );
            reasons.push(Reason::failed("not-packed", text));
            return Ok((text::bytes(lies.state.size), reasons));
        }
        // What cannot be unpacked is stamped by sidecar.
        (Err(_), _) if Layout::sidecar(path).symlink_metadata().is_ok() => {
            return sidecar(judge, path, history);
        }
        (Err(error), _) => return Err(unreadable(error)),
    };
    let evidence = evidence_of(&found);
    if found.stamped == 0 && (history.is_none() || found.records > 0) {
        if Layout::sidecar(path).symlink_metadata().is_ok() {
            return sidecar(judge, path, history);
        }
        let mut reasons = vec![no_birthmark(history, options)];
        reasons.extend(
            history
                .into_iter()
                .flat_map(|history| against_whole(history, lies.state.size, &digest)),
        );
        return Ok((evidence, reasons));
    }
    let mut reasons = found.reasons.clone();
    bad_lines(&found, None, false, &mut reasons);
    match history {
        Some(history) => {
            reasons.extend(against_whole(history, lies.state.size, &digest));
            reasons.extend(content(history, &found));
        }
        None => reasons.extend(elsewhere(judge, &found, &digest)),
    }
    if changed {
        hints(&found, &mut reasons);
    }
    Ok((evidence, reasons))
}

/// No session lists the file: perhaps one lists its text, and it was packed since.
fn elsewhere(judge: &Judge<'_>, found: &records::Scanned, digest: &str) -> Option<Reason> {
    if judge.claims.with_digest(digest).is_none()
        && let Some(file) = judge.claims.with_digest(&found.digest)
    {
        let text = format!(
            "its text was recorded as {}, and is packed here",
            text::neutral(&file)
        );
        return Some(Reason::caveat("packed", text));
    }
    not_listed(judge, &found.named, digest)
}

/// What the text must be, where the bytes are as recorded.
fn content(history: &History, found: &records::Scanned) -> Option<Reason> {
    let newest = history.newest()?;
    let recorded = newest.content_digest.as_ref()?;
    (*recorded != found.content_digest && found.bad.count == 0).then(|| {
        Reason::failed(
            "content-digest",
            "its text without birthmarks is not what was recorded",
        )
    })
}
