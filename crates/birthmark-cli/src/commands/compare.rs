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
/// the first. The exit status is 0 when they are comparable, with or without caveats, 1 when
/// they are not or a gate fails, and 2 when it cannot be told.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// Evaluation reports; FILE#ROLE names one system of a report
    #[arg(value_name = "REPORT[#ROLE]", required = true)]
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

    /// Match items by id, digest (of what they ask), or position [default: id, else digest]
    #[arg(long = "match", value_name = "HOW", value_parser = ["id", "digest", "position"])]
    match_by: Option<String>,

    /// The seed of what the statistics draw at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Compares.
pub fn run(ui: &mut Ui, args: &CompareArgs) -> Answer {
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
        },
        ..Options::at(super::now())
    };
    let compared = compare::compare(&targets, &options)?;
    if args.json {
        ui.json(&compared.to_json())?;
    } else {
        ui.people(&compare::render(&compared, ui.width()))?;
    }
    Ok(match compared.exit_code() {
        0 => ExitStatus::Yes,
        1 => ExitStatus::No,
        _ => ExitStatus::CannotTell,
    })
}
