//! Is a file that carries its birthmark under a key (weights, a table) still what was
//! recorded of it?

use std::path::Path;

use birthmark_store::digest::{FileError, open_still};
use birthmark_store::format::{FileKind, FormatError, Input};
use birthmark_store::layout::Layout;

use super::artifact::{Looked, not_listed};
use super::claims::History;
use super::mark::{Judge, Named};
use super::report::Reason;
use super::whole::{against_whole, recorded_mark, whole_mark};
use crate::text;

/// Judges the file; none where it carries nothing.
pub(super) fn verify(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    kind: FileKind,
) -> Result<Option<Looked>, FileError> {
    let lies = judge.eyes.digester.file(path)?;
    let digest = lies.digest.to_string();
    let whole = history.map(|history| against_whole(history, lies.state.size, &digest));
    let evidence = text::bytes(lies.state.size);
    let mark = match read(path, kind)? {
        Ok(Some(mark)) => mark,
        Ok(None) => return Ok(None),
        // What cannot be read is stamped by sidecar.
        Err(_) if Layout::sidecar(path).symlink_metadata().is_ok() => return Ok(None),
        Err(error) => {
            let why = match &error {
                FormatError::Damaged { what, .. } => what.clone(),
                other => other.to_string(),
            };
            let hint = error.hint().map(|hint| format!("; {hint}"));
            let why = text::neutral(&(why + &hint.unwrap_or_default())).into_owned();
            let mut reasons = whole.unwrap_or_default();
            let text = format!("it is no {} that can be read: {why}", kind.ending());
            reasons.push(if history.is_some() {
                Reason::failed("damaged", text)
            } else {
                Reason::cannot_tell("damaged", text)
            });
            return Ok(Some((evidence, reasons)));
        }
    };
    let mut named = Named::default();
    let mut reasons = Vec::new();
    whole_mark(judge, &mark, true, &mut named, &mut reasons);
    match (history, whole) {
        (Some(history), Some(whole)) => {
            reasons.extend(whole);
            let newest = history.newest();
            let intact = newest.and_then(|newest| newest.digest.as_ref()) == Some(&digest);
            if intact {
                let recorded = newest.and_then(|newest| newest.content_digest.as_ref());
                reasons.extend(content(judge, path, recorded.map(String::as_str)));
            } else {
                recorded_mark(history, &mark, "birthmark", &mut reasons);
            }
        }
        _ => reasons.extend(not_listed(judge, &named, &digest)),
    }
    let commits = text::count(named.commits.len() as u64, "commit");
    Ok(Some((format!("{evidence}, {commits}"), reasons)))
}

type Read = Result<Option<Vec<u8>>, FormatError>;

fn read(path: &Path, kind: FileKind) -> Result<Read, FileError> {
    let (mut file, _) = open_still(path)?;
    let mut found = None;
    let input = Input {
        name: path,
        bytes: &mut file,
    };
    let result = kind.format().read(input, &mut |mark| {
        found = mark.ok().and_then(|mark| mark.value().map(<[u8]>::to_vec));
        false
    });
    Ok(result.map(|_| found))
}

fn content(judge: &Judge<'_>, path: &Path, recorded: Option<&str>) -> Option<Reason> {
    let recorded = recorded?;
    let found = judge.eyes.digester.content(path)?;
    (found.digest.to_string() != recorded).then(|| {
        Reason::failed(
            "content-digest",
            "its content digest is not that of the bytes without birthmarks",
        )
    })
}
