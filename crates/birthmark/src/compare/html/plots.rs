//! Scores in pictures: differences with their intervals, and which items came out otherwise.

use birthmark_core::compare::Verdict;
use birthmark_core::compare::scores::{Kind, Score, Test, number, p_value};

use super::super::Pair;
use super::{MOST, Page, escaped};
use crate::text;

pub(super) fn scores(page: &mut Page, pair: &Pair, letters: [&str; 2]) {
    let rows: Vec<&Score> = pair.score_rows().take(MOST).collect();
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
            difference(score, test),
            bar(score, test, reach),
            escaped(&says)
        ));
    }
    page.raw("</tbody></table>\n");
}

/// The difference with its sign, and the ends of its interval below.
fn difference(score: &Score, test: Option<&Test>) -> String {
    let Some(difference) = score.difference else {
        return String::new();
    };
    let sign = if difference > 0.0 { "+" } else { "" };
    let interval = test.and_then(|test| test.interval).map(|interval| {
        let ends = [interval.low, interval.high].map(number);
        format!("<br><i>[{}, {}]</i>", escaped(&ends[0]), escaped(&ends[1]))
    });
    format!(
        "{sign}{}{}",
        escaped(&number(difference)),
        interval.unwrap_or_default()
    )
}

/// One interval on a line from `-reach` to `reach`; right is better in B.
fn bar(score: &Score, test: Option<&Test>, reach: f64) -> String {
    let Some(difference) = score.difference else {
        return String::new();
    };
    let turn = if score.lower_is_better == Some(true) {
        -1.0
    } else {
        1.0
    };
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
        "{}: {} paired; {}; {}",
        name_of(score),
        text::count(test.pairs as u64, "item"),
        test.flipped(),
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
            let up = if (flip.b > flip.a) ^ (score.lower_is_better == Some(true)) {
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
