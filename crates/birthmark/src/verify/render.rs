//! The answer of `verify` in lines for people.
//!
//! A thing a line, in the order of their names, failures in capitals so that they stand
//! out without colour. Of many files only those that are not simply verified are shown.
//! Then the totals, and always last what was not proved.

use super::report::{Item, ItemKind, Reason, Report, Word};
use crate::text;

/// From more things than these on, those that are verified are not listed.
const MANY: usize = 20;
/// Longest name that is padded to a column.
const WIDEST: usize = 48;
/// Width of the column of words.
const WORD: usize = 12;

/// The lines, without colour.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let quiet = report.items.len() > MANY;
    let shown: Vec<&Item> = report
        .items
        .iter()
        .filter(|item| !quiet || !matches!(item.word, Word::Verified | Word::Unstamped))
        .collect();
    let caveats = quiet && report.count(Word::Failed) + report.count(Word::CannotTell) == 0;
    let width = shown
        .iter()
        .map(|item| name(item).chars().count())
        .max()
        .unwrap_or(0)
        .min(WIDEST);
    for item in &shown {
        line(&mut out, item, width);
    }
    if caveats && shown.is_empty() && !report.items.is_empty() {
        out.push_str(&format!("all {} as recorded\n", report.items.len()));
    }
    out.push('\n');
    out.push_str(&report.totals());
    out.push('\n');
    out.push_str(&format!("not proved: {}\n", report.not_proved.join("; ")));
    out
}

fn name(item: &Item) -> String {
    let name = text::neutral(&item.name);
    match item.kind {
        ItemKind::Session => format!("session {name}"),
        _ => name.into_owned(),
    }
}

fn line(out: &mut String, item: &Item, width: usize) {
    let word = match item.word {
        Word::Failed => "FAILED",
        other => other.word(),
    };
    let name = name(item);
    let mut reasons = item.reasons.iter();
    // The worst reason says more than the evidence, unless all is well.
    let first = match item.word {
        Word::Verified => item.evidence.clone(),
        Word::Caveat => {
            let why = reasons.next().map(sentence).unwrap_or_default();
            format!("{}; {why}", item.evidence)
        }
        _ => reasons.next().map(sentence).unwrap_or_default(),
    };
    out.push_str(format!("{word:<WORD$}{name:<width$}  {first}").trim_end());
    out.push('\n');
    for reason in reasons {
        out.push_str(&format!(
            "{:WORD$}{:width$}  {}\n",
            "",
            "",
            sentence(reason)
        ));
    }
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
