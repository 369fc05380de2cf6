//! `birthmark verify`: is it still what was recorded?

use std::path::PathBuf;
use std::sync::Arc;

use birthmark::verify::{self, Meter, Options, Report, Sample};
use birthmark::{Project, sessions, talk, text};
use birthmark_store::Durability;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::progress::Progress;
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

    /// Read every file anew, also what looks unchanged, the store's own blobs and large inputs
    #[arg(long)]
    deep: bool,

    /// Read a random share of the files, as 5%, and of the others compare sizes
    #[arg(long, value_name = "SHARE", conflicts_with = "quick")]
    sample: Option<String>,

    /// Write the answer as JUnit XML too, for build servers
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

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
        sample: args.sample.as_deref().map(sample).transpose()?,
        ..Options::at(super::now())
    };
    let report = watched(|meter| verify::verify_watched(&project, &paths, &options, meter))?;
    if args.json {
        ui.json(&report.to_json())?;
    } else {
        ui.people(&verify::render(&report, ui.width()))?;
    }
    if args.paths.is_empty() {
        tell_of_others(ui, &project);
    }
    if let Some(path) = &args.junit {
        let xml = verify::junit(&report);
        birthmark_store::atomic::replace(path, xml.as_bytes(), Durability::Process)
            .map_err(birthmark::Error::from)?;
    }
    Ok(status(&report))
}

/// Files that are named.
const MOST_NAMED: usize = 3;

/// What was stamped elsewhere is checked by its name alone: a look at all of it each time would
/// read data that nobody asked for.
fn tell_of_others(ui: &mut Ui, project: &Project) {
    let others = verify::elsewhere_stamped(project);
    if others.is_empty() {
        return;
    }
    let count = text::count(others.len() as u64, "file");
    let mut names: Vec<String> = others
        .iter()
        .take(MOST_NAMED)
        .map(|path| talk::shell_word(&path.to_string_lossy()))
        .collect();
    if others.len() > MOST_NAMED {
        names.push("…".to_owned());
    }
    let was = if others.len() == 1 { "was" } else { "were" };
    ui.talk(&format!(
        "{count} stamped elsewhere {was} not checked: birthmark verify {}",
        names.join(" ")
    ));
}

/// Does the work of a verification while a bar shows how far it is.
pub(super) fn watched<T>(work: impl FnOnce(&Meter) -> T) -> T {
    let meter = Arc::new(Meter::default());
    let told = Arc::clone(&meter);
    let _progress = Progress::watching(move || told.told());
    work(&meter)
}

fn sample(share: &str) -> Result<Sample, Failure> {
    let drawn = birthmark_capture::chance::random_bytes::<8>().map_err(Failure::new)?;
    Ok(Sample::parse(share, u64::from_le_bytes(drawn))?)
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
        return Ok((sessions::project_telling_of(first)?, paths.to_vec()));
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
