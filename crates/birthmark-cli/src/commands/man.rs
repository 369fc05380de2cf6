//! `birthmark man`: the manual pages, from the same definitions as the help.

use std::path::{Path, PathBuf};

use birthmark::Error;
use birthmark_store::atomic::{self, Durability};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Print the manual page, or write one for each command
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write birthmark.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(ui: &mut Ui, args: &ManArgs) -> Answer {
    let mut root = crate::cli::definition();
    root.build();
    let Some(folder) = &args.out else {
        ui.raw(&page(root)?)?;
        return Ok(ExitStatus::Yes);
    };
    atomic::create_folder(folder).map_err(Error::from)?;
    let pages = write(&root, "birthmark", folder)?;
    ui.talk(&format!(
        "birthmark: wrote {pages} pages to {}",
        folder.display()
    ));
    Ok(ExitStatus::Yes)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

/// Writes the page of a command and those of its commands; says how many.
fn write(command: &clap::Command, name: &str, folder: &Path) -> Result<usize, Failure> {
    let bytes = page(command.clone())?;
    let path = folder.join(format!("{name}.1"));
    atomic::replace(&path, &bytes, Durability::Process).map_err(Error::from)?;
    let mut pages = 1;
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
    {
        pages += write(inner, &format!("{name}-{}", inner.get_name()), folder)?;
    }
    Ok(pages)
}
