//! `birthmark init`: a settings file to edit.

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Write a birthmark.toml with all settings (never needed)
///
/// The first session makes what it needs. The file is for those who want another
/// artifacts folder, or runs refused on uncommitted changes. It also marks the
/// project's root. A file that is there is not touched.
#[derive(Debug, clap::Args)]
pub struct InitArgs {}

/// Writes it.
pub fn run(ui: &mut Ui, _args: &InitArgs) -> Answer {
    let path = birthmark::init::init(&super::project()?)?;
    ui.people(&format!(
        "wrote {}: every line is a comment until you change it",
        path.display()
    ))?;
    Ok(ExitStatus::Yes)
}
