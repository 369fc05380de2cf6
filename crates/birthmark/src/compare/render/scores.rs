//! The numbers: records that came and went, scores and whether their difference is real.

use birthmark_core::compare::scores::{Score, Test, number};
use birthmark_core::compare::{Match, Verdict};

use super::super::{Compared, Pair};
use super::page::{LABEL, Page};
use crate::text::{self, short};

/// Items that are named.
const ITEMS: usize = 6;

pub(super) fn record_lines(page: &mut Page, pair: &Pair) {
    let Some(found) = &pair.records else { return };
    page.blank();
    let [a, b] = found.records.map(text::grouped);
    page.put("records", &format!("{a} -> {b}: {}", found.says()));
    for (label, (count, first)) in [
        ("added", &found.added),
        ("removed", &found.removed),
        ("changed", &found.changed),
    ] {
        if *count > 0 {
            let more = count.saturating_sub(first.len() as u64);
            let tail = and_more(more);
            page.put(label, &format!("{}{tail}", first.join(", ")));
        }
    }
}

pub(super) fn scores(page: &mut Page, compared: &Compared, pair: &Pair) {
    let rows: Vec<&Score> = pair.score_rows().collect();
    if rows.is_empty() {
        return;
    }
    page.blank();
    let letter = |place: usize| {
        compared
            .parties
            .get(place)
            .map_or("?", |party| &party.letter)
    };
    let mut title = format!("scores, {} -> {}", letter(pair.a), letter(pair.b));
    if !matches!(
        pair.judgement.verdict,
        Verdict::Comparable | Verdict::Caveats
    ) {
        title.push_str(", for completeness");
    }
    if let Some(how) = pair.matching.how.filter(|how| *how != Match::Row) {
        let paired = text::count(pair.matching.pairs.len() as u64, "item");
        title.push_str(&format!(": {paired} paired by {}", how.word()));
    }
    page.text.push_str(&format!("{title}\n"));
    const MOST: usize = 20;
    for score in rows.iter().take(MOST) {
        score_lines(page, score);
    }
    if rows.len() > MOST {
        page.put(
            "",
            &format!("+{} more metrics: --json has them", rows.len() - MOST),
        );
    }
    for (role, scores) in &pair.scores {
        let of = role
            .as_ref()
            .map_or(String::new(), |role| format!(" of {role}"));
        let only = [
            (&scores.only_a, letter(pair.a)),
            (&scores.only_b, letter(pair.b)),
        ];
        for (names, letter) in only.iter().filter(|(names, _)| !names.is_empty()) {
            let some: Vec<String> = names.iter().take(6).map(|name| short(name, 30)).collect();
            let more = names.len().saturating_sub(some.len());
            let tail = and_more(more as u64);
            page.put(
                &format!("only in {letter}"),
                &format!("{}{tail}{of}", some.join(", ")),
            );
        }
    }
    for (roles, letter) in pair.unpaired.iter().zip([letter(pair.a), letter(pair.b)]) {
        if !roles.is_empty() {
            page.put(
                &format!("only in {letter}"),
                &format!("system {}", roles.join(", ")),
            );
        }
    }
}

fn score_lines(page: &mut Page, score: &Score) {
    let name = match &score.role {
        Some(role) => format!("{role} {}", score.metric),
        None => score.metric.clone(),
    };
    let name = text::neutral(&name).into_owned();
    let mut line = format!("{} -> {}", score.a.short(), score.b.short());
    if let Some(difference) = score.difference {
        line.push_str(&format!("  {}", signed(difference)));
    }
    if let Ok(test) = &score.test
        && let Some(interval) = test.interval
    {
        let (low, high) = (number(interval.low), number(interval.high));
        line.push_str(&format!(" [{low}, {high}]"));
    }
    if name.chars().count() < LABEL {
        page.put(&name, &line);
    } else {
        page.text.push_str(&format!("{name}\n"));
        page.put("", &line);
    }
    let sentence = text::neutral(&score.sentence())
        .replace("p = ", "p\u{a0}=\u{a0}")
        .replace("p < ", "p\u{a0}<\u{a0}");
    page.put("", &sentence);
    if score.is_repeat {
        page.put("", "the same model on both sides: how far two runs part");
    }
    if let Ok(test) = &score.test {
        flips(page, test);
    }
}

fn flips(page: &mut Page, test: &Test) {
    if test.flips.is_empty() {
        return;
    }
    let named: Vec<String> = test
        .flips
        .iter()
        .take(ITEMS)
        .map(|flip| {
            format!(
                "{} ({} -> {})",
                short(&flip.id, 24),
                number(flip.a),
                number(flip.b)
            )
        })
        .collect();
    let more = test.flips.len().saturating_sub(ITEMS);
    let tail = and_more(more as u64);
    let named: Vec<String> = named.iter().map(|one| one.replace(' ', "\u{a0}")).collect();
    page.put("", &format!("{}{tail}", named.join(", ")));
}

fn signed(value: f64) -> String {
    if value > 0.0 {
        format!("+{}", number(value))
    } else {
        number(value)
    }
}

/// What stands after the few that are named: nothing, or how many more there are.
fn and_more(count: u64) -> String {
    match count {
        0 => String::new(),
        _ => format!(", +{count}"),
    }
}
