//! `birthmark completions`: what a shell needs to complete commands and options.

use birthmark::find::{self, Ask, Sought};
use clap_complete::Shell;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Print the completions for a shell
///
/// For bash:  birthmark completions bash > ~/.local/share/bash-completion/completions/birthmark
///
/// For fish:  birthmark completions fish > ~/.config/fish/completions/birthmark.fish
///
/// For zsh:  birthmark completions zsh > DIR/_birthmark, where DIR is one of $fpath
///
/// The filter of find is completed too: the names of fields, and their values, as the
/// catalog knows them.
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
    clap_complete::generate(shell, &mut offered(), "birthmark", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    ui.raw(with_filters(args.shell, script).as_bytes())?;
    Ok(ExitStatus::Yes)
}

/// The commands and options, without those that only we call.
fn offered() -> clap::Command {
    let all = crate::cli::definition();
    let shown = all.get_subcommands().filter(|one| !one.is_hide_set());
    clap::Command::new("birthmark")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments())
        .subcommands(shown)
}

/// The name of the command that the scripts call.
pub(crate) const FILTER: &str = "__filter";

/// Print how a filter may go on
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct FilterArgs {
    /// What was typed of it
    #[arg(allow_hyphen_values = true, default_value = "")]
    text: String,

    /// The names of fields alone
    #[arg(long)]
    fields: bool,

    /// Of all projects
    #[arg(long)]
    all: bool,

    /// Runs are looked for
    #[arg(long)]
    runs: bool,

    /// Sessions are looked for
    #[arg(long)]
    sessions: bool,
}

/// Prints how a filter may go on, one way a line; nothing where that cannot be told.
pub fn filter(ui: &mut Ui, args: &FilterArgs) -> Answer {
    let ask = Ask {
        everywhere: args.all,
        what: match (args.runs, args.sessions) {
            (true, _) => Sought::Runs,
            (_, true) => Sought::Sessions,
            _ => Sought::Artifacts,
        },
        ..Ask::new("", super::now())
    };
    let has = if args.fields { "has:" } else { "" };
    let text = format!("{has}{}", args.text);
    let found = birthmark::Project::here_leniently()
        .and_then(|(project, _)| find::complete(&project, &text, &ask))
        .unwrap_or_default();
    let mut lines = String::new();
    // A line break would be two answers.
    for line in found.iter().filter(|line| !line.contains(char::is_control)) {
        lines.push_str(line.strip_prefix(has).unwrap_or(line));
        lines.push('\n');
    }
    ui.raw(lines.as_bytes())?;
    Ok(ExitStatus::Yes)
}

/// Options of `find` that name fields, in zsh's words, and who completes them.
const ZSH: [(&str, &str); 3] = [
    ("'--sort=[", "_birthmark_order"),
    ("*--group-by=[", "_birthmark_fields"),
    ("*--columns=[", "_birthmark_fields"),
];

/// The script, which asks the catalog where a filter is typed.
fn with_filters(shell: Known, script: String) -> String {
    match shell {
        Known::Bash => script + include_str!("completions/filter.bash"),
        Known::Zsh => {
            let filter = r"'*::filter -- What must hold \[default\: everything\]:_default'";
            let begun = script
                .replacen(
                    "#compdef birthmark\n",
                    concat!(
                        "#compdef birthmark\n\n",
                        include_str!("completions/filter.zsh")
                    ),
                    1,
                )
                .replace(filter, "'*:filter:_birthmark_filter'");
            let line = |line: &str| match ZSH.iter().find(|(of, _)| line.contains(of)) {
                Some((_, with)) => line.replace(":_default'", &format!(":{with}'")),
                None => line.to_owned(),
            };
            begun.lines().map(|text| line(text) + "\n").collect()
        }
        Known::Fish => script + include_str!("completions/filter.fish"),
    }
}
