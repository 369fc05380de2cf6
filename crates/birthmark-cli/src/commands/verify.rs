//! `birthmark verify`: is it still what was recorded?

use std::path::PathBuf;

use birthmark::verify::{self, Options, Report};
use birthmark::{Project, sessions};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Check that artifacts are still what was recorded
///
/// Every file is read and held against its birthmark, its session and the journals.
/// Nothing is changed. The exit status is 0 when nothing failed, 1 when something did
/// (bytes changed, a required field missing, a manifest edited), and 2 when something
/// could not be told.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct VerifyArgs {
    /// Files, folders, manifests, sessions [default: the artifacts folder]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Fail files without a birthmark too
    #[arg(long)]
    require_stamped: bool,

    /// Compare sizes alone; the answer says so
    #[arg(long, conflicts_with = "deep")]
    quick: bool,

    /// Read the store's own blobs too
    #[arg(long)]
    deep: bool,

    /// Print the answer with all its reasons as JSON
    #[arg(long)]
    json: bool,
}

/// Checks.
pub fn run(ui: &mut Ui, args: &VerifyArgs) -> Answer {
    let (project, paths) = wanted(&args.paths)?;
    let options = Options {
        require_stamped: args.require_stamped,
        quick: args.quick,
        deep: args.deep,
        ..Options::at(super::now())
    };
    let report = verify::verify(&project, &paths, &options)?;
    if args.json {
        ui.json(&report.to_json())?;
    } else {
        ui.people(&verify::render(&report, ui.width()))?;
    }
    Ok(status(&report))
}

/// The exit status that a report means.
pub(super) fn status(report: &Report) -> ExitStatus {
    match report.exit_code() {
        0 => ExitStatus::Yes,
        1 => ExitStatus::No,
        _ => ExitStatus::CannotTell,
    }
}

/// What to check, and the project whose sessions speak of it.
fn wanted(paths: &[PathBuf]) -> Result<(Project, Vec<PathBuf>), Failure> {
    if let Some(first) = paths.first() {
        return Ok((sessions::project_of(first)?, paths.to_vec()));
    }
    let project = super::project()?;
    let artifacts = project.layout.artifacts().to_owned();
    if artifacts.is_dir() {
        return Ok((project, vec![artifacts]));
    }
    Err(Failure::new(format!(
        "there is nothing to verify: no folder `{}`",
        artifacts.display()
    ))
    .with_hint("name a file or folder: birthmark verify PATH"))
}
