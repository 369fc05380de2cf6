#![expect(
    unsafe_code,
    reason = "calls of the C API that pyo3 does not wrap, or only slowly"
)]
//! The C API calls of the encoder, each behind a safe function.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use pyo3::{PyTypeInfo, ffi};

/// One level of Python's recursion count, given back when it is dropped.
pub(super) struct Level<'py>(std::marker::PhantomData<Python<'py>>);

impl<'py> Level<'py> {
    /// Goes one level down; `RecursionError` where Python's own limit is.
    pub(super) fn enter(py: Python<'py>) -> PyResult<Self> {
        // SAFETY: `py` says that the interpreter is attached; the text is a C string.
        if unsafe { ffi::Py_EnterRecursiveCall(c" while encoding JSON".as_ptr()) } == 0 {
            Ok(Self(std::marker::PhantomData))
        } else {
            Err(PyErr::fetch(py))
        }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        // SAFETY: a level lives no longer than `'py`, so the interpreter is attached, and
        // it was made by one `Py_EnterRecursiveCall` that succeeded.
        unsafe { ffi::Py_LeaveRecursiveCall() };
    }
}

/// The value of an int, or of a subclass, if it fits into 64 bits.
pub(super) fn small_int(int: &Bound<'_, PyInt>) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: the interpreter is attached, `int` is an int (so no user code runs and no
    // exception is set), and `overflow` lives across the call.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut overflow) };
    (overflow == 0).then_some(value)
}

/// `value` as a `T` if that is its very class. pyo3's own cast makes an error object
/// each time that the answer is no, which is most of the time here.
pub(super) fn exactly<'a, 'py, T: PyTypeInfo>(
    value: &'a Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, T>> {
    if !value.is_exact_instance_of::<T>() {
        return None;
    }
    // SAFETY: its class has just been compared.
    Some(unsafe { value.cast_unchecked() })
}
