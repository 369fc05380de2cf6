//! What a plain checkout would make of a file: line ends, `$Id$`, encodings, filters.
//!
//! Nothing runs: filters are named, never asked.

use std::path::PathBuf;

use gix::attrs::StateRef;
use gix::bstr::{BStr, ByteSlice};
use gix::filter::plumbing::pipeline::convert::ToWorktreeOutcome;
use gix::index::entry::Mode;
use gix::worktree::stack::state::attributes::Source;

use super::super::open::Repository;
use crate::process::environ;

/// The attributes that make a checkout differ from what is stored.
const NAMES: [&str; 6] = [
    "text",
    "crlf",
    "eol",
    "ident",
    "working-tree-encoding",
    "filter",
];

/// How a checkout may alter a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Not at all.
    None,
    /// Its line ends: a file of the same size is the same.
    LineEnds,
    /// `$Id$`, or its encoding.
    Content,
    /// By a filter's program.
    Filter,
}

/// Asks the attributes of one work tree.
pub(super) struct Conversions<'a> {
    pipeline: gix::filter::Pipeline<'a>,
    stack: gix::AttributeStack<'a>,
    matches: gix::attrs::search::Outcome,
    by_config: bool,
    crlf_by_config: bool,
}

impl<'a> Conversions<'a> {
    /// `repository` must have been opened without filters.
    pub(super) fn new(
        repository: &'a Repository,
        index: &gix::index::State,
    ) -> Result<Self, String> {
        let git = &repository.git;
        let unreadable = |error: gix::Error| format!("the attributes cannot be read: {error}");
        let stack = || git.attributes_only(index, Source::WorktreeThenIdMapping);
        let pipeline = stack().and_then(|stack| gix::filter::Pipeline::new(git, stack.detach()));
        let stack = stack().map_err(unreadable)?;
        let matches = stack.selected_attribute_matches(NAMES);
        Ok(Self {
            pipeline: pipeline.map_err(unreadable)?,
            stack,
            matches,
            by_config: line_ends_by_config(git),
            crlf_by_config: crlf_by_config(git),
        })
    }

    /// How a checkout may alter the file at `path`.
    pub(super) fn of(&mut self, path: &BStr) -> Conversion {
        let Ok(platform) = self.stack.at_entry(path, Some(Mode::FILE)) else {
            return Conversion::Content;
        };
        platform.matching_attributes(&mut self.matches);
        let mut conversion = if self.by_config {
            Conversion::LineEnds
        } else {
            Conversion::None
        };
        let mut binary = false;
        for found in self.matches.iter_selected() {
            let name = found.assignment.name.as_str();
            let state = found.assignment.state;
            let on = matches!(state, StateRef::Set | StateRef::Value(_));
            match name {
                "text" | "crlf" if state == StateRef::Unset => binary = true,
                "filter" if matches!(state, StateRef::Value(_)) => return Conversion::Filter,
                "ident" | "working-tree-encoding" if on => conversion = Conversion::Content,
                "text" | "crlf" | "eol" if on && conversion == Conversion::None => {
                    conversion = Conversion::LineEnds;
                }
                _ => {}
            }
        }
        if binary && conversion == Conversion::LineEnds {
            return Conversion::None;
        }
        conversion
    }

    /// Whether a checkout may end this file's lines in CR LF.
    pub(super) fn makes_crlf(&mut self, path: &BStr) -> bool {
        if self.crlf_by_config {
            return true;
        }
        let Ok(platform) = self.stack.at_entry(path, Some(Mode::FILE)) else {
            return true;
        };
        platform.matching_attributes(&mut self.matches);
        self.matches.iter_selected().any(|found| {
            found.assignment.name.as_str() == "eol"
                && matches!(found.assignment.state, StateRef::Value(value) if value.as_bstr() == "crlf")
        })
    }

    /// What the reader leaves as it is, and git does not: an id that stands in the text already,
    /// and encodings of two and four bytes. Of the path that was asked about last.
    fn beyond_reader(&self, bytes: &[u8]) -> bool {
        self.matches.iter_selected().any(|found| {
            let state = found.assignment.state;
            match found.assignment.name.as_str() {
                "ident" => state == StateRef::Set && has_filled_id(bytes),
                "working-tree-encoding" => {
                    let wide = matches!(state, StateRef::Value(name) if is_wide(name.as_bstr()));
                    wide && !bytes.is_empty()
                }
                _ => false,
            }
        })
    }

    /// Whether a checkout of these bytes would give other ones; so too where it cannot be
    /// told.
    pub(super) fn checkout_alters(&mut self, path: &BStr, bytes: &[u8]) -> bool {
        match self.of(path) {
            Conversion::None => return false,
            Conversion::Filter => return true,
            Conversion::Content if self.beyond_reader(bytes) => return true,
            Conversion::LineEnds | Conversion::Content => {}
        }
        let options = gix::filter::plumbing::pipeline::convert::to_worktree::Options {
            unknown_encoding:
                gix::filter::plumbing::pipeline::convert::to_worktree::UnknownEncoding::Fail,
            ..Default::default()
        };
        match self.pipeline.convert_to_worktree(bytes, path, options) {
            Ok(ToWorktreeOutcome::Unchanged(_)) => false,
            Ok(ToWorktreeOutcome::Buffer(made)) => made != bytes,
            Ok(ToWorktreeOutcome::Process(_)) | Err(_) => true,
        }
    }
}

/// An id that was put in already, and that git puts in anew: `$Id: …$` within a line. One with
/// spaces in it, as other systems write it, git leaves alone.
fn has_filled_id(bytes: &[u8]) -> bool {
    let mut parts = bytes.split_str("$Id:").skip(1);
    parts.any(|after| {
        let Some(end) = after.find_byteset(b"$\n").filter(|at| after[*at] == b'$') else {
            return false;
        };
        let within = after[..end]
            .strip_prefix(b" ")
            .and_then(|id| id.strip_suffix(b" ").or(Some(id)));
        !within.is_some_and(|id| id.contains(&b' '))
    })
}

/// Whether an encoding is one in which no text has the bytes of UTF-8.
fn is_wide(encoding: &[u8]) -> bool {
    let name = encoding.to_ascii_uppercase();
    name.starts_with(b"UTF-16") || name.starts_with(b"UTF-32")
}

/// Whether the settings alone alter line ends.
fn line_ends_by_config(git: &gix::Repository) -> bool {
    let config = git.config_snapshot();
    let value = config.string("core.autocrlf");
    value.is_some_and(|value| {
        !matches!(
            value.to_ascii_lowercase().as_slice(),
            b"false" | b"no" | b"off" | b"0" | b""
        )
    })
}

/// Whether the settings alone make CR LF of line ends.
fn crlf_by_config(git: &gix::Repository) -> bool {
    let config = git.config_snapshot();
    let is = |name: &str, word: &str| {
        let value = config.string(name);
        value.is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
    };
    config.boolean("core.autocrlf").unwrap_or(false) || is("core.eol", "crlf")
}

/// Whether any conversion can apply in this work tree: if not, no file needs to be asked.
pub(super) fn any_possible(repository: &Repository, index: &gix::index::State) -> bool {
    let git = &repository.git;
    if line_ends_by_config(git) || git.common_dir().join("info/attributes").exists() {
        return true;
    }
    let named = git.config_snapshot().string("core.attributesFile");
    if named.is_some() || user_attributes().is_some_and(|path| path.exists()) {
        return true;
    }
    index.entries().iter().any(|entry| {
        let path = entry.path(index);
        path == ".gitattributes" || path.ends_with_str("/.gitattributes")
    })
}

/// Where git looks for the user's attributes if no setting says where.
fn user_attributes() -> Option<PathBuf> {
    let folder = match environ::value("XDG_CONFIG_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(environ::value("HOME")?).join(".config"),
    };
    Some(folder.join("git/attributes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_git_puts_in_anew_are_told_from_those_of_other_systems() {
        // As git 2.47 checks them out under `*.id ident`.
        for anew in [
            "", " ", "x", " x", " x ", "a b", "ab c", "abc ", "a  ", "x  y",
        ] {
            assert!(
                has_filled_id(format!("# $Id:{anew}$\n").as_bytes()),
                "{anew:?}"
            );
        }
        for left in [
            " not mine ",
            " a b",
            "  x",
            "   x",
            " x y",
            " a  ",
            "   ",
            "x\n",
        ] {
            assert!(
                !has_filled_id(format!("# $Id:{left}$\n").as_bytes()),
                "{left:?}"
            );
        }
    }
}
