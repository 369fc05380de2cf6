//! The answer as one HTML file that needs nothing else: plots are SVG within, and the page
//! forbids itself every script and every request.
//!
//! Everything that comes from data passes [`escaped`].

mod plots;
mod tables;

use birthmark_core::compare::{Verdict, Weight};

use super::render::{advice, verdict_word};
use super::{Compared, Pair, Party};
use crate::text;

const STYLE: &str = include_str!("page.css");
/// Rows of a table, and items of a plot.
const MOST: usize = 400;

/// The page.
pub fn html(compared: &Compared) -> String {
    let mut page = Page::default();
    let word = verdict_word(compared.verdict());
    page.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.raw(&format!(
        "<title>{}</title>\n<style>\n{STYLE}</style></head><body><main>\n",
        escaped(word)
    ));
    head(&mut page, compared, word);
    gates(&mut page, compared);
    for pair in &compared.pairs {
        pair_part(&mut page, compared, pair);
    }
    foot(&mut page, compared);
    page.raw("</main></body></html>\n");
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn raw(&mut self, html: &str) {
        self.text.push_str(html);
    }
}

/// Text as text.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for each in text::neutral(text).chars() {
        match each {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            each => out.push(each),
        }
    }
    out
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Comparable => "good",
        Verdict::Caveats => "mind",
        Verdict::CannotTell => "unsure",
        Verdict::NotComparable => "bad",
    }
}

fn head(page: &mut Page, compared: &Compared, word: &str) {
    let first = compared
        .worst()
        .and_then(|pair| pair.judgement.reasons.first());
    let told = first
        .filter(|reason| compared.verdict() != Verdict::Comparable || reason.code == "content");
    let why = told.map_or("nothing that must not differ does", |reason| &reason.text);
    let tone = tone(compared.verdict());
    page.raw(&format!(
        "<header class=\"{tone}\"><h1>{}</h1><p>{}</p></header>\n<dl class=\"parties\">",
        escaped(&word.to_lowercase()),
        escaped(why)
    ));
    for party in &compared.parties {
        page.raw(&format!(
            "<dt>{}</dt><dd>{}</dd>",
            party.letter,
            party_cell(party)
        ));
    }
    page.raw("</dl>\n");
}

fn party_cell(party: &Party) -> String {
    let mut cell = format!("<code>{}</code>", escaped(&party.file));
    if let Some(role) = &party.role {
        cell.push_str(&format!(" <b>{}</b>", escaped(role)));
    }
    let mut facts = Vec::new();
    if party.items > 0 {
        facts.push(text::count(party.items as u64, "item"));
    }
    if let Some(time) = &party.timestamp {
        facts.push(time.get(..16).unwrap_or(time).replace('T', " "));
    }
    facts.extend(party.notes.iter().cloned());
    cell.push_str(&format!(" <span>{}</span>", escaped(&facts.join(" · "))));
    cell
}

fn pair_part(page: &mut Page, compared: &Compared, pair: &Pair) {
    let letter = |place: usize| {
        compared
            .parties
            .get(place)
            .map_or("?", |party| &party.letter)
    };
    page.raw("<section>");
    if compared.pairs.len() > 1 {
        page.raw(&format!(
            "<h2>{} and {}: {}</h2>",
            letter(pair.a),
            letter(pair.b),
            escaped(pair.judgement.verdict.word())
        ));
    }
    // With one pair the strongest stands in the head.
    reasons(
        page,
        pair,
        compared.pairs.len() == 1 && compared.verdict() != Verdict::Comparable,
    );
    plots::scores(page, pair, [letter(pair.a), letter(pair.b)]);
    tables::fields(page, pair);
    tables::code(page, &pair.code);
    if let Some(found) = &pair.records {
        page.raw(&format!(
            "<h3>Records</h3><p>{}</p>",
            escaped(&found.says())
        ));
    }
    page.raw("</section>\n");
}

fn reasons(page: &mut Page, pair: &Pair, first: bool) {
    page.raw("<ul class=\"reasons\">");
    for reason in pair
        .judgement
        .reasons
        .iter()
        .skip(usize::from(first))
        .take(MOST)
    {
        let tone = match reason.weight {
            Weight::NotComparable => "bad",
            Weight::CannotTell => "unsure",
            Weight::Caveat => "mind",
            Weight::Note => "note",
        };
        page.raw(&format!(
            "<li class=\"{tone}\"><b>{}</b><p>{}</p></li>",
            reason.weight.word(),
            escaped(&reason.text)
        ));
    }
    page.raw("</ul>\n");
}

fn gates(page: &mut Page, compared: &Compared) {
    if compared.gate.lines.is_empty() {
        return;
    }
    page.raw("<ul class=\"reasons\">");
    for (holds, text) in &compared.gate.lines {
        let (tone, word) = match holds {
            Some(true) => ("good", "gate holds"),
            Some(false) => ("bad", "gate failed"),
            None => ("unsure", "gate: cannot tell"),
        };
        let text = escaped(text);
        page.raw(&format!(
            "<li class=\"{tone}\"><b>{word}</b><p>{text}</p></li>"
        ));
    }
    page.raw("</ul>\n");
}

fn foot(page: &mut Page, compared: &Compared) {
    page.raw("<footer>");
    if compared.looks > 1 {
        page.raw(&format!(
            "<p>{} tests; p-values are corrected by Holm.</p>",
            compared.looks
        ));
    }
    if let Some(advice) = advice(compared) {
        page.raw(&format!("<p>try: {}</p>", escaped(&advice)));
    }
    page.raw(&format!(
        "<p>Passes and fails: McNemar's exact test and Tango's interval. Other numbers: permutation of signs and bootstrap, seed {}. Birthmark {}.</p></footer>\n",
        compared.seed,
        crate::VERSION
    ));
}
