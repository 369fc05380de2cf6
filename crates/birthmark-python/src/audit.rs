//! What this process opens, noted by a hook of the interpreter's audit events.
//!
//! The hook is C's, not Python's: it is called for every audit event, and answers at once
//! for all but a few. Notes go into memory that forked children share, so that a `DataLoader`'s
//! workers are seen although they never end as the interpreter does.
//!
//! # Invariants
//!
//! * Nothing is allocated, nothing raised, no file touched in the hook.
//! * It can be taken in but not out again: out of a session it does nothing.
//!
//! # Limits
//!
//! * What libraries open in C, and programs that are started, are not seen: the watch of
//!   `birthmark run` sees them.
//! * The event comes before the opening: one that failed is noted too.

#![expect(
    unsafe_code,
    reason = "the hook is called by the interpreter with raw pointers; each block says why"
)]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use birthmark::lineage::Seen;
use pyo3::ffi;

/// Memory for notes; what is not touched costs nothing.
const CAPACITY: usize = 4 << 20;
/// Where the next note begins, and how many found no room, stand before the notes.
const FIRST: usize = 16;
const KNOWN: usize = 1 << 15;
/// A working folder is not longer.
const LONGEST: usize = 4096;

static ON: AtomicBool = AtomicBool::new(false);
static TAKEN_IN: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicBool = AtomicBool::new(false);
static NOTES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static KNOWN_PATHS: [AtomicU64; KNOWN] = [const { AtomicU64::new(0) }; KNOWN];

type Hook = unsafe extern "C" fn(*const c_char, *mut ffi::PyObject, *mut c_void) -> c_int;

unsafe extern "C" {
    // Exported by every interpreter since 3.8, and part of the stable interface since 3.13.
    fn PySys_AddAuditHook(hook: Hook, data: *mut c_void) -> c_int;
}

/// Begins to note; false where the interpreter or the system refuses.
pub(crate) fn begin() -> bool {
    let notes = NOTES.load(Ordering::Acquire);
    if notes.is_null() {
        // SAFETY: new anonymous memory, which is never given back.
        let fresh = unsafe {
            libc::mmap(
                ptr::null_mut(),
                CAPACITY,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if fresh == libc::MAP_FAILED {
            return false;
        }
        NOTES.store(fresh.cast(), Ordering::Release);
    }
    // SAFETY: the memory begins with these two numbers, aligned, and is ours alone.
    unsafe {
        number(0).store(u32::try_from(FIRST).unwrap_or(0), Ordering::Release);
        number(4).store(0, Ordering::Release);
    }
    for known in &KNOWN_PATHS {
        known.store(0, Ordering::Relaxed);
    }
    STARTED.store(false, Ordering::Relaxed);
    ON.store(true, Ordering::Release);
    // SAFETY: the interpreter is held by the caller; the hook has the right signature.
    TAKEN_IN.swap(true, Ordering::AcqRel)
        || unsafe { PySys_AddAuditHook(hook, ptr::null_mut()) } == 0
}

/// Ends noting. Gives what was noted, and whether programs were started.
pub(crate) fn end() -> (Seen, bool) {
    ON.store(false, Ordering::Release);
    let mut seen = Seen::default();
    let notes = NOTES.load(Ordering::Acquire);
    if notes.is_null() {
        return (seen, false);
    }
    // SAFETY: as in `begin`.
    let (end, lost) = unsafe {
        (
            number(0).load(Ordering::Acquire) as usize,
            number(4).load(Ordering::Acquire),
        )
    };
    // SAFETY: the memory is `CAPACITY` bytes; children may still write beyond `end`, which is
    // not read.
    let bytes = unsafe { std::slice::from_raw_parts(notes, end.min(CAPACITY)) };
    let mut at = FIRST;
    while let Some(head) = bytes.get(at..at + 4) {
        let head = u32::from_le_bytes(head.try_into().unwrap_or_default());
        let length = (head & 0x00ff_ffff) as usize;
        let Some(path) = bytes.get(at + 4..at + 4 + length).filter(|_| head != 0) else {
            break;
        };
        seen.note(head >> 24, PathBuf::from(OsStr::from_bytes(path)));
        at += 4 + length.div_ceil(4) * 4;
    }
    seen.lost = u64::from(lost);
    seen.any = true;
    (seen, STARTED.load(Ordering::Relaxed))
}

/// A number before the notes.
///
/// # Safety
///
/// `NOTES` must be there.
unsafe fn number<'a>(offset: usize) -> &'a AtomicU32 {
    // SAFETY: the memory is page-aligned and never given back, the offset one of two.
    unsafe { AtomicU32::from_ptr(NOTES.load(Ordering::Acquire).add(offset).cast()) }
}

/// Notes that a writer of ours opens a file: it does so past the interpreter.
pub(crate) fn wrote(path: &std::path::Path) {
    let path = path.as_os_str().as_bytes();
    if ON.load(Ordering::Relaxed) && !is_known(2, b"", path) {
        put(2, &[path]);
    }
}

/// Tells the same to the library that `birthmark run` preloads, where it is.
pub(crate) fn tell_preloaded(path: &std::path::Path) {
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else {
        return;
    };
    // SAFETY: the name ends; the answer is null or the function of this name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"birthmark_note_written".as_ptr()) };
    if !found.is_null() {
        // SAFETY: the preloaded library's function of this name takes one string that ends.
        unsafe {
            let note =
                std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*const c_char)>(found);
            note(path.as_ptr());
        };
    }
}

unsafe extern "C" fn hook(event: *const c_char, args: *mut ffi::PyObject, _: *mut c_void) -> c_int {
    if !ON.load(Ordering::Relaxed) {
        return 0;
    }
    // SAFETY: the interpreter gives a string that ends.
    let event = unsafe { CStr::from_ptr(event) }.to_bytes();
    match event {
        // SAFETY: the interpreter is held, and gives a tuple (see `opened`).
        b"open" => unsafe { opened(args) },
        // SAFETY: as above; the old name and the new one come first.
        b"os.rename" => unsafe { named(7, args) },
        // SAFETY: as above.
        b"os.link" => unsafe { named(8, args) },
        // SAFETY: as above; the path comes first. A database is read and written as it goes.
        b"sqlite3.connect" => unsafe {
            note(6, args, 0);
            note(2, args, 0);
        },
        // SAFETY: as above; the path, and the folder that it is relative to.
        b"os.remove" | b"os.rmdir" => unsafe { removed(args) },
        b"subprocess.Popen" | b"os.system" | b"os.exec" | b"os.posix_spawn" | b"os.spawn" => {
            STARTED.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
    0
}

/// # Safety
///
/// The interpreter is held, and `args` is a tuple: path, mode, flags.
unsafe fn opened(args: *mut ffi::PyObject) {
    // SAFETY: as the caller promises.
    let flags = unsafe { number_at(args, 2) }.unwrap_or(0);
    let kind = if flags & libc::O_ACCMODE == libc::O_RDONLY {
        1
    } else {
        2
    };
    let updates = flags & libc::O_ACCMODE == libc::O_RDWR && flags & libc::O_TRUNC == 0;
    // SAFETY: see above.
    unsafe {
        if updates {
            note(6, args, 0);
        }
        note(kind, args, 0);
        if kind == 1 {
            loaded(args);
        }
    }
}

/// Notes when the source of a module had last changed as it was loaded (see `Seen::loaded`).
///
/// # Safety
///
/// The interpreter is held, and `args` is a tuple: path.
unsafe fn loaded(args: *mut ffi::PyObject) {
    // SAFETY: as the caller promises.
    let Some(path) = (unsafe { path_at(args, 0) }) else {
        return;
    };
    let Some(source) = birthmark::lineage::source_opened(path) else {
        return;
    };
    let Ok(found) = source.metadata() else {
        return;
    };
    let changed = found.ctime() * 1_000_000_000 + found.ctime_nsec();
    let changed = changed.unsigned_abs().to_le_bytes();
    let path = source.as_os_str().as_bytes();
    let mut folder = [0_u8; LONGEST];
    if let Some(prefix) = prefix(path, &mut folder)
        && !is_known(11, &changed, path)
    {
        put(11, &[&changed, prefix, path]);
    }
}

/// The number at a place of the arguments; none where there is none.
///
/// # Safety
///
/// The interpreter is held, and `args` is a tuple.
unsafe fn number_at(args: *mut ffi::PyObject, at: isize) -> Option<c_int> {
    // SAFETY: see above; what is out of range or no number leaves an error, which is cleared.
    let number = unsafe {
        let number = ffi::PyTuple_GetItem(args, at);
        let number = if number.is_null() {
            -1
        } else {
            ffi::PyLong_AsLong(number)
        };
        if !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        number
    };
    c_int::try_from(number).ok()
}

/// # Safety
///
/// The interpreter is held, and `args` is a tuple.
unsafe fn note(kind: u32, args: *mut ffi::PyObject, at: isize) {
    // SAFETY: as the caller promises.
    let Some(path) = (unsafe { path_at(args, at) }) else {
        return;
    };
    let mut folder = [0_u8; LONGEST];
    if let Some(prefix) = prefix(path, &mut folder)
        && !is_known(kind, prefix, path)
    {
        put(kind, &[prefix, path]);
    }
}

/// Notes that a name is removed. Trees are removed by names within folders that are open.
///
/// # Safety
///
/// The interpreter is held, and `args` is a tuple: path, folder.
unsafe fn removed(args: *mut ffi::PyObject) {
    // SAFETY: as the caller promises.
    let (path, folder) = unsafe { (path_at(args, 0), number_at(args, 1).unwrap_or(-1)) };
    let Some(path) = path else {
        return;
    };
    let mut place = [0_u8; LONGEST];
    let prefix = if folder < 0 || path.first() == Some(&b'/') {
        prefix(path, &mut place)
    } else {
        folder_of(folder, &mut place)
    };
    if let Some(prefix) = prefix
        && !is_known(10, prefix, path)
    {
        put(10, &[prefix, path]);
    }
}

/// Notes that what had the first name was given the second: when, and both (see `Seen`).
///
/// # Safety
///
/// The interpreter is held, and `args` is a tuple.
unsafe fn named(kind: u32, args: *mut ffi::PyObject) {
    // SAFETY: as the caller promises.
    let (Some(old), Some(new)) = (unsafe { (path_at(args, 0), path_at(args, 1)) }) else {
        return;
    };
    let mut folders = ([0_u8; LONGEST], [0_u8; LONGEST]);
    let (Some(before), Some(after)) = (prefix(old, &mut folders.0), prefix(new, &mut folders.1))
    else {
        return;
    };
    if is_noted(2, before, old) {
        if !is_known(2, after, new) {
            put(2, &[after, new]);
        }
        return;
    }
    put(
        kind,
        &[&now().to_le_bytes(), before, old, b"\0", after, new],
    );
}

/// Nanoseconds of the clock that only goes on.
fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is there; the clock is every system's.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = time.tv_sec.unsigned_abs().wrapping_mul(1_000_000_000);
    seconds.wrapping_add(time.tv_nsec.unsigned_abs())
}

/// The path at a place of the arguments; none where there is none, or it is the kernel's.
///
/// # Safety
///
/// The interpreter is held, and `args` is a tuple that outlives the answer.
unsafe fn path_at<'a>(args: *mut ffi::PyObject, at: isize) -> Option<&'a [u8]> {
    // SAFETY: what is asked of the objects is what their types allow; the text lives as long
    // as the object, which the tuple holds.
    let path = unsafe {
        let path = ffi::PyTuple_GetItem(args, at);
        if path.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        let (mut text, mut length) = (ptr::null(), 0);
        if ffi::PyUnicode_Check(path) != 0 {
            text = ffi::PyUnicode_AsUTF8AndSize(path, &raw mut length);
        } else if ffi::PyBytes_Check(path) != 0 {
            let mut bytes = ptr::null_mut();
            if ffi::PyBytes_AsStringAndSize(path, &raw mut bytes, &raw mut length) == 0 {
                text = bytes.cast_const();
            }
        }
        if text.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        std::slice::from_raw_parts(text.cast::<u8>(), usize::try_from(length).unwrap_or(0))
    };
    let is_device = path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/");
    let is_of_the_kernel = is_device || path.starts_with(b"/proc/");
    (!path.is_empty() && !is_of_the_kernel).then_some(path)
}

/// The working folder with a slash, for a path that is relative to it; nothing for another.
fn prefix<'a>(path: &[u8], folder: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    if path.first() == Some(&b'/') {
        return Some(b"");
    }
    // SAFETY: the buffer is as long as is said.
    let found = unsafe { libc::getcwd(folder.as_mut_ptr().cast(), folder.len() - 1) };
    if found.is_null() {
        return None;
    }
    let end = folder.iter().position(|byte| *byte == 0).unwrap_or(0);
    slashed(folder, end)
}

/// The folder that is open under a number, with a slash.
fn folder_of(number: c_int, folder: &mut [u8; LONGEST]) -> Option<&[u8]> {
    let link = std::ffi::CString::new(format!("/proc/self/fd/{number}")).ok()?;
    // SAFETY: the name ends; the buffer is as long as is said.
    let length =
        unsafe { libc::readlink(link.as_ptr(), folder.as_mut_ptr().cast(), folder.len() - 1) };
    slashed(folder, usize::try_from(length).ok()?)
}

/// A folder of this length, with a slash behind it.
fn slashed(folder: &mut [u8; LONGEST], end: usize) -> Option<&[u8]> {
    *folder.get_mut(end)? = b'/';
    folder.get(..=end)
}

fn put(kind: u32, parts: &[&[u8]]) {
    let notes = NOTES.load(Ordering::Acquire);
    if notes.is_null() {
        return;
    }
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let needed = 4 + length.div_ceil(4) * 4;
    // SAFETY: `NOTES` is there.
    let (next, lost) = unsafe { (number(0), number(4)) };
    let more = u32::try_from(needed).unwrap_or(u32::MAX);
    let free = |at: u32| {
        let end = at.checked_add(more)?;
        (end as usize <= CAPACITY).then_some(end)
    };
    let Ok(at) = next.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) else {
        lost.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let head = kind << 24 | u32::try_from(length).unwrap_or(0);
    // SAFETY: these bytes were counted up for this note alone and lie within the memory.
    unsafe {
        let begin = notes.add(at as usize);
        let mut at = begin.add(4);
        for part in parts {
            ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
            at = at.add(part.len());
        }
        ptr::copy_nonoverlapping(head.to_le_bytes().as_ptr(), begin, 4);
    }
}

/// Whether it was noted; notes that it is.
fn is_known(kind: u32, prefix: &[u8], path: &[u8]) -> bool {
    let hash = hash(kind, prefix, path);
    for slot in places(hash) {
        match slot.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return false,
            Err(there) if there == hash => return true,
            Err(_) => {}
        }
    }
    false
}

/// Whether it was noted.
fn is_noted(kind: u32, prefix: &[u8], path: &[u8]) -> bool {
    let hash = hash(kind, prefix, path);
    places(hash).any(|slot| slot.load(Ordering::Acquire) == hash)
}

/// The places that a hash may take.
fn places(hash: u64) -> impl Iterator<Item = &'static AtomicU64> {
    let first = usize::try_from(hash).unwrap_or(0);
    (0..8).filter_map(move |step| KNOWN_PATHS.get(first.wrapping_add(step) & (KNOWN - 1)))
}

/// A hash that is never 0.
fn hash(kind: u32, prefix: &[u8], path: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(kind).wrapping_mul(K);
    for part in [prefix, path] {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(K);
            hash ^= hash >> 29;
        }
        for byte in rest {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(K);
        }
    }
    (hash ^ hash >> 32) | 1
}
