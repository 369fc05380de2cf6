//! `birthmark reproduce`: make an artifact again, and hold it against the one that was made.

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use birthmark::reproduce::{self, InHand, Options, Plan, Verdict};
use birthmark_core::reproduce::Allowance;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Make an artifact again, and compare
///
/// First it is said what can be promised: is the code exactly what ran, are the inputs
/// still there with the same digests, what differs in the environment, which seeds are
/// known. Then, on a go (asked on a terminal, or --yes), the code and the inputs are laid out
/// in a folder of their own, the same command runs there in a fresh session, and what it
/// makes is compared: bytes, then content without birthmarks, then record by record.
///
/// Exit status: 0 identical, equal records or content, 1 it differs or was not made, or the file is no
/// longer what was recorded, 2 it could not be tried, or the command failed. Nothing in your project is overwritten: the system
/// refuses it (Linux 6.2 and later; elsewhere a copy is kept, and what changed is told).
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ReproduceArgs {
    /// A file or folder that a session made, FILE:LINE, or a digest
    #[arg(value_name = "ARTIFACT")]
    artifact: PathBuf,

    /// Go on without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,

    /// Say what can be promised, and run nothing
    #[arg(long)]
    dry_run: bool,

    /// The folder to make it in [default: a new one in the temporary folder]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Build a venv from what was installed then (pip may take the network)
    #[arg(long)]
    venv: bool,

    /// How far numbers may lie apart, relative to their size
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    tolerance: f64,

    /// A member of records that may differ, such as a time (can be repeated)
    #[arg(long, value_name = "NAME")]
    ignore: Vec<String>,

    /// Go on although code or inputs are not what they were
    #[arg(long)]
    inexact: bool,

    /// Ask another store too: an artifacts folder, or a project
    #[arg(long = "store", value_name = "PATH")]
    stores: Vec<PathBuf>,

    /// Print plan and verdict as JSON
    #[arg(long)]
    json: bool,

    /// The command to run instead of the recorded one, after --
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Makes it again.
pub fn run(ui: &mut Ui, args: ReproduceArgs) -> Answer {
    if !(args.tolerance >= 0.0 && args.tolerance.is_finite()) {
        return Err(Failure::new("--tolerance must be 0 or more"));
    }
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot tell where this program lies: {error}")))?;
    let options = Options {
        stores: args.stores,
        into: args.into,
        command: args.command,
        inexact: args.inexact,
        venv: args.venv,
        allowance: Allowance {
            tolerance: args.tolerance,
            ignored: args.ignore,
        },
        quiet: args.json,
        program,
        now: super::now(),
    };
    let plan = reproduce::plan(&args.artifact, &options)?;
    let blocked = !plan.blockers(&options).is_empty();
    if args.json && (args.dry_run || blocked) {
        ui.json(&json!({"plan": plan.to_json(&options), "outcome": null}))?;
    } else if !args.json {
        ui.people(&reproduce::render(&plan, &options))?;
    }
    if blocked {
        return Ok(ExitStatus::CannotTell);
    }
    if args.dry_run {
        return Ok(ExitStatus::Yes);
    }
    if !args.yes && !asked(ui)? {
        return Ok(ExitStatus::CannotTell);
    }
    go(ui, &plan, &options, args.json)
}

/// Whether a person at a terminal says yes.
fn asked(ui: &mut Ui) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("nothing was run: nobody is here to be asked")
            .with_hint("--yes goes on, --dry-run only says what would be done"));
    }
    ui.flush()?;
    ui.talk("run it now? [y/N]");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn go(ui: &mut Ui, plan: &Plan, options: &Options, as_json: bool) -> Answer {
    ui.flush()?;
    let mut said = Vec::new();
    let talker = ui.talker();
    let outcome = reproduce::go(plan, options, &mut |line| {
        talker(line);
        said.push(line.to_owned());
    })?;
    if let Some(reason) = &outcome.unrecorded {
        ui.talk(&format!("warning: the store does not tell of it: {reason}"));
    }
    if as_json {
        ui.json(&json!({"plan": plan.to_json(options), "outcome": outcome.to_json()}))?;
    } else {
        let place = outcome.compared.place.as_ref();
        let place = place.map_or(String::new(), |place| format!(": {place}"));
        let status = match outcome.exit_code {
            Some(0) => String::new(),
            _ if is_failure(outcome.compared.verdict) => String::new(),
            Some(code) => format!("\nthe command ended with exit status {code}"),
            None => "\nthe command was stopped".to_owned(),
        };
        let verdict = outcome.compared.verdict;
        let (where_to, path) = match verdict {
            Verdict::NotMade | Verdict::Failed => ("tried in", &outcome.folder),
            _ => ("made again in", &outcome.made),
        };
        let in_hand = plan.in_hand.as_ref().and_then(InHand::verdict_is_not_about);
        let in_hand = in_hand.map_or(String::new(), |line| format!("\n{line}"));
        ui.people(&format!(
            "{}{place}{status}\n{where_to} {}{in_hand}",
            verdict.word(),
            path.display()
        ))?;
    }
    Ok(match outcome.compared.verdict {
        verdict if verdict.is_equal() && !outcome.is_confirmed() => ExitStatus::No,
        verdict if verdict.is_equal() => ExitStatus::Yes,
        verdict if verdict == Verdict::CannotTell || is_failure(verdict) => ExitStatus::CannotTell,
        _ => ExitStatus::No,
    })
}

/// Whether the command failed where it had not failed before.
fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failed | Verdict::MadeAndFailed)
}
