//! `birthmark find`: everything that was ever made, by what it was made with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use birthmark::find::{self, Ask, FoundCell, Sought};
use birthmark::text;
use birthmark_core::Timestamp;
use birthmark_core::timestamp::render_local;
use birthmark_store::atomic;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;
use crate::{csv, table};

/// Find artifacts by what they were made with
///
/// Conditions side by side must all hold; OR, NOT and parentheses are in capitals:
///
///   birthmark find 'model~qwen quantization=nf4 temperature=0.5..'
///   birthmark find 'type=evaluation base_accuracy>0.6 since:yesterday'
///   birthmark find 'dirty=true OR NOT has:seed' --sessions
///
/// `=`, `!=`, `<`, `<=`, `>`, `>=` compare; `~` is contains, without regard to case;
/// `1..10`, `0.5..` and `..0.5` are ranges; `has:field` and `field=null` ask whether it
/// is there. A word alone is looked for in file, model, script and session. What is
/// unknown is left out, and counted. Quote the filter: `>` means something to the shell.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct FindArgs {
    /// What must hold [default: everything]
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// List the sessions that made what is found
    #[arg(long, conflicts_with_all = ["runs", "records"])]
    sessions: bool,

    /// List the runs that made what is found
    #[arg(long, conflicts_with = "records")]
    runs: bool,

    /// Write out the records that match, as JSONL, byte for byte as they stand
    #[arg(long, conflicts_with_all = ["json", "csv", "count", "group_by", "columns", "sort"])]
    records: bool,

    /// Write the records to this new file
    #[arg(long, value_name = "FILE", requires = "records")]
    out: Option<PathBuf>,

    /// In all projects that the catalog knows
    #[arg(long)]
    all: bool,

    /// Also what is no longer there
    #[arg(long)]
    gone: bool,

    /// Sort by this field, the least first; -FIELD the greatest [default: -timestamp]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,

    /// How many to list [default: 50 on a terminal, else all]
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,

    /// Print only how many there are
    #[arg(long)]
    count: bool,

    /// Count them by the values of this field
    #[arg(long, value_name = "FIELD", conflicts_with = "count")]
    group_by: Option<String>,

    /// Fields to show, with commas between them
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    columns: Vec<String>,

    /// Print everything as JSON, with the stored field names
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print as CSV, for a spreadsheet
    #[arg(long)]
    csv: bool,
}

/// Lines of a table on a terminal.
const SCREEN: usize = 50;

/// Finds.
pub fn run(ui: &mut Ui, args: &FindArgs) -> Answer {
    let project = super::project()?;
    let ask = ask(ui, args);
    if args.records {
        return records(ui, args, &project, &ask);
    }
    let answer = find::find(&project, &ask)?;
    for line in &answer.said {
        ui.talk(line);
    }
    let found = &answer.found;
    if args.count {
        ui.raw(format!("{}\n", found.total).as_bytes())?;
    } else if let Some(field) = &args.group_by {
        groups(ui, args, field, &find::group_by(found, field))?;
    } else if args.json {
        ui.json(&find::to_json(found))?;
        return Ok(ExitStatus::Yes);
    } else {
        rows(ui, args, &ask, found)?;
    }
    footer(ui, args, found);
    Ok(ExitStatus::Yes)
}

fn ask(ui: &Ui, args: &FindArgs) -> Ask {
    let on_screen = ui.is_terminal() && !args.json && !args.csv && !args.records;
    let limit = match (args.count, &args.group_by) {
        (true, _) => Some(0),
        (_, Some(_)) => None,
        _ => args.limit.or(on_screen.then_some(SCREEN)),
    };
    Ask {
        what: match (args.sessions, args.runs) {
            (true, _) => Sought::Sessions,
            (_, true) => Sought::Runs,
            _ => Sought::Artifacts,
        },
        everywhere: args.all,
        gone: args.gone,
        sort: args.sort.clone(),
        limit,
        columns: args.columns.iter().chain(&args.group_by).cloned().collect(),
        ..Ask::new(args.filter.join(" "), super::now())
    }
}

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

fn rows(ui: &mut Ui, args: &FindArgs, ask: &Ask, found: &find::Answered) -> Result<(), Failure> {
    let columns = columns(args, ui.width());
    if args.csv {
        return csv_rows(ui, args, found);
    }
    if found.rows.is_empty() {
        return Ok(());
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
    ui.people(&table::fitted(&head, &lines, ui.width(), widest))?;
    Ok(())
}

/// A file with its project, and with how many other places hold the same bytes.
fn with_place(file: String, args: &FindArgs, row: &find::Row) -> String {
    let mut shown = if args.all {
        let project = Path::new(&row.root).file_name().unwrap_or_default();
        format!("{}: {file}", project.to_string_lossy())
    } else {
        file
    };
    let is_gone = row.fields.iter().any(|(name, cell)| {
        name == "there" && matches!(cell, FoundCell::Value(value) if value.as_str() == "false")
    });
    if is_gone {
        shown.push_str(" (gone)");
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
    let one = |value: &str| -> String {
        let is_time = matches!(
            field,
            "timestamp" | "session_start" | "session_end" | "run_start" | "run_end" | "stamped_at"
        );
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
        FoundCell::Value(value) => one(value.as_str()),
        FoundCell::Range(low, high) => format!("{}..{}", one(low.as_str()), one(high.as_str())),
        FoundCell::Several => "several".to_owned(),
    }
}

/// `22 Nov 22:31`, where the year is this one.
fn without_year(long: &str, zone: &TimeZone) -> String {
    let now = render_local(super::now(), zone);
    match now.split(' ').nth(2) {
        Some(year) => long.replacen(&format!(" {year} "), " ", 1),
        None => long.to_owned(),
    }
}

fn csv_rows(ui: &mut Ui, args: &FindArgs, found: &find::Answered) -> Result<(), Failure> {
    let columns = columns(args, usize::MAX);
    let mut out = csv::line(columns.iter().map(|(_, field)| field.clone()));
    for row in &found.rows {
        let cell = |(_, field): &(String, String)| {
            let value = row.fields.iter().find(|(name, _)| name == field);
            value.map_or_else(String::new, |(_, cell)| match cell {
                FoundCell::Value(value) => value.as_str().to_owned(),
                FoundCell::Range(low, high) => format!("{}..{}", low.as_str(), high.as_str()),
                FoundCell::Missing | FoundCell::Several => String::new(),
            })
        };
        out.push_str(&csv::line(columns.iter().map(cell)));
    }
    ui.raw(out.as_bytes())?;
    Ok(())
}

fn groups(
    ui: &mut Ui,
    args: &FindArgs,
    field: &str,
    groups: &[(Option<String>, u64)],
) -> Result<(), Failure> {
    if args.json {
        let all = groups
            .iter()
            .map(|(value, count)| json!({ "value": value, "count": count }))
            .collect();
        ui.json(&all)?;
        return Ok(());
    }
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    if args.csv {
        let mut out = csv::line([field.to_owned(), "count".to_owned()]);
        for (value, count) in groups {
            out.push_str(&csv::line([
                value.clone().unwrap_or_default(),
                count.to_string(),
            ]));
        }
        ui.raw(out.as_bytes())?;
        return Ok(());
    }
    let lines: Vec<Vec<String>> = groups
        .iter()
        .map(|(value, count)| vec![text::grouped(*count), word(value)])
        .collect();
    let head = ["COUNT".to_owned(), field.to_uppercase()];
    ui.people(&table::fitted(&head, &lines, ui.width(), Some(1)))?;
    Ok(())
}

/// How many there are, and what was left out.
fn footer(ui: &mut Ui, args: &FindArgs, found: &find::Answered) {
    let noun = match (args.sessions, args.runs) {
        (true, _) => "session",
        (_, true) => "run",
        _ => "artifact",
    };
    let mut line = format!(
        "{} found in {}.",
        text::grouped(found.total),
        text::count(found.among, noun)
    );
    let shown = found.rows.len() as u64;
    if shown < found.total && !args.count && args.group_by.is_none() {
        line = format!(
            "{line} {} shown: -n {} shows all.",
            text::grouped(shown),
            found.total
        );
    }
    if found.unknown > 0 {
        line = format!("{line} {}", left_out(found));
    }
    if found.gone > 0 && !args.gone {
        let verb = if found.gone == 1 { "is" } else { "are" };
        line = format!(
            "{line} {} more {verb} no longer there: --gone.",
            text::grouped(found.gone)
        );
    }
    ui.talk(&line);
}

fn left_out(found: &find::Answered) -> String {
    let (unknown, verb) = (
        text::grouped(found.unknown),
        if found.unknown == 1 { "is" } else { "are" },
    );
    match found.lacking.first() {
        Some((field, count)) => {
            let (count, have) = (
                text::grouped(*count),
                if *count == 1 { "has" } else { "have" },
            );
            let field = text::short(field, 40);
            if *count == unknown {
                format!("{count} more {have} no {field}: 'NOT has:{field}'.")
            } else {
                format!(
                    "{unknown} more {verb} unknown, {count} {have} no {field}: 'NOT has:{field}'."
                )
            }
        }
        None => format!("{unknown} more {verb} unknown: the values do not compare."),
    }
}

fn records(ui: &mut Ui, args: &FindArgs, project: &birthmark::Project, ask: &Ask) -> Answer {
    let (written, said) = if let Some(path) = &args.out {
        into_file(path, project, ask)?
    } else {
        let mut out = ui.data();
        let done = find::records(project, ask, &mut |_, _, record| {
            out.write_all(record)?;
            out.write_all(b"\n")
        })?;
        out.flush()?;
        done
    };
    for line in said {
        ui.talk(&line);
    }
    let mut line = format!(
        "{} found in {}.",
        text::count(written.records, "record"),
        text::count(written.files, "file")
    );
    if written.unknown > 0 {
        let verb = if written.unknown == 1 { "is" } else { "are" };
        line = format!(
            "{line} {} more {verb} unknown.",
            text::grouped(written.unknown)
        );
    }
    ui.talk(&line);
    Ok(ExitStatus::Yes)
}

type Done = (find::Written, Vec<String>);

fn into_file(path: &Path, project: &birthmark::Project, ask: &Ask) -> Result<Done, Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(
            Failure::new(format!("`{}` is there already", path.display()))
                .with_hint("nothing was written; name another file"),
        );
    }
    let mut answer = Ok((find::Written::default(), Vec::new()));
    let written = atomic::replace_with(path, atomic::Durability::Process, |file| {
        let mut out = std::io::BufWriter::with_capacity(1 << 16, file);
        answer = find::records(project, ask, &mut |_, _, record| {
            out.write_all(record)?;
            out.write_all(b"\n")
        });
        if answer.is_err() {
            return Err(std::io::Error::other("nothing was written"));
        }
        out.flush()
    });
    let done = answer?;
    written.map_err(birthmark::Error::from)?;
    Ok(done)
}
