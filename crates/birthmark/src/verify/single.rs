//! Is a JSON report still what was recorded of it?

use std::path::Path;

use birthmark_core::json;
use birthmark_store::atomic;
use birthmark_store::digest::{FileError, digest_bytes, open_still};
use birthmark_store::format::json::REPORT_LIMIT;

use super::artifact::{Looked, not_listed};
use super::claims::History;
use super::mark::{Judge, Named};
use super::report::Reason;
use super::whole::{against_whole, recorded_mark, whole_mark};
use crate::text;

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
