//! `birthmark doctor`: what would a birthmark hold here, and what could go wrong.

use birthmark::doctor;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// What would a birthmark hold here, and what could go wrong
///
/// Risks stand behind a `!`. They are information: the exit status is 0 all the same,
/// unless --strict is said.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Exit with 1 when there is a risk
    #[arg(long)]
    strict: bool,

    /// Print what a birthmark made here and now would hold, and all that was seen, as JSON
    #[arg(long)]
    json: bool,
}

/// Looks.
pub fn run(ui: &mut Ui, args: &DoctorArgs) -> Answer {
    let seen = doctor::doctor(&super::project_to_read(ui)?);
    if args.json {
        ui.json(&seen.to_json())?;
    } else {
        ui.people(&doctor::render(&seen))?;
    }
    let at_risk = args.strict && !seen.risks.is_empty();
    Ok(if at_risk {
        ExitStatus::No
    } else {
        ExitStatus::Yes
    })
}
