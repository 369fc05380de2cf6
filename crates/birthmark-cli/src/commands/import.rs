//! `birthmark import`: birthmarks for what other tools wrote.

use std::path::PathBuf;

use birthmark::import;

use crate::exit::ExitStatus;
use crate::failure::Answer;
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
    let (mut all, mut failed) = (Vec::new(), false);
    for file in &args.files {
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
    Ok(if failed {
        ExitStatus::CannotTell
    } else {
        ExitStatus::Yes
    })
}
