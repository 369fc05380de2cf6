//! Is a JSONL file still what was recorded of it, and which lines are not?

use std::path::Path;

use birthmark_store::atomic;
use birthmark_store::digest::{FileError, open_still};
use birthmark_store::layout::Layout;

use super::Options;
use super::artifact::{Looked, no_birthmark, not_listed};
use super::claims::{History, Last};
use super::counts::against_counts;
use super::mark::Judge;
use super::merged;
use super::part;
use super::records::{self, Mark, Places, Scanned};
use super::report::{Reason, Word};
use super::sidecar::sidecar;
use crate::text;

pub(super) fn jsonl(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    let (mut file, before) = open_still(path)?;
    let mut sizes: Vec<u64> = history
        .iter()
        .flat_map(|history| history.counts.iter().chain(&history.apart))
        .filter_map(|count| count.size)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let marks = sizes
        .into_iter()
        .map(|size| Mark {
            size,
            digest: None,
            records: 0,
            lines: 0,
        })
        .collect();
    let found = records::scan(&mut file, marks, judge).map_err(|source| {
        FileError::Path(atomic::PathError {
            action: "read",
            path: path.to_owned(),
            source,
        })
    })?;
    let (_, after) = open_still(path)?;
    let open = history.is_some_and(|history| history.last == Last::Open);
    if before != after && !open {
        return Err(FileError::ChangedWhileRead {
            path: path.to_owned(),
        });
    }
    let evidence = evidence_of(&found);
    let waits = history
        .is_none()
        .then(|| part::waits(judge, path, &found.named));
    let waits = waits.flatten();
    let open = open || waits.is_some();
    if found.stamped == 0 && (history.is_none() || found.records > 0) {
        return Ok(unmarked(path, judge, history, options, &found, evidence));
    }
    let mut reasons = found.reasons.clone();
    let judged_bytes = history.map(|history| {
        let judged = against_counts(history, &found, judge.claims);
        let is_wrong = judged.iter().any(|reason| reason.word == Word::Failed);
        let merged = is_wrong.then(|| merged::look(path, history, &found));
        merged.flatten().map_or(judged, |reason| vec![reason])
    });
    let changed = judged_bytes
        .iter()
        .flatten()
        .any(|reason| reason.word == Word::Failed);
    let since = history
        .filter(|_| open)
        .and_then(|history| history.newest()?.size);
    bad_lines(&found, since, open, &mut reasons);
    match judged_bytes {
        Some(judged) => reasons.extend(judged),
        None if waits.is_some() => reasons.extend(waits),
        None => reasons.extend(not_listed(judge, &found.named, &found.digest)),
    }
    if changed {
        hints(&found, &mut reasons);
    }
    Ok((evidence, reasons))
}

/// No record carries a birthmark: a sidecar may stand beside it.
fn unmarked(
    path: &Path,
    judge: &mut Judge<'_>,
    history: Option<&History>,
    options: &Options,
    found: &Scanned,
    evidence: String,
) -> Looked {
    if Layout::sidecar(path).symlink_metadata().is_ok()
        && let Ok(looked) = sidecar(judge, path, history)
    {
        return looked;
    }
    let mut reasons = vec![if found.too_long {
        let text = "a line is too long to be read: whether it has a birthmark cannot be told";
        Reason::cannot_tell("line-too-long", text)
    } else {
        no_birthmark(history, options)
    }];
    if let Some(history) = history {
        reasons.extend(against_counts(history, found, judge.claims));
        hints(found, &mut reasons);
    }
    (evidence, reasons)
}

pub(super) fn evidence_of(found: &Scanned) -> String {
    let records = text::count(found.records, "record");
    match found.named.commits.len() {
        0 => records,
        commits => format!("{records}, {}", text::count(commits as u64, "commit")),
    }
}

/// Lines that are no records, and records without a birthmark. Of a file that is still
/// being written the last line may be half there.
pub(super) fn bad_lines(
    found: &Scanned,
    since: Option<u64>,
    open: bool,
    reasons: &mut Vec<Reason>,
) {
    let mut bad = found.bad.count;
    if let (Some((offset, line)), true) = (found.torn, open)
        && since.is_none_or(|since| offset >= since)
    {
        bad -= 1;
        let text = "its last line is torn, as by a crash while it was written";
        reasons.push(Reason::caveat("torn-tail", text).at(line));
    }
    let torn = found.torn.map(|(_, line)| line).filter(|_| open);
    let named = found
        .bad
        .first
        .iter()
        .filter(|(line, _)| Some(*line) != torn);
    for (line, why) in named.take(if bad > 0 { records::MOST_PLACES } else { 0 }) {
        let text = format!("line {line} is no record: {}", text::neutral(why));
        let reason = if found.too_long && why.starts_with("it is longer") {
            Reason::cannot_tell("line-too-long", text)
        } else {
            Reason::failed("not-a-record", text)
        };
        reasons.push(reason.at(*line));
    }
    let unnamed = bad.saturating_sub(records::MOST_PLACES as u64);
    if unnamed > 0 {
        let text = format!(
            "and {} more that are no records",
            text::count(unnamed, "line")
        );
        reasons.push(Reason::failed("not-a-record", text));
    }
    if let Some((line, _)) = found.unstamped.first.first() {
        let lines: Vec<String> = found
            .unstamped
            .first
            .iter()
            .map(|(line, _)| line.to_string())
            .collect();
        let more = found.unstamped.count - found.unstamped.first.len() as u64;
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let word = if found.unstamped.count == 1 {
            "line"
        } else {
            "lines"
        };
        let text = format!("{word} {}{more} without a birthmark", lines.join(", "));
        let mut reason = Reason::failed("record-unstamped", text).at(*line);
        reason.records = found.unstamped.count;
        reasons.push(reason);
    }
}

/// What may tell where a changed file was changed.
pub(super) fn hints(found: &Scanned, reasons: &mut Vec<Reason>) {
    for Places { first, .. } in [&found.odd, &found.unordered] {
        for (line, why) in first {
            let text = format!("look at line {line}: {why}");
            reasons.push(Reason::failed("suspect", text).at(*line));
        }
    }
}
