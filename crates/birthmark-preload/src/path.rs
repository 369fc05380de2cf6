//! Paths on the stack, and what the C library knows of this thread.

use core::ffi::{CStr, c_char, c_int};

use crate::working;

/// As long as the kernel lets a path be, with the zero that ends it.
pub(crate) const LONGEST: usize = 4096;

/// A path on the stack.
pub(crate) struct Path {
    pub(crate) bytes: [u8; LONGEST],
    pub(crate) length: usize,
}

impl Path {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }

    /// The folder that a descriptor stands for; false where it cannot be told.
    pub(crate) fn begin_at(&mut self, folder: c_int) -> bool {
        let mut link = Self::new();
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
        self.push(b"/");
        self.bytes.first() == Some(&b'/')
    }

    /// A path that is relative to a descriptor, whole; false where it cannot be told.
    pub(crate) fn begin_with(&mut self, folder: c_int, path: *const c_char) -> bool {
        // SAFETY: the call that was asked with this path has read it as a string that ends.
        let path = unsafe { CStr::from_ptr(path) }.to_bytes();
        let begun = match path.first() {
            None => false,
            Some(b'/') => true,
            // A child of `vfork` may have another folder and shares what is remembered.
            Some(_) if folder == libc::AT_FDCWD => working::begin(self, false),
            Some(_) => self.begin_at(folder),
        };
        self.push(path);
        begun && self.length < LONGEST - 1
    }

    pub(crate) fn push(&mut self, more: &[u8]) {
        // One byte stays 0, so that it ends.
        let room = (LONGEST - 1).saturating_sub(self.length);
        let more = more.get(..more.len().min(room)).unwrap_or_default();
        let end = self.length.wrapping_add(more.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(more);
            self.length = end;
        }
    }

    pub(crate) fn push_number(&mut self, number: u32) {
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

    pub(crate) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the place is this thread's own.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(value: c_int) {
    // SAFETY: the place is this thread's own.
    unsafe { *libc::__errno_location() = value }
}
