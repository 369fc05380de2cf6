//! Notes which files a program opens, renames, removes and executes: preloaded under `birthmark run`.
//!
//! It stands in the place of the C library's functions (see `calls`), calls them, and notes
//! what they were asked (`notes`), once each (`known`), in memory that is shared with a file
//! (`files`). So nothing has to be written out, and what was noted is there also when the
//! program is killed. A path within the working folder (`working`) is noted as it was given.
//!
//! # Invariants
//!
//! * The program gets the answer, and the `errno`, that it would have got. Nothing that fails
//!   here changes either; where notes cannot be kept none are, and that is counted.
//! * Nothing is allocated, no lock is waited for, nothing panics: it may be called from a
//!   signal handler, before `main`, and in the child of a `vfork`.
//! * Noting an opening asks the kernel nothing, but for the first after the working folder
//!   changed, where a file of notes is full, and for the time of a Python module (`source`).
//!
//! # Limits
//!
//! * Programs that are linked statically, or ask the kernel themselves (as Go's do), are not
//!   seen; nor is what the C library opens for its own use.
//! * Functions with a variable number of arguments are taken to hand them over as others do,
//!   which holds on Linux for x86-64 and AArch64.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod calls;
mod files;
mod known;
mod notes;
mod path;
mod source;
mod working;
