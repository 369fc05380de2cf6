//! `birthmark sql`: any question that SQL can ask.

use std::time::Duration;

use birthmark::find::Ask;
use birthmark::sql::{self, Limits, SqlCell};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;
use crate::{csv, table};

/// Ask any question that SQL can ask
///
///   birthmark sql 'SELECT model_name, count(*) FROM artifacts GROUP BY 1'
///   birthmark sql "SELECT a.file, m.number FROM metrics m JOIN artifacts a
///                  USING (artifact_id) WHERE m.name = 'accuracy'"
///   birthmark sql "SELECT count(*) FROM records WHERE model_name LIKE '%qwen%'
///                  AND json_extract(record, '$.score') > 3"
///
/// The tables are sessions, runs, artifacts, record_groups, params, metrics,
/// packages, edges and records, of this project, or with --all of all that the
/// catalog knows. Each record has its fields as columns (seed, model_name,
/// "dataset.name"), and record, metadata, file, line. A statement can only read.
/// In a pipe nothing is cut; on a terminal a row that has too many columns for
/// one line is shown with a line for each.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct SqlArgs {
    /// One SELECT, in the words of SQLite
    statement: String,

    /// Only records that match, as for find [default: all]
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "",
        hide_default_value = true
    )]
    records: String,

    /// Of all projects that the catalog knows
    #[arg(long)]
    all: bool,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,

    /// Print the rows as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print the rows as CSV, for a spreadsheet
    ///
    /// Lines end in LF. A text that a spreadsheet would take for a formula gets an
    /// apostrophe before it, and control characters but line ends and tabs are
    /// escaped (`\x1b`): --json has every value as it is.
    #[arg(long)]
    csv: bool,
}

/// Asks.
pub fn run(ui: &mut Ui, args: &SqlArgs) -> Answer {
    let project = super::project()?;
    let ask = Ask {
        everywhere: args.all,
        ..Ask::new(args.records.as_str(), super::now())
    };
    let limits = Limits {
        time: Duration::from_secs(args.timeout),
    };
    let asked = sql::sql(&project, &args.statement, &ask, limits);
    let (answer, said) = asked.map_err(|error| {
        let hint = sql::hint(&error);
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;
    for line in said {
        ui.talk(&line);
    }
    if args.json {
        ui.json(&sql::to_json(&answer))?;
    } else if args.csv {
        let mut out = csv::line(answer.columns.iter().cloned());
        for row in &answer.rows {
            out.push_str(&csv::line(row.iter().map(sql::text_of)));
        }
        ui.raw(out.as_bytes())?;
    } else {
        let rows: Vec<Vec<String>> = answer.rows.iter().map(|row| cells(row)).collect();
        let width = ui.table_width();
        let mut shown = table::fitted(&answer.columns, &rows, width, None);
        if shown.lines().any(|line| line.chars().count() > width) {
            shown = table::stood(&answer.columns, &rows, width);
        }
        ui.as_it_stands(&shown)?;
    }
    Ok(ExitStatus::Yes)
}

fn cells(row: &[SqlCell]) -> Vec<String> {
    row.iter().map(sql::text_of).collect()
}
