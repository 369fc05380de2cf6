#![expect(
    unsafe_code,
    reason = "borrowed references save four reference counts an item"
)]
//! The short way for dicts and lists of plain values, which records mostly are.
//!
//! A plain value (a string, a finite float, an int of 64 bits, a bool, None, or a few
//! levels of dicts and lists of these, all of the very class) is written without running any Python code, so it can be borrowed from
//! its container instead of being held. One thing can still run Python code: a
//! string with a lone surrogate makes Python create an exception, which may start
//! the collector of garbage, and so finalizers. After that nothing borrowed is
//! touched again ([`Plain::Broken`]).

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use super::raw::{exactly, small_int};
use super::{number, text};

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// It is in the buffer.
    Written,
    /// It is not plain; nothing was written, no Python code ran.
    Other,
    /// It is a string that is no Unicode; Python code may have run.
    Broken,
}

/// How deep containers of plain values are plain themselves. A small number: what
/// turns out not to be plain at the bottom is walked again from each level above.
const LEVELS: u8 = 3;

/// Writes `value` if it is plain; nothing is left of it in the buffer otherwise.
fn write(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, ensure_ascii: bool, levels: u8) -> Plain {
    if let Some(string) = exactly::<PyString>(value) {
        let Ok(valid) = string.to_str() else {
            return Plain::Broken;
        };
        text::write_str(out, valid, ensure_ascii);
    } else if let Some(int) = exactly::<PyInt>(value) {
        let Some(small) = small_int(int) else {
            return Plain::Other;
        };
        number::write_int(out, small);
    } else if let Some(float) = exactly::<PyFloat>(value) {
        let float = float.value();
        if !float.is_finite() {
            return Plain::Other;
        }
        number::write_float(out, float);
    } else if let Some(word) = constant(value) {
        out.extend_from_slice(word);
    } else if levels > 0 {
        return write_container(out, value, ensure_ascii, levels - 1);
    } else {
        return Plain::Other;
    }
    Plain::Written
}

fn write_container(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    ensure_ascii: bool,
    levels: u8,
) -> Plain {
    let start = out.len();
    let done = if let Some(list) = exactly::<PyList>(value) {
        write_list(out, list, ensure_ascii, levels)
    } else if let Some(dict) = exactly::<PyDict>(value) {
        write_dict(out, dict, ensure_ascii, levels)
    } else {
        Plain::Other
    };
    if done != Plain::Written {
        out.truncate(start);
    }
    done
}

fn write_list(
    out: &mut Vec<u8>,
    list: &Bound<'_, PyList>,
    ensure_ascii: bool,
    levels: u8,
) -> Plain {
    out.push(b'[');
    for at in 0..list.len() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        match item(out, list, at, ensure_ascii, levels) {
            Plain::Written => {}
            other => return other,
        }
    }
    out.push(b']');
    Plain::Written
}

fn write_dict(
    out: &mut Vec<u8>,
    dict: &Bound<'_, PyDict>,
    ensure_ascii: bool,
    levels: u8,
) -> Plain {
    out.push(b'{');
    let (mut at, mut separator) = (0, &b""[..]);
    // SAFETY: as in `write_entries`.
    while let Some((key, value)) = unsafe { next_entry(dict, &mut at) } {
        out.extend_from_slice(separator);
        match write_entry(out, &key, &value, ensure_ascii, levels) {
            Plain::Written => separator = b", ",
            other => return other,
        }
    }
    out.push(b'}');
    Plain::Written
}

/// `true`, `false` and `null`.
pub(super) fn constant(value: &Bound<'_, PyAny>) -> Option<&'static [u8]> {
    if value.is_none() {
        return Some(b"null");
    }
    let truth = exactly::<PyBool>(value)?;
    Some(if truth.is_true() { b"true" } else { b"false" })
}

/// Writes the plain entries that `dict` starts with, each after `{` or `, `.
///
/// Puts the entries that follow on `rest`, keys and values in turns, held. On
/// [`Plain::Broken`] what was written is of no use. A key `metadata` is never
/// plain, since the caller wants to know where its value lies.
pub(super) fn write_entries<'py>(
    out: &mut Vec<u8>,
    dict: &Bound<'py, PyDict>,
    ensure_ascii: bool,
    rest: &mut Vec<Option<Bound<'py, PyAny>>>,
) -> Plain {
    let (mut at, mut separator) = (0, &b"{"[..]);
    // SAFETY: between this call and the last use of the two no Python code runs, as
    // `write_entry` promises; where it does (`Broken`) they are not touched again.
    while let Some((key, value)) = unsafe { next_entry(dict, &mut at) } {
        let start = out.len();
        out.extend_from_slice(separator);
        match write_entry(out, &key, &value, ensure_ascii, LEVELS) {
            Plain::Written => separator = b", ",
            Plain::Broken => return Plain::Broken,
            Plain::Other => {
                out.truncate(start);
                rest.extend([Some(key.to_owned()), Some(value.to_owned())]);
                hold_entries(dict, at, rest);
                return Plain::Other;
            }
        }
    }
    Plain::Written
}

/// Puts the entries of `dict` from place `at` on `rest`, keys and values in turns.
pub(super) fn hold_entries<'py>(
    dict: &Bound<'py, PyDict>,
    mut at: ffi::Py_ssize_t,
    rest: &mut Vec<Option<Bound<'py, PyAny>>>,
) {
    // SAFETY: the two are held at once, and holding runs no Python code.
    while let Some((key, value)) = unsafe { next_entry(dict, &mut at) } {
        rest.extend([Some(key.to_owned()), Some(value.to_owned())]);
    }
}

fn write_entry(
    out: &mut Vec<u8>,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    ensure_ascii: bool,
    levels: u8,
) -> Plain {
    let Some(key) = exactly::<PyString>(key) else {
        return Plain::Other;
    };
    let Ok(key) = key.to_str() else {
        return Plain::Broken;
    };
    if key == "metadata" && levels == LEVELS {
        return Plain::Other;
    }
    text::write_str(out, key, ensure_ascii);
    out.extend_from_slice(b": ");
    write(out, value, ensure_ascii, levels)
}

/// Writes the item at `at` if there is one and it is plain.
pub(super) fn write_item(
    out: &mut Vec<u8>,
    list: &Bound<'_, PyList>,
    at: usize,
    ensure_ascii: bool,
) -> Plain {
    item(out, list, at, ensure_ascii, LEVELS)
}

fn item(
    out: &mut Vec<u8>,
    list: &Bound<'_, PyList>,
    at: usize,
    ensure_ascii: bool,
    levels: u8,
) -> Plain {
    let Ok(index) = ffi::Py_ssize_t::try_from(at) else {
        return Plain::Other;
    };
    // SAFETY: `list` is a list, so this gives an item that the list holds, or null
    // with an IndexError. `write` is the only use of the item, and it runs no Python
    // code before its last look at it.
    unsafe {
        let item = ffi::PyList_GetItem(list.as_ptr(), index);
        if item.is_null() {
            ffi::PyErr_Clear();
            return Plain::Other;
        }
        write(
            out,
            Bound::ref_from_ptr(list.py(), &item),
            ensure_ascii,
            levels,
        )
    }
}

/// The entry of `dict` at place `at`, which goes to the next one.
///
/// # Safety
///
/// No Python code may run between this call and the last use of what it gives.
unsafe fn next_entry<'a, 'py>(
    dict: &'a Bound<'py, PyDict>,
    at: &mut ffi::Py_ssize_t,
) -> Option<(Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>)> {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: `dict` is a dict, and the three places live across the call. Where it
    // gives 1, both pointers are borrowed from the dict.
    unsafe {
        if ffi::PyDict_Next(dict.as_ptr(), at, &raw mut key, &raw mut value) == 0 {
            return None;
        }
        Some((
            Borrowed::from_ptr(dict.py(), key),
            Borrowed::from_ptr(dict.py(), value),
        ))
    }
}
