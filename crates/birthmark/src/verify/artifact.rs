//! Is a file, report or folder still what was recorded of it? Which of the looks a path gets.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::digest::Algorithm;
use birthmark_core::json;
use birthmark_core::lineage::with_run;
use birthmark_core::session::Artifact;
use birthmark_core::snapshot::kept_nowhere;
use birthmark_store::digest::{FileError, open_still};
use birthmark_store::format::FileKind;
use birthmark_store::format::codec::Codec;
use birthmark_store::layout::Layout;
use serde_json::Value;

use super::claims::{History, Last};
use super::mark::{Judge, Named};
use super::report::{Item, ItemKind, Reason, Word};
use super::whole::against_whole;
use super::{Options, folder, jsonl, keyed, linked, packed, pointer, sidecar, single};
use crate::project::plain;
use crate::{add, code_beside, sessions, talk, text, weights};

/// Judges one file or folder.
pub(super) fn verify(judge: &mut Judge<'_>, path: &Path, name: &str, options: &Options) -> Item {
    let mut history = judge.claims.of(path);
    judge.turn_to(history.as_ref().map(|history| &history.birthmark));
    judge.eyes.meter.begin(path);
    let looked = look(judge, path, history.as_ref(), options);
    let (evidence, mut reasons) =
        looked.unwrap_or_else(|error| (String::new(), vec![unreadable(&error)]));
    judge.eyes.meter.end();
    let is_wrong = |reasons: &[Reason]| reasons.iter().any(|reason| reason.word == Word::Failed);
    if is_wrong(&reasons)
        && let Some(known) = &history
        && let Some((before, mut others)) = as_before(judge, path, known, options)
        && !is_wrong(&others)
    {
        std::mem::swap(&mut reasons, &mut others);
        history = Some(before);
    }
    if is_wrong(&reasons) {
        reasons.extend(of_another_file(judge, path, history.as_ref(), options));
    }
    if let Some(history) = &history {
        if is_stamped_since(judge, path, history, &reasons) {
            reasons.retain(|reason| !OF_THE_BYTES.contains(&reason.code));
            let text = "stamped since: without its birthmark it is what was recorded";
            reasons.push(Reason::caveat("stamped-since", text));
        }
        if history.lost {
            let text = format!(
                "what session {} recorded of it changed meanwhile",
                history.by
            );
            reasons.push(Reason::cannot_tell("changed-while-read", text));
        }
        reasons.extend(judge.eyes.inputs.of_birthmark(&history.birthmark));
        reasons.extend(of_what_its_run_read(judge, path, history));
        reasons.extend(of_code(judge, history));
        let told = of_writer(judge, history, &reasons);
        reasons.extend(told);
    } else if let Some(id) = judge.claims.behind_damage(path) {
        let text = format!(
            "what session {} recorded of it stands behind a damaged line of its journal",
            id.short()
        );
        reasons.retain(|reason| reason.code != "unstamped");
        reasons.push(Reason::cannot_tell("journal-damaged", text));
    }
    Item::new(name, ItemKind::Artifact, evidence, reasons)
}

/// Where bytes that are not those of this file are those that were recorded of another: files were
/// swapped, or one was copied over the other.
fn of_another_file(
    judge: &Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Option<Reason> {
    let size = path.symlink_metadata().ok()?.len();
    history?;
    if options.quick || size == 0 || path.is_dir() {
        return None;
    }
    let digester = &judge.eyes.digester;
    let digest = digester.whole_as(path, Algorithm::Blake3).ok()?.to_string();
    let file = judge.claims.with_digest(&digest)?;
    let project = judge.eyes.inputs.project;
    let text = format!(
        "these are the bytes that were recorded as {}",
        text::neutral(&file)
    );
    (file != project.stored_path(path)).then(|| Reason::failed("bytes-of-another", text))
}

/// What became of what its run read, where its birthmark names no inputs and nobody else tells.
fn of_what_its_run_read(judge: &mut Judge<'_>, path: &Path, history: &History) -> Vec<Reason> {
    if judge.session_asked || history.birthmark.contains_key("inputs") {
        return Vec::new();
    }
    let Ok(loaded) = judge.claims.session(&history.by) else {
        return Vec::new();
    };
    let project = judge.eyes.inputs.project;
    let is_it = |one: &&Artifact| {
        plain(&sessions::locate(project, &one.file, one.file_bytes())) == plain(path)
    };
    let session = &loaded.session;
    let own = session.artifacts.iter().rev().find(is_it);
    let used = match own.and_then(|own| own.run.as_ref()) {
        Some(run) => {
            let runs = with_run(&session.runs, run.as_str());
            runs.iter().flat_map(|run| &run.used).cloned().collect()
        }
        None => session.used.clone(),
    };
    judge.eyes.inputs.of_session(&used)
}

/// What a run was seen to write is its work, whatever birthmarks it carries: its code is looked
/// at as well. What was said of theirs is not said again.
fn of_writer(judge: &mut Judge<'_>, history: &History, said: &[Reason]) -> Vec<Reason> {
    if !history.is_observed() {
        return Vec::new();
    }
    let raw = serde_json::to_vec(&history.birthmark).unwrap_or_default();
    let mut reasons = judge.code(&|name| json::get(&raw, &[name]));
    reasons.retain(|one| !said.iter().any(|known| known.text == one.text));
    let script = history.birthmark.get("script_name").and_then(Value::as_str);
    let who = text::short(script.unwrap_or("the run"), 60);
    for reason in &mut reasons {
        reason.text = format!("{who} wrote it: {}", reason.text);
    }
    reasons
}

/// What is said where the bytes are not those that were recorded.
const OF_THE_BYTES: [&str; 3] = ["bytes-changed", "record-count", "size-changed"];

/// Whether the bytes differ from what a run was seen to make by a birthmark alone.
fn is_stamped_since(judge: &Judge<'_>, path: &Path, history: &History, reasons: &[Reason]) -> bool {
    let recorded = history.newest().and_then(|newest| newest.digest.as_ref());
    let is_other = reasons.iter().any(|reason| reason.code == "bytes-changed");
    let is_it = |then: &String| add::is_stamped_since(path, then, &judge.eyes.digester);
    history.is_observed() && is_other && recorded.is_some_and(is_it)
}

/// Held against what another session recorded, where these are the bytes that it left: git checks
/// such out again, and where nothing proves which session wrote last they may be the last.
fn as_before(
    judge: &mut Judge<'_>,
    path: &Path,
    last: &History,
    options: &Options,
) -> Option<(History, Vec<Reason>)> {
    if options.quick || !judge.claims.has_formers(path) {
        return None;
    }
    let real = path.canonicalize().ok()?;
    let digest = judge
        .eyes
        .digester
        .whole_as(&real, Algorithm::Blake3)
        .ok()?;
    let (before, is_earlier) = judge.claims.before(path, &digest.to_string())?;
    judge.turn_to(Some(&before.birthmark));
    let (_, mut reasons) = look(judge, path, Some(&before), options).ok()?;
    let (by, other) = (&before.by, &last.by);
    reasons.push(if is_earlier {
        let text = format!(
            "an earlier state of it: as session {by} recorded it; session {other} wrote other bytes since, and these were put back"
        );
        Reason::caveat("earlier-state", text)
    } else {
        let text = format!(
            "it is as session {by} recorded it; session {other} recorded other bytes, later by its clock, and nothing proves which was last"
        );
        Reason::caveat("order-not-proved", text)
    });
    Some((before, reasons))
}

/// The code that its birthmark names is not all that made it: it changed under the run, or items
/// came from runs of other code.
fn of_code(judge: &Judge<'_>, history: &History) -> Vec<Reason> {
    let run = history.birthmark.get("run_id").and_then(Value::as_str);
    let session = judge.claims.session(&history.by).ok();
    let runs = session.iter().flat_map(|loaded| &loaded.session.runs);
    let own = runs.filter(|one| run.is_none_or(|run| one.id.as_str() == run));
    let own: Vec<_> = own.collect();
    let drift: BTreeSet<&String> = own.iter().flat_map(|run| &run.drift).collect();
    let unkept: BTreeSet<&str> = own.iter().flat_map(|run| run.unkept()).collect();
    let mut reasons = Vec::new();
    if !unkept.is_empty() {
        let files: Vec<String> = unkept.iter().map(|one| text::short(one, 100)).collect();
        let text = format!("{} ran, and no commit holds it", talk::some_of(&files));
        reasons.push(Reason::caveat("unkept-code", text));
    }
    if let Some(why) = kept_nowhere(&history.birthmark) {
        reasons.push(Reason::caveat("unkept-code", why.to_owned()));
    }
    if !drift.is_empty() {
        let changes: Vec<String> = drift.iter().map(|one| text::short(one, 100)).collect();
        let text = format!(
            "the code changed while its run went on: {}",
            changes.join("; ")
        );
        reasons.push(Reason::caveat("drift", text));
    }
    if let Some(loaded) = &session {
        let environment = &loaded.session.environment;
        let beside = code_beside::of_runs(judge.eyes.inputs.project, &own, environment);
        let edited = beside
            .iter()
            .filter(|one| !one.files.is_empty() && one.dirty != Some(false));
        reasons.extend(edited.map(|one| {
            let text = format!("code of another repository ran: {}", one.phrase());
            Reason::caveat("code-beside", text)
        }));
    }
    let others = crate::report::origins::of_other_code(&history.birthmark).into_iter();
    reasons.extend(others.map(|other| {
        let text = format!("made with other code: {other}");
        Reason::caveat("items-from", text)
    }));
    reasons
}

pub(super) type Looked = (String, Vec<Reason>);

fn unreadable(error: &FileError) -> Reason {
    let text = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let hint = error.hint().map(|hint| format!("; {hint}"));
    let text = text::neutral(&(text + &hint.unwrap_or_default())).into_owned();
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
    if let Some(looked) = pointer::look(path, history) {
        return Ok(looked);
    }
    if let Some(looked) = linked::look(judge, path, history, options)? {
        return Ok(looked);
    }
    if options.quick
        && let Some(looked) = look_quickly(path, history)
    {
        return Ok(looked);
    }
    if path.is_dir() {
        return folder::folder(judge, path, history, options);
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
        return jsonl::jsonl(judge, path, history, options);
    }
    if let Some(kind) = kind.filter(|kind| kind.has_key() && !beside)
        && let Some(looked) = keyed::verify(judge, path, history, kind)?
    {
        return Ok(looked);
    }
    if !beside && let Some(looked) = single::report(judge, path, history)? {
        return Ok(looked);
    }
    if has_sidecar {
        return sidecar::sidecar(judge, path, history);
    }
    bare(judge, path, history, options)
}

fn is_records(path: &Path, history: Option<&History>) -> bool {
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    history.is_some_and(|history| history.format == "jsonl")
        || ending.is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

/// Sizes alone.
pub(super) fn look_quickly(path: &Path, history: Option<&History>) -> Option<Looked> {
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
    if let (None, Some(why)) = (history, weights::damage(path)) {
        let text = format!(
            "{}; copy it again from where it is whole; if it is something else, name it otherwise",
            text::neutral(&why)
        );
        return Ok((
            text::bytes(state.size),
            vec![Reason::cannot_tell("damaged", text)],
        ));
    }
    let mut reasons = vec![no_birthmark(history, options)];
    if let Some(history) = history {
        let digest = judge.eyes.digester.file(path)?.digest.to_string();
        reasons.extend(against_whole(history, state.size, &digest));
    }
    Ok((text::bytes(state.size), reasons))
}

/// Of what no writer of ours made nothing is expected to stand in or beside it.
pub(super) fn observed(history: &History, options: &Options) -> Option<Reason> {
    let text = format!(
        "it carries no birthmark: session {} saw that it was made",
        history.by
    );
    history.is_observed().then(|| {
        if options.require_stamped {
            let text = format!("{text}, and no more; `birthmark stamp` gives it one");
            Reason::failed("unstamped", text)
        } else {
            Reason::caveat("observed", text)
        }
    })
}

pub(super) fn no_birthmark(history: Option<&History>, options: &Options) -> Reason {
    match history {
        Some(history) if let Some(reason) = observed(history, options) => reason,
        Some(history) => Reason::failed(
            "birthmark-missing",
            format!("it has no birthmark, but session {} lists it", history.by),
        ),
        None if options.require_stamped => Reason::failed("unstamped", "it has no birthmark"),
        None => Reason::new(Word::Unstamped, "unstamped", "no birthmark"),
    }
}

/// No session lists the file: perhaps it was moved or copied.
pub(super) fn not_listed(judge: &Judge<'_>, named: &Named, digest: &str) -> Option<Reason> {
    let known = named.sessions.iter().find(|id| judge.claims.knows(id))?;
    if let Some(file) = judge.claims.with_digest(digest) {
        let text = format!("it was recorded as {}", text::neutral(&file));
        return Some(Reason::caveat("moved", text));
    }
    let text =
        format!("session {known} does not list it: its bytes cannot be held against anything");
    Some(Reason::cannot_tell("not-listed", text))
}
