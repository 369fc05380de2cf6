//! `birthmark find`: everything that was ever made, by what it was made with.

mod groups;
mod records;
mod table;

use std::path::PathBuf;

use birthmark::find::{self, Ask, Sought};
use birthmark::text;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Find artifacts by what they were made with
///
/// Conditions side by side must all hold; OR, NOT and parentheses are in capitals:
///
///   birthmark find 'model~qwen quantization=nf4 temperature=0.5..'
///   birthmark find 'type=evaluation base_accuracy>0.6 since:yesterday'
///   birthmark find 'dirty=true OR NOT has:seed' --sessions
///
/// `=`, `!=`, `<`, `<=`, `>`, `>=` compare; of a list `=` is also one of what it
/// holds; `~` is contains, without regard to case; `1..10`, `0.5..` and `..0.5`
/// are ranges; `has:field` and `field=null` ask whether it is there. `model` is
/// model_name or any role in models. A word alone is looked for in file, model,
/// script and session. What is unknown is left out, and counted. Quote the
/// filter: `>` means something to the shell.
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

    /// Write the records to this new file; where none match it is not made, and the status is 1
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
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<usize>,

    /// Print only how many there are
    #[arg(long)]
    count: bool,

    /// Count them by the values of these fields, with commas between them
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', conflicts_with_all = ["count", "columns"])]
    group_by: Vec<String>,

    /// Fields to show, with commas between them
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    columns: Vec<String>,

    /// Print everything as JSON, with the stored field names
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print as CSV, for a spreadsheet
    ///
    /// Lines end in LF. A text that a spreadsheet would take for a formula gets an
    /// apostrophe before it, and control characters but line ends and tabs are
    /// escaped (`\x1b`): --json has every value as it is.
    #[arg(long)]
    csv: bool,
}

/// Lines of a table on a terminal.
const SCREEN: usize = 50;

/// Finds.
pub fn run(ui: &mut Ui, args: &FindArgs) -> Answer {
    let project = super::project_to_read(ui)?;
    let ask = ask(ui, args);
    if args.records {
        return records::records(ui, args, &project, &ask);
    }
    if !args.group_by.is_empty() {
        named(&args.group_by)?;
        let (mut answer, counts) = find::group_by(&project, &ask, &args.group_by)?;
        say(ui, &answer);
        groups::groups(ui, args, &counts)?;
        let shown = groups::shown(ui, args, counts.len());
        if shown < counts.len() {
            let all = text::count(counts.len() as u64, "group");
            answer
                .also
                .insert(0, format!("{shown} of {all} shown: -n {}.", counts.len()));
        }
        footer(ui, args, &answer);
        return Ok(ExitStatus::Yes);
    }
    let answer = find::find(&project, &ask)?;
    say(ui, &answer);
    let found = &answer.found;
    if args.count {
        ui.raw(format!("{}\n", found.total).as_bytes())?;
    } else if args.json {
        ui.json(&find::to_json(&answer))?;
        return Ok(ExitStatus::Yes);
    } else {
        table::rows(ui, args, &ask, found)?;
    }
    footer(ui, args, &answer);
    for line in answer.clocks.lines() {
        ui.talk(&line);
    }
    Ok(ExitStatus::Yes)
}

/// Every field that is counted by has a name, and stands there once.
fn named(fields: &[String]) -> Result<(), Failure> {
    let wrong = |(at, field): (usize, &String)| {
        let before = fields.get(..at).unwrap_or_default();
        field.is_empty() || before.contains(field)
    };
    if fields.iter().enumerate().any(wrong) {
        let message = format!(
            "--group-by `{}` names a field twice, or none between two commas",
            text::short(&fields.join(","), 60)
        );
        return Err(Failure::new(message).with_hint("like this: --group-by type,model"));
    }
    Ok(())
}

fn say(ui: &mut Ui, answer: &find::Answer) {
    for line in &answer.said {
        ui.talk(line);
    }
}

fn ask(ui: &Ui, args: &FindArgs) -> Ask {
    let on_screen = ui.is_terminal() && !args.json && !args.csv && !args.records;
    let limit = if args.count {
        Some(0)
    } else {
        args.limit.or(on_screen.then_some(SCREEN))
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
        columns: args.columns.clone(),
        ..Ask::new(args.filter.join(" "), super::now())
    }
}

/// How many there are, and what was left out.
fn footer(ui: &mut Ui, args: &FindArgs, answer: &find::Answer) {
    let found = &answer.found;
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
    if shown < found.total && !args.count && args.group_by.is_empty() {
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
    for also in &answer.also {
        line = format!("{line} {also}");
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
            if count == unknown && found.lacking_in_part {
                format!("{count} more {have} records without {field}: 'NOT has:{field}'.")
            } else if count == unknown {
                format!("{count} more {have} no {field}: 'NOT has:{field}'.")
            } else {
                format!("{unknown} more {verb} unknown: {}.", reasons(found))
            }
        }
        None => format!("{unknown} more {verb} unknown: the values do not compare."),
    }
}

/// What those lack of which it is unknown; a lack of several fields counts for each.
fn reasons(found: &find::Answered) -> String {
    let lack = |(field, count): &(String, u64)| {
        let have = if *count == 1 { "has" } else { "have" };
        format!(
            "{} {have} no {}",
            text::grouped(*count),
            text::short(field, 40)
        )
    };
    let mut all: Vec<String> = found.lacking.iter().map(lack).collect();
    let told: u64 = found.lacking.iter().map(|(_, count)| count).sum();
    let rest = found.unknown.saturating_sub(told);
    if rest > 0 {
        let (verb, one) = if rest == 1 {
            ("has", "a value")
        } else {
            ("have", "values")
        };
        let compare = if rest == 1 { "does" } else { "do" };
        all.push(format!(
            "{} {verb} {one} that {compare} not compare",
            text::grouped(rest)
        ));
    }
    all.join(", ")
}
