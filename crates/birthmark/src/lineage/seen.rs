//! What programs opened, as the preloaded library or the audit hook noted it.

use std::collections::{BTreeMap, BTreeSet};
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
/// What a note's kind has more that a time stands in.
const TIMED: u32 = 0x20;
/// Where a file says when its last note was written.
const LAST_AT: usize = 32;
/// Kinds that [`Seen::order`] asks for.
const READ: u32 = 1;
const WRITE: u32 = 2;
const EXCHANGE: u32 = 9;
const CODE: u32 = 11;

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
    /// Read before any process wrote it, or put another in its place, which one did afterwards: what
    /// was read is gone.
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
    /// Sources of modules that were loaded, each with when it had last changed as it was: in
    /// nanoseconds since 1970, by the file system's clock.
    pub loaded: BTreeMap<PathBuf, BTreeSet<u64>>,
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
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "seen"));
        let files: Vec<PathBuf> = paths.collect();
        let bytes = |path: &PathBuf| atomic::read_limited(path, FILE_LIMIT).ok();
        for file in files.iter().filter_map(bytes) {
            seen.take(&file);
        }
        let both: BTreeSet<PathBuf> = seen.reads.intersection(&seen.writes).cloned().collect();
        if !both.is_empty() {
            let mut firsts = Firsts::new();
            for file in files.iter().filter_map(bytes) {
                order(&file, &both, &mut firsts);
            }
            let is_before =
                |(_, (read, write)): &(_, (u64, u64))| read <= write && *read < u64::MAX;
            let before = firsts.into_iter().filter(is_before);
            seen.rewritten.extend(before.map(|(path, _)| path));
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
        for note in notes(bytes) {
            match note.path {
                Some(path) => self.note(note.kind, path),
                None => self.lost += 1,
            }
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
            CODE => self.load(path.as_os_str().as_bytes()),
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

    /// Takes up that a module was loaded: when its source had changed, and its path.
    fn load(&mut self, note: &[u8]) -> bool {
        note.split_first_chunk::<8>().is_some_and(|(time, path)| {
            let source = crate::project::plain(Path::new(OsStr::from_bytes(path)));
            let times = self.loaded.entry(source).or_default();
            times.insert(u64::from_le_bytes(*time))
        })
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

/// Of paths that were both read and written: when somebody had surely read them first, and when
/// they were written first.
type Firsts = BTreeMap<PathBuf, (u64, u64)>;

/// Notes of one file in their order: what was read is read by the time of what follows it.
fn order(bytes: &[u8], both: &BTreeSet<PathBuf>, firsts: &mut Firsts) {
    let mut open: Vec<PathBuf> = Vec::new();
    let last = long(bytes, LAST_AT).filter(|last| *last > 0);
    let was_read = |open: &mut Vec<PathBuf>, firsts: &mut Firsts, by: u64| {
        for path in open.drain(..) {
            let first = &mut firsts.entry(path).or_insert((u64::MAX, u64::MAX)).0;
            *first = by.min(*first);
        }
    };
    for note in notes(bytes) {
        let Some(path) = note.path else { continue };
        let (time, written) = match (note.kind, note.time) {
            (READ, _) => {
                open.extend(Some(crate::project::plain(&path)).filter(|path| both.contains(path)));
                continue;
            }
            (WRITE, Some(time)) => (time, vec![crate::project::plain(&path)]),
            // A note without its time, of an earlier library.
            (WRITE, None) => (0, vec![crate::project::plain(&path)]),
            (kind, _) => match naming(path.as_os_str().as_bytes(), false) {
                Some(naming) if kind == EXCHANGE => (naming.time, vec![naming.old, naming.new]),
                Some(naming) if matches!(kind, 7 | 8) => (naming.time, vec![naming.new]),
                _ => continue,
            },
        };
        if time > 0 {
            was_read(&mut open, firsts, time);
        }
        for path in written.into_iter().filter(|path| both.contains(path)) {
            let first = &mut firsts.entry(path).or_insert((u64::MAX, u64::MAX)).1;
            *first = time.min(*first);
        }
    }
    if let Some(last) = last {
        was_read(&mut open, firsts, last);
    }
}

/// A note.
struct Note {
    kind: u32,
    time: Option<u64>,
    /// Of a name that was given all that is noted; `None` where the folder of a short note is not
    /// told.
    path: Option<PathBuf>,
}

/// All notes of a file, up to the first that was not finished.
fn notes(bytes: &[u8]) -> impl Iterator<Item = Note> {
    let folder = number(bytes, FOLDER_AT).and_then(|at| note_at(bytes, at as usize));
    let folder = folder.filter(|(kind, _)| *kind == FOLDER);
    let folder = folder.map(|(_, path)| path);
    let mut at = FIRST;
    std::iter::from_fn(move || {
        let (kind, path) = note_at(bytes, at)?;
        at += 4 + path.as_os_str().len().div_ceil(4) * 4;
        let text = path.as_os_str().as_bytes();
        let timed = text.split_first_chunk::<8>().filter(|_| kind & TIMED != 0);
        let text = timed.map_or(path, |(_, path)| Path::new(OsStr::from_bytes(path)));
        Some(Note {
            kind: kind & !SHORT & !TIMED,
            time: timed.map(|(time, _)| u64::from_le_bytes(*time)),
            path: match kind & SHORT {
                0 => Some(text.to_owned()),
                _ => folder.map(|folder| folder.join(text)),
            },
        })
    })
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

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_le_bytes(eight))
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

    /// A file of notes: kinds with times and paths, and the time of the last.
    fn noted(last: u64, notes: &[(u32, u64, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(FIRST, 0);
        bytes[LAST_AT..LAST_AT + 8].copy_from_slice(&last.to_le_bytes());
        for (kind, time, path) in notes {
            let time = if *time > 0 {
                time.to_le_bytes().to_vec()
            } else {
                Vec::new()
            };
            let length = u32::try_from(time.len() + path.len()).unwrap();
            bytes.extend((kind << 24 | length).to_le_bytes());
            bytes.extend(time.iter().chain(path.as_bytes()));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn what_was_read_before_another_process_wrote_it_is_told_from_what_was_read_after() {
        let order = |files: &[Vec<u8>]| {
            let dir = tempfile::tempdir().unwrap();
            for (n, bytes) in files.iter().enumerate() {
                let path = dir.path().join(format!("{n}-0.seen"));
                #[expect(clippy::disallowed_methods, reason = "a fixture")]
                std::fs::write(path, bytes).unwrap();
            }
            let seen = Seen::read(dir.path());
            assert_eq!(seen.lost, 0);
            seen.rewritten
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        let none: [&str; 0] = [];
        // sort F > t && mv t F
        let sort = noted(5, &[(1, 0, "/F")]);
        assert_eq!(
            order(&[sort.clone(), noted(9, &[(7, 6, "/t\0/F")])]),
            ["/F"]
        );
        // The name was given before it was read; or nobody knows when it was read.
        assert_eq!(order(&[sort.clone(), noted(9, &[(7, 4, "/t\0/F")])]), none);
        assert_eq!(
            order(&[noted(0, &[(1, 0, "/F")]), noted(9, &[(0x22, 6, "/F")])]),
            none
        );
        // What the reader wrote afterwards says by when it had read.
        let reader = noted(0, &[(1, 0, "/F"), (0x22, 5, "/t")]);
        assert_eq!(order(&[reader, noted(9, &[(0x22, 6, "/F")])]), ["/F"]);
        // Made, read and made anew by three: it was never there before.
        let made = |at| noted(9, &[(0x22, at, "/F")]);
        assert_eq!(order(&[made(2), sort, made(7)]), none);
        // A writer of an earlier library tells no time.
        assert_eq!(
            order(&[noted(5, &[(1, 0, "/F")]), noted(9, &[(2, 0, "/F")])]),
            none
        );
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
            (0x32, "12345678out"),
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
        assert_eq!(seen.writes, paths(&["/out", "/w/out", "/w/x/out"]));
        assert_eq!(seen.lost, 0);
        assert!(seen.unwatched.contains(Path::new("cat")));
        // Without its folder a short note tells nothing, which is said.
        bytes[20..24].fill(0);
        let mut without = Seen::default();
        without.take(&bytes);
        assert_eq!((without.reads.len(), without.lost), (1, 5));
        for cut in 0..bytes.len() {
            Seen::default().take(&bytes[..cut]);
        }
    }
}
