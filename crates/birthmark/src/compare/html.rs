//! The answer as one HTML file that needs nothing else: plots are SVG within, and the page
//! forbids itself every script and every request.
//!
//! Everything that comes from data passes [`escaped`].

use birthmark_core::compare::scores::{Kind, Score, Test, number, p_value};
use birthmark_core::compare::{Class, CodeBetween, Row, State, Verdict, Weight};

use super::render::{advice, arrow, verdict_word};
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
    let why = match (first, compared.verdict()) {
        (Some(reason), Verdict::Comparable) if reason.code != "content" => {
            let _ = reason;
            "nothing that must not differ does".to_owned()
        }
        (Some(reason), _) => reason.text.clone(),
        (None, _) => "nothing that must not differ does".to_owned(),
    };
    let tone = tone(compared.verdict());
    page.raw(&format!(
        "<header class=\"{tone}\"><h1>{}</h1><p>{}</p></header>\n<dl class=\"parties\">",
        escaped(&word.to_lowercase()),
        escaped(&why)
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
    scores(page, pair, [letter(pair.a), letter(pair.b)]);
    fields(page, pair);
    code(page, &pair.code);
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
            "<li class=\"{tone}\"><b>{}</b> {}</li>",
            reason.weight.word(),
            escaped(&reason.text)
        ));
    }
    page.raw("</ul>\n");
}

fn scores(page: &mut Page, pair: &Pair, letters: [&str; 2]) {
    let rows: Vec<&Score> = pair
        .scores
        .iter()
        .flat_map(|(_, scores)| &scores.rows)
        .take(MOST)
        .collect();
    if rows.is_empty() {
        return;
    }
    let completeness = !matches!(
        pair.judgement.verdict,
        Verdict::Comparable | Verdict::Caveats
    );
    let note = if completeness {
        " <span>for completeness</span>"
    } else {
        ""
    };
    page.raw(&format!("<h3>Scores{note}</h3>"));
    forest(page, &rows, letters);
    for score in rows.iter().filter(|score| score.test.is_ok()) {
        if let Ok(test) = &score.test {
            flips(page, score, test, letters);
        }
    }
}

fn name_of(score: &Score) -> String {
    match &score.role {
        Some(role) => format!("{role} {}", score.metric),
        None => score.metric.clone(),
    }
}

/// Differences with their intervals, one line a metric.
fn forest(page: &mut Page, rows: &[&Score], letters: [&str; 2]) {
    let reach = rows
        .iter()
        .flat_map(|score| {
            let interval = score.test.as_ref().ok().and_then(|test| test.interval);
            let ends = interval.map_or([0.0, 0.0], |interval| [interval.low, interval.high]);
            [
                ends[0].abs(),
                ends[1].abs(),
                score.difference.unwrap_or(0.0).abs(),
            ]
        })
        .fold(0.0_f64, f64::max);
    let reach = if reach > 0.0 { reach * 1.08 } else { 1.0 };
    page.raw(&format!(
        "<table class=\"scores\"><thead><tr><th>metric</th><th class=\"n\">{}</th><th class=\"n\">{}</th>\
         <th class=\"n\">difference</th><th class=\"plot\"><i>{} better</i><i>95 % interval</i><i>{} better</i></th><th>what it says</th></tr></thead><tbody>",
        letters[0], letters[1], letters[0], letters[1]
    ));
    for score in rows {
        let test = score.test.as_ref().ok();
        let says = match &score.test {
            Ok(test) => format!("{}; {}", test.flipped(), test.says()),
            Err(why) => why.clone(),
        };
        page.raw(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"plot\">{}</td><td>{}</td></tr>",
            escaped(&name_of(score)),
            escaped(&score.a.short()),
            escaped(&score.b.short()),
            score.difference.map_or(String::new(), |d| escaped(&number(d))),
            bar(score, test, reach),
            escaped(&says)
        ));
    }
    page.raw("</tbody></table>\n");
}

/// One interval on a line from `-reach` to `reach`; right is better in B.
fn bar(score: &Score, test: Option<&Test>, reach: f64) -> String {
    let Some(difference) = score.difference else {
        return String::new();
    };
    let turn = if score.lower_is_better { -1.0 } else { 1.0 };
    let x = |value: f64| 150.0 + 140.0 * turn * value / reach;
    let mut svg = String::from(
        "<svg viewBox=\"0 0 300 24\" role=\"img\"><line class=\"zero\" x1=\"150\" y1=\"0\" x2=\"150\" y2=\"24\"/>",
    );
    if let Some(interval) = test.and_then(|test| test.interval) {
        let (a, b) = (x(interval.low), x(interval.high));
        svg.push_str(&format!(
            "<line class=\"range\" x1=\"{a:.1}\" y1=\"12\" x2=\"{b:.1}\" y2=\"12\"/>\
             <line class=\"range\" x1=\"{a:.1}\" y1=\"7\" x2=\"{a:.1}\" y2=\"17\"/>\
             <line class=\"range\" x1=\"{b:.1}\" y1=\"7\" x2=\"{b:.1}\" y2=\"17\"/>"
        ));
    }
    let evidence = test.is_some_and(Test::is_evidence);
    let class = if evidence { "dot real" } else { "dot" };
    svg.push_str(&format!(
        "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"12\" r=\"4.5\"/>",
        x(difference)
    ));
    svg.push_str(&format!(
        "<title>{}</title></svg>",
        escaped(&number(difference))
    ));
    svg
}

/// Which items came out otherwise: of passes and fails a cell an item, of other numbers the
/// differences in order of size.
fn flips(page: &mut Page, score: &Score, test: &Test, letters: [&str; 2]) {
    let title = format!(
        "{}: {} of {} paired, {}",
        name_of(score),
        test.flipped(),
        text::count(test.pairs as u64, "item"),
        p_value(test.p_counted())
    );
    page.raw(&format!(
        "<figure><figcaption>{}</figcaption>",
        escaped(&title)
    ));
    match test.kind {
        Kind::PassFail => cells(page, test, letters),
        Kind::Real => bars(page, test),
    }
    if !test.flips.is_empty() {
        page.raw("<p class=\"items\">");
        for flip in test.flips.iter().take(60) {
            let up = if (flip.b > flip.a) ^ score.lower_is_better {
                "up"
            } else {
                "down"
            };
            page.raw(&format!(
                "<span class=\"{up}\">{} <i>{} → {}</i></span> ",
                escaped(&flip.id),
                escaped(&number(flip.a)),
                escaped(&number(flip.b))
            ));
        }
        if test.flips.len() > 60 {
            page.raw(&format!("<span>+{} more</span>", test.flips.len() - 60));
        }
        page.raw("</p>");
    }
    page.raw("</figure>\n");
}

fn cells(page: &mut Page, test: &Test, letters: [&str; 2]) {
    let same = test.pairs - test.only_a - test.only_b;
    let total = test.pairs.max(1);
    let width = |count: usize| share(count, total) * 600.0;
    let mut x = 0.0;
    page.raw(
        "<svg class=\"strip\" viewBox=\"0 0 600 30\" preserveAspectRatio=\"none\" role=\"img\">",
    );
    for (count, class) in [(test.only_a, "down"), (same, "same"), (test.only_b, "up")] {
        let wide = width(count);
        page.raw(&format!(
            "<rect class=\"{class}\" x=\"{x:.2}\" y=\"0\" width=\"{wide:.2}\" height=\"30\"/>"
        ));
        x += wide;
    }
    page.raw("</svg><p class=\"legend\">");
    for (count, class, label) in [
        (
            test.only_a,
            "down",
            format!("passed in {} alone", letters[0]),
        ),
        (same, "same", "the same in both".to_owned()),
        (test.only_b, "up", format!("passed in {} alone", letters[1])),
    ] {
        page.raw(&format!(
            "<span class=\"{class}\"><b>{count}</b> {}</span>",
            escaped(&label)
        ));
    }
    page.raw("</p>");
}

#[expect(clippy::cast_precision_loss, reason = "a share for a picture")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn bars(page: &mut Page, test: &Test) {
    let mut sorted = test.differences.clone();
    sorted.sort_by(f64::total_cmp);
    let step = sorted.len().div_ceil(MOST).max(1);
    let shown: Vec<f64> = sorted.iter().copied().step_by(step).collect();
    let reach = shown
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let reach = if reach > 0.0 { reach } else { 1.0 };
    let wide = 600.0 / share(shown.len().max(1), 1);
    page.raw(
        "<svg class=\"bars\" viewBox=\"0 0 600 100\" preserveAspectRatio=\"none\" role=\"img\">",
    );
    for (place, value) in shown.iter().enumerate() {
        let height = (value.abs() / reach * 48.0).max(0.4);
        let (y, class) = if *value < 0.0 {
            (50.0, "down")
        } else {
            (50.0 - height, "up")
        };
        let x = share(place, 1) * wide;
        page.raw(&format!(
            "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{height:.2}\"/>",
            wide * 0.86
        ));
    }
    page.raw("<line class=\"zero\" x1=\"0\" y1=\"50\" x2=\"600\" y2=\"50\"/></svg>");
    page.raw(&format!(
        "<p class=\"legend\"><span>the difference of each item, from the least to the greatest; the tallest is {}</span></p>",
        escaped(&number(reach))
    ));
}

fn fields(page: &mut Page, pair: &Pair) {
    let rows: Vec<&Row> = pair
        .judgement
        .rows
        .iter()
        .filter(|row| row.class != Class::Context)
        .take(MOST)
        .collect();
    if rows.is_empty() {
        return;
    }
    page.raw("<details open><summary>Fields</summary><table><thead><tr><th>field</th><th>class</th><th>how it stands</th><th>value</th></tr></thead><tbody>");
    for state in [
        State::Moved,
        State::MissingOne,
        State::MissingBoth,
        State::Same,
    ] {
        for row in rows.iter().filter(|row| row.state == state) {
            let tone = match (row.class, row.state, &row.not_counted) {
                (Class::Instrument, State::Moved, None) => "bad",
                (_, State::Same, _) | (_, _, Some(_)) | (Class::Subject, _, _) => "",
                _ => "mind",
            };
            let value = if row.state == State::Same {
                row.a
                    .as_ref()
                    .map(text::plain)
                    .map_or(String::new(), |value| text::short(&value, 90))
            } else {
                arrow(row)
            };
            let why = [&row.not_counted, &row.remark].into_iter().flatten();
            let why: Vec<String> = why
                .map(|text| format!(" <i>{}</i>", escaped(text)))
                .collect();
            page.raw(&format!(
                "<tr class=\"{tone}\"><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}{}</td></tr>",
                escaped(&row.field),
                row.class.word(),
                row.state.word(),
                escaped(&value),
                why.join("")
            ));
        }
    }
    page.raw("</tbody></table></details>\n");
}

fn code(page: &mut Page, between: &CodeBetween) {
    let CodeBetween::Told(between) = between else {
        return;
    };
    page.raw("<details><summary>Code between the two</summary><ul>");
    for commit in between.commits.iter().take(50) {
        let id = commit.id.get(..7).unwrap_or(&commit.id);
        page.raw(&format!(
            "<li><code>{}</code> {}</li>",
            escaped(id),
            escaped(&commit.title)
        ));
    }
    page.raw("</ul><ul>");
    for file in between.files.iter().take(MOST) {
        page.raw(&format!(
            "<li><code>{}</code> {}</li>",
            escaped(&file.path),
            file.part.word()
        ));
    }
    page.raw("</ul></details>\n");
}

fn foot(page: &mut Page, compared: &Compared) {
    page.raw("<footer>");
    for (holds, text) in &compared.gate.lines {
        let word = match holds {
            Some(true) => "holds",
            Some(false) => "failed",
            None => "cannot tell",
        };
        page.raw(&format!("<p><b>gate: {word}</b> {}</p>", escaped(text)));
    }
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
