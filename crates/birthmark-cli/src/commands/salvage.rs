//! `birthmark salvage`: what a crash or a hand left.

use std::path::PathBuf;

use birthmark::salvage::{self, Found};
use serde_json::Value;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::signals;
use crate::ui::Ui;

/// Explain what a crash or a hand left, and repair it with --repair
///
/// A crash needs no hand: readers leave out what was never acknowledged. This tells what
/// lies about (torn last lines, temporary files, unfinished reports, manifests that lag
/// behind) and what is done about each. Whole lines are never touched, and what is cut is
/// kept aside.
#[derive(Debug, clap::Args)]
pub struct SalvageArgs {
    /// JSONL files to look at, anybody's [default: the store and its artifacts]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Repair what can be repaired without losing anything
    #[arg(long)]
    repair: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Salvages: 0 when nothing is left to repair, 1 when `--repair` would do something.
pub fn run(ui: &mut Ui, args: &SalvageArgs) -> Answer {
    let project = super::project()?;
    let found =
        signals::stoppable(|| salvage::salvage(&project, &args.files, args.repair, super::now()))?;
    let left = found
        .iter()
        .filter(|found| found.can_repair && !found.repaired)
        .count();
    if args.json {
        let all: Vec<Value> = found.iter().map(Found::to_json).collect();
        ui.json(&Value::from(all))?;
    } else {
        for one in &found {
            let word = if one.repaired { "repaired" } else { "found   " };
            ui.people(&format!("{word}  {}: {}", one.name, one.what))?;
            ui.people(&format!("          {}", remedy(one)))?;
        }
        if found.is_empty() {
            ui.people("nothing is left to be salvaged")?;
        }
    }
    if left > 0 {
        if !args.json {
            let mut command = "birthmark salvage --repair".to_owned();
            for file in &args.files {
                command.push(' ');
                command.push_str(&birthmark::talk::shell_word(&file.to_string_lossy()));
            }
            ui.hint(&format!("to repair what can be repaired: {command}"));
        }
        return Ok(ExitStatus::No);
    }
    Ok(ExitStatus::Yes)
}

fn remedy(found: &Found) -> String {
    if found.repaired {
        format!("done: {}", found.remedy)
    } else if found.can_repair {
        format!("--repair {}", found.remedy)
    } else {
        found.remedy.clone()
    }
}
