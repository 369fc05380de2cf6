//! The records of one run among those of a file that several wrote to.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::json;
use birthmark_core::reproduce::Allowance;
use birthmark_store::atomic;

use super::compare::{Compared, READ_LIMIT, Verdict, compared, records, within_told};
use super::share::Share;
use crate::error::Result;
use crate::talk::count;

/// A line of a file, and its number.
pub(super) type Line<'a> = (u64, &'a [u8]);

/// Compares what a run wrote to a file with what the same command wrote now. `session` is that
/// of the reproduction.
pub(super) fn compare(
    share: &Share,
    made: &Path,
    session: Option<&str>,
    allowance: &Allowance,
) -> Result<Compared> {
    let Some(file) = &share.file else {
        let place = "where cannot be told: the file is not here";
        return Ok(compared(Verdict::Differs, place.to_owned()));
    };
    let was = atomic::read_limited(file, READ_LIMIT)?;
    let is = atomic::read_limited(made, READ_LIMIT)?;
    let own = of_run(share, &was);
    if own.is_empty() {
        let place = match share.records {
            Some(0) => "where cannot be told: the run added no record",
            _ => "where cannot be told: none of its records is in the file by now",
        };
        return Ok(compared(Verdict::Differs, place.to_owned()));
    }
    let start = if share.begins(made) {
        share.had.bytes
    } else {
        0
    };
    let again = of_session(share, &is, start, session);
    let mut result = records(&own, &again, allowance);
    if result.verdict == Verdict::EqualRecords {
        let mut place = format!("the {} of this run", count(own.len() as u64, "record"));
        if let Some(within) = within_told(allowance) {
            place = format!("{place}, {within}");
        }
        result.place = Some(place);
    }
    if share.proved.is_none() {
        let place = result.place.unwrap_or_default();
        result.place = Some(format!(
            "{place} (as they lie in the file, which was changed since)"
        ));
    }
    Ok(result)
}

/// Whose a line is that names no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is among the bytes that the run is proved to have left, and came with it.
    Own,
    /// It was there before.
    Earlier,
    /// Nothing tells.
    Unknown,
}

/// Whose the line of a file is, by the bytes that are proved to be those that the run left.
pub(super) fn whose(share: &Share, line: u64) -> Result<Whose> {
    let (Some(file), Some((start, end))) = (&share.file, share.proved) else {
        return Ok(Whose::Unknown);
    };
    let text = atomic::read_limited(file, READ_LIMIT)?;
    let holds = |from: u64, to: u64| {
        let found = lines(&text, |at, _| at >= from && at < to);
        found.iter().any(|(number, _)| *number == line)
    };
    Ok(match (holds(start, end), holds(0, start)) {
        (true, _) => Whose::Own,
        (false, true) => Whose::Earlier,
        (false, false) => Whose::Unknown,
    })
}

/// The records of the run in the file as it lies.
fn of_run<'a>(share: &Share, text: &'a [u8]) -> Vec<Line<'a>> {
    let runs: BTreeSet<&str> = share
        .runs
        .iter()
        .map(birthmark_core::RunId::as_str)
        .collect();
    let is_proved = |at: u64| {
        share
            .proved
            .is_some_and(|(start, end)| at >= start && at < end)
    };
    let is_own = |at: u64, line: &[u8]| match named(line).filter(|_| share.names_runs) {
        Some((session, run)) => {
            let of_run = run.is_none_or(|run| runs.is_empty() || runs.contains(run.as_str()));
            session == share.session.as_str() && of_run
        }
        None => is_proved(at),
    };
    lines(text, is_own)
}

/// The records of the reproduction in what it made, from byte `start` on.
fn of_session<'a>(
    share: &Share,
    text: &'a [u8],
    start: u64,
    session: Option<&str>,
) -> Vec<Line<'a>> {
    let is_others = |line: &[u8]| match (named(line), session) {
        (Some((named, _)), Some(own)) => share.names_runs && named != own,
        _ => false,
    };
    lines(text, |at, line| at >= start && !is_others(line))
}

/// The lines that are not empty, of which `is_own` says that they are wanted.
fn lines(text: &[u8], is_own: impl Fn(u64, &[u8]) -> bool) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1_u64..) {
        let start = at;
        at += line.len() as u64 + 1;
        let line = if number == 1 {
            json::without_bom(line)
        } else {
            line
        }
        .trim_ascii();
        if !line.is_empty() && is_own(start, line) {
            found.push((number, line));
        }
    }
    found
}

/// The session and run that a record names.
fn named(line: &[u8]) -> Option<(String, Option<String>)> {
    let place = json::find_birthmark(line).ok()?;
    let mark = place.value(line).filter(|_| place.is_ours())?;
    let text = |name: &str| {
        let raw = json::get(mark, &[name])?;
        json::as_text(raw).map(std::borrow::Cow::into_owned)
    };
    Some((text("session_id")?, text("run_id")))
}
