//! What moved, what is the same, what is unknown.

use birthmark_core::compare::{Class, Match, Row, State};
use serde_json::Value;

use super::super::Pair;
use super::page::{LABEL, Page};
use crate::text::{self, short};

/// Longest value that is shown.
const LONGEST: usize = 34;

pub(super) fn fields(page: &mut Page, pair: &Pair, one_report: bool) {
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
        &of_machine(of(Class::Environment, &moved)),
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

/// Without the commands: the reason says what of them differs.
fn of_machine(rows: Vec<&Row>) -> Vec<&Row> {
    let is_machine = |row: &&Row| !row.field.starts_with("run.");
    rows.into_iter().filter(is_machine).collect()
}

fn moved_rows(page: &mut Page, label: &str, rows: &[&Row], meaning: &str) {
    const MOST: usize = 8;
    for (place, row) in rows.iter().take(MOST).enumerate() {
        let label = if place == 0 { label } else { "" };
        let name = row.field.trim_start_matches("environment.");
        let name = name.trim_start_matches("packages.");
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

pub(in super::super) fn arrow(row: &Row) -> String {
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
pub(super) fn value(value: Option<&Value>) -> String {
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
