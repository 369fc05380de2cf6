//! Writing: a sidecar, or the file through its format; all of it or nothing.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use birthmark_core::Fields;
use birthmark_core::birthmark::{self, Scope};
use birthmark_store::beside::Beside;
use birthmark_store::bulk::{Bulk, Output};
use birthmark_store::digest::FileState;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{
    self, ArtifactFormat, FileKind, FormatError, Input, OnExisting, Watched,
};
use birthmark_store::{Durability, Layout, atomic, reading};

use super::quarantine::Quarantine;
use super::{StampOptions, Stamped, kind_of, marks, refuse};
use crate::add;
use crate::error::{Error, Kind, Result};

pub(super) fn sidecar(file: &Path, options: &StampOptions, stamped: &mut Stamped) -> Result<()> {
    let place = Layout::sidecar(file);
    stamped.wrote.clone_from(&place);
    if place.exists() {
        match options.on_existing {
            OnExisting::Keep => {
                stamped.kept = true;
                return Ok(());
            }
            OnExisting::Replace => {}
            OnExisting::Error | OnExisting::Merge => {
                let hint = if options.on_existing == OnExisting::Merge {
                    "a sidecar is of Birthmark alone, and has nothing to merge with: say \
                     --on-existing replace, or keep"
                } else {
                    "say --on-existing replace, or keep"
                };
                return Err(Error::usage(
                    "already-stamped",
                    format!("`{}` is there already", place.display()),
                )
                .with_hint(hint));
            }
        }
    }
    if options.on_existing == OnExisting::Error && crate::read::carries(file) {
        return Err(Error::usage(
            "already-stamped",
            format!("`{}` carries a birthmark within", file.display()),
        )
        .with_hint(
            "a sidecar would differ from it; say --in-place --on-existing replace, or merge, to \
             change it, or --on-existing keep",
        ));
    }
    let digester = crate::digests::digester()
        .telling(options.progress.clone())
        .with_sha256(options.sha256);
    let beside = Beside::of(file)?;
    let mut sidecar = add::describe(file, spelled(&stamped.birthmark)?, &digester)?;
    // What a later version said of these very bytes stays.
    if let Ok(older) = Sidecar::read(&place)
        && older.digest == sidecar.digest
    {
        sidecar.others = older.others;
    }
    Ok(beside.replace(&place, &sidecar.render(), Durability::Power)?)
}

pub(super) fn spelled(birthmark: &Fields) -> Result<Vec<u8>> {
    serde_json::to_vec(birthmark).map_err(|source| {
        Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
    })
}

pub(super) fn within(
    file: &Path,
    out: &Path,
    options: &StampOptions,
    stamped: &mut Stamped,
) -> Result<()> {
    let kind = kind_of(file)?;
    if kind.has_records() && is_empty_file(file) {
        let text = format!(
            "`{}` is empty: no record can carry a birthmark",
            file.display()
        );
        return Err(Error::usage("empty", text)
            .with_hint("leave out --in-place and --out: a sidecar takes any file"));
    }
    if Layout::sidecar(file).symlink_metadata().is_ok() {
        if options.on_existing == OnExisting::Keep && out == file {
            stamped.kept = true;
            out.clone_into(&mut stamped.wrote);
            return Ok(());
        }
        if options.on_existing != OnExisting::Replace {
            return Err(refuse::beside(file, out, options.on_existing));
        }
    }
    let to = kind_of(out)?;
    let format = kind
        .into(to, options.longest_line)
        .ok_or_else(|| refuse::other_kind(kind, out))?;
    let scope = if kind.has_records() {
        Scope::Record
    } else {
        Scope::Whole
    };
    let mark = birthmark::compose([&stamped.birthmark], scope);
    let marks = marks::Marks::new(&mark, options.on_existing)?;
    let mut aside = options
        .quarantine
        .as_deref()
        .map(|path| Quarantine::open(path, options.force))
        .transpose()?;
    let progress = options.progress.as_deref();
    let written = rewrite(&*format, file, out, progress, |format, input, output| {
        let Some(aside) = &mut aside else {
            let stamped = format.stamp(input, output, &marks, options.on_existing)?;
            return match stamped.places.records() {
                // An error here throws away what was written.
                0 if kind.has_records() => Err(FormatError::NoPlace {
                    name: file.to_owned(),
                    what: "it holds no record".to_owned(),
                }),
                _ => Ok(stamped),
            };
        };
        let mut take = |bad: format::Bad<'_>| aside.take(&bad);
        let stamped = format.stamp_sound(input, output, &marks, options.on_existing, &mut take)?;
        // What was taken out of the file is safe before the file is replaced.
        aside.settle().map_err(|source| FormatError::Write {
            name: file.to_owned(),
            source,
        })?;
        Ok(stamped)
    })
    .map_err(|error| with_way_out(error, kind))?;
    stamped.places = written.places;
    stamped.written = Some(super::Written {
        size: written.size,
        digest: written.digest,
        content_digest: written.content_digest,
    });
    stamped.aside = aside.map(|aside| aside.sum);
    out.clone_into(&mut stamped.wrote);
    // It is of what lay there before, and would contradict what stands in the file now.
    let sidecar = Layout::sidecar(out);
    if (out == file || options.force) && sidecar.symlink_metadata().is_ok() {
        Beside::of(out)?.remove(&sidecar)?;
        stamped.removed = Some(sidecar);
    }
    Ok(())
}

fn is_empty_file(file: &Path) -> bool {
    let found = file.symlink_metadata();
    found.is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// What can be done with a file of which a line, or the whole, is no record.
fn with_way_out(error: Error, kind: FileKind) -> Error {
    if error.code() == "damaged" {
        return error.with_hint(
            "copy it again from where it is whole, or leave out --in-place and --out: a sidecar \
             needs no sound file",
        );
    }
    if error.code() == "too-long" && matches!(kind, FileKind::Records(_)) {
        return error.with_hint(
            "is it JSONL, one record a line? --longest-line SIZE takes longer ones, \
             --quarantine FILE sets them aside",
        );
    }
    if error.hint().is_some() || error.code() != "not-json" {
        return error;
    }
    error.with_hint(if matches!(kind, FileKind::Records(_)) {
        "nothing was changed; --quarantine FILE sets such lines aside"
    } else {
        "nothing was changed; leave out --in-place and --out: a sidecar takes any file"
    })
}

/// Reads `file` through `pass` into `out`: all of it or nothing. Where no `progress` is to be
/// raised, who watches the reading of this thread is told.
pub(crate) fn rewrite<T>(
    format: &dyn ArtifactFormat,
    file: &Path,
    out: &Path,
    progress: Option<&AtomicU64>,
    pass: impl FnOnce(&dyn ArtifactFormat, Input<'_>, &mut dyn Output) -> Result<T, FormatError>,
) -> Result<T> {
    let beside = Beside::of(file)?;
    let (source, before) = beside.open_still()?;
    let counter = match progress {
        Some(_) => None,
        None => reading::expect(before.size),
    };
    let progress = progress.or(counter.as_deref());
    let mut answer = None;
    let work = |target: &mut std::fs::File| {
        let mut output = Bulk::new(target, before.size);
        let mut bytes = Watched::new(source, progress);
        let passed = pass(
            format,
            Input {
                name: file,
                bytes: &mut bytes,
            },
            &mut output,
        );
        let failed = passed.is_err();
        answer = Some(passed);
        if failed {
            return Err(std::io::Error::other("it could not be read through"));
        }
        output.finish()?;
        still_as(&beside, &before)
    };
    let written = if out == file {
        beside.replace_with(file, Durability::Power, work)
    } else {
        atomic::replace_with(out, Durability::Power, work)
    };
    match (answer, written) {
        (Some(Err(error)), _) => Err(error.into()),
        (Some(Ok(done)), Ok(())) => Ok(done),
        (_, Err(error)) => Err(error.into()),
        (None, Ok(())) => Err(Error::new(
            Kind::Io,
            "io",
            format!("cannot read `{}`", file.display()),
        )),
    }
}

fn still_as(beside: &Beside, before: &FileState) -> std::io::Result<()> {
    match beside.open_still() {
        Ok((_, after)) if after == *before => Ok(()),
        _ => Err(std::io::Error::other("it changed while it was read")),
    }
}
