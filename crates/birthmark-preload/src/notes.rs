//! What is noted of an opening, and what is left out.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::files::{self, Chunk, now};
use crate::known;
use crate::path::{LONGEST, Path, errno, set_errno};
use crate::source;
use crate::working;

/// What a file was opened for.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    /// To be read.
    Read = 1,
    /// To be written, also where it is read as well.
    Write = 2,
    /// No opening: the folder that the short notes of this file of notes lie in.
    Folder = 3,
    /// A program was executed that carries this library on.
    Execute = 4,
    /// One was executed with an environment that leaves this library out.
    ExecuteUnseen = 5,
    /// To be read and written at once, with what was there: noted before [`Kind::Write`].
    Update = 6,
    /// A file or folder got another name: see [`note_named`].
    Rename = 7,
    /// A file got one more name, likewise.
    Link = 8,
    /// Two files or folders got each the other's name, likewise.
    Exchange = 9,
    /// A name of a file, or a folder, was removed.
    Remove = 10,
    /// A module of Python's was loaded: see [`note_code`].
    Code = 11,
}

/// Added to the kind of a short note: its path is relative.
const SHORT: u32 = 0x10;
/// Added to the kind of a note of a path that a time stands before.
const TIMED: u32 = 0x20;

/// Whether this process has threads of Birthmark's own, or is Birthmark.
static OURS_HERE: AtomicBool = AtomicBool::new(false);

#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    OURS_HERE.store(has_our_name(), Ordering::Release);
    files::begin();
}

/// Notes a path, relative to `folder` (a descriptor, or `AT_FDCWD`). `errno` stays as it is.
pub(crate) fn note(kind: Kind, folder: c_int, path: *const c_char) {
    if path.is_null() || !files::are_kept() {
        return;
    }
    // SAFETY: the call that was asked with this path has read it as a string that ends.
    let text = unsafe { CStr::from_ptr(path) }.to_bytes();
    match text.first() {
        None => {}
        Some(b'/') if is_of_the_kernel(text) => {}
        Some(b'/') => put(kind, text),
        Some(_) if folder == libc::AT_FDCWD => note_relative(kind, text),
        Some(_) => note_below(kind, text, |whole| whole.begin_at(folder)),
    }
    if matches!(kind, Kind::Read) && source::may_be(text) {
        note_code(folder, path);
    }
}

/// Notes when the source of a module had last changed as it was loaded, by the file system's clock,
/// and its path: who knows when it changed last in the end then knows what was loaded. Each time
/// that it has changed it is noted again.
#[cold]
fn note_code(folder: c_int, path: *const c_char) {
    let saved = errno();
    let mut opened = Path::new();
    if !is_ours()
        && opened.begin_with(folder, path)
        && let Some(source) = source::of(&opened)
        && let Some(changed) = source::changed(&source)
    {
        let hash = known::hash(changed ^ Kind::Code as u64, source.text());
        if let Some(new) = known::look(hash) {
            known::remember(hash, new);
            put_in_new(Kind::Code as u32, &[&changed.to_le_bytes(), source.text()]);
        }
    }
    set_errno(saved);
}

/// Notes that a file is written by way of a file without a name, as our own writers do: they ask
/// for this function by its name.
///
/// # Safety
///
/// `path` is null or a string that ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn birthmark_note_written(path: *const c_char) {
    note(Kind::Write, libc::AT_FDCWD, path);
}

/// Notes a path within the working folder.
fn note_relative(kind: Kind, path: &[u8]) {
    // A child of `vfork` may have another folder and shares this memory: it executes.
    let remembered = matches!(kind, Kind::Read | Kind::Write | Kind::Update | Kind::Remove);
    let folder = working::hash().filter(|_| remembered);
    let hash = folder.map(|folder| known::hash(folder ^ kind as u64, path));
    let new = hash.map(known::look);
    if new == Some(None) || is_ours() {
        return;
    }
    let chunk = folder.and_then(|folder| Chunk::now().filter(|chunk| chunk.lies_in(folder)));
    let mut time = [0; 8];
    let (head, time) = headed(kind, &mut time);
    let noted = chunk.and_then(|chunk| chunk.put(head | SHORT, &[time, path]));
    if noted.is_none() {
        note_below(kind, path, |whole| working::begin(whole, remembered));
        begin_short_notes();
    }
    if let (Some(hash), Some(Some(new))) = (hash, new) {
        known::remember(hash, new);
    }
}

/// Notes that what was called `old` was given the name `new`: when, by the clock that all
/// processes share, and both paths, each ended by a zero. What this process opened to be written
/// is its own, and noted by its new name alone.
pub(crate) fn note_named(kind: Kind, old: (c_int, *const c_char), new: (c_int, *const c_char)) {
    if old.1.is_null() || new.1.is_null() || !files::are_kept() || is_ours() {
        return;
    }
    let saved = errno();
    let mut from = Path::new();
    if !from.begin_with(old.0, old.1) {
        set_errno(saved);
        return;
    }
    if is_own(&from, old) {
        note(Kind::Write, new.0, new.1);
    } else {
        let mut to = Path::new();
        if to.begin_with(new.0, new.1) {
            put_pair(kind, from.text(), to.text());
        }
    }
    set_errno(saved);
}

/// Notes that each of two files got the other's name. What this process opened to be written is
/// its own, as above.
pub(crate) fn note_exchanged(one: (c_int, *const c_char), other: (c_int, *const c_char)) {
    if one.1.is_null() || other.1.is_null() || !files::are_kept() || is_ours() {
        return;
    }
    let saved = errno();
    let (mut a, mut b) = (Path::new(), Path::new());
    if a.begin_with(one.0, one.1) && b.begin_with(other.0, other.1) {
        let (a_is_own, b_is_own) = (is_own(&a, one), is_own(&b, other));
        if !a_is_own && !b_is_own {
            put_pair(Kind::Exchange, a.text(), b.text());
        } else if a_is_own && b_is_own {
            note(Kind::Write, one.0, one.1);
            note(Kind::Write, other.0, other.1);
        } else if a_is_own {
            note(Kind::Write, other.0, other.1);
            put_pair(Kind::Rename, b.text(), a.text());
        } else {
            note(Kind::Write, one.0, one.1);
            put_pair(Kind::Rename, a.text(), b.text());
        }
    }
    set_errno(saved);
}

/// Whether this process opened to be written what was called so.
fn is_own(whole: &Path, (folder, path): (c_int, *const c_char)) -> bool {
    known::look(known::hash(Kind::Write as u64, whole.text())).is_none()
        || is_written_here(folder, path)
}

/// Whether this process opened a path of the working folder to be written.
fn is_written_here(folder: c_int, path: *const c_char) -> bool {
    // SAFETY: as in `note`.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    folder == libc::AT_FDCWD
        && working::hash().is_some_and(|folder| {
            known::look(known::hash(folder ^ Kind::Write as u64, path)).is_none()
        })
}

fn put_pair(kind: Kind, old: &[u8], new: &[u8]) {
    let time = now().to_le_bytes();
    put_in_new(kind as u32, &[&time, old, b"\0", new]);
}

/// The kind of a note of a path, and what stands before the path: of what was opened to be written
/// the time, so that it is known who read it before.
fn headed(kind: Kind, time: &mut [u8; 8]) -> (u32, &[u8]) {
    if !matches!(kind, Kind::Write) {
        return (kind as u32, &[]);
    }
    *time = now().to_le_bytes();
    (kind as u32 | TIMED, time)
}

/// Has the file of notes say which folder short notes lie in, if it does not yet.
#[cold]
fn begin_short_notes() {
    let saved = errno();
    let Some(chunk) = Chunk::now().filter(|chunk| !chunk.has_folder()) else {
        return;
    };
    let mut folder = Path::new();
    if let Some(hash) = working::hash()
        && working::begin(&mut folder, true)
        && working::hash() == Some(hash)
        && let Some(at) = chunk.put(Kind::Folder as u32, &[folder.text()])
    {
        chunk.set_folder(at, hash);
    }
    set_errno(saved);
}

/// Notes a path that lies below a folder which `begin` puts before it.
#[cold]
fn note_below(kind: Kind, path: &[u8], begin: impl FnOnce(&mut Path) -> bool) {
    let saved = errno();
    let mut whole = Path::new();
    if begin(&mut whole) {
        whole.push(path);
        put(kind, whole.text());
    }
    set_errno(saved);
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
    if name.is_null() || !files::are_kept() {
        return;
    }
    // SAFETY: as in `note`.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    if bytes.contains(&b'/') {
        note(kind, libc::AT_FDCWD, name);
    } else {
        put(kind, bytes);
    }
}

fn is_of_the_kernel(path: &[u8]) -> bool {
    let is_device = path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/");
    is_device || path.starts_with(b"/proc/") || path.starts_with(b"/sys/")
}

/// Writes a note, if there is none like it.
fn put(kind: Kind, path: &[u8]) {
    let hash = known::hash(kind as u64, path);
    let Some(new) = known::look(hash) else {
        return;
    };
    if path.len() >= LONGEST || is_ours() {
        return;
    }
    known::remember(hash, new);
    let mut time = [0; 8];
    let (head, time) = headed(kind, &mut time);
    let noted = Chunk::now().and_then(|chunk| chunk.put(head, &[time, path]));
    if noted.is_none() {
        let saved = errno();
        put_in_new(head, &[time, path]);
        set_errno(saved);
    }
}

/// Writes a note that found no room, or no file yet.
#[cold]
fn put_in_new(kind: u32, parts: &[&[u8]]) {
    for _ in 0..8 {
        let full = Chunk::now();
        if full.is_some_and(|chunk| chunk.put(kind, parts).is_some()) {
            return;
        }
        if !files::grow(full) {
            if let Some(full) = full {
                full.lose();
            }
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
