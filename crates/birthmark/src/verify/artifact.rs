//! Is a file, report or folder still what was recorded of it?

use std::path::Path;

use birthmark_core::Timestamp;
use birthmark_core::birthmark::Fields;
use birthmark_core::json;
use birthmark_store::atomic;
use birthmark_store::digest::{FileError, digest_bytes, open_still};
use birthmark_store::format::FileKind;
use birthmark_store::format::codec::Codec;
use birthmark_store::format::directory::MemberKind;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;
use serde_json::Value;

use super::claims::{Count, History, Last};
use super::mark::{self, Judge, Named};
use super::records::{self, Mark, Places, Scanned};
use super::report::{Item, ItemKind, Reason, Word};
use super::{Options, keyed, packed};
use crate::sessions::differences;
use crate::text;

/// At most so many members of a folder are named.
const MOST_MEMBERS: usize = 5;

/// Judges one file or folder.
pub(super) fn verify(judge: &mut Judge<'_>, path: &Path, name: &str, options: &Options) -> Item {
    let history = judge.claims.of(path).cloned();
    judge.turn_to(history.as_ref().map(|history| &history.birthmark));
    let (evidence, reasons) = match look(judge, path, history.as_ref(), options) {
        Ok(looked) => looked,
        Err(error) => (String::new(), vec![unreadable(&error)]),
    };
    Item::new(name, ItemKind::Artifact, evidence, reasons)
}

pub(super) type Looked = (String, Vec<Reason>);

fn unreadable(error: &FileError) -> Reason {
    let text = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let text = text::neutral(&text).into_owned();
    match error {
        FileError::ChangedWhileRead { .. } => {
            Reason::cannot_tell("changed-while-read", "it changed while it was read")
        }
        _ => Reason::cannot_tell("unreadable", text),
    }
}

fn look(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    if options.quick
        && let Some(looked) = look_quickly(path, history)
    {
        return Ok(looked);
    }
    if path.is_dir() {
        return folder(judge, path, history);
    }
    let beside = history.is_some_and(|history| matches!(&*history.format, "file" | "folder"));
    let has_sidecar = Layout::sidecar(path).symlink_metadata().is_ok();
    let kind = FileKind::of(path);
    if let Some(FileKind::Records(codec)) = kind
        && codec != Codec::Plain
        && !(beside && has_sidecar)
    {
        return packed::verify(judge, path, history, options, codec);
    }
    if is_records(path, history) && !(beside && has_sidecar) {
        return jsonl(judge, path, history, options);
    }
    if let Some(kind) = kind.filter(|kind| kind.has_key() && !beside)
        && let Some(looked) = keyed::verify(judge, path, history, kind)?
    {
        return Ok(looked);
    }
    if !beside && let Some(looked) = report(judge, path, history)? {
        return Ok(looked);
    }
    if has_sidecar {
        return sidecar(judge, path, history);
    }
    bare(judge, path, history, options)
}

fn is_records(path: &Path, history: Option<&History>) -> bool {
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    history.is_some_and(|history| history.format == "jsonl")
        || ending.is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

/// Sizes alone.
fn look_quickly(path: &Path, history: Option<&History>) -> Option<Looked> {
    let count = history?.newest()?;
    let found = path
        .symlink_metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    if history?.last == Last::Sealed && count.size.is_some_and(|size| size != found.len()) {
        let text = format!(
            "it has {}, not {} as recorded",
            text::bytes(found.len()),
            text::bytes(count.size.unwrap_or(0))
        );
        return Some((String::new(), vec![Reason::failed("size-changed", text)]));
    }
    let reason = Reason::caveat("quick", "only its size was compared");
    Some((text::bytes(found.len()), vec![reason]))
}

/// A file that carries nothing and has no sidecar.
fn bare(
    judge: &Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    let (_, state) = open_still(path)?;
    let mut reasons = vec![no_birthmark(history, options)];
    if let Some(history) = history {
        let digest = judge.digester.file(path)?.digest.to_string();
        reasons.extend(against_whole(history, state.size, &digest));
    }
    Ok((text::bytes(state.size), reasons))
}

/// Of what no writer of ours made nothing is expected to stand in or beside it.
fn observed(history: &History) -> Option<Reason> {
    let text = format!(
        "it carries no birthmark: session {} saw that it was made",
        history.by
    );
    (history.format == crate::lineage::OBSERVED).then(|| Reason::caveat("observed", text))
}

pub(super) fn no_birthmark(history: Option<&History>, options: &Options) -> Reason {
    match history {
        Some(history) if let Some(reason) = observed(history) => reason,
        Some(history) => Reason::failed(
            "birthmark-missing",
            format!("it has no birthmark, but session {} lists it", history.by),
        ),
        None if options.require_stamped => Reason::failed("unstamped", "it has no birthmark"),
        None => Reason::new(Word::Unstamped, "unstamped", "no birthmark"),
    }
}

fn jsonl(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    let (mut file, before) = open_still(path)?;
    let mut sizes: Vec<u64> = history
        .iter()
        .flat_map(|history| &history.counts)
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
    if found.stamped == 0 && (history.is_none() || found.records > 0) {
        return Ok(unmarked(path, judge, history, options, &found, evidence));
    }
    let mut reasons = found.reasons.clone();
    let judged_bytes = history.map(|history| against_counts(history, &found, &judge.claims.layout));
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
    let mut reasons = vec![no_birthmark(history, options)];
    if let Some(history) = history {
        reasons.extend(against_counts(history, found, &judge.claims.layout));
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

/// Holds every count of a file's history against the bytes up to it.
fn against_counts(history: &History, found: &Scanned, layout: &Layout) -> Vec<Reason> {
    let mark_of = |count: &Count| {
        found
            .marks
            .iter()
            .find(|mark| Some(mark.size) == count.size)
    };
    let holds = |count: &Count| {
        let taken = mark_of(count).and_then(|mark| mark.digest.as_deref());
        count.digest.as_deref().map(|digest| Some(digest) == taken)
    };
    let mut reasons = Vec::new();
    let Some(newest) = history.newest() else {
        return open_reasons(history, None, found);
    };
    // The newest count that does not hold decides; earlier ones say where.
    let broken = history
        .counts
        .iter()
        .rev()
        .find(|count| holds(count) == Some(false));
    let good = history
        .counts
        .iter()
        .filter(|count| holds(count) == Some(true));
    if let Some(broken) = broken {
        let good = good
            .filter(|count| count.size <= broken.size)
            .max_by_key(|count| count.size);
        let changed = changed_lines(broken, found, layout);
        let good = good.map(|count| (count, mark_of(count)));
        reasons.push(changed.unwrap_or_else(|| bracket(broken, good, found)));
        if let Some(records) = newest.records.filter(|records| *records != found.records)
            && history.last == Last::Sealed
        {
            let text = format!(
                "it has {}, not {records}",
                text::count(found.records, "record")
            );
            reasons.push(Reason::failed("record-count", text));
        }
        return reasons;
    }
    if newest.digest.is_none() && newest.size.is_some() {
        reasons.push(Reason::cannot_tell(
            "digest-pending",
            "its digest was never recorded",
        ));
    }
    if history.last == Last::Sealed {
        reasons.extend(sealed_reasons(newest, found));
    } else {
        reasons.extend(open_reasons(history, Some(newest), found));
    }
    if !history.bound {
        reasons.push(unbound());
    }
    reasons
}

fn unbound() -> Reason {
    Reason::caveat(
        "not-bound",
        "only a manifest lists it, and no journal here speaks of that",
    )
}

fn sealed_reasons(newest: &Count, found: &Scanned) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(size) = newest.size.filter(|size| *size != found.size) {
        let text = if found.size > size {
            let after = found
                .marks
                .iter()
                .find(|mark| mark.size == size)
                .map_or(0, |m| m.lines);
            format!(
                "{} added at the end since {}, after line {after}",
                text::bytes(found.size - size),
                moment(newest.time)
            )
        } else {
            let now = text::bytes(found.size);
            format!(
                "cut since {}: {now} of {}",
                moment(newest.time),
                text::bytes(size)
            )
        };
        return vec![Reason::failed("bytes-changed", text)];
    }
    if let Some(records) = newest.records.filter(|records| *records != found.records) {
        let text = format!(
            "it has {}, not {records}",
            text::count(found.records, "record")
        );
        reasons.push(Reason::failed("record-count", text));
    }
    let content = newest.content_digest.as_deref();
    if newest.digest.is_some() && content.is_some_and(|content| content != found.content_digest) {
        let text = "its content digest is not that of the bytes without birthmarks";
        reasons.push(Reason::failed("content-digest", text));
    }
    reasons
}

fn open_reasons(history: &History, newest: Option<&Count>, found: &Scanned) -> Vec<Reason> {
    if history.last == Last::Sealed {
        return Vec::new();
    }
    let counted = newest.and_then(|newest| newest.size).unwrap_or(0);
    let text = match found.size.saturating_sub(counted) {
        0 => format!(
            "it was never closed; its {} are as counted",
            text::bytes(found.size)
        ),
        since => format!(
            "it was never closed: {} were written since the last count and are not proved",
            text::bytes(since)
        ),
    };
    vec![Reason::caveat("written-since", text)]
}

/// The lines that changed, where the journal kept what tells them and no line came or went.
fn changed_lines(broken: &Count, found: &Scanned, layout: &Layout) -> Option<Reason> {
    let kept = broken.line_sums.as_ref()?;
    if broken.records != Some(found.records) {
        return None;
    }
    let changed = found
        .line_sums
        .changed_since(kept, layout, NAMED_LINES + 1)?;
    let first = changed.first()?.0;
    let name = |&(from, to): &(u64, u64)| {
        if from == to {
            from.to_string()
        } else {
            format!("{from} to {to}")
        }
    };
    let mut names: Vec<String> = changed.iter().take(NAMED_LINES).map(name).collect();
    if changed.len() > NAMED_LINES {
        names.push("…".to_owned());
    }
    let one = changed.len() == 1 && changed[0].0 == changed[0].1;
    let noun = if one { "line" } else { "lines" };
    let since = moment(broken.time);
    let text = format!("bytes changed since {since}: {noun} {}", names.join(", "));
    Some(Reason::failed("bytes-changed", text).at(first))
}

/// Lines named in one sentence.
const NAMED_LINES: usize = 3;

/// Where the first change lies: behind what still holds, before what does not.
fn bracket(broken: &Count, good: Option<(&Count, Option<&Mark>)>, found: &Scanned) -> Reason {
    let since = moment(broken.time);
    let size = broken.size.unwrap_or(0);
    let from = good
        .and_then(|(count, _)| count.records.map(|records| records + 1))
        .unwrap_or(1);
    let upto = broken.records.filter(|records| *records > 0);
    let range = match upto {
        Some(last) if last > from => format!("between records {from} and {last}"),
        Some(last) => format!("in record {last}"),
        None => format!(
            "between bytes {} and {size}",
            good.and_then(|(count, _)| count.size).unwrap_or(0)
        ),
    };
    let text = if found.size < size {
        let now = text::bytes(found.size);
        format!(
            "bytes changed since {since}: cut to {now} of {}",
            text::bytes(size)
        )
    } else {
        format!("bytes changed since {since}: {range}")
    };
    Reason::failed("bytes-changed", text)
}

/// `2026-11-22 22:41 UTC`: the same everywhere, since it stands in JSON too.
fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// No session lists the file: perhaps it was moved or copied.
pub(super) fn not_listed(judge: &Judge<'_>, named: &Named, digest: &str) -> Option<Reason> {
    let known = named
        .sessions
        .iter()
        .find(|id| judge.claims.sessions.contains_key(*id))?;
    if let Some(file) = judge.claims.with_digest(digest) {
        let text = format!("it was recorded as {}", text::neutral(file));
        return Some(Reason::caveat("moved", text));
    }
    let text =
        format!("session {known} does not list it: its bytes cannot be held against anything");
    Some(Reason::cannot_tell("not-listed", text))
}

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
                Some(was) if was != size => format!(
                    "bytes changed since {}: {} were {}",
                    moment(newest.time),
                    text::bytes(size),
                    text::bytes(was)
                ),
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

/// A JSON report; none where the file is no report with a birthmark.
fn report(
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
    let found = judge.digester.file(path)?;
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

fn folder(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
) -> Result<Looked, FileError> {
    let tree = judge.digester.tree(path)?;
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
        if let Some(newest) = history.and_then(History::newest)
            && newest.digest.is_none()
            && newest.size.is_some()
        {
            let text = "its digest was never recorded";
            return Ok((evidence, vec![Reason::cannot_tell("digest-pending", text)]));
        }
        let mut reasons = vec![match history.and_then(observed) {
            Some(reason) => reason,
            None => Reason::failed("birthmark-missing", "its sidecar is gone"),
        }];
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
