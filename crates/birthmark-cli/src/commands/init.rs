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
pub struct InitArgs {
    /// Print the path of the file as JSON
    #[arg(long)]
    json: bool,
}

/// Writes it.
pub fn run(ui: &mut Ui, args: &InitArgs) -> Answer {
    let path = birthmark::init::init(&super::project()?)?;
    let wrote = path.to_string_lossy();
    if args.json {
        ui.json(&serde_json::json!({ "wrote": wrote }))?;
    } else {
        let wrote = birthmark::text::neutral(&wrote);
        ui.people(&format!(
            "wrote {wrote}: every line is a comment until you change it"
        ))?;
    }
    Ok(ExitStatus::Yes)
}
