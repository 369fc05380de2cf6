//! What was found, as a table for people or as CSV.

use std::borrow::Cow;
use std::path::Path;

use birthmark::find::{self, Ask, FoundCell, FoundKind as Kind};
use birthmark::text;
use birthmark_core::Timestamp;
use birthmark_core::timestamp::render_local;
use jiff::tz::TimeZone;

use super::FindArgs;
use crate::failure::Failure;
use crate::ui::Ui;
use crate::{csv, table};

/// The columns of a table: the head, and the field.
fn columns(args: &FindArgs, width: usize) -> Vec<(String, String)> {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |(head, field): &(&str, &str)| ((*head).to_owned(), (*field).to_owned());
        pairs.iter().map(owned).collect()
    };
    if !args.columns.is_empty() {
        let column = |name: &String| (name.to_uppercase(), find::field_of(name));
        return args.columns.iter().map(column).collect();
    }
    if args.sessions {
        return pairs(&[
            ("STARTED", "session_start"),
            ("SESSION", "session_id"),
            ("OUTCOME", "outcome"),
            ("MADE", "artifacts"),
            ("COMMIT", "git_commit"),
            ("HOST", "host"),
        ]);
    }
    if args.runs {
        return pairs(&[
            ("STARTED", "run_start"),
            ("RUN", "run_id"),
            ("SCRIPT", "script_name"),
            ("OUTCOME", "outcome"),
            ("SESSION", "session_id"),
        ]);
    }
    let mut all = pairs(&[
        ("WHEN", "timestamp"),
        ("TYPE", "artifact_type"),
        ("FILE", "file"),
        ("RECORDS", "records"),
        ("COMMIT", "git_commit"),
        ("SESSION", "session_id"),
    ]);
    if width < WIDE {
        // The file needs the room; `show FILE` names the session.
        all.pop();
    }
    all
}

/// Columns of a terminal that has room for everything.
const WIDE: usize = 100;

pub(super) fn rows(
    ui: &mut Ui,
    args: &FindArgs,
    ask: &Ask,
    found: &find::Answered,
) -> Result<(), Failure> {
    if args.csv {
        return csv_rows(ui, args, found);
    }
    if found.rows.is_empty() {
        return Ok(());
    }
    let mut columns = columns(args, ui.width());
    if args.columns.is_empty() {
        // What nothing has is no column, unless somebody asked for it.
        columns.retain(|(_, field)| found.rows.iter().any(|row| has(row, field)));
    }
    let names_it = |(_, field): &(String, String)| field == "file" || field == "state";
    if !columns.iter().any(names_it) && found.rows.iter().any(is_edited) {
        // A value that is not what was recorded does not stand there unmarked.
        columns.push(("STATE".to_owned(), "state".to_owned()));
    }
    let head: Vec<String> = columns.iter().map(|(head, _)| head.clone()).collect();
    let lines: Vec<Vec<String>> = found
        .rows
        .iter()
        .map(|row| {
            let cell = |(_, field): &(String, String)| {
                let value = row.fields.iter().find(|(name, _)| name == field);
                let mut shown = value.map_or_else(String::new, |(_, cell)| {
                    shown(field, cell, &ask.zone, args.columns.is_empty())
                });
                if field == "file" {
                    shown = with_place(shown, args, row);
                }
                shown
            };
            columns.iter().map(cell).collect()
        })
        .collect();
    let widest = columns.iter().position(|(_, field)| field == "file");
    ui.as_it_stands(&table::fitted(&head, &lines, ui.table_width(), widest))?;
    Ok(())
}

fn has(row: &find::Row, field: &str) -> bool {
    let cell = row.fields.iter().find(|(name, _)| name == field);
    cell.is_some_and(|(_, cell)| *cell != FoundCell::Missing)
}

fn is(row: &find::Row, field: &str, wanted: &str) -> bool {
    let mut fields = row.fields.iter();
    fields.any(|(name, cell)| {
        name == field && matches!(cell, FoundCell::Value(value) if value.as_str() == wanted)
    })
}

fn is_edited(row: &find::Row) -> bool {
    is(row, "state", "edited")
}

/// A file with its project, and with how many other places hold the same bytes.
fn with_place(file: String, args: &FindArgs, row: &find::Row) -> String {
    let mut shown = if args.all {
        let project = Path::new(&row.root).file_name().unwrap_or_default();
        format!("{}: {file}", project.to_string_lossy())
    } else {
        file
    };
    if is(row, "there", "false") {
        shown.push_str(" (gone)");
    } else if is_edited(row) {
        // Its values are not those that were recorded.
        shown.push_str(" (edited)");
    }
    if !row.places.is_empty() {
        shown.push_str(&format!(
            " (+{})",
            text::count(row.places.len() as u64, "place")
        ));
    }
    shown
}

/// A cell for people: times short, commits and sessions short where nobody chose.
fn shown(field: &str, cell: &FoundCell, zone: &TimeZone, short: bool) -> String {
    let is_time = is_time(field);
    let one = |value: &str| -> String {
        if is_time && let Ok(time) = value.parse::<Timestamp>() {
            let long = render_local(time, zone);
            return if short {
                without_year(&long, zone)
            } else {
                long
            };
        }
        match field {
            "git_commit" if short => value.get(..7).unwrap_or(value).to_owned(),
            "session_id" if short => birthmark_core::SessionId::from_text(value)
                .short()
                .to_owned(),
            "size" => value.parse().map_or_else(|_| value.to_owned(), text::bytes),
            "records" => value
                .parse()
                .map_or_else(|_| value.to_owned(), text::grouped),
            _ => value.to_owned(),
        }
    };
    match cell {
        FoundCell::Missing => String::new(),
        FoundCell::Value(value) => one(&on_one_line(value.as_str())),
        FoundCell::Values(values) if cell.ends().is_none() => {
            let values: Vec<String> = values
                .iter()
                .map(|value| one(&on_one_line(value.as_str())))
                .collect();
            values.join(", ")
        }
        FoundCell::Values(_) | FoundCell::Range(..) => match cell.ends() {
            Some((low, high)) if low.kind() == Kind::Number || is_time => {
                format!("{}..{}", one(low.as_str()), one(high.as_str()))
            }
            _ => "varies (many values)".to_owned(),
        },
        FoundCell::Several => "varies".to_owned(),
    }
}

fn is_time(field: &str) -> bool {
    matches!(
        field,
        "timestamp" | "session_start" | "session_end" | "run_start" | "run_end" | "stamped_at"
    )
}

/// A list or object as a row holds it: without the line breaks of its file.
fn on_one_line(value: &str) -> Cow<'_, str> {
    let is_nested = value.starts_with(['[', '{']) && value.contains('\n');
    let parsed = is_nested.then(|| serde_json::from_str::<serde_json::Value>(value).ok());
    match parsed.flatten() {
        Some(nested) => Cow::Owned(nested.to_string()),
        None => Cow::Borrowed(value),
    }
}

/// `22 Nov 22:31`, where the year is this one.
fn without_year(long: &str, zone: &TimeZone) -> String {
    let now = render_local(super::super::now(), zone);
    match now.split(' ').nth(2) {
        Some(year) => long.replacen(&format!(" {year} "), " ", 1),
        None => long.to_owned(),
    }
}

fn csv_rows(ui: &mut Ui, args: &FindArgs, found: &find::Answered) -> Result<(), Failure> {
    let mut columns = columns(args, usize::MAX);
    if args.columns.is_empty() && !args.sessions && !args.runs {
        columns.push(("STATE".to_owned(), "state".to_owned()));
    }
    let mut out = csv::line(columns.iter().map(|(_, field)| field.clone()));
    for row in &found.rows {
        let cell = |(_, field): &(String, String)| {
            let value = row.fields.iter().find(|(name, _)| name == field);
            value.map_or_else(String::new, |(_, cell)| match cell {
                FoundCell::Value(value) => on_one_line(value.as_str()).into_owned(),
                FoundCell::Values(values) if cell.ends().is_none() => {
                    let values = values.iter().map(find::FoundValue::to_json);
                    values.collect::<serde_json::Value>().to_string()
                }
                FoundCell::Values(_) | FoundCell::Range(..) => {
                    let ends = cell.ends().map(|(low, high)| [low.as_str(), high.as_str()]);
                    ends.map_or_else(String::new, |ends| ends.join(".."))
                }
                FoundCell::Missing | FoundCell::Several => String::new(),
            })
        };
        out.push_str(&csv::line(columns.iter().map(cell)));
    }
    ui.raw(out.as_bytes())?;
    Ok(())
}
