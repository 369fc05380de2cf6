//! What is refused before anything is written.

use std::path::Path;

use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::format::FileKind;

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
    if options.target == Target::Sidecar {
        return Ok(());
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
        Target::Out(out) if birthmark_store::records::same_file(out, file) => Err(Error::usage(
            "same-file",
            format!("`{}` is the file itself", out.display()),
        )
        .with_hint("say --in-place to stamp the file itself")),
        Target::Out(out) if FileKind::of(out).is_none_or(|to| kind.into(to, None).is_none()) => {
            Err(other_kind(kind, out))
        }
        Target::Out(out) if out.exists() && !options.force => {
            Err(exists(out).with_hint("say --force to overwrite it"))
        }
        _ => Ok(()),
    }
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
