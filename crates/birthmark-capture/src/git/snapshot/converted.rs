//! Files that git takes for unchanged, and that it stores otherwise than they lie.
//!
//! Under `eol`, `ident`, an encoding or a filter, what git stores is not what ran: such a
//! file is stored as it lies. What a filter keeps elsewhere (git-lfs) is not fetched into the
//! snapshot: git's pointer to it stays, and it is named.

use gix::bstr::BStr;
use gix::index::entry::{Flags, Mode, Stage};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::Omitted;
use super::convert::{Conversion, Conversions};
use super::files::Lies;
use super::level::{Found, Level, Tools};
use crate::git::seen::Look;

/// What a filter stores instead of a file is smaller than this.
const LARGEST_POINTER: u64 = 1024;
/// Why a file of a filter is not there.
const ELSEWHERE: &str = "kept elsewhere by a filter (git-lfs?): git's pointer to it stands here";
/// Why a converted file is not there.
const TOO_MUCH: &str = "over the limits; as git would check it out";

impl Level<'_> {
    /// Files that git takes for unchanged, and that it stores otherwise than they lie.
    pub(super) fn converted(
        &self,
        look: &Look,
        mut conversions: Conversions<'_>,
        tools: &mut Tools<'_, '_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let index = &look.index;
        for entry in index.entries() {
            self.budget.check_time()?;
            let path = entry.path(index);
            let is_file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
            let away = entry.flags.contains(Flags::SKIP_WORKTREE);
            if !is_file || away || entry.stage() != Stage::Unconflicted {
                continue;
            }
            let told = look.seen.changes.contains_key(path) || look.seen.veiled.contains(path);
            let conversion = conversions.of(path);
            if told || conversion == Conversion::None {
                continue;
            }
            self.convert(&mut conversions, conversion, entry, path, tools, found)?;
        }
        Ok(())
    }

    fn convert(
        &self,
        conversions: &mut Conversions<'_>,
        conversion: Conversion,
        entry: &gix::index::Entry,
        path: &BStr,
        tools: &mut Tools<'_, '_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let git = tools.writer.source;
        let stored = git.try_find_header(entry.id).ok().flatten();
        let stored = stored.map(|header| header.size());
        let lies = u64::from(entry.stat.size);
        let same_size = lies != 0 && stored == Some(lies);
        if conversion == Conversion::LineEnds && same_size && !conversions.makes_crlf(path) {
            return Ok(());
        }
        let is_pointer = conversion == Conversion::Filter
            && stored.is_some_and(|stored| stored < LARGEST_POINTER)
            && lies > LARGEST_POINTER;
        let mut omit = |reason: &str| {
            found.omitted.push(Omitted {
                path: path.to_owned(),
                size: Some(lies),
                reason: reason.to_owned(),
            });
        };
        if is_pointer {
            omit(ELSEWHERE);
            return Ok(());
        }
        match tools.files.read(path, self.options.max_file) {
            Lies::File { bytes, .. } => {
                let id = tools.writer.id(Kind::Blob, &bytes)?;
                if id != entry.id {
                    if !self.budget.spend(bytes.len() as u64) {
                        omit(TOO_MUCH);
                        return Ok(());
                    }
                    tools.writer.put(Kind::Blob, &bytes)?;
                    let kind = if entry.mode == Mode::FILE_EXECUTABLE {
                        EntryKind::BlobExecutable
                    } else {
                        EntryKind::Blob
                    };
                    found.edits.set(path, Some((kind, id)));
                }
                if conversions.checkout_alters(path, &bytes) {
                    found.raw.push(path.to_owned());
                }
            }
            // It is gone since the look: that is drift, and told at the end of the run.
            Lies::Nothing | Lies::Link(_) => {}
            Lies::TooBig(_) | Lies::Unreadable(_) => omit(TOO_MUCH),
        }
        Ok(())
    }
}
