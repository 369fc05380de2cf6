//! What programs opened, as the preloaded library or the audit hook noted it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use birthmark_store::atomic;

/// A file of notes is not larger.
const FILE_LIMIT: u64 = 1 << 20;
const MAGIC: &[u8] = b"BMSEEN2\n";
const FIRST: usize = 64;
/// Where a file says which of its notes is the folder of its short notes.
const FOLDER_AT: usize = 20;
/// The kind of that note, and what a short note's kind has more than another's.
const FOLDER: u32 = 3;
const SHORT: u32 = 0x10;

/// What was called one name, and was given another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    /// When, in nanoseconds of a clock that only goes on.
    pub time: u64,
    /// What it was called.
    pub old: PathBuf,
    /// What it was called after.
    pub new: PathBuf,
    /// Whether it kept its old name.
    pub linked: bool,
}

/// Paths that were opened, once each.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// To be read.
    pub reads: BTreeSet<PathBuf>,
    /// To be written, or given this name.
    pub writes: BTreeSet<PathBuf>,
    /// To be read and written at once, with what was there; each is in `reads` and `writes` too.
    pub updates: BTreeSet<PathBuf>,
    /// Read by a process that wrote it, or put another in its place, afterwards: what it read is
    /// gone.
    pub rewritten: BTreeSet<PathBuf>,
    /// Names that were given, in the order of their times, but for what the same process wrote.
    pub names: BTreeSet<Naming>,
    /// Names that were removed, of files and of folders; something may lie there again.
    pub removed: BTreeSet<PathBuf>,
    opened: BTreeSet<PathBuf>,
    /// Written by more than one process.
    shared: BTreeSet<PathBuf>,
    /// What the process whose notes are read has done so far: read, and written.
    own: (BTreeSet<PathBuf>, BTreeSet<PathBuf>),
    /// Programs that were executed with the watch on; names without `/` were searched for.
    pub executed: BTreeSet<PathBuf>,
    /// Programs that were executed with an environment that leaves the watch out.
    pub unwatched: BTreeSet<PathBuf>,
    /// Notes that found no room.
    pub lost: u64,
    /// Whether any process noted anything.
    pub any: bool,
}

impl Seen {
    /// Reads all notes in a folder. What is damaged or unfinished ends a file's notes.
    pub fn read(folder: &Path) -> Self {
        let mut seen = Self::default();
        let Ok(entries) = std::fs::read_dir(folder) else {
            return seen;
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "seen")
                && let Ok(bytes) = atomic::read_limited(&path, FILE_LIMIT)
            {
                seen.take(&bytes);
            }
        }
        seen
    }

    fn take(&mut self, bytes: &[u8]) {
        if !bytes.starts_with(MAGIC) {
            return;
        }
        self.any = true;
        self.own = Default::default();
        self.lost += u64::from(number(bytes, 16).unwrap_or(0));
        let folder = number(bytes, FOLDER_AT).and_then(|at| note_at(bytes, at as usize));
        let folder = folder.filter(|(kind, _)| *kind == FOLDER);
        let mut at = FIRST;
        while let Some((kind, path)) = note_at(bytes, at) {
            match (kind & SHORT, folder) {
                (0, _) => self.note(kind, path.to_owned()),
                (_, Some((_, folder))) => self.note(kind & !SHORT, folder.join(path)),
                (_, None) => self.lost += 1,
            }
            at += 4 + path.as_os_str().len().div_ceil(4) * 4;
        }
    }

    /// Takes one note up.
    pub fn note(&mut self, kind: u32, path: PathBuf) {
        match kind {
            1 => self.read_one(crate::project::plain(&path)),
            6 => {
                let path = crate::project::plain(&path);
                self.updates.insert(path.clone());
                self.read_one(path)
            }
            2 => {
                let path = crate::project::plain(&path);
                self.opened.insert(path.clone());
                self.write_one(path)
            }
            7 | 8 => self.name(path.as_os_str().as_bytes(), kind == 8),
            9 => self.exchange(path.as_os_str().as_bytes()),
            10 => self.removed.insert(crate::project::plain(&path)),
            4 => self.executed.insert(path),
            5 => self.unwatched.insert(path),
            _ => false,
        };
    }
}

impl Seen {
    fn read_one(&mut self, path: PathBuf) -> bool {
        if !self.own.1.contains(&path) {
            self.own.0.insert(path.clone());
        }
        self.reads.insert(path)
    }

    fn write_one(&mut self, path: PathBuf) -> bool {
        if self.own.1.insert(path.clone()) {
            if self.writes.contains(&path) {
                self.shared.insert(path.clone());
            }
            if self.own.0.contains(&path) {
                self.rewritten.insert(path.clone());
            }
        }
        self.writes.insert(path)
    }

    /// Whether one process alone wrote it.
    pub(super) fn is_of_one(&self, path: &Path) -> bool {
        !self.shared.contains(path)
    }

    /// Whether it was called otherwise since.
    pub(super) fn was_renamed(&self, path: &Path) -> bool {
        let mut names = self.names.iter();
        names.any(|naming| !naming.linked && path.starts_with(&naming.old))
    }

    /// Whether it, or what lies in it, was opened to be written, and not only given its name.
    pub(super) fn opened_to_write(&self, path: &Path) -> bool {
        self.opened
            .range(path.to_owned()..)
            .next()
            .is_some_and(|first| first.starts_with(path))
    }

    /// Takes up a name that was given.
    fn name(&mut self, note: &[u8], linked: bool) -> bool {
        naming(note, linked).is_some_and(|naming| {
            self.write_one(naming.new.clone());
            self.names.insert(naming)
        })
    }

    /// Takes up two names that were exchanged: as by way of a third, which no file has.
    fn exchange(&mut self, note: &[u8]) -> bool {
        let Some(Naming { time, old, new, .. }) = naming(note, false) else {
            return false;
        };
        let third = PathBuf::from(format!("\0{time}"));
        self.writes.extend([old.clone(), new.clone()]);
        let steps = [(&old, &third), (&new, &old), (&third, &new)];
        for (step, (old, new)) in (0..).zip(steps) {
            self.names.insert(Naming {
                time: time.saturating_add(step),
                old: old.clone(),
                new: new.clone(),
                linked: false,
            });
        }
        true
    }
}

/// What a note says of a name: its time, the old path, a zero and the new one.
fn naming(note: &[u8], linked: bool) -> Option<Naming> {
    let (time, paths) = note.split_first_chunk::<8>()?;
    let middle = paths.iter().position(|byte| *byte == 0)?;
    let (old, new) = paths.split_at_checked(middle)?;
    let plain = |path| crate::project::plain(Path::new(OsStr::from_bytes(path)));
    Some(Naming {
        time: u64::from_le_bytes(*time),
        old: plain(old),
        new: plain(new.get(1..)?),
        linked,
    })
}

/// The note that begins there: its kind and its path.
fn note_at(bytes: &[u8], at: usize) -> Option<(u32, &Path)> {
    let head = number(bytes, at).filter(|head| *head != 0)?;
    let begin = at.checked_add(4)?;
    let path = bytes.get(begin..begin.checked_add((head & 0x00ff_ffff) as usize)?)?;
    Some((head >> 24, Path::new(OsStr::from_bytes(path))))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_given_are_read_with_their_times() {
        let mut seen = Seen::default();
        for (kind, time, paths) in [(8, 2_u64, "/b\0/c"), (7, 1, "/x/../a\0/b"), (7, 3, "/d")] {
            let note = [&time.to_le_bytes(), paths.as_bytes()].concat();
            seen.note(kind, PathBuf::from(OsStr::from_bytes(&note)));
        }
        seen.note(7, PathBuf::from("short"));
        let told = seen
            .names
            .iter()
            .map(|one| (one.time, one.old.to_str(), one.linked));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(1, Some("/a"), false), (2, Some("/b"), true)]
        );
        assert_eq!(
            seen.writes,
            ["/b", "/c"].iter().map(PathBuf::from).collect()
        );
    }

    #[test]
    fn two_names_that_were_exchanged_are_each_what_the_other_was() {
        let mut seen = Seen::default();
        let note = [&5_u64.to_le_bytes(), b"/a\0/d/b".as_slice()].concat();
        seen.note(9, PathBuf::from(OsStr::from_bytes(&note)));
        let paths: BTreeSet<PathBuf> = ["/a", "/d/b"].iter().map(PathBuf::from).collect();
        assert_eq!(seen.writes, paths);
        assert!(!seen.opened_to_write(Path::new("/a")));
        let before = |path: &str| seen.called_before(Path::new(path)).unwrap();
        let (earlier, given) = before("/a/x");
        assert_eq!(earlier.name(), Path::new("/d/b/x"));
        assert_eq!(given, Path::new("/a"));
        assert_eq!(before("/d/b").0.name(), Path::new("/a"));
    }

    #[test]
    fn notes_are_read_up_to_what_was_not_finished() {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(FIRST, 0);
        let folder = 64 + 12 + 8 + 8;
        bytes[20..24].copy_from_slice(&u32::to_le_bytes(folder));
        for (kind, path) in [
            (1_u32, "/a/../b"),
            (2, "/out"),
            (5, "cat"),
            (3, "/w/x/"),
            (0x11, "in"),
            (0x12, "../out"),
            (0x16, "both"),
            (0x1a, "gone"),
        ] {
            let length = u32::try_from(path.len()).unwrap();
            bytes.extend((kind << 24 | length).to_le_bytes());
            bytes.extend(path.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.extend([0; 64]);
        let mut seen = Seen::default();
        seen.take(&bytes);
        let paths = |of: &[&str]| of.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        assert_eq!(seen.reads, paths(&["/b", "/w/x/both", "/w/x/in"]));
        assert_eq!(seen.updates, paths(&["/w/x/both"]));
        assert_eq!(seen.removed, paths(&["/w/x/gone"]));
        assert_eq!(seen.writes, paths(&["/out", "/w/out"]));
        assert_eq!(seen.lost, 0);
        assert!(seen.unwatched.contains(Path::new("cat")));
        // Without its folder a short note tells nothing, which is said.
        bytes[20..24].fill(0);
        let mut without = Seen::default();
        without.take(&bytes);
        assert_eq!((without.reads.len(), without.lost), (1, 4));
        for cut in 0..bytes.len() {
            Seen::default().take(&bytes[..cut]);
        }
    }
}
