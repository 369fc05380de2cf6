//! What was found, as a table for people or as CSV.

use std::borrow::Cow;
use std::path::Path;

use birthmark::find::{self, Ask, FoundCell, FoundKind as Kind};
use birthmark::text;
use birthmark_core::Timestamp;
use birthmark_core::session::{CodeSeen, in_a_cell};
use birthmark_core::timestamp::{render_local, zone_names};
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
        let mut all = pairs(&[
            ("STARTED", "run_start"),
            ("RUN", "run_id"),
            ("RAN", "script_name"),
            ("OUTCOME", "outcome"),
            ("COMMIT", "git_commit"),
            ("SESSION", "session_id"),
        ]);
        if width < WIDE {
            // A session can be shown, a run cannot.
            all.remove(1);
        }
        return all;
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
    let width = ui.table_width();
    let mut table = Laid::new(args, ask, found, columns);
    // The beginning of an id is as good as all of it.
    if !args.columns.is_empty() && !table::fits(&table.head, &table.lines, width) {
        table.fill(true);
    }
    // The names of files tell rows apart: what nobody asked for gives way to them.
    for field in ["records", "artifact_type"] {
        if args.columns.is_empty() && !table.names_fit(width) {
            table.leave_out(field);
        }
    }
    let mut shown = table::fitted_files(&table.head, &table.lines, width, table.files());
    let is_wide = shown.lines().any(|line| line.chars().count() > width);
    if is_wide || !(args.columns.is_empty() || table.names_fit(width)) {
        shown = table::stood(&table.head, &table.lines, width);
    }
    ui.as_it_stands(&shown)?;
    Ok(())
}

/// A table that is about to be shown.
struct Laid<'a> {
    args: &'a FindArgs,
    ask: &'a Ask,
    found: &'a find::Answered,
    columns: Vec<(String, String)>,
    head: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl<'a> Laid<'a> {
    fn new(
        args: &'a FindArgs,
        ask: &'a Ask,
        found: &'a find::Answered,
        columns: Vec<(String, String)>,
    ) -> Self {
        let head = columns
            .iter()
            .map(|column| with_zone(column, found, &ask.zone))
            .collect();
        let mut laid = Self {
            args,
            ask,
            found,
            columns,
            head,
            lines: Vec::new(),
        };
        laid.fill(args.columns.is_empty());
        laid
    }

    /// Makes the cells, with ids by their beginning where they shall be short.
    fn fill(&mut self, short: bool) {
        let (args, zone) = (self.args, &self.ask.zone);
        let tells_dirty = self.columns.iter().any(|(_, field)| field == "git_dirty");
        let one = |row: &find::Row, field: &str| match field {
            "git_commit" => commit(row, zone, short, tells_dirty, args),
            "file" => with_place(cell(row, field, zone, short), args, row),
            "script_name" if args.runs && args.columns.is_empty() => ran(row, zone),
            _ => cell(row, field, zone, short),
        };
        let line = |row| {
            self.columns
                .iter()
                .map(|(_, field)| one(row, field))
                .collect()
        };
        self.lines = self.found.rows.iter().map(line).collect();
    }

    fn files(&self) -> Option<usize> {
        self.columns.iter().position(|(_, field)| field == "file")
    }

    fn names_fit(&self, width: usize) -> bool {
        self.files().is_none() || table::names_fit(&self.head, &self.lines, width, self.files())
    }

    fn leave_out(&mut self, field: &str) {
        let Some(at) = self.columns.iter().position(|(_, known)| known == field) else {
            return;
        };
        self.columns.remove(at);
        self.head.remove(at);
        for line in &mut self.lines {
            line.remove(at);
        }
    }
}

/// The head of a column, with the zone of its times.
fn with_zone((head, field): &(String, String), found: &find::Answered, zone: &TimeZone) -> String {
    if !is_time(field) {
        return head.clone();
    }
    let cells = found.rows.iter().filter_map(|row| {
        let cell = row.fields.iter().find(|(name, _)| name == field);
        cell.and_then(|(_, cell)| cell.each())
    });
    let times = cells
        .flatten()
        .filter_map(|value| value.as_str().parse().ok());
    match zone_names(times, zone) {
        names if names.is_empty() => head.clone(),
        names => format!("{head} ({names})"),
    }
}

fn cell(row: &find::Row, field: &str, zone: &TimeZone, short: bool) -> String {
    let value = row.fields.iter().find(|(name, _)| name == field);
    value.map_or_else(String::new, |(_, cell)| shown(field, cell, zone, short))
}

/// The script of a run, else its program.
fn ran(row: &find::Row, zone: &TimeZone) -> String {
    let script = cell(row, "script_name", zone, true);
    let argv = || {
        let (_, cell) = row.fields.iter().find(|(name, _)| name == "argv")?;
        let words = match cell {
            FoundCell::Value(words) => words.elements(),
            _ => return None,
        };
        let program = words.into_iter().next()?;
        Some(program.as_str().rsplit('/').next()?.to_owned())
    };
    if script.is_empty() {
        argv().unwrap_or_default()
    } else {
        script
    }
}

/// The commit, with what was not clean of it: where that is no column of its own, or nobody
/// chose the columns.
fn commit(
    row: &find::Row,
    zone: &TimeZone,
    short: bool,
    tells_dirty: bool,
    args: &FindArgs,
) -> String {
    let values = |field: &str| {
        let cell = row.fields.iter().find(|(name, _)| name == field);
        cell.map_or(Some(Vec::new()), |(_, cell)| cell.each())
    };
    let (Some(commits), Some(mut states)) = (values("git_commit"), values("git_dirty")) else {
        return cell(row, "git_commit", zone, short);
    };
    if states.is_empty() {
        states.push(find::FoundValue::text(""));
    }
    let seen = |commit: &find::FoundValue| {
        let of = |state: &find::FoundValue| CodeSeen {
            commit: Some(on_one_line(commit.as_str()).into_owned()),
            dirty: state.as_str().parse().ok(),
            snapshot: None,
        };
        states.iter().map(of).collect::<Vec<_>>()
    };
    let codes: Vec<CodeSeen> = commits.iter().flat_map(seen).collect();
    if args.columns.is_empty() {
        return in_a_cell(&codes, row.drifted);
    }
    let shown = cell(row, "git_commit", zone, short);
    let has = |dirty| codes.iter().any(|code| code.dirty == Some(dirty));
    match (has(true), has(false)) {
        _ if tells_dirty => shown,
        (true, false) => format!("{shown} (dirty)"),
        (true, true) => format!("{shown} (clean in part)"),
        (false, true) if row.drifted => format!("{shown} (clean at first)"),
        _ => shown,
    }
}

fn has(row: &find::Row, field: &str) -> bool {
    // What ran without a script stands in its place.
    let field = if field == "script_name" && row.fields.iter().any(|(name, _)| name == "argv") {
        "argv"
    } else {
        field
    };
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

/// A cell for people: times, and ids by their beginning, where they shall be short.
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
            "git_commit" | "git_snapshot" | "script_sha" | "model_revision" if short => {
                value.get(..10).unwrap_or(value).to_owned()
            }
            "digest" | "content_digest" | "model_digest" if short => {
                value.get(..17).unwrap_or(value).to_owned()
            }
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
