//! Is a file with a sidecar still what both say, and does the sidecar say what was recorded?

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::json;
use birthmark_store::digest::FileError;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;

use super::artifact::{Looked, not_listed};
use super::claims::{History, Last};
use super::mark::{Judge, Named};
use super::report::Reason;
use super::whole::{against_whole, recorded_mark, whole_mark};
use crate::text;

/// A file with a sidecar.
pub(super) fn sidecar(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> Result<Looked, FileError> {
    let found = judge.eyes.digester.file(path)?;
    let digest = found.digest.to_string();
    let (named, mut reasons, said) = read_sidecar(judge, path, history);
    if let Some(said) = said {
        if said.digest == found.digest {
            reasons.extend(of_sha256(judge, path, said.sha256)?);
        } else {
            reasons.push(Reason::failed(
                "bytes-changed",
                "its bytes are not those of its sidecar",
            ));
        }
    }
    match history {
        Some(history) => reasons.extend(against_whole(history, found.state.size, &digest)),
        None => reasons.extend(not_listed(judge, &named, &digest)),
    }
    Ok((
        format!("{}, with sidecar", text::bytes(found.state.size)),
        reasons,
    ))
}

/// A SHA-256 that is not that of the bytes, though the other digest is: somebody put it there.
pub(super) fn of_sha256(
    judge: &Judge<'_>,
    path: &Path,
    said: Option<Digest>,
) -> Result<Option<Reason>, FileError> {
    let Some(said) = said else { return Ok(None) };
    let found = judge.eyes.digester.file_as(path, Algorithm::Sha256)?;
    Ok((found.digest != said).then(|| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = format!(
            "its sidecar was edited: the SHA-256 is not that of {}",
            text::short(&name, 80)
        );
        Reason::failed("sidecar-edited", text)
    }))
}

/// A sidecar that says the same in other bytes than we wrote.
fn rewritten(said: &Sidecar, bytes: &[u8], history: Option<&History>) -> Option<Reason> {
    // Of what was recorded the very order is known, else only how we write.
    let recorded = history.filter(|history| history.tells_its_birthmark());
    let mark = if let Some(history) = recorded {
        serde_json::to_vec(&history.birthmark).ok()?
    } else {
        let fields: Fields = serde_json::from_slice(&said.birthmark).ok()?;
        serde_json::to_vec(&fields).ok()?
    };
    let ours = Sidecar {
        birthmark: mark,
        others: Vec::new(),
        ..said.clone()
    };
    (ours.render() != bytes).then(|| {
        let text =
            "its sidecar is not in the bytes that were written: another program wrote it anew";
        Reason::caveat("sidecar-rewritten", text)
    })
}

pub(super) fn read_sidecar(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> (Named, Vec<Reason>, Option<Sidecar>) {
    let (mut named, mut reasons) = (Named::default(), Vec::new());
    let place = Layout::sidecar(path);
    let said = match Sidecar::read_with_bytes(&place) {
        Ok((said, bytes)) => {
            reasons.extend(rewritten(&said, &bytes, history));
            said
        }
        Err(error) => {
            let text = text::neutral(&error.to_string()).into_owned();
            return (
                named,
                vec![Reason::failed("sidecar-unreadable", text)],
                None,
            );
        }
    };
    if path.file_name() != Some(said.file.as_os_str()) {
        let text = format!(
            "its sidecar is of `{}`",
            text::neutral(&said.file.to_string_lossy())
        );
        reasons.push(Reason::failed("sidecar-edited", text));
    }
    let ours = json::is_birthmark(&said.birthmark);
    whole_mark(judge, &said.birthmark, ours, &mut named, &mut reasons);
    if let Some(history) = history {
        recorded_mark(history, &said.birthmark, "metadata", &mut reasons);
        let newest = history.newest();
        let mut differs = |what: &str, is: bool| {
            if is {
                let text = format!("its sidecar was edited: {what} is not as recorded");
                reasons.push(Reason::failed("sidecar-edited", text));
            }
        };
        let digest = newest.and_then(|newest| newest.digest.clone());
        differs(
            "digest",
            digest.is_some_and(|digest| digest != said.digest.to_string()),
        );
        let size = newest.and_then(|newest| newest.size);
        differs("size", size.is_some_and(|size| size != said.size));
        let records = newest.and_then(|newest| newest.records);
        differs(
            "records",
            history.bound && history.last == Last::Sealed && records != said.records,
        );
        let content = newest.and_then(|newest| newest.content_digest.clone());
        let told = said.content_digest.unwrap_or(said.digest).to_string();
        differs(
            "content_digest",
            content.is_some_and(|content| content != told),
        );
    }
    (named, reasons, Some(said))
}
