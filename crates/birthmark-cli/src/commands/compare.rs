//! `birthmark compare`: may I compare these two?

use birthmark::compare::{self, Gate, Options, Target};
use birthmark_core::compare::Match;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Say whether two evaluations may be compared, and whether the difference is real
///
/// The verdict comes first, then what moved, then the scores with paired statistics. One
/// report is compared with itself: the systems inside of it. More than two are held against
/// the first. Reports are JSON with `summary` and `results`, results of lm-evaluation-harness
/// with the samples beside them, logs of Inspect (.json, .eval) and trainer_state.json.
/// Datasets, checkpoints, sessions and records are compared in the same way. The exit status
/// is 0 when they are comparable, with or without caveats, 1 when they are not or a gate
/// fails, and 2 when it cannot be told.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct CompareArgs {
    /// Reports, datasets, checkpoints, sessions, or FILE:LINE; FILE#ROLE names one
    /// system of a report
    #[arg(value_name = "FILE[#ROLE]", required_unless_present = "classes")]
    targets: Vec<String>,

    /// This field is meant to differ, instead of the model
    #[arg(long, value_name = "FIELD")]
    subject: Vec<String>,

    /// This field may differ: it is taken knowingly, and the verdict says so
    #[arg(long, value_name = "FIELD")]
    accept: Vec<String>,

    /// Answer 1 where there are caveats
    #[arg(long, value_name = "VERDICT", value_parser = ["comparable"])]
    require: Option<String>,

    /// The metric that --no-worse-than is about [default: all]
    #[arg(long, value_name = "NAME", requires = "no_worse_than")]
    metric: Option<String>,

    /// Answer 1 where the last is worse than the first by more than this
    #[arg(long, value_name = "X")]
    no_worse_than: Option<f64>,

    /// Less of this metric is better, whatever its name says
    #[arg(long, value_name = "NAME", requires = "no_worse_than")]
    lower_is_better: Vec<String>,

    /// More of this metric is better, whatever its name says
    #[arg(long, value_name = "NAME", requires = "no_worse_than")]
    higher_is_better: Vec<String>,

    /// Match items by id, digest (of what they ask), or position [default: id, else digest]
    #[arg(long = "match", value_name = "HOW", value_parser = ["id", "digest", "position"])]
    match_by: Option<String>,

    /// The seed of what the statistics draw at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Print everything as JSON
    #[arg(long, conflicts_with_all = ["markdown", "html"])]
    json: bool,

    /// Print Markdown, for a pull request
    #[arg(long, conflicts_with = "html")]
    markdown: bool,

    /// Print one HTML page with plots that needs nothing else: --html > page.html
    #[arg(long)]
    html: bool,

    /// Print which field is of which class, and compare nothing
    #[arg(long, conflicts_with_all = ["targets", "subject", "accept", "require", "no_worse_than", "match_by", "markdown", "html"])]
    classes: bool,
}

/// Compares.
pub fn run(ui: &mut Ui, args: &CompareArgs) -> Answer {
    if args.classes {
        return classes(ui, args.json);
    }
    let targets: Vec<Target> = args
        .targets
        .iter()
        .map(|text| Target::parse(text))
        .collect();
    let options = Options {
        subject: args.subject.clone(),
        accept: args.accept.clone(),
        match_by: args.match_by.as_deref().map(|word| match word {
            "digest" => Match::Digest,
            "position" => Match::Position,
            _ => Match::Id,
        }),
        seed: args.seed,
        gate: Gate {
            require_comparable: args.require.is_some(),
            metric: args.metric.clone(),
            no_worse_than: args.no_worse_than,
            lower_is_better: args.lower_is_better.clone(),
            higher_is_better: args.higher_is_better.clone(),
        },
        ..Options::at(super::now())
    };
    let compared = compare::compare(&targets, &options)?;
    if args.json {
        ui.json(&compared.to_json())?;
    } else if args.markdown {
        ui.as_it_stands(&compare::markdown(&compared))?;
    } else if args.html {
        ui.raw(compare::html(&compared).as_bytes())?;
    } else {
        ui.people(&compare::render(&compared, ui.width()))?;
    }
    Ok(match compared.exit_code() {
        0 => ExitStatus::Yes,
        1 => ExitStatus::No,
        _ => ExitStatus::CannotTell,
    })
}

/// The table of classes, with what the project's settings change.
fn classes(ui: &mut Ui, json: bool) -> Answer {
    let project = super::project()?;
    let table = compare::classes(&project);
    if json {
        ui.json(&table.iter().map(compare::ClassOf::to_json).collect())?;
        return Ok(ExitStatus::Yes);
    }
    let rows: Vec<[String; 4]> = table
        .into_iter()
        .map(|one| {
            [
                one.field,
                one.class.to_owned(),
                one.need.to_owned(),
                one.group,
            ]
        })
        .collect();
    let head = ["FIELD", "CLASS", "IN EVALUATIONS", "GROUP"];
    let width = ui.table_width();
    ui.as_it_stands(&crate::table::render(head, &rows, width, 0))?;
    Ok(ExitStatus::Yes)
}
