//! The answer as Markdown, for a pull request or a paper's appendix.

use birthmark_core::compare::scores::{Score, number};
use birthmark_core::compare::{Class, Reason, Row, State, Weight};

use super::render::{arrow, verdict_word};
use super::{Compared, Pair};
use crate::text;

/// Rows of a table that are shown.
const MOST: usize = 40;

/// The page.
pub fn markdown(compared: &Compared) -> String {
    let mut page = format!("### {}\n\n", verdict_word(compared.verdict()));
    for party in &compared.parties {
        let role = party
            .role
            .as_ref()
            .map_or(String::new(), |role| format!("#{role}"));
        page.push_str(&format!(
            "* **{}** {}\n",
            party.letter,
            code(&format!("{}{role}", party.file))
        ));
    }
    page.push('\n');
    for pair in &compared.pairs {
        if compared.pairs.len() > 1 {
            let letter = |place: usize| compared.parties.get(place).map_or("?", |one| &one.letter);
            let word = pair.judgement.verdict.word();
            page.push_str(&format!(
                "#### {} and {}: {word}\n\n",
                letter(pair.a),
                letter(pair.b)
            ));
        }
        reasons(&mut page, &pair.judgement.reasons);
        moved(&mut page, pair);
        scores(&mut page, pair);
    }
    for (holds, text) in &compared.gate.lines {
        let word = match holds {
            Some(true) => "holds",
            Some(false) => "**failed**",
            None => "cannot tell",
        };
        page.push_str(&format!("* gate: {word}: {}\n", escaped(text)));
    }
    if compared.looks > 1 {
        page.push_str(&format!(
            "\n{} tests; p-values corrected by Holm.\n",
            compared.looks
        ));
    }
    while page.ends_with("\n\n") {
        page.pop();
    }
    page
}

fn reasons(page: &mut String, reasons: &[Reason]) {
    for reason in reasons.iter().take(MOST) {
        let word = match reason.weight {
            Weight::NotComparable => "**not comparable**",
            Weight::CannotTell => "**cannot tell**",
            Weight::Caveat => "caveat",
            Weight::Note => "note",
        };
        page.push_str(&format!("* {word}: {}\n", escaped(&reason.text)));
    }
    page.push('\n');
}

fn moved(page: &mut String, pair: &Pair) {
    let rows: Vec<&Row> = pair
        .judgement
        .rows
        .iter()
        .filter(|row| row.state == State::Moved && row.class != Class::Context)
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("| class | field | A -> B | |\n|---|---|---|---|\n");
    for row in rows.iter().take(MOST) {
        let why = row
            .not_counted
            .as_ref()
            .map_or(String::new(), |why| format!("not counted: {why}"));
        page.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            row.class.word(),
            code(&row.field),
            code(&arrow(row)),
            escaped(&why)
        ));
    }
    page.push('\n');
}

fn scores(page: &mut String, pair: &Pair) {
    let rows: Vec<&Score> = pair.score_rows().collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("| metric | A | B | B - A | 95 % interval | |\n|---|---|---|---|---|---|\n");
    for score in rows.iter().take(MOST) {
        let name = score.role.as_ref().map_or(score.metric.clone(), |role| {
            format!("{role} {}", score.metric)
        });
        let interval = score.test.as_ref().ok().and_then(|test| test.interval);
        let interval = interval.map_or(String::new(), |interval| {
            format!("{} to {}", number(interval.low), number(interval.high))
        });
        page.push_str(&format!(
            "| {} | {} | {} | {} | {interval} | {} |\n",
            code(&name),
            score.a.short(),
            score.b.short(),
            score.difference.map_or(String::new(), number),
            escaped(&score.sentence())
        ));
    }
    page.push('\n');
}

/// Text that is text in Markdown and in a cell of a table.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for each in text::neutral(text).chars() {
        match each {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '#' | '\\' | '!' | '~' | '@' => {
                out.push('\\');
                out.push(each);
            }
            each => out.push(each),
        }
    }
    out
}

/// Text in a code span, where nothing in it could end the span or be more than text.
fn code(text: &str) -> String {
    let text = text::neutral(text);
    if text.contains(['`', '|', '<', '&']) {
        return escaped(&text);
    }
    format!("`{text}`")
}
