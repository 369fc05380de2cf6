//! `birthmark policy`: what must the birthmarks of this project say, and do they?

use std::path::PathBuf;

use birthmark::{Project, policy, sessions, verify};
use birthmark_core::policy::Rule;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::table;
use crate::ui::Ui;

const EXAMPLE: &str = "In birthmark.toml:

  [policy]
  enforce = \"refuse\"    # or \"warn\": what a writer does when it is opened
  training_data = [\"template_disabled = true\", \"seed required\"]
  evaluation = [\"dataset.digest required\", \"temperature = 0..1 if do_sample = true\"]
  \"*\" = [\"git_dirty = false or git_snapshot set\"]";

/// What birthmarks must say here, and whether they do
///
/// The required minimum holds everywhere: git_commit, timestamp and artifact_type are there,
/// or null with a reason. A project's own rules stand in birthmark.toml, by artifact type.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Check(CheckArgs),
    Explain(ExplainArgs),
}

/// Check the rules themselves, and what stands at PATH against them
///
/// Without PATH the rules are read and listed. With PATH every artifact there must carry a
/// birthmark that obeys. The exit status is 0 when all do, 1 when a rule is broken, and 2
/// when one cannot be told, or is no rule.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Files, folders, manifests, sessions
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Read one rule, and say where it goes wrong
#[derive(Debug, clap::Args)]
struct ExplainArgs {
    /// The rule, in quotes
    #[arg(value_name = "RULE")]
    rule: String,
}

/// Checks.
pub fn run(ui: &mut Ui, args: &PolicyArgs) -> Answer {
    match &args.action {
        Action::Check(args) => check(ui, args),
        Action::Explain(args) => explain(ui, &args.rule),
    }
}

fn check(ui: &mut Ui, args: &CheckArgs) -> Answer {
    let Some(first) = args.paths.first() else {
        return list(ui, &super::project()?, args.json);
    };
    let project = sessions::project_telling_of(first)?;
    let now = super::now();
    let report =
        super::verify::watched(|meter| policy::check_watched(&project, &args.paths, now, meter))?;
    if args.json {
        ui.json(&report.to_json())?;
    } else {
        ui.people(&verify::render(&report, ui.width()))?;
    }
    Ok(super::verify::status(&report))
}

fn list(ui: &mut Ui, project: &Project, json: bool) -> Answer {
    if json {
        ui.json(&policy::rules_json(project))?;
        return Ok(ExitStatus::Yes);
    }
    let rows: Vec<[String; 3]> = policy::rules(project)
        .into_iter()
        .map(|(kind, rule, place)| [kind, rule, place])
        .collect();
    let width = ui.table_width();
    ui.as_it_stands(&table::render(["TYPE", "RULE", "FROM"], &rows, width, 1))?;
    Ok(ExitStatus::Yes)
}

fn explain(ui: &mut Ui, text: &str) -> Answer {
    let rule = Rule::parse(text).map_err(|error| {
        let before = text.get(..error.at).unwrap_or_default().chars().count();
        let mut failure = Failure::new(format!("this is no rule: {error}"));
        failure.hint = Some(format!("{text}\n      {}^ here", " ".repeat(before)));
        failure
    })?;
    ui.people(&format!("{rule}\nlooks at  {}", rule.fields().join(", ")))?;
    Ok(ExitStatus::Yes)
}
