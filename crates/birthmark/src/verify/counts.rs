//! Every count of a file's history, held against the bytes up to it: the newest that does not
//! hold says that the file was changed, those before it say where.

use super::claims::{Claims, Count, History, Last};
use super::records::{Mark, Scanned};
use super::report::Reason;
use super::whole::{moment, unbound};
use crate::text;

/// Holds every count of a file's history against the bytes up to it.
pub(super) fn against_counts(history: &History, found: &Scanned, claims: &Claims) -> Vec<Reason> {
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
        let mut reasons = open_reasons(history, None, found);
        reasons.extend(uncounted(history));
        return reasons;
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
        let changed = changed_lines(broken, found, claims);
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
    reasons.extend(uncounted(history));
    reasons.extend(forked(history));
    if !history.bound {
        reasons.push(unbound());
    }
    reasons
}

/// What a run left uncounted when it died stays so, however often others went on behind it.
fn uncounted(history: &History) -> Option<Reason> {
    let bytes = text::bytes(history.uncounted);
    let text = format!(
        "{bytes} lay there when a run went on with it and no count had reached them: they are not proved"
    );
    (history.uncounted > 0).then(|| Reason::caveat("uncounted", text))
}

/// What other sessions wrote behind the records from which the last one went on, and is not in it.
fn forked(history: &History) -> impl Iterator<Item = Reason> {
    history.forked.iter().map(|(by, lost, stays)| {
        let lost = text::count(*lost, "record");
        let text = format!(
            "{lost} that session {} wrote are not in it: session {} went on from the same records \
             before them",
            by.short(),
            stays.short()
        );
        Reason::caveat("forked", text)
    })
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
fn changed_lines(broken: &Count, found: &Scanned, claims: &Claims) -> Option<Reason> {
    if broken.records != Some(found.records) {
        return None;
    }
    let kept = claims.line_sums(broken)?;
    let changed = found
        .line_sums
        .changed_since(&kept, &claims.layout, NAMED_LINES + 1)?;
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
