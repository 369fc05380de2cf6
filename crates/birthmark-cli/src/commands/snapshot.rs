//! `birthmark snapshot`: the code that ran, as it was.

use std::path::PathBuf;

use birthmark::snapshot::{self, RestoreOptions, Restored};
use birthmark::talk;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Give back the code that ran
///
/// A run of a dirty tree keeps the whole of it as a snapshot: a git commit beside the
/// branch, untracked files included. Nothing of yours is touched, neither when one is
/// taken nor when one is given back.
#[derive(Debug, clap::Args)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Restore(RestoreArgs),
}

/// Write the files of a snapshot into a new folder
#[derive(Debug, clap::Args)]
struct RestoreArgs {
    /// A session (an id, any unique part of its beginning or end, or `last`), or a commit
    #[arg(value_name = "SESSION|COMMIT")]
    what: String,

    /// The folder [default: one beside the project, named after it and the commit]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Replace files in a folder that is there
    #[arg(long)]
    force: bool,

    /// Print what was given back as JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub fn run(ui: &mut Ui, args: &SnapshotArgs) -> Answer {
    match &args.action {
        Action::Restore(args) => restore(ui, args),
    }
}

fn restore(ui: &mut Ui, args: &RestoreArgs) -> Answer {
    let options = RestoreOptions {
        into: args.into.as_deref(),
        force: args.force,
    };
    let restored = snapshot::restore(&super::project()?, &args.what, &options)?;
    if args.json {
        ui.json(&restored.to_json())?;
    } else {
        ui.people(&render(&restored))?;
    }
    Ok(if restored.is_exact() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    })
}

fn render(restored: &Restored) -> String {
    let short = restored.commit.get(..7).unwrap_or(&restored.commit);
    let kind = if restored.is_snapshot {
        "snapshot"
    } else {
        "commit"
    };
    let files = talk::count(restored.files, "file");
    let folder = talk::shell_word(&restored.folder.to_string_lossy());
    let mut lines = vec![format!("restored {kind} {short}: {files} in {folder}")];
    for file in &restored.left_out {
        lines.push(format!("not in it  {}: {}", file.path, file.reason));
    }
    for reason in &restored.inexact {
        lines.push(format!("not exact  {reason}"));
    }
    for missing in &restored.missing {
        let short = missing.commit.get(..7).unwrap_or(&missing.commit);
        lines.push(format!("not here   {} at {short}", missing.path));
    }
    lines.join("\n")
}
