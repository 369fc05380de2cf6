//! `birthmark import`: birthmarks for what other tools wrote.

use std::path::PathBuf;

use birthmark::{import, text};
use birthmark_store::stop;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::signals;
use crate::ui::Ui;

/// Write birthmarks beside logs of other tools
///
/// Reads results of lm-evaluation-harness, logs of Inspect (.json, .eval), trainer_state.json
/// and plain JSON reports, and writes FILE.birthmark.json beside each. The logs themselves
/// are not touched. All of such a birthmark is declared: the tool said it, nobody here saw it.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Logs
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Write a sidecar anew that is there already
    #[arg(long)]
    replace: bool,

    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

/// Imports, and goes on with the others when one fails.
pub fn run(ui: &mut Ui, args: &ImportArgs) -> Answer {
    signals::stoppable(|| each(ui, args))
}

fn each(ui: &mut Ui, args: &ImportArgs) -> Answer {
    let (mut all, mut failed, mut stopped) = (Vec::new(), false, None);
    for (number, file) in args.files.iter().enumerate() {
        if let Err(why) = stop::check() {
            let left = text::count((args.files.len() - number) as u64, "file");
            stopped = Some(Failure::new(format!("{why}: {left} left")));
            break;
        }
        match import::import(file, args.replace) {
            Ok(imported) if args.json => all.push(imported.to_json()),
            Ok(imported) => {
                let verb = if imported.kept { "kept" } else { "wrote" };
                ui.people(&format!(
                    "{verb} {} ({}, all declared)",
                    imported.sidecar.display(),
                    imported.tool.word()
                ))?;
                for line in imported.unmet.said_of(&imported.file.to_string_lossy()) {
                    ui.talk(&format!("warning: {line}"));
                }
                for problem in &imported.problems {
                    ui.people(&format!("     ! {problem}"))?;
                }
            }
            Err(error) => {
                ui.failure(&error.into());
                failed = true;
            }
        }
    }
    if args.json {
        ui.json(&serde_json::Value::Array(all))?;
    }
    if let Some(stopped) = stopped {
        return Err(stopped.with_hint("run it again: what was written is kept"));
    }
    Ok(if failed {
        ExitStatus::CannotTell
    } else {
        ExitStatus::Yes
    })
}
