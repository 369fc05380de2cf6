//! What is refused before anything is written.

use std::path::Path;

use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::Layout;
use birthmark_store::atomic::{self, PathContext as _};
use birthmark_store::format::{FileKind, OnExisting};

use super::{StampOptions, Target, births, kind_of};
use crate::error::{Error, Result};
use crate::meant;
use crate::project::Project;

/// A file that is not there, or has no place for a birthmark where one is wanted.
pub(super) fn unfit(project: &Project, file: &Path, options: &StampOptions) -> Result<()> {
    let name = file.display();
    if file
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(SIDECAR_SUFFIX.as_bytes())
    {
        return Err(
            Error::usage("sidecar", format!("`{name}` is a sidecar, not an artifact"))
                .with_hint("name the file that it belongs to"),
        );
    }
    if !file.exists() {
        if file.is_symlink() {
            let text = format!("cannot stamp `{name}`: it is a symbolic link to nothing");
            return Err(Error::usage("no-file", text));
        }
        let text = format!("cannot stamp `{name}`: it is not there");
        return meant::or_hint(project, file, Err(Error::usage("no-file", text)));
    }
    special(file)?;
    own(project, file)?;
    if options.target == Target::Sidecar {
        return match options.quarantine {
            Some(_) => {
                let text = "lines are set aside only of what is written into a file";
                Err(Error::usage("quarantine", text).with_hint("say --in-place or --out FILE"))
            }
            None => Ok(()),
        };
    }
    if options.sha256 {
        let text = "SHA-256 goes into a sidecar only";
        return Err(
            Error::usage("sha256", text).with_hint("leave out sha256, or --in-place and --out")
        );
    }
    if file.is_dir() {
        return Err(Error::usage(
            "no-format",
            format!("`{name}` is a folder: it cannot carry a birthmark within"),
        )
        .with_hint("leave out --in-place and --out: the birthmark then goes into a sidecar"));
    }
    let kind = kind_of(file)?;
    match &options.target {
        Target::InPlace if !options.force => linked(file).map_or(Ok(()), |error| {
            Err(error.with_hint(
                "say --force to stamp this one alone, the others then keep what they hold, or \
                 --out FILE to write a stamped copy",
            ))
        }),
        Target::Out(out) if birthmark_store::records::same_file(out, file) => Err(Error::usage(
            "same-file",
            format!("`{}` is the file itself", out.display()),
        )
        .with_hint("say --in-place to stamp the file itself")),
        Target::Out(out) if out.is_dir() => {
            let text = format!("`{}` is a folder", out.display());
            let inside = out.join(file.file_name().unwrap_or_default());
            let hint = format!("name the copy: --out {}", inside.display());
            Err(Error::usage("out-folder", text).with_hint(hint))
        }
        Target::Out(out) if !atomic::folder_of(out).is_dir() => {
            let folder = atomic::folder_of(out).display();
            let text = format!("cannot write `{}`: its folder is not there", out.display());
            Err(Error::usage("no-folder", text).with_hint(format!("mkdir -p {folder}")))
        }
        Target::Out(out) if FileKind::of(out).is_none_or(|to| kind.into(to, None).is_none()) => {
            Err(other_kind(kind, out))
        }
        Target::Out(out) if out.exists() && !options.force => {
            Err(exists(out).with_hint("say --force to overwrite it"))
        }
        _ => Ok(()),
    }
}

/// A FIFO or a device: it has no bytes that stay.
pub(super) fn special(file: &Path) -> Result<()> {
    if file.is_file() || file.is_dir() {
        return Ok(());
    }
    Err(atomic::not_a_file())
        .at("read", file)
        .map_err(Error::from)
}

/// The store, what lies in it, and manifests: what Birthmark itself writes is no artifact.
fn own(project: &Project, file: &Path) -> Result<()> {
    let whole = crate::project::plain(&std::path::absolute(file).unwrap_or_default());
    let layout = &project.layout;
    let is_store = whole.starts_with(layout.store());
    let is_manifest =
        whole.parent() == Some(layout.artifacts()) && Layout::session_of_manifest(&whole).is_some();
    if !is_store && !is_manifest {
        return Ok(());
    }
    let what = if is_store {
        "is of Birthmark's own store"
    } else {
        "is the manifest of a session"
    };
    let text = format!("`{}` {what}, not an artifact", file.display());
    Err(Error::usage("own", text).with_hint("name what a session made"))
}

/// A file with several names: written anew it would part from the others, and nobody would tell
/// who reads it by one of those.
pub(super) fn linked(file: &Path) -> Option<Error> {
    use std::os::unix::fs::MetadataExt;
    let names = file.metadata().ok()?.nlink();
    let text = format!(
        "`{}` has {names} names (hard links): written anew it would part from the others",
        file.display()
    );
    (names > 1).then(|| Error::usage("hard-links", text))
}

/// A file that has a birthmark beside it, and would get another one within.
pub(super) fn beside(file: &Path, out: &Path, on_existing: OnExisting) -> Error {
    let sidecar = Layout::sidecar(file);
    let text = format!(
        "`{}` has a birthmark already, in `{}`",
        file.display(),
        sidecar.display()
    );
    let nothing = match on_existing {
        OnExisting::Merge => "a sidecar has nothing to merge with: ",
        _ => "",
    };
    let hint = if out == file {
        "say --on-existing replace to have this one in the file instead, the sidecar is then \
         removed; or --on-existing keep"
    } else {
        "say --on-existing replace to give the copy this one, the sidecar stays with the file"
    };
    Error::usage("already-stamped", text).with_hint(format!("{nothing}{hint}"))
}

/// A copy whose name says that it is something else.
pub(super) fn other_kind(kind: FileKind, out: &Path) -> Error {
    let out = out.display();
    Error::usage(
        "no-format",
        format!("nobody would look into `{out}` for a birthmark"),
    )
    .with_hint(format!("let its name end with .{}", kind.ending()))
}

pub(super) fn exists(out: &Path) -> Error {
    Error::usage(
        "file-exists",
        format!("`{}` is there already", out.display()),
    )
}

/// Stamping in place what a session vouches for would make it fail its check.
pub(super) fn recorded(
    project: &Project,
    file: &Path,
    options: &StampOptions,
    birth: Option<&births::Birth>,
) -> Result<()> {
    let Some(birth) = birth.filter(|_| options.target == Target::InPlace && !options.force) else {
        return Ok(());
    };
    if project.stored_path(file) != birth.file {
        return Ok(());
    }
    Err(Error::usage(
        "recorded",
        format!(
            "session {} recorded the bytes of `{}`: stamped in place they are others",
            birth.session.short(),
            file.display()
        ),
    )
    .with_hint("leave out --in-place to write a sidecar, or say --force"))
}
