//! `birthmark unstamp`: the original bytes.

use std::path::PathBuf;

use birthmark::stamp::UnstampOptions;
use birthmark::{Error, stamp};

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::progress::Progress;
use crate::signals;
use crate::ui::Ui;

/// Take the birthmarks out of a file: the original bytes, exactly
///
/// Where the original cannot be had, since a birthmark took the place of an older one or a
/// record was edited since, it is refused and nothing is changed. Of .jsonl.gz and .jsonl.zst the text comes back
/// exactly, packed anew; `--out FILE.jsonl` gives it unpacked.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["in_place", "out"]))]
pub struct UnstampArgs {
    /// A file that carries birthmarks within
    file: PathBuf,

    /// Write into the file itself
    #[arg(long)]
    in_place: bool,

    /// Write to another file, which must not be there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Take lines of up to this many bytes (64MiB, 2GiB); each takes twice that of memory
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    longest_line: Option<usize>,

    /// Write what is there without the birthmarks, though it was edited since it was stamped
    #[arg(long)]
    force: bool,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Unstamps.
pub fn run(ui: &mut Ui, args: &UnstampArgs) -> Answer {
    let target = super::stamp::target(args.in_place, args.out.as_ref());
    if args.file.as_os_str() == "-" && !args.file.exists() {
        let text = "a pipe cannot be unstamped: whether all of it can be is known at its end";
        let error = Error::usage("no-pipe", text);
        return Err(error.with_hint("name a file, and `--out CLEAN`").into());
    }
    let project = super::project()?;
    let options = UnstampOptions {
        longest_line: args.longest_line,
        force: args.force,
    };
    let done = Progress::around(|| {
        signals::stoppable(|| stamp::unstamp(&project, &args.file, &target, options))
    })?;
    if args.json {
        ui.json(&done.to_json())?;
    } else {
        let removed = birthmark::text::count(done.removed, "birthmark");
        let wrote = done.wrote.to_string_lossy();
        let wrote = birthmark::text::neutral(&wrote);
        ui.people(&format!("unstamped {wrote}: {removed} taken out"))?;
    }
    if done.foreign > 0 {
        let foreign = birthmark::text::count(done.foreign, "birthmark");
        ui.talk(&format!("{foreign} that another helper made still stand"));
    }
    if done.beneath {
        ui.talk("an older birthmark lay beneath, and stands: unstamp once more to take it out");
    }
    if let Some(why) = &done.edited {
        ui.talk(&format!(
            "warning: it was edited since it was stamped, and is not what it was: {why}"
        ));
    } else if !done.is_proved {
        ui.talk(
            "nothing here recorded what it was before: an edit since it was stamped is not seen",
        );
    }
    if let Some(session) = &done.recorded_in {
        ui.talk(&format!("warning: session {session} recorded the stamped bytes of this file: verify will call it changed"));
    }
    Ok(ExitStatus::Yes)
}
