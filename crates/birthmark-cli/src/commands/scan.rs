//! `birthmark scan`: does a secret stand in what was made?

use std::path::PathBuf;

use birthmark::{Project, meant, scan, sessions};

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Find secrets in what was made
///
/// Looks through artifacts and the store for tokens, keys and passwords of known shape, or
/// under a name that says so. Each is named by file, line, byte and rule, never printed.
/// Nothing is changed. The exit status is 0 when there is none, 1 when there is one, and 2
/// when a file could not be read.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// Files and folders [default: the artifacts folder, the store within]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Looks.
pub fn run(ui: &mut Ui, args: &ScanArgs) -> Answer {
    let (project, paths) = match args.paths.first() {
        Some(first) => (sessions::project_of(first)?, args.paths.clone()),
        None => of_project(super::project()?),
    };
    let found = scan::scan(&project, &paths);
    if args.json {
        ui.json(&found.to_json())?;
    } else {
        ui.people(&found.render())?;
        if found.count() > 0 {
            ui.hint("revoke what is named, then make the file again without it");
        }
        let absent = paths.iter().filter(|path| path.symlink_metadata().is_err());
        for hint in absent.filter_map(|path| meant::file(&project, path)) {
            ui.hint(&hint);
        }
    }
    Ok(match found.exit_code() {
        0 => ExitStatus::Yes,
        1 => ExitStatus::No,
        _ => ExitStatus::CannotTell,
    })
}

fn of_project(project: Project) -> (Project, Vec<PathBuf>) {
    let artifacts = project.layout.artifacts().to_owned();
    (project, vec![artifacts])
}
