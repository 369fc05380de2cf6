//! The reference page of the program, from the same definitions as its help.

use std::fmt::Write as _;

/// The whole page as Markdown: the help of the program and of each command.
pub fn page() -> String {
    let mut page = String::from(
        "# The program `birthmark`\n\nThis page is made from the program's own help; \
         a test fails when it is stale.\n",
    );
    let mut root = crate::cli::definition()
        .term_width(80)
        .color(clap::ColorChoice::Never);
    root.build();
    write(&mut page, &mut root, "birthmark", 2);
    page
}

fn write(page: &mut String, command: &mut clap::Command, name: &str, level: usize) {
    let help = command.render_long_help().to_string();
    let help = help
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "\n{} `{name}`\n\n```text\n{}\n```\n",
        "#".repeat(level),
        help.trim_end()
    );
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .map(|inner| inner.get_name().to_owned())
        .collect();
    let names = names.into_iter().filter(|inner| inner != "help");
    for inner in names {
        if let Some(command) = command.find_subcommand_mut(&inner) {
            write(page, command, &format!("{name} {inner}"), level + 1);
        }
    }
}
