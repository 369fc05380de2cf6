//! The functions of the C library that we stand in the place of.
//!
//! Each calls the real one first, and notes what succeeded. The real ones are found by name
//! the first time and kept.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::notes::{Kind, note, note_exchanged, note_name, note_named, thread_named};
use crate::working::changed as folder_changed;

type Mode = libc::mode_t;

/// The real function of a name; null where the C library has none.
struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            found: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn get(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if !found.is_null() {
            return found;
        }
        // SAFETY: the name ends; the answer is null or the next function of this name.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Relaxed);
        found
    }
}

/// Defines a function that stands in the place of one of the C library: `fails` is what it
/// answers where there is no real one, `after` what is done with the answer.
macro_rules! instead {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty, $fails:expr, |$got:ident| $after:expr;)*) => {
        $(
            /// Stands in the place of the C library's function of this name.
            ///
            /// # Safety
            ///
            /// As of the function that it calls.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $type),*) -> $answer {
                static REAL: Real = Real::new(
                    // SAFETY: ends with the zero that is put there, and has no other.
                    unsafe { CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes()) }
                );
                let real = REAL.get();
                if real.is_null() {
                    return $fails;
                }
                // SAFETY: the C library's function of this name has this signature; where it
                // takes a variable number of arguments they are handed over the same way.
                let $got = unsafe {
                    mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) -> $answer>(real)($($arg),*)
                };
                $after;
                $got
            }
        )*
    };
}

fn opened(got: c_int, folder: c_int, path: *const c_char, flags: c_int) {
    if got < 0 || flags & (libc::O_DIRECTORY | libc::O_PATH) != 0 {
        return;
    }
    if flags & libc::O_ACCMODE == libc::O_RDONLY {
        note(Kind::Read, folder, path);
    } else {
        // What is there and neither cut nor only appended to may be read as well.
        if flags & libc::O_ACCMODE == libc::O_RDWR && flags & (libc::O_TRUNC | libc::O_EXCL) == 0 {
            note(Kind::Update, folder, path);
        }
        note(Kind::Write, folder, path);
    }
}

fn opened_stream(got: *mut libc::FILE, path: *const c_char, mode: *const c_char) {
    if got.is_null() || path.is_null() || mode.is_null() {
        return;
    }
    // SAFETY: the call has read both as strings that end.
    let mode = unsafe { CStr::from_ptr(mode) }.to_bytes();
    let is_both = mode.contains(&b'+');
    match mode.first() {
        Some(b'r' | b'a') if is_both => note(Kind::Update, libc::AT_FDCWD, path),
        Some(b'r') => note(Kind::Read, libc::AT_FDCWD, path),
        _ => {}
    }
    if mode.first() != Some(&b'r') || is_both {
        note(Kind::Write, libc::AT_FDCWD, path);
    }
}

const CWD: c_int = libc::AT_FDCWD;

instead! {
    open(path: *const c_char, flags: c_int, mode: Mode) -> c_int, -1, |got| opened(got, CWD, path, flags);
    open64(path: *const c_char, flags: c_int, mode: Mode) -> c_int, -1, |got| opened(got, CWD, path, flags);
    openat(folder: c_int, path: *const c_char, flags: c_int, mode: Mode) -> c_int, -1,
        |got| opened(got, folder, path, flags);
    openat64(folder: c_int, path: *const c_char, flags: c_int, mode: Mode) -> c_int, -1,
        |got| opened(got, folder, path, flags);
    __open_2(path: *const c_char, flags: c_int) -> c_int, -1, |got| opened(got, CWD, path, flags);
    __open64_2(path: *const c_char, flags: c_int) -> c_int, -1, |got| opened(got, CWD, path, flags);
    __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int, -1,
        |got| opened(got, folder, path, flags);
    __openat64_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int, -1,
        |got| opened(got, folder, path, flags);
    creat(path: *const c_char, mode: Mode) -> c_int, -1, |got| opened(got, CWD, path, libc::O_WRONLY);
    creat64(path: *const c_char, mode: Mode) -> c_int, -1, |got| opened(got, CWD, path, libc::O_WRONLY);
    fopen(path: *const c_char, mode: *const c_char) -> *mut libc::FILE, ptr::null_mut(),
        |got| opened_stream(got, path, mode);
    fopen64(path: *const c_char, mode: *const c_char) -> *mut libc::FILE, ptr::null_mut(),
        |got| opened_stream(got, path, mode);
    freopen(path: *const c_char, mode: *const c_char, stream: *mut libc::FILE) -> *mut libc::FILE,
        ptr::null_mut(), |got| opened_stream(got, path, mode);
    freopen64(path: *const c_char, mode: *const c_char, stream: *mut libc::FILE) -> *mut libc::FILE,
        ptr::null_mut(), |got| opened_stream(got, path, mode);
    chdir(path: *const c_char) -> c_int, -1, |got| folder_changed();
    fchdir(folder: c_int) -> c_int, -1, |got| folder_changed();
    pthread_setname_np(thread: libc::pthread_t, name: *const c_char) -> c_int, 0, |got| thread_named(name);
    rename(old: *const c_char, new: *const c_char) -> c_int, -1, |got| renamed(got, (CWD, old), (CWD, new), 0);
    renameat(from: c_int, old: *const c_char, to: c_int, new: *const c_char) -> c_int, -1,
        |got| renamed(got, (from, old), (to, new), 0);
    renameat2(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: u32) -> c_int, -1,
        |got| renamed(got, (from, old), (to, new), flags);
    link(old: *const c_char, new: *const c_char) -> c_int, -1, |got| linked(got, (CWD, old), (CWD, new));
    linkat(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_int) -> c_int, -1,
        |got| linked(got, (from, old), (to, new));
    unlink(path: *const c_char) -> c_int, -1, |got| removed(got, CWD, path);
    unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int, -1, |got| removed(got, folder, path);
    remove(path: *const c_char) -> c_int, -1, |got| removed(got, CWD, path);
    rmdir(path: *const c_char) -> c_int, -1, |got| removed(got, CWD, path);
}

/// A path, and the descriptor of the folder that it is relative to.
type At = (c_int, *const c_char);

fn renamed(got: c_int, old: At, new: At, flags: u32) {
    if got != 0 {
        return;
    }
    if flags & libc::RENAME_EXCHANGE == 0 {
        note_named(Kind::Rename, old, new);
    } else {
        note_exchanged(old, new);
    }
}

fn linked(got: c_int, old: At, new: At) {
    if got == 0 {
        note_named(Kind::Link, old, new);
    }
}

fn removed(got: c_int, folder: c_int, path: *const c_char) {
    if got == 0 {
        note(Kind::Remove, folder, path);
    }
}

type Words = *const *const c_char;

/// A program takes the place of this one, so it is noted before.
macro_rules! executes {
    ($($name:ident($path:ident: *const c_char, $($arg:ident: $type:ty),*), $environment:expr;)*) => {
        $(
            /// Stands in the place of the C library's function of this name.
            ///
            /// # Safety
            ///
            /// As of the function that it calls.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($path: *const c_char, $($arg: $type),*) -> c_int {
                static REAL: Real = Real::new(
                    // SAFETY: ends with the zero that is put there, and has no other.
                    unsafe { CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes()) }
                );
                let real = REAL.get();
                if real.is_null() {
                    return -1;
                }
                note_name(kind_of($environment), $path);
                // SAFETY: the C library's function of this name has this signature.
                unsafe {
                    mem::transmute::<
                        *mut c_void,
                        unsafe extern "C" fn(*const c_char, $($type),*) -> c_int,
                    >(real)($path, $($arg),*)
                }
            }
        )*
    };
}

executes! {
    execve(path: *const c_char, words: Words, environment: Words), Some(environment);
    execvpe(path: *const c_char, words: Words, environment: Words), Some(environment);
    execv(path: *const c_char, words: Words), None;
    execvp(path: *const c_char, words: Words), None;
}

unsafe extern "C" {
    /// This process's environment.
    static environ: Words;
}

/// Whether an environment, or this process's own, carries the library on.
fn kind_of(environment: Option<Words>) -> Kind {
    // SAFETY: the C library's own; read as it is read there at this very call.
    let mut at = environment.unwrap_or(unsafe { environ });
    while !at.is_null() {
        // SAFETY: an array of strings that a null pointer ends, as the caller has to give it.
        let entry = unsafe { *at };
        if entry.is_null() {
            break;
        }
        // SAFETY: not null, and ends.
        let entry = unsafe { CStr::from_ptr(entry) }.to_bytes();
        if entry.starts_with(b"LD_PRELOAD=")
            && entry.windows(17).any(|part| part == b"birthmark_preload")
        {
            return Kind::Execute;
        }
        // SAFETY: the entry was not the last.
        at = unsafe { at.add(1) };
    }
    Kind::ExecuteUnseen
}

macro_rules! spawns {
    ($($name:ident;)*) => {
        $(
            /// Stands in the place of the C library's function of this name.
            ///
            /// # Safety
            ///
            /// As of the function that it calls.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(
                pid: *mut libc::pid_t,
                path: *const c_char,
                actions: *const c_void,
                attributes: *const c_void,
                words: Words,
                environment: Words,
            ) -> c_int {
                static REAL: Real = Real::new(
                    // SAFETY: ends with the zero that is put there, and has no other.
                    unsafe { CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes()) }
                );
                let real = REAL.get();
                if real.is_null() {
                    return libc::ENOSYS;
                }
                note_name(kind_of(Some(environment)), path);
                // SAFETY: the C library's function of this name has this signature.
                unsafe {
                    mem::transmute::<
                        *mut c_void,
                        unsafe extern "C" fn(
                            *mut libc::pid_t,
                            *const c_char,
                            *const c_void,
                            *const c_void,
                            Words,
                            Words,
                        ) -> c_int,
                    >(real)(pid, path, actions, attributes, words, environment)
                }
            }
        )*
    };
}

spawns! {
    posix_spawn;
    posix_spawnp;
}
