//! What stands once: the last word on a whole file, and a birthmark that is not of a record.

use birthmark_core::Timestamp;
use birthmark_core::birthmark::Fields;
use birthmark_core::json;
use serde_json::Value;

use super::claims::History;
use super::mark::{self, Judge, Named};
use super::report::Reason;
use crate::sessions::differences;
use crate::text;

/// Holds the last word on a whole file against it.
pub(super) fn against_whole(history: &History, size: u64, digest: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let Some(newest) = history.newest() else {
        return vec![Reason::caveat(
            "written-since",
            "it was never closed: nothing of it is proved",
        )];
    };
    match &newest.digest {
        Some(recorded) if recorded != digest => {
            let text = match newest.size {
                Some(was) if was != size => {
                    let (now, was) = text::two_sizes(size, was);
                    let since = moment(newest.time);
                    format!("bytes changed since {since}: {now} were {was}")
                }
                _ => format!("bytes changed since {}", moment(newest.time)),
            };
            reasons.push(Reason::failed("bytes-changed", text));
        }
        None if newest.size.is_some() => {
            reasons.push(Reason::cannot_tell(
                "digest-pending",
                "its digest was never recorded",
            ));
        }
        _ => {}
    }
    if !history.bound {
        reasons.push(unbound());
    }
    reasons
}

/// A birthmark that stands once.
pub(super) fn whole_mark(
    judge: &mut Judge<'_>,
    raw: &[u8],
    ours: bool,
    named: &mut Named,
    reasons: &mut Vec<Reason>,
) {
    reasons.extend(judge.judge(&|name| json::get(raw, &[name]), ours, named));
    let time = json::get(raw, &["timestamp"]).filter(|time| !json::is_null(time));
    reasons.extend(time.and_then(|time| mark::timestamp(time, ours)));
    if !judge.listed
        && let Ok(fields) = serde_json::from_slice::<Fields>(raw)
    {
        reasons.extend(judge.eyes.inputs.of_birthmark(&fields));
    }
    if ours && let Err(error) = json::check_envelope(raw) {
        let text = format!("its birthmark is malformed: {error}");
        reasons.push(Reason::failed("birthmark-malformed", text));
    }
}

/// Names what differs between a birthmark and the one that the journal recorded.
pub(super) fn recorded_mark(history: &History, raw: &[u8], path: &str, reasons: &mut Vec<Reason>) {
    let Ok(found) = serde_json::from_slice::<Fields>(raw) else {
        return;
    };
    if !history.tells_its_birthmark() {
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

pub(super) fn unbound() -> Reason {
    Reason::caveat(
        "not-bound",
        "only a manifest lists it, and no journal here speaks of that",
    )
}

/// `2026-11-22 22:41 UTC`: the same everywhere, since it stands in JSON too.
pub(super) fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", &text[..10], &text[11..16])
}
