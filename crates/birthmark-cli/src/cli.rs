//! The arguments at the root, the front page, and which command does what.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    bundle, catalog, compare, completions, declare, doctor, find, import, init, list, man, policy,
    reproduce, run, salvage, scan, session, show, snapshot, sql, stamp, trace, unstamp, verify,
};
use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::signals;
use crate::ui::{ColorChoice, Ui};

/// Where every artifact came from
///
/// Every artifact is born with a birthmark: the git commit, the model, the seed and
/// all that anybody will want to filter, compare or understand by later.
#[derive(Debug, Parser)]
#[command(
    name = "birthmark",
    bin_name = "birthmark",
    version,
    max_term_width = 80,
    after_help = "In Python: import birthmark as bm; with bm.session() as s: ...\n\n\
                  Exit status: 0 yes, 1 no (a check failed), 2 could not tell, or was misused."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Use colour: on a terminal, always, or never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: ColorChoice,

    /// Work as if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
    Find(find::FindArgs),
    Compare(compare::CompareArgs),
    Trace(trace::TraceArgs),
    List(list::ListArgs),
    Reproduce(reproduce::ReproduceArgs),
    Sql(sql::SqlArgs),
    Session(session::SessionArgs),
    Snapshot(snapshot::SnapshotArgs),
    Bundle(bundle::BundleArgs),
    Stamp(stamp::StampArgs),
    Unstamp(unstamp::UnstampArgs),
    Policy(policy::PolicyArgs),
    Scan(scan::ScanArgs),
    Salvage(salvage::SalvageArgs),
    Declare(declare::DeclareArgs),
    Catalog(catalog::CatalogArgs),
    Import(import::ImportArgs),
    Doctor(doctor::DoctorArgs),
    Init(init::InitArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(name = completions::FILTER, hide = true)]
    CompleteFilter(completions::FilterArgs),
    #[command(name = birthmark::run::RELAY, hide = true)]
    Relay(run::RelayArgs),
}

/// The definition of the program, for help pages and completions.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Reads the arguments, does what they say, and shows what failed.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, color_asked_for(&args)).into(),
    };
    let mut ui = Ui::new(cli.color);
    let answer = start(&mut ui, cli);
    let answer = answer.and_then(|status| {
        ui.flush()?;
        Ok(status)
    });
    answer
        .unwrap_or_else(|failure| {
            // What was printed before it stands first; a second failure here says nothing new.
            let _ = ui.flush();
            ui.failure(&failure);
            signals::stopped_by().map_or(failure.status, ExitStatus::of_signal)
        })
        .into()
}

/// The colour that the command line asks for, where the rest of it could not be read.
fn color_asked_for(args: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let never =
        words.contains(&"--color=never") || words.windows(2).any(|two| two == ["--color", "never"]);
    if never {
        ColorChoice::Never
    } else {
        ColorChoice::Auto
    }
}

fn usage(error: &clap::Error, color: ColorChoice) -> ExitStatus {
    let mut ui = Ui::new(color);
    let Some(failure) = Failure::of_usage(error) else {
        // A help page, or the version.
        let shown = ui
            .people(&error.render().to_string())
            .and_then(|()| ui.flush());
        return if shown.is_ok() {
            ExitStatus::Yes
        } else {
            ExitStatus::CannotTell
        };
    };
    ui.failure(&failure);
    failure.status
}

fn start(ui: &mut Ui, cli: Cli) -> Answer {
    if let Some(folder) = &cli.folder {
        std::env::set_current_dir(folder).map_err(|error| {
            let mut failure = Failure::new(format!("cannot change to `{}`", folder.display()));
            failure.causes.push(error.to_string());
            failure
        })?;
    }
    match cli.command {
        None => front_page(ui),
        Some(Command::Run(args)) => run::run(ui, args),
        Some(Command::Show(args)) => show::run(ui, &args),
        Some(Command::Verify(args)) => verify::run(ui, &args),
        Some(Command::Compare(args)) => compare::run(ui, &args),
        Some(Command::Trace(args)) => trace::run(ui, &args),
        Some(Command::Find(args)) => find::run(ui, &args),
        Some(Command::List(args)) => list::run(ui, &args),
        Some(Command::Reproduce(args)) => reproduce::run(ui, args),
        Some(Command::Sql(args)) => sql::run(ui, &args),
        Some(Command::Session(args)) => session::run(ui, args),
        Some(Command::Snapshot(args)) => snapshot::run(ui, &args),
        Some(Command::Bundle(args)) => bundle::run(ui, &args),
        Some(Command::Stamp(args)) => stamp::run(ui, &args),
        Some(Command::Unstamp(args)) => unstamp::run(ui, &args),
        Some(Command::Policy(args)) => policy::run(ui, &args),
        Some(Command::Scan(args)) => scan::run(ui, &args),
        Some(Command::Salvage(args)) => salvage::run(ui, &args),
        Some(Command::Declare(args)) => declare::run(ui, &args),
        Some(Command::Catalog(args)) => catalog::run(ui, &args),
        Some(Command::Import(args)) => import::run(ui, &args),
        Some(Command::Doctor(args)) => doctor::run(ui, &args),
        Some(Command::Init(args)) => init::run(ui, &args),
        Some(Command::Completions(args)) => completions::run(ui, &args),
        Some(Command::CompleteFilter(args)) => completions::filter(ui, &args),
        Some(Command::Man(args)) => man::run(ui, &args),
        Some(Command::Relay(args)) => run::relay(args),
    }
}

fn front_page(ui: &mut Ui) -> Answer {
    ui.people(&format!(
        "Birthmark {}: where every artifact came from.

  birthmark run -- python train.py   run it in a session: which code, how it ended
  birthmark show FILE                who, when, which code, which model
  birthmark verify [PATH]            is it still what was recorded?
  birthmark find 'model~qwen seed=42'  everything made so, wherever it lies
  birthmark compare A B              may I compare these two?

In Python: import birthmark as bm; with bm.session() as s: ...
All commands: birthmark --help",
        birthmark::VERSION
    ))?;
    Ok(ExitStatus::Yes)
}
