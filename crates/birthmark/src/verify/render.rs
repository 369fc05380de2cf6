//! The answer of `verify` in lines for people.
//!
//! A thing a line, in the order of their names, failures in capitals so that they stand
//! out without colour. Of many files only those that are not simply verified are shown.
//! A caveat of several things is said once, below the list, and marked where it holds.
//! Then the totals, and always last what was not proved.

use std::collections::HashMap;

use super::report::{Item, ItemKind, Reason, Report, Word};
use crate::text;

/// From more things than these on, those that are verified are not listed.
const MANY: usize = 20;
/// Width of the column of words.
const WORD: usize = 12;
/// What is said beside a name gets at least this much, or goes below it.
const BESIDE: usize = 16;
/// Length of a session's short name, which is a prefix of its id.
const SHORT_ID: usize = 20;
/// Caveats of one kind are all said up to this many; of more, so many are.
const MOST_OF_A_KIND: usize = 5;
const SHOWN_OF_A_KIND: usize = 3;

/// The lines, without colour, for a screen of this many columns.
pub fn render(report: &Report, columns: usize) -> String {
    let quiet = report.items.len() > MANY;
    let shown: Vec<&Item> = report
        .items
        .iter()
        .filter(|item| !quiet || !matches!(item.word, Word::Verified | Word::Unstamped))
        .collect();
    let notes = notes(&shown);
    let mut page = Page {
        width: name_column(&shown, columns),
        columns,
        notes: &notes,
        of: report,
        out: String::new(),
    };
    for item in &shown {
        page.item(item);
    }
    if shown.is_empty() && report.word() == Some(Word::Verified) {
        page.out.push_str(&format!(
            "all {} {}\n",
            report.items.len(),
            if report.of_rules {
                "obey"
            } else {
                "as recorded"
            }
        ));
    }
    for (number, note) in notes.iter().enumerate() {
        let mark = format!("{:<WORD$}", format!("  [{}]", number + 1));
        page.wrapped(&mark, note);
    }
    page.out.push('\n');
    page.wrapped("", &report.totals());
    // Always the last, and under one another where it is long.
    page.wrapped("not proved: ", &report.not_proved.join("; "));
    page.out
}

/// The caveats that hold for several things, in the order of the things.
fn notes(shown: &[&Item]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for item in shown {
        let caveats = item
            .reasons
            .iter()
            .filter(|reason| reason.word == Word::Caveat);
        let caveats: Vec<String> = caveats.map(sentence).collect();
        all.extend(
            sentences(item)
                .into_iter()
                .filter(|said| caveats.contains(said)),
        );
    }
    let mut notes: Vec<String> = Vec::new();
    for (place, one) in all.iter().enumerate() {
        if !notes.contains(one) && all.iter().skip(place + 1).any(|other| other == one) {
            notes.push(one.clone());
        }
    }
    notes
}

/// The column of names: as wide as the longest of those that leave room beside them.
fn name_column(shown: &[&Item], columns: usize) -> usize {
    let most = columns.saturating_sub(WORD + 2 + BESIDE);
    let widths = shown.iter().map(|item| name(item).chars().count());
    widths.filter(|width| *width <= most).max().unwrap_or(0)
}

fn name(item: &Item) -> String {
    match item.kind {
        ItemKind::Session => {
            let short = item.name.get(..SHORT_ID).unwrap_or(&item.name);
            format!("session {}", text::neutral(short))
        }
        _ => text::neutral(&item.name).into_owned(),
    }
}

struct Page<'a> {
    width: usize,
    columns: usize,
    notes: &'a [String],
    of: &'a Report,
    out: String,
}

impl Page<'_> {
    fn item(&mut self, item: &Item) {
        let word = match item.word {
            Word::Failed => "FAILED",
            other => self.of.say(other),
        };
        let (mut marks, mut own) = (String::new(), Vec::new());
        for sentence in sentences(item) {
            match self.notes.iter().position(|note| *note == sentence) {
                Some(number) => marks.push_str(&format!(" [{}]", number + 1)),
                None => own.push(sentence),
            }
        }
        // The worst reason says more than the evidence, unless it is as recorded.
        let first = match item.word {
            Word::Verified | Word::Caveat => item.evidence.clone(),
            _ if own.is_empty() => String::new(),
            _ => own.remove(0),
        };
        self.line(word, &name(item), &format!("{first}{marks}"));
        for sentence in own {
            self.wrapped(&" ".repeat(WORD), &sentence);
        }
    }

    /// A word, a name and what is said of it: beside it if it fits there, else below.
    fn line(&mut self, word: &str, name: &str, first: &str) {
        let width = self.width.max(name.chars().count());
        let in_column = format!("{word:<WORD$}{name:<width$}  {first}");
        let ragged = format!("{word:<WORD$}{name}  {first}");
        let fits = |line: &&String| line.chars().count() <= self.columns || first.is_empty();
        if let Some(line) = [&in_column, &ragged].into_iter().find(fits) {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        } else {
            self.out.push_str(&format!("{word:<WORD$}{name}\n"));
            self.wrapped(&" ".repeat(WORD), first);
        }
    }

    /// A sentence under a head, broken between words, its lines under one another.
    fn wrapped(&mut self, head: &str, sentence: &str) {
        let indent = head.chars().count();
        let mut line = head.to_owned();
        let mut used = indent;
        for word in sentence.split(' ') {
            let length = word.chars().count();
            if used > indent && used + 1 + length > self.columns {
                self.out.push_str(line.trim_end());
                self.out.push('\n');
                line = " ".repeat(indent);
                used = indent;
            }
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }
}

/// What is said of a thing: of many caveats of one kind (fifty commits that are not pushed) the
/// first ones, and how many more there are. JSON has them all.
fn sentences(item: &Item) -> Vec<String> {
    let mut said = Vec::new();
    let mut times: HashMap<&str, usize> = HashMap::new();
    let alike = |reason: &&Reason, code| reason.code == code && reason.word == Word::Caveat;
    for reason in &item.reasons {
        let kind = item
            .reasons
            .iter()
            .filter(|other| alike(other, reason.code));
        let count = kind.count();
        let time = times.entry(reason.code).or_default();
        *time += 1;
        if count <= MOST_OF_A_KIND || *time <= SHOWN_OF_A_KIND {
            said.push(sentence(reason));
        } else if *time == SHOWN_OF_A_KIND + 1 {
            let more = text::grouped((count - SHOWN_OF_A_KIND) as u64);
            said.push(format!(
                "and {more} more of this kind (--json has them all)"
            ));
        }
    }
    said
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(things: usize) -> Report {
        let pushed = || Reason::caveat("not-pushed", "commit 5f970c2 is not pushed");
        let mut items: Vec<Item> = (0..things)
            .map(|n| {
                let name = format!("artifacts/evaluation_of_a_long_name_{n}.json");
                Item::new(name, ItemKind::Artifact, "12 kB, 1 commit", vec![pushed()])
            })
            .collect();
        let why = "bytes changed since 2026-11-25 23:58 UTC, in the middle of a word: line 7";
        let changed = Reason::failed("bytes", why).at(7);
        items.push(Item::new(
            "artifacts/sft.jsonl",
            ItemKind::Artifact,
            "12 records",
            vec![changed, pushed()],
        ));
        Report {
            items,
            not_proved: vec!["who made them (nothing is signed)".to_owned()],
            ..Report::default()
        }
    }

    #[test]
    fn what_holds_for_several_is_said_once_and_marked_where_it_holds() {
        let said = render(&report(3), 80);
        assert_eq!(said.matches("is not pushed").count(), 1, "{said}");
        assert_eq!(
            said.matches(" [1]").count(),
            5,
            "four things and the note: {said}"
        );
        assert!(said.ends_with("not proved: who made them (nothing is signed)\n"));
        let alone = render(&report(0), 80);
        assert!(!alone.contains("[1]"), "one thing has no notes: {alone}");
    }

    #[test]
    fn of_many_caveats_of_a_kind_the_first_are_said_and_the_rest_counted() {
        let reasons =
            (0..50).map(|n| Reason::caveat("not-pushed", format!("commit {n} is not pushed")));
        let item = Item::new(
            "a.jsonl",
            ItemKind::Artifact,
            "9 records",
            reasons.collect(),
        );
        let report = Report {
            items: vec![item],
            not_proved: vec!["who made them".to_owned()],
            ..Report::default()
        };
        let said = render(&report, 80);
        assert_eq!(said.matches("is not pushed").count(), 3, "{said}");
        assert!(said.contains("and 47 more of this kind"), "{said}");
    }

    #[test]
    fn no_line_is_wider_than_the_screen_but_for_a_name() {
        for columns in [40, 80, 120] {
            let said = render(&report(30), columns);
            let (_, last) = said.rsplit_once("\nnot proved: ").unwrap();
            // Whatever follows is of the same sentence, one under the other.
            let rest = last.lines().skip(1);
            assert!(
                rest.clone().all(|line| line.starts_with(&" ".repeat(12))),
                "{said}"
            );
            assert_eq!(rest.count() > 0, columns < 46, "{said}");
            for line in said.lines() {
                let name = line.split("  ").nth(3).unwrap_or_default().len();
                let fits = line.chars().count() <= columns.max(WORD + name);
                assert!(fits, "{columns}: {line}");
            }
        }
    }
}
