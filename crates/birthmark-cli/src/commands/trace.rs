//! `birthmark trace`: where it came from, and what came of it.

use std::path::PathBuf;

use birthmark::trace::{self, Options};
use jiff::tz::TimeZone;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Trace where an artifact came from, and what came of it
///
/// The artifact is found by what it is, not by its name: a renamed, copied or unstamped
/// file still belongs. It may be a file, a folder, one record (FILE:LINE), the beginning of
/// a digest, a session, or a run. All sessions of this project's store are asked, those of
/// the settings' `stores`, and those of each --store.
///
/// A `!` stands where a file's bytes are not what was recorded. Nothing is changed.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct TraceArgs {
    /// A file, a folder, FILE:LINE, a digest, or a session
    #[arg(value_name = "ARTIFACT")]
    artifact: PathBuf,

    /// Only where it came from
    #[arg(long, conflicts_with = "down")]
    up: bool,

    /// Only what came of it
    #[arg(long)]
    down: bool,

    /// Ask another store too: an artifacts folder, or a project
    #[arg(long = "store", value_name = "PATH")]
    stores: Vec<PathBuf>,

    /// Read large files too, to hold them against their digests
    #[arg(long)]
    deep: bool,

    /// Print all nodes and edges as JSON
    #[arg(long)]
    json: bool,

    /// Print a drawing for Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,

    /// Print a drawing for Mermaid, as Markdown pages show it
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    mermaid: bool,
}

/// Traces it.
pub fn run(ui: &mut Ui, args: &TraceArgs) -> Answer {
    let now = super::now();
    let standard = Options::at(now);
    let options = Options {
        stores: args.stores.clone(),
        up: !args.down,
        down: !args.up,
        read_limit: if args.deep {
            u64::MAX
        } else {
            standard.read_limit
        },
        ..standard
    };
    let traced = trace::trace(&args.artifact, &options)?;
    if args.json {
        ui.json(&traced.to_json())?;
    } else if args.dot {
        ui.as_it_stands(traced.to_dot().trim_end())?;
    } else if args.mermaid {
        ui.as_it_stands(traced.to_mermaid().trim_end())?;
    } else {
        ui.people(&trace::render(
            &traced,
            now,
            &TimeZone::system(),
            ui.width(),
        ))?;
    }
    Ok(ExitStatus::Yes)
}
