//! The answer in lines for people: the verdict first, then what moved and what is the same,
//! then the scores, and one line of advice last.

use birthmark_core::compare::scores::{Score, Test, number};
use birthmark_core::compare::{Class, Match, Reason, Row, State, Verdict, Weight};
use serde_json::Value;

use super::{Compared, Pair, Party};
use crate::text::{self, short};

/// Width of the first column.
const LABEL: usize = 13;
/// Longest value that is shown.
const LONGEST: usize = 34;
/// Items that are named.
const ITEMS: usize = 6;

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

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line with its label; what does not fit goes on the next, indented.
    fn put(&mut self, label: &str, text: &str) {
        let room = self.width.saturating_sub(LABEL);
        for (place, line) in wrap(text, room).iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let line = format!("{label:<LABEL$}{line}");
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Several short parts under one label.
    fn list(&mut self, label: &str, parts: &[String]) {
        if !parts.is_empty() {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| part.replace(' ', "\u{a0}"))
                .collect();
            self.put(label, &parts.join(", "));
        }
    }
}

/// Breaks at spaces; a word that is longer than the line stands alone. Spaces that must not
/// break are written U+00A0.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
        .into_iter()
        .map(|line| line.replace('\u{a0}', " "))
        .collect()
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

fn fields(page: &mut Page, pair: &Pair, one_report: bool) {
    page.blank();
    let rows = &pair.judgement.rows;
    let of = |class: Class, states: &[State]| -> Vec<&Row> {
        rows.iter()
            .filter(|row| row.class == class && states.contains(&row.state))
            .collect()
    };
    let moved = [State::Moved];
    moved_rows(
        page,
        "subject",
        &of(Class::Subject, &moved),
        "meant to differ",
    );
    moved_rows(
        page,
        "instrument",
        &counted(of(Class::Instrument, &moved)),
        "must not differ",
    );
    moved_rows(
        page,
        "in no class",
        &of(Class::Unclassed, &moved),
        "may matter",
    );
    moved_rows(
        page,
        "environment",
        &of(Class::Environment, &moved),
        "may matter",
    );
    code_lines(page, pair);
    let varies =
        |row: &&Row| row.state == State::Moved && value(row.a.as_ref()).ends_with(" values)");
    let ranges: Vec<String> = rows
        .iter()
        .filter(varies)
        .map(|row| format!("{} {}", text::neutral(&row.field), arrow(row)))
        .collect();
    page.list("varies", &ranges);
    page.list("same", &same(rows, pair));
    page.list("not counted", &not_counted(rows));
    page.list("unknown", &unknown(rows, one_report));
}

fn counted(rows: Vec<&Row>) -> Vec<&Row> {
    rows.into_iter()
        .filter(|row| {
            row.not_counted.is_none()
                && !matches!(row.field.as_str(), "code" | "items" | "git_dirty")
        })
        .collect()
}

fn moved_rows(page: &mut Page, label: &str, rows: &[&Row], meaning: &str) {
    const MOST: usize = 8;
    for (place, row) in rows.iter().take(MOST).enumerate() {
        let label = if place == 0 { label } else { "" };
        let name = row.field.trim_start_matches("environment.");
        let text = format!("{}  {}", text::neutral(name), arrow(row));
        let room = page.width.saturating_sub(LABEL + meaning.len() + 2);
        if place == 0 && text.chars().count() <= room {
            page.text
                .push_str(&format!("{label:<LABEL$}{text:<room$}  {meaning}\n"));
        } else {
            page.put(label, &text);
        }
    }
    if rows.len() > MOST {
        page.put("", &format!("+{} more: --json has them", rows.len() - MOST));
    }
}

pub(super) fn arrow(row: &Row) -> String {
    if row.state == State::MissingBoth {
        return "not recorded".to_owned();
    }
    let (a, b) = (value(row.a.as_ref()), value(row.b.as_ref()));
    if a == b {
        let whole = |value: &Option<Value>| value.as_ref().map(text::plain).unwrap_or_default();
        let (a, b) = (whole(&row.a), whole(&row.b));
        let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| -> String {
            let cut: String = text
                .chars()
                .skip(same.saturating_sub(6))
                .take(LONGEST / 2)
                .collect();
            format!("…{cut}")
        };
        return format!("{} -> {}", part(&a), part(&b));
    }
    format!("{a} -> {b}")
}

/// A value, digests cut.
fn value(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "none".to_owned();
    };
    let plain = text::plain(value);
    if let Some((algorithm, hex)) = plain.split_once(':')
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return format!("{algorithm}:{}…", hex.get(..8).unwrap_or(hex));
    }
    if plain.len() >= 40 && plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return plain.get(..7).unwrap_or(&plain).to_owned();
    }
    short(&plain, LONGEST)
}

fn code_lines(page: &mut Page, pair: &Pair) {
    use birthmark_core::compare::CodeBetween;
    const COMMITS: usize = 5;
    const FILES: usize = 8;
    let CodeBetween::Told(between) = &pair.code else {
        return;
    };
    for (place, commit) in between.commits.iter().take(COMMITS).enumerate() {
        let label = if place == 0 { "commits" } else { "" };
        let id = commit.id.get(..7).unwrap_or(&commit.id);
        let side = if commit.to_b { "" } else { " (only in A)" };
        let room = page.width.saturating_sub(LABEL + 9 + side.len());
        page.put(label, &format!("{id} {}{side}", short(&commit.title, room)));
    }
    let count = between.count.found().copied().unwrap_or(0);
    if count > COMMITS as u64 {
        page.put("", &format!("+{} more", count - COMMITS as u64));
    }
    for (place, file) in between.files.iter().take(FILES).enumerate() {
        let label = if place == 0 { "files" } else { "" };
        let path = text::neutral(&file.path);
        page.put(label, &format!("{path} ({})", file.part.word()));
    }
    if between.files.len() > FILES {
        page.put("", &format!("+{} more", between.files.len() - FILES));
    }
}

fn same(rows: &[Row], pair: &Pair) -> Vec<String> {
    let mut parts = Vec::new();
    let same = |row: &&Row| row.state == State::Same;
    for row in rows
        .iter()
        .filter(same)
        .filter(|row| matches!(row.class, Class::Instrument))
    {
        let field = row.field.as_str();
        let shown = value(row.a.as_ref());
        let part = match field {
            "dataset" => same_dataset(rows),
            "dataset.name" if is_same(rows, "dataset") => continue,
            "dataset.name" => format!("dataset called {shown}"),
            "items" => match pair.matching.how {
                Some(Match::Id) => format!("{shown} items by id"),
                Some(how) => format!("{shown} items by {}", how.word()),
                None => continue,
            },
            "template_disabled" if shown == "true" => "template off".to_owned(),
            "template_disabled" => "template on".to_owned(),
            "code" => format!("code {shown}"),
            "artifact_type"
            | "git_dirty"
            | "dataset.size"
            | "dataset.source"
            | "dataset.version_sha"
            | "script_sha"
            | "loader_version" => continue,
            name if name.ends_with("limit") && shown == "none" => continue,
            "script_name" => shown,
            "sentinel_tests_passed" => "sentinels".to_owned(),
            _ if row
                .a
                .as_ref()
                .is_some_and(|a| a.is_object() || a.is_array()) =>
            {
                field.to_owned()
            }
            _ => format!("{field} {shown}"),
        };
        parts.push(text::neutral(&part).into_owned());
    }
    if let Some(held) = pair.loaded.as_ref().filter(|held| held.same > 0) {
        let modules = text::count(held.same as u64, "module");
        parts.push(format!("{modules} loaded"));
    }
    parts
}

fn is_same(rows: &[Row], name: &str) -> bool {
    rows.iter()
        .any(|row| row.field == name && row.state == State::Same)
}

/// `dataset held_out (12 items, same digest)`.
fn same_dataset(rows: &[Row]) -> String {
    let known = |name: &str| {
        let row = rows.iter().find(|row| row.field == name)?;
        row.a.as_ref().map(|found| value(Some(found)))
    };
    let name = known("dataset.name").map_or(String::new(), |name| format!(" {name}"));
    let size = known("dataset.size").map_or(String::new(), |size| format!("{size} items, "));
    format!("dataset{name} ({size}same digest)")
}

fn not_counted(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| {
            let why = row.not_counted.as_ref()?;
            let moved = match row.state {
                State::Moved => format!("{} {}", row.field, arrow(row)),
                _ => row.field.clone(),
            };
            Some(format!("{} ({why})", text::neutral(&moved)))
        })
        .collect()
}

fn unknown(rows: &[Row], one_report: bool) -> Vec<String> {
    let counts = |row: &&Row| {
        matches!(
            row.class,
            Class::Instrument | Class::Subject | Class::Unclassed
        ) && row.not_counted.is_none()
    };
    rows.iter()
        .filter(counts)
        .filter_map(|row| {
            let lacks = match (row.state, row.a.is_none()) {
                (State::MissingBoth, _) if one_report => "",
                (State::MissingBoth, _) => " in both",
                (State::MissingOne, true) => " in A",
                (State::MissingOne, false) => " in B",
                _ => return None,
            };
            Some(format!("{}{lacks}", text::neutral(&row.field)))
        })
        .collect()
}

fn record_lines(page: &mut Page, pair: &Pair) {
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
            let tail = if more > 0 {
                format!(", +{more}")
            } else {
                String::new()
            };
            page.put(label, &format!("{}{tail}", first.join(", ")));
        }
    }
}

fn scores(page: &mut Page, compared: &Compared, pair: &Pair) {
    let rows: Vec<&Score> = pair
        .scores
        .iter()
        .flat_map(|(_, scores)| &scores.rows)
        .collect();
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
            let tail = if more > 0 {
                format!(", +{more}")
            } else {
                String::new()
            };
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
    let tail = if more > 0 {
        format!(", +{more}")
    } else {
        String::new()
    };
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
        ("code-moved", Weight::CannotTell) => {
            "run it in a clone that has both commits, or --accept code".to_owned()
        }
        (_, Weight::CannotTell) => format!("record {field} on both sides, or --accept {field}"),
        _ => return None,
    })
}
