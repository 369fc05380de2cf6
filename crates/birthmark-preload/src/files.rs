//! The files of notes, `<pid>-<n>.seen` in the folder that `BIRTHMARK_SEEN` names, and the
//! memory that is shared with them.
//!
//! ```text
//! offset  0  "BMSEEN2\n"
//!         8  capacity of the file, u32
//!        12  where the next note begins, u32, counted up before it is written
//!        16  notes that found no room, u32
//!        20  where the note of the folder is that short notes lie in, u32; 0 for none
//!        24  the hash of that folder, u64, written after it; for those who write
//!        32  when the last note was written, u64 nanoseconds; 0 in files that are not the first
//!        64  notes: u32 (kind << 24 | length of the path), the path, padding to 4 bytes; of what
//!            was opened to be written u64 nanoseconds before the path; of a name that was given
//!            u64 nanoseconds, the old path, a zero and the new one; of a module of Python's u64
//!            nanoseconds at which its source had changed, and the source's path
//! ```
//!
//! Numbers are little-endian on all machines that this runs on. The number before a note is
//! written last; a note whose number is 0 was never finished. Children made by `fork` share
//! their parent's memory and so its file; a program that is executed begins one of its own
//! with its first note. The first file is small, since most programs open little.

use core::ffi::{CStr, c_int};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::path::{LONGEST, Path, errno};

const FIRST: usize = 64;
const SMALLEST: usize = 16 << 10;
const LARGEST: usize = 256 << 10;
/// Files of notes that one process makes at most.
const MOST: u32 = 64;

static FOLDER: Place = Place(core::cell::UnsafeCell::new([0; LONGEST]));
static FOLDER_LENGTH: AtomicUsize = AtomicUsize::new(0);
static CHUNK: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static GROWING: AtomicBool = AtomicBool::new(false);
static MADE: AtomicU32 = AtomicU32::new(0);
static BROKEN: AtomicBool = AtomicBool::new(false);
static ZEROS: [u8; SMALLEST] = [0; SMALLEST];

struct Place(core::cell::UnsafeCell<[u8; LONGEST]>);

// SAFETY: written by the constructor alone, before there is a second thread, and read only
// after `FOLDER_LENGTH`, which it sets last, is not 0.
unsafe impl Sync for Place {}

/// Reads where notes go, before the program can change its environment.
pub(crate) fn begin() {
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
    FOLDER_LENGTH.store(folder.len(), Ordering::Release);
}

/// Whether there is a folder for notes, and they could be kept so far.
pub(crate) fn are_kept() -> bool {
    FOLDER_LENGTH.load(Ordering::Acquire) != 0 && !BROKEN.load(Ordering::Relaxed)
}

/// A file of notes in memory, which is never given back.
#[derive(Clone, Copy)]
pub(crate) struct Chunk(*mut u8);

impl Chunk {
    /// The one that notes go into.
    pub(crate) fn now() -> Option<Self> {
        let chunk = CHUNK.load(Ordering::Acquire);
        (!chunk.is_null()).then_some(Self(chunk))
    }

    fn number(self, offset: usize) -> &'static AtomicU32 {
        // SAFETY: a chunk is at least `SMALLEST` bytes, and the offset one of its header's or of
        // a note, both multiples of 4 within it; it is never given back.
        unsafe { AtomicU32::from_ptr(self.0.add(offset).cast()) }
    }

    fn folder_hash(self) -> &'static AtomicU64 {
        // SAFETY: as above; the header is aligned to a page.
        unsafe { AtomicU64::from_ptr(self.0.add(24).cast()) }
    }

    fn last(self) -> &'static AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.0.add(32).cast()) }
    }

    /// Whether short notes of this file lie in the folder with this hash.
    pub(crate) fn lies_in(self, folder: u64) -> bool {
        self.folder_hash().load(Ordering::Acquire) == folder
    }

    /// Whether this file says where short notes lie.
    pub(crate) fn has_folder(self) -> bool {
        self.number(20).load(Ordering::Acquire) != 0
    }

    /// Makes the note at an offset, of a folder with this hash, the one that short notes lie in.
    pub(crate) fn set_folder(self, note: u32, hash: u64) {
        let place = self.number(20);
        let set = place.compare_exchange(0, note, Ordering::AcqRel, Ordering::Acquire);
        if set.is_ok() {
            self.folder_hash().store(hash, Ordering::Release);
        }
    }

    /// Writes a note of these parts, and answers where it is; none where there is no room.
    pub(crate) fn put(self, kind: u32, parts: &[&[u8]]) -> Option<u32> {
        let capacity = self.number(8).load(Ordering::Relaxed);
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let needed = u32::try_from(4 + length.div_ceil(4) * 4).ok()?;
        let free = |at: u32| at.checked_add(needed).filter(|end| *end <= capacity);
        let next = self.number(12);
        let at = next
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, free)
            .ok()?;
        let mut next = at as usize + 4;
        for part in parts {
            // SAFETY: these bytes were counted up for this note alone, and lie within the chunk.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), self.0.add(next), part.len()) };
            next += part.len();
        }
        // Who notes that much is not slowed down by the clock for what a later note tells as well.
        if capacity as usize == SMALLEST {
            self.last().fetch_max(now(), Ordering::Relaxed);
        }
        let head = kind << 24 | u32::try_from(length).unwrap_or(0);
        self.number(at as usize).store(head, Ordering::Release);
        Some(at)
    }

    /// Counts a note that found no room.
    pub(crate) fn lose(self) {
        self.number(16).fetch_add(1, Ordering::Relaxed);
    }
}

/// Puts a new file in the place of a full one, or of none; false where there can be none.
/// Whoever comes while another does so tries for a while, and then gives its note up.
pub(crate) fn grow(full: Option<Chunk>) -> bool {
    let full = full.map_or(ptr::null_mut(), |chunk| chunk.0);
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

/// Nanoseconds of the clock that only goes on, which all processes share.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is there; the clock is every system's.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = time.tv_sec.unsigned_abs().wrapping_mul(1_000_000_000);
    seconds.wrapping_add(time.tv_nsec.unsigned_abs())
}

fn begin_chunk() -> bool {
    let before = MADE.fetch_add(1, Ordering::AcqRel);
    let capacity = SMALLEST.wrapping_shl(before.min(2) * 3).min(LARGEST);
    let file = if before < MOST {
        open_new(capacity)
    } else {
        -1
    };
    if file < 0 {
        BROKEN.store(true, Ordering::Relaxed);
        return false;
    }
    let chunk = map(file, capacity);
    // SAFETY: opened just now, and used by nobody else.
    unsafe { libc::close(file) };
    if chunk.is_null() {
        BROKEN.store(true, Ordering::Relaxed);
        return false;
    }
    // SAFETY: more bytes than these were mapped, and nobody else knows them yet.
    unsafe {
        ptr::copy_nonoverlapping(b"BMSEEN2\n".as_ptr(), chunk, 8);
        let number = |value: usize| u32::try_from(value).unwrap_or(0).to_le_bytes();
        ptr::copy_nonoverlapping(number(capacity).as_ptr(), chunk.add(8), 4);
        ptr::copy_nonoverlapping(number(FIRST).as_ptr(), chunk.add(12), 4);
    }
    CHUNK.store(chunk, Ordering::Release);
    true
}

/// A file that was not there before, filled: memory behind a file that the disk has no room
/// for would end the program.
fn open_new(capacity: usize) -> c_int {
    let mut path = Path::new();
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
        if file >= 0 && !fill(file, capacity) {
            // SAFETY: opened just now.
            unsafe { libc::close(file) };
            return -1;
        }
        return file;
    }
    -1
}

fn fill(file: c_int, capacity: usize) -> bool {
    (0..capacity / ZEROS.len()).all(|_| {
        // SAFETY: the bytes are there, as many as is said.
        let written = unsafe { libc::write(file, ZEROS.as_ptr().cast(), ZEROS.len()) };
        usize::try_from(written) == Ok(ZEROS.len())
    })
}

fn map(file: c_int, capacity: usize) -> *mut u8 {
    // SAFETY: a new mapping of a file that has these bytes; it is never unmapped.
    let chunk = unsafe {
        libc::mmap(
            ptr::null_mut(),
            capacity,
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
