//! `birthmark declare`: write down the code for a machine that gets no `.git`.

use std::path::PathBuf;

use serde_json::Value;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Write down which code this is, for a machine that gets no .git
///
/// Run it where the repository is, then copy the file along with the code. Birthmarks
/// made there take commit, branch and remote from it, and say that they were declared.
/// The file never makes the tree dirty.
#[derive(Debug, clap::Args)]
pub struct DeclareArgs {
    /// Where to write it: a file, or a folder [default: the project's root]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print what was declared as JSON
    #[arg(long)]
    json: bool,
}

/// Declares.
pub fn run(ui: &mut Ui, args: &DeclareArgs) -> Answer {
    let declared = birthmark::declare::declare(&super::project()?, args.out.as_deref())?;
    if args.json {
        ui.json(&Value::Object(declared.fields))?;
    } else {
        let text = |name: &str| declared.fields.get(name).and_then(Value::as_str);
        let commit = text("git_commit")
            .and_then(|hex| hex.get(..7))
            .unwrap_or_default();
        let branch = text("git_branch").unwrap_or("no branch");
        ui.people(&format!(
            "declared {branch} {commit} in {}",
            declared.path.display()
        ))?;
    }
    if let Some(risk) = &declared.risk {
        ui.talk(&format!("warning: {risk}"));
        ui.hint("commit, then declare again");
    }
    Ok(ExitStatus::Yes)
}
