//! Files and folders whose birthmark stands once: reports, and what has a sidecar.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::json;
use birthmark_store::atomic;
use birthmark_store::digest::{FileError, digest_bytes, digest_file, open_still};
use birthmark_store::format::directory::{MemberKind, digest_tree};
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;
use serde_json::Value;

use super::super::claims::{History, Last};
use super::super::mark::{self, Judge, Named};
use super::super::report::Reason;
use super::Looked;
use super::counts::{against_whole, not_listed};
use crate::sessions::differences;
use crate::text;

/// At most so many members of a folder are named.
const MOST_MEMBERS: usize = 5;

/// A JSON report; none where the file is no report with a birthmark.
pub(super) fn report(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> Result<Option<Looked>, FileError> {
    let (_, state) = open_still(path)?;
    let head = birthmark_store::records::peek(path, 4_096)?;
    let listed = history.is_some_and(|history| history.format == "report");
    let like_json = json::without_bom(&head).trim_ascii_start().first() == Some(&b'{');
    if (!listed && !like_json) || state.size > REPORT_LIMIT as u64 {
        return Ok(None);
    }
    let bytes = atomic::read_limited(path, REPORT_LIMIT as u64)?;
    let digest = digest_bytes(&bytes).to_string();
    let evidence = text::bytes(state.size);
    let record = json::without_bom(&bytes);
    let place = match json::find_birthmark(record) {
        Ok(place) if place.member().is_some() => place,
        Ok(_) if listed => {
            let mut reasons = vec![Reason::failed("birthmark-missing", "it has no birthmark")];
            reasons.extend(
                history
                    .map(|h| against_whole(h, state.size, &digest))
                    .into_iter()
                    .flatten(),
            );
            return Ok(Some((evidence, reasons)));
        }
        Err(error) if listed => {
            let line = record
                .iter()
                .take(error.offset)
                .filter(|byte| **byte == b'\n')
                .count() as u64
                + 1;
            let text = format!("line {line} is no JSON any more: {error}");
            let mut reasons = vec![Reason::failed("not-a-report", text).at(line)];
            reasons.extend(
                history
                    .map(|h| against_whole(h, state.size, &digest))
                    .into_iter()
                    .flatten(),
            );
            return Ok(Some((evidence, reasons)));
        }
        _ => return Ok(None),
    };
    let mut named = Named::default();
    let mut reasons = Vec::new();
    let value = place.value(record).unwrap_or_default();
    whole_mark(judge, value, place.is_ours(), &mut named, &mut reasons);
    match history {
        Some(history) => {
            reasons.extend(against_whole(history, state.size, &digest));
            let content = history
                .newest()
                .and_then(|newest| newest.content_digest.clone());
            let intact =
                history.newest().and_then(|newest| newest.digest.as_ref()) == Some(&digest);
            let mut bare = bytes
                .get(..bytes.len() - record.len())
                .unwrap_or_default()
                .to_vec();
            if let (Some(content), true, Ok(_)) =
                (content, intact, json::unstamp_record(&mut bare, record))
                && content != digest_bytes(&bare).to_string()
            {
                let text = "its content digest is not that of the bytes without birthmarks";
                reasons.push(Reason::failed("content-digest", text));
            }
            if !intact {
                recorded_mark(history, value, "metadata", &mut reasons);
            }
        }
        None => reasons.extend(not_listed(judge, &named, &digest)),
    }
    let commits = text::count(named.commits.len() as u64, "commit");
    Ok(Some((format!("{evidence}, {commits}"), reasons)))
}

/// A birthmark that stands once.
fn whole_mark(
    judge: &mut Judge<'_>,
    raw: &[u8],
    ours: bool,
    named: &mut Named,
    reasons: &mut Vec<Reason>,
) {
    reasons.extend(judge.judge(&|name| json::get(raw, &[name]), ours, named));
    let time = json::get(raw, &["timestamp"]).filter(|time| !json::is_null(time));
    reasons.extend(time.and_then(|time| mark::timestamp(time, ours)));
    if ours && let Err(error) = json::check_envelope(raw) {
        let text = format!("its birthmark is malformed: {error}");
        reasons.push(Reason::failed("birthmark-malformed", text));
    }
}

/// Names what differs between a birthmark and the one that the journal recorded.
fn recorded_mark(history: &History, raw: &[u8], path: &str, reasons: &mut Vec<Reason>) {
    let Ok(found) = serde_json::from_slice::<Fields>(raw) else {
        return;
    };
    if history.birthmark.len() < 3 || !history.bound {
        return;
    }
    let mut what = Vec::new();
    differences(
        path,
        &Value::Object(history.birthmark.clone()),
        &Value::Object(found),
        &mut what,
    );
    reasons.extend(
        what.into_iter()
            .map(|what| Reason::failed("birthmark-edited", format!("birthmark edited: {what}"))),
    );
}

/// A file with a sidecar.
pub(super) fn sidecar(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> Result<Looked, FileError> {
    let found = digest_file(path)?;
    let digest = found.digest.to_string();
    let (named, mut reasons, said) = read_sidecar(judge, path, history);
    if let Some(said) = said
        && said.digest != found.digest
    {
        reasons.push(Reason::failed(
            "bytes-changed",
            "its bytes are not those of its sidecar",
        ));
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

fn read_sidecar(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> (Named, Vec<Reason>, Option<Sidecar>) {
    let (mut named, mut reasons) = (Named::default(), Vec::new());
    let place = Layout::sidecar(path);
    let said = match Sidecar::read(&place) {
        Ok(said) => said,
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

pub(super) fn folder(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> Result<Looked, FileError> {
    let tree = digest_tree(path, None)?;
    let digest = tree.digest.to_string();
    let files = tree
        .members
        .iter()
        .filter(|m| matches!(m.kind, MemberKind::File { .. }))
        .count();
    let evidence = format!(
        "{}, {}",
        text::count(files as u64, "file"),
        text::bytes(tree.size)
    );
    if Layout::sidecar(path).symlink_metadata().is_err() {
        let mut reasons = vec![Reason::failed("birthmark-missing", "its sidecar is gone")];
        reasons.extend(
            history
                .map(|h| against_whole(h, tree.size, &digest))
                .into_iter()
                .flatten(),
        );
        return Ok((evidence, reasons));
    }
    let (named, mut reasons, said) = read_sidecar(judge, path, history);
    if let Some(said) = said {
        let changes = changed_members(&said, &tree);
        if said.digest != tree.digest {
            let what = if changes.is_empty() {
                "a link, a folder or a mode differs".to_owned()
            } else {
                changes.join(", ")
            };
            let text = format!("the folder is not that of its sidecar: {what}");
            reasons.push(Reason::failed("bytes-changed", text));
        } else if !changes.is_empty() {
            let text = format!("its sidecar was edited: members {}", changes.join(", "));
            reasons.push(Reason::failed("sidecar-edited", text));
        }
    }
    match history {
        Some(history) => reasons.extend(against_whole(history, tree.size, &digest)),
        None => reasons.extend(not_listed(judge, &named, &digest)),
    }
    Ok((evidence, reasons))
}

/// Members that a sidecar lists and that are not so: `changed config.json`.
fn changed_members(
    said: &Sidecar,
    tree: &birthmark_store::format::directory::TreeDigest,
) -> Vec<String> {
    let now: std::collections::HashMap<&Path, _> = tree
        .members
        .iter()
        .filter_map(|member| match member.kind {
            MemberKind::File { digest, size, .. } => Some((member.path.as_path(), (digest, size))),
            _ => None,
        })
        .collect();
    let mut changes = Vec::new();
    let shown = |path: &Path| text::short(&path.to_string_lossy(), 80);
    for (path, digest, size) in &said.members {
        match now.get(path.as_path()) {
            Some(found) if *found == (*digest, *size) => {}
            Some(_) => changes.push(format!("changed {}", shown(path))),
            None => changes.push(format!("missing {}", shown(path))),
        }
    }
    let told: std::collections::HashSet<&Path> = said
        .members
        .iter()
        .map(|(path, ..)| path.as_path())
        .collect();
    let added = now.keys().filter(|path| !told.contains(*path));
    changes.extend(added.map(|path| format!("added {}", shown(path))));
    changes.sort();
    let more = changes.len().saturating_sub(MOST_MEMBERS);
    changes.truncate(MOST_MEMBERS);
    if more > 0 {
        changes.push(format!("+{more}"));
    }
    changes
}
