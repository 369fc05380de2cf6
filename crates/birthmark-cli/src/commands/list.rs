//! `birthmark list`: what happened lately.

use birthmark::list::{self, Lately};
use birthmark_core::Timestamp;
use birthmark_core::session::in_a_cell;
use birthmark_core::timestamp::render_age;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::table;
use crate::ui::Ui;

/// List what happened lately, one line a session
///
/// MADE is how many artifacts it made and, where not all that was planned came
/// of it, how many of the plans did: `2 (1 of 3 planned)`, in little room
/// `2 (1/3)`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How many to list
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// In all projects that the catalog knows
    #[arg(long)]
    all: bool,

    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(ui: &mut Ui, args: &ListArgs) -> Answer {
    let project = super::project_to_read(ui)?;
    let Lately {
        sessions,
        total,
        said,
        clocks,
    } = list::list(&project, args.all, args.limit, super::now())?;
    for line in said {
        ui.talk(&line);
    }
    let now = super::now();
    if args.json {
        ui.json(&sessions.iter().map(|one| list::to_json(one, now)).collect())?;
        for line in clocks.lines() {
            ui.talk(&line);
        }
        return Ok(ExitStatus::Yes);
    }
    if total == 0 {
        ui.people("no session in this project yet")?;
        match project.other_stores().as_slice() {
            [] => ui.hint("birthmark run -- python train.py"),
            others => ui.hint(&birthmark::talk::other_stores(others)),
        }
        return Ok(ExitStatus::Yes);
    }
    let mut head = vec!["STARTED", "STATUS", "RAN", "MADE", "CODE", "SESSION"];
    if args.all {
        head.push("PROJECT");
    }
    let mut head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    let width = ui.table_width();
    let row = |one| row(one, now, args.all, width >= WIDE);
    let mut rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
    let mut shown = table::fitted(&head, &rows, width, Some(2));
    if args.all && shown.lines().any(|line| line.chars().count() > width) {
        // Whose session it is tells more than its code, which `show SESSION` has.
        for row in std::iter::once(&mut head).chain(&mut rows) {
            row.remove(CODE);
        }
        shown = table::fitted(&head, &rows, width, Some(2));
    }
    ui.as_it_stands(&shown)?;
    let shown = sessions.len() as u64;
    if total > shown {
        let more = birthmark::text::grouped(total - shown);
        let all = if args.all { "--all " } else { "" };
        ui.talk(&format!("{more} more: birthmark list {all}-n {total}"));
    }
    for line in clocks.lines() {
        ui.talk(&line);
    }
    Ok(ExitStatus::Yes)
}

/// The place of the code in a row.
const CODE: usize = 4;
/// Columns of a terminal that has room for whole phrases.
const WIDE: usize = 110;

/// How long ago; of a clock that is ahead a line of its own tells.
fn since(start: Timestamp, now: Timestamp) -> String {
    if start.micros() > now.micros() + 1_000_000 {
        return "in the future".to_owned();
    }
    render_age(start, now)
}

/// Its scripts and, where it had none, its commands.
fn ran(one: &list::Session) -> String {
    if one.scripts.is_empty() {
        one.commands.join(", ")
    } else {
        one.scripts.join(", ")
    }
}

fn row(one: &list::Session, now: Timestamp, everywhere: bool, is_wide: bool) -> Vec<String> {
    let started = one
        .start
        .map_or_else(|| "unknown".to_owned(), |start| since(start, now));
    let code = in_a_cell(&one.codes, !one.drift.is_empty());
    let mut made = one.artifacts.to_string();
    // A plan that was met says nothing new.
    if one.planned.1 < one.planned.0 {
        let (planned, met) = one.planned;
        made = if is_wide {
            format!("{made} ({met} of {planned} planned)")
        } else {
            format!("{made} ({met}/{planned})")
        };
    }
    let mut cells = vec![
        started,
        list::status(one, now).word().to_owned(),
        ran(one),
        made,
        code,
        one.id.short().to_owned(),
    ];
    if everywhere {
        let project = std::path::Path::new(&one.root)
            .file_name()
            .unwrap_or_default();
        cells.push(project.to_string_lossy().into_owned());
    }
    cells
}
