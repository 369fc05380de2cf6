//! The quick pass: what is surely as the index remembers it, and which names it does not know.
//!
//! * Folder by folder, through open folders, so that the system resolves one name a file and
//!   not its whole path; several threads.
//! * It decides only what it is sure of: such a file is flagged as up to date, and the pass of
//!   gix, which knows filters and races, looks at the others.
//! * A folder that holds no name beyond the index needs no walk. Where the work tree is not
//!   laid out as the index says (a file where a folder was, a symlink on the way, a repository
//!   within), it does not say which names are strange, and all is walked.
//!
//! Limits: one open folder a level and thread; folders deeper than [`DEEPEST`] are left to gix.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::stat::Time;
use gix::index::entry::{Flags, Mode, Stage, Stat};
use gix::index::{Entry, State};
use rustix::fs::{AtFlags, Dir, FileType, Mode as Rights, OFlags, openat, statat};
use rustix::io::Errno;

use super::seen::Stop;

/// How many folders deep it goes, which is how many it holds open.
const DEEPEST: usize = 24;
/// How many strange names are kept; beyond, a walk of everything is no dearer.
const MOST_STRANGERS: usize = 20_000;
/// A thread is worth its start from here on.
const ENTRIES_A_THREAD: usize = 4_000;
/// More threads than these wait for the same disk.
const MOST_THREADS: usize = 8;
/// Folders are handed to threads in heaps of this many, neighbours together.
const HEAP: usize = 16;

/// How the file system and the settings make entries and files agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Which parts of a remembered state count.
    pub(super) stat: gix::index::entry::stat::Options,
    /// Whether names are wanted that the index does not know.
    pub(super) strangers: bool,
}

/// A name that the index does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stranger {
    /// From the top, with `/`.
    pub(super) path: BString,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
}

/// Flags the entries that are surely as the index remembers them, and names the strangers in
/// the folders of the index; `None` where they were not asked for or cannot be told.
pub(super) fn pass(
    root: &Path,
    index: &mut State,
    rules: Rules,
    stop: &Stop,
) -> Option<Vec<Stranger>> {
    let layout = Layout::of(index);
    let pass = Pass {
        index,
        layout: &layout,
        rules,
        stop,
        next: AtomicUsize::new(0),
        unsure: AtomicBool::new(!rules.strangers || layout.unusual),
    };
    let found = pass.run(root);
    let unsure = pass.unsure.into_inner();
    let mut strangers = Vec::new();
    for found in found {
        for at in found.unchanged {
            if let Some(entry) = index.entries_mut().get_mut(at) {
                entry.flags.insert(Flags::UPTODATE);
            }
        }
        strangers.extend(found.strangers);
    }
    (!unsure && strangers.len() < MOST_STRANGERS).then_some(strangers)
}

/// One folder of the index: the first of its entries tells its path.
struct Folder {
    first: usize,
    /// Bytes of the path, without the slash at its end; 0 at the top.
    length: usize,
    files: Vec<usize>,
    folders: Vec<usize>,
}

impl Folder {
    /// What is left of a path in it: the name.
    fn name<'a>(&self, path: &'a BStr) -> &'a [u8] {
        let inside = self.length + usize::from(self.length > 0);
        &path[inside..]
    }
}

/// The index as folders, each before those that lie in it.
struct Layout {
    folders: Vec<Folder>,
    /// Whether it holds what is neither a file nor a folder of files.
    unusual: bool,
}

impl Layout {
    fn of(index: &State) -> Self {
        let top = Folder {
            first: 0,
            length: 0,
            files: Vec::new(),
            folders: Vec::new(),
        };
        let (mut folders, mut unusual) = (vec![top], false);
        let mut open = vec![0];
        let mut last: &BStr = b"".into();
        for (at, entry) in index.entries().iter().enumerate() {
            let path = entry.path(index);
            let same = shared(last, path);
            while open.len() > 1 && open.last().is_some_and(|top| folders[*top].length >= same) {
                open.pop();
            }
            let mut inside = open.last().map_or(0, |top| folders[*top].length);
            if inside > 0 {
                inside += 1;
            }
            for slash in path[inside..].find_iter(b"/") {
                let number = folders.len();
                folders[*open.last().unwrap_or(&0)].folders.push(number);
                folders.push(Folder {
                    first: at,
                    length: inside + slash,
                    files: Vec::new(),
                    folders: Vec::new(),
                });
                open.push(number);
            }
            folders[*open.last().unwrap_or(&0)].files.push(at);
            unusual |= !is_file(entry);
            last = path;
        }
        Self { folders, unusual }
    }
}

/// How many bytes at their beginnings two paths have in common.
fn shared(one: &BStr, other: &BStr) -> usize {
    let pairs = one.iter().zip(other.iter());
    pairs.take_while(|(one, other)| one == other).count()
}

/// Whether this is a file that was added and nothing else.
fn is_file(entry: &Entry) -> bool {
    let known = [Mode::FILE, Mode::FILE_EXECUTABLE, Mode::SYMLINK];
    known.contains(&entry.mode)
        && entry.stage() == Stage::Unconflicted
        && !entry.flags.contains(Flags::INTENT_TO_ADD)
}

/// What all threads share.
struct Pass<'a> {
    index: &'a State,
    layout: &'a Layout,
    rules: Rules,
    stop: &'a Stop,
    next: AtomicUsize,
    /// Whether the strangers cannot be told.
    unsure: AtomicBool,
}

/// What one thread found.
#[derive(Default)]
struct Found {
    unchanged: Vec<usize>,
    strangers: Vec<Stranger>,
}

impl Pass<'_> {
    fn run(&self, root: &Path) -> Vec<Found> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let worth = self.index.entries().len() / ENTRIES_A_THREAD;
        let more = worth.min(cores - 1).min(MOST_THREADS - 1);
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..more)
                .filter_map(|_| {
                    let thread = std::thread::Builder::new().name("birthmark-quick".to_owned());
                    thread.spawn_scoped(scope, || self.work(root)).ok()
                })
                .collect();
            let mut found = vec![self.work(root)];
            for other in others {
                match other.join() {
                    Ok(other) => found.push(other),
                    // What it did not look at, gix does.
                    Err(_) => self.unsure.store(true, Ordering::Relaxed),
                }
            }
            found
        })
    }

    /// Takes heaps of folders until none is left.
    fn work(&self, root: &Path) -> Found {
        let mut found = Found::default();
        let Some(mut way) = Way::from(root) else {
            self.unsure.store(true, Ordering::Relaxed);
            return found;
        };
        loop {
            let from = self.next.fetch_add(HEAP, Ordering::Relaxed);
            let folders = self.layout.folders.iter().skip(from).take(HEAP);
            if folders.len() == 0 {
                return found;
            }
            for folder in folders {
                if self.stop.is_due() || found.strangers.len() >= MOST_STRANGERS {
                    self.unsure.store(true, Ordering::Relaxed);
                    return found;
                }
                if self.look(folder, &mut way, &mut found).is_err() {
                    self.unsure.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn look(&self, folder: &Folder, way: &mut Way, found: &mut Found) -> Result<(), Errno> {
        let path = self.path_of(folder);
        let handle = match way.to(path) {
            // Nothing there: gix tells which files are gone.
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let tracked = self.files(folder, handle, found);
        if !self.unsure.load(Ordering::Relaxed) {
            self.strangers(folder, handle, found)?;
        }
        tracked
    }

    fn path_of(&self, folder: &Folder) -> &BStr {
        match self.index.entries().get(folder.first) {
            Some(entry) => entry.path(self.index)[..folder.length].into(),
            None => b"".into(),
        }
    }

    /// Looks at each file of a folder; an error means that something lies there that is no file.
    fn files(&self, folder: &Folder, at: BorrowedFd, found: &mut Found) -> Result<(), Errno> {
        let mut outcome = Ok(());
        for number in &folder.files {
            let entry = &self.index.entries()[*number];
            if !is_file(entry) || entry.flags.contains(Flags::SKIP_WORKTREE) {
                continue;
            }
            let name = folder.name(entry.path(self.index));
            match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(now) if FileType::from_raw_mode(now.st_mode).is_dir() => {
                    outcome = Err(Errno::ISDIR);
                }
                Ok(now) if self.is_unchanged(entry, &now) => found.unchanged.push(*number),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Whether git would not read the file either. Anything out of the ordinary is not sure.
    fn is_unchanged(&self, entry: &Entry, now: &rustix::fs::Stat) -> bool {
        let kind = match FileType::from_raw_mode(now.st_mode) {
            FileType::RegularFile if now.st_mode & 0o100 != 0 => Mode::FILE_EXECUTABLE,
            FileType::RegularFile => Mode::FILE,
            FileType::Symlink => Mode::SYMLINK,
            _ => return false,
        };
        let Some(now) = remembered(now) else {
            return false;
        };
        kind == entry.mode
            && now.matches(&entry.stat, self.rules.stat)
            && !now.is_racy(self.index.timestamp(), self.rules.stat)
            && (!entry.id.is_empty_blob() || entry.stat.size == 0)
    }

    /// Which names in a folder the index does not know.
    fn strangers(&self, folder: &Folder, at: BorrowedFd, found: &mut Found) -> Result<(), Errno> {
        let inner = folder.folders.iter().map(|inner| {
            let path = self.path_of(&self.layout.folders[*inner]);
            folder.name(path)
        });
        let files = folder.files.iter().map(|number| {
            let path = self.index.entries()[*number].path(self.index);
            folder.name(path)
        });
        let mut known: Vec<&[u8]> = inner.chain(files).collect();
        known.sort_unstable();
        let mut entries = Dir::read_from(at)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || (name == b".git" && folder.length == 0) {
                continue;
            }
            if name == b".git" {
                return Err(Errno::ISDIR);
            }
            if known.binary_search(&name).is_ok() {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let now = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(now.st_mode)
                }
                kind => kind,
            };
            let mut path = BString::from(self.path_of(folder));
            if folder.length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            found.strangers.push(Stranger {
                path,
                is_folder: kind.is_dir(),
            });
        }
        Ok(())
    }
}

/// The state of a file as an index would remember it; `None` for times before 1970.
fn remembered(now: &rustix::fs::Stat) -> Option<Stat> {
    let time = |seconds: i64, nanoseconds: u64| {
        (seconds >= 0).then_some(Time {
            secs: low(seconds.cast_unsigned()),
            nsecs: low(nanoseconds),
        })
    };
    Some(Stat {
        mtime: time(now.st_mtime, now.st_mtime_nsec)?,
        ctime: time(now.st_ctime, now.st_ctime_nsec)?,
        dev: low(now.st_dev),
        ino: low(now.st_ino),
        uid: now.st_uid,
        gid: now.st_gid,
        size: low(now.st_size.cast_unsigned()),
    })
}

/// The lower half: an index holds 32 bits of each.
#[expect(clippy::cast_possible_truncation)]
fn low(number: u64) -> u32 {
    number as u32
}

/// The open folders from the top down to where one is.
struct Way {
    top: OwnedFd,
    steps: Vec<(BString, OwnedFd)>,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Way {
    fn from(root: &Path) -> Option<Self> {
        // The top itself may be reached through a symlink.
        let flags = FOLDER.difference(OFlags::NOFOLLOW);
        let top = rustix::fs::open(root, flags, Rights::empty()).ok()?;
        Some(Self {
            top,
            steps: Vec::new(),
        })
    }

    /// Opens the folder at `path`, through no symlink.
    fn to(&mut self, path: &BStr) -> Result<BorrowedFd<'_>, Errno> {
        let names: Vec<&[u8]> = path
            .split_str("/")
            .filter(|name| !name.is_empty())
            .collect();
        // An index may be made to lead out of the work tree.
        let leads_out = |name: &&[u8]| *name == b"." || *name == b"..";
        if names.len() > DEEPEST || names.iter().any(leads_out) {
            return Err(Errno::NAMETOOLONG);
        }
        let pairs = self.steps.iter().zip(&names);
        let same = pairs.take_while(|((step, _), name)| step == *name).count();
        self.steps.truncate(same);
        for name in &names[same..] {
            let next = openat(self.here(), *name, FOLDER, Rights::empty())?;
            self.steps.push((BString::from(*name), next));
        }
        Ok(self.here())
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.steps
            .last()
            .map_or(self.top.as_fd(), |(_, folder)| folder.as_fd())
    }
}
