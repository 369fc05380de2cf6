//! Stands in the place of the C library's `getenv` for all that is linked into this library.
//!
//! git's library asks for `HOME` and its like on threads of ours, whenever it opens a
//! repository, and SQLite for its temporary folder. Meanwhile the script may set a variable,
//! which before glibc 2.41 takes away the memory that they read. So they are answered from
//! what was remembered at the door: see `birthmark_capture::process::remember_environment`.
//!
//! The linker is told in `build.rs` (`--wrap=getenv`) to lead questions from within this library
//! here; those of Python and of other libraries are not touched.
#![expect(
    unsafe_code,
    reason = "a function that C calls; each block says why it is sound"
)]

use std::ffi::{CStr, c_char};
use std::ptr;

use birthmark_capture::process;

unsafe extern "C" {
    /// The C library's own.
    fn __real_getenv(name: *const c_char) -> *mut c_char;
}

/// The value of a variable as it was remembered; as it is, where nothing was.
///
/// # Safety
///
/// As of `getenv`: `name` is a string that ends in NUL. What is returned must not be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    let asked = unsafe { CStr::from_ptr(name) };
    match process::remembered_variable(asked) {
        Some(Some(value)) => value.as_ptr().cast_mut(),
        Some(None) => ptr::null_mut(),
        // SAFETY: the caller's promise, handed on.
        None => unsafe { __real_getenv(name) },
    }
}
