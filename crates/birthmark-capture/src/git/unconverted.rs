//! Files that git's conversion cannot be done for here: bytes that are none of their encoding, a
//! filter that must run and cannot, an encoding that gix does not know. They must not hide all
//! other files.
//!
//! * UTF-16 with its mark (which git names `UTF-16LE-BOM`, and gix does not know) is decoded here.
//! * What is in no encoding that git would take is surely not as git would store it: edited.
//! * Of an encoding that is not known here nothing is claimed, unless the size tells.

use std::sync::atomic::Ordering;

use birthmark_core::code::ChangeKind;
use gix::bstr::BString;
use gix::index::Entry;
use gix::index::entry::{Flags, Mode, Stage};

use super::file;
use super::open::Repository;
use super::seen::{Seen, Stop};
use super::text::display_path;
use super::visit;

/// What can be said of such a file.
enum Verdict {
    AsStored,
    Edited,
    Unclear,
}

/// The files that were found, by path.
pub(super) struct Aside(Vec<(BString, Verdict)>);

/// Finds them among the entries that are not known to be unchanged, and flags them, so that the
/// pass over the work tree does not come upon them again.
pub(super) fn set_aside(
    repository: &Repository,
    index: &mut gix::index::File,
    stop: &Stop,
) -> Aside {
    let mut found = Vec::new();
    for (at, entry) in index.entries().iter().enumerate() {
        if stop.flag.load(Ordering::Relaxed) {
            break;
        }
        let is_file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        let is_known =
            entry.flags.contains(Flags::UPTODATE) || entry.stage() != Stage::Unconflicted;
        let path = entry.path(index);
        if !is_file || is_known {
            continue;
        }
        if let Some((bytes, why)) = file::unstorable(repository, index, path) {
            let verdict = judge(repository, entry, &bytes, &why);
            found.push((at, path.to_owned(), verdict));
        }
    }
    for (at, _, _) in &found {
        if let Some(entry) = index.entries_mut().get_mut(*at) {
            entry.flags.insert(Flags::UPTODATE);
        }
    }
    Aside(found.into_iter().map(|one| (one.1, one.2)).collect())
}

impl Aside {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells what can be said of them.
    pub(super) fn note(self, seen: &mut Seen) {
        for (path, verdict) in self.0 {
            match verdict {
                Verdict::AsStored => {}
                Verdict::Edited => visit::note(seen, path.as_ref(), ChangeKind::Edited),
                Verdict::Unclear => {
                    let shown = display_path(path.as_ref());
                    seen.veiled.insert(path);
                    seen.cannot_tell(format!("the encoding of {shown} is not known here"));
                }
            }
        }
    }
}

fn judge(repository: &Repository, entry: &Entry, bytes: &[u8], why: &str) -> Verdict {
    let is_stored = |text: &[u8]| {
        let format = repository.git.object_hash();
        gix::objs::compute_hash(format, gix::objs::Kind::Blob, text).is_ok_and(|id| id == entry.id)
    };
    if let Some(text) = utf16(bytes) {
        let as_lines = text.replace("\r\n", "\n");
        let stored = is_stored(text.as_bytes()) || is_stored(as_lines.as_bytes());
        return if stored {
            Verdict::AsStored
        } else {
            Verdict::Edited
        };
    }
    let resized = entry.stat.size != 0 && entry.stat.size as usize != bytes.len();
    let is_foreign = why.contains("isn't available");
    if is_foreign && !resized {
        Verdict::Unclear
    } else {
        Verdict::Edited
    }
}

/// The text of UTF-16 that begins with its mark.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (little, rest) = match bytes {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        _ => return None,
    };
    let (pairs, left) = rest.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| {
        let unit = u16::from_le_bytes(*pair);
        if little { unit } else { unit.swap_bytes() }
    };
    let units: Vec<u16> = pairs.iter().map(unit).collect();
    left.is_empty()
        .then(|| String::from_utf16(&units).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::utf16;

    #[test]
    fn utf_16_is_known_by_its_mark() {
        assert_eq!(utf16(b"\xff\xfea\0\xe4\0").as_deref(), Some("aä"));
        assert_eq!(utf16(b"\xfe\xff\0a").as_deref(), Some("a"));
        for none in [&b"a\0"[..], b"\xff\xfea", b"\xff\xfe\0\xd8", b""] {
            assert_eq!(utf16(none), None);
        }
    }
}
