//! `birthmark show`: who, when, which code, which model.

use std::ffi::OsString;
use std::path::PathBuf;

use birthmark::{sessions, show};
use jiff::tz::TimeZone;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::progress::Progress;
use crate::ui::Ui;

/// Show who made a file, when, from which code, with which model
///
/// For one record of a JSONL file, put its line behind a colon: FILE:LINE. A session is
/// shown by its id, by any unique part of its beginning or end, or as `last`. Exits with 1
/// where a file carries no birthmark and no session tells of it.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// A file, a folder, FILE:LINE, or a session
    #[arg(value_name = "FILE[:LINE]")]
    file: OsString,

    /// Show the environment of its session: versions, lock file, pins of what was installed
    #[arg(long, conflicts_with = "json")]
    environment: bool,

    /// Print everything as JSON, with the stored field names
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub fn run(ui: &mut Ui, args: &ShowArgs) -> Answer {
    let (path, line) = match args.file.to_str() {
        Some(text) => show::parse_target(text),
        None => (PathBuf::from(&args.file), None),
    };
    let project = sessions::project_telling_of(&path)?;
    let shown = Progress::around(|| show::show(&project, &path, line, super::now()))?;
    if args.environment {
        let Some(text) = show::render_environment(&shown, &project) else {
            return Err(Failure::new("no environment is known of it")
                .with_hint("its session is not here, or it has none"));
        };
        ui.as_it_stands(&text)?;
    } else if args.json {
        ui.json(&shown.to_json())?;
    } else {
        ui.people(&show::render(
            &shown,
            super::now(),
            &TimeZone::system(),
            ui.width(),
        ))?;
    }
    Ok(if shown.what == show::What::Unstamped {
        ExitStatus::No
    } else {
        ExitStatus::Yes
    })
}
