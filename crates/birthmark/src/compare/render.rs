//! The answer in lines for people: the verdict first, then what moved and what is the same,
//! then the scores, and one line of advice last.

mod fields;
mod page;
mod scores;

use birthmark_core::compare::{CodeBetween, Reason, Verdict, Weight};

pub(super) use fields::arrow;
use fields::{fields, value};
use page::{Page, wrap};
use scores::{record_lines, scores};

use super::{Compared, Pair, Party};
use crate::text::{self, short};

/// The lines, without colour, at most about `width` characters wide.
pub fn render(compared: &Compared, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.max(60),
    };
    headline(&mut page, compared);
    parties(&mut page, compared);
    let several = compared.pairs.len() > 1;
    for pair in &compared.pairs {
        if several {
            pair_title(&mut page, compared, pair);
        }
        fields(&mut page, pair, compared.one_report);
        record_lines(&mut page, pair);
    }
    for pair in &compared.pairs {
        scores(&mut page, compared, pair);
    }
    last_lines(&mut page, compared);
    page.text
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Comparable => "COMPARABLE",
        Verdict::Caveats => "COMPARABLE WITH CAVEATS",
        Verdict::CannotTell => "CANNOT TELL",
        Verdict::NotComparable => "NOT COMPARABLE",
    }
}

fn headline(page: &mut Page, compared: &Compared) {
    let word = verdict_word(compared.verdict());
    let Some(pair) = compared.worst() else { return };
    let reasons = &pair.judgement.reasons;
    let first = match (reasons.first(), compared.verdict()) {
        (Some(reason), Verdict::Comparable)
            if reason.weight == Weight::Note && reason.code != "content" =>
        {
            None
        }
        (reason, _) => reason,
    };
    let why = first.map_or_else(
        || "nothing that must not differ does".to_owned(),
        |reason| text::neutral(&reason.text).into_owned(),
    );
    let who = if compared.pairs.len() > 1 {
        format!(" ({})", letters(compared, pair))
    } else {
        String::new()
    };
    for (place, line) in wrap(&format!("{word}{who}: {why}"), page.width.saturating_sub(2))
        .iter()
        .enumerate()
    {
        let indent = if place == 0 { "" } else { "  " };
        page.text.push_str(&format!("{indent}{line}\n"));
    }
    let rest = reasons.iter().skip(usize::from(first.is_some()));
    more_reasons(page, rest);
}

/// The reasons after the first. Fields that neither side tells of are named once, under
/// `unknown`; here they are counted.
fn more_reasons<'a>(page: &mut Page, reasons: impl Iterator<Item = &'a Reason>) {
    let listed = |reason: &&Reason| {
        reason.code == "missing-both"
            && reason.weight == Weight::Caveat
            && reason.text.ends_with(" is known of neither")
    };
    let reasons: Vec<&Reason> = reasons.collect();
    let unknown = reasons.iter().copied().filter(|one| listed(one)).count();
    let mut counted = false;
    let mut before = None;
    for reason in reasons {
        if unknown > 1 && listed(&reason) {
            if !counted {
                counted = true;
                let fields = text::count(unknown as u64, "field");
                let shown = if before == Some("caveat") {
                    ""
                } else {
                    "caveat"
                };
                page.put(
                    shown,
                    &format!("{fields} are known of neither: see unknown"),
                );
                before = Some("caveat");
            }
            continue;
        }
        let label = match reason.weight {
            Weight::NotComparable => "also",
            Weight::CannotTell => "cannot tell",
            Weight::Caveat => "caveat",
            Weight::Note => "note",
        };
        let shown = if before == Some(label) { "" } else { label };
        before = Some(label);
        page.put(shown, &text::neutral(&reason.text));
    }
}

fn letters(compared: &Compared, pair: &Pair) -> String {
    let letter = |place: usize| {
        compared
            .parties
            .get(place)
            .map_or("?", |party| &party.letter)
    };
    format!("{} and {}", letter(pair.a), letter(pair.b))
}

fn parties(page: &mut Page, compared: &Compared) {
    page.blank();
    let noun = if compared.kind == "evaluation" {
        "item"
    } else {
        "record"
    };
    for party in &compared.parties {
        page.put(&party.letter, &party_line(party, noun));
        for note in &party.notes {
            page.put("", &format!("! {}", text::neutral(note)));
        }
    }
}

fn party_line(one: &Party, noun: &str) -> String {
    let mut cells = vec![text::neutral(&one.file).into_owned()];
    if let Some(role) = &one.role {
        cells[0].push_str(&format!("#{}", text::neutral(role)));
    } else if one.roles.len() > 1 {
        let roles: Vec<String> = one.roles.iter().map(|role| short(role, 20)).collect();
        cells.push(roles.join(" and "));
    }
    if one.items > 0 {
        cells.push(text::count(one.items as u64, noun));
    }
    if let Some(time) = &one.timestamp {
        cells.push(short(time.get(..16).unwrap_or(time), 20).replace('T', " "));
    }
    cells.join(" · ")
}

fn pair_title(page: &mut Page, compared: &Compared, pair: &Pair) {
    page.blank();
    let word = pair.judgement.verdict.word();
    page.text
        .push_str(&format!("{}: {word}\n", letters(compared, pair)));
    if compared.worst().is_none_or(|worst| worst.b != pair.b) {
        more_reasons(page, pair.judgement.reasons.iter());
    }
}

fn last_lines(page: &mut Page, compared: &Compared) {
    page.blank();
    if compared.looks > 1 {
        let looks = compared.looks;
        page.text
            .push_str(&format!("{looks} tests: p-values are corrected by Holm\n"));
    }
    for (holds, text) in &compared.gate.lines {
        let word = match holds {
            Some(true) => "holds",
            Some(false) => "FAILED",
            None => "cannot tell",
        };
        page.put(word, &text::neutral(text));
    }
    if let Some(advice) = advice(compared) {
        page.text.push_str(&format!("try: {advice}\n"));
    }
    while page.text.ends_with("\n\n") {
        page.text.pop();
    }
}

/// What to do now, from the strongest reason.
pub(super) fn advice(compared: &Compared) -> Option<String> {
    let pair = compared.worst()?;
    let reason = pair.judgement.reasons.first()?;
    let letter = |place: usize| {
        compared
            .parties
            .get(place)
            .map_or("?", |party| &party.letter)
    };
    let field = text::neutral(&reason.field);
    let row = pair
        .judgement
        .rows
        .iter()
        .find(|row| row.field == reason.field);
    Some(match (reason.code, reason.weight) {
        ("moved", Weight::NotComparable) if !field.starts_with("dataset") => {
            let old = value(row.and_then(|row| row.a.as_ref()));
            format!(
                "run {} again with {field} {old}, or --accept {field}",
                letter(pair.b)
            )
        }
        ("moved" | "items-moved" | "items-changed", Weight::NotComparable) => {
            format!("evaluate both on the same items, or --accept {field}")
        }
        ("code-moved", Weight::NotComparable) => {
            format!(
                "run {} again with the code of {}, or --accept code",
                letter(pair.b),
                letter(pair.a)
            )
        }
        ("no-birthmark", _) => {
            "birthmark stamp FILE --set NAME=VALUE, with what is known of it".to_owned()
        }
        ("dirty", _) => "commit before the run, or --accept code".to_owned(),
        ("code-moved", Weight::CannotTell) => match pair.code {
            CodeBetween::Told(_) => {
                "look at what changed there; if it did not matter, --accept code".to_owned()
            }
            _ => "run it in a clone that has both commits, or --accept code".to_owned(),
        },
        (_, Weight::CannotTell) => format!("record {field} on both sides, or --accept {field}"),
        _ => return None,
    })
}
