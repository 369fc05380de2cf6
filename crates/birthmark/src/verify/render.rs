//! The answer of `verify` in lines for people.
//!
//! A thing a line, in the order of their names, failures in capitals so that they stand
//! out without colour. Of many files only those that are not simply verified are shown.
//! What holds for several things alike is said once, below them. Then the totals, and
//! always last what was not proved.

use std::collections::HashMap;

use super::report::{Item, ItemKind, Reason, Report, Word};
use crate::text;

/// From more things than these on, those that are verified are not listed.
const MANY: usize = 20;
/// Longest name that is padded to a column.
const WIDEST: usize = 48;
/// Width of the column of words.
const WORD: usize = 12;
/// A caveat that so many things have is said once.
const SHARED: usize = 3;
/// Reasons of one kind that are listed of one thing.
const OF_A_KIND: usize = 3;

/// The lines, without colour.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let many = report.items.len() > MANY;
    let shared = shared(report);
    let shown: Vec<&Item> = report
        .items
        .iter()
        .filter(|item| !many || !is_quiet(item, &shared))
        .collect();
    let widths = shown.iter().map(|item| name(item).chars().count());
    let width = widths.max().unwrap_or(0).min(WIDEST);
    for item in &shown {
        line(&mut out, item, width, &shared);
    }
    if shown.len() < report.items.len() {
        let rest = text::grouped((report.items.len() - shown.len()) as u64);
        out.push_str(&format!("{rest} not listed: nothing is wrong with them\n"));
    }
    out.push('\n');
    for (text, count) in in_order(report, &shared) {
        out.push_str(&format!("caveat of {count}: {text}\n"));
    }
    out.push_str(&format!("{}\n", report.totals()));
    out.push_str(&format!("not proved: {}\n", report.not_proved.join("; ")));
    out
}

/// Caveats that several things have word for word, with how many have them.
type Shared<'a> = HashMap<&'a str, usize>;

fn shared(report: &Report) -> Shared<'_> {
    let mut counts = Shared::new();
    for reason in report.items.iter().flat_map(|item| &item.reasons) {
        if is_whole(reason) {
            *counts.entry(reason.text.as_str()).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count >= SHARED);
    counts
}

fn is_whole(reason: &Reason) -> bool {
    reason.word == Word::Caveat && reason.line.is_none()
}

fn is_shared(reason: &Reason, shared: &Shared<'_>) -> bool {
    is_whole(reason) && shared.contains_key(reason.text.as_str())
}

/// The shared caveats in the order in which they are met.
fn in_order(report: &Report, shared: &Shared<'_>) -> Vec<(String, usize)> {
    let mut told: Vec<(String, usize)> = Vec::new();
    let reasons = report.items.iter().flat_map(|item| &item.reasons);
    for reason in reasons.filter(|reason| is_shared(reason, shared)) {
        let text = text::neutral(&reason.text).into_owned();
        if !told.iter().any(|(known, _)| *known == text) {
            let count = shared.get(reason.text.as_str()).copied();
            told.push((text, count.unwrap_or(0)));
        }
    }
    told
}

/// Whether a thing has nothing to say for itself.
fn is_quiet(item: &Item, shared: &Shared<'_>) -> bool {
    match item.word {
        Word::Verified | Word::Unstamped => true,
        Word::Caveat => item.reasons.iter().all(|reason| is_shared(reason, shared)),
        Word::CannotTell | Word::Failed => false,
    }
}

fn name(item: &Item) -> String {
    let name = text::neutral(&item.name);
    match item.kind {
        ItemKind::Session => format!("session {name}"),
        _ => name.into_owned(),
    }
}

fn line(out: &mut String, item: &Item, width: usize, shared: &Shared<'_>) {
    let word = match item.word {
        Word::Failed => "FAILED",
        other => other.word(),
    };
    let mut sentences = sentences(item, shared).into_iter();
    // The worst reason says more than the evidence, unless all is well.
    let first = match item.word {
        Word::Verified | Word::Caveat => {
            let why = sentences.next().map(|why| format!("; {why}"));
            format!("{}{}", item.evidence, why.unwrap_or_default())
        }
        _ => sentences.next().unwrap_or_default(),
    };
    let name = name(item);
    out.push_str(format!("{word:<WORD$}{name:<width$}  {first}").trim_end());
    out.push('\n');
    for sentence in sentences {
        out.push_str(&format!("{:WORD$}{:width$}  {sentence}\n", "", ""));
    }
}

/// What is said of a thing: each reason that is not said below for several, and of many
/// of one kind only some.
fn sentences(item: &Item, shared: &Shared<'_>) -> Vec<String> {
    let mut told: HashMap<&str, usize> = HashMap::new();
    let mut out = Vec::new();
    for reason in &item.reasons {
        if is_shared(reason, shared) {
            continue;
        }
        let count = told.entry(reason.code).or_default();
        *count += 1;
        if *count <= OF_A_KIND {
            out.push(sentence(reason));
        }
    }
    let mut more: Vec<(&str, usize)> = told.into_iter().filter(|(_, n)| *n > OF_A_KIND).collect();
    more.sort_unstable();
    let tails = more.iter();
    out.extend(tails.map(|(code, count)| format!("and {} more: {code}", count - OF_A_KIND)));
    out
}

fn sentence(reason: &Reason) -> String {
    let text = text::neutral(&reason.text).into_owned();
    match (reason.line, reason.records) {
        (Some(line), 2..) => format!(
            "{text} ({}, first at line {line})",
            text::count(reason.records, "record")
        ),
        (Some(line), _) if !text.contains(&format!("line {line}")) => {
            format!("{text} (line {line})")
        }
        _ => text,
    }
}
