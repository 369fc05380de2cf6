//! Cutting birthmarks out: the original bytes, or a refusal with its reason.

use std::path::{Path, PathBuf};

use birthmark_core::json;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::format::{self, FileKind, FormatError, Input, Mark, Watched};
use birthmark_store::{Layout, digest, reading};
use serde_json::{Value, json};

use super::Target;
use super::births::Births;
use super::proof::{self, Proof};
use super::refuse::{self, exists};
use super::write::rewrite;
use crate::error::{Error, Kind, Result};
use crate::meant;
use crate::project::Project;

/// What was unstamped.
#[derive(Debug, Clone)]
pub struct Unstamped {
    /// The file.
    pub file: PathBuf,
    /// What was written.
    pub wrote: PathBuf,
    /// Records in all.
    pub records: u64,
    /// Records that had a birthmark of ours, which is now gone.
    pub removed: u64,
    /// Records with a foreign birthmark, which still stands.
    pub foreign: u64,
    /// Digest of what was written.
    pub digest: String,
    /// An older birthmark of ours lay beneath that of the first record, and stands there now.
    pub beneath: bool,
    /// The session that recorded the stamped bytes of this very file, in short.
    pub recorded_in: Option<String>,
    /// Whether what was written was recorded when the file was stamped or made.
    pub is_proved: bool,
    /// What was edited since, where that was forced.
    pub edited: Option<String>,
}

/// How to unstamp.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnstampOptions {
    /// The longest line that is taken, in bytes; 64 MiB where nothing is said.
    pub longest_line: Option<usize>,
    /// Write what is there without the birthmarks, though it was edited since it was stamped.
    pub force: bool,
}

impl Unstamped {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file.to_string_lossy(),
            "wrote": self.wrote.to_string_lossy(),
            "records": self.records,
            "removed": self.removed,
            "foreign": self.foreign,
            "digest": self.digest,
            "beneath": self.beneath,
            "recorded_in": self.recorded_in,
            "proved": self.is_proved,
            "edited": self.edited,
        })
    }
}

/// Writes `file` without its birthmarks, in place or to another file.
///
/// A file that is there already is not overwritten but by `--in-place`. What was edited since it
/// was stamped, as far as that was recorded here, is refused unless it is forced.
pub fn unstamp(
    project: &Project,
    file: &Path,
    target: &Target,
    options: UnstampOptions,
) -> Result<Unstamped> {
    let name = file.display();
    let out = match target {
        Target::InPlace => file,
        Target::Out(out) if out.exists() => {
            return Err(exists(out).with_hint("name another file, or say --in-place"));
        }
        Target::Out(out) => out,
        Target::Sidecar => {
            return Err(Error::usage("no-target", "where to write is not said")
                .with_hint("say --in-place or --out FILE"));
        }
    };
    if file
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(SIDECAR_SUFFIX.as_bytes())
    {
        return Err(Error::usage(
            "sidecar",
            format!("`{name}` is a sidecar: it is nothing else"),
        )
        .with_hint("remove the file, and the birthmark is gone"));
    }
    if !file.exists() {
        let text = format!("cannot unstamp `{name}`: it is not there");
        return meant::or_hint(project, file, Err(Error::usage("no-file", text)));
    }
    refuse::special(file)?;
    let Some(kind) = FileKind::of(file).filter(|_| !file.is_dir()) else {
        return Err(no_birthmark(file));
    };
    if let (Target::InPlace, Some(error)) = (target, refuse::linked(file)) {
        return Err(error.with_hint("say --out FILE, which then may take its place"));
    }
    let into = kind.out_of(FileKind::of(out), options.longest_line);
    let Some(beneath) = first(&*into, file).map_err(with_way_out)? else {
        return Err(no_birthmark(file));
    };
    let (mut replaced, mut proof) = (None, Proof::Unknown);
    let births = Births::of(project);
    let done = rewrite(&*into, file, out, None, |format, input, output| {
        let done = format.unstamp(input, output)?;
        replaced = done.replaced;
        if replaced.is_none() {
            proof = proof::of(project, &births, file, done.digest);
        }
        let is_edited = matches!(proof, Proof::Edited(_)) && !options.force;
        // An error here throws away what was written.
        if replaced.is_some() || is_edited {
            return Err(FormatError::CannotUndo {
                name: file.to_owned(),
            });
        }
        Ok(done)
    });
    if let Some(line) = replaced {
        return Err(cannot_undo(file, line));
    }
    let edited = match &proof {
        Proof::Edited(why) if !options.force => return Err(was_edited(file, why)),
        Proof::Edited(why) => Some(why.clone()),
        Proof::Recorded | Proof::Unknown => None,
    };
    let done = done.map_err(with_way_out)?;
    // What lies there now has the content that the session recorded, without birthmarks.
    let born = births.with_content(file, done.digest);
    let stored = project.stored_path(out);
    let recorded_in = born.filter(|birth| birth.file == stored);
    Ok(Unstamped {
        file: file.to_owned(),
        wrote: out.to_owned(),
        records: done.records,
        removed: done.removed,
        foreign: done.foreign,
        digest: done.digest.to_string(),
        beneath,
        recorded_in: recorded_in.map(|birth| birth.session.short().to_owned()),
        is_proved: matches!(proof, Proof::Recorded),
        edited,
    })
}

/// Without its birthmarks it is another text than was stamped.
fn was_edited(file: &Path, why: &str) -> Error {
    Error::new(
        Kind::Refused,
        "edited",
        format!(
            "`{}` was edited since it was stamped, and its original bytes are not in it: {why}",
            file.display()
        ),
    )
    .with_hint("nothing was changed; --force gives what is there without the birthmarks")
}

fn no_birthmark(file: &Path) -> Error {
    let error = Error::usage(
        "unstamped",
        format!("`{}` holds no birthmark of ours", file.display()),
    );
    let sidecar = Layout::sidecar(file);
    if sidecar.exists() {
        return error.with_hint(format!(
            "it stands in `{}`: remove that file",
            sidecar.display()
        ));
    }
    error.with_hint("there is nothing to take out")
}

/// What can be done about a record that is none.
fn with_way_out(error: Error) -> Error {
    if error.hint().is_some() || error.code() != "not-json" {
        return error;
    }
    error.with_hint("nothing was changed; put right what stands there, and try again")
}

/// Of the first record with a birthmark of ours whether another of ours lies beneath it; none
/// where no record has one.
fn first(format: &dyn format::ArtifactFormat, file: &Path) -> Result<Option<bool>> {
    let mut found = None;
    read(format, file, |mark| {
        if mark.value().is_some_and(json::is_birthmark) {
            let mut less = Vec::new();
            let cut = json::unstamp_record(&mut less, mark.record);
            let next = cut.ok().and_then(|_| json::find_birthmark(&less).ok());
            found = Some(next.is_some_and(|place| place.is_ours()));
        }
        found.is_none()
    })?;
    Ok(found)
}

/// A record whose birthmark took the place of an older one was another before.
fn cannot_undo(file: &Path, line: u64) -> Error {
    Error::new(
        Kind::Refused,
        "replaced",
        format!(
            "`{}`, line {line}: its birthmark replaced an older one, which cannot be brought back",
            file.display()
        ),
    )
    .with_hint(if FileKind::of(file).is_some_and(FileKind::has_key) {
        "nothing was changed; write the file anew to be without it"
    } else {
        "nothing was changed; to drop `metadata` all the same, use jq 'del(.metadata)'"
    })
}

/// Hands over every record with its birthmark, until `each` says stop. Faults are named.
fn read(
    format: &dyn format::ArtifactFormat,
    file: &Path,
    mut each: impl FnMut(&Mark<'_>) -> bool,
) -> Result<()> {
    let (source, state) = digest::open_still(file)?;
    let counter = reading::expect(state.size);
    let mut source = Watched::new(source, counter.as_deref());
    let mut fault = None;
    format.read(
        Input {
            name: file,
            bytes: &mut source,
        },
        &mut |mark| match mark {
            Ok(mark) => each(&mark),
            Err(error) => {
                fault = Some(error);
                false
            }
        },
    )?;
    fault.map_or(Ok(()), |error| Err(error.into()))
}
