//! The notes: in memory shared with files `<pid>-<n>.seen` of the folder that
//! `BIRTHMARK_SEEN` names.
//!
//! ```text
//! offset  0  "BMSEEN1\n"
//!         8  capacity of the file, u32
//!        12  where the next note begins, u32, counted up before it is written
//!        16  notes that found no room, u32
//!        64  notes: u32 (kind << 24 | length of the path), the path, padding to 4 bytes
//! ```
//!
//! Numbers are little-endian on all machines that this runs on. The number before a note is
//! written last; a note whose number is 0 was never finished. Children made by `fork` share
//! their parent's memory and so its file; a program that is executed begins one of its own
//! with its first note.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// What a file was opened for.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    /// To be read.
    Read = 1,
    /// To be written, also where it is read as well.
    Write = 2,
    /// A program was executed that carries this library on.
    Execute = 4,
    /// One was executed with an environment that leaves this library out.
    ExecuteUnseen = 5,
}

const FIRST: usize = 64;
const CAPACITY: usize = 64 << 10;
/// Files of notes that one process makes at most.
const MOST: u32 = 256;
const LONGEST: usize = 4096;
/// Paths that are known to be noted, by their hash: a power of two.
const KNOWN: usize = 1 << 15;

static FOLDER: Place = Place(core::cell::UnsafeCell::new([0; LONGEST]));
static FOLDER_LENGTH: AtomicUsize = AtomicUsize::new(0);
static CHUNK: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static GROWING: AtomicBool = AtomicBool::new(false);
static MADE: AtomicU32 = AtomicU32::new(0);
static BROKEN: AtomicBool = AtomicBool::new(false);
static KNOWN_PATHS: [AtomicU64; KNOWN] = [const { AtomicU64::new(0) }; KNOWN];
static ZEROS: [u8; CAPACITY] = [0; CAPACITY];

/// The working folder, asked for once until it changes; the length is 0 while it is not known.
static WORKING: Place = Place(core::cell::UnsafeCell::new([0; LONGEST]));
static WORKING_LENGTH: AtomicUsize = AtomicUsize::new(0);
static WORKING_BUSY: AtomicBool = AtomicBool::new(false);
static WORKING_CHANGES: AtomicU32 = AtomicU32::new(0);
/// Whether this process has threads of Birthmark's own, or is Birthmark.
static OURS_HERE: AtomicBool = AtomicBool::new(false);

/// A path that several threads may ask for.
struct Place(core::cell::UnsafeCell<[u8; LONGEST]>);

// SAFETY: `FOLDER` is written by the constructor alone, before there is a second thread, and read
// only after `FOLDER_LENGTH`, which it sets last, is not 0; `WORKING` by who holds `WORKING_BUSY`.
unsafe impl Sync for Place {}

#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

/// Reads where notes go, before the program can change its environment.
extern "C" fn begin() {
    // SAFETY: nothing else runs yet that could change the environment; `getenv` answers null
    // or a string that ends.
    let folder = unsafe { libc::getenv(c"BIRTHMARK_SEEN".as_ptr()) };
    if folder.is_null() {
        return;
    }
    // SAFETY: not null, and ends.
    let folder = unsafe { CStr::from_ptr(folder) }.to_bytes();
    // Room is kept for the file's own name.
    if folder.is_empty() || folder.len() > LONGEST - 64 {
        return;
    }
    // SAFETY: the only writer, before there are readers (see `Place`); the length fits.
    unsafe { ptr::copy_nonoverlapping(folder.as_ptr(), FOLDER.0.get().cast::<u8>(), folder.len()) };
    OURS_HERE.store(has_our_name(), Ordering::Release);
    FOLDER_LENGTH.store(folder.len(), Ordering::Release);
}

/// Notes a path, relative to `folder` (a descriptor, or `AT_FDCWD`). `errno` stays as it is.
pub(crate) fn note(kind: Kind, folder: c_int, path: *const c_char) {
    if path.is_null() || FOLDER_LENGTH.load(Ordering::Acquire) == 0 {
        return;
    }
    // SAFETY: the call that was asked with this path has read it as a string that ends.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if path.is_empty() || is_of_the_kernel(path) {
        return;
    }
    let saved = errno();
    let mut whole = Path {
        bytes: [0; LONGEST],
        length: 0,
    };
    if path.first() == Some(&b'/') || whole.begin(folder, matches!(kind, Kind::Read | Kind::Write))
    {
        whole.push(path);
        put(kind, whole.text());
    }
    set_errno(saved);
}

/// Forgets the working folder, which has changed.
pub(crate) fn folder_changed() {
    WORKING_CHANGES.fetch_add(1, Ordering::AcqRel);
    WORKING_LENGTH.store(0, Ordering::Release);
}

/// Remembers the working folder as it was after so many changes.
fn remember_folder(folder: &[u8], changes: u32) {
    if folder.is_empty() || folder.len() >= LONGEST || WORKING_BUSY.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: only the one who set `WORKING_BUSY` reads or writes it; the length fits.
    unsafe {
        ptr::copy_nonoverlapping(folder.as_ptr(), WORKING.0.get().cast::<u8>(), folder.len());
    };
    WORKING_LENGTH.store(folder.len(), Ordering::Release);
    // Changed while it was asked for: then it is not known which was told.
    if WORKING_CHANGES.load(Ordering::Acquire) != changes {
        WORKING_LENGTH.store(0, Ordering::Release);
    }
    WORKING_BUSY.store(false, Ordering::Release);
}

/// A thread got this name: from here on names are asked for (see `is_ours`).
pub(crate) fn thread_named(name: *const c_char) {
    if !name.is_null() {
        // SAFETY: the call that was asked with this name has read it as a string that ends.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        if name.starts_with(b"birthmark") {
            OURS_HERE.store(true, Ordering::Release);
        }
    }
}

/// Notes a name as it is: of a program that is searched for.
pub(crate) fn note_name(kind: Kind, name: *const c_char) {
    if name.is_null() || FOLDER_LENGTH.load(Ordering::Acquire) == 0 {
        return;
    }
    // SAFETY: as in `note`.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    if name.contains(&b'/') {
        note(kind, libc::AT_FDCWD, name.as_ptr().cast());
        return;
    }
    let saved = errno();
    put(kind, name);
    set_errno(saved);
}

fn is_of_the_kernel(path: &[u8]) -> bool {
    path.starts_with(b"/proc/") || path.starts_with(b"/sys/") || path.starts_with(b"/dev/")
}

/// A path on the stack.
struct Path {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Path {
    /// Puts the working folder as it is remembered; false where it is not.
    fn begin_cached(&mut self) -> bool {
        let length = WORKING_LENGTH.load(Ordering::Acquire);
        if length == 0 || WORKING_BUSY.swap(true, Ordering::AcqRel) {
            return false;
        }
        // SAFETY: only the one who set `WORKING_BUSY` reads or writes it.
        let folder = unsafe { &*WORKING.0.get() };
        self.push(folder.get(..length).unwrap_or_default());
        WORKING_BUSY.store(false, Ordering::Release);
        // Whoever changed the folder meanwhile said so before.
        if WORKING_LENGTH.load(Ordering::Acquire) != length {
            self.length = 0;
            return false;
        }
        self.push(b"/");
        true
    }

    /// Puts the folder before a relative path; false where it cannot be told.
    fn begin(&mut self, folder: c_int, cached: bool) -> bool {
        if folder == libc::AT_FDCWD {
            if cached && self.begin_cached() {
                return true;
            }
            let changes = WORKING_CHANGES.load(Ordering::Acquire);
            // SAFETY: the buffer is as long as is said.
            let found = unsafe { libc::getcwd(self.bytes.as_mut_ptr().cast(), LONGEST) };
            if found.is_null() {
                return false;
            }
            self.length = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
            if cached {
                remember_folder(self.text(), changes);
            }
        } else {
            let mut link = Self {
                bytes: [0; LONGEST],
                length: 0,
            };
            link.push(b"/proc/self/fd/");
            link.push_number(folder.unsigned_abs());
            // SAFETY: the name ends with a zero, since the buffer began as zeros; the other
            // buffer is as long as is said.
            let read = unsafe {
                libc::readlink(
                    link.bytes.as_ptr().cast(),
                    self.bytes.as_mut_ptr().cast(),
                    LONGEST - 1,
                )
            };
            self.length = usize::try_from(read).unwrap_or(0);
        }
        self.push(b"/");
        self.bytes.first() == Some(&b'/')
    }

    fn push(&mut self, more: &[u8]) {
        // One byte stays 0, so that it ends.
        let room = (LONGEST - 1).saturating_sub(self.length);
        let more = more.get(..more.len().min(room)).unwrap_or_default();
        let end = self.length.wrapping_add(more.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(more);
            self.length = end;
        }
    }

    fn push_number(&mut self, number: u32) {
        let mut digits = [0_u8; 10];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at = at.wrapping_sub(1);
            if let Some(place) = digits.get_mut(at) {
                *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            }
            rest /= 10;
            if rest == 0 || at == 0 {
                break;
            }
        }
        self.push(digits.get(at..).unwrap_or_default());
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn put(kind: Kind, path: &[u8]) {
    let hash = hash(kind, path);
    if BROKEN.load(Ordering::Relaxed) || is_known(hash) || is_ours() {
        return;
    }
    remember(hash);
    let needed = 4 + path.len().div_ceil(4) * 4;
    for _ in 0..8 {
        let chunk = CHUNK.load(Ordering::Acquire);
        if chunk.is_null() {
            if !grow(chunk) {
                return;
            }
            continue;
        }
        // SAFETY: a chunk is `CAPACITY` bytes that stay mapped; its header is aligned.
        let next = unsafe { AtomicU32::from_ptr(chunk.add(12).cast()) };
        let at =
            next.fetch_add(u32::try_from(needed).unwrap_or(u32::MAX), Ordering::AcqRel) as usize;
        if at.wrapping_add(needed) <= CAPACITY && at >= FIRST {
            // SAFETY: these bytes were counted up for this note alone, lie within the chunk,
            // and begin at a multiple of 4.
            unsafe {
                ptr::copy_nonoverlapping(path.as_ptr(), chunk.add(at + 4), path.len());
                let head = (kind as u32) << 24 | u32::try_from(path.len()).unwrap_or(0);
                AtomicU32::from_ptr(chunk.add(at).cast()).store(head, Ordering::Release);
            }
            return;
        }
        // Full: what was counted up in vain stays 0, which ends the notes of this chunk.
        next.fetch_sub(u32::try_from(needed).unwrap_or(0), Ordering::AcqRel);
        if !grow(chunk) {
            // SAFETY: as above.
            let lost = unsafe { AtomicU32::from_ptr(chunk.add(16).cast()) };
            lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

/// The places that a hash may take.
fn places(hash: u64) -> impl Iterator<Item = &'static AtomicU64> {
    let first = usize::try_from(hash).unwrap_or(0);
    (0..8).filter_map(move |step| KNOWN_PATHS.get(first.wrapping_add(step) & (KNOWN - 1)))
}

/// Whether it was noted already.
fn is_known(hash: u64) -> bool {
    places(hash)
        .map(|place| place.load(Ordering::Acquire))
        .take_while(|there| *there != 0)
        .any(|there| there == hash)
}

/// Where there is no place it is noted again, which costs room and nothing else.
fn remember(hash: u64) {
    for place in places(hash) {
        let taken = place.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_ok() || taken == Err(hash) {
            return;
        }
    }
}

/// Whether Birthmark itself looks at the code here, on threads of its own: what it reads the
/// run has not read. They are told by their names, which those they begin inherit.
fn is_ours() -> bool {
    OURS_HERE.load(Ordering::Acquire) && has_our_name()
}

fn has_our_name() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: the buffer has the length that the kernel writes at most.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"birthmark") || name.starts_with(b"gix") || name.starts_with(b"gitoxide")
}

fn hash(kind: Kind, path: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (kind as u64).wrapping_mul(K) ^ path.len() as u64;
    let (words, rest) = path.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(K);
        hash ^= hash >> 29;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(K);
    }
    (hash ^ hash >> 32) | 1
}

/// Puts a new chunk in the place of a full one; false where there can be none. Whoever comes
/// while another does so tries for a while, and then gives its note up.
fn grow(full: *mut u8) -> bool {
    for _ in 0..1_000 {
        if CHUNK.load(Ordering::Acquire) != full {
            return true;
        }
        if GROWING.swap(true, Ordering::AcqRel) {
            // SAFETY: takes nothing and touches nothing.
            unsafe { libc::sched_yield() };
            continue;
        }
        let grown = CHUNK.load(Ordering::Acquire) != full || begin_chunk();
        GROWING.store(false, Ordering::Release);
        return grown;
    }
    false
}

fn begin_chunk() -> bool {
    if MADE.fetch_add(1, Ordering::AcqRel) >= MOST {
        BROKEN.store(true, Ordering::Relaxed);
        return false;
    }
    let file = open_new();
    if file < 0 {
        BROKEN.store(true, Ordering::Relaxed);
        return false;
    }
    let chunk = map(file);
    // SAFETY: opened just now, and used by nobody else.
    unsafe { libc::close(file) };
    if chunk.is_null() {
        BROKEN.store(true, Ordering::Relaxed);
        return false;
    }
    // SAFETY: `CAPACITY` bytes were mapped, and nobody else knows them yet.
    unsafe {
        ptr::copy_nonoverlapping(b"BMSEEN1\n".as_ptr(), chunk, 8);
        let number = |value: usize| u32::try_from(value).unwrap_or(0).to_le_bytes();
        ptr::copy_nonoverlapping(number(CAPACITY).as_ptr(), chunk.add(8), 4);
        ptr::copy_nonoverlapping(number(FIRST).as_ptr(), chunk.add(12), 4);
    }
    CHUNK.store(chunk, Ordering::Release);
    true
}

/// A file that was not there before, filled: memory behind a file that the disk has no room
/// for would end the program.
fn open_new() -> c_int {
    let mut path = Path {
        bytes: [0; LONGEST],
        length: 0,
    };
    let length = FOLDER_LENGTH.load(Ordering::Acquire);
    // SAFETY: written before the length was set, and never again (see `Place`).
    let folder = unsafe { &*FOLDER.0.get() };
    path.push(folder.get(..length).unwrap_or_default());
    path.push(b"/");
    // SAFETY: takes nothing.
    path.push_number(unsafe { libc::getpid() }.unsigned_abs());
    path.push(b"-");
    let stem = path.length;
    for number in 0..MOST * 4 {
        path.length = stem;
        path.push_number(number);
        path.push(b".seen");
        if let Some(end) = path.bytes.get_mut(path.length) {
            *end = 0;
        }
        let flags =
            libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        // SAFETY: the path ends with a zero. The kernel is asked itself, since the C library's
        // own function is ours.
        let file = unsafe {
            libc::syscall(
                libc::SYS_openat,
                libc::AT_FDCWD,
                path.bytes.as_ptr(),
                flags,
                0o600,
            )
        };
        let file = c_int::try_from(file).unwrap_or(-1);
        if file < 0 && errno() == libc::EEXIST {
            continue;
        }
        // SAFETY: the bytes are there, as many as is said.
        let written = unsafe { libc::write(file, ZEROS.as_ptr().cast(), CAPACITY) };
        if file >= 0 && usize::try_from(written) != Ok(CAPACITY) {
            // SAFETY: opened just now.
            unsafe { libc::close(file) };
            return -1;
        }
        return file;
    }
    -1
}

fn map(file: c_int) -> *mut u8 {
    // SAFETY: a new mapping of a file that has these bytes; it is never unmapped.
    let chunk = unsafe {
        libc::mmap(
            ptr::null_mut(),
            CAPACITY,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file,
            0,
        )
    };
    if chunk == libc::MAP_FAILED {
        ptr::null_mut()
    } else {
        chunk.cast()
    }
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the place is this thread's own.
    unsafe { *libc::__errno_location() }
}

fn set_errno(value: c_int) {
    // SAFETY: the place is this thread's own.
    unsafe { *libc::__errno_location() = value }
}
