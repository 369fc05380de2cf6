//! The walk for untracked files, as far as one is needed.
//!
//! Of the names that the index does not know, those that are ignored are dropped; the others are
//! walked by gix, which knows nested repositories and what lies in ignored folders. With many of
//! them, or where the names could not be told, everything is walked.

use gix::bstr::{BString, ByteSlice};
use gix::index::entry::Mode;
use gix::worktree::stack::state::ignore::Source;

use super::open::Repository;
use super::quick::{self, Stranger};
use super::seen::{Own, Stop};
use super::visit::Visitor;

/// Each stranger is a pattern that all names in the folders round it are held against.
const MOST_PATTERNS: usize = 32;

/// Where untracked files are to be looked for.
pub(super) enum Where {
    /// Nowhere: they are not wanted, or there are none.
    Nowhere,
    /// Below these, from the top.
    Below(Vec<BString>),
    /// In all folders.
    Everywhere,
}

/// Flags what is surely unchanged in the index, and says where to look for untracked files.
pub(super) fn plan(
    repository: &Repository,
    index: &mut gix::index::State,
    own: &Own,
    stop: &Stop,
) -> gix::Result<Where> {
    let wanted = !own.tracked_only;
    let everything = if wanted {
        Where::Everywhere
    } else {
        Where::Nowhere
    };
    let Some(root) = repository.root() else {
        return Ok(everything);
    };
    let files = repository.git.filesystem_options()?;
    let rules = quick::Rules {
        stat: repository.git.stat_options()?,
        strangers: wanted && !files.ignore_case && !files.precompose_unicode,
    };
    let strangers = quick::pass(root, index, rules, stop);
    Ok(match strangers {
        Some(mut strangers) => {
            let own = own.below(root.to_owned());
            strangers.retain(|stranger| !own.leaves_out(stranger.path.as_bstr()));
            unignored(repository, index, strangers)?
        }
        None => everything,
    })
}

fn unignored(
    repository: &Repository,
    index: &gix::index::State,
    mut strangers: Vec<Stranger>,
) -> gix::Result<Where> {
    if strangers.is_empty() {
        return Ok(Where::Nowhere);
    }
    strangers.sort_unstable();
    let source = Source::WorktreeThenIdMappingIfNotSkipped;
    let mut ignores = repository.git.excludes(index, None, source)?;
    let mut below = Vec::new();
    for Stranger { path, is_folder } in strangers {
        let mode = if is_folder { Mode::DIR } else { Mode::FILE };
        let Ok(place) = ignores.at_entry(path.as_bstr(), Some(mode)) else {
            return Ok(Where::Everywhere);
        };
        if place.is_excluded() {
            continue;
        }
        if below.len() == MOST_PATTERNS {
            return Ok(Where::Everywhere);
        }
        below.push(path);
    }
    Ok(if below.is_empty() {
        Where::Nowhere
    } else {
        Where::Below(below)
    })
}

/// How gix is to walk: each untracked file by itself, and no more.
pub(super) fn options(repository: &Repository) -> gix::Result<gix::dirwalk::Options> {
    let options = repository.git.dirwalk_options()?;
    let options = options
        .emit_untracked(gix::dir::walk::EmissionMode::Matching)
        .emit_ignored(None);
    Ok(options.empty_patterns_match_prefix(false))
}

/// Walks what lies below these paths.
pub(super) fn below(
    repository: &Repository,
    index: &gix::index::State,
    paths: &[BString],
    visitor: &mut Visitor<'_>,
    stop: &Stop,
) -> gix::Result<()> {
    let patterns = paths.iter().map(|path| {
        let mut pattern = BString::from(":(top,literal)");
        pattern.extend_from_slice(path);
        pattern
    });
    let options = options(repository)?;
    repository
        .git
        .dirwalk(index, patterns, &stop.flag, options, visitor)?;
    Ok(())
}
