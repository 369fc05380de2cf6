//! The records that match, byte for byte as they stand.

use std::io::Write;
use std::path::Path;

use birthmark::find::{self, Ask};
use birthmark::text;
use birthmark_store::{atomic, stop};

use super::FindArgs;
use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::signals;
use crate::ui::Ui;

/// Writes them to stdout, or to a new file.
pub(super) fn records(
    ui: &mut Ui,
    args: &FindArgs,
    project: &birthmark::Project,
    ask: &Ask,
) -> Answer {
    let (written, said) = if let Some(path) = &args.out {
        into_file(path, project, ask)?
    } else {
        let mut out = ui.data();
        let done = find::records(project, ask, &mut |_, _, record| {
            out.write_all(record)?;
            out.write_all(b"\n")
        })?;
        out.flush()?;
        done
    };
    for line in said {
        ui.talk(&line);
    }
    let (records, files) = (
        text::count(written.records, "record"),
        text::count(written.files, "file"),
    );
    let is_cut = args
        .limit
        .is_some_and(|most| most as u64 <= written.records);
    let mut line = if is_cut {
        format!("{records} written out of {files}, and no more looked for: -n.")
    } else {
        format!("{records} found in {files}.")
    };
    if written.unknown > 0 && !is_cut {
        let verb = if written.unknown == 1 { "is" } else { "are" };
        line = format!(
            "{line} {} more {verb} unknown.",
            text::grouped(written.unknown)
        );
    }
    if let Some(first) = written.edited.first() {
        let verb = if written.edited.len() == 1 {
            "was"
        } else {
            "were"
        };
        line = format!(
            "{line} {} {verb} edited after being recorded: birthmark verify {}",
            text::count(written.edited.len() as u64, "file"),
            text::short(first, 60)
        );
    }
    let Some(path) = args.out.as_ref().filter(|_| written.records == 0) else {
        ui.talk(&line);
        return Ok(ExitStatus::Yes);
    };
    ui.talk(&format!("{line} `{}` was not written.", path.display()));
    Ok(ExitStatus::No)
}

type Done = (find::Written, Vec<String>);

fn into_file(path: &Path, project: &birthmark::Project, ask: &Ask) -> Result<Done, Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(
            Failure::new(format!("`{}` is there already", path.display()))
                .with_hint("nothing was written; name another file"),
        );
    }
    // An interrupt ends it as an error does, and nothing half-written stays.
    signals::stoppable(|| fill(path, project, ask))
}

fn fill(path: &Path, project: &birthmark::Project, ask: &Ask) -> Result<Done, Failure> {
    let mut answer = Ok((find::Written::default(), Vec::new()));
    let written = atomic::replace_with(path, atomic::Durability::Process, |file| {
        let mut out = std::io::BufWriter::with_capacity(1 << 16, file);
        answer = find::records(project, ask, &mut |_, _, record| {
            stop::check()?;
            out.write_all(record)?;
            out.write_all(b"\n")
        });
        let is_empty = answer
            .as_ref()
            .map_or(true, |(written, _)| written.records == 0);
        if is_empty {
            return Err(std::io::Error::other("nothing was written"));
        }
        out.flush()
    });
    let done = answer?;
    if done.0.records == 0 {
        return Ok(done);
    }
    written.map_err(birthmark::Error::from)?;
    Ok(done)
}
