//! `birthmark completions`: what a shell needs to complete commands and options.

use clap_complete::Shell;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Print the completions for a shell
///
/// For bash:  birthmark completions bash > ~/.local/share/bash-completion/completions/birthmark
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Known,
}

/// Shells that we test with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

/// Prints them.
pub fn run(ui: &mut Ui, args: &CompletionsArgs) -> Answer {
    let shell = match args.shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut crate::cli::definition(),
        "birthmark",
        &mut script,
    );
    ui.raw(&script)?;
    Ok(ExitStatus::Yes)
}
