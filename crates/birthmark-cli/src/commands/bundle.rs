//! `birthmark bundle`: the code of a session in one file.

use std::path::PathBuf;

use birthmark::{snapshot, talk, text};

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::signals;
use crate::ui::Ui;

/// Write the code of a session, with its history, into one file
///
/// The file is a git bundle that needs nothing else: `git clone FILE` gives the code that
/// ran, uncommitted changes included. For a colleague, or an archive. Repositories within are in
/// it too, each under a reference of its own: how to bring them out is said.
#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    /// A session (an id, any unique part of its beginning or end, or `last`), an artifact, or
    /// a commit
    #[arg(value_name = "SESSION|FILE|COMMIT")]
    what: String,

    /// Where to write it [default: SESSION.bundle]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

/// Writes it.
pub fn run(ui: &mut Ui, args: &BundleArgs) -> Answer {
    let project = super::project_of(&args.what)?;
    let written = signals::stoppable(|| {
        snapshot::archive(&project, &args.what, args.out.as_deref(), args.force)
    })?;
    let file = talk::shell_word(&written.path.to_string_lossy());
    if args.json {
        ui.json(&written.to_json())?;
    } else {
        let kind = if written.is_snapshot {
            "snapshot"
        } else {
            "commit"
        };
        let short = written.commit.get(..7).unwrap_or(&written.commit);
        let size = text::bytes(written.size);
        let mut lines = vec![format!(
            "wrote {kind} {short} with its history to {file}, {size}"
        )];
        for path in &written.missing {
            lines.push(format!("not in it {path}: a repository that is not here"));
        }
        ui.people(&lines.join("\n"))?;
    }
    ui.hint(&format!("git clone {file} FOLDER"));
    // A clone knows nothing of repositories within: each is brought out by its reference.
    let from = std::path::absolute(&written.path).unwrap_or_else(|_| written.path.clone());
    let from = talk::shell_word(&from.to_string_lossy());
    for (path, reference) in &written.within {
        let place = talk::shell_word(&format!("FOLDER/{path}"));
        ui.hint(&format!(
            "git init -q {place} && git -C {place} fetch -q {from} {reference} && git -C {place} checkout -q FETCH_HEAD"
        ));
    }
    Ok(if written.missing.is_empty() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    })
}
